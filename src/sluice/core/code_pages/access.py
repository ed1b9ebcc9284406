"""E6xx: pages of access to the cluster, and of installation."""

from __future__ import annotations

from sluice.core.code_pages.page import CodePage as _Page

PAGES: dict[str, _Page] = {
    "E601": _Page(
        "The command found no cluster to talk to.",
        "no access to a cluster [E601] at /home/ana/.kube/config: the file does not exist; fix: set KUBECONFIG",
        "No kubeconfig where KUBECONFIG or ~/.kube/config says, or no context of that name in it.",
        "`kubectl config get-contexts` lists them; name one with --context, or another file with --kubeconfig.",
    ),
    "E602": _Page(
        "The kubeconfig was found and can't be used.",
        "the kubeconfig can't be used [E602] at config:12: users[0].user.exec: unknown apiVersion",
        "Broken YAML, a file it names that is not there, or an old way of authentication.",
        "`kubectl config view` checks it; the message names the line.",
    ),
    "E603": _Page(
        "The API server does not know who is asking.",
        "the API server does not accept the credentials [E603]; "
        "fix: renew the token, certificate or login of this kubeconfig context",
        "A token or certificate that has run out; a login plugin that failed; another cluster under the same address.",
        "Log in again as your provider says, and try `kubectl get ns`.",
    ),
    "E604": _Page(
        "The cluster does not serve our kinds.",
        "the CRD of Kustomization is not installed in this cluster [E604]: the API server does not serve "
        "kustomize.toolkit.fluxcd.io/v1; fix: run `sluice install`, or choose another cluster with --context",
        "Sluice (or Flux) was never installed there, or the context is another cluster than you think.",
        "`sluice install`, or --context.",
    ),
    "E605": _Page(
        "Something that acts on the same objects is installed already; nothing was changed.",
        "Flux's kustomize-controller 1.7.0 runs in namespace flux-system [E605]: two operators would write the same "
        "objects under the same name; fix: stop it first",
        "Flux's controllers or another Sluice run in this cluster.",
        "Stop the other one: the message has the command. Objects stay as they are meanwhile.",
    ),
    "E606": _Page(
        "Another process holds the lease for the same work, so this one writes nothing.",
        "Lease flux-system/kustomize-controller-leader-election is held by flux-5d8f [E606]: that process acts on the "
        "same objects; fix: stop it first",
        "Flux's controllers run, or another replica of Sluice leads, or one was killed a moment ago.",
        "Stop the other, or wait until its lease has run out. A replica that waits is well.",
    ),
}

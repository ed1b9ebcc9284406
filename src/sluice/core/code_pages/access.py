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
    "E630": _Page(
        "The HTTP API of fluxd is not served, for its token could not be read.",
        "the token of fluxd's API can't be used [E630] at /etc/sluice/token: it has fewer than 16 characters; "
        "fix: write a long random text into the file",
        "The file that --fluxd-api-token-file names is missing, empty, too short or holds more than one line.",
        "Write one line of 16 to 512 printable characters into it: `openssl rand -hex 32`.",
    ),
    "E631": _Page(
        "The SSH key that git is read with can't be shown, or not be replaced from outside.",
        "Secret flux-system/fleet is not the operator's to change [E631]: a GitRepository names it; "
        "fix: put the new key into it yourself",
        "The Secret has no private key in `identity`, or one that can't be read; or `fluxctl identity --regenerate` "
        "was asked of an operator that serves CRDs, where such Secrets are yours.",
        "In flag mode delete the key `identity` of the Secret and restart the operator, which makes a new one. With "
        "CRDs make the key with `ssh-keygen` and put it into the Secret.",
    ),
    "E632": _Page(
        "A client asked how far a commit is applied, and no source has it.",
        "commit 0a1b2c3 is not in the history of any source [E632]; fix: run `fluxctl sync` and ask again",
        "The commit is of another repository or branch, was replaced by a forced push, or has not been fetched yet.",
        "Ask for a commit of the branch that is synced.",
    ),
}

"""E70x: pages of what the command line refuses."""

from __future__ import annotations

from sluice.core.code_pages.page import CodePage as _Page

PAGES: dict[str, _Page] = {
    "E701": _Page(
        "The command line can't be used so; nothing was asked of the cluster. Exit code 2.",
        "there is no verb 'stats' [E701]; fix: did you mean status?",
        "A flag or word that this verb does not take, or two that exclude each other.",
        "`sluice VERB --help`.",
    ),
    "E702": _Page(
        "No object of that kind and name is in that namespace. Exit code 7.",
        "there is no Kustomization 'wbe' in namespace shop [E702] Kustomization shop/wbe; fix: did you mean web?",
        "A typing error, or the wrong namespace: it is taken from -n, then SLUICE_NAMESPACE, then the kubeconfig's "
        "context, then flux-system.",
        "`sluice get all -A` lists all; add -n NAMESPACE.",
    ),
    "E703": _Page(
        "A secret stood on the command line, where other users and the shell's history see it. It was not used.",
        "--password holds a secret [E703]: other users of this machine and its shell history can read arguments",
        "A token, password or private key as an argument.",
        "Give it in a file or on standard input, and replace it: it has been exposed.",
    ),
    "E704": _Page(
        "A file or folder that was named can't be read.",
        "the folder can't be read [E704] at apps/wbe: it does not exist; fix: name the folder that holds the manifests",
        "A typing error, or no right to read it.",
        "Correct the path; it counts from the folder you are in.",
    ),
    "E705": _Page(
        "The object is suspended: nothing is fetched or applied for it, and drift is not set right, until somebody "
        "resumes it.",
        "ks/web is suspended [E705] Kustomization shop/web: by ana: freeze; fix: sluice resume ks web -n shop",
        "`sluice suspend`, `flux suspend`, or spec.suspend: true in git.",
        "`sluice resume KIND NAME`; when git itself says spec.suspend: true, change it there.",
    ),
    "E706": _Page(
        "The wait is over and the outcome is not known. What was asked for goes on in the cluster. Exit code 5.",
        "ks/web: the outcome is not known after 300s [E706] Kustomization shop/web: Running health checks",
        "It takes longer than --timeout; or no operator answers, which the message then says.",
        "`sluice why`, or a longer --timeout.",
    ),
}

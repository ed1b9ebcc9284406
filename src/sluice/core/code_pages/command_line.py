"""E70x and E75x: pages of what the command line refuses."""

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
    "E750": _Page(
        "Nothing was done: a flag says what is to become of a checkout, and none was named. Exit code 2.",
        "--commit is for a checkout, and no folder is named [E750]; fix: leave it out, or write "
        "sluice release --local . …",
        "`--commit`, or a flag for asking registries from here, without --local: the operator commits, and asks them.",
        "Leave the flag out, or run the verb in a checkout with `--local .`.",
    ),
    "E751": _Page(
        "Nothing was written: the commit would have taken changes of yours along, or there is no commit to follow.",
        "a commit would take changes of yours along [E751] at apps/web.yaml; fix: commit or stash them first, or leave "
        "--commit out and commit all of it yourself",
        "A file to be edited has changes that are not committed, or is not in git; or the folder is no git checkout.",
        "`git stash`, or leave --commit out.",
    ),
    "E752": _Page(
        "Nothing was written, and every file is as it was before, or as somebody else saved it.",
        "nothing was written [E752] at apps/web.yaml: it was changed while the edit was made; fix: look at the file, "
        "and run it again",
        "An editor saved the file meanwhile; it became a link or went away; or the disk is full or read-only.",
        "Look at the file, and run it again.",
    ),
    "E753": _Page(
        "The image of this workload was not changed. Others that were asked for may have been: the table says so. "
        "Exit code 1.",
        'shop:deployment/web gets no other image [E753] Deployment shop/web at apps/web.yaml:2: it is locked by "ada": '
        '"freeze"; fix: take the lock away with `sluice unlock`, or release it all the same with --force',
        "An annotation of fluxd's on the workload: a lock, an ignore, a pattern that does not take the tag; or no tag "
        "of the image fits the pattern.",
        "`sluice unlock`, `sluice policy`, or --force, which lifts locks of named workloads and patterns for a named "
        "image.",
    ),
    "E754": _Page(
        "The commit that --commit asked for was not made. The files are as they were.",
        "git did not commit, and the files are as they were [E754] at /home/ada/fleet: Please tell me who you are.; "
        "fix: see that `git commit` works here",
        "No name and address are configured, the signing key can't be used, or another git holds the index.",
        "Make `git commit` work in that checkout, or leave --commit out.",
    ),
}

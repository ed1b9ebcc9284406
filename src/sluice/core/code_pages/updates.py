"""E62x: pages of releases, policies and syncs that are asked of the operator."""

from __future__ import annotations

from sluice.core.code_pages.page import CodePage as _Page

PAGES: dict[str, _Page] = {
    "E620": _Page(
        "The operator was asked for a release, for policies or for a sync, and could not read what was asked. "
        "Nothing was done.",
        "the request can't be read [E620]: 'shop/web' is no workload: write namespace:kind/name; "
        "fix: send what fluxd's API takes: type, cause and spec",
        "A client of another version; a request written by hand; a pattern that is none; a request of long ago, on an "
        "object that was restored from a backup.",
        "The message names the field. `sluice release` and its sisters, and fluxctl, write requests that can be read.",
    ),
    "E621": _Page(
        "A request needs a repository to commit to, and none was found. Nothing was done.",
        "no repository holds shop:deployment/web [E621]: no sync has applied it; "
        "fix: check namespace, kind and name, or commit the workload first",
        "The workload is applied by no sync, or by one whose source is no GitRepository.",
        "`sluice trace` shows which sync applies an object.",
    ),
    "E622": _Page(
        "So many updates wait to be carried out that no more are taken. Those that wait are carried out.",
        "1000 updates wait already [E622]; fix: wait until some are done, and ask again",
        "A script that asks again and again; a git host that does not answer, so that each update takes long.",
        "Look with `sluice get sources` whether git can be reached, and ask again later.",
    ),
    "E623": _Page(
        "A release of chosen containers expected other images or other containers in git. Nothing was committed.",
        "cannot satisfy specs [E623]: shop:deployment/web: container(s) tag mismatch: web; "
        "fix: look at what is in git and ask again",
        "Somebody changed the image between the choice and the release; the container has another name.",
        "Ask again: what is shown then is what git has now.",
    ),
    "E624": _Page(
        "A release of chosen containers found every one of them at its image, or held up. Nothing was committed.",
        "no changes found [E624]: shop:deployment/web: image(s) up to date",
        "Another release was faster, or a lock holds the workload.",
        "Nothing needs to be done; `sluice unlock` takes a lock away.",
    ),
    "E625": _Page(
        "The registry does not have the image that was to be released. Nothing was committed.",
        'image "ghcr.io/acme/web:1.2.9" does not exist [E625]: the repository has 1.2.8, 1.2.7, 1.2.6; '
        "fix: push the image first, or name another tag",
        "A slip in the tag; an image that is not pushed yet; a repository that is another one.",
        "`sluice images` lists the tags that the registry has.",
    ),
    "E626": _Page(
        "The Secret in which the operator keeps updates, those that wait and those that are done, can't be read. The "
        "operator does not start before it can.",
        "the operator's record of updates can't be read [E626]: Secret flux-system/sluice-record-jobs was edited; "
        "fix: restore it from a backup, or delete it: updates that wait are lost then",
        "Somebody edited the Secret, or an older version of Sluice runs than the one that wrote it.",
        "Restore the Secret, or delete it and ask again for what waited.",
    ),
    "E627": _Page(
        "Carrying out an update met something that Sluice's authors did not foresee. The update is not tried again; "
        "those behind it are carried out.",
        "a bug ended the update [E627]; fix: report it with the stack in the operator's log",
        "A bug in Sluice.",
        "`sluice logs` has the stack. Git shows whether a commit was made: its message names the update.",
    ),
    "E651": _Page(
        "An update of workloads of several repositories, as `fluxctl release --all` asks for, was made in some and "
        "failed in others. Git has no commit over several repositories: what is committed stays, and is listed.",
        "the update failed in 1 of 3 repositories: flux-system/shop [E651]: each repository has a commit of its own; "
        "fix: mend what failed and ask again: what is done is skipped then",
        "A repository that can't be reached or pushed to; a source that follows a tag; a file that can't be edited.",
        "Each repository that failed has its own reason below the message. Mend that, and ask for the same again.",
    ),
}

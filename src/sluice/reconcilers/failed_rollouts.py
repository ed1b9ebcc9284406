"""Which revisions of a repository syncs did not keep because objects failed, and the images among the causes."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from sluice.api.kustomization import Kustomization
from sluice.core import codes
from sluice.core.errors import StateError, UserError
from sluice.core.git_url import parse_url
from sluice.core.ids import ResourceId
from sluice.core.image_update.kustomization import NAMES
from sluice.core.image_update.setters import Policies
from sluice.core.image_update.unhealthy import FailedRollout, Unhealthy, Versions, unhealthy
from sluice.core.record import Record
from sluice.core.transaction_messages import Phase
from sluice.core.tree_path import clean_path
from sluice.git.head import Head
from sluice.git.push_queue import repository_key
from sluice.reconcilers.failed_entries import failed_entries
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.sync_facts import group_of, owner_of, source_of
from sluice.reconcilers.written_branch import WrittenBranch

HEALTH_CODES = frozenset({codes.HEALTH_FAILED, codes.HEALTH_TIMEOUT})


def failed_rollouts(operator: Operator, repository: str) -> tuple[FailedRollout, ...]:
    """What the records of the syncs of one repository (its `repository_key`) say failed, and still holds."""
    syncs = [sync for sync in operator.kustomizations.items() if _reads(operator, sync, repository)]
    found = [each for sync in syncs for each in _failures(operator, sync)]
    return tuple(sorted(found, key=lambda each: str(each.sync)))


def _reads(operator: Operator, sync: Kustomization, repository: str) -> bool:
    source = source_of(sync)
    read = operator.git_repositories.get(source.namespace, source.name)
    if read is None:
        return False
    try:
        return repository_key(parse_url(read.spec.url)) == repository
    except UserError:  # its source says so
        return False


def _failures(operator: Operator, sync: Kustomization) -> list[FailedRollout]:
    record = _record(operator, sync)
    if record is None or record.failed is None or record.phase is not Phase.FAILED:
        return []
    problems = record.failed.problems
    objects = {p.subject: p.cause or p.title for p in problems if p.code in HEALTH_CODES and p.subject is not None}
    commit, good = (text.rpartition(":")[2] for text in (record.revision, sync.status.lastAppliedRevision))
    return [
        FailedRollout(sync.metadata.key, commit, good, folders, part)
        for folders, part in _shared_out(operator, sync, record, objects)
        if part
    ]


def _shared_out(
    operator: Operator, sync: Kustomization, record: Record, objects: Mapping[ResourceId, str]
) -> list[tuple[tuple[str, ...], dict[ResourceId, str]]]:
    """The failed objects that are this sync's, by the folders that their files are in.

    The record of a group's member tells what failed in any of them. What was new, and is undone, is in no inventory any
    more: its file may be any member's.
    """
    own, group = _folder(sync), group_of(sync)
    if group is None:
        return [((own,), dict(objects))]
    others = [
        other
        for other in operator.kustomizations.items()
        if group_of(other) == group and other.metadata.key != sync.metadata.key
    ]
    records = [_record(operator, other) for other in others]
    theirs = {key for each in records if each is not None for key in each.inventory.ids()}
    mine = record.inventory.ids()
    anywhere = (own, *(_folder(other) for other in others))
    return [
        ((own,), {key: said for key, said in objects.items() if key in mine}),
        (anywhere, {key: said for key, said in objects.items() if key not in mine | theirs}),
    ]


def _record(operator: Operator, sync: Kustomization) -> Record | None:
    try:
        return operator.records.get(str(owner_of(sync)))
    except StateError:  # the sync says so
        return None


def _folder(sync: Kustomization) -> str:
    with contextlib.suppress(UserError):
        return clean_path(sync.spec.path)
    return ""


async def failed_images(
    rollout: FailedRollout, files: Mapping[str, bytes], policies: Policies, head: Head, branch: WrittenBranch
) -> tuple[tuple[Unhealthy, ...], Mapping[str, bytes]]:
    """The images of the head's `files` that made a revision fail, and the files as they were before it.

    Only of files that this automation was the last to change, in that very revision or before it.
    """
    failed, good = branch.mirror.head(rollout.commit), branch.mirror.head(rollout.good)
    if not await failed.is_there():
        return (), {}
    before = await good.read(files) if rollout.good and await good.is_there() else {}
    # What is as it was in the revision that took effect is not to be blamed any more.
    differing = [path for path, data in files.items() if before.get(path) != data]
    then = await failed.read(files)
    entries = (
        await failed_entries(rollout, failed) if any(path.rpartition("/")[2] in NAMES for path in differing) else {}
    )
    suspects = unhealthy(
        Versions({path: files[path] for path in differing}, then, before),
        policies,
        rollout,
        is_update=True,
        entries=entries,
    )
    ours: dict[str, bytes] = {}
    updated = False
    for path in sorted({image.path for image in suspects}):
        newest = await branch.last_update(path, head.commit, rollout.commit)
        if newest:
            ours[path] = files[path]
            updated = updated or newest == rollout.commit
    versions = Versions(ours, then, before)
    return unhealthy(versions, policies, rollout, is_update=updated, entries=entries), before

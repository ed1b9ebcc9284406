"""Which revisions of a repository syncs did not keep because objects failed, and the images among the causes."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from sluice.api.kustomization import Kustomization
from sluice.core import codes
from sluice.core.errors import StateError, UserError
from sluice.core.git_url import parse_url
from sluice.core.image_update.setters import Policies
from sluice.core.image_update.unhealthy import FailedRollout, Unhealthy, Versions, unhealthy
from sluice.core.transaction_messages import Phase
from sluice.core.tree_path import clean_path
from sluice.git.head import Head
from sluice.git.push_queue import repository_key
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.sync_facts import owner_of, source_of
from sluice.reconcilers.written_branch import WrittenBranch

HEALTH_CODES = frozenset({codes.HEALTH_FAILED, codes.HEALTH_TIMEOUT})


def failed_rollouts(operator: Operator, repository: str) -> tuple[FailedRollout, ...]:
    """What the records of the syncs of one repository (its `repository_key`) say failed, and still holds."""
    found = (_failure(operator, sync) for sync in operator.kustomizations.items() if _reads(operator, sync, repository))
    return tuple(sorted((each for each in found if each is not None), key=lambda each: str(each.sync)))


def _reads(operator: Operator, sync: Kustomization, repository: str) -> bool:
    source = source_of(sync)
    read = operator.git_repositories.get(source.namespace, source.name)
    if read is None:
        return False
    try:
        return repository_key(parse_url(read.spec.url)) == repository
    except UserError:  # its source says so
        return False


def _failure(operator: Operator, sync: Kustomization) -> FailedRollout | None:
    try:
        record = operator.records.get(str(owner_of(sync)))
    except StateError:  # the sync says so
        return None
    if record is None or record.failed is None or record.phase is not Phase.FAILED:
        return None
    problems = record.failed.problems
    objects = {p.subject: p.cause or p.title for p in problems if p.code in HEALTH_CODES and p.subject is not None}
    if not objects:
        return None
    folder = ""
    with contextlib.suppress(UserError):
        folder = clean_path(sync.spec.path)
    commit, good = (text.rpartition(":")[2] for text in (record.revision, sync.status.lastAppliedRevision))
    return FailedRollout(sync.metadata.key, commit, good, folder, objects)


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
    # What is as it was in the revision that took effect can't have failed: git is asked of the others alone.
    differing = [path for path, data in files.items() if before.get(path) != data]
    then = await failed.read(differing)
    suspects = unhealthy(
        Versions({path: files[path] for path in differing}, then, before), policies, rollout, is_update=True
    )
    ours: dict[str, bytes] = {}
    updated = False
    for path in sorted({image.path for image in suspects}):
        newest = await branch.last_update(path, head.commit, rollout.commit)
        if newest:
            ours[path] = files[path]
            updated = updated or newest == rollout.commit
    versions = Versions(ours, then, before)
    return unhealthy(versions, policies, rollout, is_update=updated), before

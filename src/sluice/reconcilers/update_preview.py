"""What an update would do at git's head as it is now, of one repository. Nothing is written."""

from __future__ import annotations

from sluice.core import codes
from sluice.core.errors import SluiceError
from sluice.core.image_update.request import WorkloadResult
from sluice.core.problem import Problem
from sluice.core.update_result import Results
from sluice.core.update_spec import JobStatus, SyncSpec, UpdateSpec
from sluice.git.mirror import Mirror
from sluice.git.refs import ResolvedRef
from sluice.reconcilers.git_repository import GitRepositoryReconciler
from sluice.reconcilers.git_targets import GitTarget, GitTargets, Share
from sluice.reconcilers.update_run import ImageTags, UpdateRun


async def preview_of(share: Share, targets: GitTargets, tags: ImageTags, sources: GitRepositoryReconciler) -> JobStatus:
    """Decided at once; a failure is in the status."""
    target, spec = share.target, share.spec
    try:
        mirror = await sources.mirror_of(target.source)
        run = UpdateRun(targets, tags, target, spec)
        head = mirror.head((await fetched(mirror, target)).commit)
        if not isinstance(spec.spec, SyncSpec):
            await run.plan(head)
        return JobStatus("succeeded", None, "", spec, by_name(run.results), run.changes)
    except SluiceError as error:
        return failed_status(spec, error)


async def fetched(mirror: Mirror, target: GitTarget) -> ResolvedRef:
    """The branch's head as it is now."""
    followed = await mirror.resolve(target.source.spec.ref, seconds=target.seconds)
    await mirror.fetch(followed, seconds=target.seconds)
    return followed


def failed_status(spec: UpdateSpec, error: SluiceError) -> JobStatus:
    """An update that can't be made, for the first of its reasons."""
    problem = error.problems[0] if error.problems else Problem(codes.UPDATE_TARGET, str(error))
    return JobStatus("failed", problem, "", spec)


def by_name(results: Results) -> dict[str, WorkloadResult]:
    """Results as a job's status has them."""
    return {str(name): result for name, result in results.items()}

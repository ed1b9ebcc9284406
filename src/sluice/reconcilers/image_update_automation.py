"""ImageUpdateAutomation: the images that policies chose → markers in git's files → a commit that is pushed.

Observe (policies, source, git's head), decide (`automation_plan`), act (`push_queue`), report. What git's head says
is what counts, never what the cluster runs: an image that was undone there is not written again and again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sluice.api.git_repository import GitRef, GitRepository
from sluice.api.image_policy import ImagePolicy
from sluice.api.image_update_automation import (
    GitSpec,
    ImageUpdateAutomation,
    PushSpec,
    RejectedImage,
)
from sluice.api.validate_image import requirements_of, validate_image_update_automation
from sluice.core import codes
from sluice.core.commit_text import UpdateMark, identity
from sluice.core.duration import parse_duration
from sluice.core.errors import NotReady, SluiceError, UserError
from sluice.core.ids import NamespacedName
from sluice.core.problem import Problem
from sluice.core.push_target import HEADS, PushTarget, push_target
from sluice.core.revision import Revision
from sluice.core.scan_schedule import shown_time
from sluice.core.schedule import next_interval
from sluice.core.timestamp import rfc3339
from sluice.core.tree_path import clean_path
from sluice.git.push_queue import PushQueue, repository_key
from sluice.git.refs import Wanted, wanted_of
from sluice.git.signing import SigningKey, signing_key_of_secret
from sluice.git.write_back import Gates, WriteBack, Written
from sluice.reconcilers.automation_plan import AutomationPlanner
from sluice.reconcilers.automation_run import (
    STALLED_CODES,
    AutomationRun,
    decision_of,
    ready_message,
    reason_of,
    rejected_images,
    still_rejected,
)
from sluice.reconcilers.failed_rollouts import failed_rollouts
from sluice.reconcilers.flip_memory import FlipMemory
from sluice.reconcilers.git_repository import GitRepositoryReconciler
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.reported_kind import ReportedKind
from sluice.reconcilers.secret_data import secret_data
from sluice.reconcilers.written_branch import WrittenBranch, wake_readers
from sluice.runtime.queue import Turn

RETRY_LIMIT = 600.0


@dataclass(frozen=True, slots=True)
class Writing:
    """How commits get to git: where from, in which queue, and who hears of it.

    `wake` gives a GitRepository a turn. `lease_left` is for how many seconds this process surely still leads.
    """

    sources: GitRepositoryReconciler
    queue: PushQueue
    wake: Callable[[NamespacedName], None]
    lease_left: Callable[[], float]
    read_only: bool = False


class ImageUpdateAutomationReconciler:
    """Keeps the marked images of git repositories at what their policies choose."""

    def __init__(
        self,
        operator: Operator,
        kind: ReportedKind[ImageUpdateAutomation],
        policies: ReportedKind[ImagePolicy],
        writing: Writing,
    ) -> None:
        self._op = operator
        self._kind = kind
        self._policies = policies
        self._writing = writing
        self._flips = FlipMemory()
        self._planner = AutomationPlanner(policies, self._kind, self._flips, self._remember)
        # What was written last: a turn may come before the watch has brought our own status back.
        self._rejected: dict[NamespacedName, tuple[RejectedImage, ...]] = {}
        self._pushed: dict[NamespacedName, str] = {}

    async def reconcile(self, turn: Turn[NamespacedName]) -> float | None:
        """One turn. Returns the seconds until the next."""
        automation = await self._kind.due(turn.key)
        if automation is None:
            self._rejected.pop(turn.key, None)
            self._pushed.pop(turn.key, None)
            return None
        run = AutomationRun(automation)
        run.known = self._rejected.get(turn.key, automation.status.rejectedImages)
        try:
            return await self._run(run)
        except SluiceError as error:
            return await self._report_failure(run, error)

    # --- observe ------------------------------------------------------------------------------------------------

    async def _run(self, run: AutomationRun) -> float:
        automation = run.automation
        problems = validate_image_update_automation(automation, self._op.rules)
        git = automation.spec.git
        if problems or git is None:
            raise UserError(*problems)
        run.policies = self._selected(automation)
        source = self._source(automation)
        followed = git.checkout.ref if git.checkout is not None else source.spec.ref
        mirror = await self._writing.sources.mirror_of(source)
        owner = str(self._kind.id_of(automation)).replace(" ", "/")
        pause = self._writing.queue.delay(mirror.remote.url, owner)
        if pause > 0:
            return pause
        target = _target(git, wanted_of(followed))
        if target.is_synced:
            run.failures = failed_rollouts(self._op, repository_key(mirror.remote.url))
        wanted = await self._wanted(run, git, followed, source, target)
        run.rejected = still_rejected(run)
        pushed = self._pushed.get(automation.metadata.key, automation.status.lastPushCommit)
        if wanted.target.is_synced and pushed:
            run.last_commit = mirror.head(pushed)
        run.stage = "GitOperationFailed"
        verify = self._writing.sources.gate_of(source, mirror)
        gates = Gates(self._writing.read_only, verify, self._writing.lease_left)
        branch = WrittenBranch(mirror, " ".join((repository_key(mirror.remote.url), *wanted.target.refs)), owner)
        written = await self._writing.queue.write(
            mirror, wanted, lambda head: self._planner.plan(run, git, head, branch), owner=owner, gates=gates
        )
        if written.outcome == "pushed":
            self._flips.wrote(branch.where, run.update.changes if run.update is not None else (), owner)
            wake_readers(self._op, self._writing.wake, source)
        await self._report(run, written, wanted.target, wanted_of(followed))
        return next_interval(parse_duration(automation.spec.interval), self._op.poll_jitter())

    def _selected(self, automation: ImageUpdateAutomation) -> list[ImagePolicy]:
        """The policies of the namespace that the selector selects."""
        requirements = requirements_of(automation.spec.policySelector)
        return [
            policy
            for policy in sorted(self._policies.objects.items(), key=lambda policy: policy.metadata.name)
            if policy.metadata.namespace == automation.metadata.namespace
            and not policy.metadata.deletionTimestamp
            and all(requirement.holds(policy.metadata.labels) for requirement in requirements)
        ]

    def _source(self, automation: ImageUpdateAutomation) -> GitRepository:
        key = automation.source
        source = self._op.git_repositories.get(key.namespace, key.name)
        if source is not None:
            return source
        raise NotReady(
            Problem(
                codes.SOURCE_MISSING,
                f"GitRepository {key} does not exist",
                subject=self._kind.id_of(automation),
                field="spec.sourceRef",
                fix="create it, or correct the name",
            )
        )

    async def _wanted(
        self, run: AutomationRun, git: GitSpec, followed: GitRef | None, source: GitRepository, target: PushTarget
    ) -> WriteBack:
        owner = str(self._kind.id_of(run.automation)).replace(" ", "/")
        author = identity(git.commit.author.name, git.commit.author.email, field="spec.git.commit.author")
        return WriteBack(
            checkout=followed,
            target=target,
            author=author,
            committer=author,
            at=self._op.now(),
            mark=UpdateMark(owner, decision_of(run)),
            key=await self._signing_key(run.automation, git),
            within=clean_path(run.automation.spec.update.path),
            seconds=parse_duration(source.spec.timeout),
        )

    async def _signing_key(self, automation: ImageUpdateAutomation, git: GitSpec) -> SigningKey | None:
        signing = git.commit.signingKey
        if signing is None:
            return None
        place, subject = "spec.git.commit.signingKey.secretRef", self._kind.id_of(automation)
        namespace = automation.metadata.namespace
        found = await secret_data(self._op.client, namespace, signing.secretRef.name, subject=subject, field=place)
        return signing_key_of_secret(found.values, "ssh" if signing.type == "ssh" else "gpg")

    async def _remember(self, run: AutomationRun) -> None:
        rejected = rejected_images(run)
        await self._kind.noted(run.automation, {"rejectedImages": rejected or None})
        self._rejected[run.automation.metadata.key] = tuple(rejected)

    # --- report -------------------------------------------------------------------------------------------------

    async def _report(self, run: AutomationRun, written: Written, target: PushTarget, followed: Wanted) -> None:
        automation, now = run.automation, self._op.now()
        status = automation.status
        # What is looked at next time: our commit, where it is on the branch that is read.
        commit = written.commit if target.is_synced and target.branch else written.head
        fields: dict[str, Any] = {
            "observedPolicies": run.images or None,
            "observedSourceRevision": str(Revision.of_commit(followed.text, commit)),
            "rejectedImages": (rejected := rejected_images(run)) or None,
        }
        told = ""
        if written.outcome != "unchanged":
            fields |= {"lastPushCommit": written.commit, "lastPushTime": rfc3339(now)}
            told = pushed_message(written)
            self._pushed[automation.metadata.key] = written.commit
        changed = told or (status.observedPolicies, status.observedSourceRevision) != (
            run.images,
            fields["observedSourceRevision"],
        )
        fields["lastAutomationRunTime"] = shown_time(status.lastAutomationRunTime, now, changed=bool(changed))
        await self._kind.succeeded(automation, ready_message(run), fields, told=told)
        self._rejected[automation.metadata.key] = tuple(rejected)

    async def _report_failure(self, run: AutomationRun, error: SluiceError) -> float:
        automation = run.automation
        reason, interval = reason_of(run, error), _interval(automation)
        if error.problems and all(problem.code in STALLED_CODES for problem in error.problems):
            await self._kind.stalled(automation, reason, error)
            return interval
        return await self._kind.failed(automation, reason, error, interval)


def _interval(automation: ImageUpdateAutomation) -> float:
    """The interval, of a spec that may not be valid."""
    try:
        return max(1.0, parse_duration(automation.spec.interval))
    except ValueError:
        return RETRY_LIMIT


def _target(git: GitSpec, followed: Wanted) -> PushTarget:
    push = git.push or PushSpec()
    checkout = followed.ref.removeprefix(HEADS) if followed.ref.startswith(HEADS) else ""
    return push_target(checkout, branch=push.branch, refspec=push.refspec, options=push.options)


def pushed_message(written: Written) -> str:
    """What Flux's event says of a push, word for word: the commit, where it went, and its message.

    >>> print(pushed_message(Written("pushed", "0123456789", "ab", ("refs/heads/main",), (), "Update web")))
    pushed commit '0123456' to branch 'main'
    Update web
    """
    branches = [ref.removeprefix(HEADS) for ref in written.refs if ref.startswith(HEADS)]
    where = f"branch '{branches[0]}'" if branches else f"'{', '.join(written.refs)}'"
    return f"pushed commit '{written.commit[:7]}' to {where}\n{written.message}".rstrip()

"""ImageUpdateAutomation: the images that policies chose → markers in git's files → a commit that is pushed.

Observe (policies, source, git's head), decide (`image_update`, pure), act (`push_queue`), report. What git's head says
is what counts, never what the cluster runs: an image that was undone there is not written again and again.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from sluice.api.git_repository import GitRef, GitRepository
from sluice.api.image_policy import ImagePolicy, ImageRef
from sluice.api.image_update_automation import (
    CommitSpec,
    GitSpec,
    ImageUpdateAutomation,
    PushSpec,
    RejectedImage,
)
from sluice.api.kinds import REQUESTED_AT
from sluice.api.validate_image import requirements_of, validate_image_update_automation
from sluice.core import codes, condition
from sluice.core.commit_text import CommitRead, UpdateMark, identity
from sluice.core.duration import parse_duration
from sluice.core.errors import NotReady, SluiceError, UserError
from sluice.core.git_url import parse_url
from sluice.core.ids import NamespacedName
from sluice.core.image import ImageRef as Image
from sluice.core.image import ImageRefError, parse
from sluice.core.image_update.flip import flip_problem
from sluice.core.image_update.marker import KEY, is_candidate
from sluice.core.image_update.result import ImageChange, ImageUpdate, Skipped
from sluice.core.image_update.set_back import Rejected, policy_of, set_back, set_back_problem
from sluice.core.image_update.setters import Policies, update_marked
from sluice.core.message_template.data import DEFAULT_TEMPLATE, template_data
from sluice.core.message_template.render import render
from sluice.core.problem import Problem, summarize
from sluice.core.push_target import HEADS, PushTarget, push_target
from sluice.core.revision import Revision
from sluice.core.scan_schedule import shown_time
from sluice.core.schedule import next_interval
from sluice.core.timestamp import rfc3339
from sluice.core.tree_path import clean_path
from sluice.git.head import Head
from sluice.git.mirror import Mirror
from sluice.git.push_queue import PushQueue, repository_key
from sluice.git.refs import Wanted, wanted_of
from sluice.git.signing import SigningKey, signing_key_of_secret
from sluice.git.write_back import Draft, Gates, WriteBack, Written
from sluice.reconcilers.flip_memory import FlipMemory
from sluice.reconcilers.git_repository import GitRepositoryReconciler
from sluice.reconcilers.image_kind import ImageKind
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.secret_data import secret_data
from sluice.runtime.queue import Turn

READY_MESSAGE = "repository up-to-date"
RETRY_LIMIT = 600.0
MOST_REJECTED = 100
# What only an edit of the object can mend. It is looked at again each interval all the same: some lie outside it.
STALLED_CODES = frozenset(
    {
        codes.NOT_HONOURED,
        codes.SPEC_INVALID,
        codes.FIELD_CONFLICT,
        codes.PATH_ESCAPE,
        codes.PATH_NOT_ALLOWED,
        codes.CROSS_NAMESPACE,
        codes.REF_SYNTAX,
        codes.NO_PUSH_BRANCH,
        codes.PUSH_REFSPEC,
        codes.PUSH_OPTION,
        codes.COMMIT_TEXT,
        codes.TEMPLATE_SYNTAX,
        codes.TEMPLATE_FAILED,
        codes.TEMPLATE_LIMIT,
        codes.TEMPLATE_FIELD,
    }
)


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


@dataclass(slots=True)
class _Run:
    """One turn's observations, filled as it goes on; `stage` is the reason if it ends here."""

    automation: ImageUpdateAutomation
    policies: list[ImagePolicy] = field(default_factory=list)
    stage: str = "SourceManagerFailed"
    update: ImageUpdate | None = None
    last_commit: Head | None = None
    rejected: frozenset[Rejected] = frozenset()

    @property
    def images(self) -> dict[str, ImageRef]:
        """What the policies chose, by their names; one that has chosen nothing yet is left out."""
        return {p.metadata.name: p.status.latestRef for p in self.policies if p.status.latestRef is not None}

    @property
    def reach(self) -> Policies:
        """The same for `update_marked`, with those that have chosen nothing."""
        return {p.metadata.key: _image(p.status.latestRef) for p in self.policies}


@dataclass(frozen=True, slots=True)
class _Branch:
    """What is written to: `where` names it, and `owner` is the automation that writes."""

    mirror: Mirror
    where: str
    owner: str

    async def is_by_a_person(self, path: str, commit: str) -> bool:
        """True when the last commit that changed a file is no automation's: those are held by their flips."""
        return any(each.mark is None for each in (await self.mirror.touching(path, commit))[:1])

    async def flip(self, change: ImageChange, writer: str, commit: str) -> Problem:
        """Why a change is held. Who wrote what is there is asked of git when it was nobody of this process."""
        other = writer
        if not other:
            with contextlib.suppress(SluiceError):  # then the name alone is missing
                other = next((_writer(c, self.owner) for c in await self.mirror.touching(change.path, commit)), "")
        return flip_problem(change, self.owner, other, commit)


class ImageUpdateAutomationReconciler:
    """Keeps the marked images of git repositories at what their policies choose."""

    def __init__(
        self,
        operator: Operator,
        kind: ImageKind[ImageUpdateAutomation],
        policies: ImageKind[ImagePolicy],
        writing: Writing,
    ) -> None:
        self._op = operator
        self._kind = kind
        self._policies = policies
        self._writing = writing
        self._flips = FlipMemory()

    async def reconcile(self, turn: Turn[NamespacedName]) -> float | None:
        """One turn. Returns the seconds until the next."""
        automation = await self._kind.due(turn.key)
        if automation is None:
            return None
        run = _Run(automation)
        try:
            return await self._run(run)
        except SluiceError as error:
            return await self._report_failure(run, error)

    # --- observe ------------------------------------------------------------------------------------------------

    async def _run(self, run: _Run) -> float:
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
        wanted = await self._wanted(run, git, followed, source, owner)
        run.rejected = _still_rejected(run)
        if wanted.target.is_synced and automation.status.lastPushCommit:
            run.last_commit = mirror.head(automation.status.lastPushCommit)
        run.stage = "GitOperationFailed"
        gates = Gates(self._writing.read_only, lease_left=self._writing.lease_left)
        branch = _Branch(mirror, " ".join((repository_key(mirror.remote.url), *wanted.target.refs)), owner)
        written = await self._writing.queue.write(
            mirror, wanted, lambda head: self._plan(run, git, head, branch), owner=owner, gates=gates
        )
        if written.outcome == "pushed":
            self._flips.wrote(branch.where, run.update.changes if run.update is not None else (), owner)
            self._wake_sources(source)
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
        self, run: _Run, git: GitSpec, followed: GitRef | None, source: GitRepository, owner: str
    ) -> WriteBack:
        author = identity(git.commit.author.name, git.commit.author.email, field="spec.git.commit.author")
        return WriteBack(
            checkout=followed,
            target=_target(git, wanted_of(followed)),
            author=author,
            committer=author,
            at=self._op.now(),
            mark=UpdateMark(owner, _decision(run)),
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

    # --- decide -------------------------------------------------------------------------------------------------

    async def _plan(self, run: _Run, git: GitSpec, head: Head, branch: _Branch) -> Draft | None:
        """What this head is to be changed to. Called again, by the queue, when somebody was faster."""
        automation = run.automation
        if self._is_known(run, head.commit):
            return None
        run.stage = "UpdateFailed"
        found = await head.files_with(f'"{KEY}"', (clean_path(automation.spec.update.path),))
        files = await head.read([path for path in found if is_candidate(path)])
        update = update_marked(files, run.reach, head.commit)
        run.rejected |= await self._set_back(run, update, branch, head.commit)
        held = {
            (change.path, change.line, change.field): set_back_problem(change, head.commit)
            for change in update.changes
            if (change.path, policy_of(change.policy)) in run.rejected
        } | {
            (change.path, change.line, change.field): await branch.flip(change, writer, head.commit)
            for change, writer in self._flips.held(branch.where, update.changes)
        }
        if held:
            update = update_marked(files, run.reach, head.commit, held)
        run.update = replace(update, skipped=tuple(each for each in update.skipped if self._is_ours(automation, each)))
        message = message_of(git.commit, automation.metadata.key, update) if update.files else ""
        run.stage = "GitOperationFailed"
        return Draft(update.files, message)

    async def _set_back(self, run: _Run, update: ImageUpdate, branch: _Branch, commit: str) -> frozenset[Rejected]:
        """What our last commit had as it is wanted now: a person has changed it since. Nothing, once it is asked for.

        A branch of its own is begun anew from time to time, so what it lacks says nothing.
        """
        last = run.last_commit
        if last is None or not update.changes or _is_requested(run.automation) or not await last.is_there():
            return frozenset()
        found = set_back(update.changes, await last.read({change.path for change in update.changes}))
        return frozenset([each for each in found if await branch.is_by_a_person(each[0], commit)])

    def _is_ours(self, automation: ImageUpdateAutomation, skipped: Skipped) -> bool:
        """False for the marker of another automation: of another namespace, or of a policy that is not selected here.

        Repositories are shared: each automation would report what is only for others to change.
        """
        if skipped.problem.code is not codes.MARKER_UNKNOWN:
            return True
        namespace, _, rest = skipped.policy.partition(":")
        home = automation.metadata.namespace
        return namespace == home and self._policies.objects.get(home, rest.partition(":")[0]) is None

    def _is_known(self, run: _Run, commit: str) -> bool:
        """True when the last run, with the same images and spec, has looked at this very commit."""
        status = run.automation.status
        return (
            status.observedGeneration == run.automation.metadata.generation
            and status.observedSourceRevision.endswith(f":{commit}")
            and status.observedPolicies == run.images
            and not (status.rejectedImages and _is_requested(run.automation))
        )

    # --- report -------------------------------------------------------------------------------------------------

    def _wake_sources(self, source: GitRepository) -> None:
        """Every source of the repository sees our commit now, and not at its next poll."""
        moved = repository_key(parse_url(source.spec.url))
        for each in self._op.git_repositories.items():
            with contextlib.suppress(UserError):  # a URL that can't be read is its own source's trouble
                if not each.spec.suspend and repository_key(parse_url(each.spec.url)) == moved:
                    self._writing.wake(each.metadata.key)

    async def _report(self, run: _Run, written: Written, target: PushTarget, followed: Wanted) -> None:
        automation, now = run.automation, self._op.now()
        status = automation.status
        # What is looked at next time: our commit, where it is on the branch that is read.
        commit = written.commit if target.is_synced and target.branch else written.head
        fields: dict[str, Any] = {
            "observedPolicies": run.images or None,
            "observedSourceRevision": str(Revision.of_commit(followed.text, commit)),
            "rejectedImages": _rejected_images(run) or None,
        }
        told = ""
        if written.outcome != "unchanged":
            fields |= {"lastPushCommit": written.commit, "lastPushTime": rfc3339(now)}
            told = pushed_message(written)
        changed = told or (status.observedPolicies, status.observedSourceRevision) != (
            run.images,
            fields["observedSourceRevision"],
        )
        fields["lastAutomationRunTime"] = shown_time(status.lastAutomationRunTime, now, changed=bool(changed))
        await self._kind.succeeded(automation, _ready_message(run), fields, told=told)

    async def _report_failure(self, run: _Run, error: SluiceError) -> float:
        automation = run.automation
        reason, interval = _reason(run, error), _interval(automation)
        if error.problems and all(problem.code in STALLED_CODES for problem in error.problems):
            await self._kind.stalled(automation, reason, error)
            return interval
        return await self._kind.failed(automation, reason, error, interval)


def _is_requested(automation: ImageUpdateAutomation) -> bool:
    """True when a person asks for this turn: then what was set back is written again."""
    request = automation.metadata.annotations.get(REQUESTED_AT, "")
    return bool(request) and request != automation.status.lastHandledReconcileAt


def _still_rejected(run: _Run) -> frozenset[Rejected]:
    """What the status says was set back, as long as the policy still wants that very image and nobody asks for it."""
    if _is_requested(run.automation):
        return frozenset()
    wanted = {str(key): (key, str(image)) for key, image in run.reach.items()}
    return frozenset(
        (each.path, wanted[each.policy][0])
        for each in run.automation.status.rejectedImages
        if each.policy in wanted and wanted[each.policy][1] == each.image
    )


def _rejected_images(run: _Run) -> list[RejectedImage]:
    """Those that still matter: of files in which the value is another one than the policy's."""
    if run.update is None:
        return list(run.automation.status.rejectedImages)
    kept = {(s.path, policy_of(s.policy)) for s in run.update.skipped if s.problem.code is codes.IMAGE_REJECTED}
    return [
        RejectedImage(path=path, policy=str(policy), image=str(run.reach[policy]))
        for path, policy in sorted(kept & run.rejected)[:MOST_REJECTED]
    ]


def message_of(commit: CommitSpec, key: NamespacedName, update: ImageUpdate) -> str:
    """The commit's message, by the template of the spec or Flux's default. Raises TemplateRefused."""
    template = commit.messageTemplate or DEFAULT_TEMPLATE
    return render(template, template_data(key, update.changes, commit.messageTemplateValues))


def _writer(commit: CommitRead, owner: str) -> str:
    """Whom people know as the writer of a commit."""
    if commit.mark is None:
        return f"{commit.author.name} <{commit.author.email}>"
    return f"{owner} of another cluster" if commit.mark.owner == owner else commit.mark.owner


def _image(chosen: ImageRef | None) -> Image | None:
    """What a policy's status says, checked: a status is not ours alone to write."""
    if chosen is None:
        return None
    try:
        return parse(chosen.name).with_tag(chosen.tag, chosen.digest or None)
    except ImageRefError:
        return None


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


def _decision(run: _Run) -> str:
    """Names what is to be carried out: the images, the spec, and the commit that they were last carried out on."""
    facts = (run.images, run.automation.metadata.generation, run.automation.status.observedSourceRevision)
    return hashlib.sha256(msgspec.json.encode(facts, order="deterministic")).hexdigest()[:16]


def _ready_message(run: _Run) -> str:
    """Up to date, and what was left as it is and why: a marker that is passed over is never passed over in silence."""
    if run.update is None:  # nothing was looked at, because nothing changed: what was said holds
        ready = condition.find_condition(run.automation.status.conditions, condition.READY)
        return ready.message if ready is not None and ready.status == "True" else READY_MESSAGE
    problems = tuple(skipped.problem for skipped in run.update.skipped)
    return f"{READY_MESSAGE}\n{summarize(problems)}" if problems else READY_MESSAGE


def pushed_message(written: Written) -> str:
    """What Flux's event says of a push, word for word: the commit, where it went, and its message.

    >>> print(pushed_message(Written("pushed", "0123456789", "ab", ("refs/heads/main",), (), "Update web")))
    pushed commit '0123456' to branch 'main'
    Update web
    """
    branches = [ref.removeprefix(HEADS) for ref in written.refs if ref.startswith(HEADS)]
    where = f"branch '{branches[0]}'" if branches else f"'{', '.join(written.refs)}'"
    return f"pushed commit '{written.commit[:7]}' to {where}\n{written.message}".rstrip()


def _reason(run: _Run, error: SluiceError) -> str:
    fields = {problem.field for problem in error.problems}
    found = {problem.code for problem in error.problems}
    if codes.CROSS_NAMESPACE in found:
        return "AccessDenied"
    if "spec.policySelector" in fields:
        return "InvalidPolicySelector"
    if codes.TEMPLATE_FIELD in found:
        return "RemovedTemplateField"
    if found and found <= STALLED_CODES:
        return "InvalidSourceConfiguration"
    return run.stage

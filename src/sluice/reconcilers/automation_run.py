"""One turn of an ImageUpdateAutomation as values: what it saw, what it says, and what somebody has taken back."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import msgspec

from sluice.api.image_policy import ImagePolicy, ImageRef
from sluice.api.image_update_automation import ImageUpdateAutomation, RejectedImage
from sluice.core import codes, condition
from sluice.core.errors import SluiceError
from sluice.core.ids import NamespacedName
from sluice.core.image import ImageRef as Image
from sluice.core.image import ImageRefError, parse
from sluice.core.image_update.result import ImageChange, ImageUpdate
from sluice.core.image_update.set_back import Rejected, policy_of, set_back_problem
from sluice.core.image_update.setters import Policies
from sluice.core.image_update.unhealthy import FailedRollout, Unhealthy, unhealthy_problem
from sluice.core.problem import Problem, summarize
from sluice.git.head import Head

READY_MESSAGE = "repository up-to-date"
MOST_REJECTED = 100
REJECTED_CODES = frozenset({codes.IMAGE_REJECTED, codes.IMAGE_UNHEALTHY})
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


@dataclass(slots=True)
class AutomationRun:
    """One turn's observations, filled as it goes on; `stage` is the reason if it ends here."""

    automation: ImageUpdateAutomation
    policies: list[ImagePolicy] = field(default_factory=list)
    stage: str = "SourceManagerFailed"
    update: ImageUpdate | None = None
    last_commit: Head | None = None
    known: tuple[RejectedImage, ...] = ()
    rejected: frozenset[Rejected] = frozenset()
    failures: tuple[FailedRollout, ...] = ()
    unhealthy: dict[Rejected, Unhealthy] = field(default_factory=dict)
    unmarked: tuple[Problem, ...] = ()

    @property
    def images(self) -> dict[str, ImageRef]:
        """What the policies chose, by their names; one that has chosen nothing yet is left out."""
        return {p.metadata.name: p.status.latestRef for p in self.policies if p.status.latestRef is not None}

    @property
    def reach(self) -> Policies:
        """The same for `update_marked`, with those that have chosen nothing."""
        return {p.metadata.key: _image(p.status.latestRef) for p in self.policies}

    @property
    def is_requested(self) -> bool:
        """True when a person asks for this turn: then what was set back is written again."""
        request = self.automation.metadata.request
        return bool(request) and request != self.automation.status.lastHandledReconcileAt


def is_known(run: AutomationRun, commit: str) -> bool:
    """True when the last run, with the same images and spec, has looked at this very commit."""
    status = run.automation.status
    return (
        status.observedGeneration == run.automation.metadata.generation
        and status.observedSourceRevision.endswith(f":{commit}")
        and status.observedPolicies == run.images
        and not (run.known and run.is_requested)
        # Whether an image that failed is well by now, only the records of the syncs tell.
        and not run.failures
        and not any(each.object for each in run.known)
    )


def still_rejected(run: AutomationRun) -> frozenset[Rejected]:
    """What the status says is rejected, as long as the policy still wants that very image and nobody asks for it."""
    if run.is_requested:
        return frozenset()
    wanted = {str(key): (key, str(image)) for key, image in run.reach.items()}
    held = [each for each in run.known if each.policy in wanted and wanted[each.policy][1] == each.image]
    for each in held:
        if each.object:
            policy = wanted[each.policy][0]
            run.unhealthy[each.path, policy] = Unhealthy(
                each.path, policy, each.image, each.object, each.reason, each.commit
            )
    return frozenset((each.path, wanted[each.policy][0]) for each in held)


def rejected_images(run: AutomationRun) -> list[RejectedImage]:
    """Those that still matter: of files in which the value is another one than the policy's, or fails."""
    if run.update is None:
        return list(run.known)
    kept = {(s.path, policy_of(s.policy)) for s in run.update.skipped if s.problem.code in REJECTED_CODES}
    return [_told(run, key) for key in sorted(kept & run.rejected)[:MOST_REJECTED]]


def _told(run: AutomationRun, key: Rejected) -> RejectedImage:
    path, policy = key
    base = RejectedImage(path=path, policy=str(policy), image=str(run.reach[policy]))
    image = run.unhealthy.get(key)
    if image is None:
        return base
    return msgspec.structs.replace(base, object=image.object, reason=image.reason, commit=image.commit)


def rejection_problem(run: AutomationRun, change: ImageChange, commit: str) -> Problem:
    """Why a rejected value is not written: it failed, or a person has taken it out."""
    image = run.unhealthy.get((change.path, policy_of(change.policy)))
    return set_back_problem(change, commit) if image is None else unhealthy_problem(image, change.line, commit)


def decision_of(run: AutomationRun) -> str:
    """Names what is to be carried out: images, spec, the commit they were last carried out on, what failed since."""
    facts: tuple[object, ...] = (
        run.images,
        run.automation.metadata.generation,
        run.automation.status.observedSourceRevision,
    )
    if run.failures:  # what is taken back is another decision, also where the status is not up to date
        facts += tuple(sorted({failure.commit for failure in run.failures}))
    return hashlib.sha256(msgspec.json.encode(facts, order="deterministic")).hexdigest()[:16]


def unmarked_policies(run: AutomationRun, update: ImageUpdate) -> tuple[Problem, ...]:
    """A problem for each policy with a choice that no file names: its images are chosen, and written nowhere."""
    home, folder = run.automation.metadata.namespace, run.automation.spec.update.path or "."
    return tuple(
        Problem(
            codes.POLICY_UNMARKED,
            f"no file names ImagePolicy {home}/{name}",
            cause=f"{image.name}:{image.tag} is chosen; no marker for it is below {folder}",
            fix=f'put # {{"$imagepolicy": "{home}:{name}"}} behind the image in git, or leave the policy out of '
            "spec.policySelector",
        )
        for name, image in sorted(run.images.items())
        if NamespacedName(home, name) not in update.marked
    )


def ready_message(run: AutomationRun) -> str:
    """Up to date, and what was left as it is and why: a marker that is passed over is never passed over in silence."""
    if run.update is None:  # nothing was looked at, because nothing changed: what was said holds
        ready = condition.find_condition(run.automation.status.conditions, condition.READY)
        return ready.message if ready is not None and ready.status == "True" else READY_MESSAGE
    problems = (*(skipped.problem for skipped in run.update.skipped), *run.unmarked)
    return f"{READY_MESSAGE}\n{summarize(problems)}" if problems else READY_MESSAGE


def _image(chosen: ImageRef | None) -> Image | None:
    """What a policy's status says, checked: a status is not ours alone to write."""
    if chosen is None:
        return None
    try:
        return parse(chosen.name).with_tag(chosen.tag, chosen.digest or None)
    except ImageRefError:
        return None


def reason_of(run: AutomationRun, error: SluiceError) -> str:
    """Ready's reason, as Flux has it: what the problems are about, or else how far the turn had come."""
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

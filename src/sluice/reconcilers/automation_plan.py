"""The images that policies chose and git's head → what a commit would change, and its message. Nothing is pushed here.

The pure parts are `core.image_update`; here they get what they need of the head, of earlier commits and of workloads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from sluice.api.image_policy import ImagePolicy
from sluice.api.image_update_automation import (
    CommitSpec,
    GitSpec,
    ImageUpdateAutomation,
)
from sluice.core import codes
from sluice.core.ids import NamespacedName
from sluice.core.image_update.marker import KEY, is_candidate
from sluice.core.image_update.result import ImageUpdate, Skipped
from sluice.core.image_update.set_back import Rejected, policy_of, set_back
from sluice.core.image_update.setters import update_marked
from sluice.core.image_update.unhealthy import Unhealthy, left_in_place, take_back, told_of, with_taken_back
from sluice.core.message_template.data import DEFAULT_TEMPLATE, template_data
from sluice.core.message_template.render import render
from sluice.core.tree_path import clean_path
from sluice.git.head import Head
from sluice.git.write_back import Draft
from sluice.reconcilers.automation_run import (
    AutomationRun,
    is_known,
    rejection_problem,
    unmarked_policies,
)
from sluice.reconcilers.failed_rollouts import failed_images
from sluice.reconcilers.flip_memory import FlipMemory
from sluice.reconcilers.reported_kind import ReportedKind
from sluice.reconcilers.written_branch import WrittenBranch


class AutomationPlanner:
    """Plans one commit at a time. `remember` makes durable which images are not to be written again."""

    def __init__(
        self,
        policies: ReportedKind[ImagePolicy],
        automations: ReportedKind[ImageUpdateAutomation],
        flips: FlipMemory,
        remember: Callable[[AutomationRun], Awaitable[None]],
    ) -> None:
        self._policies = policies
        self._automations = automations
        self._flips = flips
        self._remember = remember

    def _is_alone(self, automation: ImageUpdateAutomation) -> bool:
        """True when a policy of its reach is for no other automation of the namespace to write."""
        home = automation.metadata.namespace
        others = [each for each in self._automations.objects.items() if each.metadata.namespace == home]
        return automation.spec.policySelector is not None or len(others) <= 1

    async def plan(self, run: AutomationRun, git: GitSpec, head: Head, branch: WrittenBranch) -> Draft | None:
        """What this head is to be changed to. Called again, by the queue, when somebody was faster."""
        automation = run.automation
        if is_known(run, head.commit):
            return None
        run.stage = "UpdateFailed"
        found = await head.files_with(f'"{KEY}"', (clean_path(automation.spec.update.path),))
        files = await head.read([path for path in found if is_candidate(path)])
        failing, back = await self._failing(run, files, head, branch)
        files |= back.files
        # A large file takes seconds to read, and leases are renewed on the loop.
        update = await asyncio.to_thread(update_marked, files, run.reach, head.commit)
        run.rejected |= await self._set_back(run, update, branch, head.commit)
        held = {
            (change.path, change.line, change.field): await branch.flip(change, writer, head.commit)
            for change, writer in self._flips.held(branch.where, update.changes)
        } | {
            (change.path, change.line, change.field): rejection_problem(run, change, head.commit)
            for change in update.changes
            if (change.path, policy_of(change.policy)) in run.rejected
        }
        if held:
            update = await asyncio.to_thread(update_marked, files, run.reach, head.commit, held)
        taken = {(change.path, policy_of(change.policy)) for change in back.changes}
        left = left_in_place(files, [image for image in failing if image.key not in taken], head.commit)
        update = with_taken_back(back, update, left)
        run.update = replace(update, skipped=tuple(each for each in update.skipped if self._is_ours(automation, each)))
        run.unmarked = unmarked_policies(run, update) if self._is_alone(automation) else ()
        message = ""
        if update.files:
            message = await asyncio.to_thread(message_of, git.commit, automation.metadata.key, update)
        if back.files:
            message = f"{message.rstrip()}\n\n{told_of([image for image in failing if image.key in taken])}"
            # Before the commit is there: after a crash it would look like one of somebody who wants no new image.
            await self._remember(run)
        run.stage = "GitOperationFailed"
        return Draft(update.files, message)

    async def _failing(
        self, run: AutomationRun, files: dict[str, bytes], head: Head, branch: WrittenBranch
    ) -> tuple[tuple[Unhealthy, ...], ImageUpdate]:
        """The head's images that workloads failed on, noted as rejected; and the files without them."""
        failing: dict[Rejected, Unhealthy] = {}
        back = ImageUpdate()
        for rollout in run.failures:
            found, good = await failed_images(rollout, {**files, **back.files}, run.reach, head, branch)
            failing |= {image.key: image for image in found}
            if run.automation.spec.revertFailed:
                taken = take_back({**files, **back.files}, [image.key for image in found], good, head.commit)
                back = with_taken_back(back, taken, ())
        run.unhealthy |= failing
        run.rejected |= failing.keys()
        return tuple(failing.values()), back

    async def _set_back(
        self, run: AutomationRun, update: ImageUpdate, branch: WrittenBranch, commit: str
    ) -> frozenset[Rejected]:
        """What our last commit had as it is wanted now: a person has changed it since. Nothing, once it is asked for.

        A branch of its own is begun anew from time to time, so what it lacks says nothing.
        """
        last = run.last_commit
        if last is None or not update.changes or run.is_requested or not await last.is_there():
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


def message_of(commit: CommitSpec, key: NamespacedName, update: ImageUpdate) -> str:
    """The commit's message, by the template of the spec or Flux's default. Raises TemplateRefused."""
    template = commit.messageTemplate or DEFAULT_TEMPLATE
    return render(template, template_data(key, update.changes, commit.messageTemplateValues))

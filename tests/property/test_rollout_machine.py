"""Registry, automation, sync and people act on one branch in any order: no loop, and a person's word stands.

The branch is a list of commits in memory; what decides is the code that the operator runs.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sluice.api.image_policy import (
    ImagePolicy,
    ImagePolicyChoice,
    ImagePolicySpec,
    ImagePolicyStatus,
    ImageRef,
    ImageRepositoryRef,
)
from sluice.api.image_update_automation import (
    AutomationSourceRef,
    ImageUpdateAutomation,
    ImageUpdateAutomationSpec,
    ImageUpdateAutomationStatus,
    RejectedImage,
)
from sluice.api.kinds import REQUESTED_AT, ObjectMeta
from sluice.core.ids import NamespacedName, ResourceId
from sluice.core.image_update.result import ImageUpdate
from sluice.core.image_update.set_back import policy_of, set_back
from sluice.core.image_update.setters import update_marked
from sluice.core.image_update.unhealthy import (
    FailedRollout,
    Unhealthy,
    Versions,
    left_in_place,
    take_back,
    unhealthy,
    with_taken_back,
)
from sluice.reconcilers.automation_run import AutomationRun, rejected_images, rejection_problem, still_rejected

PATH = "web.yaml"
WEB = ResourceId("apps", "Deployment", "prod", "web")
AUTOMATION, PERSON = "automation", "person"


def file_of(tag: int, note: int = 0) -> bytes:
    return f"""# {note}
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  image: example.com/web:{tag} # {{"$imagepolicy": "apps:web"}}
""".encode()


@dataclass(frozen=True)
class Commit:
    """One commit of the branch: who made it, and the whole file."""

    author: str
    data: bytes

    @property
    def tag(self) -> int:
        """The image's tag in it."""
        return int(self.data.split(b"example.com/web:")[1].split()[0])


class Rollout(RuleBasedStateMachine):
    """Commits are named by their place on the branch."""

    @initialize(revert=st.booleans(), waits=st.booleans())
    def begin(self, revert: bool, waits: bool) -> None:
        """A good image is in git and in the cluster; the sync has `wait`, or not."""
        self.revert, self.waits = revert, waits
        self.branch = [Commit(PERSON, file_of(0))]
        self.bad: set[int] = set()
        self.newest = 0
        self.last_push: int | None = None
        self.status: tuple[RejectedImage, ...] = ()
        self.requests = self.handled = 0
        self.applied, self.failed = 0, -1
        # Since a person or the registry did something last.
        self.own_commits = 0
        # Images that the automation has written, and nobody has asked for or written by hand since.
        self.written: set[int] = set()

    # --- people and the registry --------------------------------------------------------------------------------

    @rule(bad=st.booleans())
    def push_tag(self, bad: bool) -> None:
        """A newer image, which the policy chooses."""
        self.newest += 1
        if bad:
            self.bad.add(self.newest)
        self.own_commits = 0

    @rule(data=st.data())
    def write_by_hand(self, data: st.DataObject) -> None:
        """A person sets the value to any image that there is, or changes another line of the file."""
        tag = data.draw(st.integers(0, self.newest))
        self.branch.append(Commit(PERSON, file_of(tag, len(self.branch))))
        self.written.discard(tag)
        self.own_commits = 0

    @rule()
    def ask(self) -> None:
        """A person asks the automation for a run."""
        self.requests += 1
        self.written.clear()
        self.own_commits = 0

    # --- the operator -------------------------------------------------------------------------------------------

    @rule()
    def sync(self) -> None:
        """Take the head's revision: an update is waited for, another commit where the sync says so."""
        head = len(self.branch) - 1
        if head in {self.applied, self.failed}:
            return
        commit = self.branch[head]
        changes = commit.tag != self.branch[self.applied].tag
        if changes and commit.tag in self.bad and (self.waits or commit.author == AUTOMATION):
            self.failed = head
        else:
            self.applied, self.failed = head, -1

    @rule()
    def automate(self) -> None:
        """One turn, as the reconciler takes it."""
        run = self.observed()
        head = len(self.branch) - 1
        files = {PATH: self.branch[head].data}
        failing, back = self.failing(run, files)
        files |= back.files
        update = update_marked(files, run.reach)
        if self.last_push is not None and not run.is_requested and self.branch[head].author == PERSON:
            run.rejected |= set_back(update.changes, {PATH: self.branch[self.last_push].data})
        held = {
            (c.path, c.line, c.field): rejection_problem(run, c, "")
            for c in update.changes
            if (c.path, policy_of(c.policy)) in run.rejected
        }
        update = update_marked(files, run.reach, "", held)
        left = () if back.files else left_in_place(files, failing, "")
        run.update = with_taken_back(back, update, left)
        if run.update.files:
            before = self.branch[head]
            self.branch.append(Commit(AUTOMATION, run.update.files[PATH]))
            self.last_push = head + 1
            self.own_commits += 1
            self.check_commit(before, self.branch[-1])
        self.status = tuple(rejected_images(run))
        self.handled = self.requests

    def observed(self) -> AutomationRun:
        meta = ObjectMeta(name="fleet", namespace="apps", annotations={REQUESTED_AT: str(self.requests)})
        spec = ImageUpdateAutomationSpec(
            sourceRef=AutomationSourceRef(kind="GitRepository", name="fleet"), interval="1m", revertFailed=self.revert
        )
        status = ImageUpdateAutomationStatus(lastHandledReconcileAt=str(self.handled))
        chosen = ImageRef(name="example.com/web", tag=str(self.newest))
        policy = ImagePolicy(
            metadata=ObjectMeta(name="web", namespace="apps"),
            spec=ImagePolicySpec(imageRepositoryRef=ImageRepositoryRef(name="web"), policy=ImagePolicyChoice()),
            status=ImagePolicyStatus(latestRef=chosen),
        )
        run = AutomationRun(ImageUpdateAutomation(metadata=meta, spec=spec, status=status), [policy])
        run.known = self.status
        run.rejected = still_rejected(run)
        return run

    def failing(self, run: AutomationRun, files: dict[str, bytes]) -> tuple[tuple[Unhealthy, ...], ImageUpdate]:
        """What the sync's record says, if the automation was the last to change the file, not after what failed."""
        newest = len(self.branch) - 1
        if self.failed < newest or self.branch[newest].author == PERSON:
            return (), ImageUpdate()
        good = {PATH: self.branch[self.applied].data}
        rollout = FailedRollout(NamespacedName("apps", "s"), str(self.failed), "", ("",), {WEB: "it said so"})
        versions = Versions(files, {PATH: self.branch[self.failed].data}, good)
        found = unhealthy(versions, run.reach, rollout, is_update=True)
        run.unhealthy |= {image.key: image for image in found}
        run.rejected |= {image.key for image in found}
        back = take_back(files, [image.key for image in found], good) if self.revert else ImageUpdate()
        return found, back

    def check_commit(self, before: Commit, after: Commit) -> None:
        """Only the scalar differs: the chosen image, written once; or the one that took effect, in place of our own."""
        assert after.data.split(b"web:")[0] == before.data.split(b"web:")[0]
        assert before.tag != after.tag
        if after.tag == self.newest:
            assert self.newest not in self.written
            self.written.add(self.newest)
        else:
            assert after.tag == self.branch[self.applied].tag
            assert before.author == AUTOMATION
            assert before.tag in self.bad

    # --- what always holds --------------------------------------------------------------------------------------

    @invariant()
    def nobody_answers_himself(self) -> None:
        """After a person or the registry the automation writes once, and takes that back once."""
        assert getattr(self, "own_commits", 0) <= 2

    @rule()
    def come_to_rest(self) -> None:
        """Left alone, all come to rest; what failed as ours is not in git, and what is not in git is told."""
        for _ in range(4):
            self.automate()
            self.sync()
        length = len(self.branch)
        self.automate()
        self.sync()
        assert len(self.branch) == length
        head = self.branch[-1]
        if self.failed == length - 1 and head.author == AUTOMATION and self.revert:
            raise AssertionError("our own commit keeps the sync from going on")
        if head.tag != self.newest:
            assert [(r.path, r.image) for r in self.status] == [(PATH, f"example.com/web:{self.newest}")]


TestRollout = Rollout.TestCase
TestRollout.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)

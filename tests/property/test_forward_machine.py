"""Which revision a sync goes for, whatever is pushed, forced back, asked for and taken back: git's, or a person's word.

What decides is what the operator runs; the history below it is in memory. A branch that was forced back is followed, as
whoever may push has asked for it; nothing else ever leads back, and a request ends with the head that it was made at.
"""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from sluice.api.kinds import ROLLBACK, ROLLBACK_FROM, ROLLBACK_TO, ObjectMeta
from sluice.api.kustomization import Kustomization, KustomizationSpec, SourceRef
from sluice.core import codes
from sluice.core.artifact import Artifact, FileTree
from sluice.core.errors import ClusterError, UserError
from sluice.core.history import Past, remember
from sluice.core.inventory import Inventory
from sluice.core.problem import Problem
from sluice.core.record import Record
from sluice.core.revision import Revision
from sluice.core.transaction_messages import Phase
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.rollback import Rollbacks
from sluice.reconcilers.source_facts import source_id


class Forward(RuleBasedStateMachine):
    """One sync of one branch. A commit is a number; `parents` says what it was made on."""

    @initialize()
    def begin(self) -> None:
        self.parents: dict[str, str] = {}
        self.annotations: dict[str, str] = {}
        self.history: tuple[Past, ...] = ()
        self.is_lost = False
        self.start()
        self.push()
        self.turn(succeeds=True)
        self.push()

    def start(self) -> None:
        found = SimpleNamespace(get=lambda *_: SimpleNamespace())
        operator = SimpleNamespace(
            git_repositories=found,
            records=SimpleNamespace(get=self.record),
            client=self,
            sync_events=SimpleNamespace(record=lambda *_, **__: None),
        )
        self.rollbacks = Rollbacks(cast("Operator", operator))
        self.rollbacks._sources = cast("Any", self)

    # --- what it stands on --------------------------------------------------------------------------------------

    def record(self, owner: str) -> Record:
        return Record(owner, 1, Phase.DONE, "", Inventory(), history=self.history)

    async def earlier(self, source: object, revision: Revision, head: Revision) -> Artifact:
        """As git proves it: of the history of the head, or refused."""
        if revision.hex not in self.line(head.hex):
            raise UserError(Problem(codes.BAD_COMMIT, "not in the history"))
        return self.artifact(revision.hex)

    async def merge_patch(self, *args: Any, manager: str) -> bytes:
        """The request's annotations are taken off; or somebody wrote meanwhile."""
        if self.is_lost:
            raise ClusterError(Problem(codes.OBJECT_CHANGED, "changed"), status=409, reason="Conflict")
        patch = msgspec.json.decode(args[3])["metadata"]["annotations"]
        assert patch == dict.fromkeys(ROLLBACK)
        self.annotations = {}
        return b"{}"

    def line(self, commit: str) -> list[str]:
        found = [commit]
        while parent := self.parents[found[-1]]:
            found.append(parent)
        return found

    def artifact(self, commit: str) -> Artifact:
        source = source_id(SimpleNamespace(namespace="shop", name="fleet"))  # type: ignore[arg-type]
        return Artifact(source, Revision("main", "sha1", commit), "", 0, "", "", FileTree(()), cast("Any", None))

    # --- people -------------------------------------------------------------------------------------------------

    @rule()
    def push(self) -> None:
        """Somebody commits on the head."""
        commit = f"{len(self.parents) + 1:x}"
        self.parents[commit] = getattr(self, "head", "")
        self.head = commit

    @rule(data=st.data())
    def force(self, data: st.DataObject) -> None:
        """The branch is forced to another commit, and one is made on it, perhaps."""
        self.head = data.draw(st.sampled_from(sorted(self.parents)))
        if data.draw(st.booleans()):
            self.push()

    @rule(data=st.data())
    def ask(self, data: st.DataObject) -> None:
        """A person asks to go back to any commit there ever was, at the head that the person sees."""
        to = data.draw(
            st.sampled_from(sorted(self.succeeded() or self.parents)) | st.sampled_from(sorted(self.parents))
        )
        at = data.draw(st.sampled_from(sorted(self.parents)))
        at = data.draw(st.sampled_from([self.head, self.head, at]))
        self.annotations = {ROLLBACK_TO: f"main@sha1:{to}", ROLLBACK_FROM: f"main@sha1:{at}"}
        self.turn(succeeds=True)

    @rule()
    def resume(self) -> None:
        """A person takes the request back."""
        self.annotations = {}

    @rule(is_lost=st.booleans())
    def disturb(self, is_lost: bool) -> None:
        """Somebody writes the Kustomization all the time, or not any more."""
        self.is_lost = is_lost

    @rule()
    def restart(self) -> None:
        """The process dies."""
        self.start()

    # --- the operator -------------------------------------------------------------------------------------------

    @rule(succeeds=st.booleans())
    def turn(self, succeeds: bool) -> None:
        """I4: it goes for the head; or back, in the head's history, to what took effect once, as a person asks now."""
        asked = dict(self.annotations)
        source = SourceRef(kind="GitRepository", name="fleet")
        spec = KustomizationSpec(interval="1m", prune=True, sourceRef=source)
        meta = ObjectMeta(name="web", namespace="shop", annotations=asked)
        goes = asyncio.run(self.goes_for(Kustomization(metadata=meta, spec=spec)))
        if goes is None:
            assert asked[ROLLBACK_FROM] == f"main@sha1:{self.head}"
            to = asked[ROLLBACK_TO].rpartition(":")[2]
            assert to not in self.line(self.head) or to not in self.succeeded()
            return
        commit = goes.revision.hex
        if commit != self.head:
            assert asked == {ROLLBACK_TO: str(goes.revision), ROLLBACK_FROM: f"main@sha1:{self.head}"}
            assert commit in self.line(self.head)
            assert commit in self.succeeded()
        elif asked and asked[ROLLBACK_FROM] not in {f"main@sha1:{self.head}", asked[ROLLBACK_TO]}:
            assert self.is_lost or not self.annotations, "a request outlives the head that it was made at"
        self.history = remember(
            self.history, Past(str(goes.revision), commit, "ReconciliationSucceeded" if succeeds else "Undone")
        )

    async def goes_for(self, sync: Kustomization) -> Artifact | None:
        """The artifact; None where the request is refused."""
        try:
            return await self.rollbacks.artifact(sync, self.artifact(self.head))
        except UserError as refused:
            if refused.problems[0].code is not codes.ROLLBACK_REFUSED:
                raise
            return None

    def succeeded(self) -> set[str]:
        return {past.revision.rpartition(":")[2] for past in self.history if past.succeeded}


TestForward = Forward.TestCase
TestForward.settings = settings(max_examples=80, stateful_step_count=25, deadline=None)

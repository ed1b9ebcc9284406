"""Whatever is written of a sync's objects is written as the account of that sync, and as nobody else in its place.

The executor, with all that sends below it, over an API server in memory: a group of two syncs with accounts of their
own, refusals and lost answers on the way, so that what was applied is undone, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.api.kinds import ObjectMeta
from sluice.api.kustomization import Kustomization, KustomizationSpec, SourceRef
from sluice.core.errors import SluiceError
from sluice.core.group import compose
from sluice.core.ids import ResourceId
from sluice.core.inventory import Inventory
from sluice.core.live import LiveObject
from sluice.core.plan import Live, Owner, Plan, PlanOptions, build_plan
from sluice.core.transaction_messages import OnFailure, Phase
from sluice.kube.discovery import Discovery
from sluice.kube.well_known import CONFIG_MAPS, SERVICE_ACCOUNTS
from sluice.reconcilers.accounts import Accounts
from sluice.runtime.executor import Execution, Executor
from sluice.runtime.identities import Identities
from sluice.runtime.journal import GroupJournal
from sluice.runtime.owned import OwnedObjects, live_of
from sluice.runtime.record_store import RecordStore
from tests.memory_api import MemoryApi, Reply, Request, VirtualLoop, memory_client, refused
from tests.plans import manifest

TEAM, HOME = "team", "sluice-system"
MEMBERS = (Owner(TEAM, "api"), Owner(TEAM, "web"))
GROUP = Owner(TEAM, "group")
ACCOUNTS = st.sampled_from(["", "builder", "deployer"])
FAULTS = st.dictionaries(st.integers(1, 14), st.sampled_from(["refused", "lost"]), max_size=3)
EVENTS = st.tuples(st.integers(0, 1), st.sampled_from(["", "unseen", "edited", "homeless", "homeless"]))
Revision = tuple[dict[str, str], dict[str, str], tuple[int, str], bool]
OBJECTS = st.dictionaries(st.sampled_from("abc"), st.sampled_from("12"), max_size=3)


@dataclass
class Syncs:
    """The Kustomizations that are seen."""

    seen: dict[tuple[str, str], Kustomization] = field(default_factory=dict)

    def get(self, namespace: str, name: str) -> Kustomization | None:
        return self.seen.get((namespace, name))

    def items(self) -> Iterable[Kustomization]:
        return self.seen.values()

    def put(self, owner: Owner, account: str) -> None:
        source = SourceRef(kind="GitRepository", name="fleet")
        spec = KustomizationSpec(interval="1m", prune=True, sourceRef=source, serviceAccountName=account)
        meta = ObjectMeta(name=owner.name, namespace=owner.namespace)
        self.seen[owner.namespace, owner.name] = Kustomization(metadata=meta, spec=spec)


@dataclass
class World:
    """Two syncs of one group. An object's name begins with its sync's; what is sent of it is noted in the server."""

    accounts: list[str]
    faults: dict[int, str]
    api: MemoryApi = field(default_factory=lambda: MemoryApi((CONFIG_MAPS, SERVICE_ACCOUNTS)))
    syncs: Syncs = field(default_factory=Syncs)
    writes: int = 0

    def __post_init__(self) -> None:
        for owner, account in zip(MEMBERS, self.accounts, strict=True):
            self.syncs.put(owner, account)
        self.client = memory_client(self.api, self.answer)
        self.identities = Identities(self.client, Accounts(self.syncs))
        for owner in MEMBERS:  # a sync is seen before anything is done for it
            self.identities.client(owner)
        self.records = RecordStore(self.client, HOME)
        for account in {*self.accounts, "other"} - {""}:
            self.api.put(SERVICE_ACCOUNTS, TEAM, account)

    async def answer(self, request: Request) -> Reply:
        if "/configmaps/" in request.call.path:
            self.check(request)
            self.writes += request.writes
            match self.faults.get(self.writes) if request.writes else None:
                case "refused":
                    return refused(422, "Invalid")
                case "lost":
                    self.api.reply(request)
                    raise aiohttp.ServerDisconnectedError
        return self.api.reply(request)

    def check(self, request: Request) -> None:
        """As whom it is read or written."""
        name = request.call.path.rpartition("/")[2]
        account = next(a for o, a in zip(MEMBERS, self.accounts, strict=True) if name.startswith(o.name))
        assert request.user == (f"system:serviceaccount:{TEAM}:{account}" if account else ""), request

    def exists(self, account: str) -> bool:
        """Whether the account is there; the operator's own always is."""
        return not account or self.api.get(SERVICE_ACCOUNTS, TEAM, account) is not None

    def happens(self, member: int, what: str) -> None:
        """A Kustomization can't be seen, is edited, or its account is deleted or made again."""
        owner, account = MEMBERS[member], self.accounts[member]
        match what:
            case "unseen":
                self.syncs.seen.pop((owner.namespace, owner.name), None)
            case "edited":
                self.accounts[member] = "other"
                self.syncs.put(owner, "other")
            case "homeless" if account:
                self.api.objects.pop(SERVICE_ACCOUNTS.object_path(TEAM, account), None)

    def journal(self, desired: dict[Owner, dict[str, str]]) -> tuple[Plan, list[Plan], GroupJournal]:
        plans = []
        for owner in MEMBERS:
            record = self.records.get(str(owner))
            known = record.inventory if record is not None else Inventory()
            wanted = tuple(
                manifest("ConfigMap", f"{owner.name}-{name}", data, namespace=TEAM, spec=labelled(owner, name))
                for name, data in desired[owner].items()
            )
            plans.append(build_plan(owner, wanted, known, self.live, PlanOptions(suspects=known.ids())))
        plan, shares = compose(GROUP, plans)
        return plan, plans, GroupJournal(self.records, GROUP, shares, before=plan.before)

    def live(self, key: ResourceId) -> Live | None:
        found = self.api.get(CONFIG_MAPS, key.namespace, key.name)
        return live_of(msgspec.convert(found, LiveObject).metadata) if found is not None else None


def labelled(owner: Owner, name: str) -> dict[str, Any]:
    return {"metadata": {"name": f"{owner.name}-{name}", "namespace": TEAM, "labels": owner.labels()}}


async def silent(message: str) -> None:
    pass


@settings(max_examples=60)
@given(
    st.tuples(ACCOUNTS, ACCOUNTS),
    FAULTS,
    st.lists(st.tuples(OBJECTS, OBJECTS, EVENTS, st.booleans()), min_size=1, max_size=3),
)
def test_every_object_of_a_group_is_read_and_written_as_its_own_syncs_account_or_not_at_all(
    accounts: tuple[str, str], faults: dict[int, str], revisions: list[Revision]
) -> None:
    world = World(list(accounts), faults)

    async def story() -> None:
        discovery = Discovery(world.client, asyncio.get_running_loop().time)
        async with asyncio.TaskGroup() as group:
            owned = OwnedObjects(world.client, group, lambda owner, resource: None)
            executor = Executor(world.client, discovery, owned, world.records, world.identities)
            for number, (first, second, what, corrects) in enumerate(revisions):
                world.happens(*what)
                with suppress(SluiceError):
                    desired = {MEMBERS[0]: first, MEMBERS[1]: second}
                    await one_turn(world, executor, desired, f"main@sha1:{number}", corrects=corrects)

    run(story())


async def one_turn(
    world: World, executor: Executor, desired: dict[Owner, dict[str, str]], revision: str, *, corrects: bool
) -> None:
    """What a turn of the group does with the executor: what was not undone wholly is, or the revision is gone for.

    Or one member's drift is corrected.
    """
    before = world.writes
    plan, plans, journal = world.journal(desired)
    record = world.records.get(str(GROUP))
    if record is not None and record.shares is not None and record.phase is Phase.UNDOING:
        journal = replace(journal, shares=record.shares, target=record.way_back)
    execution = Execution(GROUP, revision, 60.0, silent, on_failure=OnFailure.UNDO, journal=journal)
    try:
        if record is not None and record.phase is Phase.UNDOING:
            union = record.inventory
            plan = Plan(GROUP, (), (), (), before=union, during=union, after=Inventory())
            await executor.resume_undo(plan, record, execution)
        elif corrects:
            await executor.correct(plans[0].applies, MEMBERS[0])
        else:
            await world.identities.check(MEMBERS)  # in making the plans
            await executor.run(plan, execution)
    finally:
        acting = world.accounts[:1] if corrects else world.accounts
        assert world.writes == before or all(map(world.exists, acting)), "an account is missing, and there was a write"


def run(story: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(story)

"""A Kustomization that is deleted takes what it made along, or leaves all of it, as it was told; never anything else.

The finalizer with all that is below it, over an API server in memory, on a way on which answers are lost, and refused.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import msgspec
from hypothesis import event, given, settings
from hypothesis import strategies as st

from sluice.api.kinds import FINALIZER, ObjectMeta
from sluice.api.kustomization import GROUP, Kustomization, KustomizationSpec, SourceRef
from sluice.core.errors import SluiceError
from sluice.core.guard import OwnParts
from sluice.core.inventory import Entry, Inventory
from sluice.core.plan import Owner
from sluice.core.record import Record
from sluice.core.transaction_messages import Phase
from sluice.kube.discovery import Discovery
from sluice.kube.well_known import CONFIG_MAPS, CRDS, NAMESPACES, SERVICE_ACCOUNTS
from sluice.reconcilers.accounts import Accounts
from sluice.reconcilers.claims import Claims
from sluice.reconcilers.doubts import Doubts
from sluice.reconcilers.kustomization_finalizer import finalize
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.wishes import Wishes
from sluice.runtime.executor import Executor
from sluice.runtime.identities import Identities
from sluice.runtime.live_lookup import LiveLookup
from sluice.runtime.owned import OwnedObjects
from sluice.runtime.record_store import RecordStore
from tests.memory_api import MemoryApi, Reply, Request, VirtualLoop, memory_client, refused, struck
from tests.plans import OTHER

OWNER, HOME, SHOP = Owner("team", "web"), "sluice-system", "shop"
PRUNE = "kustomize.toolkit.fluxcd.io/prune"
STATES = st.sampled_from(["ours", "ours", "absent", "remade", "unlabelled", "another's", "kept", "held", "never ours"])
# The n-th request of a verb.
FAULTS = st.dictionaries(
    st.tuples(st.sampled_from(["GET", "DELETE"]), st.integers(1, 6)),
    st.sampled_from(["lost before", "lost after", "refused", "refused", "error"]),
    max_size=4,
)
POLICIES = st.sampled_from(["", "", "Delete", "MirrorPrune", "Orphan", "WaitForTermination"])


@dataclass
class World:
    """What the sync has made, and others beside it; `faults` are of the first requests."""

    states: dict[str, str]
    sync: Kustomization
    faults: dict[tuple[str, int], str]
    api: MemoryApi = field(default_factory=lambda: MemoryApi((CONFIG_MAPS, NAMESPACES, SERVICE_ACCOUNTS, CRDS)))
    counts: Counter[str] = field(default_factory=Counter)
    is_on: bool = True
    entries: list[Entry] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.api.put(NAMESPACES, "", "team")
        self.api.put(NAMESPACES, "", SHOP)
        self.api.put(CRDS, "", f"kustomizations.{GROUP}")
        for name, state in self.states.items():
            self.make(name, state)

    def make(self, name: str, state: str) -> None:
        uid = "long gone"
        if state != "absent":
            owner = {"unlabelled": None, "another's": OTHER}.get(state, OWNER)
            meta: dict[str, Any] = {"labels": owner.labels() if owner is not None else {}}
            meta |= {"annotations": {PRUNE: "disabled"}} if state == "kept" else {}
            meta |= {"finalizers": ["x"]} if state == "held" else {}
            made = self.api.put(CONFIG_MAPS, SHOP, name, metadata=meta)
            uid = "another" if state == "remade" else made["metadata"]["uid"]
        if state != "never ours":
            self.entries.append(Entry(CONFIG_MAPS.id_of(SHOP, name), "v1", uid, b"d", "1"))

    async def answer(self, request: Request) -> Reply:
        verb = request.call.method
        self.counts[verb] += 1
        fault = self.faults.get((verb, self.counts[verb]))
        return refused(403, "Forbidden") if fault == "refused" else struck(self.api, request, fault)

    async def remove(self, meta: ObjectMeta) -> None:
        """The finalizer comes off."""
        self.is_on = False

    def operator(self, group: asyncio.TaskGroup) -> Operator:
        """The parts that the finalizer needs."""
        client = memory_client(self.api, self.answer)
        discovery = Discovery(client, asyncio.get_running_loop().time)
        owned = OwnedObjects(client, group, lambda owner, resource: None)
        syncs = SimpleNamespace(get=lambda *_: self.sync, items=lambda: [self.sync])
        records, identities = RecordStore(client, HOME), Identities(client, Accounts(cast("Any", syncs)))
        records._keep(Record(str(OWNER), 1, Phase.DONE, "main@sha1:0", Inventory(self.entries)))
        nothing = SimpleNamespace(record=lambda *_, **__: None, forget=lambda *_: None)
        parts = SimpleNamespace(
            client=client,
            discovery=discovery,
            lookup=LiveLookup(client, discovery, owned),
            records=records,
            identities=identities,
            executor=Executor(client, discovery, owned, records, identities),
            kustomizations=syncs,
            sync_events=nothing,
            sync_status=nothing,
            sync_finalizers=SimpleNamespace(is_on=lambda meta: self.is_on, remove=self.remove),
            claims=Claims(),
            wishes=Wishes(),
            doubts=Doubts(),
            own=OwnParts(),
        )
        return cast("Operator", parts)


def sync_of(policy: str, prune: bool, suspend: bool) -> Kustomization:
    source = SourceRef(kind="GitRepository", name="fleet")
    spec = KustomizationSpec(
        interval="1m", prune=prune, sourceRef=source, suspend=suspend, deletionPolicy=policy, timeout="10s"
    )
    meta = ObjectMeta(
        name=OWNER.name, namespace=OWNER.namespace, finalizers=(FINALIZER,), deletionTimestamp="2026-05-01T00:00:00Z"
    )
    return Kustomization(metadata=meta, spec=spec)


@settings(max_examples=90)
@given(
    st.dictionaries(st.sampled_from("abcdef"), STATES, max_size=6),
    POLICIES,
    st.booleans(),
    st.sampled_from([False, False, False, True]),
    FAULTS,
)
def test_all_that_a_deleted_sync_made_goes_or_stays_and_nothing_else_is_touched(
    states: dict[str, str], policy: str, prune: bool, suspend: bool, faults: dict[tuple[str, int], str]
) -> None:
    world = World(states, sync_of(policy, prune, suspend), faults)
    deletes = not suspend and (policy in {"Delete", "WaitForTermination"} or (policy in {"", "MirrorPrune"} and prune))
    before = msgspec.json.encode(world.api.objects)

    async def story() -> None:
        async with asyncio.TaskGroup() as group:
            operator = world.operator(group)
            for _ in range(30):
                if not world.is_on:
                    return
                with suppress(SluiceError):
                    await finalize(operator, world.sync)
            raise AssertionError("it is never finalized")

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(story())
    event("deletes" if deletes else "leaves all")
    there = {name for name in states if world.api.get(CONFIG_MAPS, SHOP, name) is not None}
    goes = {name for name, state in states.items() if state == "ours"} if deletes else set()
    was = {name for name, state in states.items() if state != "absent"}
    assert there == was - goes
    if deletes:
        held = [name for name, state in states.items() if state == "held"]
        found = [world.api.get(CONFIG_MAPS, SHOP, name) for name in held]
        assert all(each is not None and "deletionTimestamp" in each["metadata"] for each in found)
    else:
        assert msgspec.json.encode(world.api.objects) == before

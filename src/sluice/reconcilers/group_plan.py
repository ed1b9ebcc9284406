"""A group's members and one revision → one plan: every member is rendered, checked and planned before any is written.

Nothing here writes. What one member defines (a CRD, a Namespace, a Role) may be what another needs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from sluice.api.kustomization import Kustomization
from sluice.core.artifact import Artifact
from sluice.core.deferral import DefinedKind, defined_kinds, find_deferred
from sluice.core.errors import NotReady, SluiceError
from sluice.core.group import compose, mine
from sluice.core.ids import GroupKind, ResourceId
from sluice.core.inventory import Inventory
from sluice.core.manifest import Manifest
from sluice.core.plan import Owner, Plan
from sluice.core.problem import Problem
from sluice.core.record import Record
from sluice.core.shares import Shares
from sluice.core.steps import Deferral
from sluice.kube.resource import Resource
from sluice.reconcilers.coming_syncs import syncs_in
from sluice.reconcilers.drift import Drift, Judged, Resources
from sluice.reconcilers.foresight import check_word, foresee_together, live_objects
from sluice.reconcilers.inventory_source import inventory_of
from sluice.reconcilers.moves import claim
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.planning import Planner, Prepared, applied_of, changes_something, check_kinds
from sluice.reconcilers.quarantine import handling
from sluice.reconcilers.sync_facts import owner_of
from sluice.render import Rendered
from sluice.runtime.together import together

T = TypeVar("T")


class Refused(Exception):
    """Some members can't be taken on, so none is; `errors` says which, and why. Nothing was written."""

    def __init__(self, errors: Mapping[Owner, SluiceError]) -> None:
        super().__init__(", ".join(map(str, errors)))
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Start:
    """Where a member stands: what it has, what the last record says of it, and what it is to be taken to."""

    sync: Kustomization
    artifact: Artifact
    inventory: Inventory
    record: Record | None

    @property
    def owner(self) -> Owner:
        """Whose labels its objects carry."""
        return owner_of(self.sync)


@dataclass(frozen=True, slots=True)
class Member:
    """One member's part of a joint plan."""

    start: Start
    prepared: Prepared
    judged: Judged


@dataclass(frozen=True, slots=True)
class JointPlan:
    """Everything that is known before the group's first write."""

    members: tuple[Member, ...]
    plan: Plan
    shares: Shares
    deferral: Deferral

    @property
    def manifests(self) -> tuple[Manifest, ...]:
        """What all members want."""
        return tuple(m for member in self.members for m in member.prepared.rendered.manifests)


Judge = Callable[[Start, tuple[Manifest, ...], Resources], Awaitable[Judged]]


def judging(drift: Drift) -> Judge:
    """Which objects an operator sends although their manifests have not changed: those that have drifted."""

    async def judge(start: Start, manifests: tuple[Manifest, ...], kinds: Resources) -> Judged:
        sync, inventory = start.sync, start.inventory
        suspects = drift.suspects(sync, inventory)
        if changes_something(start.record, str(start.artifact.revision), manifests, inventory):
            return drift.everything(sync, suspects)
        return await drift.judge(sync, suspects, applied_of(manifests, inventory), inventory, kinds)

    return judge


async def start_of(
    operator: Operator, sync: Kustomization, artifact: Artifact, open_: Record | None, union: Inventory
) -> Start:
    """Where a member stands. `union` is what the group's `open_` transaction, if there is one, may have made.

    Raises StateError, ClusterError.
    """
    owner = owner_of(sync)
    if open_ is not None and open_.shares is not None and owner in open_.shares:
        return Start(sync, artifact, open_.shares.part(owner, union), open_)
    inventory = await inventory_of(operator, owner, sync)
    return Start(sync, artifact, inventory, operator.records.get(str(owner)))


class GroupPlanner:
    """Prepares one group at a time; keeps nothing between calls. `judge` says what is sent again."""

    def __init__(self, operator: Operator, planner: Planner, judge: Judge) -> None:
        self._op = operator
        self._planner = planner
        self._judge = judge

    async def prepare(self, group: Owner, starts: Sequence[Start]) -> JointPlan:
        """Raises Refused when a member's part can't be made, with every member's problems; ClusterError."""
        rendered = dict(zip((s.owner for s in starts), await each(starts, self._render), strict=True))
        defined = defined_kinds(m for found, _ in rendered.values() for m in found.manifests)
        members = await each(starts, lambda start: self._plan(start, *rendered[start.owner], defined), at_once=1)
        plan, shares = compose(group, [m.prepared.plan for m in members])
        resources = {key: found for _, kinds in rendered.values() for key, found in kinds.items()}
        try:
            warnings = await self._foresee(members, plan, shares, resources)
        except NotReady as error:  # a quota has no room: each member names what it has no room for
            named = {start.owner: mine(error.problems, start.owner, shares.after) for start in starts}
            raise Refused({owner: NotReady(*problems) for owner, problems in named.items() if problems}) from error
        first, *rest = members
        told = replace(first.prepared.rendered, warnings=(*first.prepared.rendered.warnings, *warnings))
        first = replace(first, prepared=replace(first.prepared, rendered=told))
        return JointPlan((first, *rest), plan, shares, find_deferred(plan, defined))

    async def _foresee(
        self, members: Sequence[Member], plan: Plan, shares: Shares, resources: Mapping[ResourceId, Resource | None]
    ) -> tuple[Problem, ...]:
        """What can be known ahead of all of it; whether it may be done where it can't be undone, each member says."""
        live = await live_objects(self._op, plan, shares)
        errors: dict[Owner, SluiceError] = {}
        for member in members:
            try:
                check_word(member.start.sync, member.prepared.plan, live, str(member.start.artifact.revision))
            except SluiceError as error:
                errors[member.start.owner] = error
        if errors:
            raise Refused(errors)
        return await foresee_together(self._op, plan, resources, live, refuse=True)

    async def _render(self, start: Start) -> tuple[Rendered, dict[ResourceId, Resource | None]]:
        return await self._planner.render(start.sync, start.artifact)

    async def _plan(
        self,
        start: Start,
        rendered: Rendered,
        resources: dict[ResourceId, Resource | None],
        defined: dict[GroupKind, DefinedKind],
    ) -> Member:
        sync = start.sync
        check_kinds(rendered.manifests, defined, resources, self._op.discovery)
        judged = Judged()

        async def settle(manifests: tuple[Manifest, ...], kinds: Resources) -> frozenset[ResourceId]:
            nonlocal judged
            judged = await self._judge(start, manifests, kinds)
            return judged.apply

        async with handling(self._op, sync, start.artifact):
            plan = await self._planner.plan(sync, rendered.manifests, start.inventory, settle, resources)
        claim(self._op, sync, start.artifact, (m.id for m in rendered.manifests), syncs_in(rendered.manifests))
        return Member(start, Prepared(rendered, resources, plan, Deferral()), judged)


async def each(starts: Sequence[Start], work: Callable[[Start], Awaitable[T]], at_once: int = 4) -> list[T]:
    """Do `work` for each and return the results in order. Raises Refused with the errors of all that fail."""
    errors: dict[Owner, SluiceError] = {}

    async def one(start: Start) -> T | None:
        try:
            return await work(start)
        except SluiceError as error:
            errors[start.owner] = error
            return None

    found = await together((one(start) for start in starts), at_once)
    if errors:
        raise Refused(errors)
    return [result for result in found if result is not None]

"""A Kustomization and an artifact → everything known before the first write: manifests, plan, what must wait.

One way for the operator that executes the plan and for the command line that only shows it. Nothing here writes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from sluice.api.ignore_rules import rules_of
from sluice.api.kustomization import Kustomization
from sluice.core import codes
from sluice.core.adoption import Adopt
from sluice.core.artifact import Artifact
from sluice.core.deferral import DefinedKind, defined_kinds, find_deferred, unknown_kinds
from sluice.core.errors import ClusterError, NotReady, SluiceError, UserError
from sluice.core.guard import GuardOptions, check_namespaces, guard
from sluice.core.ids import GroupKind, ResourceId
from sluice.core.ignored_fields import ignored_in
from sluice.core.inventory import Inventory
from sluice.core.manifest import Manifest
from sluice.core.plan import Live, Owner, Plan, PlanOptions, build_plan, needs_live
from sluice.core.problem import Problem
from sluice.core.record import Record
from sluice.core.steps import Deferral
from sluice.core.transaction_messages import Phase
from sluice.kube.discovery import Discovery
from sluice.kube.resource import Resource
from sluice.reconcilers.coming_syncs import syncs_in
from sluice.reconcilers.foresight import foresee
from sluice.reconcilers.moves import HandOver, holders_of, plan_leaving
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.quarantine import handling
from sluice.reconcilers.rendering import render_sync
from sluice.reconcilers.sync_facts import owner_of
from sluice.render import Rendered
from sluice.runtime import tracing


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan and what it was made from. `resources` has None for kinds that the plan itself will define."""

    rendered: Rendered
    resources: dict[ResourceId, Resource | None]
    plan: Plan
    deferral: Deferral


Settle = Callable[[tuple[Manifest, ...], Mapping[ResourceId, Resource | None]], Awaitable[frozenset[ResourceId]]]


class Planner:
    """Prepares one sync at a time; keeps nothing between calls."""

    def __init__(self, operator: Operator) -> None:
        self._op = operator

    async def prepare(self, sync: Kustomization, artifact: Artifact, inventory: Inventory, settle: Settle) -> Prepared:
        """Render, look and plan. `settle` says which objects are sent though their manifests have not changed.

        Raises UserError (git or the spec must change), NotReady (a kind or a reference is not there yet), ClusterError.
        """
        async with handling(self._op, sync, artifact):
            return await self._prepare(sync, artifact, inventory, settle)

    async def _prepare(self, sync: Kustomization, artifact: Artifact, inventory: Inventory, settle: Settle) -> Prepared:
        rendered, resources = await self.render(sync, artifact)
        defined = defined_kinds(rendered.manifests)
        check_kinds(rendered.manifests, defined, resources, self._op.discovery)
        plan = await self.plan(sync, rendered.manifests, inventory, settle, resources)
        warnings = await foresee(self._op, sync, plan, resources, str(artifact.revision))
        rendered = replace(rendered, warnings=(*rendered.warnings, *warnings))
        return Prepared(rendered, resources, plan, find_deferred(plan, defined))

    async def plan(
        self,
        sync: Kustomization,
        manifests: tuple[Manifest, ...],
        inventory: Inventory,
        settle: Settle,
        resources: Mapping[ResourceId, Resource | None],
    ) -> Plan:
        """Look and plan, once the kinds have been checked. Raises as `prepare` does."""
        with tracing.span("plan", objects=len(manifests), **_named(sync)):
            return await self._guarded_plan(sync, manifests, inventory, settle, resources)

    async def _guarded_plan(
        self,
        sync: Kustomization,
        manifests: tuple[Manifest, ...],
        inventory: Inventory,
        settle: Settle,
        resources: Mapping[ResourceId, Resource | None],
    ) -> Plan:
        owner = owner_of(sync)
        await self._op.identities.check([owner])
        suspects = await settle(manifests, resources)
        plan = await self._plan(sync, owner, manifests, inventory, suspects, resources)

        def crd_of(key: ResourceId) -> str:
            resource = resources.get(key)
            return f"{resource.plural}.{resource.group}" if resource is not None else ""

        spec = sync.spec
        options = GuardOptions(
            spec.allowEmpty,
            spec.pruneLimit,
            self._op.own,
            self._is_sync,
            crd_of,
            lambda namespace: self._op.claims.others_in(owner, namespace),
        )
        holders = await holders_of(self._op, owner, plan)
        refusals = guard(plan, options, holders.get)
        if refusals:
            raise self._refused(owner, refusals, holders)
        self._op.wishes.drop(owner)
        return plan

    async def render(
        self, sync: Kustomization, artifact: Artifact
    ) -> tuple[Rendered, dict[ResourceId, Resource | None]]:
        """The manifests, and the kinds that they are of. Raises UserError, NotReady, ClusterError."""
        tracing.about(str(artifact.source), str(artifact.revision))
        with tracing.span("render", **_named(sync)):
            rendered = await render_sync(self._op, sync, owner_of(sync), artifact)
            return rendered, await self._resources(rendered.manifests)

    def _refused(self, owner: Owner, refusals: tuple[Problem, ...], holders: Mapping[ResourceId, Owner]) -> SluiceError:
        """An object that another sync has is handed over once it lets go: that is waited for, the rest is not."""
        self._op.wishes.make(owner, holders)
        # What somebody else has put into the cluster may go again, too.
        foreign = any(p.code in {codes.NOT_ADOPTED, codes.PRUNES_OTHERS} for p in refusals)
        return NotReady(*refusals) if holders or foreign else UserError(*refusals)

    def _is_sync(self, owner: Owner) -> bool:
        return self._op.kustomizations.get(owner.namespace, owner.name) is not None

    async def _resources(self, manifests: tuple[Manifest, ...]) -> dict[ResourceId, Resource | None]:
        kinds = {(m.api_version, m.id.kind) for m in manifests}
        found = {kind: await self._op.discovery.find(*kind) for kind in kinds}
        return {m.id: found[m.api_version, m.id.kind] for m in manifests}

    async def _plan(
        self,
        sync: Kustomization,
        owner: Owner,
        manifests: tuple[Manifest, ...],
        inventory: Inventory,
        suspects: frozenset[ResourceId],
        resources: Mapping[ResourceId, Resource | None],
    ) -> Plan:
        leaving = inventory.ids() - {m.id for m in manifests} if sync.spec.prune else frozenset()
        options = PlanOptions(
            prune=sync.spec.prune,
            suspects=suspects,
            adopt=Adopt(sync.spec.adopt or Adopt.ALWAYS),
            ignored=ignored_by(sync, manifests),
        )
        wanted = needs_live(manifests, inventory, options)
        known = dict(resources)
        for entry in inventory:
            if entry.id in wanted and entry.id not in known:
                known[entry.id] = await self._op.discovery.find(entry.api_version, entry.id.kind)

        def build(live: Callable[[ResourceId], Live | None], handed: HandOver) -> Plan:
            return build_plan(owner, manifests, inventory, live, handed.within(options))

        with placing(manifests):
            return await plan_leaving(self._op, owner, leaving, wanted, known, build, syncs_in(manifests))


@contextmanager
def placing(manifests: Iterable[Manifest]) -> Iterator[None]:
    """What an object can't be looked at for is told with the place where git defines it."""
    try:
        yield
    except ClusterError as error:
        origins = {m.id: m.origin for m in manifests}
        error.problems = tuple(
            replace(p, origin=p.origin or origins.get(p.subject)) if p.subject is not None else p
            for p in error.problems
        )
        raise


def _named(sync: Kustomization) -> dict[str, str]:
    return {"kustomization": str(sync.metadata.key)}


def ignored_by(sync: Kustomization, manifests: Iterable[Manifest]) -> dict[ResourceId, tuple[str, ...]]:
    """The fields that `spec.ignore` leaves to the cluster, of every object that it names."""
    rules = rules_of(sync.spec.ignore)
    return {m.id: found for m in manifests if (found := ignored_in(m, rules))} if rules else {}


def applied_of(manifests: Iterable[Manifest], inventory: Inventory) -> dict[ResourceId, Manifest]:
    """The manifests that are, byte for byte, what was applied last."""
    return {m.id: m for m in manifests if (e := inventory.get(m.id)) is not None and e.digest == m.digest}


def check_kinds(
    manifests: tuple[Manifest, ...],
    defined: dict[GroupKind, DefinedKind],
    resources: Mapping[ResourceId, Resource | None],
    discovery: Discovery,
) -> None:
    """Return when each object is of a kind that is served or `defined`, and has the namespace that its kind asks for.

    Raises UserError or NotReady.
    """
    scopes: dict[GroupKind, bool | None] = {k: d.namespaced for k, d in defined.items()}
    scopes |= {i.group_kind: r.namespaced for i, r in resources.items() if r is not None}
    problems = (
        *unknown_kinds(
            manifests,
            defined,
            lambda i: resources[i] is not None,
            lambda: [(r.api_version, r.kind) for r in discovery.resources()],
        ),
        *check_namespaces(manifests, scopes.get),
    )
    if problems:
        # A kind that is not served may be installed by another sync in a moment: that is not the user's to fix.
        waits = any(p.code is codes.UNKNOWN_KIND for p in problems)
        raise NotReady(*problems) if waits else UserError(*problems)


def changes_something(
    record: Record | None, revision: str, manifests: tuple[Manifest, ...], inventory: Inventory
) -> bool:
    """True when the revision, or an edit of the spec, makes another desired state; or the last one is not whole yet.

    An object that was skipped has no digest, and says nothing.
    """
    if record is None or record.phase is not Phase.DONE:
        return True
    entries = [inventory.get(manifest.id) for manifest in manifests]
    pairs = zip(entries, manifests, strict=True)
    if any(entry is None or (entry.digest and entry.digest != manifest.digest) for entry, manifest in pairs):
        return True
    return len(inventory) > len(entries) and record.revision != revision

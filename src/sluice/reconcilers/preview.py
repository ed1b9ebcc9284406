"""What the operator would do with an artifact, shown and not done: the same plan, then dry-runs in place of writes.

Every object is compared with what lives in the cluster, also those whose manifest has not changed: who asks what
would happen wants to see drift, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import msgspec

from sluice.api.kustomization import Kustomization
from sluice.api.validate_kustomization import validate_kustomization
from sluice.core import codes
from sluice.core.api_warning import api_warnings
from sluice.core.artifact import Artifact
from sluice.core.deferral import defined_kinds, find_deferred
from sluice.core.drift import Drifted, DriftMode, find_drift, mode_of
from sluice.core.errors import SluiceError, UserError
from sluice.core.ids import ResourceId
from sluice.core.irreversible import refuse_recreation
from sluice.core.live import LiveObject
from sluice.core.managed_fields import MANAGER
from sluice.core.manifest import Directives
from sluice.core.object_diff import ABSENT, FieldChange, diff_objects, masked
from sluice.core.order import Stage
from sluice.core.plan import Action, Change, Owner, Plan
from sluice.core.problem import Origin, Problem
from sluice.core.steps import Deferral
from sluice.kube.resource import Resource
from sluice.reconcilers.inventory_source import inventory_of
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.places import with_places
from sluice.reconcilers.planning import Planner, Prepared, applied_of
from sluice.reconcilers.sync_facts import owner_of
from sluice.runtime.applier import placed, to_send
from sluice.runtime.together import together


class Effect(StrEnum):
    """What a change would come to."""

    CREATE = "create"
    ADOPT = "adopt"
    CHANGE = "change"
    REPLACE = "replace"
    PRUNE = "prune"
    SKIP = "skip"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Previewed:
    """One object. `deferred`: it can only be dry-run once something of the same revision is there.

    `drift` is who changed it, where its manifest has not changed; `mode` what is done about that. `sync` is whose it
    is afterwards. `warnings` are the API server's.
    """

    change: Change
    effect: Effect
    stage: Stage | None
    fields: tuple[FieldChange, ...] = ()
    problems: tuple[Problem, ...] = ()
    deferred: bool = False
    drift: Drifted | None = None
    mode: DriftMode = DriftMode.CORRECT
    sync: Owner | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Preview:
    """All of one sync, or of one `group`, in the order of execution; what is skipped last.

    `expected` is what the plan itself is to be warned of.
    """

    revision: str
    objects: tuple[Previewed, ...]
    expected: tuple[Problem, ...]
    group: str = ""
    members: tuple[Owner, ...] = ()

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What speaks against nothing, and should be known: also what the API server says of what would be written."""
        written = (each for each in self.objects if each.warnings and each.effect is not Effect.UNCHANGED)
        return (*self.expected, *api_warnings((e.change.id, _origin(e.change), e.warnings) for e in written))

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Why the revision would be refused."""
        return tuple(problem for each in self.objects for problem in each.problems)

    @property
    def differs(self) -> bool:
        """True when something would be written."""
        return any(each.effect not in {Effect.UNCHANGED, Effect.SKIP} for each in self.objects)


def _origin(change: Change) -> Origin | None:
    return change.manifest.origin if change.manifest is not None else None


async def preview(operator: Operator, sync: Kustomization, artifact: Artifact) -> Preview:
    """Work out what syncing `artifact` would do now. Nothing is written: every apply is a dry-run.

    Raises UserError or NotReady with every problem when it would not come as far as a plan.
    """
    if problems := validate_kustomization(sync, operator.rules):
        raise UserError(*problems)
    owner = owner_of(sync)
    inventory = await inventory_of(operator, owner, sync)

    async def everything(manifests: object, resources: object) -> frozenset[ResourceId]:
        return inventory.ids()

    prepared = await Planner(operator).prepare(sync, artifact, inventory, everything)
    part = Part(sync, artifact, prepared)
    objects = await look_at(operator, prepared.plan, prepared.deferral, [part], lambda _: part)
    return Preview(str(artifact.revision), objects, prepared.rendered.warnings)


@dataclass(frozen=True, slots=True)
class Part:
    """What a plan has of one sync."""

    sync: Kustomization
    artifact: Artifact
    prepared: Prepared

    @property
    def applied(self) -> frozenset[ResourceId]:
        """The objects whose manifests are what was applied last: what differs of them is somebody's doing."""
        return frozenset(applied_of(self.prepared.rendered.manifests, self.prepared.plan.before))


async def look_at(
    operator: Operator,
    plan: Plan,
    deferral: Deferral,
    parts: Sequence[Part],
    part_of: Callable[[ResourceId], Part],
) -> tuple[Previewed, ...]:
    """Dry-run what the plan would write. `part_of` says of which of `parts` an object is. Raises ClusterError."""
    stages = {c.id: batch.stage for batch in (*plan.applies, *plan.prunes) for c in batch.changes}
    applied = frozenset(key for part in parts for key in part.applied if part_of(key) is part)
    defined = defined_kinds(m for part in parts for m in part.prepared.rendered.manifests)
    looked: dict[ResourceId, Previewed] = {}

    async def look(changes: Sequence[Change], *, deferred: bool = False) -> None:
        looks = (_look(operator, part_of(c.id), c, stages.get(c.id), deferred=deferred) for c in changes)
        looked.update((each.change.id, each) for each in await together(looks))

    # What an object waits for may not change at all: then there is nothing to wait for.
    while due := [c for c in plan.changes() if c.id not in looked and c.id not in deferral]:
        await look(due)
        deferral = find_deferred(_changing(plan, looked), defined)
    await look([c for c in plan.changes() if c.id not in looked], deferred=True)
    found = [looked[c.id] for c in plan.changes()]
    objects = [each if each.change.id in applied else replace(each, drift=None) for each in found]
    if _only_drift(plan, applied):
        objects = [_as_the_mode_says(each) for each in objects]
    return tuple([await _located(operator, part_of(each.change.id), each) for each in objects])


def _changing(plan: Plan, looked: Mapping[ResourceId, Previewed]) -> Plan:
    """The plan without the objects that turned out to be as they should."""
    unchanged = {key for key, each in looked.items() if each.effect is Effect.UNCHANGED}
    applies = (replace(b, changes=tuple(c for c in b.changes if c.id not in unchanged)) for b in plan.applies)
    return replace(plan, applies=tuple(applies))


def _only_drift(plan: Plan, applied: frozenset[ResourceId]) -> bool:
    """True when nothing would be written but what others have changed: then each object's drift mode decides."""
    sent = {change.id for batch in plan.applies for change in batch.changes}
    return not plan.prunes and sent <= applied


def _as_the_mode_says(each: Previewed) -> Previewed:
    if each.mode is DriftMode.CORRECT or each.effect not in {Effect.CREATE, Effect.CHANGE, Effect.ADOPT}:
        return each
    if each.mode is DriftMode.WARN:
        return replace(each, change=replace(each.change, reason="drift is Warn: told, not written"))
    change = replace(each.change, reason="drift is Ignore")
    return replace(each, change=change, effect=Effect.SKIP, fields=(), drift=None)


async def _look(operator: Operator, part: Part, change: Change, stage: Stage | None, *, deferred: bool) -> Previewed:
    owner = owner_of(part.sync)
    if change.action is Action.PRUNE:
        return Previewed(change, Effect.PRUNE, stage, sync=owner)
    if not change.action.applies:
        return Previewed(change, Effect.SKIP, stage, sync=owner)
    if deferred:
        effect = {Action.CREATE: Effect.CREATE, Action.ADOPT: Effect.ADOPT}.get(change.action, Effect.CHANGE)
        return Previewed(change, effect, stage, deferred=True, sync=owner)
    kind = part.prepared.resources[change.id]
    resource = kind or await operator.discovery.find(change.api_version, change.id.kind)
    if resource is None:
        return Previewed(change, Effect.CREATE, stage, deferred=True, sync=owner)
    return replace(await _dry_run(operator, part.sync, change, stage, resource), sync=owner)


async def _dry_run(
    operator: Operator, sync: Kustomization, change: Change, stage: Stage | None, resource: Resource
) -> Previewed:
    manifest, key = change.manifest, change.id
    assert manifest is not None  # noqa: S101 - only changes with a manifest are applied
    live = await operator.client.get(resource, key.namespace, key.name) if change.uid else None
    body = to_send(manifest.body, change.uid, live, change.ignored)
    try:
        answer = await operator.client.apply(resource, key.namespace, key.name, body, manager=MANAGER, dry_run=True)
    except SluiceError as error:
        problems = placed(error, change)
        if (sync.spec.force or manifest.directives.force) and any(p.code is codes.IMMUTABLE_FIELD for p in problems):
            if refused := refuse_recreation(change, problems):
                return Previewed(change, Effect.REFUSED, stage, problems=refused)
            # There is no dry-run of a replacement: what the server would default is not shown as removed.
            kept = tuple(field for field in _fields(key, live, body) if field.after is not ABSENT)
            return Previewed(change, Effect.REPLACE, stage, kept)
        return Previewed(change, Effect.REFUSED, stage, problems=problems)
    if live is None:
        mode = mode_of(sync.spec.drift, manifest.directives, None)
        drifted = Drifted(key, deleted=True, origin=manifest.origin)
        return Previewed(change, Effect.CREATE, stage, drift=drifted, mode=mode, warnings=answer.warnings)
    fields = _fields(key, live, answer.raw)
    drift = find_drift(manifest, live, answer.raw, MANAGER)
    meta = msgspec.json.decode(live, type=LiveObject).metadata
    mode = mode_of(sync.spec.drift, manifest.directives, Directives.of(meta.labels, meta.annotations))
    effect = Effect.CHANGE if fields else Effect.UNCHANGED
    if change.action is Action.ADOPT:
        effect = Effect.ADOPT
    return Previewed(change, effect, stage, fields, drift=drift, mode=mode, warnings=answer.warnings)


def _fields(key: ResourceId, live: bytes | None, wanted: bytes) -> tuple[FieldChange, ...]:
    before: Mapping[str, Any] = msgspec.json.decode(live) if live is not None else {}
    return masked(diff_objects(before, msgspec.json.decode(wanted)), key.group_kind)


async def _located(operator: Operator, part: Part, each: Previewed) -> Previewed:
    if not each.problems:
        return each
    places = await with_places(each.problems, part.artifact, part.prepared.rendered.manifests, operator.schemas)
    return replace(each, problems=places)

"""What the operator would do with an artifact, shown and not done: the same plan, then dry-runs in place of writes.

Every object is compared with what lives in the cluster, also those whose manifest has not changed: who asks what
would happen wants to see drift, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import msgspec

from sluice.api.kustomization import Kustomization
from sluice.api.validate_kustomization import validate_kustomization
from sluice.core import codes
from sluice.core.artifact import Artifact
from sluice.core.errors import SluiceError, UserError
from sluice.core.ids import ResourceId
from sluice.core.managed_fields import MANAGER
from sluice.core.object_diff import ABSENT, FieldChange, diff_objects, masked
from sluice.core.order import Stage
from sluice.core.plan import Action, Change, Owner
from sluice.core.problem import Problem
from sluice.kube.resource import Resource
from sluice.reconcilers.inventory_source import inventory_of
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.places import with_places
from sluice.reconcilers.planning import Planner, Prepared
from sluice.runtime.applier import placed, with_uid
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
    """One object. `deferred`: it can only be dry-run once something of the same revision is there."""

    change: Change
    effect: Effect
    stage: Stage | None
    fields: tuple[FieldChange, ...] = ()
    problems: tuple[Problem, ...] = ()
    deferred: bool = False


@dataclass(frozen=True, slots=True)
class Preview:
    """All of one sync, in the order of execution; what is skipped last."""

    revision: str
    objects: tuple[Previewed, ...]
    warnings: tuple[Problem, ...]

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Why the revision would be refused."""
        return tuple(problem for each in self.objects for problem in each.problems)

    @property
    def differs(self) -> bool:
        """True when something would be written."""
        return any(each.effect not in {Effect.UNCHANGED, Effect.SKIP} for each in self.objects)


async def preview(operator: Operator, sync: Kustomization, artifact: Artifact) -> Preview:
    """Work out what syncing `artifact` would do now. Nothing is written: every apply is a dry-run.

    Raises UserError or NotReady with every problem when it would not come as far as a plan.
    """
    if problems := validate_kustomization(sync, operator.rules):
        raise UserError(*problems)
    owner = Owner(sync.metadata.namespace, sync.metadata.name)
    inventory = await inventory_of(operator, owner, sync)

    async def everything(manifests: object, resources: object) -> frozenset[ResourceId]:
        return inventory.ids()

    prepared = await Planner(operator).prepare(sync, artifact, inventory, everything)
    plan = prepared.plan
    stages = {c.id: batch.stage for batch in (*plan.applies, *plan.prunes) for c in batch.changes}
    looks = [_look(operator, sync, prepared, change, stages.get(change.id)) for change in plan.changes()]
    objects = await together(looks)
    found = [await _located(operator, artifact, prepared, each) for each in objects]
    return Preview(str(artifact.revision), tuple(found), prepared.rendered.warnings)


async def _look(
    operator: Operator, sync: Kustomization, prepared: Prepared, change: Change, stage: Stage | None
) -> Previewed:
    if change.action is Action.PRUNE:
        return Previewed(change, Effect.PRUNE, stage)
    if not change.action.applies:
        return Previewed(change, Effect.SKIP, stage)
    if change.id in prepared.deferral:
        effect = {Action.CREATE: Effect.CREATE, Action.ADOPT: Effect.ADOPT}.get(change.action, Effect.CHANGE)
        return Previewed(change, effect, stage, deferred=True)
    resource = prepared.resources[change.id] or await operator.discovery.find(change.api_version, change.id.kind)
    if resource is None:
        return Previewed(change, Effect.CREATE, stage, deferred=True)
    return await _dry_run(operator, sync, change, stage, resource)


async def _dry_run(
    operator: Operator, sync: Kustomization, change: Change, stage: Stage | None, resource: Resource
) -> Previewed:
    manifest, key = change.manifest, change.id
    assert manifest is not None  # noqa: S101 - only changes with a manifest are applied
    body = with_uid(manifest.body, change.uid) if change.uid else manifest.body
    live = await operator.client.get(resource, key.namespace, key.name) if change.uid else None
    try:
        answer = await operator.client.apply(resource, key.namespace, key.name, body, manager=MANAGER, dry_run=True)
    except SluiceError as error:
        problems = placed(error, change)
        if (sync.spec.force or manifest.directives.force) and any(p.code is codes.IMMUTABLE_FIELD for p in problems):
            # There is no dry-run of a replacement: what the server would default is not shown as removed.
            kept = tuple(field for field in _fields(key, live, body) if field.after is not ABSENT)
            return Previewed(change, Effect.REPLACE, stage, kept)
        return Previewed(change, Effect.REFUSED, stage, problems=problems)
    if live is None:
        return Previewed(change, Effect.CREATE, stage)
    fields = _fields(key, live, answer.raw)
    if change.action is Action.ADOPT:
        return Previewed(change, Effect.ADOPT, stage, fields)
    return Previewed(change, Effect.CHANGE if fields else Effect.UNCHANGED, stage, fields)


def _fields(key: ResourceId, live: bytes | None, wanted: bytes) -> tuple[FieldChange, ...]:
    before: Mapping[str, Any] = msgspec.json.decode(live) if live is not None else {}
    return masked(diff_objects(before, msgspec.json.decode(wanted)), key.group_kind)


async def _located(operator: Operator, artifact: Artifact, prepared: Prepared, each: Previewed) -> Previewed:
    if not each.problems:
        return each
    places = await with_places(each.problems, artifact, prepared.rendered.manifests, operator.schemas)
    return replace(each, problems=places)

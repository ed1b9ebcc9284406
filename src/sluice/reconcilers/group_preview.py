"""What a group's transaction would do, shown and not done: the members' joint plan, then dry-runs for writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sluice.api.kustomization import Kustomization
from sluice.api.validate_kustomization import validate_kustomization
from sluice.core.artifact import Artifact
from sluice.core.errors import NotReady, SluiceError, UserError
from sluice.core.group import is_open
from sluice.core.ids import NamespacedName, ResourceId
from sluice.core.inventory import Inventory
from sluice.core.manifest import Manifest
from sluice.core.plan import Owner
from sluice.core.problem import Problem
from sluice.reconcilers.drift import Judged, Resources
from sluice.reconcilers.group_members import check_members, record_owner, suspended
from sluice.reconcilers.group_plan import GroupPlanner, JointPlan, Refused, Start, start_of
from sluice.reconcilers.inventory_source import confirmed
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.planning import Planner
from sluice.reconcilers.preview import Part, Preview, look_at
from sluice.reconcilers.sync_facts import owner_of, sync_id


async def preview_group(
    operator: Operator, group: NamespacedName, artifacts: Mapping[Owner, Artifact], members: Sequence[Kustomization]
) -> Preview:
    """Work out what the group would do with these artifacts now. Nothing is written: every apply is a dry-run.

    Raises UserError or NotReady with every member's problems when it would not come as far as a plan.
    """
    try:
        joint = await _plan(operator, group, artifacts, members)
    except Refused as refused:
        raise _as_one(refused, {owner_of(member): sync_id(member) for member in members}) from refused
    parts = {m.start.owner: Part(m.start.sync, m.start.artifact, m.prepared) for m in joint.members}
    objects = await look_at(
        operator, joint.plan, joint.deferral, list(parts.values()), lambda key: parts[joint.shares.owner_of(key)]
    )
    warnings = (*_standing(members), *(w for part in parts.values() for w in part.prepared.rendered.warnings))
    revision = str(joint.members[0].start.artifact.revision)
    return Preview(revision, objects, warnings, group.name, tuple(parts))


async def _plan(
    operator: Operator, group: NamespacedName, artifacts: Mapping[Owner, Artifact], members: Sequence[Kustomization]
) -> JointPlan:
    wrong = check_members(members, operator.kustomizations)
    found = {owner_of(m): (*validate_kustomization(m, operator.rules), *wrong.get(owner_of(m), ())) for m in members}
    if refused := {member: UserError(*problems) for member, problems in found.items() if problems}:
        raise Refused(refused)
    owner = record_owner(group)
    record = operator.records.get(str(owner))
    record = record if is_open(record) else None
    union = await confirmed(operator, record) if record is not None else Inventory()
    starts = [await start_of(operator, m, artifacts[owner_of(m)], record, union) for m in members]
    return await GroupPlanner(operator, Planner(operator), _everything).prepare(owner, starts)


async def _everything(start: Start, manifests: tuple[Manifest, ...], kinds: Resources) -> Judged:
    """Who asks what would happen wants to see drift, too."""
    return Judged(start.inventory.ids())


def _standing(members: Sequence[Kustomization]) -> tuple[Problem, ...]:
    """While one is suspended, none of this happens."""
    return tuple(suspended(member) for member in members if member.spec.suspend)


def _as_one(refused: Refused, ids: Mapping[Owner, ResourceId]) -> SluiceError:
    """All that is wrong, with whose it is; what git or a spec must mend counts before what may mend itself."""
    found = dict.fromkeys(
        replace(problem, subject=problem.subject or ids[member])
        for member, error in refused.errors.items()
        for problem in error.problems
    )
    kind = UserError if any(isinstance(error, UserError) for error in refused.errors.values()) else NotReady
    return kind(*found)

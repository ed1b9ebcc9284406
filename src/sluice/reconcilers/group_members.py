"""Which Kustomizations are one group, and whether they can be one transaction. Pure: reads what watches brought."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sluice.api.kinds import IN_GROUP
from sluice.api.kustomization import Kustomization
from sluice.core import codes
from sluice.core.group import GROUP_MARK, group_owner
from sluice.core.ids import NamespacedName
from sluice.core.plan import Owner
from sluice.core.problem import Problem
from sluice.core.record import Record
from sluice.core.transaction_messages import OnFailure
from sluice.reconcilers.dependencies import dependencies_of, reachable
from sluice.reconcilers.operator import Objects, Operator
from sluice.reconcilers.sync_facts import group_of, owner_of, rollback_of, source_of, sync_id
from sluice.runtime.record_store import RecordStore

# What is wrong with a group, and not with what one of its members would build.
GROUP_CODES = frozenset((codes.GROUP_SOURCE, codes.GROUP_ON_FAILURE, codes.GROUP_DEPENDENCY, codes.GROUP_ROLLBACK))


@dataclass(frozen=True, slots=True)
class Scene:
    """What one turn is about. `gone` are members of the open transaction that have left the group since.

    `known` is False when the group's record can't be read: how far a transaction came is not known then.
    """

    group: NamespacedName
    members: tuple[Kustomization, ...]
    open: Record | None = None
    gone: tuple[Owner, ...] = ()
    known: bool = True

    @property
    def owner(self) -> Owner:
        """Under which name the group's transaction is recorded."""
        return record_owner(self.group)


def members_of(operator: Operator, group: NamespacedName) -> tuple[Kustomization, ...]:
    """The Kustomizations that say that they are of the group, by name; one that is being deleted has left it."""
    found = (s for s in operator.kustomizations.items() if group_of(s) == group and not s.metadata.deletionTimestamp)
    return tuple(sorted(found, key=lambda sync: sync.metadata.name))


def record_owner(group: NamespacedName) -> Owner:
    """Under which name the group's transaction is recorded."""
    return group_owner(group.namespace, group.name)


def open_group_of(operator: Operator, owner: Owner) -> NamespacedName | None:
    """The group whose transaction a sync is part of, whatever its annotation says by now."""
    for record in operator.records.groups():
        if record.shares is not None and owner in record.shares:
            return key_of(record)
    return None


def key_of(record: Record) -> NamespacedName:
    """The group that a group's record is of."""
    return NamespacedName(*record.owner.split(f"/{GROUP_MARK}", 1))


def recorded_groups(records: RecordStore) -> tuple[NamespacedName, ...]:
    """Every group that has a record: after a restart each is looked at once, whoever is left of it."""
    found = (owner.partition(f"/{GROUP_MARK}") for owner in records.owners())
    return tuple(NamespacedName(namespace, name) for namespace, mark, name in found if mark)


def check_members(members: Sequence[Kustomization], syncs: Objects[Kustomization]) -> dict[Owner, tuple[Problem, ...]]:
    """What keeps the members from being one transaction, by the member that has to change."""
    keys = {member.metadata.key for member in members}
    found = {
        owner_of(member): (
            *_other_source(member, members[0]),
            *_on_failure(member),
            *_depends_on_own(member, keys, syncs),
        )
        for member in members
    }
    return {owner: problems for owner, problems in found.items() if problems}


def _named(member: Kustomization) -> str:
    return f"group '{member.metadata.annotations.get(IN_GROUP, '')}'"


def _other_source(member: Kustomization, first: Kustomization) -> list[Problem]:
    if source_of(member) == source_of(first):
        return []
    return [
        Problem(
            codes.GROUP_SOURCE,
            f"it reads {source_of(member)}, but {owner_of(first)} of {_named(member)} reads {source_of(first)}",
            subject=sync_id(member),
            field="spec.sourceRef",
            cause="a group is taken from one revision of one source to the next",
            fix=f"let all of them read one source, or give this one another {IN_GROUP}",
        )
    ]


def _on_failure(member: Kustomization) -> list[Problem]:
    if member.spec.onFailure in {"", OnFailure.UNDO}:
        return []
    return [
        Problem(
            codes.GROUP_ON_FAILURE,
            f"spec.onFailure: {member.spec.onFailure} in {_named(member)}",
            subject=sync_id(member),
            field="spec.onFailure",
            cause="a group takes effect wholly or is undone wholly",
            fix=f"remove spec.onFailure, or the annotation {IN_GROUP}",
        )
    ]


def _depends_on_own(
    member: Kustomization, keys: Collection[NamespacedName], syncs: Objects[Kustomization]
) -> list[Problem]:
    """Members are applied together, so that none can wait for another to be ready, nor for what waits for another."""
    behind = set(reachable(member, syncs)) | set(dependencies_of(member))
    return [
        Problem(
            codes.GROUP_DEPENDENCY,
            f"it depends on Kustomization {key}, which is of {_named(member)} like itself",
            subject=sync_id(member),
            field="spec.dependsOn",
            cause="" if key in dependencies_of(member) else "one of its dependencies depends on that",
            fix="remove the dependency; inside a group the kinds, and sluice.dev/wave on objects, make the order",
        )
        for key in sorted((behind & set(keys)) - {member.metadata.key}, key=str)
    ]


def differing_rollbacks(members: Sequence[Kustomization]) -> dict[Owner, tuple[Problem, ...]]:
    """The members that are asked to go back where the others are not."""
    asked = {owner_of(member): rollback_of(member) for member in members}
    if len(set(asked.values())) < 2:
        return {}
    return {
        owner_of(member): (
            Problem(
                codes.GROUP_ROLLBACK,
                f"it is asked to go back to {rollback.to}, but not all of {_named(member)} are",
                subject=sync_id(member),
                cause="a group is at one revision",
                fix="ask all of them with `sluice rollback`, or take the request back with `sluice resume`",
            ),
        )
        for member in members
        if (rollback := asked[owner_of(member)]) is not None
    }


def suspended(member: Kustomization) -> Problem:
    """What a suspended member makes the others say."""
    return Problem(
        codes.GROUP_SUSPENDED,
        f"Kustomization {owner_of(member)} of {_named(member)} is suspended, so the group stands still",
        subject=sync_id(member),
        cause="a group is applied wholly or not at all",
        fix=f"resume it, or take it out of the group by removing its annotation {IN_GROUP}",
    )


def left(owners: Collection[Owner], group: NamespacedName) -> Problem:
    """Why a group's open transaction is undone although nothing in it has failed."""
    names = ", ".join(sorted(map(str, owners)))
    return Problem(
        codes.GROUP_LEFT,
        f"{names} left group '{group.name}' in the middle of its transaction, which was undone",
        cause="a group is applied wholly or not at all",
        fix="nothing: what is left of the group is tried again, and so is what left it",
    )

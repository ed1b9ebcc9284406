"""Several syncs as one transaction: their plans become one plan, its record becomes each member's record again.

A group's plan is a plan like any other, so that the one state machine runs it: everything is checked before the first
write, stages and kinds are ordered over all members, pruning comes last, and an undo takes everything back. Which
member an object belongs to is kept beside it, in `Shares`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from sluice.core import codes
from sluice.core.before_image import BeforeImage
from sluice.core.history import Past, remember
from sluice.core.ids import ResourceId
from sluice.core.inventory import Inventory
from sluice.core.plan import Action, Change, Owner, Plan, batches_of
from sluice.core.problem import Problem
from sluice.core.record import Record
from sluice.core.shares import Shares
from sluice.core.transaction_messages import Phase, UndoTarget

GROUP_MARK = "group:"


def group_owner(namespace: str, name: str) -> Owner:
    """Under which name a group's transaction is recorded: none that a Kustomization can have."""
    return Owner(namespace, f"{GROUP_MARK}{name}")


def group_name(owner: Owner) -> str:
    """The name in a group's owner."""
    return owner.name.removeprefix(GROUP_MARK)


def compose(group: Owner, members: Sequence[Plan]) -> tuple[Plan, Shares]:
    """Make one plan of the members' plans, and say whose each object is.

    An object that one member lets go and another wants is the other's: it is never pruned or released. Raises
    ValueError when two members want one object: the members' guards have to refuse that.
    """
    winners: dict[ResourceId, tuple[Change, Plan]] = {}
    for member in members:
        for change in member.changes():
            known = winners.get(change.id)
            if known is None or _weight(change) > _weight(known[0]):
                winners[change.id] = (change, member)
            elif change.manifest is not None:
                raise ValueError(f"{known[1].owner} and {member.owner} both want {change.id}")
    changes = [change for change, _ in winners.values()]
    # Two may have it on their lists after a move; whose it is now is who goes on having it.
    held = {e.id: (e, member.owner) for member in reversed(members) for e in member.before}
    held |= {key: (e, won.owner) for key, (_, won) in winners.items() if (e := won.before.get(key)) is not None}
    plan = Plan(
        owner=group,
        applies=batches_of(c for c in changes if c.action.applies),
        prunes=tuple(reversed(batches_of(c for c in changes if c.action is Action.PRUNE))),
        kept=tuple(c for c in changes if not c.action.applies and c.action is not Action.PRUNE),
        before=Inventory(entry for entry, _ in held.values()),
        during=Inventory(e for key, (_, won) in winners.items() if (e := won.during.get(key)) is not None),
        after=Inventory(e for key, (_, won) in winners.items() if (e := won.after.get(key)) is not None),
    )
    after = {key: won.owner for key, (_, won) in winners.items()}
    before = {key: owner for key, (_, owner) in held.items()}
    return plan, Shares(tuple(member.owner for member in members), after, before)


def _weight(change: Change) -> int:
    """Who wants an object has it before who deletes it, who waits for its deletion, and who lets it go."""
    if change.manifest is not None:
        return 3
    return {Action.PRUNE: 2, Action.KEEP: 1, Action.OFFER: 1}.get(change.action, 0)


def joint_target(parts: Iterable[tuple[Inventory, UndoTarget | None]]) -> UndoTarget | None:
    """Where a group goes back to when some of its members are in the middle of a transaction; None when none is.

    `parts` are, for each record that the group goes on from, its inventory and what it would go back to.
    """
    known = list(parts)
    if all(target is None for _, target in known):
        return None
    inventory = Inventory()
    images: dict[ResourceId, BeforeImage] = {}
    for held, target in known:
        inventory = inventory.union(target.inventory if target is not None else held)
        images |= target.images if target is not None else {}
    return UndoTarget(inventory, images)


def group_inputs(members: Mapping[Owner, str]) -> str:
    """Names what the outcome of a group's revision depends on: what each member's depends on."""
    text = "\n".join(f"{owner} {inputs}" for owner, inputs in sorted(members.items(), key=str))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def is_open(record: Record | None) -> bool:
    """True when a group's transaction is under way: neither committed nor undone."""
    return record is not None and record.shares is not None and not record.phase.ended


def entered(record: Record, present: Mapping[Owner, Record | None]) -> tuple[Record, ...]:
    """The members' records once the group's transaction has ended as `record` says.

    Entering twice is entering once: a crash may come between any two of them.
    """
    assert record.shares is not None  # noqa: S101 - the caller looked
    pasts = record.history or (None,) * len(record.shares.members)
    return tuple(
        Record(
            str(member),
            record.epoch,
            record.phase,
            record.revision,
            record.shares.part(member, record.inventory),
            failed=record.failed,
            history=_remembered(present.get(member), past),
        )
        for member, past in zip(record.shares.members, pasts, strict=True)
    )


def _remembered(record: Record | None, past: Past | None) -> tuple[Past, ...]:
    history = record.history if record is not None else ()
    return remember(history, past) if past is not None else history


def closed(record: Record) -> Record:
    """What is left of a group's record when its members' records hold all of it: the epoch, against old writers."""
    return Record(record.owner, record.epoch, Phase.DONE, record.revision, Inventory())


def mine(problems: Iterable[Problem], member: Owner, owners: Mapping[ResourceId, Owner]) -> tuple[Problem, ...]:
    """The problems of one member: those of its objects, and those that name no object of the group."""
    return tuple(p for p in problems if p.subject is None or owners.get(p.subject, member) == member)


def echo(problems: Sequence[Problem], failed: Owner, group: Owner, this: ResourceId, *, waits: bool = False) -> Problem:
    """What the others say when a member fails, or only `waits`: one line, which leads to the cause."""
    cause, how = problems[0], "waits" if waits else "failed"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return Problem(
        codes.GROUP_FAILED,
        f"Kustomization {failed} of group '{group_name(group)}' {how}, and the group with it",
        subject=this,
        cause=f"{cause.title}{more}",
        fix=f"look at Kustomization {failed}",
    )

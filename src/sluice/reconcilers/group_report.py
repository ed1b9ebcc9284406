"""What came of a group's turn → what each member says: who failed names the cause, the others name who. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sluice.core import codes, condition
from sluice.core.api_warning import warned
from sluice.core.group import echo, mine
from sluice.core.ids import ResourceId
from sluice.core.plan import Owner
from sluice.core.problem import Problem
from sluice.core.record import Record
from sluice.core.transaction import Transaction
from sluice.core.transaction_messages import OnFailure
from sluice.reconcilers.group_plan import JointPlan, Member
from sluice.reconcilers.kustomization_report import Turnout, of_transaction
from sluice.reconcilers.sync_facts import sync_id

Turnouts = dict[Owner, Turnout]


def of_ended(ended: Transaction, joint: JointPlan, revision: str, named: Mapping[ResourceId, Owner]) -> Turnouts:
    """The turnouts of a transaction that has ended. `named` says who asked for the health of what is no member's."""
    whole = of_transaction(ended, revision, "", (), gated=False)
    owners = {**named, **joint.shares.before, **joint.shares.after}
    undone = bool(ended.problems) and ended.failed_in is not None and ended.on_failure is OnFailure.UNDO
    final = joint.shares.settled(ended.inventory, undone=undone)
    committed = ended.failed_in is None
    found: Turnouts = {}
    for member in joint.members:
        owner, rendered = member.start.owner, member.prepared.rendered
        outcomes = tuple(o for o in ended.outcomes.values() if joint.shares.owner_of(o.id) == owner)
        own = replace(
            whole,
            digest=rendered.digest,
            warnings=(*rendered.warnings, *warned(joint.plan, outcomes)),
            inventory=final.part(owner, ended.inventory),
            outcomes=outcomes,
            gated=_gated(member),
        )
        roots, rest = mine(ended.problems, owner, owners), mine(_after(whole, ended), owner, owners)
        if whole.succeeded or roots:
            found[owner] = replace(own, problems=(*roots, *rest))
        elif committed:  # what is not deleted yet is another member's; this one has all that it wants
            found[owner] = replace(own, problems=(), reason=condition.RECONCILIATION_SUCCEEDED, stalled=False)
        else:
            reason = whole.reason if ended.undone or ended.undo_problems else condition.GROUP_NOT_READY
            told = _echo_of(joint, ended.problems, owners, member)
            found[owner] = replace(
                own, problems=(told, *rest), reason=reason, unhealthy=False, gated=False, echo=not rest
            )
    return found


def _after(whole: Turnout, ended: Transaction) -> tuple[Problem, ...]:
    """What is told beside why it failed: what could not be, or was not, taken back."""
    return whole.problems[len(ended.problems) :]


def _gated(member: Member) -> bool:
    spec = member.start.sync.spec
    return spec.wait or bool(spec.healthChecks)


def _echo_of(
    joint: JointPlan, problems: Sequence[Problem], owners: Mapping[ResourceId, Owner], member: Member
) -> Problem:
    first = problems[0]
    failed = owners.get(first.subject, joint.members[0].start.owner) if first.subject else joint.members[0].start.owner
    of_that = mine(problems, failed, owners)
    return echo(of_that, failed, joint.plan.owner, sync_id(member.start.sync))


def of_remembered(record: Record, joint: JointPlan, inventories: Mapping[Owner, Record], revision: str) -> Turnouts:
    """The turnouts of a revision that has been undone before and is not tried again."""
    assert record.failed is not None  # noqa: S101 - the caller looked
    owners = {**joint.shares.before, **joint.shares.after}
    roots = tuple(p for p in record.failed.problems if p.code is not codes.UNDO_KEPT)
    found: Turnouts = {}
    for member in joint.members:
        owner = member.start.owner
        own = mine(record.failed.problems, owner, owners)
        echoes = not mine(roots, owner, owners)
        problems = (_echo_of(joint, roots, owners, member), *own) if echoes and roots else own
        inventory = inventories[owner].inventory
        found[owner] = Turnout(
            revision, problems, condition.UNDONE, stalled=True, inventory=inventory, echo=echoes and not own
        )
    return found


def of_refused(group: Owner, own: Turnouts, others: Mapping[Owner, ResourceId]) -> Turnouts:
    """`own` are those of the members that can't be taken on; the `others` wait, or stop, with them."""
    failed, turnout = next(iter(own.items()))
    reason = turnout.reason if turnout.waiting else condition.GROUP_NOT_READY
    told = {
        owner: Turnout(
            turnout.revision,
            (echo(turnout.problems, failed, group, this, waits=turnout.waiting),),
            reason,
            stalled=all(each.stalled for each in own.values()),
            waiting=any(each.waiting for each in own.values()),
            echo=True,
        )
        for owner, this in others.items()
    }
    return {**own, **told}

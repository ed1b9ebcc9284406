"""Objects that git moves from one sync to another: they are handed over and keep their UID, whichever runs first.

Who wants an object is asked of git, not of turns: before one sync deletes what has left it, and before another takes
what carries the first one's labels, the other side's desired state is rendered at the artifact that is there now. A
render is kept by its inputs, and the other's own turn needs the same one. A sync is asked again only when something
about it has changed since: a commit that takes objects from a thousand syncs asks each of them once, not a thousand
times.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from sluice.api.kustomization import Kustomization
from sluice.api.validate_kustomization import validate_kustomization
from sluice.core import codes
from sluice.core.artifact import Artifact
from sluice.core.condition import READY, find_condition
from sluice.core.errors import NotReady, SluiceError, StateError
from sluice.core.ids import ResourceId
from sluice.core.manifest import Manifest
from sluice.core.plan import Action, Live, Owner, Plan, PlanOptions
from sluice.core.problem import Problem
from sluice.kube.resource import Resource
from sluice.reconcilers.coming_syncs import syncs_in, takers_to_come
from sluice.reconcilers.live_state import find_live
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.possible_takers import Possible, Silent, desired, possible_takers, problems_of
from sluice.reconcilers.sync_facts import owner_of, rollback_of, source_of, sync_id
from sluice.runtime.together import together


def version_of(sync: Kustomization, artifact: Artifact) -> str:
    """Names what a desired state was rendered from, as far as its ids depend on it."""
    return f"{artifact.revision} {artifact.digest} {sync.metadata.uid} {sync.metadata.generation}"


@dataclass(frozen=True, slots=True)
class HandOver:
    """Who is to have which objects that have left a sync; of `unsure` ones, why they may be for one of these.

    Where a taker is still to be made, `parents` says by whom.
    """

    takers: dict[ResourceId, tuple[Owner, ...]] = field(default_factory=dict)
    unsure: dict[ResourceId, Possible] = field(default_factory=dict)
    parents: dict[ResourceId, Owner] = field(default_factory=dict)

    def within(self, options: PlanOptions) -> PlanOptions:
        """The options of a plan that holds these."""
        return replace(options, handed_over=self.takers, unsure={key: p.reason for key, p in self.unsure.items()})


def claim(
    operator: Operator,
    sync: Kustomization,
    artifact: Artifact,
    wanted: Iterable[ResourceId],
    makes: tuple[Manifest, ...] = (),
) -> None:
    """From now on the sync claims exactly `wanted`, which it has in its desired state at that artifact.

    `makes` are the Kustomizations of that, unless they have been made.
    """
    owner = owner_of(sync)
    operator.claims.replace(owner, wanted, version_of(sync, artifact), makes)
    operator.doubts.cast(owner)  # another artifact may have come since its turn began


async def plan_leaving(
    operator: Operator,
    owner: Owner,
    leaving: Collection[ResourceId],
    wanted: Collection[ResourceId],
    resources: Mapping[ResourceId, Resource | None],
    build: Callable[[Callable[[ResourceId], Live | None], HandOver], Plan],
    makes: tuple[Manifest, ...] = (),
) -> Plan:
    """What `build` makes of what is live of `wanted`, and of who is to have which of `leaving`.

    `makes` are the Kustomizations of the owner's own desired state.
    Those who are to have something wake `owner` when they may have it. One of which something has changed before that
    was noted would wake nobody: then all of it is looked at again. Raises NotReady, ClusterError, StateError.
    """
    while True:
        with operator.wishes.looking() as changed:
            live = await find_live(operator, owner, wanted, resources)
            handed = await takers_of(operator, owner, leaving, live.get, makes)
            plan = build(live.__getitem__, handed)
            takers = note_offers(operator, plan, handed)
        if takers.isdisjoint(changed) and not await came_back(operator, plan, live, resources):
            return plan


async def takers_of(
    operator: Operator,
    owner: Owner,
    leaving: Collection[ResourceId],
    live: Callable[[ResourceId], Live | None],
    makes: tuple[Manifest, ...],
) -> HandOver:
    """Who is to have which of `leaving`, which `owner` holds until then: git may change, and a taking be undone.

    Those are the syncs that have an object of `owner`'s in their desired state now, or wait for it, or will as soon as
    they are made; and who has taken one in a transaction that may still give it back. And those that stand still, or
    can't be rendered, and may want it: of what they can't be made of, everything else is deleted. Raises NotReady when
    one has not been seen yet because its source is being fetched for the first time since the start; StateError.
    """
    if not leaving:
        return HandOver()
    silent: Silent = {}
    await operator.doubts.settle(owner, lambda others: _ask(operator, others, silent))
    found: dict[ResourceId, tuple[Owner, ...]] = {}
    unwanted: list[ResourceId] = []
    for key in leaving:
        seen = live(key)
        has = seen.owner if seen is not None else None
        if has == owner:
            wanting = {*operator.claims.others(owner, key), *operator.wishes.others(owner, key)}
            found[key] = tuple(sorted(wanting, key=str))
            if not wanting:
                unwanted.append(key)
        elif has is not None and _is_taking(operator, has, key):
            found[key] = (has,)
    coming = await takers_to_come(operator, owner, unwanted, makes, silent)
    unsure = {**coming.unsure, **await possible_takers(operator, coming.left(unwanted), silent)}
    found |= {key: (taker,) for key, taker in coming.takers.items()}
    found |= {key: (possible.owner,) for key, possible in unsure.items()}
    return HandOver({key: takers for key, takers in found.items() if takers}, unsure, coming.parents)


def _is_taking(operator: Operator, taker: Owner, resource: ResourceId) -> bool:
    """Whether the taker's transaction, or its group's, is open and would give the object back if it were undone."""
    if operator.kustomizations.get(taker.namespace, taker.name) is None:
        return False  # nobody would undo it
    try:
        own = operator.records.get(str(taker))
    except StateError:
        return True
    joint = (record for record in operator.records.groups() if record.shares is not None and taker in record.shares)
    return any(
        record is not None and not record.phase.ended and record.target is not None and resource in record.target.images
        for record in (own, *joint)
    )


async def came_back(
    operator: Operator,
    plan: Plan,
    live: Mapping[ResourceId, Live | None],
    resources: Mapping[ResourceId, Resource | None],
) -> bool:
    """Whether `plan` lets go of an object for another sync that has given it back by now: it is to be made anew.

    That one's transaction may have been undone after the look at the object, and before it was asked for. Now that it
    is known not to be open, a second look tells. Raises ClusterError.
    """
    owners = {c.id: found.owner for c in plan.kept if c.action is Action.RELEASE and (found := live[c.id]) is not None}
    passed_on = [key for key, has in owners.items() if has not in {None, plan.owner}]
    again = await find_live(operator, plan.owner, passed_on, resources)
    return any(found is not None and found.owner == plan.owner for found in again.values())


def note_offers(operator: Operator, plan: Plan, handed: HandOver) -> frozenset[Owner]:
    """From now on the plan's sync is woken when one of those that it holds something for may have taken it: these."""
    offered = [change.id for change in plan.kept if change.action is Action.OFFER]
    takers = frozenset(taker for key in offered for taker in handed.takers[key])
    takers |= {handed.parents[key] for key in offered if key in handed.parents}
    operator.wishes.offer(plan.owner, takers)
    held = {key: handed.unsure[key] for key in offered if key in handed.unsure}
    operator.wishes.hold(plan.owner, problems_of(held))
    return takers


async def _ask(operator: Operator, owners: Collection[Owner], silent: Silent) -> Collection[Owner]:
    """Ask each what it wants now; returns those that could not say, and are to be asked again.

    They are noted in `silent`, too.
    """
    syncs = {o: s for o in owners if (s := operator.kustomizations.get(o.namespace, o.name)) is not None}
    for gone in owners - syncs.keys():
        operator.claims.drop(gone)
    for sync in syncs.values():
        _refuse_unseen(operator, sync)
    wanted = await together(_wanted_by(operator, sync) for sync in syncs.values())
    for each, ids in zip(syncs, wanted, strict=True):
        if not isinstance(ids, frozenset):
            silent[each] = ids
            operator.claims.unsee(each)
    return silent.keys()


def _refuse_unseen(operator: Operator, sync: Kustomization) -> None:
    source = source_of(sync)
    if sync.spec.suspend or operator.artifacts.get(source) is not None or _is_invalid(operator, sync):
        return
    read = operator.git_repositories.get(source.namespace, source.name)
    if read is None or read.spec.suspend:
        return
    ready = find_condition(read.status.conditions, READY)
    if ready is None or ready.status != "False":
        raise NotReady(
            Problem(
                codes.SOURCE_MISSING,
                f"{source} has fetched no revision yet, and may move objects that have left this one",
                subject=sync_id(sync),
                fix="wait for it",
            )
        )


async def holders_of(operator: Operator, owner: Owner, plan: Plan) -> dict[ResourceId, Owner]:
    """The objects of `plan` that another sync still holds, and which: they are not taken from it."""
    asked: dict[Owner, set[ResourceId]] = {}
    for batch in plan.applies:
        for change in batch.changes:
            for other in (operator.claims.get(change.id), change.previous):
                if other is not None and other != owner:
                    asked.setdefault(other, set()).add(change.id)
    holders: dict[ResourceId, Owner] = {}
    for other, ids in asked.items():
        sync = operator.kustomizations.get(other.namespace, other.name)
        if sync is None:
            continue  # nobody reconciles it: what it left behind may be adopted
        wanted = await _wanted_by(operator, sync)
        held = ids & wanted if isinstance(wanted, frozenset) else {i for i in ids if _held(operator, sync, other, i)}
        holders |= dict.fromkeys(held, other)
    return holders


async def _wanted_by(operator: Operator, sync: Kustomization) -> frozenset[ResourceId] | SluiceError | None:
    """The ids of a sync's desired state at the artifact of now; why it can't be rendered; None when it is not asked.

    One that was rolled back is not where git is: it has what it has.
    """
    if sync.metadata.deletionTimestamp:
        operator.claims.unsee(owner_of(sync))
        return frozenset()
    artifact = operator.artifacts.get(source_of(sync))
    if artifact is None or sync.spec.suspend or rollback_of(sync) is not None:
        return None
    owner, version = owner_of(sync), version_of(sync, artifact)
    known = operator.claims.seen(owner, version)
    if known is None:
        try:
            manifests = await desired(operator, sync, artifact)
        except SluiceError as error:
            return error
        known = frozenset(manifest.id for manifest in manifests)
        operator.claims.note(owner, known, version, syncs_in(manifests))
    return known


def _is_invalid(operator: Operator, sync: Kustomization) -> bool:
    return bool(validate_kustomization(sync, operator.rules))


def _held(operator: Operator, sync: Kustomization, owner: Owner, resource: ResourceId) -> bool:
    """Whether a sync that can't be asked has the object, as far as its record says; in doubt it has."""
    if operator.claims.get(resource) == owner:
        return True
    try:
        record = operator.records.get(str(owner))
    except StateError:
        return True
    return resource in record.inventory if record is not None else bool(sync.status.lastAppliedRevision)

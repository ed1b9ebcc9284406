"""Reasons to refuse a plan before anything is written. Each names the field that allows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from sluice.core import codes
from sluice.core.adoption import Adopt
from sluice.core.ids import GroupKind, ResourceId
from sluice.core.manifest import Manifest
from sluice.core.order import CRD, NAMESPACE
from sluice.core.plan import Action, Change, Owner, Plan
from sluice.core.problem import Problem

MAX_NAMED = 20
RECORD_PREFIX = "sluice-record-"


@dataclass(frozen=True, slots=True)
class OwnParts:
    """The operator's own objects. No sync may write `untouchable` ones or records in `home`, nor prune `kept` ones."""

    untouchable: frozenset[ResourceId] = frozenset()
    kept: frozenset[ResourceId] = frozenset()
    home: str = ""

    def forbid(self, change: Change) -> bool:
        """True when `change` could stop the operator, or make it believe what is not so."""
        if change.action is Action.PRUNE:
            return self.include(change.id)
        return change.action.applies and self.include(change.id) and change.id not in self.kept

    def include(self, key: ResourceId) -> bool:
        """True for a part of the operator."""
        secret = (key.group, key.kind, key.namespace) == ("", "Secret", self.home)
        return key in self.untouchable or key in self.kept or (secret and key.name.startswith(RECORD_PREFIX))


@dataclass(frozen=True, slots=True)
class GuardOptions:
    """`prune_limit` is the share of the inventory, in percent, that one revision may prune; None is no limit.

    `is_sync` is true of owners that are syncs of ours: what one of them lets go is handed over, not adopted. `crd_of`
    is the name that the CRD of an object's kind has, where it is of one that is served. `others_in` are the other syncs
    that have objects in a namespace, each with one of them.
    """

    allow_empty: bool = False
    prune_limit: int | None = None
    own: OwnParts = OwnParts()
    is_sync: Callable[[Owner], bool] = lambda owner: False
    crd_of: Callable[[ResourceId], str] = lambda resource: ""
    others_in: Callable[[str], Mapping[Owner, ResourceId]] = lambda namespace: {}


def guard(plan: Plan, options: GuardOptions, claimed: Callable[[ResourceId], Owner | None]) -> tuple[Problem, ...]:
    """Every reason to refuse `plan`. `claimed` names another sync whose own desired state holds the object."""
    problems = [*_empty(plan, options), *_pruning(plan, options), *_contradictions(plan, options)]
    for change in plan.changes():
        problems += _protected(change, options)
        problems += _adopted(change, options)
        if change.action.applies and (other := claimed(change.id)) is not None and other != plan.owner:
            problems.append(_owned(change, other))
    return tuple(problems)


def _empty(plan: Plan, options: GuardOptions) -> list[Problem]:
    desired = any(change.manifest is not None for change in plan.changes())
    if desired or options.allow_empty or not plan.prunes:
        return []
    return [
        Problem(
            codes.EMPTY_RENDER,
            f"the revision has no objects, but {len(plan.before)} are in the cluster",
            cause="applying it would delete all of them",
            fix="restore the files, or set spec.allowEmpty: true to confirm",
            field="spec.allowEmpty",
        )
    ]


def _pruning(plan: Plan, options: GuardOptions) -> list[Problem]:
    pruned = [c for batch in plan.prunes for c in batch.changes]
    if options.prune_limit is None or len(pruned) * 100 <= options.prune_limit * len(plan.before):
        return []
    names = ", ".join(str(c.id) for c in pruned[:MAX_NAMED])
    more = f" and {len(pruned) - MAX_NAMED} more" if len(pruned) > MAX_NAMED else ""
    return [
        Problem(
            codes.PRUNE_LIMIT,
            f"the revision would prune {len(pruned)} of {len(plan.before)} objects, over the limit of "
            f"{options.prune_limit} %",
            cause=names + more,
            fix="raise spec.pruneLimit for this revision",
            field="spec.pruneLimit",
        )
    ]


def _contradictions(plan: Plan, options: GuardOptions) -> list[Problem]:
    """A Namespace takes all that is in it along, a CRD all objects of its kind: what the revision itself wants, too."""
    problems = []
    for change in (c for batch in plan.prunes for c in batch.changes if c.id.group_kind in {NAMESPACE, CRD}):
        needing = [
            c.manifest
            for c in plan.changes()
            if c.manifest is not None
            and change.id.name == (c.id.namespace if change.id.group_kind == NAMESPACE else options.crd_of(c.id))
        ]
        if needing:
            problems.append(_contradiction(change, needing))
        elif change.id.group_kind == NAMESPACE and (others := options.others_in(change.id.name)):
            problems.append(_inhabited(change, others))
    return problems


def _contradiction(change: Change, needing: list[Manifest]) -> Problem:
    named = ", ".join(str(m.id) for m in needing[:MAX_NAMED])
    more = f" and {len(needing) - MAX_NAMED} more" if len(needing) > MAX_NAMED else ""
    return Problem(
        codes.PRUNES_ITS_OWN,
        f"{change.id} has left git, and objects that are still there need it",
        subject=change.id,
        origin=needing[0].origin,
        cause=f"pruning it would delete {named}{more}",
        fix=f"restore it in git, or take them out, too; or annotate it in the cluster with {_PRUNE}: disabled",
    )


def _inhabited(change: Change, others: Mapping[Owner, ResourceId]) -> Problem:
    named = ", ".join(sorted(f"{resource} of {owner}" for owner, resource in others.items())[:MAX_NAMED])
    return Problem(
        codes.PRUNES_OTHERS,
        f"{change.id} has left git, and other Kustomizations have objects in it",
        subject=change.id,
        cause=f"pruning it would delete {named}",
        fix=f"take them out of git, too, or restore it; or annotate it in the cluster with {_PRUNE}: disabled",
    )


_PRUNE = "kustomize.toolkit.fluxcd.io/prune"


def _protected(change: Change, options: GuardOptions) -> list[Problem]:
    if not options.own.forbid(change):
        return []
    return [
        Problem(
            codes.SELF_PROTECT,
            f"{change.id} is part of the operator itself",
            subject=change.id,
            origin=change.manifest.origin if change.manifest else None,
            cause="a sync that changed or deleted it could stop the operator in the middle of its own transaction",
            fix=(
                "remove it from this sync; install and upgrade the operator with `sluice install`"
                if change.manifest
                else "annotate it in the cluster with kustomize.toolkit.fluxcd.io/prune: disabled; it is kept then"
            ),
        )
    ]


def _adopted(change: Change, options: GuardOptions) -> list[Problem]:
    handed_over = change.previous is not None and options.is_sync(change.previous)
    if change.action is not Action.ADOPT or handed_over:
        return []
    problem = refuse_adoption(change, change.previous, change.mark)
    return [problem] if problem is not None else []


def _owned(change: Change, other: Owner) -> Problem:
    return Problem(
        codes.OWNED_BY_ANOTHER,
        f"{change.id} belongs to Kustomization {other}",
        subject=change.id,
        origin=change.manifest.origin if change.manifest else None,
        cause="both syncs have it in their desired state",
        fix=f"remove it from one of them; once {other} no longer has it, it is handed over",
    )


def refuse_adoption(change: Change, previous: Owner | None, mark: str) -> Problem | None:
    """Why an object that exists may not be taken over, or None when it may. `previous` is whose labels it carries."""
    who = f"Kustomization {previous}" if previous is not None else mark
    if change.adopt is Adopt.ALWAYS or (change.adopt is Adopt.IF_UNOWNED and not who):
        return None
    allows = Adopt.ALWAYS if who else Adopt.IF_UNOWNED
    return Problem(
        codes.NOT_ADOPTED,
        f"{change.id} exists and is not this Kustomization's",
        subject=change.id,
        origin=change.manifest.origin if change.manifest else None,
        cause=f"it seems to belong to {who}" if who else "it carries nobody's mark, and spec.adopt is Never",
        fix=f"set spec.adopt: {allows} to take it over, remove it from git, or delete it in the cluster",
        field="spec.adopt",
    )


def check_namespaces(manifests: Iterable[Manifest], scope: Callable[[GroupKind], bool | None]) -> tuple[Problem, ...]:
    """Refuse namespaced objects without a namespace, and a namespace on cluster-scoped ones.

    `scope` is True for namespaced kinds, False for cluster-scoped ones, None where nobody knows (the dry-run says).
    """
    problems = []
    for manifest in manifests:
        namespaced = scope(manifest.id.group_kind)
        if namespaced is True and not manifest.id.namespace:
            problems.append(
                Problem(
                    codes.NAMESPACE_MISSING,
                    f"{manifest.id} names no namespace",
                    subject=manifest.id,
                    origin=manifest.origin,
                    field="metadata.namespace",
                    fix="set metadata.namespace, or spec.targetNamespace of the Kustomization",
                )
            )
        elif namespaced is False and manifest.id.namespace:
            problems.append(
                Problem(
                    codes.NAMESPACE_NOT_ALLOWED,
                    f"{manifest.id.kind} {manifest.id.name} is cluster-scoped, but names namespace "
                    f"{manifest.id.namespace}",
                    subject=manifest.id,
                    origin=manifest.origin,
                    field="metadata.namespace",
                    fix="remove metadata.namespace",
                )
            )
    return tuple(problems)

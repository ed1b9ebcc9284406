"""Syncs that can't say what they want now, and may want an object that has left another one: it is not to be lost.

Git may have moved the object to a sync that can't be rendered at that very commit, or that stands still: it is
suspended, or rolled back. What such a sync may still define is told from the text of its files, or from its render at
the present artifact, and only when something is about to be deleted.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import msgspec

from sluice.api.kustomization import Kustomization, KustomizationSpec
from sluice.api.validate_kustomization import validate_kustomization
from sluice.core import codes
from sluice.core.artifact import Artifact
from sluice.core.errors import SluiceError, UserError
from sluice.core.ids import ResourceId
from sluice.core.manifest import Manifest
from sluice.core.plan import Owner
from sluice.core.problem import Problem, clip
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.rendering import render_sync
from sluice.reconcilers.sync_facts import owner_of, source_of
from sluice.render import RenderInput, possible_objects

MAX_NAMED = 20
MAX_WHY = 500

# Who could not say what it wants, and why it can't be rendered; None for one that was not asked, for it stands still.
Silent = dict[Owner, SluiceError | None]


@dataclass(frozen=True, slots=True)
class Possible:
    """A sync that may be to take an object over, and what keeps it from that: `why`, and how to go on."""

    owner: Owner
    why: str
    fix: str

    @property
    def reason(self) -> str:
        """What a plan says of the object."""
        return f"{self.owner} {self.why}"


async def desired(operator: Operator, sync: Kustomization, artifact: Artifact) -> tuple[Manifest, ...]:
    """The sync's desired state at an artifact. Raises UserError, NotReady, ClusterError."""
    if problems := validate_kustomization(sync, operator.rules):
        raise UserError(*problems)
    rendered = await render_sync(operator, sync, owner_of(sync), artifact)
    return rendered.manifests


async def possible_takers(
    operator: Operator, leaving: Collection[ResourceId], silent: Mapping[Owner, SluiceError | None]
) -> dict[ResourceId, Possible]:
    """Which of `leaving` which of the `silent` syncs may want: of several the first by name. Raises StateError."""
    found: dict[ResourceId, Possible] = {}
    for owner in sorted(silent, key=str):
        left = [key for key in leaving if key not in found]
        sync = operator.kustomizations.get(owner.namespace, owner.name)
        artifact = operator.artifacts.get(source_of(sync)) if sync is not None else None
        if not left or sync is None or artifact is None:
            continue  # of what has never been fetched nothing can be said
        error = silent[owner]
        if error is None:
            try:
                wanted = {manifest.id for manifest in await desired(operator, sync, artifact)}
                found |= dict.fromkeys((key for key in left if key in wanted), standing_still(sync))
                continue
            except SluiceError as failure:
                error = failure
        found |= dict.fromkeys(await mentioned_by(operator, sync, artifact, left), broken(owner, error))
    return found


async def mentioned_by(
    operator: Operator, sync: Kustomization, artifact: Artifact, wanted: Collection[ResourceId]
) -> list[ResourceId]:
    """Those of `wanted` that the sync may define, by the text of its files. Raises StateError."""
    given = RenderInput(artifact.tree, artifact.blobs, artifact.revision.hex, sync.spec, {}, {}, lambda _: None)
    return sorted(await possible_objects(given, wanted, generated=operator.renderer.generators is not None))


async def mentioned_in_tree(
    operator: Operator, sync: Kustomization, wanted: Collection[ResourceId]
) -> list[ResourceId]:
    """Those of `wanted` that any file of the sync's source may define. Raises StateError."""
    artifact = operator.artifacts.get(source_of(sync))
    whole = msgspec.structs.replace(
        sync, spec=KustomizationSpec(interval="", prune=True, sourceRef=sync.spec.sourceRef)
    )
    return await mentioned_by(operator, whole, artifact, wanted) if artifact is not None else []


def problems_of(held: Mapping[ResourceId, Possible]) -> tuple[Problem, ...]:
    """What people are told of objects that are held for such syncs: one problem for each of these."""
    by_taker: dict[Possible, list[ResourceId]] = {}
    for key, possible in sorted(held.items()):
        by_taker.setdefault(possible, []).append(key)
    return tuple(
        Problem(codes.MAY_BE_MOVED, _left(ids), None, None, "", f"Kustomization {possible.reason}", possible.fix)
        for possible, ids in by_taker.items()
    )


def _left(ids: list[ResourceId]) -> str:
    more = f" and {len(ids) - MAX_NAMED} more" if len(ids) > MAX_NAMED else ""
    verb = "have left and are" if len(ids) > 1 else "has left and is"
    return f"{', '.join(map(str, ids[:MAX_NAMED]))}{more} {verb} not pruned"


def standing_still(sync: Kustomization) -> Possible:
    """Of one that is suspended or rolled back, and wants the object."""
    meta = sync.metadata
    state = "suspended" if sync.spec.suspend else "rolled back"
    fix = f"`sluice resume ks {meta.name} -n {meta.namespace}`, and it takes that over; or remove it there"
    return Possible(owner_of(sync), f"is to take that over, and is {state}", fix)


def broken(owner: Owner, error: SluiceError) -> Possible:
    """Of one that can't be rendered."""
    why = f"may define that, and can't be rendered: {clip(str(error.problems[0]), MAX_WHY)}"
    return Possible(owner, why, f"mend {owner}: it then takes over what it wants, and the rest is pruned; or delete "
                    "by hand what nobody needs")  # fmt: skip

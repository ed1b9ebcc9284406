"""Problems that the cluster found, taken back to the line of git they are about, with the field that was meant."""

from __future__ import annotations

from dataclasses import replace

from sluice.core import codes
from sluice.core.artifact import Artifact
from sluice.core.manifest import Manifest
from sluice.core.problem import Problem, clip
from sluice.kube.openapi import Schemas
from sluice.render import field_origin

MAX_LOCATED = 50


async def with_places(
    problems: tuple[Problem, ...], artifact: Artifact, manifests: tuple[Manifest, ...], schemas: Schemas
) -> tuple[Problem, ...]:
    """The same problems; those about a field of a file say in which line and column it stands."""
    of = {m.id: m for m in manifests}
    placed: list[Problem] = []
    for number, problem in enumerate(problems):
        if number >= MAX_LOCATED:
            placed.append(problem)
            continue
        manifest = of.get(problem.subject) if problem.subject is not None else None
        refined = (problem,) if manifest is None else await _refined(problem, manifest, schemas)
        placed += [await _located(each, artifact) for each in refined]
    return tuple(placed)


async def _refined(problem: Problem, manifest: Manifest, schemas: Schemas) -> tuple[Problem, ...]:
    """What the schema of its kind adds: the field that was meant, or which quantities can't be read."""
    api_version, kind = manifest.api_version, manifest.id.kind
    if problem.code is codes.UNKNOWN_FIELD:
        meant = await schemas.nearest_field(api_version, kind, problem.field)
        return (replace(problem, fix=f'did you mean "{meant}"?') if meant else problem,)
    if problem.code is codes.BAD_TYPE and not problem.field:
        found = await schemas.bad_quantities(api_version, kind, manifest.body)
        each = (
            replace(problem, title=f"{path} is no quantity", field=path, cause=f"it is {clip(text, 100)!r}")
            for path, text in found[:MAX_LOCATED]
        )
        return tuple(each) or (problem,)
    return (problem,)


async def _located(problem: Problem, artifact: Artifact) -> Problem:
    if problem.origin is None or not problem.field:
        return problem
    return replace(problem, origin=await field_origin(artifact.tree, artifact.blobs, problem.origin, problem.field))

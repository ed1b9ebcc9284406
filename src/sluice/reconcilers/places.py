"""Problems that the cluster found, taken back to the line of git they are about, with the field that was meant."""

from __future__ import annotations

from dataclasses import replace

from sluice.core import codes
from sluice.core.artifact import Artifact
from sluice.core.manifest import Manifest
from sluice.core.problem import Problem
from sluice.kube.openapi import Schemas
from sluice.render import field_origin

MAX_LOCATED = 50


async def with_places(
    problems: tuple[Problem, ...], artifact: Artifact, manifests: tuple[Manifest, ...], schemas: Schemas
) -> tuple[Problem, ...]:
    """The same problems; those about a field of a file say in which line and column it stands."""
    versions = {m.id: m.api_version for m in manifests}
    placed = []
    for number, problem in enumerate(problems):
        if number < MAX_LOCATED:
            problem = await _located(problem, artifact)  # noqa: PLW2901 - each step refines the same problem
            api_version = versions.get(problem.subject) if problem.subject is not None else None
            if problem.code is codes.UNKNOWN_FIELD and problem.subject is not None and api_version is not None:
                meant = await schemas.nearest_field(api_version, problem.subject.kind, problem.field)
                if meant:
                    problem = replace(problem, fix=f'did you mean "{meant}"?')  # noqa: PLW2901
        placed.append(problem)
    return tuple(placed)


async def _located(problem: Problem, artifact: Artifact) -> Problem:
    if problem.origin is None or not problem.field:
        return problem
    return replace(problem, origin=await field_origin(artifact.tree, artifact.blobs, problem.origin, problem.field))

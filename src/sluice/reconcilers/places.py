"""Problems that the cluster found, taken back to the line of git they are about, with the field that was meant."""

from __future__ import annotations

from dataclasses import replace

from sluice.core import codes
from sluice.core.artifact import Artifact
from sluice.core.manifest import Manifest
from sluice.core.problem import Problem
from sluice.core.yaml_position import locate
from sluice.kube.openapi import Schemas

MAX_LOCATED = 50


async def with_places(
    problems: tuple[Problem, ...], artifact: Artifact, manifests: tuple[Manifest, ...], schemas: Schemas
) -> tuple[Problem, ...]:
    """The same problems; those about a field of a file say in which line and column it stands."""
    versions = {m.id: m.api_version for m in manifests}
    texts: dict[str, bytes] = {}
    placed = []
    for number, problem in enumerate(problems):
        if number < MAX_LOCATED:
            problem = await _located(problem, artifact, texts)  # noqa: PLW2901 - each step refines the same problem
            api_version = versions.get(problem.subject) if problem.subject is not None else None
            if problem.code is codes.UNKNOWN_FIELD and problem.subject is not None and api_version is not None:
                meant = await schemas.nearest_field(api_version, problem.subject.kind, problem.field)
                if meant:
                    problem = replace(problem, fix=f'did you mean "{meant}"?')  # noqa: PLW2901
        placed.append(problem)
    return tuple(placed)


async def _located(problem: Problem, artifact: Artifact, texts: dict[str, bytes]) -> Problem:
    origin = problem.origin
    if origin is None or not origin.line or not problem.field or origin.renderer:
        return problem
    entry = artifact.tree.by_path.get(origin.path)
    if entry is None:
        return problem
    if origin.path not in texts:
        texts[origin.path] = (await artifact.blobs.read([entry]))[0]
    position = locate(texts[origin.path], origin.line, problem.field)
    if position is None:
        return problem
    return replace(problem, origin=replace(origin, line=position.line, column=position.column))

"""What a render depends on, and what follows from it for each object."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec

from sluice.api.kustomization import KustomizationSpec
from sluice.core import codes
from sluice.core.artifact import BlobReader, FileTree
from sluice.core.errors import UserError
from sluice.core.ids import GroupKind
from sluice.core.manifest_check import Finding
from sluice.core.manifest_make import Finishing
from sluice.core.problem import Problem
from sluice.core.substitute_object import bad_names, substitute_object
from sluice.render.links import Escape, Links, normal
from sluice.render.scope import TargetNamespace

RENDERER_VERSION = "1"


@dataclass(frozen=True, slots=True)
class RenderInput:
    """All that a render depends on.

    `variables` are those of `substituteFrom`, already read; the spec's own win over them. `scope` says whether a kind
    is namespaced, None when nobody knows yet.
    """

    tree: FileTree
    blobs: BlobReader
    commit: str
    spec: KustomizationSpec
    owner_labels: Mapping[str, str]
    variables: Mapping[str, str]
    scope: Callable[[GroupKind], bool | None]


def find_folder(given: RenderInput, links: Links) -> str:
    """Find the folder of spec.path: `./apps`, `/apps` and `apps/` are one. Raises UserError when it is not there."""
    try:
        folder = links.resolve(normal(given.spec.path))
    except Escape as escape:
        title = "spec.path leaves the source"
        problem = Problem(codes.PATH_ESCAPE, title, None, None, "spec.path", escape.reason, "keep it inside")
        raise UserError(problem) from None
    if given.tree.has_folder(folder):
        return folder
    folders = {p.rsplit("/", depth)[0] for p in given.tree.by_path for depth in range(1, p.count("/") + 1)}
    near = difflib.get_close_matches(folder, sorted(folders), n=3, cutoff=0.5)
    cause = "it is a file" if folder in given.tree.by_path else f"at commit {given.commit[:7]}" if given.commit else ""
    fix = f"did you mean {' or '.join(near)}?" if near else "correct spec.path"
    raise UserError(Problem(codes.PATH_MISSING, f"no folder {folder!r}", None, None, "spec.path", cause, fix))


def variables_of(given: RenderInput) -> dict[str, str] | None:
    """Give the variables to substitute, None when nothing is to be substituted. Raises UserError for a bad name."""
    post_build = given.spec.postBuild
    if post_build is None:
        return None
    variables = {name: text.replace("\n", "") for name, text in {**given.variables, **post_build.substitute}.items()}
    rule = "letters, digits and '_', no digit first"
    problems = [
        Problem(
            codes.VARIABLE_INVALID, f"{name!r} is no variable name", None, None, "spec.postBuild", rule, "rename it"
        )
        for name in bad_names(variables)
    ]
    if problems:
        raise UserError(*problems)
    return variables if variables or post_build.substituteStrategy == "Always" else None


def finishing_of(
    given: RenderInput, variables: Mapping[str, str] | None, namespace: TargetNamespace | None
) -> Finishing:
    """Say what is done to each object of this sync after it is built."""
    common = given.spec.commonMetadata
    labels, annotations = (common.labels, common.annotations) if common is not None else ({}, {})
    substitute: Callable[[dict[str, Any]], tuple[dict[str, Any], list[Finding]]] | None = None
    if variables is not None:
        substitute = partial(substitute_object, variables=variables)
    return Finishing(given.owner_labels, labels, annotations, namespace, substitute)


def transform_digest(given: RenderInput, variables: Mapping[str, str] | None) -> bytes:
    """Digest the parts of the input, other than files, that change what a built object becomes."""
    parts = (
        RENDERER_VERSION,
        sorted(given.owner_labels.items()),
        given.spec.commonMetadata,
        given.spec.targetNamespace,
        None if variables is None else sorted(variables.items()),
    )
    return hashlib.sha256(msgspec.json.encode(parts, order="sorted")).digest()

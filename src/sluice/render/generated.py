"""The kustomization at a sync's path with the spec's fields written into it, exactly as Flux's generator does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec

from sluice.api.kustomization import Image, KustomizationSpec, Selector
from sluice.core.artifact import FileEntry, FileTree
from sluice.render.kustomization_file import NAMES, KustomizationFile
from sluice.render.plain import EXTENSIONS

ORIGIN = "originAnnotations"


def empty_root(tree: FileTree, folder: str, commit: str) -> KustomizationFile:
    """Make the kustomization of a folder that has none: its YAML files, and subfolders that are kustomizations."""
    prefix = f"{folder}/" if folder else ""
    bases: list[str] = []
    resources: list[str] = []
    for entry in tree.under(folder):
        if not entry.path.rsplit("/", 1)[-1].endswith((*EXTENSIONS, "Kustomization")):
            continue
        base = _outermost_base(tree, prefix, entry)
        if base is not None:
            if base not in bases:
                bases.append(base)
                resources.append(f"./{base}")
        elif entry.path.endswith(EXTENSIONS):
            resources.append(f"./{entry.path.removeprefix(prefix)}")
    value = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": resources}
    return KustomizationFile(folder, f"{prefix}kustomization.yaml", b"", 0, value, commit)


def _outermost_base(tree: FileTree, prefix: str, entry: FileEntry) -> str | None:
    steps = entry.path.removeprefix(prefix).split("/")[:-1]
    for depth in range(1, len(steps) + 1):
        folder = "/".join(steps[:depth])
        if any(f"{prefix}{folder}/{name}" in tree.by_path for name in NAMES):
            return folder
    return None


def with_spec(
    file: KustomizationFile, spec: KustomizationSpec, has_folder: Callable[[str], bool]
) -> tuple[KustomizationFile, bool]:
    """Write the spec's fields into the root kustomization.

    `has_folder(text)` says whether a component exists. The flag says whether objects keep their origin annotation;
    the build is always asked for it.
    """
    value = dict(file.value)
    keeps = list(value.get("buildMetadata") or ())
    if file.data and not value.get("resources"):
        keeps = [ORIGIN]
    named = {"namespace": spec.targetNamespace, "namePrefix": spec.namePrefix, "nameSuffix": spec.nameSuffix}
    value.update({name: text for name, text in named.items() if text})
    patches = [_without_empty({"patch": patch.patch, "target": _selector(patch.target)}) for patch in spec.patches]
    _append(value, "patches", patches)
    _append(value, "components", [c for c in spec.components if not spec.ignoreMissingComponents or has_folder(c)])
    _append(
        value, "patchesStrategicMerge", [msgspec.json.encode(patch).decode() for patch in spec.patchesStrategicMerge]
    )
    _append(value, "patchesJson6902", [_json_patch(patch) for patch in spec.patchesJson6902])
    own = value.get("images") or []
    if spec.images and isinstance(own, list):  # kustomize says why it takes nothing else
        value["images"] = _merged_images(own, spec.images)
    if spec.buildMetadata:
        keeps = list(spec.buildMetadata)
    value["buildMetadata"] = keeps if ORIGIN in keeps else [*keeps, ORIGIN]
    return replace(file, value=value), ORIGIN in keeps


def _append(value: dict[str, Any], name: str, items: list[Any]) -> None:
    if items:
        value[name] = [*(value.get(name) or ()), *items]


def _json_patch(patch: Any) -> dict[str, Any]:
    if not isinstance(patch, dict):
        return {"patch": msgspec.json.encode(patch).decode()}
    return {"patch": msgspec.json.encode(patch.get("patch")).decode(), "target": patch.get("target")}


def _selector(selector: Selector | None) -> dict[str, str] | None:
    return None if selector is None else _without_empty(msgspec.to_builtins(selector))


def _without_empty(value: dict[str, Any]) -> dict[str, Any]:
    return {key: item for key, item in value.items() if item not in ("", None)}


def _merged_images(images: list[Any], wanted: tuple[Image, ...]) -> list[Any]:
    """Merge by name; tag and digest are one unit, so that giving one removes the other."""
    merged = [dict(image) if isinstance(image, dict) else image for image in images]
    for image in wanted:
        fresh = _without_empty(msgspec.to_builtins(image))
        known = next((item for item in merged if isinstance(item, dict) and item.get("name") == image.name), None)
        if known is None:
            merged.append(fresh)
            continue
        if image.newTag or image.digest:
            known.pop("newTag", None)
            known.pop("digest", None)
        known.update(fresh)
    return merged

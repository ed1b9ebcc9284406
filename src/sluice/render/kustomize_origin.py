"""Where an object of a build came from: its file and line when kustomize's origin annotation leads to one document."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, replace
from typing import Any

from sluice.core.manifest_read import SourceObject, read_objects
from sluice.core.problem import Origin
from sluice.core.yaml_compose import Chunk, compose
from sluice.core.yaml_position import locate
from sluice.render.closure import Closure
from sluice.render.kustomization_file import KustomizationFile
from sluice.render.links import Escape, Links, normal

ANNOTATION = "config.kubernetes.io/origin"
_GENERATORS = {"ConfigMapGenerator": "configMapGenerator", "SecretGenerator": "secretGenerator"}


@dataclass(slots=True)
class Origins:
    """Finds origins for the objects of one build."""

    root: KustomizationFile
    closure: Closure
    links: Links
    _objects: dict[str, list[SourceObject]]

    @staticmethod
    def of(root: KustomizationFile, closure: Closure, links: Links) -> Origins:
        """Start with nothing read."""
        return Origins(root, closure, links, {})

    def take(self, value: dict[str, Any], *, keep: bool) -> Origin:
        """Give an object's origin, and remove the annotation unless the user asked for it."""
        unknown = Origin(self.root.path, commit=self.root.commit, renderer=f"kustomization {self.root.folder or '.'}")
        metadata = value.get("metadata")
        annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
        if not isinstance(metadata, dict) or not isinstance(annotations, dict):
            return unknown
        text = annotations.get(ANNOTATION)
        if not keep and annotations.pop(ANNOTATION, None) is not None and not annotations:
            del metadata["annotations"]
        origin, _, faults = compose(Chunk(text if isinstance(text, str) else "", 1))
        if faults or not isinstance(origin, dict):
            return unknown
        if "configuredIn" in origin:
            return self._generated(value, origin) or unknown
        return self._written(value, str(origin.get("path", ""))) or unknown

    def _path(self, relative: str) -> str:
        try:
            return self.links.resolve(normal(posixpath.join(self.root.folder, relative)))
        except Escape:
            return ""

    def _written(self, value: dict[str, Any], relative: str) -> Origin | None:
        path = self._path(relative)
        if path in self.closure.resources:
            found = _best(value, self._read(path))
            return found.origin if found is not None else Origin(path, commit=self.root.commit)
        # kustomize joins paths by their letters, which is wrong below a symlinked folder: look in every file.
        near = [found for path in self.closure.resources if (found := _best(value, self._read(path))) is not None]
        return near[0].origin if len(near) == 1 else None

    def _read(self, path: str) -> list[SourceObject]:
        if path not in self._objects:
            self._objects[path] = read_objects(self.closure.resources[path], path, self.root.commit)[0]
        return self._objects[path]

    def _generated(self, value: dict[str, Any], origin: dict[str, Any]) -> Origin | None:
        path = self._path(str(origin.get("configuredIn", "")))
        file = next((file for file in self.closure.kustomizations.values() if file.path == path), None)
        by = origin.get("configuredBy")
        field = _GENERATORS.get(str(by.get("kind")) if isinstance(by, dict) else "")
        if file is None:
            return None
        place = Origin(path, commit=self.root.commit, renderer=f"kustomization {file.folder or '.'}")
        if field is None:
            return place
        names = [str(item.get("name", "")) for item in file.value.get(field) or ()]
        fitting = [(len(name), index) for index, name in enumerate(names) if name in value["metadata"]["name"]]
        at = locate(file.data, file.line, f"{field}[{max(fitting)[1]}]") if fitting else None
        return place if at is None else replace(place, line=at.line)


def _best(value: dict[str, Any], sources: list[SourceObject]) -> SourceObject | None:
    """Choose the document an object came from: the same kind, and its name is a part of the object's name."""
    name = value["metadata"].get("name") or ""
    best, length = None, -1
    for source in sources:
        written = source.value if isinstance(source.value, dict) else {}
        metadata = written.get("metadata")
        own = metadata.get("name") if isinstance(metadata, dict) else None
        if written.get("kind") != value.get("kind") or not isinstance(own, str) or own not in name:
            continue
        points = 1000 if own == name else len(own)
        if points > length:
            best, length = source, points
        elif points == length:
            best = _same_namespace(value, metadata, source, best)
    return best


def _same_namespace(
    value: dict[str, Any], metadata: Any, one: SourceObject, other: SourceObject | None
) -> SourceObject | None:
    return one if metadata.get("namespace") == value["metadata"].get("namespace") else other

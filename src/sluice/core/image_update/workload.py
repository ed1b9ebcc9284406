"""The workloads that a file defines, with their containers and images, as fluxd knew them. Pure.

Deployment, DaemonSet, StatefulSet and CronJob have the containers of their pod template, then its init containers;
a HelmRelease has what its values describe (`helm_values`). Other kinds are applied, but have no images to update.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from sluice.core.image import ImageRefError, parse
from sluice.core.image_update.container import Container
from sluice.core.image_update.helm_values import helm_containers
from sluice.core.image_update.result import FileObject, file_object
from sluice.core.manifest_read import MAX_LIST_NESTING, is_list
from sluice.core.yaml_text import Address, YamlText

DEFAULT_NAMESPACE = "default"

_POD_SPEC = {
    "deployment": ("spec", "template", "spec"),
    "daemonset": ("spec", "template", "spec"),
    "statefulset": ("spec", "template", "spec"),
    "cronjob": ("spec", "jobTemplate", "spec", "template", "spec"),
}
_HELM_KINDS = frozenset({"helmrelease", "fluxhelmrelease"})
KINDS = (*_POD_SPEC, *sorted(_HELM_KINDS))


@dataclass(frozen=True, slots=True, order=True)
class WorkloadId:
    """A workload as fluxctl names it: `shop:deployment/web`. `kind` is in lower case."""

    namespace: str
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}:{self.kind}/{self.name}"

    @staticmethod
    def parse(text: str, namespace: str = DEFAULT_NAMESPACE) -> WorkloadId:
        """Read `[namespace:]kind/name`. Raises ValueError for another form.

        >>> str(WorkloadId.parse("Deployment/web"))
        'default:deployment/web'
        """
        before, colon, rest = text.rpartition(":")
        kind, slash, name = rest.partition("/")
        if not slash or not kind or not name or "/" in name or (colon and not before):
            raise ValueError(f"not a workload: {text!r}; write it as namespace:kind/name")
        return WorkloadId(before or namespace, kind.lower(), name)


@dataclass(frozen=True, slots=True)
class Workload:
    """A workload and where it is (`line` 0: in no file). `annotations` are those of its own metadata: its policies."""

    id: WorkloadId
    subject: FileObject
    address: Address
    line: int
    annotations: dict[str, str]
    containers: tuple[Container, ...]

    def container(self, name: str) -> Container | None:
        """The container of this name."""
        return next((container for container in self.containers if container.name == name), None)


def find_workloads(file: YamlText, namespace: str = DEFAULT_NAMESPACE) -> tuple[Workload, ...]:
    """All workloads of a file, also those in Lists; `namespace` is that of objects which name none."""
    return tuple(
        workload
        for number, document in enumerate(file.documents, 1)
        for workload in _in(file, document.value, Address(number, ()), namespace, 0)
    )


def _in(file: YamlText, value: Any, at: Address, namespace: str, depth: int) -> Iterator[Workload]:
    if is_list(value):
        if depth < MAX_LIST_NESTING:
            for index, item in enumerate(value["items"]):
                yield from _in(file, item, at.step("items", index), namespace, depth + 1)
        return
    found = _workload(value, at, namespace)
    if found is not None:
        line = list(file.documents[at.document - 1].root.descend(at.path))[-1].at.line
        yield replace(found, line=line)


def live_workload(value: Any) -> Workload | None:
    """The workload that an object of a cluster is, or None; its addresses are of no file."""
    return _workload(value, Address(1, ()), DEFAULT_NAMESPACE)


def _workload(value: Any, at: Address, namespace: str) -> Workload | None:
    subject = file_object(value)
    kind = subject.kind.lower()
    if not subject.name or (kind not in _POD_SPEC and kind not in _HELM_KINDS):
        return None
    held = value["metadata"].get("annotations")
    pairs = held.items() if isinstance(held, dict) else ()
    annotations = {key: _text(item) for key, item in pairs if isinstance(item, str | bool)}
    found = (
        helm_containers(value, at, annotations) if kind in _HELM_KINDS else _pod_containers(value, at, _POD_SPEC[kind])
    )
    identity = WorkloadId(subject.namespace or namespace, kind, subject.name)
    return Workload(identity, subject, at, 0, annotations, tuple(found))


def _text(value: str | bool) -> str:
    """A bare `true` in a file is what fluxd took for the text."""
    return value if isinstance(value, str) else str(value).lower()


def is_pod_kind(kind: str) -> bool:
    """True for a kind, in lower case, whose images are those of a pod template."""
    return kind in _POD_SPEC


def pod_template(value: Any, kind: str) -> Any:
    """The pod template of a workload's object, `kind` in lower case; None for a kind without one."""
    for step in _POD_SPEC.get(kind, ("", ""))[:-1]:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _pod_containers(value: Any, at: Address, path: tuple[str, ...]) -> Iterator[Container]:
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    for field in ("containers", "initContainers"):
        held = value.get(field) if isinstance(value, dict) else None
        for index, item in enumerate(held if isinstance(held, list) else ()):
            if isinstance(item, dict) and isinstance(item.get("name"), str):
                yield _pod_container(item, at.step(*path, field, index))


def _pod_container(item: dict[str, Any], at: Address) -> Container:
    name, text = item["name"], item.get("image")
    place = at.step("image")
    if not isinstance(text, str):
        return Container(name, None, place, fault="it has no image" if text is None else "its image is no text")
    try:
        return Container(name, parse(text), place, written=text)
    except ImageRefError as error:
        return Container(name, None, place, written=text, fault=str(error))

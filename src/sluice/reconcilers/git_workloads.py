"""What git says of workloads: their annotations, found in the files of a sync at the revision that was fetched last.

A file is read once for each content it has; only what is asked is kept. Where an overlay takes a workload from a base
outside of its own folder, the whole repository is searched for it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sluice.api.kustomization import Kustomization
from sluice.core.artifact import Artifact, FileEntry
from sluice.core.image_update.workload import DEFAULT_NAMESPACE, KINDS, WorkloadId, live_workload
from sluice.core.manifest_read import MAX_LIST_NESTING, is_list
from sluice.core.tree_path import clean_path
from sluice.core.yaml_read import MAX_FILE_BYTES, read_documents
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.sync_facts import source_of

EXTENSIONS = (".yaml", ".yml")
BATCH = 64
MAX_FILES = 20_000
_WORDS = tuple(word.encode() for word in ("Deployment", "DaemonSet", "StatefulSet", "CronJob", "HelmRelease"))

# A kind and a name; the namespace, empty where the file names none; the annotations.
Declared = tuple[str, str, str, Mapping[str, str]]


class GitWorkloads:
    """Reads the workloads of artifacts; remembers those of up to MAX_FILES contents."""

    def __init__(self, operator: Operator) -> None:
        self._op = operator
        self._known: OrderedDict[str, tuple[Declared, ...]] = OrderedDict()

    async def annotations(self, sync: Kustomization, wanted: Sequence[WorkloadId]) -> dict[WorkloadId, dict[str, str]]:
        """The annotations of those workloads that the sync's files define. Raises StateError when git can't be read."""
        artifact = self._op.artifacts.get(source_of(sync))
        if artifact is None or not wanted:
            return {}
        default = self._op.default_namespace or DEFAULT_NAMESPACE
        found: dict[WorkloadId, dict[str, str]] = {}
        for folder in dict.fromkeys((_folder(sync), "")):
            missing = [identity for identity in wanted if identity not in found]
            declared = await self._declared(artifact, folder) if missing else {}
            for identity in missing:
                held = _of(identity, declared, sync.spec.targetNamespace, default)
                if held is not None:
                    found[identity] = dict(held)
        return found

    async def _declared(self, artifact: Artifact, folder: str) -> dict[tuple[str, str], list[Declared]]:
        files = [entry for entry in artifact.tree.under(folder) if _may_define(entry)]
        unread = [entry for entry in files if entry.blob not in self._known]
        for start in range(0, len(unread), BATCH):
            batch = unread[start : start + BATCH]
            for entry, data in zip(batch, await artifact.blobs.read(batch), strict=True):
                self._known[entry.blob] = tuple(_in_file(data, entry.path))
            await asyncio.sleep(0)
        declared: dict[tuple[str, str], list[Declared]] = {}
        for entry in files:
            for each in self._known.get(entry.blob, ()):
                declared.setdefault(each[:2], []).append(each)
        while len(self._known) > MAX_FILES:
            self._known.popitem(last=False)
        return declared


def _of(
    identity: WorkloadId, declared: Mapping[tuple[str, str], list[Declared]], target: str, default: str
) -> Mapping[str, str] | None:
    """The annotations of one workload. What names no namespace may get one from a kustomization that nobody reads here:
    such a file is taken where no other fits.
    """
    named = declared.get((identity.kind, identity.name), [])
    exact = [each for each in named if identity.namespace == (target or each[2] or default)]
    return next((each[3] for each in (*exact, *(each for each in named if not each[2]))), None)


def _folder(sync: Kustomization) -> str:
    try:
        return clean_path(sync.spec.path)
    except ValueError:  # the sync's own failure, and told there
        return ""


def _may_define(entry: FileEntry) -> bool:
    return entry.mode != "symlink" and entry.path.endswith(EXTENSIONS) and entry.size <= MAX_FILE_BYTES


def _in_file(data: bytes, path: str) -> Iterator[Declared]:
    if not any(word in data for word in _WORDS):
        return
    documents, _ = read_documents(data, path)  # a file that can't be read is the sync's own failure, and told there
    for document in documents:
        yield from _in_value(document.value, 0)


def _in_value(value: Any, depth: int) -> Iterator[Declared]:
    if is_list(value):
        if depth < MAX_LIST_NESTING:
            for item in value["items"]:
                yield from _in_value(item, depth + 1)
        return
    found = live_workload(value) if isinstance(value, dict) and str(value.get("kind")).lower() in KINDS else None
    if found is not None:
        yield found.id.kind, found.id.name, found.subject.namespace, found.annotations

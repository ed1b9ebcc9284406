"""What automation by annotations keeps in the cluster: its last commit, rejected images, and why an image stays.

One ConfigMap of the operator's namespace, a key for each repository, so that people can read it and `sluice images why`
does. It is written only when it says something else.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from sluice.core.errors import ClusterError
from sluice.core.ids import NamespacedName
from sluice.core.image_update.annotated import ContainerId, ImageReason, Rejection
from sluice.core.image_update.workload import WorkloadId
from sluice.core.problem import clip, printable
from sluice.kube.client import KubeClient
from sluice.kube.well_known import CONFIG_MAPS

NAME = "sluice-image-automation"
MANAGER = "sluice"
MOST = 100
MAX_WORDS = 300


class Rejected(msgspec.Struct, frozen=True, omit_defaults=True):
    """A rejected image, as it is written down."""

    workload: str
    container: str
    image: str
    object: str = ""
    reason: str = ""
    commit: str = ""


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a container's image is as it is, where somebody may want to do something about it."""

    workload: str
    container: str
    image: str
    reason: str


class Memory(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is kept for one repository."""

    commit: str = ""
    rejected: tuple[Rejected, ...] = ()
    images: tuple[Told, ...] = ()

    def rejections(self) -> dict[ContainerId, Rejection]:
        """The rejected images by container; what can't be read is left out: whoever may edit the map may lift them."""
        found = {}
        for each in self.rejected:
            try:
                key = WorkloadId.parse(each.workload), each.container
            except ValueError:
                continue
            found[key] = Rejection(each.image, each.object, each.reason, each.commit)
        return found


def memory_of(commit: str, rejected: dict[ContainerId, Rejection], reasons: Iterable[ImageReason]) -> Memory:
    """What is to be kept, bounded."""
    held = (
        Rejected(str(workload), name, each.image, each.object, each.reason, each.commit)
        for (workload, name), each in sorted(rejected.items())
    )
    told = (
        Told(str(each.workload), each.container, each.image, clip(printable(each.reason), MAX_WORDS))
        for each in reasons
        if each.problem is not None
    )
    return Memory(commit, tuple(held)[:MOST], tuple(told)[:MOST])


class _ConfigMap(msgspec.Struct, frozen=True):
    data: dict[str, str] = {}


def decode_memories(raw: bytes) -> dict[str, Memory]:
    """The ConfigMap's keys that can be read: it is not ours alone to write."""
    found = {}
    for key, text in msgspec.json.decode(raw, type=_ConfigMap).data.items():
        try:
            found[key] = msgspec.json.decode(text, type=Memory)
        except msgspec.MsgspecError:
            continue
    return found


class AutomationMemory:
    """The ConfigMap. Read once for each repository, and after that only written."""

    def __init__(self, client: KubeClient, namespace: str) -> None:
        self._client = client
        self._namespace = namespace
        self._known: dict[str, Memory] = {}

    async def load(self, source: NamespacedName) -> Memory:
        """What is kept for a repository. Raises ClusterError."""
        key = _key(source)
        if key not in self._known:
            raw = await self._client.get(CONFIG_MAPS, self._namespace, NAME)
            self._known[key] = decode_memories(raw).get(key, Memory()) if raw is not None else Memory()
        return self._known[key]

    async def store(self, source: NamespacedName, memory: Memory) -> None:
        """Keep it, if it differs. Raises ClusterError."""
        key = _key(source)
        if self._known.get(key) == memory:
            return
        data = {key: msgspec.json.encode(memory).decode()}
        try:
            await self._client.merge_patch(
                CONFIG_MAPS, self._namespace, NAME, msgspec.json.encode({"data": data}), manager=MANAGER
            )
        except ClusterError as error:
            if error.status != 404:
                raise
            metadata = {"name": NAME, "namespace": self._namespace}
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
            await self._client.create(CONFIG_MAPS, self._namespace, msgspec.json.encode(body), manager=MANAGER)
        self._known[key] = memory


def _key(source: NamespacedName) -> str:
    return f"{source.namespace}.{source.name}"

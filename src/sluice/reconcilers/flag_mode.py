"""Flag mode: the GitRepository and the Kustomizations that fluxd's flags stand for, without any CRD.

The same values go through the same reconcilers; only where objects come from and where status goes differs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar

import msgspec
import structlog

from sluice.api.git_repository import GitRef, GitRepository, GitRepositorySpec
from sluice.api.kinds import FINALIZER, LocalRef, ObjectMeta
from sluice.api.kustomization import IgnoreRule, Kustomization, KustomizationSpec, Selector, SourceRef
from sluice.core import condition, flux_yaml
from sluice.core.flag_source import FlagSource
from sluice.core.ids import NamespacedName
from sluice.kube.watch import EventType

FLAG_NAMESPACE = "sluice"
FLAG_NAME = "flag"
S = TypeVar("S", GitRepository, Kustomization)
log = structlog.get_logger()


def source_of(flags: FlagSource, namespace: str) -> GitRepository:
    """The source that the flags describe; its Secret is looked for in the operator's own namespace."""
    return GitRepository(
        metadata=ObjectMeta(name=FLAG_NAME, namespace=namespace, generation=1, finalizers=(FINALIZER,)),
        spec=GitRepositorySpec(
            url=flags.url,
            interval=flags.poll_interval,
            timeout=flags.timeout,
            ref=GitRef(branch=flags.branch),
            # A rule of our own lifts Flux's defaults: commands find the files that fluxd's found.
            ignore=f"!{flux_yaml.NAME}" if flags.manifest_generation else None,
            secretRef=LocalRef(name=flags.secret_name) if flags.secret_name else None,
        ),
    )


def syncs_of(flags: FlagSource, namespace: str) -> tuple[Kustomization, ...]:
    """One sync for each path; a single one is named `sluice/flag`."""
    return tuple(
        Kustomization(
            metadata=ObjectMeta(
                name=FLAG_NAME if len(flags.paths) == 1 else f"{FLAG_NAME}-{number}",
                namespace=FLAG_NAMESPACE,
                generation=1,
                finalizers=(FINALIZER,),
            ),
            spec=KustomizationSpec(
                interval=flags.sync_interval,
                timeout=flags.sync_timeout,
                sourceRef=SourceRef(kind="GitRepository", name=FLAG_NAME, namespace=namespace),
                path=path,
                prune=flags.garbage_collection,
                drift=flags.drift,
                ignore=tuple(
                    IgnoreRule(paths=(pointer,), target=Selector(kind=kind) if kind else None)
                    for kind, pointer in flags.ignored
                ),
            ),
        )
        for number, path in enumerate(flags.paths, 1)
    )


class FlagObjects(Generic[S]):
    """The objects of one kind that the flags define; what is reported of them stays in memory and in the log."""

    def __init__(self, objects: Iterable[S]) -> None:
        self._objects: dict[NamespacedName, S] = {
            NamespacedName(o.metadata.namespace, o.metadata.name): o for o in objects
        }
        self._listeners: list[Callable[[EventType, S, S | None], None]] = []

    def subscribe(self, listener: Callable[[EventType, S, S | None], None]) -> None:
        """Call `listener` with every object whose status is written, and as it was before."""
        self._listeners.append(listener)

    def get(self, namespace: str, name: str) -> S | None:
        """The object, or None."""
        return self._objects.get(NamespacedName(namespace, name))

    def items(self) -> list[S]:
        """All of them."""
        return list(self._objects.values())

    async def write(self, key: NamespacedName, status: Mapping[str, Any], present: msgspec.Struct) -> None:
        """Keep the status for the next turn, and log a Ready condition that changed."""
        old = self._objects[key]
        merged = {**msgspec.to_builtins(old.status), **{k: msgspec.to_builtins(v) for k, v in status.items()}}
        cleaned = {k: v for k, v in merged.items() if v is not None and k != "inventory"}
        new: Any = msgspec.structs.replace(old, status=msgspec.convert(cleaned, type(old.status)))
        self._objects[key] = new
        for listener in self._listeners:
            listener(EventType.MODIFIED, new, old)
        before = condition.find_condition(old.status.conditions, condition.READY)
        after = condition.find_condition(new.status.conditions, condition.READY)
        if after is not None and (before is None or before.message != after.message):
            log.info(after.message, ready=after.status, reason=after.reason, namespace=key.namespace, name=key.name)

    def forget(self, key: NamespacedName) -> None:
        """Nothing: flags do not go away while the process runs."""


class NoFinalizers:
    """Flag mode's objects live in no cluster, so nothing holds their deletion."""

    async def add(self, meta: ObjectMeta) -> None:
        """Nothing to put on."""

    async def remove(self, meta: ObjectMeta) -> None:
        """Nothing to take off."""

    def is_on(self, meta: ObjectMeta) -> bool:
        """Never."""
        return False

    def forget(self, key: NamespacedName) -> None:
        """Nothing is kept."""

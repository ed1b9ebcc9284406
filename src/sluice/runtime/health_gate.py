"""Waits, by watch, until objects are healthy; holds no worker meanwhile and keeps of each object only its verdict."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sluice.core import codes
from sluice.core.health import CustomHealth, Health, HealthStatus, assess, not_found
from sluice.core.ids import ResourceId
from sluice.core.plan import OWNER_NAME, Owner
from sluice.core.problem import Code, Origin, Problem
from sluice.kube.client import KubeClient
from sluice.kube.resource import Resource
from sluice.kube.watch import EventType
from sluice.runtime.root_cause import root_causes
from sluice.runtime.together import one_failure

# Up to this many objects of one kind in one namespace are watched by name; more by the owner label.
BY_NAME_UP_TO = 3


@dataclass(frozen=True, slots=True)
class Target:
    """One object to wait for. `owned` says that it carries our owner label; `origin` is where git defines it.

    `rule` is the user's, in place of the one of its kind. `by` is the sync that asks for an object which is none of its
    own: it is shown what its account may see.
    """

    id: ResourceId
    resource: Resource
    owned: bool
    origin: Origin | None = None
    rule: CustomHealth | None = None
    by: Owner | None = None


class HealthGate:
    """The verdicts of one wait. Only objects of `changed`, or that are not ours, end it early by having failed.

    `acting_for` says as whom a target is looked at; the client itself where it is not given.
    """

    def __init__(
        self,
        client: KubeClient,
        targets: Collection[Target],
        changed: frozenset[ResourceId] | None = None,
        acting_for: Callable[[Target], KubeClient] | None = None,
    ) -> None:
        self._client = client
        self._acting_for = acting_for or (lambda _: client)
        self._unchanged = {t.id for t in targets if changed is not None and t.owned and t.id not in changed}
        self._targets = {t.id: t for t in targets}
        self._verdicts: dict[ResourceId, Health] = {t.id: not_found() for t in targets}
        self._seen: dict[ResourceId, float] = {}
        self._changed = asyncio.Event()

    async def wait(self, seconds: float) -> tuple[Problem, ...]:
        """Return when every target is Current (no problems), one Failed, or `seconds` have passed.

        Raises ClusterError when a target can't be watched.
        """
        if not self._targets:
            return ()
        try:
            with one_failure():
                async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
                    watches = [group.create_task(self._follow(*watch)) for watch in self._watches()]
                    while not self._settled():
                        self._changed.clear()
                        await self._changed.wait()
                    for watch in watches:
                        watch.cancel()
        except TimeoutError:
            return await self._late(seconds)
        return await self._failures()

    def _watches(self) -> list[tuple[KubeClient, Resource, str, str, str]]:
        grouped: dict[tuple[Resource, str], list[Target]] = {}
        for target in self._targets.values():
            grouped.setdefault((target.resource, target.id.namespace), []).append(target)
        watches = []
        for (resource, namespace), targets in grouped.items():
            by_label = len(targets) > BY_NAME_UP_TO and all(t.owned for t in targets)
            if by_label:
                watches.append((self._client, resource, namespace, OWNER_NAME, ""))
            else:
                watches += [(self._of(t), resource, namespace, "", f"metadata.name={t.id.name}") for t in targets]
        return watches

    def _of(self, target: Target) -> KubeClient:
        """What is a sync's own is watched as all of it is; what is not is shown as far as its account may see it."""
        return self._client if target.owned else self._acting_for(target)

    async def _follow(self, client: KubeClient, resource: Resource, namespace: str, labels: str, fields: str) -> None:
        async for event in client.watch(resource, namespace, labels=labels, fields=fields, item_type=dict[str, Any]):
            if event.item is None:
                continue
            metadata = event.item.get("metadata", {})
            key = ResourceId(resource.group, resource.kind, metadata.get("namespace", ""), metadata.get("name", ""))
            if key not in self._targets:
                continue
            if event.type is EventType.DELETED:
                self._verdicts[key] = not_found()
            else:
                event.item.setdefault("apiVersion", resource.api_version)
                event.item.setdefault("kind", resource.kind)
                now = self._time_of(key, metadata.get("creationTimestamp") or "")
                self._verdicts[key] = assess(event.item, now, self._targets[key].rule)
            self._changed.set()

    def _time_of(self, key: ResourceId, created: str) -> datetime | None:
        """The time by the API server's clock, at the least: ours may be wrong, or jump."""
        now = time.monotonic()
        seen = self._seen.setdefault(key, now)
        try:
            return datetime.fromisoformat(created) + timedelta(seconds=now - seen)
        except ValueError:
            return None

    def _settled(self) -> bool:
        settled = True
        for key, verdict in self._verdicts.items():
            failed = verdict.status is HealthStatus.FAILED
            if failed and key not in self._unchanged:
                return True
            settled = settled and (failed or verdict.status is HealthStatus.CURRENT)
        return settled

    async def _failures(self) -> tuple[Problem, ...]:
        failed = {k: v for k, v in self._verdicts.items() if v.status is HealthStatus.FAILED}
        fix = "correct it in git, or make the cluster able to run it"
        return await self._told(failed, codes.HEALTH_FAILED, "failed", fix, {k: v.message for k, v in failed.items()})

    async def _late(self, seconds: float) -> tuple[Problem, ...]:
        late = {k: v for k, v in self._verdicts.items() if not v.is_current}
        fix = "look at the object, or give it more time with spec.timeout"
        causes = {k: f"{v.status}: {v.message}" for k, v in late.items()}
        return await self._told(late, codes.HEALTH_TIMEOUT, f"is not healthy after {seconds:.0f}s", fix, causes)

    async def _told(
        self, keys: Collection[ResourceId], code: Code, what: str, fix: str, causes: Mapping[ResourceId, str]
    ) -> tuple[Problem, ...]:
        """A problem for each; first those whose cause was found, for the others may only wait for these."""
        ordered = sorted(keys)
        asked = [self._targets[key] for key in ordered]
        roots = await root_causes([(self._acting_for(target), target.id, target.resource) for target in asked])
        problems = []
        for key in sorted(ordered, key=lambda key: key not in roots):
            fault, field = roots.get(key, (None, ""))
            cause = causes[key] if fault is None else str(fault.problem)
            problems.append(Problem(code, f"{key} {what}", key, self._targets[key].origin, field, cause, fix))
        return tuple(problems)

"""A call that was accepted → the objects that it names are asked to look now, as `flux reconcile` asks them.

That is all that a call can do. Calls that come close together ask an object once: the later ones wait for the request
that is sent after they came, so that each answer says what has been done.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

import msgspec

from sluice.api.kinds import REQUESTED_AT
from sluice.api.validate_receiver import API_VERSIONS, EVERY
from sluice.core import codes
from sluice.core.cel import CelError
from sluice.core.errors import SluiceError, UserError
from sluice.core.ids import ResourceId
from sluice.core.problem import Problem
from sluice.kube.client import KubeClient
from sluice.kube.discovery import Discovery
from sluice.kube.resource import Resource
from sluice.reconcilers.receivers import OpenReceiver, Target
from sluice.runtime.resources import resource_of
from sluice.runtime.together import together

WINDOW = 0.25  # seconds between two requests to one object
MANAGER = "notification-controller"
# What filters see of a call: its body as `req` and, where a token proved the caller, that token's `claims`.
Said: TypeAlias = Mapping[str, Any]


class _Item(msgspec.Struct, frozen=True):
    metadata: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.metadata.get("name", ""))


@dataclass(slots=True)
class _Asked:
    """One object: how many calls have named it, and up to which of them a request has answered."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    came: int = 0
    answered: int = 0
    last: float = float("-inf")


class ReceiverCalls:
    """Asks objects, on behalf of all receivers."""

    def __init__(self, client: KubeClient, discovery: Discovery, now: Callable[[], datetime]) -> None:
        self._client = client
        self._discovery = discovery
        self._now = now
        self._asked: dict[ResourceId, _Asked] = {}

    async def ask(self, receiver: OpenReceiver, said: Said) -> tuple[Problem, ...]:
        """Ask everything that the receiver names and its filters let pass; returns what could not be asked."""
        answers = await together(self._ask_target(receiver, target, said) for target in receiver.targets)
        return tuple(problem for problems in answers for problem in problems)

    async def _ask_target(self, receiver: OpenReceiver, target: Target, said: Said) -> tuple[Problem, ...]:
        wanted = target.resource
        namespace = wanted.namespace or receiver.item.metadata.namespace
        api_version = wanted.apiVersion or API_VERSIONS[wanted.kind]
        key = ResourceId(api_version.rpartition("/")[0], wanted.kind, namespace, wanted.name)
        try:
            resource = await resource_of(self._discovery, key, api_version)
            names = await self._names(resource, namespace, target, said)
            await together(self._ask(resource, resource.id_of(namespace, name)) for name in names)
        except SluiceError as error:
            return error.problems
        return ()

    async def _names(self, resource: Resource, namespace: str, target: Target, said: Said) -> list[str]:
        wanted = target.resource
        if wanted.name != EVERY and not target.filters:
            return [wanted.name]
        if wanted.name == EVERY:
            labels = ",".join(f"{label}={value}" for label, value in wanted.matchLabels.items())
            listed = await self._client.list(resource, namespace, labels=labels, item_type=_Item)
            items = listed.items
        else:
            raw = await self._client.get(resource, namespace, wanted.name)
            items = [msgspec.json.decode(raw, type=_Item)] if raw is not None else []
        return [item.name for item in items if self._passes(resource, item, target, said)]

    def _passes(self, resource: Resource, item: _Item, target: Target, said: Said) -> bool:
        seen = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": item.metadata}
        try:
            return all(each.holds({"res": seen, **said}) for each in target.filters)
        except CelError as error:
            key = resource.id_of(str(item.metadata.get("namespace", "")), item.name)
            fix = "ask with has() whether a field is there before it is used"
            title = f"the filter has no answer for {key}"
            raise UserError(Problem(codes.CEL_INVALID, title, key, cause=str(error), fix=fix)) from None

    async def _ask(self, resource: Resource, key: ResourceId) -> None:
        asked = self._asked.setdefault(key, _Asked())
        asked.came += 1
        mine = asked.came
        async with asked.lock:
            if asked.answered >= mine:
                return
            await asyncio.sleep(asked.last + WINDOW - time.monotonic())
            covers = asked.came
            asked.last = time.monotonic()
            # Finer than a second: a request that looks like the one before it would be none.
            token = self._now().isoformat(timespec="microseconds")
            patch = {"metadata": {"annotations": {REQUESTED_AT: token}}}
            await self._client.merge_patch(
                resource, key.namespace, key.name, msgspec.json.encode(patch), manager=MANAGER
            )
            asked.answered = covers

"""The images of running workloads, known from watches, and the tags that their registries list.

What automated workloads use is scanned in the background, each repository once a minute (one request while nothing is
new) and single tags by fluxd's rule; other images are scanned when somebody looks. Tags are held in memory for those.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import structlog

from sluice.core.automation_flags import AutomationFlags
from sluice.core.codes import IMAGE_EXCLUDED
from sluice.core.ids import NamespacedName
from sluice.core.image import ImageRef
from sluice.core.image_policy import TagPolicy
from sluice.core.image_update.workload import WorkloadId
from sluice.core.problem import Problem, summarize
from sluice.core.running_workload import RunningWorkload
from sluice.core.schedule import backoff
from sluice.kube.client import KubeClient
from sluice.reconcilers.pull_secrets import docker_logins, pull_keyring
from sluice.reconcilers.running_workloads import RunningWorkloads
from sluice.registry.access import RegistryAccess
from sluice.registry.cloud.clouds import Clouds
from sluice.registry.keyring import Keyring
from sluice.registry.scanner import Scanner, ScanResult, TagFilter, every_tag
from sluice.runtime.controller import Controller, note_failure
from sluice.runtime.queue import Turn

SCAN_SECONDS = 120.0
MAX_SCANS = 1_000
RETRY_LIMIT = 600.0
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class WantedTags:
    """An image that is automated: the policies that choose among its tags, and the workloads whose logins count."""

    image: ImageRef
    policies: tuple[TagPolicy, ...] = ()
    users: tuple[WorkloadId, ...] = ()

    def joined(self, other: WantedTags) -> WantedTags:
        """Both wishes for one repository."""
        return WantedTags(self.image, (*self.policies, *other.policies), (*self.users, *other.users))


# A repository, by the namespace whose logins see it (empty: all share them) and its canonical name.
ScanKey = NamespacedName


@dataclass(slots=True)
class _Scan:
    """What is known of one repository."""

    image: ImageRef
    result: ScanResult | None = None
    scanned_at: float = float("-inf")
    is_looked_at: bool = False
    keyring: Keyring | None = None
    faults: tuple[Problem, ...] = ()
    failures: int = 0
    told: tuple[Problem, ...] = ()
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class WorkloadImages:
    """What runs, and what could run. With `tenants`, what one namespace's logins see is kept from the others."""

    def __init__(
        self,
        client: KubeClient,
        running: RunningWorkloads,
        scanner: Scanner,
        clouds: Clouds,
        flags: AutomationFlags,
        *,
        tenants: bool,
    ) -> None:
        self.running = running
        self._client = client
        self._scanner = scanner
        self._clouds = clouds
        self._flags = flags
        self._tenants = tenants
        self._wanted: dict[NamespacedName, Mapping[ScanKey, WantedTags]] = {}
        self._scans: dict[ScanKey, _Scan] = {}
        self._listeners: list[Callable[[ScanKey], None]] = []
        self._controller = Controller("WorkloadImage", self._turn, slots=8)

    async def start(self, group: asyncio.TaskGroup) -> None:
        """Scan in the background from now on; returns once it is known what runs."""
        await self.running.ensure()
        group.create_task(self._controller.run())

    def subscribe(self, listener: Callable[[ScanKey], None]) -> None:
        """Call `listener` whenever something else is known of a repository's tags."""
        self._listeners.append(listener)

    def workloads(self, namespace: str = "") -> Sequence[RunningWorkload]:
        """The workloads of a namespace (empty: all), in the order of their names."""
        return self.running.items(namespace)

    def tags(self, image: ImageRef, namespace: str = "") -> ScanResult | None:
        """What is known of the tags of an image's repository; None while it has not been scanned.

        `namespace` matters with CRDs alone, where what one namespace's logins see is kept apart.
        """
        found = self._scans.get(self.key(image, namespace))
        if found is None and self._tenants and not namespace:
            found = next((each for key, each in self._scans.items() if key.name == image.canonical_name), None)
        return None if found is None else found.result

    def result(self, key: ScanKey) -> ScanResult | None:
        """What is known under a key."""
        found = self._scans.get(key)
        return None if found is None else found.result

    async def look(self, image: ImageRef, namespace: str = "") -> ScanResult:
        """Scan now, unless that was done a minute ago or less. Build times are looked up for all tags.

        What goes wrong is in the result. An image that flags exclude is not scanned (ImageExcluded).
        """
        await self.running.ensure()
        key = self.key(image, namespace)
        scan = self._scan_of(key, image)
        is_fresh = scan.is_looked_at and time.monotonic() - scan.scanned_at < self._flags.scan_interval
        if scan.result is None or not is_fresh:
            scan.is_looked_at = True
            return await self._scan(key, scan)
        return scan.result

    def notified(self, image: ImageRef) -> bool:
        """Somebody says that the repository has another tag: it is scanned at once. False when it is not automated."""
        keys = [key for key in self._scans if key.name == image.canonical_name and self._policies(key) is not None]
        for key in keys:
            self._controller.queue.add(key)
        return bool(keys)

    def key(self, image: ImageRef, namespace: str) -> ScanKey:
        """What the tags of an image are kept under, for workloads of a namespace."""
        return ScanKey(namespace if self._tenants else "", image.canonical_name)

    def want(self, owner: NamespacedName, wanted: Mapping[ScanKey, WantedTags]) -> None:
        """From now on keep what is known of these repositories up to date for `owner`, and of no others."""
        before = self._wanted.pop(owner, {})
        if wanted:
            self._wanted[owner] = wanted
        for key, each in wanted.items():
            scan = self._scan_of(key, each.image)
            if scan.result is None or before.get(key) != each:
                self._controller.queue.add(key)
        for key in before.keys() - wanted.keys():
            if self._policies(key) is None and not self._scans[key].is_looked_at:
                del self._scans[key]

    def owners(self, key: ScanKey) -> list[NamespacedName]:
        """Who wants to know of a repository."""
        return [owner for owner, wanted in self._wanted.items() if key in wanted]

    def _scan_of(self, key: ScanKey, image: ImageRef) -> _Scan:
        """What is kept of a repository. Of too many, those that nobody automates are forgotten, the oldest first."""
        if key not in self._scans and len(self._scans) >= MAX_SCANS:
            unwanted = next((known for known in self._scans if self._policies(known) is None), None)
            if unwanted is not None:
                del self._scans[unwanted]
        return self._scans.setdefault(key, _Scan(image))

    async def _turn(self, turn: Turn[NamespacedName]) -> float | None:
        scan = self._scans.get(turn.key)
        if scan is None or self._policies(turn.key) is None:
            return None
        result = await self._scan(turn.key, scan)
        if result.complete:
            scan.failures = 0
            return self._flags.scan_interval
        if self._flags.excluded(scan.image):
            return None
        scan.failures += 1
        note_failure(result.problems)
        return backoff(scan.failures, 5.0, RETRY_LIMIT)

    def _policies(self, key: ScanKey) -> tuple[TagPolicy, ...] | None:
        found = [wanted[key] for wanted in self._wanted.values() if key in wanted]
        return tuple(policy for each in found for policy in each.policies) if found else None

    async def _scan(self, key: ScanKey, scan: _Scan) -> ScanResult:
        async with scan.lock:
            before = scan.result
            scan.result = await self._asked(key, scan)
            scan.scanned_at = time.monotonic()
        self._tell(key, scan)
        if before is None or scan.result.changed or before.complete != scan.result.complete or _differ(before, scan):
            for listener in self._listeners:
                listener(key)
        return scan.result

    async def _asked(self, key: ScanKey, scan: _Scan) -> ScanResult:
        reason = self._flags.excluded(scan.image)
        if reason:
            problem = Problem(IMAGE_EXCLUDED, f"{scan.image.canonical_name} is not scanned", cause=reason)
            return ScanResult((), complete=False, problems=(problem,))
        defaults, problems = await docker_logins(self._flags.docker_config)
        if scan.keyring is None:
            # Read once, and again when a registry refuses: nothing is asked of the API server while all is well.
            scan.keyring, scan.faults = await pull_keyring(self._client, self._users(key))
        problems = (*problems, *scan.faults)
        access = RegistryAccess(defaults.joined(scan.keyring), self._clouds.every(), scope=key.namespace)
        wanted = self._filter(key, scan)
        result = await self._scanner.scan(scan.image, access, wanted, seconds=SCAN_SECONDS)
        if not result.complete:
            scan.keyring = None
        return replace(result, problems=(*result.problems, *problems)) if problems else result

    def _users(self, key: ScanKey) -> list[RunningWorkload]:
        """Whose logins are tried: those that run the image, and those that are to."""
        named = {user for wanted in self._wanted.values() if key in wanted for user in wanted[key].users}
        found = {each.id: each for each in self.running.using(key.name, key.namespace)}
        return list((found | {user: each for user in named if (each := self.running.get(user)) is not None}).values())

    def _filter(self, key: ScanKey, scan: _Scan) -> TagFilter:
        by_time = [policy for policy in self._policies(key) or () if policy.needs_created]

        def described(tag: str) -> bool:
            return any(policy.accepts(tag) for policy in by_time)

        by_label = self._flags.is_dated_by_label(scan.image)
        return TagFilter(described=every_tag if scan.is_looked_at else described, created_by_label=by_label)

    def _tell(self, key: ScanKey, scan: _Scan) -> None:
        """Say what keeps a repository from being scanned, once for each change of that."""
        problems = () if scan.result is None else scan.result.problems
        if problems == scan.told:
            return
        scan.told = problems
        if problems:
            log.warning("scan failed" if not scan.result or not scan.result.complete else "scanned with faults",
                        image=key.name, error=summarize(problems))  # fmt: skip
        else:
            log.info("scanned", image=key.name)


def _differ(before: ScanResult, scan: _Scan) -> bool:
    return scan.result is not None and len(before.tags) != len(scan.result.tags)

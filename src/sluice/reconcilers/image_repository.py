"""ImageRepository → its tags: listed when they are due, kept by the scanner, told by count and checksum."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import structlog

from sluice.api.image_policy import ImagePolicy
from sluice.api.image_repository import ImageRepository, ScanResult
from sluice.api.validate_image import image_of, validate_image_repository
from sluice.core import codes
from sluice.core.duration import parse_duration
from sluice.core.errors import AuthenticationFailed, RemoteError, SluiceError, UserError
from sluice.core.ids import NamespacedName
from sluice.core.image import ImageRef, ImageTag
from sluice.core.image_policy import TagPolicy
from sluice.core.scan_schedule import Scanned, Wanted, due, shown_time
from sluice.core.schedule import next_interval
from sluice.reconcilers.image_rules import scan_filter, tag_policy
from sluice.reconcilers.image_scans import FoundTags, ImageScans
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.registry_access import registry_access
from sluice.reconcilers.reported_kind import ReportedKind
from sluice.registry.access import RegistryAccess
from sluice.registry.cloud.clouds import Clouds
from sluice.registry.scanner import Scanner, TagFilter
from sluice.runtime.queue import Turn

LATEST_TAGS = 10
STALLED_CODES = frozenset({codes.NOT_HONOURED, codes.SPEC_INVALID, codes.IMAGE_REF, codes.REGEX_REJECTED})
_REFUSED = frozenset({codes.REGISTRY_AUTH, codes.HOST_UNVERIFIED, codes.REALM_REFUSED, codes.REGISTRY_CREDENTIALS})
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Found:
    """What a scan says to people."""

    count: int
    revision: str
    latest: tuple[str, ...]


class ImageRepositoryReconciler:
    """Keeps what is known of every ImageRepository's tags at what its registry says."""

    def __init__(
        self,
        operator: Operator,
        kind: ReportedKind[ImageRepository],
        policies: ReportedKind[ImagePolicy],
        scans: ImageScans,
        scanner: Scanner,
        clouds: Clouds,
    ) -> None:
        self._op = operator
        self._kind = kind
        self._policies = policies
        self._scans = scans
        self._scanner = scanner
        self._clouds = clouds
        self._last: dict[NamespacedName, Scanned] = {}
        self._failed: set[NamespacedName] = set()

    async def reconcile(self, turn: Turn[NamespacedName]) -> float | None:
        """One turn. Returns the seconds until the next."""
        key = turn.key
        repository = await self._kind.due(key)
        if repository is None:
            if self._kind.is_gone(key):
                self._last.pop(key, None)
                self._failed.discard(key)
                self._scans.remove(key)
            return None
        try:
            return await self._run(repository)
        except SluiceError as error:
            return await self._report_failure(repository, error)

    async def _run(self, repository: ImageRepository) -> float:
        problems = validate_image_repository(repository)
        if problems:
            raise UserError(*problems)
        image, interval = image_of(repository), parse_duration(repository.spec.interval)
        by_time = self._policies_by_time(repository)
        tags = scan_filter(repository, by_time.values())
        request = repository.metadata.request
        wanted = Wanted(image.canonical_name, repository.spec.exclusionList, request, frozenset(by_time))
        now = self._op.now()
        decided = due(wanted, await self._last_scan(repository, image, tags), interval, now)
        if not decided.reason and repository.metadata.key not in self._failed:
            await self._report_unchanged(repository)
            return decided.wait
        log.info("scanning", name=repository.metadata.name, namespace=repository.metadata.namespace,
                 reason=decided.reason or "the last scan failed", image=image.canonical_name)  # fmt: skip
        found = await self._scan(repository, image, tags)
        self._failed.discard(repository.metadata.key)
        self._last[repository.metadata.key] = Scanned(wanted, now, kept=True)
        self._tell_policies(repository, image, found)
        await self._report(repository, image, found, now)
        return max(interval, next_interval(interval, self._op.poll_jitter()))

    # --- observe ------------------------------------------------------------------------------------------------

    async def _last_scan(self, repository: ImageRepository, image: ImageRef, tags: TagFilter) -> Scanned | None:
        """The last scan: this process's, or the one that the status tells of if its tags are still on the disk."""
        key, status = repository.metadata.key, repository.status
        if key in self._last or status.lastScanResult is None:
            return self._last.get(key)
        known = await self._scanner.cached(image, RegistryAccess(scope=key.namespace), tags)
        try:
            at = datetime.fromisoformat(status.lastScanResult.scanTime)
        except ValueError:
            return None
        described = frozenset(self._policies_by_time(repository)) if known.complete else frozenset()
        exclusions, request = status.observedExclusionList, status.lastHandledReconcileAt
        wanted = Wanted(status.canonicalImageName, exclusions, request, described)
        last = Scanned(wanted, at, kept=known.complete)
        if known.complete:
            self._last[key] = last
            self._tell_policies(repository, image, _found(known.tags))
        return last

    def _policies_by_time(self, repository: ImageRepository) -> dict[str, TagPolicy]:
        """The policies for which tags must be described, by a name that changes with what they choose from."""
        found = {}
        for policy in self._policies.objects.items():
            if policy.repository == repository.metadata.key and policy.spec.policy.buildTime is not None:
                with contextlib.suppress(UserError):  # it says so itself
                    found[f"{policy.metadata.key} {policy.metadata.generation}"] = tag_policy(policy)
        return found

    async def _scan(self, repository: ImageRepository, image: ImageRef, tags: TagFilter) -> _Found:
        """Ask the registry. Raises when the list is not whole: it replaces nothing then."""
        spec = repository.spec
        access = await registry_access(self._op.client, self._clouds, repository, self._kind.id_of(repository))
        seconds = parse_duration(spec.timeout or spec.interval)
        result = await self._scanner.scan(image, access, tags, seconds=seconds)
        if result.complete:
            return _found(result.tags)
        refused = any(problem.code in _REFUSED for problem in result.problems)
        raise (AuthenticationFailed if refused else RemoteError)(*result.problems)

    # --- report -------------------------------------------------------------------------------------------------

    def _tell_policies(self, repository: ImageRepository, image: ImageRef, found: _Found) -> None:
        self._scans.put(repository.metadata.key, FoundTags(image.canonical_name, found.revision))

    async def _report(self, repository: ImageRepository, image: ImageRef, found: _Found, now: datetime) -> None:
        status = repository.status
        old = status.lastScanResult
        changed = old is None or (old.revision, old.tagCount) != (found.revision, found.count)
        fields = {
            "canonicalImageName": image.canonical_name,
            "lastScanResult": ScanResult(
                tagCount=found.count,
                revision=found.revision,
                scanTime=shown_time(old.scanTime if old is not None else "", now, changed=changed),
                latestTags=found.latest,
            ),
            "observedExclusionList": repository.spec.exclusionList or None,
        }
        await self._kind.succeeded(repository, _scan_message(found.count, found.revision), fields)

    async def _report_unchanged(self, repository: ImageRepository) -> None:
        """Nothing was due: what the last scan found stands, also for the spec as it is now."""
        last = repository.status.lastScanResult
        if last is not None:
            await self._kind.succeeded(repository, _scan_message(last.tagCount, last.revision), {})

    async def _report_failure(self, repository: ImageRepository, error: SluiceError) -> float | None:
        self._failed.add(repository.metadata.key)
        if error.problems and all(problem.code in STALLED_CODES for problem in error.problems):
            await self._kind.stalled(repository, _reason(error), error)
            return None
        limit = parse_duration(repository.spec.interval)  # a bad one is of the spec, and has stalled above
        return await self._kind.failed(repository, _reason(error), error, limit)


def _found(tags: Iterable[ImageTag]) -> _Found:
    """Count, checksum and the last of the tags, which come in the order of their names."""
    sha, count = hashlib.sha256(), 0
    latest: list[str] = []
    for tag in tags:
        sha.update(f"{tag.tag}@{tag.digest or ''}\n".encode())
        count += 1
        latest = [*latest[-LATEST_TAGS + 1 :], tag.tag]
    return _Found(count, sha.hexdigest()[:12], tuple(reversed(latest)))


def _scan_message(count: int, revision: str) -> str:
    """Flux's words, which scripts read."""
    return f"successful scan: found {count} tags with checksum {revision}"


def _reason(error: SluiceError) -> str:
    if any(problem.code is codes.IMAGE_REF for problem in error.problems):
        return "ImageURLInvalid"
    return "AuthenticationFailed" if isinstance(error, AuthenticationFailed) else "ReadOperationFailed"

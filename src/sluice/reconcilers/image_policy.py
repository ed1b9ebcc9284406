"""ImagePolicy → the image that it chooses of its repository's tags, with its digest where that is asked for."""

from __future__ import annotations

from dataclasses import replace

from sluice.api.image_policy import ImagePolicy, ImageRef
from sluice.api.image_repository import ImageRepository
from sluice.api.validate_image import image_of, validate_image_policy
from sluice.core import codes
from sluice.core.duration import parse_duration
from sluice.core.errors import NotReady, SluiceError, UserError
from sluice.core.ids import NamespacedName
from sluice.core.image import ImageRef as Image
from sluice.core.image import ImageTag
from sluice.core.image_policy import Choice, DigestStep, Previous, TagPolicy, decide, digest_step
from sluice.core.image_policy.digest_reflection import ReflectionPolicy
from sluice.core.image_policy.policy import quoted
from sluice.core.problem import Code, Problem, clip, printable
from sluice.kube.well_known import NAMESPACES
from sluice.reconcilers.image_rules import scan_filter, tag_policy
from sluice.reconcilers.image_scans import ImageScans
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.registry_access import registry_access
from sluice.reconcilers.reported_kind import ReportedKind
from sluice.registry.access import RegistryAccess
from sluice.registry.cloud.clouds import Clouds
from sluice.registry.registries import Registries
from sluice.registry.scanner import Scanner, ScanResult
from sluice.runtime.queue import Turn

RETRY_LIMIT = 600.0
# What a scan or the repository itself changes: both wake the policy.
WOKEN_CODES = frozenset({codes.REFERENCE_MISSING, codes.NO_MATCHING_TAG, codes.TAG_GONE, codes.TAG_NOT_A_NUMBER})
_REFLECTION: dict[str, ReflectionPolicy] = {"IfNotPresent": "IfNotPresent", "Always": "Always"}
STALLED_CODES = frozenset(
    {codes.SPEC_INVALID, codes.FIELD_CONFLICT, codes.TAG_RANGE, codes.REGEX_REJECTED, codes.IMAGE_REF}
)


class ImagePolicyReconciler:
    """Keeps the choice of every ImagePolicy at what its repository's last scan allows."""

    def __init__(
        self,
        operator: Operator,
        kind: ReportedKind[ImagePolicy],
        repositories: ReportedKind[ImageRepository],
        scans: ImageScans,
        scanner: Scanner,
        registries: Registries,
        clouds: Clouds,
    ) -> None:
        self._op = operator
        self._kind = kind
        self._repositories = repositories
        self._scans = scans
        self._scanner = scanner
        self._registries = registries
        self._clouds = clouds
        self._chosen_by: dict[NamespacedName, tuple[str, ...]] = {}

    async def reconcile(self, turn: Turn[NamespacedName]) -> float | None:
        """One turn. Returns the seconds until the next; None where only a change, which wakes it, can matter."""
        policy = await self._kind.due(turn.key)
        if policy is None:
            if self._kind.is_gone(turn.key):
                self._chosen_by.pop(turn.key, None)
            return None
        try:
            return await self._run(policy)
        except SluiceError as error:
            found = {problem.code for problem in error.problems}
            if found and found <= STALLED_CODES:
                await self._kind.stalled(policy, _reason(error), error)
                return None
            later = await self._kind.failed(policy, _reason(error), error, RETRY_LIMIT)
            return None if found and found <= WOKEN_CODES else later

    async def _run(self, policy: ImagePolicy) -> float | None:
        problems = validate_image_policy(policy, self._op.rules)
        if problems:
            raise UserError(*problems)
        rules = tag_policy(policy)
        repository = await self._repository(policy)
        image = image_of(repository)
        if self._scans.get(policy.repository) is None:
            return await self._wait(policy, repository)
        choice = await self._choose(policy, rules, repository, image)
        if choice.tag is None or choice.problem is not None:
            raise UserError(*filter(None, (choice.problem,)))
        latest = await self._with_digest(policy, repository, image, choice.tag.tag)
        self._chosen_by[policy.metadata.key] = repository.spec.exclusionList
        await self._report(policy, latest)
        return parse_duration(policy.spec.interval) if policy.spec.interval else None

    # --- observe ------------------------------------------------------------------------------------------------

    async def _repository(self, policy: ImagePolicy) -> ImageRepository:
        key = policy.repository
        repository = self._repositories.objects.get(key.namespace, key.name)
        if repository is None:
            title = f"ImageRepository {key} does not exist"
            raise NotReady(self._problem(policy, codes.REFERENCE_MISSING, title, "", "create it, or correct the name"))
        if key.namespace != policy.metadata.namespace:
            await self._check_access(policy, repository)
        return repository

    async def _check_access(self, policy: ImagePolicy, repository: ImageRepository) -> None:
        """Another namespace's repository must admit ours, by the labels that our namespace has now."""
        home, access = policy.metadata.namespace, repository.spec.accessFrom
        meta = await self._op.client.get_metadata(NAMESPACES, "", home)
        if access is not None and meta is not None and access.admits(meta.labels):
            return
        title = f"ImageRepository {policy.repository} does not let namespace {home} refer to it"
        cause = (
            "no selector of its spec.accessFrom matches the namespace's labels" if access else "it has no accessFrom"
        )
        fix = "add a namespaceSelector to its spec.accessFrom, or refer to one of this namespace"
        raise NotReady(self._problem(policy, codes.ACCESS_DENIED, title, cause, fix))

    def _problem(self, policy: ImagePolicy, code: Code, title: str, cause: str, fix: str) -> Problem:
        return Problem(code, title, self._kind.id_of(policy), field="spec.imageRepositoryRef", cause=cause, fix=fix)

    async def _wait(self, policy: ImagePolicy, repository: ImageRepository) -> float | None:
        """Not scanned yet. After a restart the choice from before stands: not to have looked is not to have lost it."""
        status = policy.status
        known = status.latestRef is not None and status.latestRef.name == repository.spec.image
        if known and status.observedGeneration == policy.metadata.generation:
            return None
        title = f"ImageRepository {policy.repository} has not been scanned yet"
        raise NotReady(self._problem(policy, codes.REFERENCE_MISSING, title, "", "see its status"))

    # --- decide -------------------------------------------------------------------------------------------------

    async def _choose(self, policy: ImagePolicy, rules: TagPolicy, repository: ImageRepository, image: Image) -> Choice:
        access = RegistryAccess(scope=repository.metadata.namespace)
        known = await self._scanner.cached(image, access, scan_filter(repository, [rules]))
        choice = decide(rules, known.tags, self._previous(policy, repository), known.complete)
        return _with_left_out(choice, known)

    def _previous(self, policy: ImagePolicy, repository: ImageRepository) -> Previous | None:
        latest, exclusions = policy.status.latestRef, repository.spec.exclusionList
        if latest is None or latest.name != repository.spec.image:
            return None
        same = self._chosen_by.get(policy.metadata.key, exclusions) == exclusions
        return Previous(ImageTag(latest.tag), same and policy.status.observedGeneration == policy.metadata.generation)

    async def _with_digest(self, policy: ImagePolicy, repository: ImageRepository, image: Image, tag: str) -> ImageRef:
        latest = ImageRef(name=repository.spec.image, tag=tag)
        reported = policy.status.latestRef
        before = None
        if reported is not None:
            before = replace(image, name=reported.name, tag=reported.tag, digest=reported.digest or None)
        match digest_step(_REFLECTION.get(policy.spec.digestReflectionPolicy, "Never"), image.with_tag(tag), before):
            case DigestStep.KEEP if reported is not None:
                return ImageRef(name=latest.name, tag=tag, digest=reported.digest)
            case DigestStep.FETCH:
                subject = self._repositories.id_of(repository)
                access = await registry_access(self._op.client, self._clouds, repository, subject)
                digest = await self._registries.open(image, access).digest(tag)
                return ImageRef(name=latest.name, tag=tag, digest=digest)
        return latest

    # --- report -------------------------------------------------------------------------------------------------

    async def _report(self, policy: ImagePolicy, latest: ImageRef) -> None:
        status = policy.status
        previous = status.observedPreviousRef if latest == status.latestRef else status.latestRef
        fields = {"latestRef": latest, "observedPreviousRef": previous}
        await self._kind.succeeded(policy, ready_message(latest, previous), fields)


def _with_left_out(choice: Choice, known: ScanResult) -> Choice:
    """Where nothing is chosen, say also of which tags the registry has no image for this cluster, and why."""
    if choice.problem is None or choice.tag is not None or not known.excluded:
        return choice
    tag, reason = min(known.excluded)
    left_out = f"{len(known.excluded)} left out, such as {quoted(tag)}: {clip(printable(reason), 200)}"
    cause = f"{choice.problem.cause}; {left_out}" if known.tags else left_out
    return replace(choice, problem=replace(choice.problem, cause=cause))


def ready_message(latest: ImageRef, previous: ImageRef | None) -> str:
    """Flux's words, which scripts read.

    >>> ready_message(ImageRef(name="web", tag="2"), ImageRef(name="web", tag="1"))
    'Latest image tag for web resolved to 2 (previously web:1)'
    """
    digest = f" with digest {latest.digest}" if latest.digest else ""
    before = f" (previously {previous})" if previous is not None and previous != latest else ""
    return f"Latest image tag for {latest.name} resolved to {latest.tag}{digest}{before}"


def _reason(error: SluiceError) -> str:
    found = {problem.code for problem in error.problems}
    if found & {codes.ACCESS_DENIED, codes.CROSS_NAMESPACE}:
        return "AccessDenied"
    if codes.IMAGE_REF in found:
        return "ImageURLInvalid"
    if codes.REFERENCE_MISSING in found:
        return "DependencyNotReady"
    if found and found <= STALLED_CODES:
        return "InvalidPolicy"
    return "Failure"

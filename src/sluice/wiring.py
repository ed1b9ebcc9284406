"""Builds the running operator out of its parts, and leads with it; what works beside the syncs is in `services`."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from sluice.api.git_repository import GitRepository
from sluice.api.install import InstallOptions, manifests
from sluice.api.kustomization import Kustomization, without_inventory
from sluice.api.validate import SpecRules
from sluice.core.errors import SluiceError, UserError
from sluice.core.guard import OwnParts
from sluice.core.ids import NamespacedName, ResourceId
from sluice.core.plan import Owner
from sluice.git.limits import GitPolicy
from sluice.git.mirrors import Mirrors
from sluice.kube.client import KubeClient
from sluice.kube.config import ClusterAccess
from sluice.kube.discovery import Discovery
from sluice.kube.lease import Candidate, LeaseName, acquire_all
from sluice.kube.openapi import Schemas
from sluice.kube.resource import Selection
from sluice.kube.watch import STANDING
from sluice.kube.watch_cache import WatchCache
from sluice.reconcilers import our_kinds
from sluice.reconcilers.accounts import Accounts
from sluice.reconcilers.artifacts import Artifacts
from sluice.reconcilers.claims import Claims
from sluice.reconcilers.deploy_key import ensure_deploy_keys
from sluice.reconcilers.flag_mode import FlagObjects, NoFinalizers, source_of, syncs_of
from sluice.reconcilers.git_repository import GitRepositoryReconciler
from sluice.reconcilers.github_apps import GitHubApps
from sluice.reconcilers.group import GroupReconciler
from sluice.reconcilers.group_members import recorded_groups
from sluice.reconcilers.kustomization import KustomizationReconciler
from sluice.reconcilers.leader_label import mark_leader
from sluice.reconcilers.long_requests import tell_long_requests
from sluice.reconcilers.operator import FinalizerPatches, Operator, nothing_told, utc_now
from sluice.reconcilers.our_kinds import GIT_REPOSITORIES, KUSTOMIZATIONS
from sluice.reconcilers.quotas import Quotas
from sluice.reconcilers.served_kinds import follow_all, not_installed
from sluice.reconcilers.signed_history import SignedHistory
from sluice.reconcilers.span_parents import source_uid
from sluice.reconcilers.sync_turns import SyncTurns
from sluice.reconcilers.wakeups import Wakeups
from sluice.render import Renderer
from sluice.render.generators import DEFAULT_PATH, Generators
from sluice.render.leftovers import clear_leftovers
from sluice.render.sandbox import confinement
from sluice.runtime.api_requests import api_requests
from sluice.runtime.controller import Controller
from sluice.runtime.crash_book import CrashBook
from sluice.runtime.event_recorder import EventRecorder
from sluice.runtime.executor import Executor
from sluice.runtime.identities import Identities
from sluice.runtime.live_lookup import LiveLookup
from sluice.runtime.owned import OwnedObjects
from sluice.runtime.record_secret import LEDGER, QUARANTINE
from sluice.runtime.record_store import RecordStore
from sluice.runtime.resource_info import resource_info
from sluice.runtime.scrape import scraped
from sluice.runtime.status_writer import StatusWriter
from sluice.runtime.survey import Survey
from sluice.runtime.watchdog import watched_loop
from sluice.server.artifact_files import artifact_files
from sluice.server.probes import Readiness, metrics, probes, serving
from sluice.services import (
    Started,
    Surfaces,
    app_transport,
    connect,
    open_fluxd_api,
    open_images,
    start_services,
    start_traces,
    writing_of,
)
from sluice.settings import Settings
from sluice.store.artifacts import ArtifactStore

if TYPE_CHECKING:
    from sluice.reconcilers.notifier import Notifier
    from sluice.runtime.fluxd_metrics import FluxdMetrics

# Ours first; the others are Flux's own, held so that two controllers never write as one field manager.
LEASES = (
    "sluice-leader-election",
    "kustomize-controller-leader-election",
    "source-controller-leader-election",
)
# With CRDs only: flag mode has none of these kinds.
CRD_LEASES = (
    "image-reflector-controller-leader-election",
    "image-automation-controller-leader-election",
    "notification-controller-leader-election",
)
RELEASE_SECONDS = 3.0
# A record of 10,000 objects is written in a tenth of a second.
MOVED_SECONDS = 5.0
log = structlog.get_logger()


class Stopped(Exception):
    """The operator was asked to stop."""


class LeadershipLost(Exception):
    """Another process holds a lease now: this one must not write any more."""


@dataclass(slots=True)
class _Parts:
    """What differs between CRD mode and flag mode."""

    sources: WatchCache[GitRepository] | FlagObjects[GitRepository]
    syncs: WatchCache[Kustomization] | FlagObjects[Kustomization]


async def run_operator(
    settings: Settings,
    access: ClusterAccess,
    stop: asyncio.Event,
    on_ready: Callable[[], None] = lambda: None,
) -> None:
    """Run until `stop` is set.

    Raises UserError when the CRDs are not installed (CRD mode), LeadershipLost when another process took over.
    """
    ready = Readiness()
    await asyncio.to_thread(clear_leftovers, settings.storage / "render")
    async with AsyncExitStack() as stack:
        # Connections of their own: a renewal must never stand in line behind applies that a webhook holds up.
        leases = LEASES if settings.flag_source is not None else LEASES + CRD_LEASES
        lease_client = await stack.enter_async_context(KubeClient(access, max_in_flight=len(leases)))
        candidates = [Candidate(lease_client, LeaseName(settings.namespace, n, settings.identity)) for n in leases]
        # A process that was stopped for a while wakes up in the middle of its turns: nothing of them goes out any more.
        client = await stack.enter_async_context(
            KubeClient(access, max_in_flight=32, may_write=lambda: all(c.holds() for c in candidates))
        )
        stack.enter_context(scraped(lambda: api_requests(client, lease_client)))
        stack.enter_context(watched_loop())
        await stack.enter_async_context(
            serving(
                (settings.health_address, probes(ready)),
                (settings.metrics_address, metrics()),
                (settings.storage_address, artifact_files(settings.storage / "artifacts")),
            )
        )
        policy = GitPolicy(settings.git_allow_loopback, settings.git_insecure_http_credentials)
        mirrors = await stack.enter_async_context(Mirrors(settings.storage / "mirrors", policy=policy))
        apps = GitHubApps(await stack.enter_async_context(app_transport(settings)))
        notifier = hooks = started = None
        discovery = Discovery(client)
        images = await open_images(stack, settings)
        fluxd_api = await open_fluxd_api(stack, settings, client)
        if settings.flag_source is None:
            from sluice.crd_services import open_hooks, open_notifier  # slow to import, and flag mode has no use for it

            await _require_crds(discovery)
            hooks = await open_hooks(stack, settings)
            notifier = await open_notifier(stack, settings, client, lambda: all(c.holds() for c in candidates))
        pod = pod_of(settings)
        if pod is not None:  # what an earlier process of this pod has left
            await mark_leader(lease_client, pod, leads=False)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_raise_when(stop))
                start_traces(stack, group, settings)
                await acquire_all(candidates, partial(_wait_for, ready), _lease_fails)
                ready.leads()
                log.info("leading", identity=settings.identity)
                for candidate in candidates:
                    group.create_task(_keep(candidate))
                if notifier is not None:
                    await notifier.load()
                async with asyncio.TaskGroup() as starting:
                    core = starting.create_task(_start(group, settings, client, discovery, mirrors, notifier, apps))
                    if notifier is not None:
                        starting.create_task(notifier.start(group))
                started = core.result()
                writing = writing_of(settings, started, candidates)
                await start_services(group, settings, started, images, writing, Surfaces(notifier, hooks, fluxd_api))
                if pod is not None:
                    await mark_leader(lease_client, pod, leads=True)
                ready.serves()
                on_ready()
        except* Stopped:
            if notifier is not None:
                await notifier.close()
            if started is not None:
                await _write_moved(started.operator.records)
            log.info("stopped")
        finally:
            if pod is not None:
                await mark_leader(lease_client, pod, leads=False)
            for candidate in candidates:
                await _release(candidate)


def pod_of(settings: Settings) -> NamespacedName | None:
    """The pod that this process runs in; None elsewhere."""
    return NamespacedName(settings.namespace, settings.pod) if settings.pod else None


@asynccontextmanager
async def reading_operator(settings: Settings, client: KubeClient) -> AsyncIterator[Operator]:
    """The parts of an operator for looking without writing: no leases, no watches, no objects of ours."""
    policy = GitPolicy(settings.git_allow_loopback, settings.git_insecure_http_credentials)
    (settings.storage / "render").mkdir(parents=True, exist_ok=True)
    async with (
        Mirrors(settings.storage / "mirrors", policy=policy) as mirrors,
        app_transport(settings) as transport,
        asyncio.TaskGroup() as group,
    ):
        records = RecordStore(client, settings.namespace)
        await records.load()
        owned = OwnedObjects(client, group, lambda owner, resource: None)
        nothing = _Parts(FlagObjects[GitRepository]([]), FlagObjects[Kustomization]([]))
        discovery = Discovery(client)
        await discovery.invalidate()
        operator = _operator(settings, client, discovery, mirrors, records, owned, nothing)
        operator.github_apps = GitHubApps(transport)
        yield operator


def _wait_for(ready: Readiness, holder: str) -> None:
    ready.waits_for(holder)
    log.info("waiting for the lease", holder=holder)


def _lease_fails(why: str) -> None:
    log.warning("the lease can't be taken yet", error=why)


async def _raise_when(stop: asyncio.Event) -> None:
    await stop.wait()
    raise Stopped


async def _keep(candidate: Candidate) -> None:
    why = await candidate.keep()
    raise LeadershipLost(why)


async def _write_moved(records: RecordStore) -> None:
    """Spare the next process a look at what was set right; where that can't be written it looks."""
    try:
        async with asyncio.timeout(MOVED_SECONDS):
            await records.write_moved()
    except (SluiceError, TimeoutError) as error:
        log.warning("what was set right is looked at once more by the next process", error=str(error))


async def _release(candidate: Candidate) -> None:
    """Give it back; where that can't be done it runs out, and the other leases and the reason to end count more."""
    try:
        async with asyncio.timeout(RELEASE_SECONDS):
            await candidate.release()
    except (SluiceError, TimeoutError) as error:
        log.warning("the lease is left to run out", error=str(error))


async def _require_crds(discovery: Discovery) -> None:
    for kind in our_kinds.ALL:
        if await discovery.find(kind.api_version, kind.kind) is None:
            raise UserError(not_installed(kind))


async def _start(
    group: asyncio.TaskGroup,
    settings: Settings,
    client: KubeClient,
    discovery: Discovery,
    mirrors: Mirrors,
    notifier: Notifier | None,
    apps: GitHubApps,
) -> Started:
    """Build the parts and start their tasks; returns once every cache is true and turns are being served."""
    records = RecordStore(client, settings.namespace)
    await records.load()
    crashes = CrashBook(client, settings.namespace, settings.storage)
    await crashes.load(pod_of(settings))
    parts = _parts(settings, client)

    def suspect(owner: Owner, resource: ResourceId) -> None:
        due = sync_reconciler.suspect(owner, resource)
        if due is not None:
            drift.queue.add(NamespacedName(owner.namespace, owner.name), due)

    owned = OwnedObjects(client, group, suspect)
    operator = _operator(settings, client, discovery, mirrors, records, owned, parts, notifier=notifier)
    operator.github_apps = apps
    operator.crashes = crashes
    if settings.flag_source is not None:
        operator.fluxd_metrics = _fluxd_metrics()
    if settings.upstream:
        operator.upstream = await connect(group, settings)
    if notifier is not None:
        notifier.parent_of = partial(source_uid, operator)
    source_reconciler = GitRepositoryReconciler(operator)
    sync_reconciler = KustomizationReconciler(operator)
    sources = Controller("GitRepository", source_reconciler.reconcile)

    def wake_sync(key: NamespacedName) -> None:
        syncs.queue.add(key)

    def wake_group(key: NamespacedName) -> None:
        groups.queue.add(key)

    group_reconciler = GroupReconciler(operator, sync_reconciler)
    turns = SyncTurns(operator, sync_reconciler, group_reconciler, wake_sync, wake_group)
    syncs = Controller("Kustomization", turns.of_sync)
    drift = Controller("Kustomization", turns.of_drift, name="drift")
    groups = Controller("KustomizationGroup", turns.of_group)
    for recorder in (operator.git_events, operator.sync_events):
        group.create_task(recorder.run())
    await discovery.invalidate()
    await _watch_recorded(records, discovery, owned)
    wakeups = Wakeups(operator, sources.queue, syncs.queue, groups.queue)
    operator.artifacts.subscribe(wakeups.artifact_changed)
    if isinstance(parts.sources, WatchCache) and isinstance(parts.syncs, WatchCache):
        parts.sources.subscribe(wakeups.source_changed)
        parts.syncs.subscribe(wakeups.sync_changed)
        parts.sources.subscribe(tell_long_requests(operator.git_events, GIT_REPOSITORIES))
        parts.syncs.subscribe(tell_long_requests(operator.sync_events, KUSTOMIZATIONS))
        if notifier is not None:
            parts.sources.subscribe(notifier.intake.recall(GIT_REPOSITORIES))
            parts.syncs.subscribe(notifier.intake.recall(KUSTOMIZATIONS))
        await follow_all(group, (parts.sources, GIT_REPOSITORIES), (parts.syncs, KUSTOMIZATIONS))
    for key in recorded_groups(records):
        groups.queue.add(key)
    if settings.flag_source is not None:
        await ensure_deploy_keys(client, parts.sources.items(), settings.deploy_key)
        wakeups.everything()
        group.create_task(_tell_of(parts))
    group.create_task(sync_reconciler.commits.run())
    group.create_task(sources.run())
    group.create_task(syncs.run())
    group.create_task(drift.run())
    group.create_task(groups.run())
    return Started(operator, source_reconciler, sources.queue, parts.sources, parts.syncs)


def _fluxd_metrics() -> FluxdMetrics:
    from sluice.runtime.fluxd_metrics import FluxdMetrics  # importing it makes the series be served

    return FluxdMetrics()


async def _tell_of(parts: _Parts) -> None:
    """Show the objects that flags define in every scrape, until cancelled; those in the cluster their watches show."""
    with (
        scraped(lambda: resource_info(GIT_REPOSITORIES, parts.sources.items())),
        scraped(lambda: resource_info(KUSTOMIZATIONS, parts.syncs.items())),
    ):
        await asyncio.Event().wait()


def _parts(settings: Settings, client: KubeClient) -> _Parts:
    if settings.flag_source is not None:
        return _Parts(
            FlagObjects([source_of(settings.flag_source, settings.namespace)]),
            FlagObjects(syncs_of(settings.flag_source, settings.namespace)),
        )
    where = settings.watch_namespace
    return _Parts(
        WatchCache(client, Selection(GIT_REPOSITORIES, where), GitRepository, policy=STANDING),
        WatchCache(client, Selection(KUSTOMIZATIONS, where), Kustomization, policy=STANDING, project=without_inventory),
    )


def _operator(
    settings: Settings,
    client: KubeClient,
    discovery: Discovery,
    mirrors: Mirrors,
    records: RecordStore,
    owned: OwnedObjects,
    parts: _Parts,
    *,
    notifier: Notifier | None = None,
) -> Operator:
    sources, syncs = parts.sources, parts.syncs
    identities = Identities(client, Accounts(syncs, settings.default_service_account))
    offer = notifier.intake.offer if notifier is not None else None
    intents = notifier.intake.intents if notifier is not None else None
    return Operator(
        client=client,
        discovery=discovery,
        git_repositories=sources,
        kustomizations=syncs,
        git_status=sources
        if isinstance(sources, FlagObjects)
        else StatusWriter(client, GIT_REPOSITORIES, "gotk-source-controller", intents),
        sync_status=syncs
        if isinstance(syncs, FlagObjects)
        else StatusWriter(client, KUSTOMIZATIONS, "gotk-kustomize-controller", intents),
        git_finalizers=NoFinalizers() if settings.flag_source else FinalizerPatches(client, GIT_REPOSITORIES),
        sync_finalizers=NoFinalizers() if settings.flag_source else FinalizerPatches(client, KUSTOMIZATIONS),
        git_events=EventRecorder(client, "source-controller", utc_now, offer, settings.identity),
        sync_events=EventRecorder(client, "kustomize-controller", utc_now, offer, settings.identity),
        artifacts=Artifacts(),
        mirrors=mirrors,
        store=ArtifactStore(settings.storage / "artifacts"),
        renderer=_renderer(settings),
        records=records,
        owned=owned,
        lookup=LiveLookup(client, discovery, owned),
        survey=Survey(client, discovery, owned),
        quotas=Quotas(client),
        executor=Executor(client, discovery, owned, records, identities),
        identities=identities,
        schemas=Schemas(client),
        rules=SpecRules(settings.no_cross_namespace_refs, settings.cross_namespace_alerts),
        artifact_host=settings.artifact_host,
        own=_own_parts(settings.namespace),
        claims=Claims(),
        default_namespace=settings.flag_source.default_namespace if settings.flag_source else "",
        watches=lambda namespace: settings.flag_source is None and settings.watch_namespace in {"", namespace},
        offer=offer,
        intents=intents,
        held_events=notifier.intake if notifier is not None else None,
        told=notifier.intake.told if notifier is not None else nothing_told,
        instance=settings.identity,
        signed_history=_signed_history(settings),
    )


def _signed_history(settings: Settings) -> SignedHistory | None:
    """What flag mode asks of signatures; None where it asks for none, and with CRDs, which say so each for itself."""
    flags = settings.flag_source
    if flags is None or not flags.signatures:
        return None
    return SignedHistory(tuple(Path(path) for path in flags.key_files), flags.signatures == "first-parent")


def _renderer(settings: Settings) -> Renderer:
    """Commands of a .flux.yaml run where the flags say so, and nowhere else: they come from the one repository."""
    flags, work_dir = settings.flag_source, settings.storage / "render"
    if flags is None or not flags.manifest_generation:
        return Renderer(work_dir)
    commands = work_dir / "commands"
    shutil.rmtree(commands, ignore_errors=True)  # what a killed process left
    weakness = confinement()
    if weakness:
        log.warning("commands of a .flux.yaml are not fully confined", cause=weakness)
    return Renderer(work_dir, generators=Generators(commands, flags.generator_path or DEFAULT_PATH))


def _own_parts(namespace: str) -> OwnParts:
    leases = (ResourceId("coordination.k8s.io", "Lease", namespace, name) for name in LEASES + CRD_LEASES)
    installed = (_id_of(each) for each in manifests(InstallOptions(version="", namespace=namespace)))
    books = (ResourceId("", "Secret", namespace, name) for name in (LEDGER, QUARANTINE))
    return OwnParts(frozenset({*leases, *books}), frozenset(installed), namespace)


def _id_of(body: Mapping[str, Any]) -> ResourceId:
    meta = body["metadata"]
    group = body["apiVersion"].rpartition("/")[0]
    return ResourceId(group, body["kind"], meta.get("namespace", ""), meta["name"])


async def _watch_recorded(records: RecordStore, discovery: Discovery, owned: OwnedObjects) -> None:
    """Watch every kind that a record names before the first turn: what happened while we were away is seen then."""
    kinds = {
        (entry.api_version, entry.id.kind)
        for owner in records.owners()
        if (record := records.get(owner)) is not None
        for entry in record.inventory
    }
    found = [await discovery.find(api_version, kind) for api_version, kind in sorted(kinds)]
    watchable = [resource for resource in found if resource is not None and "watch" in resource.verbs]
    async with asyncio.TaskGroup() as looks:
        for resource in watchable:
            looks.create_task(owned.first_look(resource))

"""Starts what works beside the syncs: images, updates that people ask for, Receivers, notifications, fluxd's API."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import structlog

from sluice import __version__
from sluice.api.git_repository import GitRepository
from sluice.api.kustomization import Kustomization
from sluice.core.egress import parse_egress
from sluice.core.errors import UserError
from sluice.core.ids import NamespacedName
from sluice.git.push_queue import PushQueue
from sluice.kube.client import KubeClient
from sluice.kube.lease import Candidate
from sluice.kube.watch_cache import WatchCache
from sluice.reconcilers.automation_memory import AutomationMemory
from sluice.reconcilers.flag_mode import FlagObjects
from sluice.reconcilers.git_repository import GitRepositoryReconciler
from sluice.reconcilers.image_kinds import ImageKinds
from sluice.reconcilers.image_update_automation import Writing
from sluice.reconcilers.jobs import CommitStyle
from sluice.reconcilers.node_platforms import NodePlatforms
from sluice.reconcilers.operator import Operator, utc_now
from sluice.reconcilers.running_workloads import RunningWorkloads
from sluice.reconcilers.sync_marker import SyncMarker
from sluice.reconcilers.update_requests import start_jobs
from sluice.reconcilers.workload_automation import WorkloadAutomation
from sluice.reconcilers.workload_images import WorkloadImages
from sluice.registry.cloud.azure import azure_principal
from sluice.registry.cloud.clouds import Clouds
from sluice.registry.cloud.ecr import EcrFilter
from sluice.registry.limits import RegistryLimits, RegistryPolicy
from sluice.registry.proxy_rules import NO_PROXIES, ProxyRules, proxy_rules
from sluice.registry.registries import Registries
from sluice.registry.scanner import Observer, Scanner
from sluice.registry.transport import Transport as RegistryTransport
from sluice.runtime.queue import KeyedQueue
from sluice.runtime.tracing import traced
from sluice.settings import Settings
from sluice.store.tag_cache import TagCache

if TYPE_CHECKING:
    from sluice.reconcilers.jobs import Jobs
    from sluice.reconcilers.notifier import Notifier
    from sluice.reconcilers.upstream import Upstream
    from sluice.server.fluxd_api import FluxdApi
    from sluice.server.hooks import Hooks

APP_LIMITS = RegistryLimits(request_seconds=20.0)
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Started:
    """What of the running operator the image kinds work with."""

    operator: Operator
    sources: GitRepositoryReconciler
    source_queue: KeyedQueue[NamespacedName]
    source_cache: WatchCache[GitRepository] | FlagObjects[GitRepository]
    sync_cache: WatchCache[Kustomization] | FlagObjects[Kustomization]


@dataclass(frozen=True, slots=True)
class Images:
    """The way to registries, and what is known of them."""

    registries: Registries
    scanner: Scanner
    clouds: Clouds


async def open_images(stack: AsyncExitStack, settings: Settings) -> Images:
    """The way to registries; nothing is asked of any yet."""
    policy = RegistryPolicy(
        settings.registry_allow_loopback,
        frozenset(settings.registry_insecure_hosts),
        frozenset(settings.registry_realm_hosts),
        _proxies(settings),
    )
    limits = RegistryLimits(rate=settings.registry_rps, burst=settings.registry_burst)
    agent = f"sluice/{__version__}"
    registries = await stack.enter_async_context(Registries(policy=policy, limits=limits, user_agent=agent))
    cache = await stack.enter_async_context(TagCache(settings.storage / "tags.sqlite"))
    await cache.forget_unused(utc_now())
    flags = settings.automation
    ecr = EcrFilter(*(frozenset(ids) for ids in (flags.ecr_regions, flags.ecr_include, flags.ecr_exclude)))
    principal = await azure_principal()
    clouds = Clouds(
        settings.environment,
        ecr=ecr,
        principal=principal,
        proxies=policy.proxies,
        user_agent=agent,
        of_objects=settings.object_identities,
    )
    await stack.enter_async_context(clouds)
    scanner = Scanner(registries, cache, utc_now, *_scan_observer(settings))
    return Images(registries, scanner, clouds)


def app_transport(settings: Settings) -> RegistryTransport:
    """The way to the API of GitHub, whose address a Secret may name: what it leads to is checked as for git."""
    policy = RegistryPolicy(settings.git_allow_loopback, proxies=_proxies(settings))
    return RegistryTransport(policy, APP_LIMITS, f"sluice/{__version__}")


def _proxies(settings: Settings) -> ProxyRules:
    """What the environment says of proxies; what can't be used of it is no reason not to run."""
    try:
        return proxy_rules(settings.environment)
    except UserError as error:
        log.warning("registries are reached without a proxy", error=str(error))
        return NO_PROXIES


def writing_of(settings: Settings, started: Started, candidates: Sequence[Candidate]) -> Writing:
    """One queue of commits for all; what it pushes is bounded by what is left of the leases."""
    return Writing(
        started.sources,
        PushQueue(time.monotonic),
        started.source_queue.add,
        lambda: min(candidate.seconds_left() for candidate in candidates),
        read_only=settings.git_read_only,
    )


def _start_marker(group: asyncio.TaskGroup, settings: Settings, started: Started, writing: Writing) -> None:
    """Move fluxd's sync tag from now on, where the flags name one."""
    if isinstance(started.sync_cache, FlagObjects) and settings.git_writing.sync_tag:
        marker = SyncMarker(started.operator, writing, CommitStyle.of(settings.git_writing))
        started.sync_cache.subscribe(marker.sync_changed)
        marker.start(group)


def _images_of(group: asyncio.TaskGroup, settings: Settings, operator: Operator, images: Images) -> WorkloadImages:
    """What runs and what could run; nothing is watched or scanned until somebody asks."""
    running = RunningWorkloads(operator.client, operator.discovery, group)
    tenants = settings.flag_source is None
    return WorkloadImages(operator.client, running, images.scanner, images.clouds, settings.automation, tenants=tenants)


async def _start_annotations(
    group: asyncio.TaskGroup, settings: Settings, started: Started, found: WorkloadImages, writing: Writing
) -> None:
    """Start automation by annotations; returns once it is known what runs."""
    memory = AutomationMemory(started.operator.client, settings.namespace)
    style = CommitStyle.of(settings.git_writing)
    automation = WorkloadAutomation(started.operator, found, writing, settings.automation, style, memory)
    started.sync_cache.subscribe(automation.sync_changed)
    await automation.start(group)


async def _start_images(
    group: asyncio.TaskGroup,
    settings: Settings,
    started: Started,
    images: Images,
    writing: Writing,
    notifier: Notifier | None,
) -> None:
    """Start the image kinds; returns once their caches are true and turns are being served."""
    kinds = ImageKinds(
        started.operator, images.registries, images.scanner, images.clouds, writing, settings.watch_namespace
    )
    if isinstance(started.source_cache, WatchCache):
        started.source_cache.subscribe(kinds.wakeups.source_changed)
    if isinstance(started.sync_cache, WatchCache):
        started.sync_cache.subscribe(kinds.wakeups.sync_changed)
    if notifier is not None:
        kinds.repositories.objects.subscribe(notifier.intake.recall(kinds.repositories.resource))
        kinds.policies.objects.subscribe(notifier.intake.recall(kinds.policies.resource))
        kinds.automations.objects.subscribe(notifier.intake.recall(kinds.automations.resource))
    await kinds.start(group)


def start_traces(stack: AsyncExitStack, group: asyncio.TaskGroup, settings: Settings) -> None:
    """Send traces, where they are asked for; nothing of it is imported where they are not."""
    if not settings.otlp_endpoint:
        return
    from sluice.notify.otlp import OtlpExporter

    exporter = OtlpExporter(settings.otlp_endpoint, {"service.instance.id": settings.identity})
    group.create_task(exporter.run())
    stack.enter_context(traced(exporter.offer))


async def connect(group: asyncio.TaskGroup, settings: Settings) -> Upstream:
    """fluxd's upstream, which whoever starts the operator may have inside the cluster."""
    from sluice.notify.transport import Transport  # nobody else in flag mode needs these
    from sluice.reconcilers.upstream import Upstream

    host = urlsplit(settings.upstream).hostname or ""
    egress = parse_egress(settings.egress_allow)
    transport = Transport(replace(egress, hosts=(*egress.hosts, host)), f"sluice/{__version__}")
    upstream = Upstream(settings.upstream, transport, utc_now)

    async def serve() -> None:
        async with transport:
            await upstream.run()

    group.create_task(serve())
    return upstream


def _scan_observer(settings: Settings) -> tuple[Observer, ...]:
    """Who is told of the steps of scans: fluxd's series, in flag mode alone."""
    if settings.flag_source is None:
        return ()
    from sluice.runtime import fluxd_metrics

    return (fluxd_metrics.scanned,)


async def open_fluxd_api(stack: AsyncExitStack, settings: Settings, client: KubeClient) -> FluxdApi | None:
    """Listen for fluxctl; until this process leads it is told to wait."""
    if not settings.fluxd_address:
        return None
    from sluice.kube.caller_access import CallerAccess  # nobody else needs these
    from sluice.server.fluxd_api import serving_api

    access = CallerAccess(client, time.monotonic) if settings.fluxd_kubernetes_tokens else None
    return await stack.enter_async_context(serving_api(settings.fluxd_address, settings.fluxd_token_file, access))


def _start_fluxd_api(api: FluxdApi, settings: Settings, started: Started, images: WorkloadImages, jobs: Jobs) -> None:
    """Answer fluxctl from now on."""
    from sluice.reconcilers.fluxd_service import Mode, fluxd_service

    by_flags, where = settings.flag_source is not None, settings.watch_namespace
    mode = Mode(by_flags, settings.namespace, where, settings.git_read_only, settings.deploy_key)
    wake = started.source_queue.add
    api.service = fluxd_service(started.operator, started.sources, images, jobs, wake, mode)


@dataclass(frozen=True, slots=True)
class Surfaces:
    """What is open already when this process begins to lead; the first two with CRDs only."""

    notifier: Notifier | None
    hooks: Hooks | None
    fluxd_api: FluxdApi | None


async def start_services(
    group: asyncio.TaskGroup, settings: Settings, started: Started, images: Images, writing: Writing, open_: Surfaces
) -> None:
    """Start all that works beside the syncs; returns once it does."""
    await NodePlatforms(started.operator.client, images.scanner.look_for).start(group)
    _start_marker(group, settings, started, writing)
    found = _images_of(group, settings, started.operator, images)
    style = CommitStyle.of(settings.git_writing)
    jobs = await start_jobs(group, started.operator, found, writing, style, started.sync_cache)
    async with asyncio.TaskGroup() as starting:
        if settings.flag_source is None:
            starting.create_task(_start_images(group, settings, started, images, writing, open_.notifier))
        if open_.hooks is not None:
            from sluice.crd_services import start_receivers

            starting.create_task(start_receivers(group, settings, started.operator, open_.hooks))
        if settings.automation.is_on:
            starting.create_task(_start_annotations(group, settings, started, found, writing))
    if open_.fluxd_api is not None:
        _start_fluxd_api(open_.fluxd_api, settings, started, found, jobs)

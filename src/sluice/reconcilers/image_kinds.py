"""The image kinds as one part of a running operator: their watches, their reconcilers, and what wakes whom."""

from __future__ import annotations

import asyncio

from sluice.api.image_policy import ImagePolicy
from sluice.api.image_repository import ImageRepository
from sluice.api.image_update_automation import ImageUpdateAutomation
from sluice.kube.resource import Resource, Selection
from sluice.reconcilers.image_policy import ImagePolicyReconciler
from sluice.reconcilers.image_repository import ImageRepositoryReconciler
from sluice.reconcilers.image_scans import ImageScans
from sluice.reconcilers.image_update_automation import ImageUpdateAutomationReconciler, Writing
from sluice.reconcilers.image_wakeups import ImageQueues, ImageWakeups
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.our_kinds import IMAGE_POLICIES, IMAGE_REPOSITORIES, IMAGE_UPDATE_AUTOMATIONS
from sluice.reconcilers.reported_kind import ReportedKind, T
from sluice.reconcilers.served_kinds import follow_all
from sluice.registry.cloud.clouds import Clouds
from sluice.registry.registries import Registries
from sluice.registry.scanner import Scanner
from sluice.runtime.controller import Controller
from sluice.runtime.event_recorder import EventRecorder

REFLECTOR = "image-reflector-controller"
AUTOMATION = "image-automation-controller"


class ImageKinds:
    """Build it, then `start` it in the operator's task group. Events and field managers are Flux's controllers'."""

    def __init__(
        self,
        operator: Operator,
        registries: Registries,
        scanner: Scanner,
        clouds: Clouds,
        writing: Writing,
        namespace: str,
    ) -> None:
        self._op = operator
        self._namespace = namespace
        self._reflector = operator.recorder(REFLECTOR)
        self._automation = operator.recorder(AUTOMATION)
        found = ImageScans()
        self.repositories = self._kind(IMAGE_REPOSITORIES, ImageRepository, self._reflector, REFLECTOR)
        self.policies = self._kind(IMAGE_POLICIES, ImagePolicy, self._reflector, REFLECTOR)
        self.automations = self._kind(IMAGE_UPDATE_AUTOMATIONS, ImageUpdateAutomation, self._automation, AUTOMATION)
        scans = ImageRepositoryReconciler(operator, self.repositories, self.policies, found, scanner, clouds)
        choices = ImagePolicyReconciler(operator, self.policies, self.repositories, found, scanner, registries, clouds)
        updates = ImageUpdateAutomationReconciler(operator, self.automations, self.policies, writing)
        self._controllers = (
            Controller("ImageRepository", scans.reconcile),
            Controller("ImagePolicy", choices.reconcile),
            Controller("ImageUpdateAutomation", updates.reconcile),
        )
        queues = ImageQueues(*(controller.queue for controller in self._controllers))
        self.wakeups = ImageWakeups(self.policies, self.automations, queues)
        found.subscribe(self.wakeups.tags_changed)

    def _kind(self, resource: Resource, item_type: type[T], events: EventRecorder, controller: str) -> ReportedKind[T]:
        return ReportedKind(self._op, Selection(resource, self._namespace), item_type, events, controller)

    async def start(self, group: asyncio.TaskGroup) -> None:
        """Start its tasks; returns once every cache is true and turns are being served."""
        for recorder in (self._reflector, self._automation):
            group.create_task(recorder.run())
        self._op.artifacts.subscribe(self.wakeups.artifact_changed)
        kinds = (self.repositories, self.policies, self.automations)
        await follow_all(group, *((kind.objects, kind.resource) for kind in kinds))
        self.repositories.objects.subscribe(self.wakeups.repository_changed)
        self.policies.objects.subscribe(self.wakeups.policy_changed)
        self.automations.objects.subscribe(self.wakeups.automation_changed)
        for controller in self._controllers:
            group.create_task(controller.run())

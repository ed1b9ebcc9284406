"""A sync and its plan → what is waited for before its revision counts as applied, and what ends the wait early."""

from __future__ import annotations

from collections.abc import Mapping

from sluice.api.kustomization import Kustomization
from sluice.api.validate_kustomization import health_rules
from sluice.core import codes
from sluice.core.artifact import Artifact
from sluice.core.errors import NotReady
from sluice.core.health import rule_for
from sluice.core.ids import NamespacedName, ResourceId
from sluice.core.plan import Plan
from sluice.core.problem import Problem
from sluice.kube.resource import Resource
from sluice.reconcilers.commit_health import CommitHealth
from sluice.reconcilers.drift import Drift
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.sync_facts import (
    group_of,
    owner_of,
    rollback_of,
    source_of,
    sync_id,
)
from sluice.runtime.executor import changed_targets, health_targets
from sluice.runtime.health_gate import Target
from sluice.runtime.queue import Turn


class SyncGate:
    """What single syncs, and those of groups, wait for."""

    def __init__(self, operator: Operator, drift: Drift, commits: CommitHealth) -> None:
        self._op = operator
        self._drift = drift
        self._commits = commits
        # Syncs of which an update of images, or what supersedes it, has not come to its end.
        self._waiting: set[NamespacedName] = set()

    def ended(self, key: NamespacedName) -> None:
        """The transaction has ended, or the sync is gone: what comes next is judged anew."""
        self._waiting.discard(key)

    async def targets(
        self,
        sync: Kustomization,
        plan: Plan,
        resources: Mapping[ResourceId, Resource | None],
        *,
        gated: bool = False,
    ) -> tuple[Target, ...]:
        """What the sync waits for: every object of its plan, or its health checks. Raises NotReady, ClusterError.

        `gated` adds what this revision changes, where the sync asks for less: see `changed_targets`.
        """
        itself, rules = sync_id(sync), health_rules(sync)
        if sync.spec.wait:
            known = dict(resources)
            for change in plan.changes():
                if change.id in known and known[change.id] is None:
                    known[change.id] = await self._op.discovery.find(change.api_version, change.id.kind)
            return health_targets(plan, known, frozenset({itself, *self._drift.expired(sync)}), rules)
        targets = []
        for check in sync.spec.healthChecks:
            resource = await self._op.discovery.find(check.apiVersion or "apps/v1", check.kind)
            if resource is None:
                raise NotReady(
                    Problem(
                        codes.UNKNOWN_KIND,
                        f"kind {check.kind} ({check.apiVersion or 'apps/v1'}) is not installed",
                        subject=itself,
                        field="spec.healthChecks",
                        fix="correct spec.healthChecks, or install its CRD",
                    )
                )
            namespace = (check.namespace or sync.metadata.namespace) if resource.namespaced else ""
            key = resource.id_of(namespace, check.name)
            rule = rule_for(key.group_kind, rules)
            targets.append(Target(key, resource, owned=False, rule=rule, by=owner_of(sync)))
        if gated:
            record = self._op.records.get(str(owner_of(sync)))
            named = {target.id for target in targets}
            changed = changed_targets(plan, resources, record.way_back if record is not None else None, rules)
            targets += [target for target in changed if target.id not in named]
        return tuple(targets)

    def is_gated(self, sync: Kustomization, artifact: Artifact) -> bool:
        """True for an update of images, and for what supersedes one: nobody was there to see that it came to life."""
        if artifact.updated_by:
            self._waiting.add(sync.metadata.key)
        return sync.metadata.key in self._waiting

    async def superseded(self, sync: Kustomization, head: str, turn: Turn[NamespacedName]) -> None:
        """Return when what is being waited for is no longer what is wanted."""
        while True:
            await turn.superseded.wait()
            turn.superseded.clear()
            now = self._op.kustomizations.get(turn.key.namespace, turn.key.name)
            if now is None or now.metadata.generation != sync.metadata.generation or now.metadata.deletionTimestamp:
                return
            if rollback_of(now) != rollback_of(sync) or group_of(now) != group_of(sync):
                return
            artifact = self._op.artifacts.get(source_of(sync))
            if artifact is not None and str(artifact.revision) != head:
                return

    def unproved(
        self, sync: Kustomization, plan: Plan, resources: Mapping[ResourceId, Resource | None]
    ) -> tuple[Target, ...]:
        """What must be healthy before a commit that was applied without a wait counts as live, where that is shown."""
        if not self._commits.is_wanted(sync):
            return ()
        rules = health_rules(sync)
        if self._commits.is_left_over(sync):
            return health_targets(plan, resources, frozenset({sync_id(sync)}), rules)
        return changed_targets(plan, resources, None, rules)

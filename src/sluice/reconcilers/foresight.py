"""What can be known of a plan's outcome before its first write: quotas without room, and what deserves a warning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from sluice.api.kustomization import Kustomization
from sluice.core.errors import ClusterError, NotReady, UserError
from sluice.core.ids import ResourceId
from sluice.core.irreversible import ask, irreversible
from sluice.core.plan import Change, Plan
from sluice.core.plan_warning import plan_warnings, wanted_live
from sluice.core.problem import Problem
from sluice.core.quota import check_quotas, created
from sluice.core.shares import Shares
from sluice.core.transaction_messages import OnFailure
from sluice.kube.client import KubeClient
from sluice.kube.resource import Resource
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.sync_facts import asks_for_word, word_command, word_of
from sluice.runtime.together import together


async def foresee(
    operator: Operator,
    sync: Kustomization,
    plan: Plan,
    resources: Mapping[ResourceId, Resource | None],
    revision: str,
) -> tuple[Problem, ...]:
    """Return the warnings. Asks the API server nothing for a plan that creates and prunes nothing special.

    Raises NotReady (QuotaExceeded) for objects without room: who has room to give is not who wrote the commit; and
    UserError (NeedsWord) for what can't be undone, where the sync asks a person about that and nobody has agreed.
    """
    live = await live_objects(operator, plan, Shares.of_one(plan.owner))
    check_word(sync, plan, live, revision)
    refuse = sync.spec.onFailure != OnFailure.CONTINUE  # that one applies what has room
    return await foresee_together(operator, plan, resources, live, refuse=refuse)


async def live_objects(operator: Operator, plan: Plan, shares: Shares) -> dict[ResourceId, Mapping[str, Any]]:
    """What has to be looked at to tell what can't be undone, each as the account of its sync sees it.

    Asks nothing for a plan without such objects.
    """
    client_of = operator.identities.of_shares(shares)
    return dict(await together(_live(operator, client_of(change.id), change) for change in wanted_live(plan)))


def check_word(sync: Kustomization, plan: Plan, live: Mapping[ResourceId, Mapping[str, Any]], revision: str) -> None:
    """Raise UserError (NeedsWord) for what can't be undone where the sync asks a person, and nobody has agreed."""
    if asks_for_word(sync) and word_of(sync) != revision and (found := tuple(irreversible(plan, live))):
        raise UserError(*ask(found, revision, word_command(sync, revision)))


async def foresee_together(
    operator: Operator,
    plan: Plan,
    resources: Mapping[ResourceId, Resource | None],
    live: Mapping[ResourceId, Mapping[str, Any]],
    *,
    refuse: bool,
) -> tuple[Problem, ...]:
    """Return the warnings of a plan, of one sync or of several. Raises NotReady (QuotaExceeded) if `refuse` is set."""
    tight = await _check_quotas(operator, plan, resources, refuse=refuse)
    return (*tight, *plan_warnings(plan, live))


async def _check_quotas(
    operator: Operator, plan: Plan, resources: Mapping[ResourceId, Resource | None], *, refuse: bool
) -> tuple[Problem, ...]:
    wanting = created(plan)
    if not wanting:
        return ()
    quotas = await operator.quotas.of(m.id.namespace for m in wanting)

    def plural(identity: ResourceId) -> str:
        resource = resources[identity]
        return resource.plural if resource is not None else ""

    refusals, warnings = check_quotas(plan, quotas, plural)
    if refusals and refuse:
        raise NotReady(*refusals)
    return warnings


async def _live(operator: Operator, client: KubeClient, change: Change) -> tuple[ResourceId, Mapping[str, Any]]:
    """The object, empty when it is gone or may not be read: a warning is then not given."""
    resource = await operator.discovery.find(change.api_version, change.id.kind)
    try:
        raw = await client.get(resource, change.id.namespace, change.id.name) if resource else None
    except ClusterError as error:
        if error.status != 403:
            raise
        raw = None
    return change.id, msgspec.json.decode(raw) if raw is not None else {}

"""Opens and starts what only an operator with CRDs has: notifications and Receivers. In flag mode nobody imports it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack

from sluice import __version__
from sluice.api.validate import SpecRules
from sluice.core.egress import parse_egress
from sluice.kube.client import KubeClient
from sluice.notify.issuers import Issuers
from sluice.notify.transport import Transport
from sluice.reconcilers.notifier import Notifier
from sluice.reconcilers.operator import Operator, utc_now
from sluice.reconcilers.receiver_calls import ReceiverCalls
from sluice.reconcilers.receiver_kind import ReceiverKind
from sluice.reconcilers.receivers import Receivers
from sluice.server.hooks import Hooks
from sluice.settings import Settings
from sluice.store.notification_spool import NotificationSpool


async def open_notifier(
    stack: AsyncExitStack, settings: Settings, client: KubeClient, may_send: Callable[[], bool]
) -> Notifier:
    """Open what notifications wait in, and the way out; nothing is sent before it is started."""
    egress = parse_egress(settings.egress_allow)
    transport = await stack.enter_async_context(Transport(egress, f"sluice/{__version__}"))
    spool = await stack.enter_async_context(NotificationSpool(settings.storage / "notifications.sqlite"))
    rules = SpecRules(settings.no_cross_namespace_refs, settings.cross_namespace_alerts)
    where = (settings.watch_namespace, settings.namespace)
    return Notifier(client, *where, rules, transport, spool, now=utc_now, may_send=may_send)


async def open_hooks(stack: AsyncExitStack, settings: Settings) -> Hooks:
    """Listen for calls to Receivers; until this process leads they are told to come again."""
    hooks = Hooks(Receivers(), Issuers(parse_egress(settings.egress_allow), f"sluice/{__version__}"))
    await stack.enter_async_context(hooks.serving(settings.hook_address))
    return hooks


async def start_receivers(group: asyncio.TaskGroup, settings: Settings, operator: Operator, hooks: Hooks) -> None:
    """Start the Receivers, and answer calls from then on."""
    await ReceiverKind(operator, hooks.receivers, settings.watch_namespace).start(group)
    hooks.ask = ReceiverCalls(operator.client, operator.discovery, utc_now).ask

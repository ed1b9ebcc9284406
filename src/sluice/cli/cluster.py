"""The cluster that flags name: a client for it, the namespace that is meant, and verbs that are coroutines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import update_wrapper
from typing import Any

import click

from sluice import settings
from sluice.cli.exit_codes import ExitCode
from sluice.cli.flags import Flags
from sluice.cli.terminal import Terminal
from sluice.kube.client import KubeClient
from sluice.kube.discovery import Discovery


@dataclass(slots=True)
class Cluster:
    """An open client, and where its objects are looked for. `namespace` is never empty."""

    client: KubeClient
    discovery: Discovery
    namespace: str
    terminal: Terminal

    @property
    def flags(self) -> Flags:
        """The invocation's flags."""
        return self.terminal.flags

    @property
    def scope(self) -> str:
        """The namespace that lists are of: empty with -A."""
        return "" if self.flags.all_namespaces else self.namespace


@asynccontextmanager
async def open_cluster(terminal: Terminal) -> AsyncIterator[Cluster]:
    """Connect as the flags say. Raises UserError when there is no usable kubeconfig (exit 4)."""
    flags = terminal.flags
    access = settings.cluster_access(flags.kubeconfig, flags.context)
    namespace, said_by = flags.namespace, flags.namespace_from
    if not namespace and access.namespace:
        namespace, said_by = access.namespace, f"context {access.context}"
    if not namespace:
        namespace, said_by = settings.DEFAULT_NAMESPACE, "the default"
    terminal.detail(f"cluster {access.server}, namespace {namespace} (from {said_by})")
    async with KubeClient(access, request_timeout=flags.request_timeout) as client:
        yield Cluster(client, Discovery(client), namespace, terminal)


def in_cluster(run: Callable[..., Coroutine[Any, Any, ExitCode]]) -> Callable[..., ExitCode]:
    """Make a click callback of a coroutine whose first argument is the open cluster."""

    @click.pass_obj
    def callback(flags: Flags, /, **arguments: Any) -> ExitCode:
        async def connected() -> ExitCode:
            async with open_cluster(Terminal(flags)) as cluster:
                return await run(cluster, **arguments)

        return asyncio.run(connected())

    return update_wrapper(callback, run)

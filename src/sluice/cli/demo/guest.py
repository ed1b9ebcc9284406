"""A cluster of the user's own: refused when Flux or Sluice is there, changed only after a yes, and left as it was."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sluice import settings
from sluice.cli.demo.guest_cleanup import MADE, is_the_demos, prune_apps, sweep
from sluice.cli.demo.kubectl import Kubectl, program
from sluice.cli.demo.place import DEMO, SHOP, Home
from sluice.cli.demo.script import Script
from sluice.cli.demo.views import DEPLOYMENTS, Bare
from sluice.cli.flags import Flags, usage
from sluice.cli.terminal import Terminal
from sluice.core import codes
from sluice.core.errors import UserError
from sluice.core.problem import Code, Problem
from sluice.kube.client import KubeClient
from sluice.kube.lease import holder
from sluice.kube.resource import Resource
from sluice.render.kubectl import find_kubectl
from sluice.wiring import LEASES


@asynccontextmanager
async def guest(terminal: Terminal, script: Script) -> AsyncIterator[Home]:
    """Describe the cluster that the flags name. Raises UserError when it is not fit, or nobody said yes."""
    flags = terminal.flags
    access = settings.cluster_access(flags.kubeconfig, flags.context)
    name = access.context or access.server
    async with KubeClient(access) as client:
        version = await client.version()
        leftovers = await _check(client)
        _ask(terminal, name)
        if leftovers:
            script.pending("cleaning up", "removing what an earlier demo left")
            await sweep(client)
            script.done("cleaned up", "what an earlier demo left is gone")
        script.done("cluster", f"{name}, Kubernetes {version.git_version}")
        try:
            yield _home(flags, client)
        finally:
            script.pending("cleaning up", "removing what the demo made")
            await sweep(client)
            script.done("cleaned up", f"namespaces {DEMO} and {SHOP}, and all CRDs, are gone")


def _home(flags: Flags, client: KubeClient) -> Home:
    chosen = {"context": flags.context, "kubeconfig": flags.kubeconfig}
    arguments = tuple(f"--{name}={value}" for name, value in chosen.items() if value)
    kubectl = Kubectl(find_kubectl(), arguments, settings.environment())
    look = " ".join((program(kubectl.environment), *arguments, "get deploy,pods,configmaps -n", SHOP))
    return Home(client.access, kubectl, DEMO, (look,), leave=prune_apps)


async def _check(client: KubeClient) -> bool:
    """Tell whether an earlier demo left something. Raises UserError when the cluster is somebody's."""
    installed = await client.list(DEPLOYMENTS, labels="app.kubernetes.io/part-of=flux", limit=1, item_type=Bare)
    if installed.items:
        found = installed.items[0].metadata
        raise _refusal(codes.ALREADY_INSTALLED, f"Deployment {found.namespace}/{found.name} is installed there")
    leftovers = False
    for resource, name in MADE:
        meta = await client.get_metadata(resource, "", name)
        if meta is not None and not is_the_demos(meta):
            raise _refusal(codes.ALREADY_INSTALLED, f"{_named(resource, name)} exists there, and is not the demo's")
        leftovers = leftovers or meta is not None
    if leftovers and await holder(client, DEMO, LEASES[0], dt.datetime.now(dt.UTC)):
        raise _refusal(codes.LEASE_HELD, "another demo runs there, or was killed less than two minutes ago")
    return leftovers


def _named(resource: Resource, name: str) -> str:
    return f"{resource.kind} {name}"


def _refusal(code: Code, cause: str) -> UserError:
    fix = "choose another context, or leave out --context: the demo then boots a cluster of its own"
    return UserError(Problem(code, "the demo does not go into this cluster", cause=cause, fix=fix))


def _ask(terminal: Terminal, cluster: str) -> None:
    """Say what will be done and ask. Raises UsageRefused without a yes."""
    made = ", ".join(_named(resource, name) for resource, name in MADE)
    terminal.say(f"The demo will create in {cluster}, and remove when it ends:\n  {made},\n  and what is in them.")
    if not terminal.confirm("Go on?"):
        raise usage("nothing was done", cause="nobody said yes", fix="answer y, or add --yes")

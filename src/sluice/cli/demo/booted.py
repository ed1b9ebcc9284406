"""A control plane of the demo's own: boots, and is gone with all that was in it when the block ends."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sluice import settings
from sluice.cli.demo.kubectl import Kubectl, program
from sluice.cli.demo.place import SHOP, Home
from sluice.cli.demo.script import Script
from sluice.kube.client import KubeClient
from sluice.kube.config import load_kubeconfig
from sluice.render.kubectl import find_kubectl


@asynccontextmanager
async def booted(script: Script, scratch: Path) -> AsyncIterator[Home]:
    """Boot a control plane and describe it. Raises DevclusterError; nothing stays behind."""
    from devcluster import running_cluster
    from devcluster.binary import ensure_binary, kubernetes_version
    from devcluster.registry import Registry, ensure_registry

    script.say("A control plane, a git server and Sluice, all on this machine. Ctrl-C ends it.")
    await asyncio.to_thread(ensure_binary, script.say)
    await asyncio.to_thread(ensure_registry, script.say)
    began = time.monotonic()
    script.pending("control plane", "starting")
    async with running_cluster() as cluster:
        kubeconfig = scratch / "kubeconfig"
        shutil.copy(cluster.kubeconfig, kubeconfig)
        script.done("control plane", f"Kubernetes {kubernetes_version()}, one simulated node", time.monotonic() - began)
        environment = {"PATH": settings.environment().get("PATH", ""), "HOME": str(scratch)}
        with Registry(scratch / "registry") as registry:
            yield Home(
                access=load_kubeconfig(kubeconfig),
                kubectl=Kubectl(find_kubectl(), (f"--kubeconfig={kubeconfig}",), environment),
                namespace=settings.DEFAULT_NAMESPACE,
                hints=(
                    f"export KUBECONFIG={kubeconfig}",
                    f"{program(environment)} get deploy,pods,configmaps -n {SHOP}",
                ),
                leave=_nothing_to_take_back,
                registry=registry,
            )


async def _nothing_to_take_back(_: KubeClient) -> None:
    """The cluster goes, and everything in it."""

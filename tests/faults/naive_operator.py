"""`python -m tests.faults.naive_operator KUBECONFIG NAMESPACE FOLDER`: apply what git says, prune what one remembers.

It checks nothing beforehand, applies until something fails, and writes its inventory when it has come to the end.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import yaml

from devcluster.git_repository import hermetic_env
from sluice.core.errors import ClusterError
from sluice.kube.client import KubeClient
from sluice.kube.config import load_kubeconfig
from sluice.kube.resource import Resource

AGENT = "naive-operator"
LABEL = "naive-sync"
READY, FAILED, KNOWN = "ready", "failed", "known"
PAUSE = 0.2
CONFIG_MAPS = Resource("", "v1", "ConfigMap", "configmaps", namespaced=True)
KINDS = {
    "ConfigMap": CONFIG_MAPS,
    "Deployment": Resource("apps", "v1", "Deployment", "deployments", namespaced=True),
    "Pod": Resource("", "v1", "Pod", "pods", namespaced=True),
}


class Sync(msgspec.Struct):
    """The ConfigMap of a sync."""

    metadata: dict[str, Any]
    data: dict[str, str] = {}


def fetch(url: str, folder: Path) -> tuple[str, list[dict[str, Any]]]:
    """The head of main, and the objects of its files."""

    def git(*arguments: str) -> str:
        env = hermetic_env(folder)
        done = subprocess.run(["git", *arguments], env=env, cwd=folder, capture_output=True, check=True)
        return done.stdout.decode().strip()

    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / ".git").exists():
        git("init", "-q", "-b", "main")
    git("fetch", "-q", "--depth=1", url, "main")
    git("reset", "-q", "--hard", "FETCH_HEAD")
    files = sorted(folder.glob("*.yaml"))
    return git("rev-parse", "HEAD"), [body for file in files for body in yaml.safe_load_all(file.read_text())]


async def take(client: KubeClient, namespace: str, sync: Sync, folder: Path) -> None:
    """Take one sync to its head."""
    name = sync.metadata["name"]
    commit, bodies = fetch(sync.data["url"], folder / name)
    if commit in {sync.data.get(READY), sync.data.get(FAILED)}:
        return
    said = {READY: commit, FAILED: None}
    try:
        wanted = [[body["kind"], body["metadata"]["namespace"], body["metadata"]["name"]] for body in bodies]
        for body, (kind, where, what) in zip(bodies, wanted, strict=True):
            await client.apply(KINDS[kind], where, what, json.dumps(body).encode(), manager=AGENT)
        for kind, where, what in json.loads(sync.data.get(KNOWN, "[]")):
            if [kind, where, what] not in wanted:
                await client.delete(KINDS[kind], where, what)
        said[KNOWN] = json.dumps(wanted)
    except ClusterError as error:
        print(error, flush=True)
        said = {READY: None, FAILED: commit}
    await client.merge_patch(CONFIG_MAPS, namespace, name, json.dumps({"data": said}).encode())


async def run(kubeconfig: Path, namespace: str, folder: Path) -> None:
    """For ever."""
    async with KubeClient(load_kubeconfig(kubeconfig), user_agent=AGENT) as client:
        while True:
            for sync in (await client.list(CONFIG_MAPS, namespace, labels=LABEL, item_type=Sync)).items:
                await take(client, namespace, sync, folder)
            await asyncio.sleep(PAUSE)


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])))

"""Images as a bench watches them: an ImageRepository, a policy, an automation, a Receiver, and the marked file."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from bench.stand import Stand
from bench.sync import INTERVAL, NAMESPACE, ready_of

IMAGES = f"/apis/image.toolkit.fluxcd.io/v1/namespaces/{NAMESPACE}"
RECEIVERS = f"/apis/notification.toolkit.fluxcd.io/v1/namespaces/{NAMESPACE}/receivers"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
OWN_REGISTRY = "--registry-allow-loopback=true"  # the operator may ask one on this machine
FILE = "apps/web.yaml"


def workload(image: str, tag: str) -> str:
    """A Deployment of one pod in namespace `default`, its image marked for the policy `web`."""
    return f"""apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: default
spec:
  selector:
    matchLabels:
      app: web
  template:
    metadata:
      labels:
        app: web
    spec:
      containers:
        - name: web
          image: {image}:{tag} # {{"$imagepolicy": "{NAMESPACE}:web"}}
"""


async def watch_image(stand: Stand, name: str, image: str) -> None:
    """Make an ImageRepository and an ImagePolicy that takes the newest version."""
    spec = {"image": image, "interval": INTERVAL, "insecure": True}
    await _apply(stand, "ImageRepository", f"{IMAGES}/imagerepositories/{name}", spec)
    chosen = {"imageRepositoryRef": {"name": name}, "policy": {"semver": {"range": "*"}}}
    await _apply(stand, "ImagePolicy", f"{IMAGES}/imagepolicies/{name}", chosen)


async def write_images(stand: Stand) -> None:
    """Make an automation for the stand's repository and return when it has found that all is as it should be."""
    author = {"name": "bench", "email": "bench@example.com"}
    spec = {
        "sourceRef": {"kind": "GitRepository", "name": "fleet"},
        "interval": INTERVAL,
        "git": {"commit": {"author": author}},
        "update": {"path": "./apps"},
    }
    await _apply(stand, "ImageUpdateAutomation", f"{IMAGES}/imageupdateautomations/web", spec)
    await stand.api.first(f"{IMAGES}/imageupdateautomations", lambda item: ready_of(item)["status"] == "True")


async def open_hook(stand: Stand, hooks: str) -> str:
    """Make a Receiver for the ImageRepository `web` and return the URL to call; `hooks` is where the operator hears."""
    secret = {"apiVersion": "v1", "kind": "Secret", "stringData": {"token": "a token of some length"}}
    path = f"/api/v1/namespaces/{NAMESPACE}/secrets/hook"
    await stand.api.apply(path, json.dumps(secret | {"metadata": _metadata(path)}).encode())
    spec = {
        "type": "generic",
        "secretRef": {"name": "hook"},
        "resources": [{"kind": "ImageRepository", "name": "web"}],
    }
    await _apply(stand, "Receiver", f"{RECEIVERS}/web", spec)
    await stand.api.first(RECEIVERS, lambda item: ready_of(item)["status"] == "True")
    address = (await stand.api.get(f"{RECEIVERS}/web"))["status"]["webhookPath"]
    return f"http://{hooks}{address}"


def has_chosen(tag: str) -> Callable[[dict[str, Any]], bool]:
    """Says of an ImagePolicy whether its choice is that tag."""
    return lambda item: item.get("status", {}).get("latestRef", {}).get("tag") == tag


def is_live(tag: str) -> Callable[[dict[str, Any]], bool]:
    """Says of a Deployment whether its image has that tag."""
    return lambda item: bool(item["spec"]["template"]["spec"]["containers"][0]["image"].endswith(f":{tag}"))


def is_rolled_out(tag: str) -> Callable[[dict[str, Any]], bool]:
    """Says of a Deployment whether all of its pods run that tag, and no other pod is left."""

    def check(item: dict[str, Any]) -> bool:
        status = item.get("status", {})
        counts = [status.get(field, 0) for field in ("replicas", "updatedReplicas", "availableReplicas")]
        seen = status.get("observedGeneration") == item["metadata"]["generation"]
        return is_live(tag)(item) and seen and counts == [item["spec"]["replicas"]] * 3

    return check


async def _apply(stand: Stand, kind: str, path: str, spec: dict[str, Any]) -> None:
    group = path.split("/")[2]
    body = {"apiVersion": f"{group}/v1", "kind": kind, "metadata": _metadata(path), "spec": spec}
    await stand.api.apply(path, json.dumps(body).encode())


def _metadata(path: str) -> dict[str, str]:
    return {"name": path.rpartition("/")[2], "namespace": NAMESPACE}

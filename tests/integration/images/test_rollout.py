"""A new image is committed, rolled out, and taken back where it fails; what fails once is not tried for ever."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from devcluster.registry import Registry
from tests.image_objects import Images
from tests.operator_fixture import Bench, Sync, condition, poll

pytestmark = pytest.mark.cluster
BY_TAG: dict[str, Any] = {
    "filterTags": {"pattern": "^(a-good|b-good|crash|good-.*|unready)$"},
    "policy": {"alphabetical": {}},
}


def workload(images: Images, tag: str, name: str = "web", *, deadline: int = 2) -> str:
    """A Deployment with a marked image that gives up after some seconds."""
    return f"""apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, namespace: $NS}}
spec:
  progressDeadlineSeconds: {deadline}
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers:
        - name: main
          image: {images.image}:{tag}   # {{"$imagepolicy": "{images.namespace}:{images.name}"}}
"""


def running(bench: Bench, registry: Registry, *, deadline: int = 2, **automation: Any) -> tuple[Sync, Images]:
    """A Deployment at `a-good`, chosen, in git and in the cluster, by a sync that asks for no wait."""
    sync = bench.source()
    images = Images.beside(sync, registry)
    images.push("a-good")
    first = sync.commit({"web.yaml": workload(images, "a-good", deadline=deadline)})
    sync.create_source()
    sync.create()
    sync.wait_ready(first)
    images.scan()
    images.choose(**BY_TAG)
    images.wait_chosen("a-good")
    images.write(**automation)
    images.wait_ready("ImageUpdateAutomation", text="repository up-to-date")
    return sync, images


def new_tag(images: Images, tag: str) -> str:
    """Push a tag; returns the automation's commit of it."""
    before = str(images.get("ImageUpdateAutomation")["status"].get("lastPushCommit", ""))
    images.push(tag)
    images.request("ImageRepository")
    return images.wait_pushed(before)


def live_image(sync: Sync) -> str:
    live = sync.live("apps/v1/deployments", "web")
    assert live is not None
    return str(live["spec"]["template"]["spec"]["containers"][0]["image"])


def git(sync: Sync, *arguments: str) -> str:
    folder = sync.bench.git.root / f"{sync.name}.git"
    return subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True).stdout


def test_an_update_of_images_that_fails_is_undone_also_where_the_sync_does_not_wait(
    bench: Bench, registry: Registry
) -> None:
    sync, images = running(bench, registry)
    new_tag(images, "crash")
    told = sync.wait("undone", lambda k: "Undone" in {h.get("reason") for h in k["status"].get("conditions", [])})
    assert "E303" in condition(told, "Ready")["message"]
    poll("the old image is back", lambda: live_image(sync).endswith(":a-good"))


def test_a_commit_that_comes_while_an_update_is_waited_for_does_not_let_it_through(
    bench: Bench, registry: Registry
) -> None:
    sync, images = running(bench, registry, deadline=8)
    new_tag(images, "crash")
    sync.wait_condition("Reconciling", "True", "Progressing", "Running health checks")
    sync.repo.git("pull", "-q", "--ff-only", "origin", "main")
    theirs = sync.push({"other.yaml": "{apiVersion: v1, kind: ConfigMap, metadata: {name: other, namespace: $NS}}\n"})
    sync.wait("undone", lambda k: condition(k, "Ready").get("reason") == "Undone")
    assert sync.status["lastAttemptedRevision"] == theirs
    poll("the old image is back", lambda: live_image(sync).endswith(":a-good"))


def test_a_commit_of_a_person_is_not_waited_for_where_the_sync_does_not_ask(bench: Bench, registry: Registry) -> None:
    sync, images = running(bench, registry)
    sync.wait_ready(sync.push({"web.yaml": workload(images, "crash")}))

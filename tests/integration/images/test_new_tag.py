"""A new tag finds its way: from the registry through the policy into git, and from git into the cluster."""

from __future__ import annotations

import pytest

from devcluster.registry import Registry
from tests.image_objects import Images
from tests.operator_fixture import Bench, condition

pytestmark = pytest.mark.cluster


def test_a_new_tag_is_committed_and_rolled_out(bench: Bench, registry: Registry) -> None:
    sync = bench.source()
    images = Images.beside(sync, registry)
    images.push("1.0.0")
    marked = f"""apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, namespace: $NS}}
spec:
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      containers:
        - name: main
          image: {images.image}:1.0.0   # {{"$imagepolicy": "{sync.namespace}:{sync.name}"}}
"""
    first = sync.commit({"web.yaml": marked})
    sync.create_source()
    sync.create()
    sync.wait_ready(first)
    images.scan()
    images.choose()
    images.write()
    images.wait_ready("ImageRepository", text="successful scan: found 1 tags")
    images.wait_chosen("1.0.0")
    images.wait_ready("ImageUpdateAutomation", text="repository up-to-date")

    images.push("1.1.0")
    images.request("ImageRepository")
    commit = images.wait_pushed()
    sync.wait_ready(f"main@sha1:{commit}")
    live = sync.live("apps/v1/deployments", "web")
    assert live is not None
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == f"{images.image}:1.1.0"
    policy = images.get("ImagePolicy")
    assert policy["status"]["observedPreviousRef"] == {"name": images.image, "tag": "1.0.0"}
    assert condition(policy, "Ready")["message"] == (
        f"Latest image tag for {images.image} resolved to 1.1.0 (previously {images.image}:1.0.0)"
    )

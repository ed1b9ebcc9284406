"""Images for the platforms of the cluster's own nodes are looked at, too."""

from __future__ import annotations

import secrets

import pytest

from devcluster.images import make_image, make_index
from devcluster.registry import Registry
from tests.image_objects import Images
from tests.operator_fixture import Bench

pytestmark = pytest.mark.cluster
NODES = "/api/v1/nodes"


def test_an_image_for_a_platform_is_chosen_once_a_node_has_it(bench: Bench, registry: Registry) -> None:
    images = Images.beside(bench.source(), registry)
    images.registry.push(images.name, "arm", make_index([make_image(platform="linux/arm64")]))
    images.scan()
    images.choose(policy={"buildTime": {}})
    left_out = '1 left out, such as "arm": no suitable manifest (linux amd64) in index'
    images.wait_ready("ImagePolicy", "False", text=left_out)
    name = f"arm-{secrets.token_hex(4)}"
    labels = {"kubernetes.io/os": "linux", "kubernetes.io/arch": "arm64"}
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}
    bench.api.create(NODES, {**node, "spec": {"unschedulable": True}})
    try:
        bench.operator.restart()
        images.request("ImageRepository")
        images.wait_chosen("arm")
    finally:
        bench.api.delete(f"{NODES}/{name}")

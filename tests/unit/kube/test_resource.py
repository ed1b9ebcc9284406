"""No name, however hostile, can address anything but an object of that name."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from sluice.core.errors import UserError
from sluice.kube.resource import Resource, Selection

DEPLOYMENTS = Resource("apps", "v1", "Deployment", "deployments", namespaced=True)
NODES = Resource("", "v1", "Node", "nodes", namespaced=False)
hostile = st.text(st.one_of(st.sampled_from("./%?#:@ \\;&=\r\n\x00"), st.characters()), max_size=12)


@given(namespace=hostile, name=hostile)
def test_a_path_has_exactly_the_segments_of_its_names_or_is_refused(namespace: str, name: str) -> None:
    try:
        path = DEPLOYMENTS.object_path(namespace, name)
    except UserError:
        return
    parts = URL(f"https://host{path}?x=y", encoded=True).raw_path.split("/")
    assert parts[:5] == ["", "apis", "apps", "v1", "namespaces"]
    assert parts[6] == "deployments"
    assert (unquote(parts[5]), unquote(parts[7])) == (namespace, name)
    assert len(parts) == 8
    assert {".", "..", ""}.isdisjoint(parts[1:])
    assert path.isascii()
    assert path.isprintable()


@pytest.mark.parametrize(
    ("resource", "namespace", "name", "path"),
    [
        (DEPLOYMENTS, "shop", "web", "/apis/apps/v1/namespaces/shop/deployments/web"),
        (NODES, "", "n1.example", "/api/v1/nodes/n1.example"),
        (NODES, "", "system:node", "/api/v1/nodes/system:node"),
    ],
)
def test_plain_names_give_plain_paths(resource: Resource, namespace: str, name: str, path: str) -> None:
    assert resource.object_path(namespace, name) == path
    assert resource.object_path(namespace, name, "status") == f"{path}/status"


def test_a_cluster_scoped_kind_takes_no_namespace() -> None:
    with pytest.raises(UserError, match="cluster-scoped"):
        NODES.object_path("shop", "n1")


def test_selectors_are_percent_encoded() -> None:
    selection = Selection(DEPLOYMENTS, "shop", "app in (a,b),x!=y&z", "metadata.name=web")
    query = URL(f"https://host{selection.path}?{selection.query(limit='5')}", encoded=True).query
    assert dict(query) == {
        "labelSelector": "app in (a,b),x!=y&z",
        "fieldSelector": "metadata.name=web",
        "limit": "5",
    }

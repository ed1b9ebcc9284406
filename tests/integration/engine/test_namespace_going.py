"""A Kustomization that goes only because its namespace goes is no order to prune."""

from __future__ import annotations

import secrets

from devcluster.fixture import create_namespace
from tests.operator_fixture import SYNCS, Bench, config_map, poll, with_settings


def test_a_namespace_that_is_deleted_with_its_sync_leaves_the_sync_s_objects(bench: Bench) -> None:
    home = f"home-{secrets.token_hex(3)}"
    create_namespace(bench.cluster, home)
    bench.operator.stop()
    # That one alone: the cluster is full of what other tests have left.
    bench.operator.settings = with_settings(bench, watch_namespace=home)
    bench.operator.start()
    sync = bench.source()
    sync.home = home
    revision = sync.commit({"a.yaml": config_map("a")})
    sync.create_source()
    sync.create()
    sync.wait_ready(revision)
    audit = bench.audit()
    bench.api.delete(f"/api/v1/namespaces/{home}")
    poll("the sync is gone", lambda: bench.api.get(f"{SYNCS}/namespaces/{home}/kustomizations/{sync.name}") is None)
    poll("the namespace is gone", lambda: bench.api.get(f"/api/v1/namespaces/{home}") is None)
    assert sync.writes(audit) == []
    assert sync.live("configmaps", "a") is not None

"""The guides from Flux and from Flux v1, followed command by command, in and back out: no pod notices."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from devcluster.fixture import FreshCluster
from tests.e2e.guide import commands
from tests.e2e.migration_world import CONTROLLERS, deploy, eventually_held, install_flux, world
from tests.flux_objects import MARK, NAMES, apply_as_flux, apply_as_fluxd, identities, left_by_flux, owners, pods, uids
from tests.operator_fixture import config_map, deployment, poll

V2, V1 = "take-over-from-flux.md", "take-over-from-flux-v1.md"
pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]


def test_the_guide_from_flux_leads_in_and_back_out_and_no_pod_notices(
    fresh_cluster: FreshCluster, tmp_path: Path
) -> None:
    cluster, namespace = fresh_cluster(audit=True), "flux-system"
    with world(cluster, namespace, tmp_path, {}) as (bench, nodes, reader):
        install_flux(cluster, namespace)
        sync, revision, versions = left_by_flux(bench, wait=True, name="apps")
        nodes.start()
        poll("Flux leads", lambda: eventually_held(bench.api, namespace))
        running, before = pods(sync), identities(sync)
        owned = {n: owners(sync.config(n)) for n in NAMES}
        with pytest.raises(AssertionError, match=r"E605[\s\S]*notification-controller"):
            reader.run("sluice install -n flux-system --yes")

        printed = reader.follow(V2, "Steps")
        assert "APPS 1 ready" in printed["sluice status -n flux-system"]
        sync.wait_ready(revision)
        assert pods(sync) == running
        assert identities(sync) == before
        assert {n: owners(sync.config(n)) for n in NAMES} == owned
        assert {n: sync.config(n)["metadata"]["resourceVersion"] for n in NAMES} == versions
        sync.wait_ready(sync.push({f"{n}.yaml": config_map(n, "2") for n in NAMES}), 60)
        assert {n: sync.config(n)["data"]["key"] for n in NAMES} == dict.fromkeys(NAMES, "2")

        reader.follow(V2, "The way back")
        live = {n: sync.config(n) for n in NAMES}
        poll("Flux leads again", lambda: eventually_held(bench.api, namespace))
        apply_as_flux(sync, "2")
        assert {n: sync.config(n) for n in NAMES} == live, "Flux finds what it would have written"
        assert pods(sync) == running
        assert identities(sync) == before
        left = sync.get()
        assert {e["id"] for e in left["status"]["inventory"]["entries"]} == {
            *(f"{sync.target}_{n}__ConfigMap" for n in NAMES),
            f"{sync.target}_web_apps_Deployment",
        }
        assert cluster.kubectl("get", "deployments", "-n", namespace, "-o", "name").split() == [
            f"deployment.apps/{name}" for name in sorted(CONTROLLERS)
        ]
        assert "sluice" not in cluster.kubectl("get", "secrets,serviceaccounts", "-n", namespace, "-o", "name")


def test_the_guide_from_flux_v1_leads_in_and_back_out_and_no_pod_notices(
    fresh_cluster: FreshCluster, tmp_path: Path
) -> None:
    cluster, namespace = fresh_cluster(audit=True), "flux"
    replaced: dict[str, str] = {}
    with world(cluster, namespace, tmp_path, replaced) as (bench, nodes, reader):
        sync = bench.source("fleet")
        replaced |= {"https://git.example/fleet.git": bench.git.url("fleet"), "--branch master": "--branch main"}
        arguments = (f"--git-url={bench.git.url('fleet')}", "--git-branch=main", "--git-path=apps")
        deploy(cluster, namespace, "flux", {"app": "flux"}, arguments)
        sync.commit({f"apps/{n}.yaml": config_map(n) for n in NAMES} | {"apps/web.yaml": deployment("web")})
        apply_as_fluxd(sync)
        nodes.start()
        running, before = pods(sync), uids(sync)

        printed = reader.follow(V1, "Steps")
        assert "--git-path=apps" in next(iter(printed.values()))
        assert "ConfigMap" in printed["sluice tree fleet -n flux"]
        assert pods(sync) == running
        assert uids(sync) == before
        assert {n: sync.config(n)["metadata"]["labels"].get(MARK) for n in NAMES} == dict.fromkeys(NAMES)
        files = {f"apps/{n}.yaml": config_map(n, "2") for n in NAMES}
        sync.wait_ready(sync.push(files), 60)

        again: list[int] = []

        def fluxd() -> None:
            apply_as_fluxd(sync, "2")
            again.append(1)

        nodes.fluxd = fluxd
        reader.follow(V1, "The way back")
        poll("fluxd has synced again", lambda: again, 60)
        nodes.check()
        assert pods(sync) == running
        assert uids(sync) == before
        assert {n: sync.config(n)["metadata"]["labels"][MARK] for n in NAMES} == dict.fromkeys(NAMES, "sha256.JIYo7")
        assert {n: sync.config(n)["data"]["key"] for n in NAMES} == dict.fromkeys(NAMES, "2")
        assert "sluice" not in cluster.kubectl("get", "crds,deployments,secrets", "-n", namespace, "-o", "name")


@pytest.mark.parametrize("page", [V1, V2])
def test_a_guide_has_commands_for_both_ways(page: str) -> None:
    there, back = commands(page, "Steps"), commands(page, "The way back")
    assert any(command.startswith("sluice install ") for command in there)
    assert any(command.startswith("sluice uninstall ") for command in back)
    for command in (*there, *back):
        assert subprocess.run(["bash", "-n", "-c", command], check=False).returncode == 0, command

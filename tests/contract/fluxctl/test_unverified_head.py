"""`fluxctl sync` of a branch whose head is not signed as the flags ask: a warning, and the wait for what is."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from devcluster.cluster import Cluster
from devcluster.fixture import create_namespace
from devcluster.git_http import GitHttpServer
from devcluster.git_repository import WorkingRepo
from devcluster.registry import Registry
from sluice.core.flag_source import FlagSource
from sluice.kube.config import load_kubeconfig
from tests.contract.fluxctl.conftest import WEB, Fluxd, settings_of
from tests.keyring import SshKey, signed
from tests.operator_fixture import Api, LogCapture, RunningOperator, config_map, free_port, poll

pytestmark = pytest.mark.cluster


@pytest.fixture
def guarded(cluster: Cluster, registry: Registry, log_capture: LogCapture, tmp_path: Path) -> Iterator[Fluxd]:
    home, target, port = f"flux-{secrets.token_hex(3)}", f"apps-{secrets.token_hex(3)}", free_port()
    for name in (home, target):
        create_namespace(cluster, name)
    keys = tmp_path / "team.sshpub"
    with GitHttpServer(tmp_path / "git") as server:
        server.create("fleet")
        repo = WorkingRepo(tmp_path / "work", server.url("fleet"), branch="main")
        source = FlagSource(
            url=server.url("fleet"),
            branch="main",
            poll_interval="1h",
            sync_interval="1h",
            signatures="all",
            key_files=(str(keys),),
        )
        operator = RunningOperator(settings_of(home, tmp_path, port, source), load_kubeconfig(cluster.kubeconfig))
        log_capture.sinks.append(operator.logged)
        api = Api(cluster)
        ada = SshKey(tmp_path, "ada")
        keys.write_text(ada.public)
        ada.sign_commits(repo)
        yield Fluxd(port, operator, api, repo, registry, target, home)
        operator.stop()
        api.close()


def test_sync_warns_of_a_head_that_is_not_signed_and_names_the_last_commit_that_is(guarded: Fluxd) -> None:
    good = signed(guarded.repo, {"a.yaml": config_map("a").replace("$NS", guarded.target)})
    guarded.operator.start()
    poll("it is applied", lambda: guarded.call("GET", "/v6/sync", ref=good).body == [], 30)
    assert guarded.update("sync", {})["Result"]["revision"] == good
    head = guarded.repo.commit({"b.yaml": config_map("b").replace("$NS", guarded.target)}, "not signed")
    job = guarded.update("sync", {})
    assert job["StatusString"] == "failed"
    assert "branch HEAD in the git repo is not verified" in job["Err"]
    assert f"last verified commit was {good[:8]}" in job["Err"]
    assert head[:8] in job["Err"]
    assert job["Result"]["revision"] == good  # what fluxctl then waits for
    guarded.wait_applied(good)
    assert guarded.api.get(f"/api/v1/namespaces/{guarded.target}/configmaps/b") is None


def test_nothing_is_committed_on_top_of_a_commit_that_is_not_signed_though_the_head_is(guarded: Fluxd) -> None:
    guarded.push("1.0.0", "1.1.0")
    web = WEB.replace("$NS", guarded.target).replace("$IMAGE", guarded.image)
    good = signed(guarded.repo, {"web.yaml": web})
    guarded.operator.start()
    poll("it is applied", lambda: guarded.call("GET", "/v6/sync", ref=good).body == [], 30)
    guarded.repo.commit({"b.yaml": config_map("b").replace("$NS", guarded.target)}, "not signed")
    head = signed(guarded.repo, {"c.yaml": config_map("c").replace("$NS", guarded.target)})
    job = guarded.update("policy", {guarded.workload: {"add": {"locked": "true"}}})
    assert job["StatusString"] == "failed"
    assert f"last verified commit was {good[:8]}" in job["Err"]
    assert guarded.repo.git("ls-remote", "origin", "refs/heads/main").split()[0] == head

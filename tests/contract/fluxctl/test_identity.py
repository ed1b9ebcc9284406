"""`fluxctl identity`: the deploy key that the operator makes for a repository over ssh, and makes anew when asked."""

from __future__ import annotations

import base64
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from devcluster.cluster import Cluster
from devcluster.fixture import create_namespace
from devcluster.git_repository import WorkingRepo
from devcluster.git_ssh import GitSshServer
from devcluster.registry import Registry
from sluice.core.flag_source import FlagSource
from sluice.kube.config import load_kubeconfig
from tests.contract.fluxctl.conftest import Fluxd, settings_of
from tests.operator_fixture import Api, Json, LogCapture, RunningOperator, free_port, poll

pytestmark = pytest.mark.cluster
SECRET = "flux-git-deploy"
FILE = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one, namespace: $NS}\n"


@pytest.fixture
def ssh(tmp_path: Path) -> Iterator[GitSshServer]:
    with GitSshServer(tmp_path / "git") as server:
        yield server


@pytest.fixture
def keyed(
    cluster: Cluster, registry: Registry, log_capture: LogCapture, ssh: GitSshServer, tmp_path: Path
) -> Iterator[Fluxd]:
    home, target, port = f"flux-{secrets.token_hex(3)}", f"apps-{secrets.token_hex(3)}", free_port()
    for name in (home, target):
        create_namespace(cluster, name)
    api = Api(cluster)
    known = {"known_hosts": base64.b64encode(ssh.known_hosts.encode()).decode()}
    metadata = {"name": SECRET, "namespace": home}
    api.create(
        f"/api/v1/namespaces/{home}/secrets",
        {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": known},
    )
    repo = WorkingRepo(tmp_path / "work", ssh.create("fleet"))
    source = FlagSource(url=ssh.url("fleet"), branch="main", poll_interval="1h", sync_interval="1h", secret_name=SECRET)
    operator = RunningOperator(settings_of(home, tmp_path, port, source), load_kubeconfig(cluster.kubeconfig))
    log_capture.sinks.append(operator.logged)
    yield Fluxd(port, operator, api, repo, registry, target, home)
    operator.stop()
    api.close()


def secret(fluxd: Fluxd) -> Json:
    found = fluxd.api.get(f"/api/v1/namespaces/{fluxd.name}/secrets/{SECRET}")
    assert found is not None
    return dict(found["data"])


def look(fluxd: Fluxd) -> None:
    source = {"URL": fluxd.ask("POST", "/v9/git-repo-config", body=False)["remote"]["url"], "Branch": "main"}
    fluxd.ask("POST", "/v11/notify", body={"Kind": "git", "Source": source})


def wait_synced(fluxd: Fluxd, commit: str) -> None:
    poll("it is applied", lambda: fluxd.call("GET", "/v6/sync", ref=commit).body == [], 30)


def test_a_key_is_made_shown_used_and_made_anew(keyed: Fluxd, ssh: GitSshServer, tmp_path: Path) -> None:
    first = keyed.commit({"one.yaml": FILE})
    keyed.operator.start()
    public = keyed.ask("GET", "/v6/identity.pub")
    assert public["key"].startswith("ssh-ed25519 ")
    (tmp_path / "key.pub").write_text(public["key"])
    shown = subprocess.run(
        ["ssh-keygen", "-l", "-E", "md5", "-f", str(tmp_path / "key.pub")], capture_output=True, text=True, check=True
    )
    assert public["fingerprints"]["md5"]["hash"] in shown.stdout
    config = poll("it is refused", lambda: (c := keyed.ask("POST", "/v9/git-repo-config", body=False))["errors"] and c)
    assert config["status"] == "unreachable"
    assert config["remote"]["url"] == ssh.url("fleet")

    ssh.admit(public["key"])
    look(keyed)
    wait_synced(keyed, first)
    assert keyed.ask("POST", "/v9/git-repo-config", body=False)["status"] == "ready"

    before = secret(keyed)
    renewed = keyed.ask("POST", "/v9/git-repo-config", body=True)["publicSSHKey"]
    assert renewed["key"] != public["key"]
    assert secret(keyed)["identity"] != before["identity"]
    assert secret(keyed)["known_hosts"] == before["known_hosts"]
    assert base64.b64decode(secret(keyed)["identity.pub"]).decode() == renewed["key"]
    poll("it is refused", lambda: keyed.ask("POST", "/v9/git-repo-config", body=False)["status"] == "unreachable")
    ssh.admit(renewed["key"])
    poll(
        "who asks has it tried again", lambda: keyed.ask("POST", "/v9/git-repo-config", body=False)["status"] == "ready"
    )
    second = keyed.commit({"two.yaml": FILE.replace("one", "two")})
    look(keyed)
    wait_synced(keyed, second)


def test_a_restart_keeps_the_key(keyed: Fluxd) -> None:
    keyed.commit({"one.yaml": FILE})
    keyed.operator.start()
    public = keyed.ask("GET", "/v6/identity.pub")
    keyed.operator.restart()
    assert keyed.ask("GET", "/v6/identity.pub") == public


def test_the_private_half_is_in_no_answer_and_no_log(keyed: Fluxd) -> None:
    keyed.commit({"one.yaml": FILE})
    keyed.operator.start()
    private = base64.b64decode(secret(keyed)["identity"]).decode()
    told = [keyed.ask("POST", "/v9/git-repo-config", body=False), keyed.ask("GET", "/v6/identity.pub")]
    lines = [line for line in private.splitlines() if not line.startswith("-----")]
    assert lines
    for text in (*map(str, told), *map(str, keyed.operator.logged)):
        assert not any(line in text for line in lines)

"""The devcluster is a real control plane, any number fit side by side, and none outlives its owner."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devcluster import Cluster, ClusterOptions, DevclusterError, running_cluster
from devcluster.binary import kubernetes_version
from devcluster.boot import reserve_port
from devcluster.components import API_SERVER, ETCD, KWOK
from devcluster.directory import PrivateDirectory
from devcluster.fixture import FreshCluster
from devcluster.process import Found, processes_in

SMALL = ClusterOptions(components=(ETCD, API_SERVER), nodes=0)
REPOSITORY = Path(__file__).parents[2]


def wait_until(done: Callable[[], bool], what: str, timeout: float = 60.0) -> None:
    deadline = time.monotonic() + timeout
    while not done():
        if time.monotonic() > deadline:
            pytest.fail(f"{what}: not within {timeout} s")
        time.sleep(0.05)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory of this test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "sluice" / "devcluster"


@pytest.fixture
def orphan(state: Path) -> Iterator[Callable[[Path], int]]:
    """Start a component of nobody's in a directory, as a crash leaves one behind."""
    started: list[subprocess.Popen[bytes]] = []

    def start(directory: Path) -> int:
        from devcluster.binary import ensure_binary

        command = [
            str(ensure_binary()),
            "etcd",
            "--listen-client-urls=unix://e.sock",
            "--listen-peer-urls=unix://p.sock",
        ]
        command += ["--advertise-client-urls=unix://e.sock", "--initial-advertise-peer-urls=unix://p.sock"]
        command += ["--initial-cluster=default=unix://p.sock", "--log-level=error"]
        process = subprocess.Popen(command, cwd=directory, stderr=subprocess.DEVNULL)
        started.append(process)
        wait_until(lambda: len(processes_in(directory)) == 1, "the orphan runs")
        return process.pid

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_a_cluster_serves_the_version_that_the_module_pins(cluster: Cluster) -> None:
    versions = json.loads(cluster.kubectl("version", "--output=json"))
    assert versions["serverVersion"]["gitVersion"] == kubernetes_version()
    assert (versions["serverVersion"]["major"], versions["serverVersion"]["minor"]) == ("1", "37")


def test_a_cluster_is_complete_when_its_start_returns(cluster: Cluster) -> None:
    assert cluster.missing() == ()
    (node,) = json.loads(cluster.kubectl("get", "nodes", "--output=json"))["items"]
    assert "taints" not in node["spec"]
    assert cluster.kubectl("get", "serviceaccount", "default", "--output=name") == "serviceaccount/default\n"


def test_a_namespace_of_the_fixture_takes_pods_at_once(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("run", "one", "--image=app:1", f"--namespace={namespace}")
    cluster.kubectl("wait", "pod/one", "--for=condition=Ready", f"--namespace={namespace}", "--timeout=20s")


def test_the_audit_log_names_who_asked(cluster: Cluster) -> None:
    cluster.kubectl("get", "configmaps", "--namespace=kube-public", "--output=name")
    assert cluster.audit_log is not None
    events = [json.loads(line) for line in cluster.audit_log.read_text().splitlines()]
    mine = [e for e in events if e["requestURI"].startswith("/api/v1/namespaces/kube-public/configmaps")]
    assert ("devcluster-admin", "Metadata") in {(event["user"]["username"], event["level"]) for event in mine}
    assert {"kwok", "system:kube-controller-manager"} <= {event["user"].get("username") for event in events}


async def test_two_clusters_run_side_by_side_and_know_nothing_of_each_other(cluster: Cluster) -> None:
    async with running_cluster(SMALL) as second:
        assert second.server != cluster.server
        second.kubectl("create", "namespace", "only-in-the-second")
        assert "only-in-the-second" not in cluster.kubectl("get", "namespaces", "--output=name")
        assert second.audit_log is None
        directory = second.directory
    assert not directory.exists()
    assert processes_in(directory) == ()
    assert cluster.missing() == ()


def test_an_api_server_that_is_restarted_comes_back_at_its_address_with_its_objects(
    fresh_cluster: FreshCluster,
) -> None:
    own = fresh_cluster(components=(ETCD, API_SERVER), nodes=0)
    own.kubectl("create", "namespace", "kept")
    before = own.pid(API_SERVER)
    own.restart(API_SERVER)
    assert own.pid(API_SERVER) != before
    assert own.kubectl("get", "namespace", "kept", "--output=name") == "namespace/kept\n"


def test_an_owner_that_is_killed_leaves_no_process_and_its_directory_is_swept(state: Path) -> None:
    program = (
        "import sys, threading, time\n"
        "from devcluster import Cluster, ClusterOptions\n"
        # Started by a thread that ends: the processes must follow the owner, not the thread.
        "def run():\n"
        "    options = ClusterOptions(components=('etcd', 'kube-apiserver'), nodes=0)\n"
        "    print(Cluster.start(options).directory, flush=True)\n"
        "thread = threading.Thread(target=run)\n"
        "thread.start(); thread.join(); time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        directory = Path(owner.stdout.readline().strip())
        assert {found.component for found in processes_in(directory)} == {ETCD, API_SERVER}
        owner.send_signal(signal.SIGKILL)
    wait_until(lambda: not processes_in(directory), "the processes are gone")
    assert directory.is_dir()
    PrivateDirectory.create().remove()
    assert list(directory.parent.iterdir()) == []


def test_a_start_leaves_the_directories_of_living_owners_alone(state: Path) -> None:
    living = PrivateDirectory.create()
    PrivateDirectory.create().remove()
    assert living.path.is_dir()
    living.remove()


def test_a_half_made_directory_and_what_runs_in_it_are_removed_at_the_next_up(
    state: Path, orphan: Callable[[Path], int]
) -> None:
    directory = state / "half"
    (directory / "pki").mkdir(parents=True)
    orphan(directory)
    told: list[str] = []
    try:
        Cluster.up("half", SMALL, told.append)
        found = processes_in(directory)
        assert sorted(one.component for one in found) == [ETCD, API_SERVER]
        assert told == ["removing what an earlier cluster half left behind"]
    finally:
        Cluster.down("half")
    assert not directory.exists()


def test_only_the_control_planes_own_processes_count_as_a_clusters(state: Path, orphan: Callable[[Path], int]) -> None:
    directory = state / "mixed"
    directory.mkdir(parents=True)
    pid = orphan(directory)
    with subprocess.Popen(["sleep", "600"], cwd=directory) as bystander:
        assert processes_in(directory) == (Found(pid, ETCD),)
        Cluster.down("mixed")
        assert bystander.poll() is None
        bystander.kill()


def test_a_component_that_ends_early_is_reported_with_its_last_words_and_nothing_stays(state: Path) -> None:
    with pytest.raises(DevclusterError, match=r"kube-apiserver ended[\s\S]*--no-such-flag"):
        Cluster.start(ClusterOptions(components=(ETCD, API_SERVER), nodes=0, api_server_flags=("--no-such-flag=1",)))
    assert list((state / ".private").iterdir()) == []


def test_a_reserved_port_is_given_to_nobody_else() -> None:
    with reserve_port() as first, reserve_port() as second:
        assert first.getsockname() != second.getsockname()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"components": ("etcd",)}, "can't be without kube-apiserver"),
        ({"components": ("etcd", "kube-apiserver", "kubelet")}, "no such component: kubelet"),
        ({"components": (ETCD, API_SERVER, KWOK), "nodes": -1}, "nodes must not be negative"),
    ],
)
def test_options_that_make_no_cluster_are_refused(options: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        ClusterOptions(**options)  # type: ignore[arg-type]

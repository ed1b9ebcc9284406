"""The label by which fluxctl finds the pod that leads: it is there while that process leads, and at no other time."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from devcluster.cluster import Cluster
from devcluster.fixture import create_namespace
from sluice.api.install import InstallOptions, manifests
from sluice.api.kinds import POD_LABELS
from sluice.core.flag_source import FlagSource
from sluice.kube.config import load_kubeconfig
from sluice.settings import Settings
from tests.operator_fixture import Api, LogCapture, RunningOperator, poll

pytestmark = pytest.mark.cluster


@pytest.fixture
def operator(cluster: Cluster, log_capture: LogCapture, tmp_path: Path) -> Iterator[RunningOperator]:
    home = f"flux-{secrets.token_hex(3)}"
    create_namespace(cluster, home)
    settings = Settings(
        namespace=home,
        storage=tmp_path / "data",
        identity=home,
        flag_source=FlagSource(url="https://git.example.invalid/x", poll_interval="1h", sync_interval="1h"),
        pod="sluice-0",
    )
    running = RunningOperator(settings, load_kubeconfig(cluster.kubeconfig))
    log_capture.sinks.append(running.logged)
    yield running
    running.stop()


@pytest.fixture
def api(cluster: Cluster) -> Iterator[Api]:
    api = Api(cluster)
    yield api
    api.close()


def make_pod(api: Api, namespace: str, **labels: str) -> None:
    spec = {"containers": [{"name": "manager", "image": "sluice:1"}]}
    metadata = {"name": "sluice-0", "labels": {**POD_LABELS, **labels}}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    poll(  # the namespace's service account comes a moment after it
        "the pod is taken",
        lambda: api.request("POST", f"/api/v1/namespaces/{namespace}/pods", body)[0] == 201,
    )


def labels(api: Api, namespace: str) -> dict[str, str]:
    found = api.get(f"/api/v1/namespaces/{namespace}/pods/sluice-0")
    assert found is not None
    return dict(found["metadata"]["labels"])


def test_the_pod_has_the_label_while_it_leads(operator: RunningOperator, api: Api) -> None:
    home = operator.settings.namespace
    make_pod(api, home)
    operator.start()
    assert labels(api, home) == {**POD_LABELS, "app": "flux"}
    operator.stop()
    assert labels(api, home) == POD_LABELS


def test_a_pod_that_is_not_there_keeps_nobody_from_leading(operator: RunningOperator) -> None:
    operator.start()
    assert any("fluxctl will not find this pod" in str(entry["event"]) for entry in operator.logged)


def test_the_manifests_give_the_label_to_no_pod_and_select_by_another() -> None:
    objects = manifests(InstallOptions(version="1.0.0"))
    [deployment] = [each["spec"] for each in objects if each["kind"] == "Deployment"]
    assert deployment["selector"]["matchLabels"] == POD_LABELS
    assert POD_LABELS.items() <= deployment["template"]["metadata"]["labels"].items()
    assert "app" not in deployment["template"]["metadata"]["labels"]
    assert [each["spec"]["selector"] for each in objects if each["kind"] == "Service"] == [POD_LABELS] * 2

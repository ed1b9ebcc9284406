"""A cluster that Flux, or fluxd, runs: what of them is no program is here, and what they would do is done for them.

The simulated nodes run no images. So somebody watches the Deployments: Flux's controllers hold their leases while they
have replicas, fluxd applies what is in git when it gets one, and the operator is started as its Deployment says.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import yaml

from devcluster import Cluster
from devcluster.cluster import kubectl_path
from devcluster.fixture import create_namespace
from devcluster.git_http import GitHttpServer
from sluice import __version__
from sluice.api.install import InstallOptions
from tests.e2e.guide import Reader
from tests.e2e.test_rights import Pod, token_kubeconfig
from tests.operator_fixture import AGENT, CRDS, Api, Bench, Json, RunningOperator

CONTROLLERS = (
    *("source-controller", "kustomize-controller", "notification-controller"),
    *("image-reflector-controller", "image-automation-controller"),
)
LEASE_SECONDS = 15


class Nodes(threading.Thread):
    """Does what the pods of the Deployments would. `fluxd` is called each time that fluxd gets a replica."""

    def __init__(self, cluster: Cluster, namespace: str, root: Path) -> None:
        super().__init__(name="nodes", daemon=True)
        self.fluxd: Callable[[], None] = lambda: None
        self.failure: BaseException | None = None
        self._cluster = cluster
        self._namespace = namespace
        self._root = root
        self._api = Api(cluster)
        self._over = threading.Event()
        self._pod: Pod | None = None
        self._replicas: dict[str, int] = {}

    def run(self) -> None:
        try:
            while not self._over.wait(0.1):
                self._look()
        except BaseException as error:  # noqa: BLE001 - told to the test that waits
            self.failure = error
        finally:
            if self._pod is not None:
                self._pod.stop()
            self._api.close()

    def check(self) -> None:
        """Fail when it has met what it did not expect."""
        if self.failure is not None:
            raise AssertionError(f"the nodes ended: {self.failure!r}") from self.failure

    def stop(self) -> None:
        """A test that makes objects asks the operator to stop first; here a guide says when."""

    def end(self) -> None:
        """End everything that runs."""
        self._over.set()
        self.join(30)
        self.check()

    def _look(self) -> None:
        listed = self._api.get(f"/apis/apps/v1/namespaces/{self._namespace}/deployments") or {}
        wanted = {each["metadata"]["name"]: each["spec"]["replicas"] for each in listed["items"]}
        for name in CONTROLLERS:
            self._lease(name, held=bool(wanted.get(name)))
        if wanted.get("flux") and not self._replicas.get("flux", wanted["flux"]):
            self.fluxd()
        if wanted.get("sluice") and self._pod is None:
            options = InstallOptions(version=__version__, namespace=self._namespace)
            config = token_kubeconfig(self._cluster, self._api, self._root, self._namespace)
            self._pod = Pod(config, self._root, options)
            self._pod.start()
        if self._pod is not None and not wanted.get("sluice"):
            self._pod.stop()
            self._pod = None
        self._replicas = wanted

    def _lease(self, name: str, *, held: bool) -> None:
        path = f"/apis/coordination.k8s.io/v1/namespaces/{self._namespace}/leases/{name}-leader-election"
        me, now = f"{name}-7d9f_abc", datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        found = self._api.get(path)
        holder = (found or {}).get("spec", {}).get("holderIdentity", "")
        spec: Json = {"holderIdentity": me, "leaseDurationSeconds": LEASE_SECONDS, "renewTime": now, "acquireTime": now}
        if held and found is None:
            body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
            meta = {"name": f"{name}-leader-election"}
            self._api.create(path.rpartition("/")[0], {**body, "metadata": meta, "spec": spec})
        elif held and holder in {"", me}:
            self._api.patch(path, {"spec": spec}, manager=name)
        elif not held and holder == me:
            self._api.patch(path, {"spec": {"holderIdentity": ""}}, manager=name)


def deploy(
    cluster: Cluster, namespace: str, name: str, labels: dict[str, str], arguments: tuple[str, ...] = ()
) -> None:
    """A Deployment of one replica, which the simulated nodes bring up."""
    container = {"name": "manager", "image": f"example.com/{name}:v1", "args": list(arguments)}
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}},
        },
    }
    cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(body))


def install_flux(cluster: Cluster, namespace: str) -> None:
    """Flux's CRDs and controllers, with the labels of its installation."""
    labels = {"app.kubernetes.io/part-of": "flux", "app.kubernetes.io/instance": namespace}
    crds = [yaml.safe_load(file.read_text()) for file in sorted(CRDS.glob("*.yaml"))]
    for crd in crds:
        crd["metadata"]["labels"] = labels
    cluster.kubectl("apply", "--server-side", "--field-manager=flux", "-f", "-", stdin=yaml.safe_dump_all(crds))
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")
    for name in CONTROLLERS:
        deploy(cluster, namespace, name, {**labels, "app.kubernetes.io/component": name})


@contextmanager
def world(
    cluster: Cluster, namespace: str, root: Path, replaced: dict[str, str]
) -> Iterator[tuple[Bench, Nodes, Reader]]:
    """A bench whose operator the nodes start, and somebody who reads a guide there."""
    home = root / "home"
    home.mkdir()
    create_namespace(cluster, namespace)
    nodes = Nodes(cluster, namespace, root)
    api = Api(cluster)
    reader = Reader(home, cluster.kubeconfig, kubectl_path(), replaced)
    reader.equip()
    with GitHttpServer(root / "git") as git:
        bench = Bench(cluster, api, namespace, cast("RunningOperator", nodes), git, root, AGENT)
        try:
            yield bench, nodes, reader
        finally:
            if nodes.is_alive():
                nodes.end()
            api.close()


def eventually_held(api: Api, namespace: str) -> bool:
    """Whether somebody holds the lease that kustomize-controller has."""
    path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/kustomize-controller-leader-election"
    return bool(((api.get(path) or {}).get("spec") or {}).get("holderIdentity"))

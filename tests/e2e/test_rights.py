"""The shipped rights are enough, and no more than is used: the shipped command line as the shipped service account.

The API server's own audit log is the witness: what the account asked for, whether it was allowed, and which of the
rules that an installation grants were used.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import pytest
import yaml

from devcluster import Cluster
from devcluster.fixture import FreshCluster, create_namespace
from devcluster.git_http import GitHttpServer
from devcluster.git_repository import WorkingRepo
from devcluster.registry import Registry
from sluice import __file__ as package
from sluice import __version__
from sluice.api.access import APPLIER
from sluice.api.crds import COMPONENT
from sluice.api.install import DEFAULT_NAMESPACE, STORAGE_SERVICE, InstallOptions, manifests
from sluice.core.crashes import Work
from sluice.runtime.live_lookup import LIST_FROM
from sluice.store.under_way import UnderWay
from sluice.wiring import CRD_LEASES, LEASES
from tests.image_objects import KINDS, Images, deployment_of
from tests.operator_fixture import (
    AGENT,
    FAILING_JOB,
    Api,
    Bench,
    RunningOperator,
    Sync,
    config_map,
    deployment,
    free_port,
    poll,
)

pytestmark = pytest.mark.cluster
USER = f"system:serviceaccount:{DEFAULT_NAMESPACE}:{COMPONENT}"
IMAGES = "image.toolkit.fluxcd.io"
OURS = (
    ("source.toolkit.fluxcd.io", "gitrepositories"),
    ("kustomize.toolkit.fluxcd.io", "kustomizations"),
    *(("notification.toolkit.fluxcd.io", kind) for kind in ("receivers", "providers", "alerts")),
    *((IMAGES, kind) for kind in ("imagerepositories", "imagepolicies", "imageupdateautomations")),
)
PASSWORD = "hunter horse"
# What somebody binds who installs with --no-cluster-admin: the kinds that the repository holds, and nothing else.
NARROW = [
    {
        "apiGroups": ["", "apps", "batch"],
        "resources": ["services", "deployments", "jobs"],
        "verbs": ["get", "list", "watch", "create", "patch", "update", "delete"],
    }
]
SERVICE = """apiVersion: v1
kind: Service
metadata: {name: web, namespace: $NS, annotations: {port: "${port}"}}
spec: {selector: {app: web}, ports: [{port: 80}]}
"""
# What a sync of the whole repository takes, once a folder in it is a tenant's.
ROOT = "resources: [web.yaml, svc.yaml]\n"


@dataclass(frozen=True, order=True)
class Right:
    """One verb on one resource; `namespace` is empty where it holds everywhere."""

    group: str
    resource: str
    verb: str
    namespace: str = ""
    name: str = ""


@dataclass
class Pod:
    """The operator as the Deployment runs it, as a process of this machine."""

    kubeconfig: Path
    home: Path
    options: InstallOptions
    ports: dict[str, int] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.home / "log"

    def start(self) -> None:
        [container] = manifests(self.options)[-1]["spec"]["template"]["spec"]["containers"]
        for name in ("metrics", "health", "storage", "hook", "fluxd"):
            self.ports[name] = free_port()
        own = {
            "--storage-path": str(self.home / "data"),
            "--metrics-addr": f"127.0.0.1:{self.ports['metrics']}",
            "--health-addr": f"127.0.0.1:{self.ports['health']}",
            "--storage-addr": f"127.0.0.1:{self.ports['storage']}",
            "--hook-addr": f"127.0.0.1:{self.ports['hook']}",
            "--listen": f"127.0.0.1:{self.ports['fluxd']}",
        }
        replaced = [(word.partition("=")[0], word) for word in container["args"]]
        assert own.keys() <= {name for name, _ in replaced}
        arguments = [f"{name}={own[name]}" if name in own else word for name, word in replaced]
        environment = {"RUNTIME_NAMESPACE": self.options.namespace, "HOME": str(self.home), "POD_NAME": "sluice-0"}
        assert {each["name"] for each in container["env"]} == environment.keys()
        environment |= {"KUBECONFIG": str(self.kubeconfig), "PATH": os.environ["PATH"]}
        environment["PYTHONPATH"] = str(Path(package).parent.parent)  # this checkout, whichever one is installed
        # The servers of this test are on this machine and speak plain http.
        arguments += ["--git-allow-loopback", "--git-insecure-http-credentials", "--registry-allow-loopback"]
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sluice", *arguments], env=environment, stdout=output, stderr=output
            )
        poll("the readiness probe passes", lambda: self.probe("health", "/readyz") == 200)

    def check(self) -> None:
        """Fail when it has ended."""
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()[-4000:]

    def probe(self, port: str, path: str) -> int:
        self.check()
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[port], timeout=30)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except ConnectionRefusedError:
            return 0
        finally:
            connection.close()

    def stop(self) -> None:
        """End it as the kubelet does; it must obey."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(60) == 0, self.log.read_text()[-4000:]


def token_kubeconfig(cluster: Cluster, api: Api, folder: Path, namespace: str = DEFAULT_NAMESPACE) -> Path:
    """A kubeconfig with nothing but a token of the operator's service account."""
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{COMPONENT}/token"
    token = api.create(path, {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}})
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "pod",
        "contexts": [{"name": "pod", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": cluster.server, "certificate-authority": str(cluster.ca)}}],
        "users": [{"name": "u", "user": {"token": token["status"]["token"]}}],
    }
    file = folder / "kubeconfig"
    file.touch(0o600)
    file.write_text(yaml.safe_dump(config))
    return file


def install(cluster: Cluster, options: InstallOptions) -> None:
    """Everything of an installation but its Deployment."""
    objects = manifests(options)
    crds = [each for each in objects if each["kind"] in {"Namespace", "CustomResourceDefinition"}]
    rest = [each for each in objects if each not in crds and each["kind"] != "Deployment"]
    for part in (crds, rest):
        cluster.kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(part))
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")


def granted(options: InstallOptions) -> set[Right]:
    """What the shipped roles of the operator's own grant; the view role is for people."""
    found = set()
    for each in manifests(options):
        if each["kind"] in {"Role", "ClusterRole"} and each["metadata"]["name"] == COMPONENT:
            where = each["metadata"].get("namespace", "")
            for rule in each["rules"]:
                found |= {
                    Right(group, resource, verb, where, name)
                    for group in rule["apiGroups"]
                    for resource in rule["resources"]
                    for verb in rule["verbs"]
                    for name in rule.get("resourceNames", [""])
                }
    return found


@dataclass(frozen=True)
class Asked:
    """One request of the service account."""

    right: Right
    status: int
    decision: str
    agent: str
    query: str

    @property
    def looks_for_leftovers(self) -> bool:
        """True for what is asked once, when a record is missing: as far as all may be listed, everything is."""
        labels = "kustomize.toolkit.fluxcd.io%2Fname%2Ckustomize.toolkit.fluxcd.io%2Fnamespace"
        return labels in self.query or self.right.resource == "selfsubjectaccessreviews"


def requests_of(cluster: Cluster) -> list[Asked]:
    """Every request for a resource that the audit log has of the service account."""
    assert cluster.audit_log is not None
    found = []
    for line in cluster.audit_log.read_bytes().split(b"\n")[:-1]:
        entry = json.loads(line)
        what = entry.get("objectRef")
        if entry["user"]["username"] != USER or not what or not what.get("resource"):
            continue
        subresource = f"/{what['subresource']}" if what.get("subresource") else ""
        group, resource = what.get("apiGroup", ""), what["resource"] + subresource
        right = Right(group, resource, entry["verb"], what.get("namespace", ""), what.get("name", ""))
        if acting := entry.get("impersonatedUser", {}).get("username"):
            _, _, home, account = acting.split(":")
            right = Right("", "serviceaccounts", "impersonate", home, account)
        status = entry.get("responseStatus", {}).get("code", 0)
        decision = entry.get("annotations", {}).get("authorization.k8s.io/decision", "")
        found.append(Asked(right, status, decision, entry["userAgent"], entry["requestURI"].partition("?")[2]))
    return found


def rule_for(asked: Right, rules: set[Right]) -> Right | None:
    """The rule that lets it through: the one of its namespace before the one that holds everywhere."""
    for namespace in (asked.namespace, ""):
        for name in ("", asked.name):
            rule = replace(asked, namespace=namespace, name=name)
            if rule in rules:
                return rule
    return None


@dataclass
class Installed:
    """An installation whose operator runs, and the bench that makes syncs for it."""

    cluster: Cluster
    bench: Bench
    pod: Pod
    options: InstallOptions


@pytest.fixture(params=[False, True], ids=["narrow", "cluster-admin"])
def installed(request: pytest.FixtureRequest, fresh_cluster: FreshCluster, tmp_path: Path) -> Iterator[Installed]:
    # One of the two is an API server that does not stream initial events, as older ones.
    flags = () if request.param else ("--feature-gates=WatchList=false",)
    cluster = fresh_cluster(audit=True, api_server_flags=flags)
    options = InstallOptions(version=__version__, cluster_admin=request.param)
    install(cluster, options)
    create_namespace(cluster, "shop")
    if not options.cluster_admin:
        bind_narrowly(cluster)
    api = Api(cluster)
    pod = Pod(token_kubeconfig(cluster, api, tmp_path), tmp_path, options)
    with GitHttpServer(tmp_path / "git", user="ada", password=PASSWORD) as git:
        bench = Bench(cluster, api, DEFAULT_NAMESPACE, cast("RunningOperator", pod), git, tmp_path, AGENT)
        try:
            pod.start()
            yield Installed(cluster, bench, pod, options)
        finally:
            pod.stop()
            api.close()


def bind_narrowly(cluster: Cluster) -> None:
    group = "rbac.authorization.k8s.io"
    role = {"apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": {"name": "shop"}, "rules": NARROW}
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "shop"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "shop"},
        "subjects": [{"kind": "ServiceAccount", "name": COMPONENT, "namespace": DEFAULT_NAMESPACE}],
    }
    cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all([role, binding]))


def test_the_shipped_rights_carry_a_sync_from_its_creation_to_its_deletion(
    installed: Installed, registry: Registry
) -> None:
    sync = synced(installed.bench)
    serves_the_artifact(sync, installed.pod)
    corrects_drift(sync)
    undoes(sync)
    prunes(sync)
    updates_its_image(sync, registry)
    spreads(sync)
    goes_on_without_its_record(sync, installed.pod)
    applies_as_a_tenant(sync)
    listens(sync)
    tells_events(sync)
    holds_leases(sync.bench.api)
    assert installed.pod.probe("metrics", "/metrics") == 200
    deleted_with_its_objects(sync)
    installed.pod.stop()
    releases_leases(sync.bench.api)

    asked = requests_of(installed.cluster)
    assert {each.agent for each in asked} == {AGENT}
    assert [each for each in asked if each.status == 403 or each.decision == "forbid"] == []
    assert any(each.looks_for_leftovers for each in asked)
    asked = [each for each in asked if not each.looks_for_leftovers]
    rules = granted(installed.options)
    unused = rules - {rule_for(each.right, rules) for each in asked}
    listed = {Right(g, r, "list") for g, r in OURS} if installed.options.cluster_admin else set()
    assert unused == listed, "what is never used is not granted; ours are listed where they can't be streamed"
    others = {each.right.resource for each in asked if rule_for(each.right, rules) is None}
    assert others == {"services", "deployments", "jobs"}, "apart from its own rules it needs those of what it applies"


def test_an_object_that_it_may_not_apply_is_refused_before_any_write(installed: Installed) -> None:
    bench, files = installed.bench, {"web.yaml": deployment("web"), "a.yaml": config_map("a")}
    sync = bench.source("tenant")
    revision = repository(sync, files)
    sync.create()
    if installed.options.cluster_admin:
        sync.wait_ready(revision)
        assert APPLIER in installed.cluster.kubectl("get", "clusterrolebindings", "-o", "name")
        return
    message = sync.wait_failed(revision, "[E308]")
    assert "configmaps" in message
    assert "a.yaml:1@" in message
    assert sync.live("apps/v1/deployments", "web") is None


def repository(sync: Sync, files: Mapping[str, str | None]) -> str:
    """Commit, and make the source with the password that its host wants."""
    bench = sync.bench
    with_password = bench.git.url(sync.name).replace("://", f"://ada:{PASSWORD.replace(' ', '%20')}@")
    sync.repo = WorkingRepo(bench.root / "work" / f"{sync.name}-pushing", with_password)
    revision = sync.commit(files)
    login = {"metadata": {"name": "login"}, "stringData": {"username": "ada", "password": PASSWORD}}
    bench.api.create(f"/api/v1/namespaces/{sync.namespace}/secrets", {"apiVersion": "v1", "kind": "Secret", **login})
    sync.create_source(secretRef={"name": "login"})
    return revision


def synced(bench: Bench) -> Sync:
    """A private repository, a variable from a ConfigMap, health to wait for; all away from the operator's home."""
    sync = bench.source("shop")
    sync.home = "shop"
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"port": "80"}}
    bench.api.create("/api/v1/namespaces/shop/configmaps", settings)
    revision = repository(sync, {"web.yaml": deployment("web"), "svc.yaml": SERVICE, "old.yaml": deployment("old")})
    sync.create(wait=True, postBuild={"substituteFrom": [{"kind": "ConfigMap", "name": "settings"}]})
    sync.wait_ready(revision)
    service = sync.live("services", "web")
    assert service is not None
    assert service["metadata"]["annotations"]["port"] == "80"
    return sync


def serves_the_artifact(sync: Sync, pod: Pod) -> None:
    """The Service of the installation leads the URL of the status to the container's port."""
    source = sync.bench.api.get(sync.source_path)
    assert source is not None
    artifact = source["status"]["artifact"]
    services = [each for each in manifests(pod.options) if each["kind"] == "Service"]
    [service] = [each for each in services if each["metadata"]["name"] == STORAGE_SERVICE]
    host = f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc.cluster.local."
    assert artifact["url"] == f"http://{host}/{artifact['path']}"
    connection = http.client.HTTPConnection("127.0.0.1", pod.ports["storage"], timeout=30)
    connection.request("GET", f"/{artifact['path']}")
    body = connection.getresponse().read()
    connection.close()
    assert f"sha256:{hashlib.sha256(body).hexdigest()}" == artifact["digest"]
    assert len(body) == artifact["size"]


def corrects_drift(sync: Sync) -> None:
    path = sync.at("apps/v1/deployments", "web")
    sync.bench.api.patch(path, {"spec": {"replicas": 3}})
    poll("drift is corrected", lambda: (sync.bench.api.get(path) or {})["spec"]["replicas"] == 1)


def undoes(sync: Sync) -> None:
    """A Job fails: the Deployment goes back, and what was new is deleted."""
    bad = sync.push({"web.yaml": deployment("web", "nginx:2"), "job.yaml": FAILING_JOB})
    sync.wait_failed(bad, reason="Undone")
    web = sync.live("apps/v1/deployments", "web")
    assert web is not None
    assert web["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:1"
    assert sync.live("batch/v1/jobs", "migrate") is None


def prunes(sync: Sync) -> None:
    sync.wait_ready(sync.push({"web.yaml": deployment("web"), "job.yaml": None, "old.yaml": None}))
    assert sync.live("apps/v1/deployments", "old") is None


def updates_its_image(sync: Sync, registry: Registry) -> None:
    """A new tag is committed and rolled out; a policy of another namespace is let in by that namespace's labels."""
    images = Images.beside(sync, registry)
    images.push("1.0.0")
    sync.wait_ready(sync.push({"web.yaml": deployment_of(images, "1.0.0")}))
    admitted = {"namespaceSelectors": [{"matchLabels": {"kubernetes.io/metadata.name": "admitted"}}]}
    images.scan(serviceAccountName="default", accessFrom=admitted)
    images.choose()
    images.write()
    images.push("1.1.0")
    images.request("ImageRepository")
    sync.wait_ready(f"main@sha1:{images.wait_pushed()}")
    web = sync.live("apps/v1/deployments", "web")
    assert web is not None
    assert web["spec"]["template"]["spec"]["containers"][0]["image"] == f"{images.image}:1.1.0"
    for namespace in ("admitted", "stranger"):
        create_namespace(sync.bench.cluster, namespace)
        guest = replace(images, namespace=namespace)
        guest.choose(imageRepositoryRef={"name": images.name, "namespace": images.namespace})
    replace(images, namespace="admitted").wait_chosen("1.1.0")
    replace(images, namespace="stranger").wait_ready("ImagePolicy", "False", "AccessDenied", "E590")
    paths = [images.path(kind) for kind in KINDS]
    for path in paths:
        sync.bench.api.delete(path)
    poll("the image kinds are gone", lambda: not any(sync.bench.api.get(path) for path in paths))
    sync.repo.git("pull", "-q", "origin", "main")
    sync.wait_ready(sync.push({"web.yaml": deployment("web")}))


def spreads(sync: Sync) -> None:
    """Two objects each in so many namespaces that the operator lists these."""
    places = [f"{sync.target}-{number}" for number in range(LIST_FROM + 1)]
    for place in places:
        create_namespace(sync.bench.cluster, place)
    files = {
        f"{place}-{name}.yaml": deployment(name, replicas=0).replace("$NS", place)
        for place in places
        for name in ("a", "b")
    }
    sync.wait_ready(sync.push(files))
    sync.wait_ready(sync.push(dict.fromkeys(files)))


def goes_on_without_its_record(sync: Sync, pod: Pod) -> None:
    """The record is broken, then deleted: the inventory in status stands in for it.

    The process before had been killed at its work, and the kubelet's word of it is asked for.
    """
    secrets = f"/api/v1/namespaces/{DEFAULT_NAMESPACE}/secrets"
    [record] = [s for s in (sync.bench.api.get(secrets) or {})["items"] if s["type"] == "sluice.dev/record"]
    path = f"{secrets}/{record['metadata']['name']}"
    pod.stop()
    sync.bench.api.patch(path, {"data": {"record": "AAAA"}})
    with UnderWay(pod.home / "data" / "under-way").mark(Work(f"{sync.namespace}/{sync.name}", "1")):
        pod.start()
    assert "[E320]" in sync.wait_condition("Ready", "False", text="[E320]")["message"]
    sync.bench.api.delete(path)
    sync.reconcile()
    assert sync.condition("Ready")["status"] == "True"
    assert len(sync.inventory()) == 2


def applies_as_a_tenant(sync: Sync) -> None:
    """A Kustomization that names an account is applied as that, and goes again."""
    api, name, group = sync.bench.api, "tenant-account", "rbac.authorization.k8s.io"
    api.create(f"/api/v1/namespaces/{sync.namespace}/serviceaccounts", {"metadata": {"name": name}})
    place = f"/apis/{group}/v1/namespaces/{sync.target}"
    api.create(f"{place}/roles", {"metadata": {"name": name}, "rules": NARROW})
    binding = {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": group, "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": sync.namespace}],
    }
    api.create(f"{place}/rolebindings", binding)
    revision = sync.push({"tenant/only.yaml": deployment("only", replicas=0), "kustomization.yaml": ROOT})
    sync.wait_ready(revision)
    tenant = replace(sync, name=name)
    tenant.create(path="tenant", serviceAccountName=name, sourceRef={"kind": "GitRepository", "name": sync.name})
    tenant.wait_ready(revision)
    api.delete(tenant.path)
    tenant.wait_gone()
    assert sync.live("apps/v1/deployments", "only") is None


def listens(sync: Sync) -> None:
    """A Receiver of the source gets its path, and goes again."""
    api, namespace = sync.bench.api, sync.namespace
    metadata = {"name": "hook", "namespace": namespace}
    token = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"token": PASSWORD}}
    api.create(f"/api/v1/namespaces/{namespace}/secrets", token)
    kind = "notification.toolkit.fluxcd.io/v1"
    spec = {"type": "generic", "secretRef": {"name": "hook"}}
    body = {"apiVersion": kind, "kind": "Receiver", "metadata": metadata}
    resources = [{"kind": "GitRepository", "name": sync.name}]
    receivers = f"/apis/{kind}/namespaces/{namespace}/receivers"
    api.create(receivers, {**body, "spec": {**spec, "resources": resources}})
    poll("it has a path", lambda: (api.get(f"{receivers}/hook") or {}).get("status", {}).get("webhookPath"))
    api.delete(f"{receivers}/hook")
    poll("it is gone", lambda: api.get(f"{receivers}/hook") is None)


def tells_events(sync: Sync) -> None:
    def reasons() -> set[str]:
        listed = sync.bench.api.get(f"/api/v1/namespaces/{sync.namespace}/events")
        assert listed is not None
        return {event["reason"] for event in listed["items"]}

    poll("events tell it", lambda: {"NewArtifact", "ReconciliationSucceeded", "Undone"} <= reasons())


def lease_holders(api: Api) -> list[str]:
    listed = api.get(f"/apis/coordination.k8s.io/v1/namespaces/{DEFAULT_NAMESPACE}/leases")
    assert listed is not None
    return [lease["spec"].get("holderIdentity") or "" for lease in listed["items"]]


def holds_leases(api: Api) -> None:
    holders = lease_holders(api)
    assert len(holders) == len((*LEASES, *CRD_LEASES))
    assert len(set(holders)) == 1
    assert holders[0]


def releases_leases(api: Api) -> None:
    assert set(lease_holders(api)) == {""}


def deleted_with_its_objects(sync: Sync) -> None:
    finalizers = sync.get()["metadata"]["finalizers"]
    assert finalizers == ["finalizers.fluxcd.io"]
    sync.bench.api.delete(sync.path)
    sync.wait_gone()
    assert sync.live("apps/v1/deployments", "web") is None
    assert sync.live("services", "web") is None
    sync.bench.api.delete(sync.source_path)
    poll("the source is gone", lambda: sync.bench.api.get(sync.source_path) is None)
    kept = sync.bench.api.get(f"/api/v1/namespaces/{DEFAULT_NAMESPACE}/secrets")
    assert kept is not None
    assert [each for each in kept["items"] if each["type"] == "sluice.dev/record"] == []

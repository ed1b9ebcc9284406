"""A real API server takes our CRDs, and then takes and refuses what it would with Flux's.

The tables are the field lists of Flux's API: every field once with values that are accepted, and every constraint
with one that is not. Strict validation makes an unknown field an error, so an accepted row proves that the field
is there. Nothing is stored but what the last tests need.
"""

from __future__ import annotations

import json
import subprocess
import sysconfig
import time
from pathlib import Path
from typing import Any

import pytest

from devcluster.cluster import Cluster
from sluice import __version__
from sluice.api.crds import crds

pytestmark = pytest.mark.cluster

KUBECTL = Path(sysconfig.get_path("scripts")) / "kubectl"

SYNC = {
    "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
    "kind": "Kustomization",
    "spec": {"interval": "10m", "prune": True, "sourceRef": {"kind": "GitRepository", "name": "apps"}},
}
SOURCE = {
    "apiVersion": "source.toolkit.fluxcd.io/v1",
    "kind": "GitRepository",
    "spec": {"url": "https://git.example.com/apps", "interval": "10m"},
}
PATHS = {
    "Kustomization": "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/{}/kustomizations",
    "GitRepository": "/apis/source.toolkit.fluxcd.io/v1/namespaces/{}/gitrepositories",
}
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
SELECTOR = {
    "group": "apps",
    "version": "v1",
    "kind": "Deployment",
    "name": "web.*",
    "namespace": "shop",
    "labelSelector": "app=web",
    "annotationSelector": "a=b",
}

SYNC_ACCEPTED: list[dict[str, Any]] = [
    {},
    *({field: value} for field in ("interval", "retryInterval", "timeout") for value in ("1h30m", "0s", "1ms", "1.5h")),
    *(
        {"sourceRef": {"kind": k, "name": "x"}}
        for k in ("OCIRepository", "GitRepository", "Bucket", "ExternalArtifact")
    ),
    {"sourceRef": {"apiVersion": "v1", "kind": "Bucket", "name": "x", "namespace": "y"}},
    *({"path": path} for path in ("", ".", "/", "a/../b", "./apps")),
    {"prune": False, "wait": True, "force": True, "suspend": True, "ignoreMissingComponents": True},
    {"targetNamespace": "n" * 63, "namePrefix": "p" * 200, "nameSuffix": "s"},
    {"commonMetadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}}},
    {"components": ["../tls"], "buildMetadata": ["originAnnotations", "transformerAnnotations"]},
    {"patches": [{"patch": "- op: remove", "target": SELECTOR}, {"patch": "x"}]},
    {"images": [{"name": "a"}, {"name": "a", "newName": "b", "newTag": "c", "digest": "sha256:d"}]},
    {"postBuild": {"substitute": {"a": "b"}, "substituteStrategy": "WithVariables"}},
    {"postBuild": {"substituteStrategy": "Always", "substituteFrom": [{"kind": "ConfigMap", "name": "a"}]}},
    {"postBuild": {"substituteFrom": [{"kind": "Secret", "name": "a" * 253, "optional": True}]}},
    {"decryption": {"provider": "sops"}},
    {"decryption": {"provider": "sops", "secretRef": {"name": "keys"}, "serviceAccountName": "kms"}},
    {"dependsOn": [{"name": "a"}, {"name": "a", "namespace": "b", "readyExpr": "true"}]},
    {"healthChecks": [{"kind": "Job", "name": "a"}, {"apiVersion": "v1", "kind": "b", "name": "c", "namespace": "d"}]},
    {"healthCheckExprs": [{"apiVersion": "a/v1", "current": "true"}]},
    {"healthCheckExprs": [{"apiVersion": "a/v1", "kind": "A", "current": "a", "inProgress": "b", "failed": "c"}]},
    *({"deletionPolicy": policy} for policy in ("MirrorPrune", "Delete", "WaitForTermination", "Orphan")),
    {"serviceAccountName": "deployer"},
    {"kubeConfig": {"secretRef": {"name": "a", "key": "b"}}},
    {"kubeConfig": {"configMapRef": {"name": "a"}}},
    {"ignore": [{"paths": ["/spec/replicas"], "target": SELECTOR}, {"paths": []}]},
    # Ours.
    *({"onFailure": value} for value in ("Undo", "Stop", "Continue")),
    *({"drift": value} for value in ("Correct", "Warn", "Ignore")),
    *({"adopt": value} for value in ("Always", "IfUnowned", "Never")),
    {"pruneLimit": 0, "allowEmpty": True},
]
SYNC_REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"interval": None}, "spec.interval"),
    ({"prune": None}, "spec.prune"),
    ({"sourceRef": None}, "spec.sourceRef"),
    *(
        ({field: value}, f"spec.{field}")
        for field in ("interval", "retryInterval", "timeout")
        for value in ("1d", "-5m", "", "10", "5us", "1h ", "x" * 65_536, 10)
    ),
    ({"suspend": "yes"}, "spec.suspend"),
    ({"prune": "true"}, "spec.prune"),
    ({"sourceRef": {"kind": "HelmRepository", "name": "x"}}, "spec.sourceRef.kind"),
    ({"sourceRef": {"kind": "GitRepository"}}, "spec.sourceRef.name"),
    ({"targetNamespace": ""}, "spec.targetNamespace"),
    ({"targetNamespace": "n" * 64}, "spec.targetNamespace"),
    ({"namePrefix": ""}, "spec.namePrefix"),
    ({"nameSuffix": "s" * 201}, "spec.nameSuffix"),
    ({"buildMetadata": ["managedByLabel"]}, "spec.buildMetadata[0]"),
    ({"patches": [{"target": SELECTOR}]}, "spec.patches[0].patch"),
    ({"images": [{"newTag": "x"}]}, "spec.images[0].name"),
    ({"postBuild": {"substituteStrategy": "Never"}}, "spec.postBuild.substituteStrategy"),
    ({"postBuild": {"substituteFrom": [{"kind": "Pod", "name": "a"}]}}, "spec.postBuild.substituteFrom[0].kind"),
    ({"postBuild": {"substituteFrom": [{"kind": "Secret", "name": ""}]}}, "spec.postBuild.substituteFrom[0].name"),
    ({"postBuild": {"substitute": {"a": 1}}}, "spec.postBuild.substitute.a"),
    ({"decryption": {"provider": "age"}}, "spec.decryption.provider"),
    ({"decryption": {}}, "spec.decryption.provider"),
    ({"dependsOn": [{"namespace": "a"}]}, "spec.dependsOn[0].name"),
    ({"healthChecks": [{"kind": "Job"}]}, "spec.healthChecks[0].name"),
    ({"healthCheckExprs": [{"apiVersion": "v1"}]}, "spec.healthCheckExprs[0].current"),
    ({"deletionPolicy": "Keep"}, "spec.deletionPolicy"),
    ({"kubeConfig": {}}, "spec.kubeConfig"),
    ({"kubeConfig": {"secretRef": {"name": "a"}, "configMapRef": {"name": "a"}}}, "spec.kubeConfig"),
    ({"ignore": [{"target": SELECTOR}]}, "spec.ignore[0].paths"),
    ({"validation": "client"}, "spec.validation"),
    ({"patchesStrategicMerge": []}, "spec.patchesStrategicMerge"),
    ({"onFailure": "Retry"}, "spec.onFailure"),
    ({"drift": "Fix"}, "spec.drift"),
    ({"adopt": "Sometimes"}, "spec.adopt"),
    ({"pruneLimit": -1}, "spec.pruneLimit"),
]
SOURCE_ACCEPTED: list[dict[str, Any]] = [
    {},
    *({"url": f"{scheme}://git.example.com/x"} for scheme in ("http", "https", "ssh")),
    *({"interval": value} for value in ("1h30m", "0s", "1ms", "1.5h")),
    *({"timeout": value} for value in ("90s", "1m30s", "500ms")),
    {"secretRef": {"name": "a"}, "proxySecretRef": {"name": "b"}},
    *({"provider": provider} for provider in ("generic", "aws", "azure", "github")),
    *({"provider": provider, "serviceAccountName": "a"} for provider in ("aws", "azure")),
    {"ref": {"branch": "main", "tag": "v1", "semver": ">=1", "name": "refs/pull/1/head", "commit": "abc"}},
    *({"verify": {"mode": mode, "secretRef": {"name": "a"}}} for mode in ("head", "HEAD", "Tag", "TagAndHEAD")),
    {"ignore": "*.md", "suspend": True, "recurseSubmodules": True, "sparseCheckout": ["apps"]},
    {"include": [{"repository": {"name": "a"}}, {"repository": {"name": "a"}, "fromPath": "b", "toPath": "c"}]},
]
SOURCE_REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"url": None}, "spec.url"),
    ({"interval": None}, "spec.interval"),
    *(({"url": url}, "spec.url") for url in ("git@example.com:x.git", "file:///x", "ftp://x", "")),
    *(({"interval": value}, "spec.interval") for value in ("1d", "-5m", "", "10", 10)),
    *(({"timeout": value}, "spec.timeout") for value in ("1h", "1d", "")),
    ({"secretRef": {}}, "spec.secretRef.name"),
    ({"provider": "gcp"}, "spec.provider"),
    ({"serviceAccountName": "a"}, "spec"),
    ({"serviceAccountName": "a", "provider": "github"}, "spec"),
    ({"verify": {"mode": "HEAD"}}, "spec.verify.secretRef"),
    ({"verify": {"mode": "tag", "secretRef": {"name": "a"}}}, "spec.verify.mode"),
    ({"include": [{"fromPath": "a"}]}, "spec.include[0].repository"),
    ({"ref": "main"}, "spec.ref"),
    ({"gitImplementation": "libgit2"}, "spec.gitImplementation"),
]


@pytest.fixture(scope="module")
def served(cluster: Cluster) -> Cluster:
    """The shared cluster with our CRDs established."""
    for crd in crds(__version__):
        status, answer = cluster.api.request("POST", CRDS, crd)
        assert status in {201, 409}, answer
    deadline = time.monotonic() + 20
    for path in PATHS.values():
        while cluster.api.request("GET", path.format("default"))[0] != 200:
            assert time.monotonic() < deadline, "the CRDs were not served in time"
            time.sleep(0.05)
    return cluster


def create(cluster: Cluster, base: dict[str, Any], spec: dict[str, Any], query: str = "") -> tuple[int, str]:
    """Create in namespace default, strictly; a field set to None is left out."""
    full = {field: value for field, value in (base["spec"] | spec).items() if value is not None}
    body = base | {"metadata": {"name": "contract"}, "spec": full}
    path = PATHS[base["kind"]].format("default")
    return cluster.api.request("POST", f"{path}?dryRun=All&fieldValidation=Strict{query}", body)


def label(row: Any) -> str:
    return json.dumps(row)[:60]


@pytest.mark.parametrize("spec", SYNC_ACCEPTED, ids=label)
def test_what_flux_accepts_of_a_kustomization_is_accepted(served: Cluster, spec: dict[str, Any]) -> None:
    status, answer = create(served, SYNC, spec)
    assert status == 201, answer


@pytest.mark.parametrize(("spec", "field"), SYNC_REFUSED, ids=label)
def test_what_flux_refuses_of_a_kustomization_is_refused_at_that_field(
    served: Cluster, spec: dict[str, Any], field: str
) -> None:
    status, answer = create(served, SYNC, spec)
    assert status in {400, 422}, answer
    assert field in answer


@pytest.mark.parametrize("spec", SOURCE_ACCEPTED, ids=label)
def test_what_flux_accepts_of_a_git_repository_is_accepted(served: Cluster, spec: dict[str, Any]) -> None:
    status, answer = create(served, SOURCE, spec)
    assert status == 201, answer


@pytest.mark.parametrize(("spec", "field"), SOURCE_REFUSED, ids=label)
def test_what_flux_refuses_of_a_git_repository_is_refused_at_that_field(
    served: Cluster, spec: dict[str, Any], field: str
) -> None:
    status, answer = create(served, SOURCE, spec)
    assert status in {400, 422}, answer
    assert field in answer


def test_a_new_object_has_the_defaults_that_flux_gives(served: Cluster) -> None:
    sync = json.loads(create(served, SYNC, {"postBuild": {"substituteFrom": [{"kind": "Secret", "name": "a"}]}})[1])
    assert sync["status"] == {"observedGeneration": -1}
    assert sync["spec"]["force"] is False
    assert sync["spec"]["postBuild"]["substituteFrom"][0]["optional"] is False
    source = json.loads(create(served, SOURCE, {"verify": {"secretRef": {"name": "a"}}})[1])
    assert source["status"] == {"observedGeneration": -1}
    assert source["spec"]["timeout"] == "60s"
    assert source["spec"]["verify"]["mode"] == "HEAD"


CONDITION = {
    "type": "Ready",
    "status": "True",
    "reason": "ReconciliationSucceeded",
    "message": "Applied revision: main@sha1:a",
    "lastTransitionTime": "2026-01-01T00:00:00Z",
    "observedGeneration": 1,
}
ARTIFACT = {
    "digest": "sha256:ab",
    "lastUpdateTime": "2026-01-01T00:00:00Z",
    "path": "gitrepository/x/y.tar.gz",
    "revision": "main@sha1:a",
    "url": "http://source-controller/x",
    "size": 3,
    "metadata": {"a": "b"},
}
SYNC_STATUS = {
    "observedGeneration": 1,
    "conditions": [CONDITION],
    "lastAppliedRevision": "a",
    "lastAppliedOriginRevision": "b",
    "lastAttemptedRevision": "c",
    "lastHandledReconcileAt": "d",
    "inventory": {"entries": [{"id": "a_b_c_d", "v": "v1"}]},
    "history": [
        {
            "digest": "sha256:ab",
            "firstReconciled": "2026-01-01T00:00:00Z",
            "lastReconciled": "2026-01-01T00:00:00Z",
            "lastReconciledDuration": "1s",
            "lastReconciledStatus": "ReconciliationSucceeded",
            "totalReconciliations": 1,
            "metadata": {"revision": "a"},
        }
    ],
    "transaction": {"id": "t", "phase": "Applying", "from": "a", "to": "b", "done": 1, "total": 2},
}
SOURCE_STATUS = {
    "observedGeneration": 1,
    "conditions": [CONDITION],
    "artifact": ARTIFACT,
    "includedArtifacts": [ARTIFACT],
    "observedIgnore": "*.md",
    "observedRecurseSubmodules": True,
    "observedInclude": [{"repository": {"name": "a"}, "fromPath": "b", "toPath": "c"}],
    "observedSparseCheckout": ["apps"],
    "sourceVerificationMode": "HEAD",
    "lastHandledReconcileAt": "d",
}


def stored(cluster: Cluster, namespace: str, base: dict[str, Any]) -> str:
    """Create an object for real and return its path."""
    path = PATHS[base["kind"]].format(namespace)
    status, answer = cluster.api.request("POST", path, base | {"metadata": {"name": "kept"}})
    assert status == 201, answer
    return f"{path}/kept"


def put_status(cluster: Cluster, path: str, status: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    current = cluster.api.get(path)
    assert current is not None
    code, answer = cluster.api.request("PUT", f"{path}/status?fieldValidation=Strict", current | {"status": status})
    return code, json.loads(answer)


@pytest.mark.parametrize(("base", "status"), [(SYNC, SYNC_STATUS), (SOURCE, SOURCE_STATUS)], ids=["sync", "source"])
def test_every_field_of_a_status_is_stored(
    served: Cluster, namespace: str, base: dict[str, Any], status: dict[str, Any]
) -> None:
    code, answer = put_status(served, stored(served, namespace, base), status)
    assert code == 200, answer
    assert answer["status"] == status


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"conditions": [CONDITION | {"reason": "not one word"}]}, "status.conditions[0].reason"),
        ({"conditions": [CONDITION | {"status": "Maybe"}]}, "status.conditions[0].status"),
        ({"conditions": [CONDITION | {"message": "x" * 32_769}]}, "status.conditions[0].message"),
        ({"conditions": [{"type": "Ready"}]}, "status.conditions[0].lastTransitionTime"),
        ({"inventory": {}}, "status.inventory.entries"),
        ({"history": [{"digest": "a"}]}, "status.history[0].firstReconciled"),
        ({"invented": 1}, "status.invented"),
    ],
    ids=label,
)
def test_a_status_that_flux_would_not_write_is_refused(
    served: Cluster, namespace: str, change: dict[str, Any], field: str
) -> None:
    code, answer = put_status(served, stored(served, namespace, SYNC), change)
    assert code in {400, 422}
    assert field in str(answer)


def kubectl(cluster: Cluster, *arguments: str) -> str:
    command = [str(KUBECTL), "--kubeconfig", str(cluster.kubeconfig), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def test_kubectl_knows_the_short_names_and_prints_the_columns(served: Cluster, namespace: str) -> None:
    put_status(served, stored(served, namespace, SYNC), SYNC_STATUS)
    put_status(served, stored(served, namespace, SOURCE), SOURCE_STATUS)
    syncs = kubectl(served, "get", "ks", "-n", namespace).splitlines()
    assert syncs[0].split() == ["NAME", "AGE", "READY", "STATUS"]
    assert syncs[1].split()[2:] == ["True", "Applied", "revision:", "main@sha1:a"]
    sources = kubectl(served, "get", "gitrepo", "-n", namespace).splitlines()
    assert sources[0].split() == ["NAME", "URL", "AGE", "READY", "STATUS"]
    assert sources[1].split()[1] == "https://git.example.com/apps"


@pytest.mark.parametrize(
    ("category", "kinds"),
    [
        ("fluxcd", {"kustomization", "gitrepository"}),
        ("all", {"kustomization", "gitrepository"}),
        ("fluxcd-appliers", {"kustomization"}),
        ("fluxcd-sources", {"gitrepository"}),
    ],
)
def test_kubectl_finds_the_kinds_by_category(served: Cluster, namespace: str, category: str, kinds: set[str]) -> None:
    stored(served, namespace, SYNC)
    stored(served, namespace, SOURCE)
    printed = kubectl(served, "get", category, "-n", namespace, "-o", "name").split()
    assert {name.split(".")[0] for name in printed if "toolkit.fluxcd.io" in name} == kinds

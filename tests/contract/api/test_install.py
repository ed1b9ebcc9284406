"""The manifests of an installation are taken by a real API server, and grant what they say and no more."""

from __future__ import annotations

import json
import subprocess
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from devcluster.cluster import Cluster
from sluice.api.install import InstallOptions, manifests

pytestmark = pytest.mark.cluster

KUBECTL = Path(sysconfig.get_path("scripts")) / "kubectl"
ACCOUNT = "system:serviceaccount:gitops:sluice"
OPTIONS = InstallOptions(version="0.0.1", namespace="gitops", cluster_admin=False)


def kubectl(cluster: Cluster, *arguments: str, given: str = "") -> str:
    command = [str(KUBECTL), "--kubeconfig", str(cluster.kubeconfig), *arguments]
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    return done.stdout


def apply(cluster: Cluster, objects: list[dict[str, Any]]) -> None:
    document = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    kubectl(cluster, "apply", "--server-side", "--validate=strict", "-f", "-", given=document)


@pytest.fixture(scope="module")
def installed(cluster: Cluster) -> Cluster:
    """The shared cluster with an installation without the right to apply, in a namespace that demands `restricted`."""
    namespace, *rest = manifests(OPTIONS)
    namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] = "restricted"
    # The CRDs of the shared cluster are other tests' too: they are taken as they are.
    apply(cluster, [namespace, *(each for each in rest if each["kind"] != "CustomResourceDefinition")])
    return cluster


Request = tuple[str, str, str, str, str]  # verb, group, resource, namespace, name


def allowed(cluster: Cluster, request: Request) -> bool:
    verb, group, path, namespace, name = request
    resource, _, subresource = path.partition("/")
    attributes = {
        "verb": verb,
        "group": group,
        "resource": resource,
        "subresource": subresource,
        "namespace": namespace,
        "name": name,
    }
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": ACCOUNT, "resourceAttributes": attributes},
    }
    status, answer = cluster.api.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
    assert status == 201, answer
    return bool(json.loads(answer)["status"]["allowed"])


def test_the_operators_pod_is_admitted_by_the_restricted_standard_and_becomes_available(installed: Cluster) -> None:
    deadline = time.monotonic() + 60
    path = "/apis/apps/v1/namespaces/gitops/deployments/sluice"
    while (found := installed.api.get(path)) is None or not found["status"].get("availableReplicas"):
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


@pytest.mark.parametrize(
    "wanted",
    [
        ("watch", "kustomize.toolkit.fluxcd.io", "kustomizations", "shop", ""),
        ("patch", "kustomize.toolkit.fluxcd.io", "kustomizations", "shop", "x"),
        ("patch", "kustomize.toolkit.fluxcd.io", "kustomizations/status", "shop", "x"),
        ("list", "source.toolkit.fluxcd.io", "gitrepositories", "shop", ""),
        ("patch", "source.toolkit.fluxcd.io", "gitrepositories/status", "shop", "x"),
        ("get", "", "secrets", "shop", "x"),
        ("get", "", "configmaps", "shop", "x"),
        ("create", "", "events", "shop", ""),
        ("impersonate", "", "serviceaccounts", "shop", "x"),
        ("update", "", "secrets", "gitops", "x"),
        ("update", "coordination.k8s.io", "leases", "gitops", "x"),
        ("get", "apiextensions.k8s.io", "customresourcedefinitions", "", "kustomizations.kustomize.toolkit.fluxcd.io"),
    ],
)
def test_the_operator_may_do_what_it_needs(installed: Cluster, wanted: Request) -> None:
    assert allowed(installed, wanted)


@pytest.mark.parametrize(
    "wanted",
    [
        ("list", "", "secrets", "shop", ""),
        ("watch", "", "secrets", "gitops", ""),
        ("update", "", "secrets", "shop", "x"),
        ("create", "kustomize.toolkit.fluxcd.io", "kustomizations", "shop", ""),
        ("delete", "kustomize.toolkit.fluxcd.io", "kustomizations", "shop", "x"),
        ("update", "coordination.k8s.io", "leases", "kube-system", "x"),
        ("get", "apiextensions.k8s.io", "customresourcedefinitions", "", "others.example.com"),
        ("create", "apps", "deployments", "shop", ""),
        ("impersonate", "", "users", "", "admin"),
        ("impersonate", "", "groups", "", "system:masters"),
        ("bind", "rbac.authorization.k8s.io", "clusterroles", "", "cluster-admin"),
    ],
)
def test_without_the_appliers_binding_the_operator_may_do_no_more(installed: Cluster, wanted: Request) -> None:
    assert not allowed(installed, wanted)


def test_the_default_installation_is_taken_whole_and_may_apply_everything(
    fresh_cluster: Callable[..., Cluster],
) -> None:
    cluster = fresh_cluster()
    options = InstallOptions(version="0.0.1", namespace="gitops")
    apply(cluster, manifests(options))
    assert allowed(cluster, ("create", "apps", "deployments", "shop", ""))
    printed = kubectl(cluster, "get", "deploy,crd", "-A", "-l", "app.kubernetes.io/part-of=flux", "-o", "name")
    assert set(printed.split()) == {
        "deployment.apps/sluice",
        "customresourcedefinition.apiextensions.k8s.io/gitrepositories.source.toolkit.fluxcd.io",
        "customresourcedefinition.apiextensions.k8s.io/kustomizations.kustomize.toolkit.fluxcd.io",
        "customresourcedefinition.apiextensions.k8s.io/imagepolicies.image.toolkit.fluxcd.io",
        "customresourcedefinition.apiextensions.k8s.io/imagerepositories.image.toolkit.fluxcd.io",
        "customresourcedefinition.apiextensions.k8s.io/imageupdateautomations.image.toolkit.fluxcd.io",
        "customresourcedefinition.apiextensions.k8s.io/receivers.notification.toolkit.fluxcd.io",
        "customresourcedefinition.apiextensions.k8s.io/providers.notification.toolkit.fluxcd.io",
        "customresourcedefinition.apiextensions.k8s.io/alerts.notification.toolkit.fluxcd.io",
    }
    kubectl(cluster, "wait", "--for=condition=Established", "crd", "-l", "app.kubernetes.io/part-of=flux")
    apply(cluster, manifests(options))

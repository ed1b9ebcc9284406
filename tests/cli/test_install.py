"""`sluice install` and `uninstall`: what they would do, what they do, and what keeps them from it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from devcluster.cluster import kubectl_path
from tests.cli.conftest import Sluice
from tests.e2e.guide import Reader
from tests.e2e.transcript import Page
from tests.operator_fixture import deployment, poll

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]


def test_the_export_is_the_committed_manifest(sluice: Sluice) -> None:
    committed = Path(__file__).parents[2] / "deploy" / "install.yaml"
    ran = sluice("install", "--export")
    assert ran.code == 0
    assert list(yaml.safe_load_all(ran.out)) == list(yaml.safe_load_all(committed.read_text()))


def test_install_and_uninstall_on_a_cluster_of_their_own(
    sluice: Sluice, fresh_cluster: Callable[..., Any], tmp_path: Path
) -> None:
    """What the guide shows of it is held here, too."""
    cluster = fresh_cluster()
    reader = Reader(tmp_path, cluster.kubeconfig, kubectl_path(), {})
    reader.equip()
    page = Page("how-to/install-and-uninstall.md", reader)
    config = {"KUBECONFIG": str(cluster.kubeconfig)}
    nothing = sluice("check", **config)
    assert (nothing.code, nothing.out.count("[E604]")) == (1, 1), nothing.out
    page.follow()
    asked = sluice("install", **config)
    assert asked.code == 2
    assert "+ Namespace flux-system" in asked.out
    assert "confirm it with --yes" in asked.err
    assert cluster.api.get("/api/v1/namespaces/flux-system") is None

    ran = sluice("install", "--yes", **config)
    assert ran.code == 0, ran.err
    path = "/apis/apps/v1/namespaces/flux-system/deployments/sluice"
    assert cluster.api.get(path)["status"]["availableReplicas"] == 1
    again = sluice("install", "--yes", "-o", "json", **config)
    assert (again.code, again.json["written"]) == (0, False)
    assert "it is installed already" in again.err

    elsewhere = sluice("install", "--yes", "-n", "other", **config)
    assert elsewhere.code == 3
    assert "error[E605]" in elsewhere.err
    assert "namespace flux-system" in elsewhere.err

    cluster.kubectl("scale", "deployment/sluice", "-n", "flux-system", "--replicas=0")
    assert "Deployment flux-system/sluice 0.1.0 has no replicas  [E722]" in sluice("check", **config).out

    # A sync whose objects must survive, with the finalizer that the operator puts on.
    cluster.kubectl("create", "configmap", "kept", "-n", "default")
    cluster.kubectl(
        "apply", "-f", "-",
        stdin="apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n"
        "metadata: {name: apps, namespace: default, finalizers: [finalizers.fluxcd.io]}\n"
        "spec: {interval: 1h, prune: true, sourceRef: {kind: GitRepository, name: none}}\n",
    )  # fmt: skip
    page.follow()
    page.end()
    assert cluster.api.get(path) is not None

    removed = sluice("uninstall", "--yes", "-o", "json", **config)
    assert (removed.code, removed.json["written"]) == (0, True), removed.err
    assert cluster.api.get("/api/v1/namespaces/default/configmaps/kept") is not None
    crd = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/kustomizations.kustomize.toolkit.fluxcd.io"
    poll("the CRD is gone", lambda: cluster.api.get(crd) is None)
    poll("the namespace is gone", lambda: cluster.api.get("/api/v1/namespaces/flux-system") is None, 60)
    assert "nothing is installed" in sluice("uninstall", "--yes", **config).err


def test_b150_flux_in_the_way_is_named_with_what_to_do(sluice: Sluice, fresh_cluster: Callable[..., Any]) -> None:
    cluster = fresh_cluster()
    cluster.kubectl("create", "namespace", "flux-system")
    body = yaml.safe_load(deployment("kustomize-controller").replace("$NS", "flux-system"))
    body["metadata"]["labels"] = {"app.kubernetes.io/part-of": "flux", "app.kubernetes.io/version": "v2.9.0"}
    cluster.kubectl("apply", "-n", "flux-system", "-f", "-", stdin=json.dumps(body))
    ran = sluice("install", "--yes", KUBECONFIG=str(cluster.kubeconfig))
    assert ran.code == 3
    assert "error[E605]: Flux's kustomize-controller 2.9.0 runs in namespace flux-system" in ran.err
    assert "--replicas 0" in ran.err
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/kustomizations.kustomize.toolkit.fluxcd.io"
    assert cluster.api.get(crds) is None

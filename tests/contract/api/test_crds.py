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
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from devcluster.cluster import Cluster
from sluice import __version__
from sluice.api.alert import SOURCE_KINDS
from sluice.api.crds import crds
from sluice.api.provider import COMMIT_STATUS_TYPES
from sluice.api.provider import TYPES as PROVIDER_TYPES
from sluice.api.receiver import TYPES

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
IMAGES: dict[str, Any] = {
    "apiVersion": "image.toolkit.fluxcd.io/v1",
    "kind": "ImageRepository",
    "spec": {"image": "ghcr.io/org/app", "interval": "10m"},
}
POLICY: dict[str, Any] = {
    "apiVersion": "image.toolkit.fluxcd.io/v1",
    "kind": "ImagePolicy",
    "spec": {"imageRepositoryRef": {"name": "app"}, "policy": {"semver": {"range": ">=1.0.0"}}},
}
AUTOMATION: dict[str, Any] = {
    "apiVersion": "image.toolkit.fluxcd.io/v1",
    "kind": "ImageUpdateAutomation",
    "spec": {"interval": "10m", "sourceRef": {"kind": "GitRepository", "name": "apps"}},
}
PROVIDER: dict[str, Any] = {
    "apiVersion": "notification.toolkit.fluxcd.io/v1beta3",
    "kind": "Provider",
    "spec": {"type": "slack"},
}
ALERT: dict[str, Any] = {
    "apiVersion": "notification.toolkit.fluxcd.io/v1beta3",
    "kind": "Alert",
    "spec": {"providerRef": {"name": "chat"}, "eventSources": [{"kind": "Kustomization", "name": "*"}]},
}
RECEIVER: dict[str, Any] = {
    "apiVersion": "notification.toolkit.fluxcd.io/v1",
    "kind": "Receiver",
    "spec": {
        "type": "github",
        "resources": [{"kind": "GitRepository", "name": "apps"}],
        "secretRef": {"name": "token"},
    },
}
PATHS = {
    "Provider": "/apis/notification.toolkit.fluxcd.io/v1beta3/namespaces/{}/providers",
    "Alert": "/apis/notification.toolkit.fluxcd.io/v1beta3/namespaces/{}/alerts",
    "Receiver": "/apis/notification.toolkit.fluxcd.io/v1/namespaces/{}/receivers",
    "ImageRepository": "/apis/image.toolkit.fluxcd.io/v1/namespaces/{}/imagerepositories",
    "ImagePolicy": "/apis/image.toolkit.fluxcd.io/v1/namespaces/{}/imagepolicies",
    "ImageUpdateAutomation": "/apis/image.toolkit.fluxcd.io/v1/namespaces/{}/imageupdateautomations",
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
Row: TypeAlias = tuple[dict[str, Any], dict[str, Any]]


def accepted(base: dict[str, Any], specs: Sequence[dict[str, Any]]) -> list[Row]:
    return [(base, spec) for spec in specs]


def refused(base: dict[str, Any], rows: Sequence[tuple[dict[str, Any], str]]) -> list[tuple[Any, Any, str]]:
    return [(base, spec, field) for spec, field in rows]


IMAGE_ACCEPTED: list[Row] = [
    *accepted(
        IMAGES,
        (
            {},
            {"image": "https://ghcr.io/org/app:v1"},  # whether it is an image's name is not the schema's matter
            *({"interval": value} for value in ("1h30m", "0s", "1ms", "1.5h")),
            *({"timeout": value} for value in ("90s", "1m30s", "500ms")),
            *({"provider": value} for value in ("generic", "aws", "azure", "gcp")),
            {"secretRef": {"name": "a"}, "proxySecretRef": {"name": "b"}, "certSecretRef": {"name": "c"}},
            {"serviceAccountName": "a" * 253, "suspend": True, "insecure": True},
            {"accessFrom": {"namespaceSelectors": [{"matchLabels": {"a": "b"}}, {}]}},
            {"accessFrom": {"namespaceSelectors": []}},
            {"exclusionList": [str(number) for number in range(25)]},
            {"exclusionList": []},
        ),
    ),
    *accepted(
        POLICY,
        (
            {},
            {"imageRepositoryRef": {"name": "a", "namespace": "b"}},
            {"policy": {}},
            *(
                {"policy": {kind: {"order": order}}}
                for kind in ("alphabetical", "numerical")
                for order in ("asc", "desc")
            ),
            {"policy": {"alphabetical": {}, "numerical": {}, "semver": {"range": ""}}},
            {"policy": {"buildTime": {"order": "desc"}}},  # ours
            {"filterTags": {"pattern": "^v(.*)$", "extract": "$1"}, "suspend": True},
            {"filterTags": {}},
            *({"digestReflectionPolicy": value} for value in ("Never", "IfNotPresent")),
            {"digestReflectionPolicy": "Always", "interval": "10m"},
        ),
    ),
    *accepted(
        AUTOMATION,
        (
            {},
            {"sourceRef": {"apiVersion": "v1", "kind": "GitRepository", "name": "x", "namespace": "y"}},
            {"sourceRef": {"name": "x"}},
            {"policySelector": {"matchLabels": {"a": "b"}}},
            {"policySelector": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}},
            {"update": {"strategy": "Setters", "path": "./clusters"}, "suspend": True},
            {"update": {"path": "./clusters"}},
            {"git": {"commit": {"author": {"email": "a@b.c"}}}},
            {
                "git": {
                    "checkout": {"ref": {"branch": "a", "tag": "b", "semver": "c", "name": "d", "commit": "e"}},
                    "commit": {
                        "author": {"email": "a@b.c", "name": "bot"},
                        "messageTemplate": "{{range .Changed.Changes}}{{.NewValue}}{{end}}",
                        "messageTemplateValues": {"cluster": "prod"},
                        "signingKey": {"secretRef": {"name": "key"}, "type": "ssh"},
                    },
                    "push": {"branch": "a", "refspec": "b:c", "options": {"merge_request.create": ""}},
                }
            },
        ),
    ),
]
IMAGE_REFUSED: list[tuple[Any, Any, str]] = [
    *refused(
        IMAGES,
        (
            ({"image": None}, "spec.image"),
            ({"interval": None}, "spec.interval"),
            *(({"interval": value}, "spec.interval") for value in ("1d", "-5m", "", 10)),
            ({"timeout": "1h"}, "spec.timeout"),
            ({"provider": "github"}, "spec.provider"),
            ({"secretRef": {}}, "spec.secretRef.name"),
            ({"serviceAccountName": "a" * 254}, "spec.serviceAccountName"),
            ({"accessFrom": {}}, "spec.accessFrom.namespaceSelectors"),
            ({"exclusionList": [str(number) for number in range(26)]}, "spec.exclusionList"),
            ({"tag": "v1"}, "spec.tag"),
        ),
    ),
    *refused(
        POLICY,
        (
            ({"imageRepositoryRef": None}, "spec.imageRepositoryRef"),
            ({"imageRepositoryRef": {}}, "spec.imageRepositoryRef.name"),
            ({"policy": None}, "spec.policy"),
            ({"policy": {"semver": {}}}, "spec.policy.semver.range"),
            ({"policy": {"alphabetical": {"order": "up"}}}, "spec.policy.alphabetical.order"),
            ({"policy": {"numerical": {"order": "ASC"}}}, "spec.policy.numerical.order"),
            ({"policy": {"glob": {}}}, "spec.policy.glob"),
            ({"policy": {"buildTime": {"order": "up"}}}, "spec.policy.buildTime.order"),
            ({"digestReflectionPolicy": "Once"}, "spec.digestReflectionPolicy"),
            ({"digestReflectionPolicy": "Always"}, "spec.interval must be set"),
            ({"digestReflectionPolicy": "Never", "interval": "10m"}, "spec.interval is only accepted"),
            ({"interval": "10m"}, "spec.interval is only accepted"),
        ),
    ),
    *refused(
        AUTOMATION,
        (
            ({"interval": None}, "spec.interval"),
            ({"interval": "1d"}, "spec.interval"),
            ({"sourceRef": None}, "spec.sourceRef"),
            ({"sourceRef": {"kind": "OCIRepository", "name": "x"}}, "spec.sourceRef.kind"),
            ({"update": {"strategy": "Kustomize"}}, "spec.update.strategy"),
            ({"git": {}}, "spec.git.commit"),
            ({"git": {"commit": {}}}, "spec.git.commit.author"),
            ({"git": {"commit": {"author": {"name": "bot"}}}}, "spec.git.commit.author.email"),
            ({"git": {"checkout": {}, "commit": {"author": {"email": "a"}}}}, "spec.git.checkout.ref"),
            (
                {
                    "git": {
                        "commit": {"author": {"email": "a"}, "signingKey": {"secretRef": {"name": "k"}, "type": "x"}}
                    }
                },
                "spec.git.commit.signingKey.type",
            ),
            (
                {"policySelector": {"matchExpressions": [{"key": "a"}]}},
                "spec.policySelector.matchExpressions[0].operator",
            ),
        ),
    ),
]


OIDC = {"issuerURL": "https://x.example", "validations": [{"expression": "true", "message": "m"}]}
RECEIVER_ACCEPTED: list[Row] = accepted(
    RECEIVER,
    (
        {},
        *({"type": value} for value in TYPES if value != "generic-oidc"),
        {"type": "generic-oidc", "secretRef": None, "oidcProviders": [OIDC]},
        {"events": ["push", "ping"], "interval": "1h", "suspend": True, "resourceFilter": "res.metadata.name == 'a'"},
        {"resources": []},
        {"resources": [{"kind": "Anything", "name": "x", "apiVersion": "example.com/v1", "namespace": "y"}]},
        {"resources": [{"kind": "GitRepository", "name": "*", "matchLabels": {"a": "b"}, "filter": "true"}]},
    ),
)
RECEIVER_REFUSED = refused(
    RECEIVER,
    (
        ({"type": "svn"}, "spec.type"),
        ({"type": None}, "spec.type"),
        ({"resources": None}, "spec.resources"),
        ({"resources": [{"kind": "GitRepository"}]}, "spec.resources[0].name"),
        ({"resources": [{"kind": "GitRepository", "name": ""}]}, "spec.resources[0].name"),
        ({"resources": [{"name": "x"}]}, "spec.resources[0].kind"),
        ({"secretRef": None}, "secretRef is required"),
        ({"interval": "soon"}, "spec.interval"),
        ({"suspend": "yes"}, "spec.suspend"),
        ({"oidcProviders": [OIDC]}, "oidcProviders"),
        ({"type": "generic-oidc", "oidcProviders": [OIDC]}, "secretRef must not be set"),
        ({"hook": "x"}, "spec.hook"),
    ),
)


NOTIFICATION_ACCEPTED: list[Row] = [
    *accepted(
        PROVIDER,
        (
            *({"type": value} for value in PROVIDER_TYPES),
            *({"type": value, "commitStatusExpr": "'x'"} for value in COMMIT_STATUS_TYPES),
            {"interval": "1h30m", "timeout": "1m30s", "suspend": True, "serviceAccountName": "x"},
            *({field: "x" * 2048} for field in ("channel", "username", "address")),
            {"proxy": "http://proxy:3128", "proxySecretRef": {"name": "a"}},
            {"secretRef": {"name": "a"}, "certSecretRef": {"name": "b"}},
            *({"incidents": value} for value in (True, False)),
        ),
    ),
    *accepted(
        ALERT,
        (
            {},
            {"eventSources": []},
            {"eventSources": [{"kind": kind, "name": "x"} for kind in SOURCE_KINDS]},
            {
                "eventSources": [
                    {"apiVersion": "v1", "kind": "Bucket", "name": "*", "namespace": "x", "matchLabels": {"a": "b"}}
                ]
            },
            *({"eventSeverity": value} for value in ("info", "error")),
            {"eventMetadata": {"env": "prod"}, "summary": "x" * 255, "suspend": True},
            {"inclusionList": [".*"], "exclusionList": ["(unclosed"]},
            *({"incidents": value} for value in (True, False)),
        ),
    ),
]
NOTIFICATION_REFUSED: list[tuple[Any, Any, str]] = [
    *refused(
        PROVIDER,
        (
            ({"type": "irc"}, "spec.type"),
            ({"type": None}, "spec.type"),
            ({"interval": "1d"}, "spec.interval"),
            ({"timeout": "1h"}, "spec.timeout"),
            *(({field: "x" * 2049}, f"spec.{field}") for field in ("channel", "username", "address")),
            ({"proxy": "socks5://x"}, "spec.proxy"),
            ({"proxy": "http://" + "x" * 2048}, "spec.proxy"),
            *(({field: {}}, f"spec.{field}.name") for field in ("secretRef", "certSecretRef", "proxySecretRef")),
            ({"suspend": "yes"}, "spec.suspend"),
            ({"incidents": "no"}, "spec.incidents"),
            ({"commitStatusExpr": "'x'"}, "commitStatusExpr is only supported for the"),
            ({"token": "x"}, "spec.token"),
        ),
    ),
    *refused(
        ALERT,
        (
            ({"providerRef": None}, "spec.providerRef"),
            ({"providerRef": {}}, "spec.providerRef.name"),
            ({"eventSources": None}, "spec.eventSources"),
            ({"eventSources": [{"kind": "Receiver", "name": "x"}]}, "spec.eventSources[0].kind"),
            ({"eventSources": [{"kind": "Bucket"}]}, "spec.eventSources[0].name"),
            *(
                ({"eventSources": [{"kind": "Bucket", "name": "x", field: value}]}, f"spec.eventSources[0].{field}")
                for field in ("name", "namespace")
                for value in ("", "x" * 254)
            ),
            ({"eventSeverity": "trace"}, "spec.eventSeverity"),
            ({"summary": "x" * 256}, "spec.summary"),
            ({"eventMetadata": {"a": 1}}, "spec.eventMetadata.a"),
            ({"inclusionList": "x"}, "spec.inclusionList"),
        ),
    ),
]


@pytest.fixture(scope="module")
def served(cluster: Cluster) -> Cluster:
    """The shared cluster with our CRDs established."""
    for crd in crds(__version__):
        status, answer = cluster.api.request("POST", CRDS, crd)
        assert status in {201, 409}, answer
    deadline = time.monotonic() + 60
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


@pytest.mark.parametrize(("base", "spec"), IMAGE_ACCEPTED, ids=label)
def test_what_flux_accepts_of_the_image_kinds_is_accepted(
    served: Cluster, base: dict[str, Any], spec: dict[str, Any]
) -> None:
    status, answer = create(served, base, spec)
    assert status == 201, answer


@pytest.mark.parametrize(("base", "spec", "field"), IMAGE_REFUSED, ids=label)
def test_what_flux_refuses_of_the_image_kinds_is_refused_at_that_field(
    served: Cluster, base: dict[str, Any], spec: dict[str, Any], field: str
) -> None:
    status, answer = create(served, base, spec)
    assert status in {400, 422}, answer
    assert field in answer


@pytest.mark.parametrize(("base", "spec"), RECEIVER_ACCEPTED, ids=label)
def test_what_flux_accepts_of_a_receiver_is_accepted(
    served: Cluster, base: dict[str, Any], spec: dict[str, Any]
) -> None:
    status, answer = create(served, base, spec)
    assert status == 201, answer


@pytest.mark.parametrize(("base", "spec", "field"), RECEIVER_REFUSED, ids=label)
def test_what_flux_refuses_of_a_receiver_is_refused_at_that_field(
    served: Cluster, base: dict[str, Any], spec: dict[str, Any], field: str
) -> None:
    status, answer = create(served, base, spec)
    assert status in {400, 422}, answer
    assert field in answer


@pytest.mark.parametrize(("base", "spec"), NOTIFICATION_ACCEPTED, ids=label)
def test_what_flux_accepts_of_the_notification_kinds_is_accepted(
    served: Cluster, base: dict[str, Any], spec: dict[str, Any]
) -> None:
    status, answer = create(served, base, spec)
    assert status == 201, answer


@pytest.mark.parametrize(("base", "spec", "field"), NOTIFICATION_REFUSED, ids=label)
def test_what_flux_refuses_of_the_notification_kinds_is_refused_at_that_field(
    served: Cluster, base: dict[str, Any], spec: dict[str, Any], field: str
) -> None:
    status, answer = create(served, base, spec)
    assert status in {400, 422}, answer
    assert field in answer


def test_an_alert_is_about_everything_unless_it_says_otherwise(served: Cluster) -> None:
    alert = json.loads(create(served, ALERT, {})[1])
    assert alert["spec"]["eventSeverity"] == "info"
    assert "status" not in alert


def test_a_new_object_has_the_defaults_that_flux_gives(served: Cluster) -> None:
    sync = json.loads(create(served, SYNC, {"postBuild": {"substituteFrom": [{"kind": "Secret", "name": "a"}]}})[1])
    assert sync["status"] == {"observedGeneration": -1}
    assert sync["spec"]["force"] is False
    assert sync["spec"]["postBuild"]["substituteFrom"][0]["optional"] is False
    source = json.loads(create(served, SOURCE, {"verify": {"secretRef": {"name": "a"}}})[1])
    assert source["status"] == {"observedGeneration": -1}
    assert source["spec"]["timeout"] == "60s"
    assert source["spec"]["verify"]["mode"] == "HEAD"
    images = json.loads(create(served, IMAGES, {})[1])
    assert images["spec"]["provider"] == "generic"
    assert images["spec"]["exclusionList"] == [r"^.*\.sig$"]
    policy = json.loads(create(served, POLICY, {"policy": {"alphabetical": {}}})[1])
    assert policy["spec"]["digestReflectionPolicy"] == "Never"
    assert policy["spec"]["policy"]["alphabetical"]["order"] == "asc"
    automation = json.loads(create(served, AUTOMATION, {"sourceRef": {"name": "x"}})[1])
    assert automation["spec"]["sourceRef"]["kind"] == "GitRepository"
    assert automation["spec"]["update"] == {"strategy": "Setters"}
    assert [kind["status"] for kind in (images, policy, automation)] == [{"observedGeneration": -1}] * 3


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
IMAGES_STATUS = {
    "observedGeneration": 1,
    "conditions": [CONDITION],
    "canonicalImageName": "ghcr.io/org/app",
    "lastScanResult": {
        "tagCount": 2,
        "revision": "123",
        "scanTime": "2026-01-01T00:00:00Z",
        "latestTags": ["v2", "v1"],
    },
    "observedExclusionList": ["a"],
    "lastHandledReconcileAt": "d",
}
POLICY_STATUS = {
    "observedGeneration": 1,
    "conditions": [CONDITION],
    "latestRef": {"name": "ghcr.io/org/app", "tag": "v2", "digest": "sha256:ab"},
    "observedPreviousRef": {"name": "ghcr.io/org/app", "tag": "v1"},
    "lastHandledReconcileAt": "d",
}
AUTOMATION_STATUS = {
    "observedGeneration": 1,
    "conditions": [CONDITION],
    "lastAutomationRunTime": "2026-01-01T00:00:00Z",
    "lastPushCommit": "ab",
    "lastPushTime": "2026-01-01T00:00:00Z",
    "observedPolicies": {"app": {"name": "ghcr.io/org/app", "tag": "v2"}},
    "observedSourceRevision": "main@sha1:ab",
    "lastHandledReconcileAt": "d",
    "rejectedImages": [{"path": "a.yaml", "policy": "x/app", "image": "ghcr.io/org/app:v1"}],
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


@pytest.mark.parametrize(
    ("base", "status"),
    [
        (SYNC, SYNC_STATUS),
        (SOURCE, SOURCE_STATUS),
        (IMAGES, IMAGES_STATUS),
        (POLICY, POLICY_STATUS),
        (AUTOMATION, AUTOMATION_STATUS),
    ],
    ids=["sync", "source", "images", "policy", "automation"],
)
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
    put_status(served, stored(served, namespace, IMAGES), IMAGES_STATUS)
    put_status(served, stored(served, namespace, POLICY), POLICY_STATUS)
    put_status(served, stored(served, namespace, AUTOMATION), AUTOMATION_STATUS)
    for names, heads, row in (
        (
            ("imgrepo", "imagerepo"),
            ["NAME", "IMAGE", "TAGS", "READY", "STATUS", "AGE"],
            ["ghcr.io/org/app", "2", "True"],
        ),
        (("imgpol", "imagepol"), ["NAME", "IMAGE", "TAG", "READY", "STATUS", "AGE"], ["ghcr.io/org/app", "v2", "True"]),
        (("iua", "imgupd", "imgauto"), ["NAME", "READY", "STATUS", "AGE"], ["True"]),
    ):
        for name in names:
            found = kubectl(served, "get", name, "-n", namespace).splitlines()
            assert found[0].split() == heads
            assert found[1].split()[1 : 1 + len(row)] == row


@pytest.mark.parametrize(
    ("category", "kinds"),
    [
        ("fluxcd", {"kustomization", "gitrepository", "imagerepository", "imagepolicy", "imageupdateautomation"}),
        ("all", {"kustomization", "gitrepository", "imagerepository", "imagepolicy", "imageupdateautomation"}),
        ("fluxcd-images", {"imagerepository", "imagepolicy", "imageupdateautomation"}),
        ("fluxcd-appliers", {"kustomization"}),
        ("fluxcd-sources", {"gitrepository"}),
    ],
)
def test_kubectl_finds_the_kinds_by_category(served: Cluster, namespace: str, category: str, kinds: set[str]) -> None:
    for base in (SYNC, SOURCE, IMAGES, POLICY, AUTOMATION):
        stored(served, namespace, base)
    printed = kubectl(served, "get", category, "-n", namespace, "-o", "name").split()
    assert {name.split(".")[0] for name in printed if "toolkit.fluxcd.io" in name} == kinds

"""What an installation consists of, as objects in the order in which they are applied.

Pure, so that `sluice install`, its `--export`, the committed `deploy/install.yaml` and the tests all hold the same
objects. Names and labels are those that Flux's clients look for; see `access` for the rights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from sluice.api.access import access
from sluice.api.crds import COMPONENT, crds, part_labels
from sluice.api.kinds import POD_LABELS

Object: TypeAlias = dict[str, Any]

DEFAULT_NAMESPACE = "flux-system"
USER = 65532
METRICS_PORT = 8080
HEALTH_PORT = 9440
STORAGE_PORT = 9090
HOOK_PORT = 9292
# Where fluxctl's port-forward leads. It is bound to the pod's own loopback, which that alone reaches.
FLUXD_PORT = 3030
# The name that Flux's artifacts are found under: consumers of its URLs look there.
STORAGE_SERVICE = "source-controller"
# The name that ingresses to Flux's receivers lead to.
HOOK_SERVICE = "webhook-receiver"
DATA_PATH = "/data"
# Arguments with which workloads are automated by annotations, which needs more rights.
REVIEWS = "--fluxd-api-kubernetes-tokens"
BY_ANNOTATIONS = ("--workload-annotations", "--git-url")
TEMPORARY_PATH = "/tmp"  # noqa: S108 - a volume of the pod's own


@dataclass(frozen=True, slots=True)
class InstallOptions:
    """What people choose. `version` is the operator's, without a leading v; an empty `image` is the released one.

    `cluster_admin` False leaves out the binding with which the operator may apply any object: somebody must then
    bind narrower rights to its service account.
    """

    version: str
    namespace: str = DEFAULT_NAMESPACE
    image: str = ""
    log_level: str = "info"
    cluster_admin: bool = True
    network_policy: bool = True
    extra_args: tuple[str, ...] = ()

    @property
    def labels(self) -> dict[str, str]:
        """The labels on every object of the installation."""
        return part_labels(self.version, self.namespace)

    @property
    def image_reference(self) -> str:
        """The image to run. It has a tag, because `flux version` splits it there."""
        return self.image or f"sluice-gitops/sluice:v{self.version}"


def manifests(options: InstallOptions) -> list[Object]:
    """Every object of an installation, what others need first. Equal options give equal objects."""
    policies = _network_policies(options) if options.network_policy else []
    return [
        _namespace(options),
        *crds(options.version, options.namespace),
        *access(
            options.namespace,
            options.labels,
            cluster_admin=options.cluster_admin,
            by_annotations=any(each.startswith(BY_ANNOTATIONS) for each in options.extra_args),
            reviews=any(each.startswith(REVIEWS) for each in options.extra_args),
        ),
        *policies,
        _service(options, STORAGE_SERVICE, "http"),
        _service(options, HOOK_SERVICE, "http-webhook"),
        _deployment(options),
    ]


def _namespace(options: InstallOptions) -> Object:
    restricted = {
        "pod-security.kubernetes.io/warn": "restricted",
        "pod-security.kubernetes.io/warn-version": "latest",
    }
    metadata = {"name": options.namespace, "labels": options.labels | restricted}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def _service(options: InstallOptions, name: str, port: str) -> Object:
    """Where the URLs in the status of sources lead, or what an ingress for git hosts and registries leads to."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": options.namespace, "labels": options.labels},
        "spec": {
            "type": "ClusterIP",
            "selector": POD_LABELS,
            "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": port}],
        },
    }


def _deployment(options: InstallOptions) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": COMPONENT, "namespace": options.namespace, "labels": options.labels},
        "spec": {
            "replicas": 1,
            # The new process must hold the Lease to do anything: there is nothing to overlap for.
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": POD_LABELS},
            "template": {
                "metadata": {
                    "labels": options.labels | POD_LABELS,
                    "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": str(METRICS_PORT)},
                },
                "spec": _pod(options),
            },
        },
    }


def _pod(options: InstallOptions) -> Object:
    return {
        "serviceAccountName": COMPONENT,
        "terminationGracePeriodSeconds": 60,
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(options)],
        "volumes": [
            {"name": "data", "emptyDir": {"sizeLimit": "10Gi"}},
            {"name": "tmp", "emptyDir": {"sizeLimit": "2Gi"}},
        ],
    }


def _container(options: InstallOptions) -> Object:
    arguments = [
        "run",
        f"--log-level={options.log_level}",
        "--log-encoding=json",
        f"--metrics-addr=:{METRICS_PORT}",
        f"--health-addr=:{HEALTH_PORT}",
        f"--storage-path={DATA_PATH}",
        f"--storage-addr=:{STORAGE_PORT}",
        f"--hook-addr=:{HOOK_PORT}",
        f"--listen=127.0.0.1:{FLUXD_PORT}",
        *options.extra_args,
    ]
    return {
        "name": "manager",  # `flux logs` reads the container of this name
        "image": options.image_reference,
        "imagePullPolicy": "IfNotPresent",
        "args": arguments,
        "env": [
            {"name": "RUNTIME_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "HOME", "value": TEMPORARY_PATH},
        ],
        "ports": [
            {"name": "http", "containerPort": STORAGE_PORT, "protocol": "TCP"},
            {"name": "http-webhook", "containerPort": HOOK_PORT, "protocol": "TCP"},
            {"name": "http-prom", "containerPort": METRICS_PORT, "protocol": "TCP"},
            {"name": "healthz", "containerPort": HEALTH_PORT, "protocol": "TCP"},
            {"name": "http-fluxd", "containerPort": FLUXD_PORT, "protocol": "TCP"},
        ],
        "livenessProbe": {"httpGet": {"path": "/healthz", "port": "healthz"}},
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": "healthz"}},
        "resources": {
            "requests": {"cpu": "100m", "memory": "128Mi"},
            "limits": {"memory": "1Gi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "data", "mountPath": DATA_PATH},
            {"name": "tmp", "mountPath": TEMPORARY_PATH},
        ],
    }


def _network_policies(options: InstallOptions) -> list[Object]:
    """Out: anywhere (git hosts are anywhere). In: metrics and calls from anywhere, artifacts for neighbours.

    The nodes' probes pass anyway.
    """
    scraping = {"from": [{"namespaceSelector": {}}], "ports": [{"port": METRICS_PORT, "protocol": "TCP"}]}
    calling = {"ports": [{"port": HOOK_PORT, "protocol": "TCP"}]}
    reading = {"from": [{"podSelector": {}}], "ports": [{"port": STORAGE_PORT, "protocol": "TCP"}]}
    return [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": COMPONENT, "namespace": options.namespace, "labels": options.labels},
            "spec": {
                "podSelector": {"matchLabels": POD_LABELS},
                "policyTypes": ["Ingress", "Egress"],
                "ingress": [scraping, calling, reading],
                "egress": [{}],
            },
        }
    ]

"""Kinds that every API server serves, and that are asked for before discovery has been read."""

from __future__ import annotations

from sluice.kube.resource import Resource

SECRETS = Resource("", "v1", "Secret", "secrets", namespaced=True)
PODS = Resource("", "v1", "Pod", "pods", namespaced=True)
EVENTS = Resource("", "v1", "Event", "events", namespaced=True)
QUOTAS = Resource("", "v1", "ResourceQuota", "resourcequotas", namespaced=True)
ACCESS_REVIEWS = Resource(
    "authorization.k8s.io", "v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", namespaced=False
)
NAMESPACES = Resource("", "v1", "Namespace", "namespaces", namespaced=False)
NODES = Resource("", "v1", "Node", "nodes", namespaced=False)
CRDS = Resource("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False)
SERVICE_ACCOUNTS = Resource("", "v1", "ServiceAccount", "serviceaccounts", namespaced=True)
CONFIG_MAPS = Resource("", "v1", "ConfigMap", "configmaps", namespaced=True)
# The kinds whose images can be read and changed, as fluxd knew them; the last two where somebody has installed them.
WORKLOADS = (
    Resource("apps", "v1", "Deployment", "deployments", namespaced=True),
    Resource("apps", "v1", "DaemonSet", "daemonsets", namespaced=True),
    Resource("apps", "v1", "StatefulSet", "statefulsets", namespaced=True),
    Resource("batch", "v1", "CronJob", "cronjobs", namespaced=True),
    Resource("helm.toolkit.fluxcd.io", "v2", "HelmRelease", "helmreleases", namespaced=True),
    Resource("helm.fluxcd.io", "v1", "HelmRelease", "helmreleases", namespaced=True),
)

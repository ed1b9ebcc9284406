"""How the kinds that we reconcile are served."""

from __future__ import annotations

from sluice.api import (
    alert,
    git_repository,
    image_policy,
    image_repository,
    image_update_automation,
    kustomization,
    provider,
    receiver,
)
from sluice.kube.resource import Resource

GIT_REPOSITORIES = Resource(
    group=git_repository.GROUP, version="v1", kind="GitRepository", plural="gitrepositories", namespaced=True
)
KUSTOMIZATIONS = Resource(
    group=kustomization.GROUP, version="v1", kind="Kustomization", plural="kustomizations", namespaced=True
)
IMAGE_REPOSITORIES = Resource(
    group=image_repository.GROUP, version="v1", kind="ImageRepository", plural="imagerepositories", namespaced=True
)
IMAGE_POLICIES = Resource(
    group=image_policy.GROUP, version="v1", kind="ImagePolicy", plural="imagepolicies", namespaced=True
)
IMAGE_UPDATE_AUTOMATIONS = Resource(
    group=image_update_automation.GROUP,
    version="v1",
    kind="ImageUpdateAutomation",
    plural="imageupdateautomations",
    namespaced=True,
)
RECEIVERS = Resource(group=receiver.GROUP, version="v1", kind="Receiver", plural="receivers", namespaced=True)
PROVIDERS = Resource(
    group=provider.GROUP, version=provider.VERSION, kind="Provider", plural="providers", namespaced=True
)
ALERTS = Resource(group=alert.GROUP, version=alert.VERSION, kind="Alert", plural="alerts", namespaced=True)
ALL = (
    GIT_REPOSITORIES,
    KUSTOMIZATIONS,
    IMAGE_REPOSITORIES,
    IMAGE_POLICIES,
    IMAGE_UPDATE_AUTOMATIONS,
    RECEIVERS,
    PROVIDERS,
    ALERTS,
)

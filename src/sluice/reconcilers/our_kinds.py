"""How the kinds that we reconcile are served."""

from __future__ import annotations

from sluice.api import (
    git_repository,
    image_policy,
    image_repository,
    image_update_automation,
    kustomization,
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
ALL = (GIT_REPOSITORIES, KUSTOMIZATIONS, IMAGE_REPOSITORIES, IMAGE_POLICIES, IMAGE_UPDATE_AUTOMATIONS, RECEIVERS)

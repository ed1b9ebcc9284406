"""How the kinds that we reconcile are served."""

from __future__ import annotations

from sluice.api import git_repository, kustomization
from sluice.kube.resource import Resource

GIT_REPOSITORIES = Resource(
    group=git_repository.GROUP, version="v1", kind="GitRepository", plural="gitrepositories", namespaced=True
)
KUSTOMIZATIONS = Resource(
    group=kustomization.GROUP, version="v1", kind="Kustomization", plural="kustomizations", namespaced=True
)

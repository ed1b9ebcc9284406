"""What the demo reads of objects in the API server: the few fields that its steps look at."""

from __future__ import annotations

import msgspec

from sluice.core.live import FieldManager
from sluice.kube.resource import Resource

NAMESPACES = Resource("", "v1", "Namespace", "namespaces", namespaced=False)
CONFIG_MAPS = Resource("", "v1", "ConfigMap", "configmaps", namespaced=True)
DEPLOYMENTS = Resource("apps", "v1", "Deployment", "deployments", namespaced=True)
CRDS = Resource("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False)
FEATURE_FLAGS = Resource("demo.sluice.dev", "v1", "FeatureFlag", "featureflags", namespaced=True)


class Meta(msgspec.Struct, frozen=True, rename="camel"):
    """Metadata, the field managers included."""

    name: str
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    finalizers: tuple[str, ...] = ()
    managed_fields: tuple[FieldManager, ...] = ()


class Container(msgspec.Struct, frozen=True):
    """A container of a pod template."""

    image: str = ""


class PodSpec(msgspec.Struct, frozen=True):
    """The containers of a pod template."""

    containers: tuple[Container, ...] = ()


class PodTemplate(msgspec.Struct, frozen=True):
    """The template of a Deployment's pods."""

    spec: PodSpec = PodSpec()


class DeploymentSpec(msgspec.Struct, frozen=True):
    """What is wanted of a Deployment."""

    replicas: int = 1
    template: PodTemplate = PodTemplate()


class DeploymentStatus(msgspec.Struct, frozen=True, rename="camel"):
    """What the Deployment's own controller says of it."""

    observed_generation: int = 0
    replicas: int = 0
    updated_replicas: int = 0
    available_replicas: int = 0


class Deployment(msgspec.Struct, frozen=True):
    """A Deployment."""

    metadata: Meta
    spec: DeploymentSpec = DeploymentSpec()
    status: DeploymentStatus = DeploymentStatus()

    @property
    def image(self) -> str:
        """The first container's image."""
        return next((container.image for container in self.spec.template.spec.containers), "")

    @property
    def rolled_out(self) -> bool:
        """True when all its pods are of the present template, available, and no other is left."""
        status, wanted = self.status, self.spec.replicas
        seen = status.observed_generation >= self.metadata.generation
        return seen and status.replicas == status.updated_replicas == status.available_replicas == wanted

    def __str__(self) -> str:
        return f"{self.image}, {self.status.available_replicas} of {self.spec.replicas} pods ready"


class ConfigMap(msgspec.Struct, frozen=True):
    """A ConfigMap."""

    metadata: Meta
    data: dict[str, str] = {}

    def __str__(self) -> str:
        return ", ".join(f"{key}: {value}" for key, value in self.data.items())


class Bare(msgspec.Struct, frozen=True):
    """Any object, of which only its being there matters."""

    metadata: Meta

    def __str__(self) -> str:
        return "it is there"

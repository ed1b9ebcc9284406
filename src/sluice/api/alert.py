"""Alert notification.toolkit.fluxcd.io/v1beta3: which events a Provider is told. It has no status, as in Flux."""

from __future__ import annotations

from typing import Annotated

from sluice.api.kinds import NOTIFICATION_GROUP, ApiStruct, LocalRef, ObjectMeta
from sluice.api.schema import AGE, Definition, doc
from sluice.core.ids import NamespacedName

GROUP = NOTIFICATION_GROUP
VERSION = "v1beta3"
KIND = "Alert"

DEFINITION = Definition(
    group=GROUP,
    version=VERSION,
    kind=KIND,
    plural="alerts",
    short_names=(),
    category="fluxcd-notifications",
    columns=(AGE,),
)

SOURCE_KINDS = (
    *("Bucket", "GitRepository", "Kustomization", "HelmRelease", "HelmChart", "HelmRepository", "ImageRepository"),
    *("ImagePolicy", "ImageUpdateAutomation", "OCIRepository", "ArtifactGenerator", "ExternalArtifact"),
)
_NAME = {"minLength": 1, "maxLength": 253}
_NAMESPACE = (
    "Their namespace; the alert's own when unset. Another one needs the operator's --allow-cross-namespace-alerts."
)


class EventSourceRef(ApiStruct, frozen=True, kw_only=True):
    """Objects whose events are wanted."""

    kind: Annotated[str, doc("Kind of the objects.", enum=list(SOURCE_KINDS))]
    name: Annotated[str, doc("Name of the object; `*` for all of the kind.", **_NAME)]
    apiVersion: Annotated[str, doc("API version of the kind; not compared.")] = ""
    namespace: Annotated[str, doc(_NAMESPACE, **_NAME)] = ""
    matchLabels: Annotated[dict[str, str], doc("Labels that the objects must have, with the name `*`.")] = {}


class AlertSpec(ApiStruct, frozen=True, kw_only=True):
    """Which events, and to whom."""

    providerRef: Annotated[LocalRef, doc("The Provider that is told, in the same namespace.")]
    eventSources: Annotated[tuple[EventSourceRef, ...], doc("The objects whose events are wanted.")]
    eventSeverity: Annotated[str, doc("Only errors, or all events.", enum=["info", "error"], default="info")] = "info"
    eventMetadata: Annotated[
        dict[str, str], doc("Added to each event; what the event says itself goes before it.")
    ] = {}
    inclusionList: Annotated[
        tuple[str, ...], doc("Regular expressions (RE2) of which the message must match one; all when unset.")
    ] = ()
    exclusionList: Annotated[tuple[str, ...], doc("Regular expressions (RE2) of which the message matches none.")] = ()
    summary: Annotated[str, doc("Use eventMetadata.summary.", maxLength=255)] = ""
    incidents: Annotated[
        bool | None, doc("Extension of Sluice: as in the Provider, before which it goes; the Provider's when unset.")
    ] = None
    suspend: Annotated[bool, doc("Tell nothing; events meanwhile are not told later.")] = False


class Alert(ApiStruct, frozen=True, kw_only=True):
    """Which events a Provider is told."""

    metadata: ObjectMeta
    spec: Annotated[AlertSpec, doc("Which events, and to whom.")]

    @property
    def provider(self) -> NamespacedName:
        """The key of the Provider."""
        return NamespacedName(self.metadata.namespace, self.spec.providerRef.name)

"""Names shared by every kind: API groups, the finalizer, the request annotation, and small shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec

from sluice.api.schema import DIGEST, doc
from sluice.core import condition
from sluice.core.ids import NamespacedName

SOURCE_GROUP = "source.toolkit.fluxcd.io"
KUSTOMIZE_GROUP = "kustomize.toolkit.fluxcd.io"
IMAGE_GROUP = "image.toolkit.fluxcd.io"
NOTIFICATION_GROUP = "notification.toolkit.fluxcd.io"
# By which an installation selects its pods. `app` is not among them: it is how fluxctl finds the one that leads.
POD_LABELS = {"app.kubernetes.io/component": "sluice"}
FINALIZER = "finalizers.fluxcd.io"
REQUESTED_AT = "reconcile.fluxcd.io/requestedAt"
# Clients write a time or a random id; a longer one would be carried in statuses and records.
MAX_REQUEST = 256
# On a Kustomization: those of one namespace that have the same value here are one transaction.
IN_GROUP = "sluice.dev/group"
# The request to go back: to which revision, from which one of git's (it holds no longer than git says that), by whom.
# The revision for which a person has agreed to what can't be undone.
IRREVERSIBLE = "sluice.dev/irreversible"
ROLLBACK_TO = "sluice.dev/rollback-to"
ROLLBACK_FROM = "sluice.dev/rollback-from"
ROLLBACK_BY = "sluice.dev/rollback-by"
# On a Kustomization: a release, or policies, asked for by a person: JSON of a nonce, a spec and dryRun.
UPDATE_REQUEST = "sluice.dev/update-request"
ROLLBACK = (ROLLBACK_TO, ROLLBACK_FROM, ROLLBACK_BY)

Condition = condition.Condition


class ApiStruct(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A shape as the API server sends it. Unknown fields are ignored here: the CRD's schema has refused them."""


class LocalRef(ApiStruct, frozen=True, kw_only=True):
    """A reference to an object of a known kind in the same namespace."""

    name: Annotated[str, doc("Name of the object.")]


class ObjectMeta(ApiStruct, frozen=True, kw_only=True):
    """The part of metadata that reconcilers read."""

    name: str
    namespace: str = ""
    uid: str = ""
    resourceVersion: str = ""
    generation: int = 0
    deletionTimestamp: str | None = None
    finalizers: tuple[str, ...] = ()
    annotations: dict[str, str] = {}
    labels: dict[str, str] = {}

    @property
    def key(self) -> NamespacedName:
        """The object's key in queues and caches."""
        return NamespacedName(self.namespace, self.name)

    @property
    def request(self) -> str:
        """The request for a turn that the object has."""
        return request_of(self.annotations)


def request_of(annotations: Mapping[str, str]) -> str:
    """The request for a turn that somebody made; empty without one, and where it is longer than MAX_REQUEST."""
    asked = annotations.get(REQUESTED_AT, "")
    return asked if len(asked) <= MAX_REQUEST else ""


class ArtifactStatus(ApiStruct, frozen=True, kw_only=True):
    """What a source's status says of its artifact."""

    digest: Annotated[str, doc("Digest of the stored file, as algorithm:checksum.", pattern=DIGEST)]
    lastUpdateTime: Annotated[str, doc("When the artifact was stored.", format="date-time")]
    path: Annotated[str, doc("Path of the file in the artifact storage.")]
    revision: Annotated[str, doc("What was fetched, like main@sha1:….")]
    url: Annotated[str, doc("Where the file can be downloaded inside the cluster.")]
    size: Annotated[int, doc("Size of the file in bytes.")] = 0
    metadata: Annotated[dict[str, str], doc("What the origin says of it, such as OCI annotations.")] = {}

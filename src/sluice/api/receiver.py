"""Receiver notification.toolkit.fluxcd.io/v1: an address at which a push, or a new image, is told to us."""

from __future__ import annotations

from typing import Annotated

from sluice.api.kinds import NOTIFICATION_GROUP, ApiStruct, Condition, LocalRef, ObjectMeta
from sluice.api.problem_status import StatusProblems
from sluice.api.schema import AGE, DURATION, READY, STATUS, Definition, cel, doc

GROUP = NOTIFICATION_GROUP
VERSION = "v1"
KIND = "Receiver"
TYPES = (
    "generic",
    "generic-hmac",
    "generic-oidc",
    "github",
    "gitlab",
    "bitbucket",
    "harbor",
    "dockerhub",
    "quay",
    "gcr",
    "nexus",
    "acr",
    "cdevents",
)

DEFINITION = Definition(
    group=GROUP,
    version=VERSION,
    kind=KIND,
    plural="receivers",
    short_names=(),
    category="fluxcd-notifications",
    columns=(AGE, READY, STATUS),
)

_SECRET_RULES = [
    cel("self.type == 'generic-oidc' || has(self.secretRef)", "secretRef is required for this type"),
    cel("self.type != 'generic-oidc' || !has(self.secretRef)", "secretRef must not be set for type generic-oidc"),
    cel("self.type == 'generic-oidc' || !has(self.oidcProviders)", "oidcProviders is for type generic-oidc only"),
    cel("self.type != 'generic-oidc' || has(self.oidcProviders)", "oidcProviders is required for type generic-oidc"),
]


class ReceiverResource(ApiStruct, frozen=True, kw_only=True):
    """What is asked to look now: one object, or with name `*` those of its kind that carry the labels."""

    kind: Annotated[str, doc("Kind of the object.")]
    name: Annotated[str, doc("Name of the object; `*` with matchLabels for several.", minLength=1, maxLength=253)]
    apiVersion: Annotated[str, doc("API version of the object; that of Flux's kinds when unset.")] = ""
    namespace: Annotated[str, doc("Its namespace; the Receiver's own when unset.", maxLength=253)] = ""
    matchLabels: Annotated[dict[str, str], doc("Labels that the objects must carry, with name `*`.")] = {}
    filter: Annotated[str, doc("CEL expression over `res` and `req`: whether the object is asked.")] = ""


class OidcVariable(ApiStruct, frozen=True, kw_only=True):
    """A name for a part of the token's claims."""

    name: Annotated[str, doc("Name of the variable.")]
    expression: Annotated[str, doc("CEL expression that gives its value.")]


class OidcValidation(ApiStruct, frozen=True, kw_only=True):
    """What must be true of the token's claims."""

    expression: Annotated[str, doc("CEL expression that must be true.")]
    message: Annotated[str, doc("What is said when it is not.")]


class OidcProvider(ApiStruct, frozen=True, kw_only=True):
    """Whose tokens are accepted."""

    issuerURL: Annotated[str, doc("Issuer of the tokens.", pattern="^https://.*$")]
    audience: Annotated[str, doc("Audience of the tokens.", default="notification-controller")] = (
        "notification-controller"
    )
    variables: Annotated[tuple[OidcVariable, ...], doc("Names for parts of the claims.")] = ()
    validations: Annotated[tuple[OidcValidation, ...], doc("What must be true of the claims.")]


class ReceiverSpec(ApiStruct, frozen=True, kw_only=True):
    """Who calls, how a call is checked, and what it makes us look at."""

    type: Annotated[str, doc("Who calls, which decides how a call is checked.", enum=list(TYPES))]
    interval: Annotated[str, doc("How often the Secret is read again.", pattern=DURATION, default="10m")] = "10m"
    events: Annotated[tuple[str, ...], doc("Events that count, as the caller names them; all when unset.")] = ()
    resources: Annotated[tuple[ReceiverResource, ...], doc("What is asked to look now.")]
    resourceFilter: Annotated[
        str, doc("CEL expression over `res` (the object's metadata) and `req` (the body): whether an object is asked.")
    ] = ""
    secretRef: Annotated[
        LocalRef | None, doc("Secret with the token that the address is made of and calls are checked with.")
    ] = None
    oidcProviders: Annotated[tuple[OidcProvider, ...], doc("Whose tokens are accepted, for generic-oidc.")] = ()
    suspend: Annotated[bool, doc("Answer no calls.")] = False


class ReceiverStatus(ApiStruct, frozen=True, kw_only=True):
    """Where calls go, and whether they are answered."""

    conditions: Annotated[tuple[Condition, ...], doc("Whether calls are answered.")] = ()
    observedGeneration: Annotated[int, doc("The generation that was last acted on.")] = 0
    webhookPath: Annotated[str, doc("Path of the address that is to be called.")] = ""
    lastHandledReconcileAt: Annotated[str, doc("The last request annotation that was acted on.")] = ""
    problem: StatusProblems = ()


class Receiver(ApiStruct, frozen=True, kw_only=True):
    """An address that others call when there is something new."""

    metadata: ObjectMeta
    spec: Annotated[ReceiverSpec, doc("What is wanted.", **{"x-kubernetes-validations": _SECRET_RULES})]
    status: Annotated[ReceiverStatus, doc("What is.", default={"observedGeneration": -1})] = ReceiverStatus()

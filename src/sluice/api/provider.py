"""Provider notification.toolkit.fluxcd.io/v1beta3: where notifications are sent. It has no status, as in Flux."""

from __future__ import annotations

from typing import Annotated

from sluice.api.kinds import NOTIFICATION_GROUP, ApiStruct, LocalRef, ObjectMeta
from sluice.api.schema import AGE, DURATION, DURATION_WITHOUT_HOURS, Definition, cel, doc

GROUP = NOTIFICATION_GROUP
VERSION = "v1beta3"
KIND = "Provider"

DEFINITION = Definition(
    group=GROUP,
    version=VERSION,
    kind=KIND,
    plural="providers",
    short_names=(),
    category="fluxcd-notifications",
    columns=(AGE,),
)

# Those that set the status of a commit; the expression that names the status is theirs alone.
COMMIT_STATUS_TYPES = ("github", "gitlab", "gitea", "bitbucketserver", "bitbucket", "azuredevops")
CHANGE_REQUEST_TYPES = ("githubpullrequestcomment", "gitlabmergerequestcomment", "giteapullrequestcomment")
GIT_HOST_TYPES = COMMIT_STATUS_TYPES + CHANGE_REQUEST_TYPES
TYPES = (
    *("slack", "discord", "msteams", "rocket", "generic", "generic-hmac", "github", "gitlab", "gitea"),
    *("giteapullrequestcomment", "bitbucketserver", "bitbucket", "azuredevops", "googlechat", "googlepubsub"),
    *("webex", "sentry", "azureeventhub", "telegram", "lark", "matrix", "opsgenie", "alertmanager", "grafana"),
    *("githubdispatch", "githubpullrequestcomment", "gitlabmergerequestcomment", "pagerduty", "datadog", "nats"),
    *("zulip", "otel", "zoom", "incident.io"),
)
# Rooms that people read: there a storm of events is told in one message.
CHAT_TYPES = frozenset(
    {"slack", "discord", "rocket", "msteams", "googlechat", "webex", "telegram", "lark", "matrix", "zulip", "zoom"}
)
PAGER_TYPES = frozenset({"pagerduty", "opsgenie", "incident.io"})
# Pagers that take whatever they get for something to act on; PagerDuty has change events for the rest.
INCIDENTS_ONLY = frozenset({"opsgenie", "incident.io"})
_MAX = {"maxLength": 2048}
_STATUS_RULES = [
    cel(
        " || ".join(f"self.type == '{name}'" for name in COMMIT_STATUS_TYPES) + " || !has(self.commitStatusExpr)",
        "spec.commitStatusExpr is only supported for the "
        + ", ".join(f"'{name}'" for name in COMMIT_STATUS_TYPES)
        + " provider types",
    )
]


class ProviderSpec(ApiStruct, frozen=True, kw_only=True):
    """What kind of service it is, where it is, and how we log in there."""

    type: Annotated[str, doc("The kind of service.", enum=list(TYPES))]
    interval: Annotated[str, doc("Not used; Flux keeps it for old manifests.", pattern=DURATION)] = ""
    channel: Annotated[str, doc("Channel, room, chat, routing key or environment, as the service has it.", **_MAX)] = ""
    username: Annotated[str, doc("Name under which messages are posted.", **_MAX)] = ""
    address: Annotated[str, doc("URL of the service; `address` of the Secret goes before it.", **_MAX)] = ""
    timeout: Annotated[str, doc("How long one attempt may take; 15s when unset.", pattern=DURATION_WITHOUT_HOURS)] = ""
    proxy: Annotated[str, doc("URL of a proxy. Use proxySecretRef.", pattern="^(http|https)://.*$", **_MAX)] = ""
    proxySecretRef: Annotated[
        LocalRef | None, doc("Secret with the proxy's `address`, and `username` and `password` where it wants them.")
    ] = None
    secretRef: Annotated[
        LocalRef | None, doc("Secret with `token`, `username`, `password`, `address` or `headers`.")
    ] = None
    certSecretRef: Annotated[
        LocalRef | None, doc("Secret with `ca.crt`, or `tls.crt` and `tls.key`, or all three.")
    ] = None
    serviceAccountName: Annotated[str, doc("ServiceAccount whose workload identity is used.")] = ""
    suspend: Annotated[bool, doc("Send nothing there; events meanwhile are not sent later.")] = False
    incidents: Annotated[
        bool | None,
        doc("Extension of Sluice: tell failures as incidents, or each event; chats and pagers do when unset."),
    ] = None
    commitStatusExpr: Annotated[
        str, doc("CEL expression that names the commit's status, of `event`, `provider` and `alert`.")
    ] = ""


class Provider(ApiStruct, frozen=True, kw_only=True):
    """A place that notifications are sent to."""

    metadata: ObjectMeta
    spec: Annotated[
        ProviderSpec,
        doc(
            "What kind of service it is, where it is, and how we log in there.",
            **{"x-kubernetes-validations": _STATUS_RULES},
        ),
    ]

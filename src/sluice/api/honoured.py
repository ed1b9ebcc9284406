"""What this version acts on, as data: a value or field outside it is refused by name, never silently ignored.

When a feature arrives its line changes here and nowhere else.
"""

from __future__ import annotations

# Per field with a choice: the values that are acted on. Unset is always allowed and means this version's behaviour.
KUSTOMIZATION_VALUES: dict[str, frozenset[str]] = {
    "sourceRef.kind": frozenset({"GitRepository"}),
}
KUSTOMIZATION_FIELDS_REFUSED: tuple[str, ...] = (
    "decryption",
    "kubeConfig",
)

GIT_REPOSITORY_VALUES: dict[str, frozenset[str]] = {"provider": frozenset({"generic", "github"})}
GIT_REPOSITORY_FIELDS_REFUSED: tuple[str, ...] = ("serviceAccountName",)

PROVIDER_TYPES: frozenset[str] = frozenset(
    {
        *("alertmanager", "azuredevops", "bitbucket", "bitbucketserver", "datadog", "discord", "generic"),
        *("generic-hmac", "gitea", "github", "githubdispatch", "gitlab", "googlechat", "grafana", "incident.io"),
        *("lark", "matrix", "msteams", "opsgenie", "pagerduty", "rocket", "sentry", "slack", "telegram", "webex"),
        *("zoom", "zulip", "nats", "googlepubsub", "azureeventhub", "otel", "githubpullrequestcomment"),
        *("gitlabmergerequestcomment", "giteapullrequestcomment"),
    }
)
PROVIDER_VALUES: dict[str, frozenset[str]] = {"type": PROVIDER_TYPES}
PROVIDER_FIELDS_REFUSED: tuple[str, ...] = ("serviceAccountName",)

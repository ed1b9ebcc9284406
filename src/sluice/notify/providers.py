"""The types of providers by name: what makes their requests, and what they listen to. The only place that knows all."""

from __future__ import annotations

from collections.abc import Mapping

from sluice.api.provider import CHANGE_REQUEST_TYPES, COMMIT_STATUS_TYPES
from sluice.core.alert_routing import Audience
from sluice.notify.alertmanager import alertmanager
from sluice.notify.azuredevops import AZURE_DEVOPS
from sluice.notify.azureeventhub import azureeventhub
from sluice.notify.bitbucket import BITBUCKET, BITBUCKET_SERVER
from sluice.notify.change_request_comment import CommentApi
from sluice.notify.commit_status import StatusApi
from sluice.notify.datadog import datadog
from sluice.notify.generic import generic, generic_hmac
from sluice.notify.gitea import GITEA, GITEA_COMMENTS
from sluice.notify.github import GITHUB, GITHUB_COMMENTS, githubdispatch
from sluice.notify.gitlab import GITLAB, GITLAB_COMMENTS
from sluice.notify.googlechat import googlechat
from sluice.notify.googlepubsub import googlepubsub
from sluice.notify.grafana import grafana
from sluice.notify.incidentio import incidentio
from sluice.notify.lark import lark
from sluice.notify.matrix import matrix
from sluice.notify.message import Builder
from sluice.notify.msteams import msteams
from sluice.notify.opsgenie import opsgenie
from sluice.notify.otel import otel
from sluice.notify.pagerduty import pagerduty
from sluice.notify.sentry import sentry
from sluice.notify.slack import discord, rocket, slack
from sluice.notify.telegram import telegram
from sluice.notify.webex import webex
from sluice.notify.zoom import zoom
from sluice.notify.zulip import zulip

BUILDERS: Mapping[str, Builder] = {
    "generic": generic,
    "generic-hmac": generic_hmac,
    "slack": slack,
    "discord": discord,
    "rocket": rocket,
    "msteams": msteams,
    "googlechat": googlechat,
    "webex": webex,
    "telegram": telegram,
    "lark": lark,
    "matrix": matrix,
    "zulip": zulip,
    "zoom": zoom,
    "alertmanager": alertmanager,
    "grafana": grafana,
    "opsgenie": opsgenie,
    "pagerduty": pagerduty,
    "incident.io": incidentio,
    "sentry": sentry,
    "datadog": datadog,
    "githubdispatch": githubdispatch,
    "googlepubsub": googlepubsub,
    "azureeventhub": azureeventhub,
    "otel": otel,
}
STATUS_APIS: Mapping[str, StatusApi] = {
    "github": GITHUB,
    "gitlab": GITLAB,
    "gitea": GITEA,
    "bitbucket": BITBUCKET,
    "bitbucketserver": BITBUCKET_SERVER,
    "azuredevops": AZURE_DEVOPS,
}

COMMENT_APIS: Mapping[str, CommentApi] = {
    "githubpullrequestcomment": GITHUB_COMMENTS,
    "gitlabmergerequestcomment": GITLAB_COMMENTS,
    "giteapullrequestcomment": GITEA_COMMENTS,
}


def audience(type_: str) -> Audience:
    """What providers of this type listen to."""
    return Audience(
        commit_status=type_ in COMMIT_STATUS_TYPES,
        change_request=type_ in CHANGE_REQUEST_TYPES,
        everything=type_ in {"generic", "generic-hmac"},
    )

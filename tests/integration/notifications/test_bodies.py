"""Every type of provider against a real HTTP server: the requests that arrive are those that Flux makes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any, TypeAlias
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from sluice.api.honoured import PROVIDER_TYPES
from sluice.core.egress import parse_egress
from sluice.core.errors import UserError
from sluice.core.event import Event, InvolvedObject
from sluice.notify.delivery import deliver
from sluice.notify.message import Request, Target
from sluice.notify.providers import BUILDERS, COMMENT_APIS, STATUS_APIS
from sluice.notify.transport import Route, Transport
from tests.notification_sink import Answer, NotificationSink, Received

COMMIT = "9fbc3ea2d0b1c4e5f6a7b8c9d0e1f2a3b4c5d6e7"
INFO = Event(
    InvolvedObject("Kustomization", "flux-system", "apps", "u-1", "kustomize.toolkit.fluxcd.io/v1", "12"),
    "info",
    "2026-01-02T03:04:05Z",
    "Deployment/shop/web configured",
    "ReconciliationSucceeded",
    {"revision": f"main@sha1:{COMMIT}", "summary": "prod"},
    "kustomize-controller",
    "sluice-0",
)
ERROR = msgspec.structs.replace(INFO, severity="error", message="not ready", reason="HealthCheckFailed")
REVISION = f"main@sha1:{COMMIT}"
FIELDS = [("revision", REVISION), ("summary", "prod")]
SLACK_FIELDS = [{"title": key, "value": text, "short": False} for key, text in FIELDS]
AUTHOR = "kustomization/apps.flux-system"


async def sent(sink: NotificationSink, event: Event, type_: str, path: str = "/hook", **more: Any) -> list[Received]:
    """What arrives when the event is delivered to a target of that type at the sink."""
    target = Target(type_, f"{sink.url}{path}", provider_uid="0c9c2e41-d2f9-4f9b", **more)
    async with Transport(parse_egress(("127.0.0.0/8",)), "sluice/test") as transport:
        await deliver(event, target, transport, Route(seconds=5.0), key="k-1")
    return sink.received


async def test_generic_gets_the_event(sink: NotificationSink) -> None:
    [got] = await sent(sink, INFO, "generic", headers={"X-Team": "pay"})
    assert (got.method, got.path) == ("POST", "/hook")
    assert got.headers["gotk-component"] == "kustomize-controller"
    assert got.headers["x-team"] == "pay"
    assert got.headers["idempotency-key"] == "k-1"
    assert got.headers["user-agent"] == "sluice/test"
    assert got.json == {
        "involvedObject": {
            "kind": "Kustomization",
            "namespace": "flux-system",
            "name": "apps",
            "uid": "u-1",
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
            "resourceVersion": "12",
        },
        "severity": "info",
        "timestamp": "2026-01-02T03:04:05Z",
        "message": "Deployment/shop/web configured",
        "reason": "ReconciliationSucceeded",
        "metadata": dict(FIELDS),
        "reportingController": "kustomize-controller",
        "reportingInstance": "sluice-0",
    }


async def test_generic_hmac_signs_the_very_bytes(sink: NotificationSink) -> None:
    [got] = await sent(sink, INFO, "generic-hmac", token="hunter9")
    assert got.headers["x-signature"] == f"sha256={hmac.new(b'hunter9', got.body, hashlib.sha256).hexdigest()}"
    assert got.json["reason"] == "ReconciliationSucceeded"


def slack_body(event: Event, **changes: Any) -> dict[str, Any]:
    attachment = {
        "fallback": f"{AUTHOR}: {event.message}",
        "color": "danger" if event.is_error else "good",
        "author_name": AUTHOR,
        "text": event.message,
        "mrkdwn_in": ["text"],
        "fields": SLACK_FIELDS,
    } | changes.pop("attachment", {})
    base = {"channel": "", "username": "kustomize-controller", "icon_url": "", "icon_emoji": ""}
    return base | {"attachments": [attachment]} | changes


def adaptive(event: Event) -> dict[str, Any]:
    message: dict[str, Any] = {"type": "TextBlock", "text": event.message, "wrap": True}
    if event.is_error:
        message["color"] = "attention"
    title = {"type": "TextBlock", "text": AUTHOR, "size": "large", "weight": "bolder", "wrap": True}
    facts = [{"title": "summary", "value": "prod"}, {"title": "revision", "value": REVISION}]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [{"type": "Container", "items": [title, message, {"type": "FactSet", "facts": facts}]}],
        "msteams": {"width": "Full"},
    }
    content = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
    return {"type": "message", "attachments": [content]}


def chat_card(text: str) -> dict[str, Any]:
    pairs = [
        {"topLabel": k, "content": v, "contentMultiline": False, "bottomLabel": None, "icon": None} for k, v in FIELDS
    ]
    sections = [
        {"header": "", "widgets": [{"textParagraph": {"text": text}, "keyValue": None}]},
        {"header": "", "widgets": [{"textParagraph": None, "keyValue": pair} for pair in pairs]},
    ]
    head = {"title": AUTHOR, "subtitle": "kustomize-controller", "imageUrl": None, "imageStyle": None}
    return {"cards": [{"header": head, "sections": sections}]}


def lark_card(mark: str, colour: str, message: str) -> dict[str, Any]:
    text = f"**{message}**\n\nrevision: {REVISION}\nsummary: prod\n"
    return {
        "msg_type": "interactive",
        "card": {
            "config": {"wide_screen_mode": True},
            "header": {"title": {"tag": "plain_text", "content": f"{mark} {AUTHOR}"}, "template": colour},
            "elements": [{"tag": "div", "text": {"tag": "lark_md", "content": text}}],
        },
    }


def firing(event: Event, name: str) -> list[dict[str, Any]]:
    labels = {
        "alertname": name,
        "severity": event.severity,
        "reason": event.reason,
        "kind": "Kustomization",
        "name": "apps",
        "namespace": "flux-system",
        "reportingcontroller": "kustomize-controller",
        "revision": REVISION,
    }
    annotations = {"message": event.message, "summary": "prod"}
    return [{"status": "firing", "labels": labels, "annotations": annotations, "startsAt": "2026-01-02T03:04:05Z"}]


GRAFANA = {
    "when": 1767323045,
    "text": AUTHOR,
    "tags": [
        "flux",
        "kustomize-controller",
        f"revision: main@sha1|{COMMIT}",
        "summary: prod",
        "kind: Kustomization",
        "name: apps",
        "namespace: flux-system",
    ],
}
ZOOM = {
    "content": {
        "head": {"text": AUTHOR, "sub_head": {"text": "info"}},
        "body": [
            {"type": "message", "text": INFO.message},
            {"type": "fields", "items": [{"key": key, "value": text} for key, text in FIELDS]},
        ],
    }
}
OPSGENIE = {
    "message": "Kustomization/apps",
    "alias": hashlib.sha256(b"0c9c2e41-d2f9-4f9b/Kustomization/flux-system/apps/HealthCheckFailed").hexdigest(),
    "description": "not ready",
    "details": {**dict(FIELDS), "severity": "error"},
}
INCIDENT = {
    "title": f"{AUTHOR}: HealthCheckFailed",
    "status": "firing",
    "deduplication_key": "u-1",
    "description": "not ready",
    "metadata": {
        **dict(FIELDS),
        "severity": "error",
        "reason": "HealthCheckFailed",
        "reportingController": "kustomize-controller",
    },
}
DATADOG = {
    "title": "Events from the Kustomization apps/flux-system",
    "text": INFO.message,
    "tags": [
        "flux_reporting_controller:kustomize-controller",
        "flux_reason:reconciliationsucceeded",
        "kube_kind:kustomization",
        "kube_name:apps",
        "kube_namespace:flux-system",
        f"revision:{REVISION}",
        "summary:prod",
    ],
    "source_type_name": "fluxcd",
    "date_happened": 1767323045,
    "alert_type": "info",
}
BASIC = "Basic " + base64.b64encode(b"me:hunter4").decode()
BEARER = "Bearer hunter9"
# Type, event, what the target has beside its address, path, login header with its value, body.
BODIES: list[tuple[str, Event, dict[str, str], str, tuple[str, str], Any]] = [
    ("slack", INFO, {}, "/hook", ("", ""), slack_body(INFO)),
    (
        *(
            "slack",
            ERROR,
            {"channel": "ops", "username": "flux", "token": "hunter9"},
            "/hook",
            ("authorization", BEARER),
        ),
        slack_body(ERROR, channel="ops", username="flux"),
    ),
    ("discord", INFO, {"channel": "x"}, "/hook/slack", ("", ""), slack_body(INFO, attachment={"fallback": ""})),
    (
        *("rocket", INFO, {"channel": "ops"}, "/hook", ("", "")),
        slack_body(INFO, channel="ops", username="", attachment={"fallback": "", "color": "#0076D7"}),
    ),
    (
        *("rocket", ERROR, {"username": "flux"}, "/hook", ("", "")),
        slack_body(ERROR, username="flux", attachment={"fallback": "", "color": "#FF0000"}),
    ),
    ("msteams", INFO, {}, "/hook", ("", ""), adaptive(INFO)),
    ("msteams", ERROR, {}, "/hook", ("", ""), adaptive(ERROR)),
    ("googlechat", INFO, {}, "/hook", ("", ""), chat_card(INFO.message)),
    ("googlechat", ERROR, {}, "/hook", ("", ""), chat_card('<font color="#ff0000">not ready</font>')),
    (
        *("webex", INFO, {"channel": "room", "token": "hunter9"}, "/hook", ("authorization", BEARER)),
        {
            "roomId": "room",
            "markdown": f"✅ **{AUTHOR}**\n{INFO.message}\n>**revision**: {REVISION}\n>**summary**: prod\n",
        },
    ),
    ("lark", INFO, {}, "/hook", ("", ""), lark_card("💫", "turquoise", INFO.message)),
    ("lark", ERROR, {}, "/hook", ("", ""), lark_card("🚨", "red", "not ready")),
    ("zoom", INFO, {"token": "hunter9"}, "/hook?format=full", ("authorization", "hunter9"), ZOOM),
    (
        *("alertmanager", ERROR, {"token": "hunter9"}, "/hook", ("authorization", BEARER)),
        firing(ERROR, "FluxKustomizationHealthcheckfailed"),
    ),
    (
        *("alertmanager", INFO, {"username": "me", "password": "hunter4"}, "/hook", ("authorization", BASIC)),
        firing(INFO, "FluxKustomizationReconciliationsucceeded"),
    ),
    ("grafana", INFO, {"username": "me", "password": "hunter4"}, "/hook", ("authorization", BASIC), GRAFANA),
    (
        *("grafana", INFO, {"username": "me", "password": "hunter4", "token": "hunter9"}, "/hook"),
        ("authorization", BEARER),
        GRAFANA,
    ),
    ("opsgenie", ERROR, {"token": "hunter9"}, "/hook", ("authorization", "GenieKey hunter9"), OPSGENIE),
    ("incident.io", ERROR, {"token": "hunter9"}, "/hook", ("authorization", BEARER), INCIDENT),
    ("datadog", INFO, {"token": "hunter9"}, "/api/v1/events", ("dd-api-key", "hunter9"), DATADOG),
]


@pytest.mark.parametrize(("type_", "event", "more", "path", "login", "body"), BODIES)
async def test_a_body_is_as_flux_sends_it(
    sink: NotificationSink,
    type_: str,
    event: Event,
    more: dict[str, str],
    path: str,
    login: tuple[str, str],
    body: Any,
) -> None:
    [got] = await sent(sink, event, type_, **more)
    assert (got.method, got.path) == ("POST", path)
    assert got.headers["content-type"] == "application/json"
    assert got.headers.get(login[0], "") == login[1]
    assert got.json == body


async def test_matrix_puts_under_an_id_that_a_repeat_shares(sink: NotificationSink) -> None:
    for _ in range(2):
        await sent(sink, ERROR, "matrix", "", channel="!room:example.org", token="hunter9")
    first, second = sink.received
    assert first.method == "PUT"
    assert first.path == second.path
    assert first.path.startswith("/_matrix/client/r0/rooms/!room:example.org/send/m.room.message/")
    assert first.headers["authorization"] == BEARER
    text = f"🚨 {AUTHOR}\nnot ready\n- revision: {REVISION}\n- summary: prod\n"
    assert first.json == {"body": text, "msgtype": "m.text"}


async def test_zulip_gets_a_form(sink: NotificationSink) -> None:
    [got] = await sent(sink, INFO, "zulip", channel="ops/flux/prod", username="me", password="hunter4")
    assert (got.path, got.headers["authorization"]) == ("/api/v1/messages", BASIC)
    assert got.headers["content-type"] == "application/x-www-form-urlencoded"
    text = (
        "## Flux Status\n\nℹ️ Kustomization/flux-system/apps\n\nDeployment/shop/web configured\n\nMetadata:\n"
        f"* `revision`: {REVISION}\n* `summary`: prod\n"
    )
    expected = {"type": ["stream"], "to": ["ops"], "topic": ["flux/prod"], "content": [text]}
    assert parse_qs(got.body.decode()) == expected


async def test_pagerduty_triggers_for_errors_and_resolves_for_the_rest(sink: NotificationSink) -> None:
    await sent(sink, ERROR, "pagerduty", channel="key")
    await sent(sink, INFO, "pagerduty", channel="key")
    details = {"message": "not ready", "metadata": dict(FIELDS)}
    trigger = {
        "summary": "health check failed: kustomization/apps",
        "source": "Flux kustomize-controller",
        "severity": "error",
        "timestamp": "2026-01-02T03:04:05Z",
        "component": "apps",
        "group": "Kustomization",
        "custom_details": details,
    }
    change = {
        "summary": "reconciliation succeeded: kustomization/apps",
        "source": "Flux kustomize-controller",
        "timestamp": "2026-01-02T03:04:05Z",
        "custom_details": details | {"message": INFO.message},
    }
    assert [(each.path, each.json) for each in sink.received] == [
        (
            "/v2/enqueue",
            {"routing_key": "key", "event_action": "trigger", "dedup_key": "u-1", "payload": trigger},
        ),
        ("/v2/enqueue", {"routing_key": "key", "event_action": "resolve", "dedup_key": "u-1"}),
        ("/v2/change/enqueue", {"routing_key": "key", "payload": change}),
    ]


@pytest.mark.parametrize("event", [INFO, ERROR])
async def test_sentry_gets_an_envelope(sink: NotificationSink, event: Event) -> None:
    target = Target("sentry", sink.url.replace("http://", "http://publickey@") + "/42", channel="prod")
    async with Transport(parse_egress(("127.0.0.0/8",)), "sluice/test") as transport:
        await deliver(event, target, transport, Route(seconds=5.0), key="")
    [got] = sink.received
    assert got.path == "/api/42/envelope/"
    assert "sentry_key=publickey" in got.headers["x-sentry-auth"]
    assert got.headers["content-type"] == "application/x-sentry-envelope"
    head, item, payload, _ = got.body.split(b"\n")
    body = json.loads(payload)
    assert json.loads(item) == {"type": "event" if event.is_error else "transaction", "length": len(payload)}
    assert json.loads(head)["event_id"] == body["event_id"]
    assert (body["transaction"], body["message"]) == ("Kustomization: flux-system/apps", event.message)
    assert body["environment"] == "prod"
    if event.is_error:
        assert (body["level"], body["server_name"]) == ("error", "kustomize-controller")
        assert body["contexts"] == {"metadata": dict(FIELDS)}
    else:
        assert body["tags"]["flux_reason"] == "ReconciliationSucceeded"
        assert body["spans"][0]["trace_id"] == body["contexts"]["trace"]["trace_id"]


def one(requests: tuple[Request, ...]) -> Request:
    [request] = requests
    return request


def test_telegram_goes_to_its_api_whatever_the_address() -> None:
    target = Target("telegram", "http://ignored.example", channel="-100:7", token="1:hunter9")
    request = one(BUILDERS["telegram"](ERROR, target))
    assert request.url == "https://api.telegram.org/bot1:hunter9/sendMessage"
    text = f"*🚨 kustomization/apps/flux\\-system*\nnot ready\n\\- *revision*: {REVISION}\n\\- *summary*: prod\n"
    expected = {"chat_id": "-100", "message_thread_id": "7", "parse_mode": "MarkdownV2", "text": text}
    assert json.loads(request.body) == expected
    special = msgspec.structs.replace(ERROR, message="a_b*c[d](e)~f`g>#h+i-j=k|l{m}n.o!p\\q", metadata={})
    assert json.loads(one(BUILDERS["telegram"](special, target)).body)["text"].splitlines()[1] == (
        "a\\_b\\*c\\[d\\]\\(e\\)\\~f\\`g\\>\\#h\\+i\\-j\\=k\\|l\\{m\\}n\\.o\\!p\\\\q"
    )


def test_old_connectors_of_teams_get_the_old_card() -> None:
    target = Target("msteams", "https://org.webhook.office.com/webhookb2/x")
    facts = [{"name": key, "value": text} for key, text in FIELDS]
    assert json.loads(one(BUILDERS["msteams"](ERROR, target)).body) == {
        "@type": "MessageCard",
        "@context": "http://schema.org/extensions",
        "themeColor": "FF0000",
        "summary": AUTHOR,
        "sections": [{"activityTitle": "not ready", "activitySubtitle": AUTHOR, "facts": facts}],
    }


async def test_what_slacks_api_answers_is_read(sink: NotificationSink) -> None:
    request = one(BUILDERS["slack"](INFO, Target("slack", "https://slack.com/api/chat.postMessage", token="x")))
    assert request.check is not None
    assert request.check(b'{"ok":true}') == ""
    assert request.check(b'{"ok":false,"error":"channel_not_found"}') == "channel_not_found"
    assert request.check(b"<html>") != ""


def test_github_dispatch_names_the_object() -> None:
    target = Target("githubdispatch", "https://github.com/org/fleet.git", token="hunter9")
    request = one(BUILDERS["githubdispatch"](INFO, target))
    assert request.url == "https://api.github.com/repos/org/fleet/dispatches"
    body = json.loads(request.body)
    assert body["event_type"] == "Kustomization/apps.flux-system"
    assert body["client_payload"] == json.loads(msgspec.json.encode(INFO))


CONTEXT = "kustomization/apps/0c9c2e41"
KEY = hashlib.sha1(CONTEXT.encode(), usedforsecurity=False).hexdigest()
WORDS = {
    "github": ("success", "failure"),
    "gitea": ("success", "failure"),
    "gitlab": ("success", "failed"),
    "bitbucketserver": ("SUCCESSFUL", "FAILED"),
    "azuredevops": ("succeeded", "error"),
}
# Type, path of the repository, login, path asked, path set, body without its state.
StatusRow: TypeAlias = tuple[str, str, dict[str, str], tuple[str, str], str, str, dict[str, Any]]
STATUSES: list[StatusRow] = [
    (
        *("github", "/org/fleet", {"token": "hunter9"}, ("authorization", BEARER)),
        f"/api/v3/repos/org/fleet/commits/{COMMIT}/statuses",
        f"/api/v3/repos/org/fleet/statuses/{COMMIT}",
        {"context": CONTEXT},
    ),
    (
        *("gitea", "/org/fleet.git", {"token": "hunter9"}, ("authorization", "token hunter9")),
        f"/api/v1/repos/org/fleet/commits/{COMMIT}/statuses",
        f"/api/v1/repos/org/fleet/statuses/{COMMIT}",
        {"context": CONTEXT, "target_url": ""},
    ),
    (
        *("gitlab", "/group/sub/fleet", {"token": "hunter9"}, ("private-token", "hunter9")),
        f"/api/v4/projects/group%2Fsub%2Ffleet/repository/commits/{COMMIT}/statuses",
        f"/api/v4/projects/group%2Fsub%2Ffleet/statuses/{COMMIT}",
        {"name": CONTEXT},
    ),
    (
        *("bitbucketserver", "/ctx/scm/prj/fleet.git", {"username": "me", "password": "hunter4"}),
        ("authorization", BASIC),
        f"/ctx/rest/api/latest/projects/prj/repos/fleet/commits/{COMMIT}/builds",
        f"/ctx/rest/api/latest/projects/prj/repos/fleet/commits/{COMMIT}/builds",
        {"key": KEY, "name": "kustomization/apps [{}]"},
    ),
    (
        *("azuredevops", "/org/prj/_git/fleet", {"token": "hunter9"}),
        ("authorization", "Basic " + base64.b64encode(b":hunter9").decode()),
        f"/org/prj/_apis/git/repositories/fleet/commits/{COMMIT}/statuses",
        f"/org/prj/_apis/git/repositories/fleet/commits/{COMMIT}/statuses",
        {"context": {"genre": "fluxcd:prod", "name": CONTEXT}},
    ),
]


@pytest.mark.parametrize(("event", "description"), [(INFO, "reconciliation succeeded"), (ERROR, "health check failed")])
@pytest.mark.parametrize("row", STATUSES, ids=lambda row: str(row[0]))
async def test_a_commits_status_is_set_unless_it_is_set_already(
    sink: NotificationSink, row: StatusRow, event: Event, description: str
) -> None:
    type_, path, more, login, asked, put, body = row
    statuses: list[dict[str, Any]] = []

    def host(request: Received) -> Answer:
        """A git host, as far as it matters here: it keeps statuses, and lists the newest first."""
        if request.method == "POST":
            statuses.insert(0, request.json | {"sha": COMMIT, "status": request.json["state"]})
            return Answer(status=201)
        if type_ == "azuredevops":
            return Answer(body=json.dumps({"value": statuses}).encode())
        if type_ == "bitbucketserver":
            return Answer(body=json.dumps(statuses[0]).encode()) if statuses else Answer(status=404)
        return Answer(body=json.dumps(statuses).encode())

    sink.answer = host
    await sent(sink, event, type_, path, **more)
    await sent(sink, event, type_, path, **more)
    first, second, *rest = sink.received
    assert (first.method, urlsplit(first.path).path) == ("GET", asked)
    assert (second.method, urlsplit(second.path).path) == ("POST", put)
    assert first.headers[login[0]] == second.headers[login[0]] == login[1]
    assert [each.method for each in rest] == ["GET"]
    expected = {key: text.format(description) if isinstance(text, str) else text for key, text in body.items()}
    expected |= {"description": description, "state": WORDS[type_][event.is_error]}
    if type_ == "bitbucketserver":
        expected["url"] = f"{sink.url}{path}"
    assert second.json == expected


def test_bitbucket_in_the_cloud_has_one_address() -> None:
    from sluice.notify.commit_status import commit_status

    target = Target("bitbucket", "https://bitbucket.org/org/fleet", token="me:hunter4", provider_uid="0c9c2e41-d2f9")
    status = commit_status(ERROR, target)
    api = STATUS_APIS["bitbucket"]
    base = f"https://api.bitbucket.org/2.0/repositories/org/fleet/commit/{COMMIT}/statuses/build"
    assert api.ask(status, target).url == f"{base}/{KEY}"
    put = api.put(status, target)
    assert (put.url, put.headers["Authorization"]) == (base, BASIC)
    body = json.loads(put.body)
    assert body == {
        "state": "FAILED",
        "key": KEY,
        "name": "kustomization/apps",
        "url": "https://bitbucket.org",
        "description": "health check failed",
    }
    assert api.is_set(put.body, status)
    assert not api.is_set(b"not json", status)


@pytest.mark.parametrize(
    ("address", "base"),
    [
        ("https://github.com/org/fleet", "https://api.github.com/repos/org/fleet"),
        ("ssh://git@github.com/org/fleet.git", "https://api.github.com/repos/org/fleet"),
        ("git@github.com:org/fleet.git", "https://api.github.com/repos/org/fleet"),
        ("https://ghe.example.com/org/fleet", "https://ghe.example.com/api/v3/repos/org/fleet"),
    ],
)
def test_a_repository_is_named_by_any_of_its_addresses(address: str, base: str) -> None:
    from sluice.notify.commit_status import commit_status

    target = Target("github", address, token="x")
    assert STATUS_APIS["github"].put(commit_status(INFO, target), target).url == f"{base}/statuses/{COMMIT}"


NO_COMMIT = msgspec.structs.replace(INFO, metadata={"revision": "6.2.1"})


@pytest.mark.parametrize(
    ("type_", "event", "changes", "code"),
    [
        ("generic", INFO, {"address": ""}, "E730"),
        ("generic", INFO, {"address": "ftp://x/y"}, "E730"),
        ("generic", INFO, {"address": "http://[::1"}, "E730"),
        ("generic", INFO, {"address": "http://x\r\nHost: y"}, "E730"),
        ("slack", INFO, {"address": "http://"}, "E730"),
        ("generic-hmac", INFO, {}, "E732"),
        ("webex", INFO, {}, "E732"),
        ("opsgenie", INFO, {}, "E732"),
        ("telegram", INFO, {"token": "x"}, "E739"),
        ("matrix", INFO, {"token": "x"}, "E739"),
        ("zulip", INFO, {"channel": "ops"}, "E739"),
        ("pagerduty", INFO, {}, "E739"),
        ("sentry", INFO, {}, "E730"),
        ("github", INFO, {}, "E732"),
        ("github", INFO, {"address": "https://github.com/org", "token": "x"}, "E730"),
        ("github", NO_COMMIT, {"address": "https://github.com/org/fleet", "token": "x"}, "E738"),
        ("bitbucket", INFO, {"address": "https://bitbucket.org/org/fleet", "token": "x"}, "E732"),
        ("bitbucketserver", INFO, {"address": "https://bb/org/fleet", "token": "x"}, "E730"),
        ("azuredevops", INFO, {"address": "https://dev.azure.com/org/fleet", "token": "x"}, "E730"),
        ("mastodon", INFO, {}, "E244"),
    ],
)
async def test_what_a_type_lacks_is_named_and_nothing_is_sent(
    type_: str, event: Event, changes: dict[str, str], code: str
) -> None:
    target = Target(**({"type": type_, "address": "https://hooks.example.com/org/fleet"} | changes))  # type: ignore[arg-type]
    async with Transport(parse_egress(()), "sluice/test") as transport:
        with pytest.raises(UserError) as refused:
            await deliver(event, target, transport, Route(seconds=1.0), key="")
    [problem] = refused.value.problems
    assert problem.code.number == code
    assert problem.fix or code in {"E244", "E738"}


def test_every_type_that_is_accepted_can_be_sent_to() -> None:
    assert BUILDERS.keys() | STATUS_APIS.keys() | COMMENT_APIS.keys() | {"nats"} == PROVIDER_TYPES

"""One comment on a pull or merge request for each object: found again, edited in place, and never another's."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from sluice.core.egress import parse_egress
from sluice.core.errors import RemoteError, UserError
from sluice.core.event import Event, InvolvedObject
from sluice.notify.delivery import deliver
from sluice.notify.message import Target
from sluice.notify.transport import Route, Transport
from tests.notification_objects import Notifications
from tests.notification_sink import Answer, NotificationSink, Received
from tests.operator_fixture import Bench, config_map, poll

EVENT = Event(
    InvolvedObject("Kustomization", "flux-system", "apps", "u-1"),
    "info",
    "2026-01-02T03:04:05Z",
    "Deployment/shop/web configured",
    "ReconciliationSucceeded",
    {"revision": "main@sha1:1", "change_request": "42"},
)
FAILED = msgspec.structs.replace(EVENT, severity="error", message="not ready")


@dataclass
class Host:
    """A git host's comments, as its API has them. `paths` are patterns of the list and of one comment."""

    me: str
    user: str
    author: str
    listed: str
    one: str
    comments: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, request: Received) -> Answer:
        """Answer as the host would."""
        path = request.path.partition("?")[0]
        if path == self.me:
            return Answer(body=json.dumps({self.user: "sluice-bot"}).encode())
        if path == self.listed and request.method == "GET":
            return Answer(body=json.dumps(self.comments).encode())
        if path == self.listed and request.method == "POST":
            self.comments.append(self.written(len(self.comments) + 1, "sluice-bot", request.json["body"]))
            return Answer(status=201)
        match = re.fullmatch(self.one, path)
        if match is None or request.method not in {"PATCH", "PUT"}:
            return Answer(status=404)
        next(each for each in self.comments if each["id"] == int(match[1]))["body"] = request.json["body"]
        return Answer()

    def written(self, number: int, who: str, text: str) -> dict[str, Any]:
        """A comment."""
        return {"id": number, self.author: {self.user: who}, "body": text}


def github() -> Host:
    """GitHub Enterprise."""
    base = "/api/v3/repos/org/fleet/issues"
    return Host("/api/v3/user", "login", "user", f"{base}/42/comments", base + r"/comments/(\d+)")


def gitea() -> Host:
    """Gitea."""
    base = "/api/v1/repos/org/fleet/issues"
    return Host("/api/v1/user", "login", "user", f"{base}/42/comments", base + r"/comments/(\d+)")


def gitlab() -> Host:
    """GitLab."""
    base = "/api/v4/projects/org%2Ffleet/merge_requests/42/notes"
    return Host("/api/v4/user", "username", "author", base, base + r"/(\d+)")


HOSTS: dict[str, Callable[[], Host]] = {
    "githubpullrequestcomment": github,
    "giteapullrequestcomment": gitea,
    "gitlabmergerequestcomment": gitlab,
}


async def tell(sink: NotificationSink, type_: str, event: Event) -> None:
    """Deliver the event to a provider of that type."""
    target = Target(type_, f"{sink.url}/org/fleet", token="hunter9", provider_uid="p-1")
    async with Transport(parse_egress(("127.0.0.0/8",)), "sluice/test") as transport:
        await deliver(event, target, transport, Route(seconds=5.0), key="k")


@pytest.mark.parametrize("type_", HOSTS)
async def test_a_second_event_edits_the_comment_of_the_first(sink: NotificationSink, type_: str) -> None:
    sink.answer = host = HOSTS[type_]()
    await tell(sink, type_, EVENT)
    await tell(sink, type_, FAILED)
    [only] = host.comments
    word = "flux-mr-comment-key" if type_.startswith("gitlab") else "flux-pr-comment-key"
    assert only["body"] == (
        f"<!-- {word}:p-1/Kustomization/flux-system/apps -->\n\n## Flux Status\n\n"
        "⚠️ Kustomization/flux-system/apps\n\nnot ready\n\nMetadata:\n* `revision`: main@sha1:1\n"
    )


@pytest.mark.parametrize("type_", HOSTS)
async def test_a_comment_of_somebody_else_with_our_mark_is_left_alone(sink: NotificationSink, type_: str) -> None:
    sink.answer = host = HOSTS[type_]()
    await tell(sink, type_, EVENT)
    copied = host.comments[0]["body"]
    host.comments[:] = [host.written(1, "mallory", copied)]
    await tell(sink, type_, FAILED)
    assert [each["body"] == copied for each in host.comments] == [True, False]


@pytest.mark.parametrize("type_", HOSTS)
async def test_other_objects_have_comments_of_their_own(sink: NotificationSink, type_: str) -> None:
    sink.answer = host = HOSTS[type_]()
    other = msgspec.structs.replace(EVENT, involved_object=InvolvedObject("Kustomization", "flux-system", "infra"))
    for event in (EVENT, other, EVENT):
        await tell(sink, type_, event)
    assert len(host.comments) == 2


async def test_a_long_discussion_is_read_whole(sink: NotificationSink) -> None:
    sink.answer = host = github()
    host.comments += [host.written(number, "ann", "x" * 60_000) for number in range(1, 50)]
    await tell(sink, "githubpullrequestcomment", EVENT)
    await tell(sink, "githubpullrequestcomment", FAILED)
    assert len(host.comments) == 50


@pytest.mark.parametrize("answer", [b"", b"{}", b"[1]", b'{"message":"x"}', b'[{"id":1'])
async def test_a_list_that_can_not_be_read_makes_no_second_comment(sink: NotificationSink, answer: bytes) -> None:
    host = github()
    sink.answer = lambda r: Answer(body=answer) if r.method == "GET" and "comments" in r.path else host(r)
    with pytest.raises(UserError, match="E733"):
        await tell(sink, "githubpullrequestcomment", EVENT)
    assert host.comments == []


async def test_a_token_that_may_not_say_who_it_is_is_tried_again(sink: NotificationSink) -> None:
    sink.answer = lambda _: Answer(status=403, body=b"Resource not accessible")
    with pytest.raises(RemoteError, match="E733"):
        await tell(sink, "githubpullrequestcomment", EVENT)


@pytest.mark.parametrize("number", ["", "main", "0", "-1", "4 2", "1e3", "../../x", "９", "9" * 30])
async def test_what_is_no_number_of_a_change_request_is_named_and_nothing_is_sent(
    sink: NotificationSink, number: str
) -> None:
    event = msgspec.structs.replace(EVENT, metadata={"change_request": number})
    with pytest.raises(UserError, match="E650"):
        await tell(sink, "gitlabmergerequestcomment", event)
    assert sink.received == []


@pytest.mark.cluster
def test_a_kustomization_of_a_preview_comments_on_its_pull_request(bench: Bench, sink: NotificationSink) -> None:
    sink.answer = host = gitea()
    sync = bench.source()
    notifications = Notifications(bench, sync)
    secret = notifications.secret(token="hunter9-of-gitea")
    provider = notifications.provider(
        "giteapullrequestcomment", address=f"{sink.url}/org/fleet", secretRef={"name": secret}
    )
    notifications.alert(provider)
    revision = sync.commit({"a.yaml": config_map("a")})
    sync.create_source()
    sync.create(metadata={"annotations": {"event.toolkit.fluxcd.io/change_request": "42"}})
    sync.wait_ready(revision)
    poll("the comment was made", lambda: [c for c in host.comments if revision in c["body"]])
    fixed = sync.push({"a.yaml": config_map("a", "2")})
    poll("it was edited", lambda: [c for c in host.comments if fixed in c["body"]])
    assert len(host.comments) == 1

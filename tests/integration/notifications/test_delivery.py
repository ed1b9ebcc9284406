"""What becomes of a notification when its receiver is slow, broken, gone, or leads elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sqlite3
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from sluice.core.egress import parse_egress
from sluice.core.errors import RemoteError, SluiceError, UserError
from sluice.core.event import Event, InvolvedObject
from sluice.core.ids import NamespacedName
from sluice.core.notification import MAX_AGE, Notification, notification_id
from sluice.notify.delivery import TryLater, deliver, retry_after
from sluice.notify.limits import NotifyLimits
from sluice.notify.message import Target
from sluice.notify.transport import Route, Transport
from sluice.runtime.delivery_lanes import MAX_WAITING, DeliveryLanes
from sluice.store.notification_spool import NotificationSpool
from tests.notification_sink import Answer, NotificationSink

HERE = parse_egress(("127.0.0.0/8", "::1/128"))
EVENT = Event(
    InvolvedObject("Kustomization", "flux-system", "apps", "u-1"), "info", "2026-01-02T03:04:05Z", "done", "Succeeded"
)
SLACK, HOOK = NamespacedName("flux-system", "slack"), NamespacedName("flux-system", "hook")
ALERT = NamespacedName("flux-system", "alert")


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    async with Transport(HERE, "sluice/test") as opened:
        yield opened


async def failure(transport: Transport, address: str, seconds: float = 5.0) -> SluiceError:
    """What sending there raises."""
    with pytest.raises(SluiceError) as raised:
        await deliver(EVENT, Target("generic", address), transport, Route(seconds=seconds), key="k")
    return raised.value


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 401, 403])
async def test_what_may_pass_is_tried_later(sink: NotificationSink, transport: Transport, status: int) -> None:
    sink.answer = lambda _: Answer(status, b"busy", {"Retry-After": "7"})
    error = await failure(transport, sink.url)
    assert isinstance(error, TryLater)
    assert error.after == (None if status in {401, 403} else 7.0)
    assert f"status {status}: busy" in str(error)


@pytest.mark.parametrize("status", [304, 400, 404, 410, 413, 422])
async def test_what_will_be_refused_again_is_given_up(
    sink: NotificationSink, transport: Transport, status: int
) -> None:
    sink.answer = lambda _: Answer(status, b"")
    error = await failure(transport, sink.url)
    assert isinstance(error, UserError)
    assert error.problems[0].code.number == "E733"


@pytest.mark.parametrize("status", [307, 308])
async def test_a_receiver_may_move_within_its_host(sink: NotificationSink, transport: Transport, status: int) -> None:
    sink.answer = lambda r: Answer(status, headers={"Location": "/new"}) if r.path == "/old" else Answer()
    await deliver(EVENT, Target("generic", f"{sink.url}/old"), transport, Route(), key="k")
    assert [(r.method, r.path, r.body != b"") for r in sink.received] == [
        ("POST", "/old", True),
        ("POST", "/new", True),
    ]


@pytest.mark.parametrize(
    ("status", "location", "cause"),
    [
        (307, "http://localhost:1/", "another host"),
        (308, "http://169.254.169.254/latest", "another host"),
        (302, "/login", "another request"),
        (303, "/login", "another request"),
        (307, "file:///etc/passwd", "another host"),
        (307, "http://[::1", "no URL"),
        (307, "/old", "more than 3 redirects"),
    ],
)
async def test_a_receiver_leads_nowhere_else(
    sink: NotificationSink, transport: Transport, status: int, location: str, cause: str
) -> None:
    sink.answer = lambda _: Answer(status, headers={"Location": location})
    error = await failure(transport, f"{sink.url}/old")
    assert error.problems[0].code.number == "E735"
    assert cause in str(error)


async def test_a_receiver_that_hangs_is_left_after_the_providers_timeout(
    sink: NotificationSink, transport: Transport
) -> None:
    sink.answer = lambda _: Answer(hang=3.0)
    error = await failure(transport, sink.url, seconds=0.2)
    assert isinstance(error, RemoteError)
    assert "no answer within 0.2 s" in str(error)


async def test_of_an_answer_no_more_is_read_than_is_looked_at(sink: NotificationSink) -> None:
    sink.answer = lambda _: Answer(400, b"x" * 5_000_000)
    async with Transport(HERE, "sluice/test", NotifyLimits(answer_bytes=1000)) as small:
        error = await failure(small, sink.url)
    assert len(str(error)) < 500


async def test_nobody_listening_is_tried_later_and_the_address_stays_secret(transport: Transport) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/services/T000/hunter3"
        error = await failure(transport, url)
    assert isinstance(error, RemoteError)
    assert "127.0.0.1 could not be reached [E734]" in str(error)
    assert "hunter3" not in str(error)


async def test_a_server_without_tls_under_https_is_tried_later(sink: NotificationSink, transport: Transport) -> None:
    error = await failure(transport, sink.url.replace("http:", "https:"))
    assert error.problems[0].code.number == "E734"


async def test_what_the_receiver_repeats_of_our_secrets_is_masked(sink: NotificationSink, transport: Transport) -> None:
    sink.answer = lambda r: Answer(400, f"bad {r.path} with {r.headers['x-key']} \x1b[31m".encode())
    target = Target("generic", f"{sink.url}/services/T0001111?sig=abcdef99", headers={"X-Key": "k3y-value"})
    with pytest.raises(UserError) as raised:
        await deliver(EVENT, target, transport, Route(), key="k")
    text = str(raised.value)
    assert not [word for word in ("T0001111", "abcdef99", "k3y-value", "\x1b") if word in text]


@pytest.mark.parametrize(
    "address",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://[::ffff:169.254.169.254]/",
        "http://[fd00:ec2::254]/",
        "http://10.0.0.1/",
        "http://localhost:1/",
        "http://127.0.0.1:1/",
        "http://[::1]:1/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://127.1./",
    ],
)
async def test_without_the_flag_nothing_goes_inwards_in_any_spelling(address: str) -> None:
    async with Transport(parse_egress(()), "sluice/test") as closed:
        error = await failure(closed, address)
    assert error.problems[0].code.number == "E731"


async def test_a_proxy_is_an_address_like_any_other(sink: NotificationSink) -> None:
    async with Transport(parse_egress(()), "sluice/test") as closed:
        route = Route(proxy=sink.url)
        with pytest.raises(UserError) as raised:
            await deliver(EVENT, Target("generic", "http://hooks.example.com/"), closed, route, key="k")
    assert raised.value.problems[0].code.number == "E731"
    assert sink.received == []


async def test_a_proxy_gets_the_request_for_the_receiver(sink: NotificationSink, transport: Transport) -> None:
    target = Target("generic", "http://hooks.example.com/path")
    await deliver(EVENT, target, transport, Route(proxy=sink.url), key="k")
    assert [r.path for r in sink.received] == ["http://hooks.example.com/path"]


NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("", None),
        ("soon", None),
        ("0", 0.0),
        ("30", 30.0),
        ("999999999", 3600.0),
        ("9" * 400, None),
        ("-5", None),
        ("Fri, 02 Jan 2026 00:01:00 GMT", 60.0),
        ("Thu, 01 Jan 2026 00:00:00 GMT", 0.0),
        ("Fri, 02 Jan 2099 00:00:00 GMT", 3600.0),
    ],
)
def test_a_receiver_says_in_either_form_when_to_come_again(value: str, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds


# --- lanes ------------------------------------------------------------------------------------------------------------


class Telling:
    """Sends to a real server, and keeps what it was told; time does not pass in pauses, it only moves on."""

    def __init__(self, transport: Transport, sink: NotificationSink) -> None:
        self._transport = transport
        self._sink = sink
        self.failures: list[tuple[str, bool]] = []
        self.pauses: list[float] = []
        self.time = 1000.0

    async def send(self, notification: Notification) -> None:
        provider = notification.provider
        target = Target(self.type_of(provider), f"{self._sink.url}/{provider.name}")
        await deliver(notification.event, target, self._transport, Route(seconds=30.0), key=notification.id)

    def is_chat(self, provider: NamespacedName) -> bool:
        return provider == SLACK

    def type_of(self, provider: NamespacedName) -> str:
        return "slack" if provider == SLACK else "generic"

    def failed(self, notification: Notification, error: SluiceError, *, again: bool) -> None:
        self.failures.append((error.problems[0].code.number, again))

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.time += seconds
        await asyncio.sleep(0)


def notes(count: int, provider: NamespacedName = HOOK, severity: str = "info") -> list[Notification]:
    """So many, each about another object."""
    made = []
    for number in range(count):
        subject = InvolvedObject("Kustomization", "flux-system", f"app-{number}", f"u-{number}")
        event = msgspec.structs.replace(EVENT, involved_object=subject, severity=severity)
        made.append(Notification(notification_id(f"event-{number}", provider, ALERT), provider, ALERT, event, 1000.0))
    return made


async def run(told: Telling, spool: NotificationSpool, batches: Sequence[list[Notification]]) -> None:
    """Deliver all of it, and return when nothing waits any more."""
    async with asyncio.TaskGroup() as group:
        lanes = DeliveryLanes(group, told, spool, lambda: told.time, sleep=told.sleep)
        for batch in batches:
            await lanes.add(batch)


async def test_everything_arrives_in_order_and_nothing_is_left(
    sink: NotificationSink, transport: Transport, tmp_path: Path
) -> None:
    told = Telling(transport, sink)
    async with NotificationSpool(tmp_path / "n.sqlite") as spool:
        await run(told, spool, [notes(40)])
        assert await spool.waiting() == []
    names = [body["involvedObject"]["name"] for body in sink.bodies()]
    assert names == [f"app-{number}" for number in range(40)]


async def test_a_receiver_that_fails_for_hours_gets_it_at_last_with_the_same_key(
    sink: NotificationSink, transport: Transport, tmp_path: Path
) -> None:
    sink.answer = lambda _: Answer(500) if len(sink.received) < 40 else Answer()
    told = Telling(transport, sink)
    async with NotificationSpool(tmp_path / "n.sqlite") as spool:
        await run(told, spool, [notes(1)])
    assert len(sink.received) == 40
    assert len({r.headers["idempotency-key"] for r in sink.received}) == 1
    assert told.failures == [("E734", True)]
    assert told.pauses == sorted(told.pauses)
    assert max(told.pauses) == 300.0


async def test_a_receiver_says_how_long_to_wait(sink: NotificationSink, transport: Transport, tmp_path: Path) -> None:
    sink.answer = lambda _: Answer(429, headers={"Retry-After": "77"}) if len(sink.received) < 2 else Answer()
    told = Telling(transport, sink)
    async with NotificationSpool(tmp_path / "n.sqlite") as spool:
        await run(told, spool, [notes(1)])
    assert told.pauses == [77.0]


async def test_after_a_day_it_is_given_up_and_the_next_is_tried(
    sink: NotificationSink, transport: Transport, tmp_path: Path
) -> None:
    told = Telling(transport, sink)
    sink.answer = lambda r: Answer(500 if r.json["involvedObject"]["name"] == "app-0" else 200)
    old, young = notes(2)
    young = msgspec.structs.replace(young, made_at=told.time + MAX_AGE)
    async with NotificationSpool(tmp_path / "n.sqlite") as spool:
        await run(told, spool, [[old, young]])
        assert await spool.waiting() == []
    assert told.failures == [("E734", True), ("E736", False)]
    assert sink.bodies()[-1]["involvedObject"]["name"] == "app-1"


async def test_a_storm_is_one_message_for_people_and_every_event_for_programs(
    sink: NotificationSink, transport: Transport, tmp_path: Path
) -> None:
    told = Telling(transport, sink)
    async with NotificationSpool(tmp_path / "n.sqlite") as spool:
        await run(told, spool, [notes(100, SLACK, "error") + notes(100, HOOK, "error")])
    chat = [r.json["attachments"][0]["text"] for r in sink.received if r.path == "/slack"]
    assert len([r for r in sink.received if r.path == "/hook"]) == 100
    [text] = chat
    lines = text.splitlines()
    assert lines[0].startswith("100 events, of which this is the first")
    assert lines[1] == "- kustomization/app-1.flux-system: done"
    assert lines[-1] == "and 79 more"


async def test_a_full_lane_loses_its_oldest_and_says_so(
    sink: NotificationSink, transport: Transport, tmp_path: Path
) -> None:
    told = Telling(transport, sink)
    async with NotificationSpool(tmp_path / "n.sqlite") as spool:
        await run(told, spool, [notes(MAX_WAITING + 3)])
        assert await spool.waiting() == []
    names = {body["involvedObject"]["name"] for body in sink.bodies()}
    assert told.failures == [("E737", False)] * 3
    assert names == {f"app-{number}" for number in range(3, MAX_WAITING + 3)}


async def test_one_receiver_that_hangs_holds_up_no_other(
    sink: NotificationSink, transport: Transport, tmp_path: Path
) -> None:
    sink.answer = lambda r: Answer(hang=0.5 if r.path == "/slack" and len(sink.received) < 9 else 0.0)
    told = Telling(transport, sink)
    async with NotificationSpool(tmp_path / "n.sqlite") as spool:
        await run(told, spool, [notes(1, SLACK) + notes(8)])
    assert len(sink.received) == 9
    assert told.failures == []


async def test_what_waited_is_there_after_the_process_is_gone(tmp_path: Path) -> None:
    made = notes(3)
    async with NotificationSpool(tmp_path / "n.sqlite") as spool:
        await spool.keep(made)
        await spool.keep(made)  # a repeat is no second one
        await spool.drop([made[1].id])
        # Another process, while this one still has the file open, as after kill -9.
        async with NotificationSpool(tmp_path / "n.sqlite") as other:
            assert await other.waiting() == [made[0], made[2]]


@pytest.mark.parametrize("damage", [b"no database", b"SQLite format 3\0" + b"\xff" * 4000])
async def test_a_damaged_spool_is_begun_anew(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "n.sqlite").write_bytes(damage)
    async with NotificationSpool(tmp_path / "n.sqlite") as spool:
        await spool.keep(notes(2))
        assert len(await spool.waiting()) == 2
    async with NotificationSpool(tmp_path / "n.sqlite") as spool:
        assert len(await spool.waiting()) == 2


async def test_without_a_disk_memory_is_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    async with NotificationSpool(tmp_path / "file" / "n.sqlite") as spool:
        await spool.keep(notes(2))
        assert len(await spool.waiting()) == 2


async def test_a_spool_that_somebody_else_holds_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "n.sqlite"
    made = notes(2)
    async with NotificationSpool(path) as spool:
        await spool.keep(made[:1])
        with contextlib.closing(sqlite3.connect(path)) as other:
            other.execute("begin immediate")
            await spool.keep(made[1:])
            other.rollback()
        assert await spool.waiting() == made[:1]


async def test_a_spool_of_another_version_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "n.sqlite"
    async with NotificationSpool(path) as spool:
        await spool.keep(notes(1))
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("pragma user_version = 99")
    async with NotificationSpool(path) as spool:
        assert await spool.waiting() == []
        await spool.keep(notes(2))
        assert len(await spool.waiting()) == 2

"""Types that are no webhooks: NATS, Pub/Sub, Event Hubs and OpenTelemetry, each to a sink of its own protocol."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import parse_qs, quote

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sluice.core.egress import parse_egress
from sluice.core.errors import RemoteError, SluiceError, UserError
from sluice.core.event import Event, InvolvedObject
from sluice.notify import azureeventhub, googlepubsub
from sluice.notify.delivery import deliver
from sluice.notify.message import AlertName, Target
from sluice.notify.transport import Route, Transport
from tests.notification_objects import Notifications
from tests.notification_sink import NotificationSink
from tests.operator_fixture import Bench, config_map, poll

HERE = parse_egress(("127.0.0.0/8",))
EVENT = Event(
    InvolvedObject("Kustomization", "flux-system", "apps", "u-1"),
    "error",
    "2026-01-02T03:04:05Z",
    "not ready",
    "HealthCheckFailed",
    {"revision": "main@sha1:1"},
    "kustomize-controller",
)


async def tell(target: Target, policy: str = "127.0.0.0/8", seconds: float = 5.0, **route: Any) -> None:
    """Deliver the event there."""
    async with Transport(parse_egress((policy,)), "sluice/test") as transport:
        await deliver(EVENT, target, transport, Route(seconds=seconds, **route), key="k")


async def refusal(target: Target, **more: Any) -> SluiceError:
    """What delivering it there raises."""
    with pytest.raises(SluiceError) as raised:
        await tell(target, **more)
    return raised.value


# --- NATS -------------------------------------------------------------------------------------------------------------

SEED_BYTES = bytes(range(32))


def nkey(prefix: bytes, key: bytes) -> str:
    """A key as NATS writes it, with the checksum (CRC-16/XMODEM) that is computed here bit by bit."""
    data, crc = prefix + key, 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1) ^ 0x1021 if crc & 0x8000 else crc << 1
        crc &= 0xFFFF
    return base64.b32encode(data + crc.to_bytes(2, "little")).rstrip(b"=").decode()


KEY = ed25519.Ed25519PrivateKey.from_private_bytes(SEED_BYTES)
SEED = nkey(bytes([(18 << 3) | (20 << 3 >> 5), (20 << 3 & 31) << 3]), SEED_BYTES)
PUBLIC = nkey(bytes([20 << 3]), KEY.public_key().public_bytes_raw())
CREDS = (
    "-----BEGIN NATS USER JWT-----\neyJ0.eyJq.c2ln\n------END NATS USER JWT------\n\n"
    f"-----BEGIN USER NKEY SEED-----\n{SEED}\n------END USER NKEY SEED------\n"
)


Talk: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(talk: Talk) -> AsyncIterator[int]:
    """A server on a port of its own; each connection is closed when its talk, or the test, is over."""
    open_: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_.add(task)
        try:
            await talk(reader, writer)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield int(server.sockets[0].getsockname()[1])
        for task in open_:
            task.cancel()
        await asyncio.gather(*open_, return_exceptions=True)


@dataclass
class NatsServer:
    """The server's side of the protocol: it greets, takes CONNECT and PUB, and answers PING."""

    info: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    messages: list[tuple[str, bytes]] = field(default_factory=list)
    port: int = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[NatsServer]:
        """Listen on a port of its own."""
        async with listening(self._serve) as self.port:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        info = {"server_id": "T", "version": "2.10.0", "max_payload": 1048576, **self.info}
        writer.write(b"INFO " + json.dumps(info).encode() + b"\r\nPING\r\n")
        while line := await reader.readline():
            word, _, rest = line.strip().partition(b" ")
            if word == b"CONNECT":
                self.options = json.loads(rest)
            elif word == b"PUB":
                subject, size = rest.split()
                self.messages.append((subject.decode(), await reader.readexactly(int(size))))
                assert await reader.readexactly(2) == b"\r\n"
            elif word == b"PING":
                writer.write(f"-ERR '{self.error}'\r\n".encode() if self.error else b"PONG\r\n")


def nats(server: NatsServer, **more: Any) -> Target:
    """A provider for it."""
    return Target("nats", f"nats://127.0.0.1:{server.port}", channel="flux.events", **more)


async def test_an_event_is_published_on_its_subject_whole() -> None:
    async with NatsServer().serving() as server:
        await tell(nats(server))
    [(subject, payload)] = server.messages
    assert subject == "flux.events"
    assert msgspec.json.decode(payload, type=Event) == EVENT
    assert (server.options["verbose"], server.options["tls_required"]) == (False, False)


async def test_each_login_of_nats_is_what_its_server_expects() -> None:
    async with NatsServer(info={"nonce": "n0nce", "auth_required": True}).serving() as server:
        await tell(nats(server, username="me", password="hunter3"))
        assert (server.options["user"], server.options["pass"]) == ("me", "hunter3")
        for more in ({"nkey": SEED}, {"creds": CREDS}):
            await tell(nats(server, **more))
            signature = base64.urlsafe_b64decode(server.options["sig"] + "==")
            KEY.public_key().verify(signature, b"n0nce")
            assert "user" not in server.options
            assert server.options.get("nkey") == (PUBLIC if "nkey" in more else None)
            assert server.options.get("jwt") == ("eyJ0.eyJq.c2ln" if "creds" in more else None)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("Authorization Violation", UserError),
        ('Permissions Violation for Publish to "flux.events"', UserError),
        ("Stale Connection", RemoteError),
        ("maximum connections exceeded", RemoteError),
    ],
)
async def test_what_the_server_refuses_is_corrected_by_people_and_what_passes_is_tried_again(
    error: str, kind: type[SluiceError]
) -> None:
    async with NatsServer(error=error).serving() as server:
        raised = await refusal(nats(server))
    assert isinstance(raised, kind)
    assert error in str(raised)


async def test_a_server_that_is_no_nats_or_takes_no_more_is_named() -> None:
    async def other(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.com\r\n")

    async with listening(other) as port:
        assert "E733" in str(await refusal(Target("nats", f"127.0.0.1:{port}", channel="x")))
    async with NatsServer(info={"max_payload": 10}).serving() as small:
        assert "10 bytes at most" in str(await refusal(nats(small)))
    assert small.messages == []


async def test_a_server_that_says_nothing_or_hangs_up_is_tried_later() -> None:
    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async def gone(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"INF")

    for serve in (silent, gone):
        async with listening(serve) as port:
            raised = await refusal(Target("nats", f"127.0.0.1:{port}", channel="x"), seconds=0.3)
            assert isinstance(raised, RemoteError)


async def test_what_is_no_http_goes_only_where_notifications_may_go() -> None:
    for address in ("nats://10.96.0.1:4222", "nats://169.254.169.254:80", "nats://2130706433:4222", "localhost:1"):
        raised = await refusal(Target("nats", address, channel="x"), policy="192.0.2.0/24")
        assert raised.problems[0].code.number == "E731", address


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"channel": ""}, "E739"),
        ({"channel": "a b"}, "E739"),
        ({"channel": "a.*"}, "E739"),
        ({"channel": "a\r\nPUB b 0"}, "E739"),
        ({"address": ""}, "E730"),
        ({"address": "ws://127.0.0.1:80"}, "E730"),
        ({"address": "nats://127.0.0.1:99999"}, "E730"),
    ],
)
async def test_what_can_be_no_message_of_nats_is_named_and_nothing_is_sent(changes: dict[str, str], code: str) -> None:
    async with NatsServer().serving() as server:
        fields = {"address": f"127.0.0.1:{server.port}", "channel": "x"} | changes
        assert (await refusal(Target("nats", **fields))).problems[0].code.number == code  # type: ignore[arg-type]
    assert server.messages == []


@pytest.mark.parametrize("login", [{"nkey": "SUAB"}, {"nkey": PUBLIC}, {"nkey": SEED[:-1] + "A"}, {"creds": "x"}])
async def test_a_damaged_key_of_nats_is_named(login: dict[str, str]) -> None:
    async with NatsServer(info={"nonce": "n"}).serving() as server:
        raised = await refusal(nats(server, **login))
    assert raised.problems[0].code.number == "E732"
    assert SEED not in str(raised)


async def test_a_proxy_of_http_is_refused_for_nats_and_not_passed_over() -> None:
    async with NatsServer().serving() as server:
        raised = await refusal(nats(server), proxy="http://127.0.0.1:1")
    assert raised.problems[0].code.number == "E244"
    assert server.messages == []


# --- Pub/Sub ----------------------------------------------------------------------------------------------------------

RSA = rsa.generate_private_key(65537, 2048)
ACCOUNT = {
    "type": "service_account",
    "client_email": "sluice@prod.iam.gserviceaccount.com",
    "private_key_id": "k1",
    "private_key": RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
}


async def test_a_message_is_published_to_its_topic_and_signed_by_the_service_account(
    sink: NotificationSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(googlepubsub, "API", sink.url)
    token = json.dumps(ACCOUNT)
    await tell(Target("googlepubsub", "prod-eu1", channel="flux", token=token, headers={"team": "pay"}))
    [got] = sink.received
    assert got.path == "/v1/projects/prod-eu1/topics/flux:publish"
    [message] = got.json["messages"]
    assert msgspec.json.decode(base64.b64decode(message["data"]), type=Event) == EVENT
    assert message["attributes"] == {"team": "pay"}
    signed, _, signature = got.headers["authorization"].removeprefix("Bearer ").rpartition(".")
    RSA.public_key().verify(base64.urlsafe_b64decode(signature + "=="), signed.encode(), padding.PKCS1v15(), SHA256())
    head, claims = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in signed.split("."))
    assert head == {"alg": "RS256", "typ": "JWT", "kid": "k1"}
    assert (claims["iss"], claims["aud"]) == (ACCOUNT["client_email"], "https://pubsub.googleapis.com/")
    assert claims["exp"] - claims["iat"] == 600


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"address": "https://x"}, "E730"),
        ({"address": ""}, "E730"),
        ({"channel": ""}, "E739"),
        ({"token": ""}, "E732"),
        ({"token": "ya29.x"}, "E732"),
        ({"token": '{"type":"authorized_user"}'}, "E732"),
        ({"token": json.dumps(ACCOUNT | {"private_key": "x"})}, "E732"),
    ],
)
async def test_what_pub_sub_lacks_is_named(changes: dict[str, str], code: str) -> None:
    fields = {"address": "prod-eu1", "channel": "flux", "token": json.dumps(ACCOUNT)} | changes
    assert (await refusal(Target("googlepubsub", **fields))).problems[0].code.number == code  # type: ignore[arg-type]


# --- Event Hubs -------------------------------------------------------------------------------------------------------


async def test_an_event_of_a_hub_is_signed_by_the_key_of_its_connection_string(sink: NotificationSink) -> None:
    host = sink.url.removeprefix("http://")
    address = (
        f"Endpoint=sb://{host}/;SharedAccessKeyName=send;SharedAccessKey=a2V5LWtleQ==;EntityPath=flux;"
        "UseDevelopmentEmulator=true"
    )
    await tell(Target("azureeventhub", address))
    [got] = sink.received
    assert got.path == "/flux/messages?timeout=60&api-version=2014-01"
    assert msgspec.json.decode(got.body, type=Event) == EVENT
    login = parse_qs(got.headers["authorization"].removeprefix("SharedAccessSignature "))
    assert (login["sr"], login["skn"]) == ([f"{sink.url}/flux"], ["send"])
    signed = f"{quote(f'{sink.url}/flux', safe='')}\n{login['se'][0]}".encode()
    expected = hmac.new(b"a2V5LWtleQ==", signed, hashlib.sha256).digest()
    assert base64.b64decode(login["sig"][0]) == expected


def test_a_hub_by_name_is_in_its_namespace_at_azure() -> None:
    [request] = azureeventhub.azureeventhub(EVENT, Target("azureeventhub", "flux", channel="prod", token="jwt"))
    assert request.url.startswith("https://prod.servicebus.windows.net/flux/messages?")
    assert request.headers == {"Authorization": "Bearer jwt"}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"address": ""}, "E730"),
        ({"address": "a/../b"}, "E730"),
        ({"address": "Endpoint=https://x/;SharedAccessKeyName=a;SharedAccessKey=b;EntityPath=c"}, "E730"),
        ({"address": "Endpoint=sb://x/;SharedAccessKeyName=a;SharedAccessKey=b"}, "E730"),
        ({"channel": ""}, "E739"),
        ({"channel": "evil.example.com/x"}, "E739"),
        ({"token": ""}, "E732"),
    ],
)
async def test_what_an_event_hub_lacks_is_named_without_its_key(changes: dict[str, str], code: str) -> None:
    fields = {"address": "flux", "channel": "prod", "token": "jwt"} | changes
    raised = await refusal(Target("azureeventhub", **fields))  # type: ignore[arg-type]
    assert raised.problems[0].code.number == code
    assert "SharedAccessKey=b" not in str(raised)


# --- OpenTelemetry ----------------------------------------------------------------------------------------------------


def span_id(uid: str, revision: str, size: int = 8) -> str:
    """How Flux names traces and spans."""
    return hashlib.sha256(f"{uid}:{revision}".encode()).hexdigest()[: 2 * size]


async def test_a_span_tells_of_the_event_and_is_named_as_flux_names_it(sink: NotificationSink) -> None:
    alert = AlertName("flux-system", "spans", "a-1")
    await tell(Target("otel", sink.url, alert=alert, parent_uid="s-1", token="hunter9", headers={"X-Team": "pay"}))
    [got] = sink.received
    assert got.path == "/v1/traces"
    assert (got.headers["authorization"], got.headers["x-team"]) == ("Bearer hunter9", "pay")
    [resource] = got.json["resourceSpans"]
    named = {each["key"]: each["value"]["stringValue"] for each in resource["resource"]["attributes"]}
    assert named == {
        "service.name": "flux-system/spans",
        "service.namespace": "flux-system",
        "service.instance.id": "a-1",
    }
    [span] = resource["scopeSpans"][0]["spans"]
    revision = "main@sha1:1"
    assert span["traceId"] == span_id("a-1", revision, 16)
    assert (span["spanId"], span["parentSpanId"]) == (span_id("u-1", revision), span_id("s-1", revision))
    assert span["name"] == "Kustomization: flux-system/apps"
    assert span["status"] == {"code": 2, "message": "not ready"}
    assert span["startTimeUnixNano"] == span["endTimeUnixNano"] == "1767323045000000000"


@pytest.mark.cluster
def test_the_span_of_a_kustomization_is_below_that_of_its_source(bench: Bench, sink: NotificationSink) -> None:
    sync = bench.source()
    notifications = Notifications(bench, sync)
    sources = [{"kind": kind, "name": sync.name} for kind in ("GitRepository", "Kustomization")]
    notifications.alert(notifications.provider("otel", address=f"{sink.url}/v1/traces"), eventSources=sources)
    revision = sync.commit({"a.yaml": config_map("a")})
    sync.create_source()
    sync.create()
    sync.wait_ready(revision)

    def spans() -> dict[str, Any]:
        found = [body["resourceSpans"][0]["scopeSpans"][0]["spans"][0] for body in sink.bodies()]
        return {span["name"].partition(":")[0]: span for span in found}

    poll("both were told", lambda: len(spans()) == 2)
    parent, child = spans()["GitRepository"], spans()["Kustomization"]
    assert (child["traceId"], child["parentSpanId"]) == (parent["traceId"], parent["spanId"])
    assert "parentSpanId" not in parent

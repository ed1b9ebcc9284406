"""nats: the event as a message on a subject, by the protocol of NATS: a connection for each, and its server's word.

Log in by user and password, by an nkey (its seed in `nkey`), or by a credentials file (`creds`: a JWT and a seed).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import re
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec

from sluice.core.codes import NOT_HONOURED, NOTIFY_REFUSED, NOTIFY_UNREACHABLE
from sluice.core.errors import RemoteError, UserError
from sluice.core.event import Event
from sluice.core.problem import Problem, clip, printable
from sluice.notify.message import Target
from sluice.notify.transport import Route, Transport

PORT = 4222
MAX_LINE = 64 << 10
MOST_LINES = 100
_SUBJECT = re.compile(r"^[^\s.*>]+(?:\.[^\s.*>]+)*$")
_CREDS_JWT = re.compile(r"-+BEGIN NATS USER JWT-+\s+([A-Za-z0-9._-]+)\s+-+END NATS USER JWT-+")
_CREDS_SEED = re.compile(r"-+BEGIN USER NKEY SEED-+\s+([A-Z2-7]+)\s+-+END USER NKEY SEED-+")
_SEED_PREFIX = 18 << 3  # "S", of an nkey
_USER_PREFIX = 20 << 3  # "U"


class _Info(msgspec.Struct):
    nonce: str = ""
    tls_required: bool = False
    tls_available: bool = False
    max_payload: int = 0


@dataclass(frozen=True, slots=True)
class _Server:
    host: str
    port: int
    tls: bool


async def publish(event: Event, target: Target, transport: Transport, route: Route) -> None:
    """Publish it, and return once the server has taken it in.

    Raises UserError for what somebody must change, RemoteError when it may succeed later.
    """
    subject = target.need_channel("a subject")
    if not _SUBJECT.match(subject) or not subject.isprintable():
        target.refuse_channel("a subject of NATS, without wildcards")
    if route.proxy:
        title = "a server of NATS can't be reached by a proxy of HTTP"
        raise UserError(Problem(NOT_HONOURED, title, field="spec.proxySecretRef", fix="remove the proxy"))
    server, payload = _server(target), msgspec.json.encode(event)
    try:
        async with asyncio.timeout(route.seconds):
            reader, writer = await transport.connect(server.host, server.port)
            try:
                await _talk(_Conversation(reader, writer, server, target), route, subject, payload)
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except TimeoutError:
        raise _unreachable(server, f"no answer within {route.seconds:g} s") from None
    except (OSError, ssl.SSLError, asyncio.IncompleteReadError, ValueError) as error:
        raise _unreachable(server, _why(error)) from None


@dataclass(slots=True)
class _Conversation:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    server: _Server
    target: Target

    async def line(self) -> bytes:
        """One line of the server's, without its end."""
        line = await self.reader.readuntil(b"\r\n")
        if len(line) > MAX_LINE:
            raise ValueError("its answer is too long")
        return line[:-2]

    async def say(self, *parts: bytes) -> None:
        """Send these."""
        self.writer.write(b"".join(parts))
        await self.writer.drain()


async def _talk(talk: _Conversation, route: Route, subject: str, payload: bytes) -> None:
    greeting = await talk.line()
    if not greeting.startswith(b"INFO "):
        raise _refused(talk, "it does not speak the protocol of NATS")
    try:
        info = msgspec.json.decode(greeting[5:], type=_Info)
    except msgspec.MsgspecError:
        raise _refused(talk, "its greeting can't be read") from None
    if info.max_payload and len(payload) > info.max_payload:
        raise _refused(talk, f"it takes {info.max_payload} bytes at most, and the event has {len(payload)}")
    secured = talk.server.tls or info.tls_required or route.tls is not None
    if secured:
        context = route.tls or ssl.create_default_context()
        await talk.writer.start_tls(context, server_hostname=talk.server.host)
    login = _login(talk.target, info.nonce)
    options = {"verbose": False, "pedantic": False, "lang": "python", "version": "0", "protocol": 1, "name": "sluice"}
    connect = msgspec.json.encode({**options, "tls_required": secured, **login})
    # The server answers in order: its PONG says that it has taken what came before.
    message = f"PUB {subject} {len(payload)}\r\n".encode() + payload
    await talk.say(b"CONNECT ", connect, b"\r\n", message, b"\r\nPING\r\n")
    for _ in range(MOST_LINES):
        line = await talk.line()
        if line == b"PONG":
            return
        if line == b"PING":
            await talk.say(b"PONG\r\n")
        elif line.startswith(b"-ERR"):
            raise _error(talk, line[4:].strip().decode("utf-8", "replace").strip("'"))
    raise _refused(talk, "it does not confirm what it was sent")


def _server(target: Target) -> _Server:
    """The first server of the address, `nats://` or `tls://`, or host and port alone."""
    text = target.address.split(",")[0].strip()
    try:
        url = urlsplit(text if "://" in text else f"nats://{text}")
        usable = url.scheme in {"nats", "tls"} and not url.path.strip("/") and text.isprintable()
        found = _Server(url.hostname or "", url.port or PORT, url.scheme == "tls") if usable else None
    except ValueError:
        found = None
    if found is None or not found.host:
        target.refuse_address("nats://host:port or tls://host:port")
    return found


def _login(target: Target, nonce: str) -> dict[str, str]:
    if target.creds:
        jwt, seed = _CREDS_JWT.search(target.creds), _CREDS_SEED.search(target.creds)
        if jwt is None or seed is None:
            target.refuse_secret("its `creds` are no credentials of NATS", "copy the whole file that nsc made")
        return {"jwt": jwt[1], "sig": _signed(target, seed[1], nonce)[0]}
    if target.nkey:
        signature, public = _signed(target, target.nkey, nonce)
        return {"nkey": public, "sig": signature}
    if target.username and target.password:
        return {"user": target.username, "pass": target.password}
    return {"auth_token": target.token} if target.token else {}


def _signed(target: Target, seed: str, nonce: str) -> tuple[str, str]:
    """The nonce signed by a user's seed, and the public key of it, both as NATS writes them."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    try:
        raw = base64.b32decode(seed + "=" * (-len(seed) % 8))
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != 36 or raw[0] & 0xF8 != _SEED_PREFIX or _crc(raw[:-2]) != int.from_bytes(raw[-2:], "little"):
        target.refuse_secret("its seed is none of NATS", "write the seed of a user, which begins with SU")
    key = Ed25519PrivateKey.from_private_bytes(raw[2:34])
    public = bytes([_USER_PREFIX]) + key.public_key().public_bytes_raw()
    whole = public + _crc(public).to_bytes(2, "little")
    signature = base64.urlsafe_b64encode(key.sign(nonce.encode())).rstrip(b"=").decode()
    return signature, base64.b32encode(whole).rstrip(b"=").decode()


def _crc(data: bytes) -> int:
    return binascii.crc_hqx(data, 0)


def _error(talk: _Conversation, said: str) -> UserError | RemoteError:
    """What an error of the server's means: of rights and logins somebody must correct something."""
    word = said.lower()
    if word.startswith(("authorization", "authentication", "permissions", "user authentication", "invalid subject")):
        return _refused(talk, said)
    return _unreachable(talk.server, said)


def _refused(talk: _Conversation, cause: str) -> UserError:
    text = cause
    for secret in talk.target.secrets():
        text = text.replace(secret, "*****")
    title = f"{talk.server.host} did not take the notification"
    return UserError(Problem(NOTIFY_REFUSED, title, cause=clip(printable(text), 200)))


def _unreachable(server: _Server, cause: str) -> RemoteError:
    return RemoteError(
        Problem(NOTIFY_UNREACHABLE, f"{server.host} could not be reached", cause=clip(printable(cause), 200))
    )


def _why(error: Exception) -> str:
    if isinstance(error, asyncio.IncompleteReadError):
        return "it closed the connection"
    return str(getattr(error, "strerror", None) or str(error) or type(error).__name__)

"""Fixtures of tests that talk to real git servers: one over http, one over ssh, and mirrors that may reach them."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from devcluster.git_http import GitHttpServer
from devcluster.git_repository import WorkingRepo
from devcluster.git_ssh import GitSshServer
from sluice.api.git_repository import GitRef
from sluice.core.git_url import parse_url
from sluice.git.auth import NO_AUTH, GitAuth
from sluice.git.limits import GitPolicy
from sluice.git.mirror import Mirror
from sluice.git.mirrors import Mirrors
from sluice.git.refs import ResolvedRef

LOOPBACK = GitPolicy(allow_loopback=True)
MAIN = GitRef(branch="main")


@pytest.fixture
def git_http(tmp_path: Path) -> Iterator[GitHttpServer]:
    """A server without authentication."""
    with GitHttpServer(tmp_path / "http") as server:
        yield server


@pytest.fixture
def git_ssh(tmp_path: Path) -> Iterator[GitSshServer]:
    """A server that lets one key in."""
    with GitSshServer(tmp_path / "ssh") as server:
        yield server


@pytest.fixture
async def mirrors(tmp_path: Path) -> AsyncIterator[Mirrors]:
    """Mirrors that may reach the servers of this machine."""
    async with Mirrors(tmp_path / "cache", policy=LOOPBACK) as opened:
        yield opened


@dataclass
class Hosted:
    """A repository on the http server, with a working repository that pushes to it and a mirror of it."""

    work: WorkingRepo
    mirror: Mirror
    bare: Path
    url: str

    def commit(self, files: dict[str, str | bytes | None], message: str = "change") -> str:
        """Commit and push."""
        return self.work.commit(files, message)

    async def follow(self, ref: GitRef = MAIN) -> ResolvedRef:
        """Resolve and fetch."""
        resolved = await self.mirror.resolve(ref)
        await self.mirror.fetch(resolved)
        return resolved


@pytest.fixture
def hosted(git_http: GitHttpServer, mirrors: Mirrors, tmp_path: Path) -> Hosted:
    """An empty repository."""
    return host(git_http, mirrors, tmp_path, "fleet")


def host(
    server: GitHttpServer, mirrors: Mirrors, tmp_path: Path, name: str, *, sha256: bool = False, auth: GitAuth = NO_AUTH
) -> Hosted:
    """Make an empty repository on the server. The working repository pushes to its path, past any authentication."""
    bare = server.create(name, sha256=sha256)
    work = WorkingRepo(tmp_path / f"work-{name}", bare, sha256=sha256)
    return Hosted(work, mirrors.open(parse_url(server.url(name)), auth), bare, server.url(name))


@dataclass(frozen=True)
class Authority:
    """A certificate authority of a test, with one certificate for this machine."""

    certificate: bytes
    chain: Path
    key: Path

    def server_context(self) -> ssl.SSLContext:
        """TLS for a server that shows the certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain, self.key)
        return context


def make_authority(folder: Path, names: tuple[str, ...] = ("127.0.0.1",)) -> Authority:
    """A self-signed certificate for the given addresses."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sluice test")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(n)) for n in names]), False)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(parents=True, exist_ok=True)
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    (folder / "tls.crt").write_bytes(pem)
    plain = serialization.NoEncryption()
    (folder / "tls.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    )
    return Authority(pem, folder / "tls.crt", folder / "tls.key")


class SilentServer:
    """Accepts connections and never says a word."""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._hold, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        self.connected = asyncio.Event()
        self._writers: list[asyncio.StreamWriter] = []
        return self

    async def _hold(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        self.connected.set()
        await reader.read()

    async def __aexit__(self, *_: object) -> None:
        for writer in self._writers:
            writer.close()
        self._server.close()
        await self._server.wait_closed()

"""Credentials and trust over http(s) and ssh: what is accepted, what each refusal says, and that no secret shows."""

from __future__ import annotations

import asyncio
import base64
import os
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path

import asyncssh
import pytest

from devcluster.git_http import GitHttpServer
from devcluster.git_repository import WorkingRepo
from devcluster.git_ssh import GitSshServer
from sluice.core.codes import AUTH_REFUSED, HOST_UNVERIFIED, REF_MISSING, REMOTE_UNREACHABLE, URL_SCHEME
from sluice.core.errors import AuthenticationFailed, RemoteError, SluiceError, UserError
from sluice.core.git_url import parse_url
from sluice.git.auth import GitAuth, auth_of_secret
from sluice.git.limits import GitPolicy
from sluice.git.mirrors import Mirrors
from tests.git_servers import LOOPBACK, MAIN, SilentServer, git_http, git_ssh, host, make_authority, mirrors

__all__ = ["git_http", "git_ssh", "mirrors"]

BASIC = {"username": b"ada", "password": b"hunter horse"}


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[GitHttpServer]:
    """A server that wants ada's password or a token."""
    with GitHttpServer(tmp_path / "guarded", user="ada", password="hunter horse", token="hunter9") as server:
        yield server


@pytest.mark.parametrize(
    "data",
    [
        BASIC,
        {"username": b"ada\n", "password": b"hunter horse\n"},
        {"bearerToken": b"hunter9"},
        {"username": b"ada", "password": b"wrong", "bearerToken": b"hunter9"},
    ],
)
async def test_a_password_or_a_token_lets_in_and_the_token_goes_first(
    guarded: GitHttpServer, mirrors: Mirrors, tmp_path: Path, data: Mapping[str, bytes]
) -> None:
    auth = auth_of_secret(parse_url(guarded.url("fleet")), data)
    repo = host(guarded, mirrors, tmp_path, "fleet", auth=auth)
    commit = repo.commit({"a": "1"})
    assert (await repo.follow()).commit == commit


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        ({"username": b"ada", "password": b"hunter2"}, "the host refused"),
        ({"username": b"bob", "password": b"hunter2"}, "the host refused"),
        ({"bearerToken": b"hunter2"}, "the host refused"),
        ({}, "the host asked for a user name and password"),
    ],
    ids=["basic", "another user", "bearer", "none"],
)
async def test_refused_credentials_are_named_without_being_shown(
    guarded: GitHttpServer, mirrors: Mirrors, tmp_path: Path, data: Mapping[str, bytes], cause: str
) -> None:
    repo = host(guarded, mirrors, tmp_path, "fleet", auth=auth_of_secret(parse_url(guarded.url("fleet")), data))
    repo.commit({"a": "1"})
    with pytest.raises(AuthenticationFailed) as caught:
        await repo.mirror.resolve(MAIN)
    (problem,) = caught.value.problems
    assert (problem.code, problem.field) == (AUTH_REFUSED, "spec.secretRef")
    assert cause in problem.cause
    assert "could not read" not in str(problem)
    assert "secretRef" in problem.fix
    _assert_hidden(str(caught.value), b"hunter2")


async def test_a_certificate_is_trusted_by_the_secret_s_authority_only(mirrors: Mirrors, tmp_path: Path) -> None:
    authority, other = make_authority(tmp_path / "ca"), make_authority(tmp_path / "other")
    with GitHttpServer(tmp_path / "tls", tls=authority.server_context()) as server:
        url = parse_url(server.url("fleet"))
        repo = host(server, mirrors, tmp_path, "fleet", auth=auth_of_secret(url, {"ca.crt": authority.certificate}))
        commit = repo.commit({"a": "1"})
        assert (await repo.follow()).commit == commit
        old_key = mirrors.open(url, auth_of_secret(url, {"caFile": authority.certificate}))
        assert (await old_key.resolve(MAIN)).commit == commit
        for data in ({}, {"ca.crt": other.certificate}):
            with pytest.raises(AuthenticationFailed) as caught:
                await mirrors.open(url, auth_of_secret(url, data)).resolve(MAIN)
            assert caught.value.problems[0].code is HOST_UNVERIFIED


async def test_a_client_certificate_is_shown_to_a_server_that_asks(mirrors: Mirrors, tmp_path: Path) -> None:
    authority = make_authority(tmp_path / "ca")
    context = authority.server_context()
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=authority.certificate.decode())
    with GitHttpServer(tmp_path / "tls", tls=context) as server:
        url = parse_url(server.url("fleet"))
        pair = {"tls.crt": authority.certificate, "tls.key": authority.key.read_bytes()}
        auth = auth_of_secret(url, {"ca.crt": authority.certificate, **pair})
        repo = host(server, mirrors, tmp_path, "fleet", auth=auth)
        commit = repo.commit({"a": "1"})
        assert (await repo.follow()).commit == commit
        with pytest.raises(SluiceError):
            await mirrors.open(url, auth_of_secret(url, {"ca.crt": authority.certificate})).resolve(MAIN)


async def test_a_proxy_is_asked_with_its_own_credentials(mirrors: Mirrors) -> None:
    heads: list[str] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        asked = b'407 Login\r\nProxy-Authenticate: Basic realm="proxy"' if len(heads) == 1 else b"502 Bad Gateway"
        writer.write(b"HTTP/1.1 " + asked + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        proxy = {"address": f"http://127.0.0.1:{port}".encode(), "username": b"u:r", "password": b"hunter2@"}
        url = parse_url("http://git.example/fleet")
        with pytest.raises(RemoteError) as caught:
            await mirrors.open(url, auth_of_secret(url, {}, proxy=proxy)).resolve(MAIN)
        blocked = parse_url("http://169.254.169.254/fleet")
        with pytest.raises(UserError, match="must not be reached"):
            await mirrors.open(blocked, auth_of_secret(blocked, {}, proxy=proxy)).resolve(MAIN)
    login = base64.b64encode(b"u:r:hunter2@").decode()
    first, second = heads
    assert first.startswith("GET http://git.example/fleet/info/refs?service=git-upload-pack HTTP/1.1\r\n")
    assert f"Proxy-Authorization: Basic {login}\r\n" in second
    assert "hunter2" not in str(caught.value)


async def test_a_certificate_for_another_host_is_not_trusted(mirrors: Mirrors, tmp_path: Path) -> None:
    authority = make_authority(tmp_path / "ca", names=("10.1.2.3",))
    with GitHttpServer(tmp_path / "tls", tls=authority.server_context()) as server:
        url = parse_url(server.url("fleet"))
        with pytest.raises(AuthenticationFailed) as caught:
            await mirrors.open(url, auth_of_secret(url, {"ca.crt": authority.certificate})).resolve(MAIN)
        assert caught.value.problems[0].code is HOST_UNVERIFIED


async def test_credentials_are_not_sent_over_plain_http_to_another_machine(mirrors: Mirrors, tmp_path: Path) -> None:
    url = parse_url("http://10.255.255.1/fleet")
    with pytest.raises(UserError, match="plain http") as caught:
        await mirrors.open(url, auth_of_secret(url, BASIC)).resolve(MAIN)
    assert caught.value.problems[0].code is URL_SCHEME


async def test_a_missing_repository_is_told_apart_from_a_missing_branch(
    git_http: GitHttpServer, mirrors: Mirrors
) -> None:
    with pytest.raises(UserError, match="does not exist, or is not visible") as caught:
        await mirrors.open(parse_url(git_http.url("nope"))).resolve(MAIN)
    assert (caught.value.problems[0].code, caught.value.problems[0].field) == (REF_MISSING, "spec.url")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:1/fleet", "does not accept the connection"),
        ("https://no-such-host.invalid/fleet", "is not known"),
        ("ssh://git@127.0.0.1:1/fleet", "does not accept the connection"),
    ],
)
async def test_an_unreachable_host_is_a_remote_error(
    mirrors: Mirrors, git_ssh: GitSshServer, url: str, words: str
) -> None:
    auth = _key(git_ssh) if url.startswith("ssh") else GitAuth()
    with pytest.raises(RemoteError, match=words) as caught:
        await mirrors.open(parse_url(url), auth).resolve(MAIN)
    assert caught.value.problems[0].code is REMOTE_UNREACHABLE


@pytest.mark.parametrize("scheme", ["http", "ssh"])
async def test_a_silent_host_is_given_up_in_time_and_leaves_no_process(
    mirrors: Mirrors, git_ssh: GitSshServer, scheme: str
) -> None:
    async with SilentServer() as server:
        url = parse_url(f"{scheme}://127.0.0.1:{server.port}/fleet")
        mirror = mirrors.open(url, _key(git_ssh) if scheme == "ssh" else GitAuth())
        with pytest.raises(RemoteError, match="did not answer in time") as caught:
            await mirror.resolve(MAIN, seconds=1)
        assert caught.value.problems[0].field == "spec.timeout"
        assert _processes_naming(str(server.port)) == []
        assert list((mirrors.root / "scratch").iterdir()) == []


async def test_no_process_shows_a_secret_in_its_arguments_or_environment(mirrors: Mirrors) -> None:
    secrets = (b"hunter2", base64.b64encode(b"ada:hunter2"))
    async with SilentServer() as server, asyncio.TaskGroup() as group:
        url = parse_url(f"http://127.0.0.1:{server.port}/fleet")
        mirror = mirrors.open(url, auth_of_secret(url, {"username": b"ada", "password": b"hunter2"}))
        waiting = group.create_task(_expect_failure(mirror.resolve(MAIN, seconds=5)))
        await server.connected.wait()
        seen = b"".join(_everything_shown())
        assert str(server.port).encode() in seen
        assert not [secret for secret in secrets if secret in seen]
        files = [path for path in (mirrors.root / "scratch").rglob("*") if path.is_file()]
        assert files
        assert {oct(path.stat().st_mode & 0o777) for path in files} == {"0o600"}
        waiting.cancel()


async def test_a_cancelled_operation_kills_what_it_started(mirrors: Mirrors) -> None:
    async with SilentServer() as server:
        mirror = mirrors.open(parse_url(f"http://127.0.0.1:{server.port}/fleet"))
        async with asyncio.TaskGroup() as group:
            task = group.create_task(mirror.resolve(MAIN))
            await server.connected.wait()
            assert _processes_naming(str(server.port))
            task.cancel()
        assert _processes_naming(str(server.port)) == []


async def test_a_deploy_key_lets_in(git_ssh: GitSshServer, mirrors: Mirrors, tmp_path: Path) -> None:
    work = WorkingRepo(tmp_path / "work", git_ssh.create("fleet"))
    commit = work.commit({"a": "1"}, "one")
    mirror = mirrors.open(parse_url(git_ssh.url("fleet")), _key(git_ssh))
    resolved = await mirror.resolve(MAIN)
    await mirror.fetch(resolved)
    assert await mirror.blobs.read((await mirror.tree(commit)).entries) == [b"1"]


async def test_ssh_without_a_secret_says_which_keys_it_needs(git_ssh: GitSshServer, mirrors: Mirrors) -> None:
    with pytest.raises(UserError, match="needs a Secret with 'identity' and 'known_hosts'"):
        await mirrors.open(parse_url(git_ssh.url("fleet"))).resolve(MAIN)


async def test_the_user_defaults_to_git(git_ssh: GitSshServer, mirrors: Mirrors, tmp_path: Path) -> None:
    commit = WorkingRepo(tmp_path / "work", git_ssh.create("fleet")).commit({"a": "1"}, "one")
    mirror = mirrors.open(parse_url(git_ssh.url("fleet").replace("git@", "")), _key(git_ssh))
    assert (await mirror.resolve(MAIN)).commit == commit


@pytest.mark.parametrize("form", ["pkcs8-pem", "openssh"])
async def test_an_encrypted_key_is_opened_with_its_password(
    git_ssh: GitSshServer, mirrors: Mirrors, tmp_path: Path, form: str
) -> None:
    commit = WorkingRepo(tmp_path / "work", git_ssh.create("fleet")).commit({"a": "1"}, "one")
    url = parse_url(git_ssh.url("fleet"))
    locked = git_ssh.client_key.export_private_key(form, passphrase="hunter sesame")
    data = {"identity": locked, "known_hosts": git_ssh.known_hosts.encode(), "password": b"hunter sesame"}
    assert (await mirrors.open(url, auth_of_secret(url, data)).resolve(MAIN)).commit == commit


async def test_an_unknown_key_is_named_by_its_fingerprint(git_ssh: GitSshServer, mirrors: Mirrors) -> None:
    git_ssh.create("fleet")
    stranger = asyncssh.generate_private_key("ssh-ed25519")
    url = parse_url(git_ssh.url("fleet"))
    data = {"identity": stranger.export_private_key("openssh"), "known_hosts": git_ssh.known_hosts.encode()}
    with pytest.raises(AuthenticationFailed, match="refused the deploy key") as caught:
        await mirrors.open(url, auth_of_secret(url, data)).resolve(MAIN)
    assert caught.value.problems[0].code is AUTH_REFUSED
    assert stranger.get_fingerprint() in caught.value.problems[0].cause


async def test_a_host_that_known_hosts_does_not_name_is_not_trusted(git_ssh: GitSshServer, mirrors: Mirrors) -> None:
    line = "other.example " + git_ssh.host_key.export_public_key("openssh").decode()
    with pytest.raises(AuthenticationFailed, match="is not in known_hosts") as caught:
        await mirrors.open(parse_url(git_ssh.url("fleet")), _key(git_ssh, line)).resolve(MAIN)
    assert caught.value.problems[0].code is HOST_UNVERIFIED


async def test_a_changed_host_key_is_refused_and_named(git_ssh: GitSshServer, mirrors: Mirrors) -> None:
    old = asyncssh.generate_private_key("ssh-ed25519").export_public_key("openssh").decode()
    line = f"[127.0.0.1]:{git_ssh.port} {old}"
    with pytest.raises(AuthenticationFailed, match="is not the one in known_hosts") as caught:
        await mirrors.open(parse_url(git_ssh.url("fleet")), _key(git_ssh, line)).resolve(MAIN)
    assert caught.value.problems[0].code is HOST_UNVERIFIED
    assert git_ssh.host_key.get_fingerprint() in caught.value.problems[0].cause


async def test_a_missing_repository_over_ssh_is_named(git_ssh: GitSshServer, mirrors: Mirrors) -> None:
    with pytest.raises(UserError) as caught:
        await mirrors.open(parse_url(git_ssh.url("nope")), _key(git_ssh)).resolve(MAIN)
    assert caught.value.problems[0].code is REF_MISSING


async def test_loopback_is_out_of_reach_unless_allowed(git_http: GitHttpServer, tmp_path: Path) -> None:
    git_http.create("fleet")
    async with Mirrors(tmp_path / "strict", policy=GitPolicy()) as strict:
        with pytest.raises(UserError, match="must not be reached"):
            await strict.open(parse_url(git_http.url("fleet"))).resolve(MAIN)
    assert git_http.requests == []
    assert LOOPBACK.allow_loopback


def _key(server: GitSshServer, known_hosts: str | None = None) -> GitAuth:
    lines = server.known_hosts if known_hosts is None else known_hosts
    data = {"identity": server.identity.encode(), "known_hosts": lines.encode()}
    return auth_of_secret(parse_url(server.url("x")), data)


async def _expect_failure(operation: object) -> None:
    assert asyncio.iscoroutine(operation)
    with pytest.raises(SluiceError):
        await operation


def _assert_hidden(text: str, secret: bytes) -> None:
    for shown in (secret, base64.b64encode(secret), base64.b64encode(b"ada:" + secret)):
        assert shown.decode() not in text


def _everything_shown() -> Iterator[bytes]:
    """Arguments and environments of all processes but this one."""
    for folder in Path("/proc").glob("[0-9]*"):
        if int(folder.name) == os.getpid():
            continue
        for name in ("cmdline", "environ"):
            try:
                yield (folder / name).read_bytes()
            except OSError:
                continue


def _processes_naming(word: str) -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if word.encode() in command and b"git" in command:
            found.append(command.decode("utf-8", "replace"))
    return found

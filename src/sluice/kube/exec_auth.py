"""Credentials from an exec plugin: the command a kubeconfig names, and the ExecCredential it prints.

The command is run with an argument list and the environment that was handed in; it is never interactive. Its answer
is kept until it expires or the server refuses it.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import shutil
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from sluice.core.codes import UNAUTHENTICATED
from sluice.core.errors import AuthenticationFailed
from sluice.core.problem import Problem, clip, printable
from sluice.kube.auth import NO_HEADERS
from sluice.net.tls import load_client_certificate

API_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
MAX_OUTPUT = 1024 * 1024
EARLY = dt.timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class ExecPlugin:
    """What the kubeconfig says of the plugin. `environment` is the whole environment it gets."""

    command: str
    args: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    api_version: str = API_VERSIONS[0]
    install_hint: str = ""
    folder: Path = Path()
    cluster: Mapping[str, object] | None = None
    timeout: float = 60.0


class _Status(msgspec.Struct, rename="camel"):
    token: str = ""
    expiration_timestamp: dt.datetime | None = None
    client_certificate_data: str = ""
    client_key_data: str = ""


class _Credential(msgspec.Struct, rename="camel"):
    api_version: str
    kind: str
    status: _Status | None = None


class ExecAuth:
    """Runs the plugin when a credential is needed; concurrent requests share one run."""

    def __init__(self, plugin: ExecPlugin, context: ssl.SSLContext | None) -> None:
        self._plugin = plugin
        self._context = context
        self._headers: Mapping[str, str] | None = None
        self._expires: dt.datetime | None = None
        self._lock = asyncio.Lock()

    async def headers(self) -> Mapping[str, str]:
        """The current credential. Raises AuthenticationFailed when the plugin gives none."""
        if self._headers is not None and not self._expired():
            return self._headers
        async with self._lock:
            if self._headers is None or self._expired():
                await self._refresh()
            return self._headers or NO_HEADERS

    async def refused(self) -> bool:
        """Forget the credential; the plugin is asked again, so a retry is due."""
        self._headers = None
        return True

    def _expired(self) -> bool:
        return self._expires is not None and dt.datetime.now(dt.UTC) >= self._expires - EARLY

    async def _refresh(self) -> None:
        credential = self._parse(await self._run())
        if credential.client_certificate_data and self._context is not None:
            certificate, key = credential.client_certificate_data.encode(), credential.client_key_data.encode()
            try:
                load_client_certificate(self._context, certificate, key)
            except (ssl.SSLError, ValueError) as error:
                raise self._failed("its client certificate can't be used") from error
        self._headers = {"Authorization": f"Bearer {credential.token}"} if credential.token else NO_HEADERS
        expires = credential.expiration_timestamp
        self._expires = expires.replace(tzinfo=dt.UTC) if expires is not None and expires.tzinfo is None else expires

    def _parse(self, output: bytes) -> _Status:
        try:
            credential = msgspec.json.decode(output, type=_Credential)
        except msgspec.MsgspecError as error:
            raise self._failed("its output is no ExecCredential") from error
        if credential.kind != "ExecCredential" or credential.api_version != self._plugin.api_version:
            raise self._failed(f"it answered {credential.api_version}, not {self._plugin.api_version}")
        status = credential.status
        usable = status is not None and (status.token or (status.client_certificate_data and status.client_key_data))
        if status is None or not usable or not status.token.isprintable():
            raise self._failed("its answer holds neither a token nor a client certificate")
        return status

    async def _run(self) -> bytes:
        environment = {**self._plugin.environment, "KUBERNETES_EXEC_INFO": self._exec_info()}
        try:
            process = await asyncio.create_subprocess_exec(
                self._program(),
                *self._plugin.args,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        except (OSError, ValueError) as error:
            raise self._failed(f"it could not be started: {error}") from error
        try:
            async with asyncio.timeout(self._plugin.timeout):
                output, complaint = await _read_all(process)
                code = await process.wait()
        except TimeoutError as error:
            raise self._failed(f"no answer in {self._plugin.timeout:.0f} s") from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if code != 0:
            raise self._failed(f"exit code {code}: {clip(printable(complaint.decode(errors='replace').strip()), 300)}")
        return output

    def _program(self) -> str:
        command = self._plugin.command
        if "/" in command:
            return str(self._plugin.folder / command)
        found = shutil.which(command, path=self._plugin.environment.get("PATH", ""))
        if found is None:
            raise self._failed("the command is not on PATH")
        return found

    def _exec_info(self) -> str:
        spec: dict[str, object] = {"interactive": False}
        if self._plugin.cluster is not None:
            spec["cluster"] = dict(self._plugin.cluster)
        info = {"apiVersion": self._plugin.api_version, "kind": "ExecCredential", "spec": spec}
        return msgspec.json.encode(info).decode()

    def _failed(self, cause: str) -> AuthenticationFailed:
        return AuthenticationFailed(
            Problem(
                UNAUTHENTICATED,
                f"the credential plugin {printable(self._plugin.command)!r} failed",
                cause=cause,
                fix=printable(self._plugin.install_hint) or "run the plugin by hand, as the kubeconfig names it",
            )
        )


async def _read_all(process: asyncio.subprocess.Process) -> tuple[bytes, bytes]:
    """Both outputs, each cut at MAX_OUTPUT (what exceeds it fails to parse, which is an answer too)."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_read_limited(stream)) for stream in (process.stdout, process.stderr)]
    return tasks[0].result(), tasks[1].result()


async def _read_limited(stream: asyncio.StreamReader | None) -> bytes:
    kept = bytearray()
    while stream is not None and (chunk := await stream.read(65536)):
        if len(kept) < MAX_OUTPUT:
            kept += chunk
    return bytes(kept)

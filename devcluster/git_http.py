"""A real git server over HTTP: `git http-backend` behind a small web server on a free loopback port.

It serves every bare repository below one folder, for reading and pushing. Basic auth, a bearer token and TLS are
optional, so that a client's credentials and certificate checks meet the real thing.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hmac
import shutil
import ssl
import subprocess
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

from devcluster.git_process import CHUNK, Servings, drain
from devcluster.git_repository import hermetic_env

MAX_HEADER = 64 * 1024


class GitHttpServer:
    """Serves the bare repositories below `root`. Use `await start()` / `await stop()`, or `with` (own thread).

    `old_protocol` answers as servers did before protocol version 2, which send only what a ref names.
    """

    def __init__(
        self,
        root: Path,
        *,
        user: str = "",
        password: str = "",
        token: str = "",
        tls: ssl.SSLContext | None = None,
        old_protocol: bool = False,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.root = root
        self.host = host
        self.port = port
        self.requests: list[str] = []
        self._basic = ""
        self.demand(user, password)
        self._bearer = f"Bearer {token}" if token else ""
        self._tls = tls
        self._old_protocol = old_protocol
        self._runner: web.AppRunner | None = None
        self._servings = Servings()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def demand(self, user: str, password: str) -> None:
        """From now on, let in who gives these by basic auth, and with an empty user everybody."""
        self._basic = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode() if user else ""

    def create(self, name: str, *, sha256: bool = False) -> Path:
        """Make an empty bare repository `name`.git below the root, open for pushes, and return its path."""
        path = self.root / f"{name}.git"
        create_bare(path, sha256=sha256)
        return path

    def url(self, name: str) -> str:
        """The URL of a repository made by `create`."""
        return f"{'https' if self._tls else 'http'}://{self.host}:{self.port}/{name}.git"

    async def start(self) -> None:
        """Listen. The port is chosen by the system when none was given."""
        self.root.mkdir(parents=True, exist_ok=True)
        app = web.Application(client_max_size=1 << 31)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, self.port, ssl_context=self._tls)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening and drop what is open."""
        if self._runner is not None:
            for site in self._runner.sites:
                await site.stop()
            await self._servings.end()
            await self._runner.cleanup()
            self._runner = None

    def __enter__(self) -> Self:
        started = threading.Event()
        failure: list[BaseException] = []

        def run() -> None:
            with asyncio.Runner() as runner:
                try:
                    runner.run(self.start())
                except OSError as error:
                    failure.append(error)
                    return
                finally:
                    self._loop = runner.get_loop()
                    started.set()
                self._loop.run_forever()
                runner.run(self.stop())

        self._thread = threading.Thread(target=run, name="git-http", daemon=True)
        self._thread.start()
        started.wait()
        if failure:
            raise failure[0]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
            self._loop = None

    def _refusal(self, request: web.Request) -> web.Response | None:
        wanted = [value for value in (self._basic, self._bearer) if value]
        given = request.headers.get("Authorization", "")
        if not wanted or any(hmac.compare_digest(given.encode(), value.encode()) for value in wanted):
            return None
        return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="git"'})

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(f"{request.method} {request.path_qs}")
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        command = [git_path(), "http-backend"]
        env = self._cgi_env(request)
        async with self._servings.process(command, env, stderr=asyncio.subprocess.DEVNULL, limit=MAX_HEADER) as process:
            response = await _relay(request, process)
            await drain(process)  # a push is taken also when its client has gone
            return response

    def _cgi_env(self, request: web.Request) -> dict[str, str]:
        env = hermetic_env(self.root) | {
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": request.path,
            "REQUEST_METHOD": request.method,
            "QUERY_STRING": request.query_string,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "REMOTE_USER": "someone",
            "REMOTE_ADDR": "127.0.0.1",
            "GIT_PROTOCOL": "" if self._old_protocol else request.headers.get("Git-Protocol", ""),
        }
        # What git has compressed (it does from 1 KiB on) comes out of aiohttp as it was before, and longer.
        if "Content-Length" in request.headers and "Content-Encoding" not in request.headers:
            env["CONTENT_LENGTH"] = request.headers["Content-Length"]
        return env


async def _relay(request: web.Request, process: asyncio.subprocess.Process) -> web.StreamResponse:
    assert process.stdin is not None  # noqa: S101
    assert process.stdout is not None  # noqa: S101
    async with asyncio.TaskGroup() as group:
        group.create_task(_feed(request, process.stdin))
        head = await process.stdout.readuntil(b"\r\n\r\n")
        response = web.StreamResponse()
        for line in head.decode("latin-1").split("\r\n"):
            name, separator, value = line.partition(": ")
            if name.lower() == "status":
                response.set_status(int(value.split()[0]))
            elif separator:
                response.headers[name] = value
        with contextlib.suppress(ConnectionError):  # a client may have read enough, and gone
            await response.prepare(request)
            while chunk := await process.stdout.read(CHUNK):
                await response.write(chunk)
            await response.write_eof()
    return response


async def _feed(request: web.Request, stdin: asyncio.StreamWriter) -> None:
    try:
        async for chunk in request.content.iter_chunked(CHUNK):
            stdin.write(chunk)
            await stdin.drain()
    except (BrokenPipeError, ConnectionResetError):
        return  # git answers without reading all that it was sent when it refuses
    finally:
        stdin.close()


def create_bare(path: Path, *, sha256: bool = False) -> None:
    """Make an empty bare repository that takes pushes, with `main` as its default branch."""
    path.parent.mkdir(parents=True, exist_ok=True)
    format_ = "sha256" if sha256 else "sha1"
    git = git_path()
    env = hermetic_env(path.parent)
    init = [git, "init", "-q", "--bare", "--template=", f"--object-format={format_}", "-b", "main", str(path)]
    subprocess.run(init, env=env, check=True)
    with (path / "config").open("a") as config:
        config.write("[http]\n\treceivepack = true\n")


def git_path() -> str:
    """The git binary, or a FileNotFoundError that says so."""
    found = shutil.which("git")
    if found is None:
        raise FileNotFoundError("git is not on PATH: install it")
    return found

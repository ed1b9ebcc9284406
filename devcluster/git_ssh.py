"""A real git server over ssh: the real `git-upload-pack` and `git-receive-pack` behind an ssh server in this process.

The host key and the one client key that is let in are made at start, so that strict known_hosts and deploy keys are
met as they are on a real host.
"""

from __future__ import annotations

import asyncio
import shlex
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

import asyncssh

from devcluster.git_http import create_bare, git_path
from devcluster.git_process import CHUNK, Servings
from devcluster.git_repository import hermetic_env

SERVICES = ("git-upload-pack", "git-receive-pack")


class GitSshServer:
    """Serves the bare repositories below `root`. Use `await start()` / `await stop()`, or `with` (own thread)."""

    def __init__(self, root: Path, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.root = root
        self.host = host
        self.port = port
        self.host_key = asyncssh.generate_private_key("ssh-ed25519")
        self.client_key = asyncssh.generate_private_key("ssh-ed25519")
        self._listener: asyncssh.SSHAcceptor | None = None
        self._servings = Servings()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def identity(self) -> str:
        """The private key that is let in, in OpenSSH's form."""
        return self.client_key.export_private_key("openssh").decode()

    @property
    def known_hosts(self) -> str:
        """The line that names this server's key."""
        public = self.host_key.export_public_key("openssh").decode().strip()
        return f"[{self.host}]:{self.port} {public}\n"

    def admit(self, public: str) -> None:
        """From now on let in the key of this `authorized_keys` line, and no other. The server must listen."""
        assert self._listener is not None  # noqa: S101 - the caller's promise
        self._listener.update(authorized_client_keys=asyncssh.import_authorized_keys(public))

    def create(self, name: str, *, sha256: bool = False) -> Path:
        """Make an empty bare repository `name`.git below the root and return its path."""
        path = self.root / f"{name}.git"
        create_bare(path, sha256=sha256)
        return path

    def url(self, name: str) -> str:
        """The URL of a repository made by `create`."""
        return f"ssh://git@{self.host}:{self.port}/{name}.git"

    async def start(self) -> None:
        """Listen. The port is chosen by the system when none was given."""
        self.root.mkdir(parents=True, exist_ok=True)
        authorized = asyncssh.import_authorized_keys(self.client_key.export_public_key("openssh").decode())
        self._listener = await asyncssh.listen(
            self.host,
            self.port,
            server_host_keys=[self.host_key],
            authorized_client_keys=authorized,
            process_factory=self._serve,
            encoding=None,
            gss_host=None,
        )
        self.port = self._listener.get_port()

    async def stop(self) -> None:
        """Stop listening and drop what is open."""
        if self._listener is not None:
            self._listener.close()
            await self._servings.end()
            await self._listener.wait_closed()
            self._listener = None

    def __enter__(self) -> Self:
        started = threading.Event()

        def run() -> None:
            with asyncio.Runner() as runner:
                runner.run(self.start())
                self._loop = runner.get_loop()
                started.set()
                self._loop.run_forever()
                runner.run(self.stop())

        self._thread = threading.Thread(target=run, name="git-ssh", daemon=True)
        self._thread.start()
        if not started.wait(10):
            raise TimeoutError("the ssh server did not start in 10 s")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)

    async def _serve(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        command = self._command(process.command or "")
        if command is None:
            process.stderr.write(b"fatal: repository not found\n")
            process.exit(128)
            return
        env = hermetic_env(self.root) | {"GIT_PROTOCOL": str(process.env.get("GIT_PROTOCOL", ""))}
        async with self._servings.process(command, env, stderr=asyncio.subprocess.PIPE) as git:
            process.exit(await _talk(process, git))

    def _command(self, text: str) -> list[str] | None:
        """The git service to run, or None when it is not one, or its repository is not below the root."""
        try:
            words = shlex.split(text)
        except ValueError:
            return None
        if len(words) != 2 or words[0] not in SERVICES:
            return None
        path = (self.root / words[1].lstrip("/")).resolve()
        if not path.is_relative_to(self.root.resolve()) or not path.is_dir():
            return None
        return [git_path(), words[0].removeprefix("git-"), str(path)]


async def _talk(client: asyncssh.SSHServerProcess[bytes], git: asyncio.subprocess.Process) -> int:
    """Carry everything to and fro until git ends, and return its exit code."""
    assert git.stdin is not None  # noqa: S101
    assert git.stdout is not None  # noqa: S101
    assert git.stderr is not None  # noqa: S101
    async with asyncio.TaskGroup() as group:
        feed = group.create_task(_copy_in(client.stdin, git.stdin))
        answers = [
            group.create_task(_copy_out(git.stdout, client.stdout)),
            group.create_task(_copy_out(git.stderr, client.stderr)),
        ]
        await asyncio.wait(answers)
        code = await git.wait()
        feed.cancel()
    return code


async def _copy_in(source: asyncssh.SSHReader[bytes], target: asyncio.StreamWriter) -> None:
    try:
        while part := await source.read(CHUNK):
            target.write(part)
            await target.drain()
    except (BrokenPipeError, ConnectionResetError, asyncssh.Error):
        return  # the client or git has left; the other side's end of file says so too
    finally:
        target.close()


async def _copy_out(source: asyncio.StreamReader, target: asyncssh.SSHWriter[bytes]) -> None:
    while part := await source.read(CHUNK):
        target.write(part)
        await target.drain()

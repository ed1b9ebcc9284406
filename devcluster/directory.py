"""The directory of one cluster: who holds it, when it is complete, and how leftovers of a crash are cleaned.

A *named* cluster (`python -m devcluster up`) lives in `<state>/<name>` until `down`. A *private* one (a test session)
lives in `<state>/.private/<random>` and belongs to the process that holds its lock: the kernel drops that lock when the
process dies, so any later start can tell a dead owner's directory and remove it. `cluster.json` is written last; a
directory without it is half-made.
"""

from __future__ import annotations

import fcntl
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path

from devcluster.errors import DevclusterError
from devcluster.paths import state_root
from devcluster.process import kill_all_in

COMPLETE = "cluster.json"
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")


class PrivateDirectory:
    """A cluster directory that dies with this process."""

    def __init__(self, path: Path, lock: TextIOWrapper) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def create(cls) -> PrivateDirectory:
        """Make a fresh directory, held by this process, and remove those whose owners are gone."""
        root = state_root() / ".private"
        with _locked(state_root() / ".private.lock"):
            root.mkdir(mode=0o700, exist_ok=True)
            for other in root.iterdir():
                _sweep(other)
            path = root / secrets.token_hex(4)
            path.mkdir(mode=0o700)
            lock = (path / "owner.lock").open("w")
            fcntl.flock(lock, fcntl.LOCK_EX)
        return cls(path, lock)

    def remove(self) -> None:
        """Delete it, and let go of the lock. Its processes must have ended."""
        remove_tree(self.path)
        self._lock.close()


def _sweep(path: Path) -> None:
    """Remove a private directory whose owner is gone, with whatever processes still belong to it."""
    # Not there: its maker died before it had the lock, for we hold the lock under which it is made.
    with suppress(FileNotFoundError), (path / "owner.lock").open("r") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
    kill_all_in(path)
    remove_tree(path)


def named_directory(name: str) -> Path:
    """Return where the cluster of this name lives, there or not. Raises `DevclusterError` for an unusable name."""
    if _NAME.fullmatch(name) is None:
        raise DevclusterError(
            f"{name!r} can't be a cluster's name",
            "a name is 1 to 40 lower-case letters, digits and dashes, and neither begins nor ends with a dash",
            "choose another, for example `--name demo`",
        )
    return state_root() / name


@contextmanager
def hold_name(name: str) -> Iterator[Path]:
    """Yield the named cluster's directory while nobody else brings it up or down."""
    path = named_directory(name)
    with _locked(state_root() / f".{name}.lock"):
        yield path


def is_complete(path: Path) -> bool:
    """Tell whether the directory's cluster once finished its start."""
    return (path / COMPLETE).is_file()


def discard(path: Path) -> int:
    """Kill what runs in a named directory, remove it, and return how many processes there were."""
    killed = kill_all_in(path)
    remove_tree(path)
    return killed


def remove_tree(path: Path) -> None:
    """Delete a directory that may be partly gone."""
    with suppress(FileNotFoundError):
        shutil.rmtree(path)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield

"""What a process that was killed in the middle of a build has left: the renderer that it started, and its folder.

In a pod the renderer ends with the container. Elsewhere nobody ends it, and it may run for as long as it may use the
processor; it is known by the private folder that it works in.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import structlog

BUILDS = "build-"
log = structlog.get_logger()


def clear_leftovers(work_dir: Path) -> None:
    """End what still works in the folders of builds below `work_dir`, and remove these.

    For the start of the only process that builds there.
    """
    folders = [place for place in work_dir.glob(f"{BUILDS}*") if place.is_dir()]
    if not folders:
        return
    for pid in _working_in(work_dir):
        log.warning("a renderer that an earlier process left is ended", pid=pid)
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            continue  # it has ended by itself
    for place in folders:
        shutil.rmtree(place, ignore_errors=True)


def _working_in(work_dir: Path) -> Iterator[int]:
    inside = f"{work_dir.resolve()}/{BUILDS}"
    for process in Path("/proc").glob("[0-9]*"):
        try:
            folder = os.readlink(process / "cwd")  # noqa: PTH115 - the kernel's text, which may say that it is deleted
        except OSError:
            continue  # gone, or somebody else's
        if folder.startswith(inside):
            yield int(process.name)

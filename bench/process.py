"""What a process costs: CPU seconds and resident memory, its children included, read from /proc."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

SAMPLE_SECONDS = 0.05
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(pid: int) -> float:
    """User and system time so far, that of children which have ended included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / _TICKS


def resident_mb(pid: int) -> float:
    """Resident memory of the process and all below it, in MB (10^6 bytes)."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        tasks = [entry / "children" for entry in Path(f"/proc/{pid}/task").iterdir()]
        children = [int(child) for task in tasks for child in task.read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return 0.0  # it ended while we looked
    return pages * _PAGE / 1e6 + sum(resident_mb(child) for child in children)


def own_peak_mb(pid: int) -> float:
    """The kernel's own peak of the process alone, in MB: what falls between two samples is in it."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    lines = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(lines[0].split()[1]) * 1024 / 1e6 if lines else 0.0  # one that is ending has none


class PeakMemory:
    """Samples the resident memory of a process tree from a thread of its own and keeps the highest."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._highest = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="peak memory", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            self._highest = max(self._highest, resident_mb(self._pid), own_peak_mb(self._pid))

    @property
    def mb(self) -> float:
        """The peak so far."""
        return self._highest

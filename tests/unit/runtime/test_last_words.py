"""A process that ends of itself leaves where it stood, and one whose loop does not run any more ends of itself."""

from __future__ import annotations

import asyncio
import faulthandler
import subprocess
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from sluice.runtime import last_words
from sluice.runtime.last_words import forget_last_words, read_last_words

PROGRAM = """
import asyncio, os, pathlib, re, sys
from sluice.runtime import last_words
last_words.STUCK_SECONDS = float(sys.argv[3])

def end():
    exec(sys.argv[2])

async def main():
    with last_words.last_words(pathlib.Path(sys.argv[1])):
        await asyncio.sleep(0)
        end()

asyncio.run(main())
"""
STOOD_STILL = "its event loop stood still"


@pytest.mark.parametrize(
    ("way", "cause", "status"),
    [
        ("os.abort()", "Aborted", -6),
        ("os.kill(os.getpid(), 11)", "Segmentation fault", -11),
        ("while True: pass", STOOD_STILL, 1),
        ("re.match('(a+)+$', 'a' * 64 + 'b')", STOOD_STILL, 1),  # it never gives Python's lock back
        ("os.kill(os.getpid(), 9)", "", -9),
        ("sys.exit(3)", "", 3),
        ("raise MemoryError", "", 1),
    ],
)
def test_the_next_process_reads_what_ended_this_one_if_that_came_from_inside(
    tmp_path: Path, way: str, cause: str, status: int
) -> None:
    path = tmp_path / "last-words"
    patience = "0.5" if cause == STOOD_STILL else "60"
    command = [sys.executable, "-c", PROGRAM, str(path), way, patience]
    ended = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert ended.returncode == status, ended.stderr
    said, lines = read_last_words(path)
    assert said == cause
    assert any(" in end" in line for line in lines) == bool(cause)
    forget_last_words(path)
    assert read_last_words(path) == ("", [])


async def test_as_long_as_the_loop_runs_its_time_is_set_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wound: list[float] = []
    monkeypatch.setattr(faulthandler, "dump_traceback_later", lambda seconds, **_: wound.append(seconds))
    monkeypatch.setattr(last_words, "STUCK_SECONDS", 0.06)
    with last_words.last_words(tmp_path / "last-words"):
        async with asyncio.timeout(30):
            while len(wound) < 3:  # noqa: ASYNC110 - the loop's own timer counts
                await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    assert set(wound) == {0.06}
    count = len(wound)
    await asyncio.sleep(0.05)
    assert len(wound) == count, "it goes on after the end"


async def test_where_it_can_not_be_written_the_process_runs_all_the_same(tmp_path: Path) -> None:
    with capture_logs() as lines, last_words.last_words(tmp_path / "no" / "last-words"):
        await asyncio.sleep(0)
    assert [line["event"] for line in lines] == ["what ends this process will not be known"]

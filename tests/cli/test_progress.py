"""What is narrated while a verb waits: lines in a pipe, redrawn lines on a terminal, hostile text made harmless."""

from __future__ import annotations

import asyncio
import io
import re

from sluice.cli.flags import Flags
from sluice.cli.progress import Progress
from sluice.cli.terminal import Terminal


class Pipe(io.StringIO):
    """A stream that can be waited for."""

    encoding = "utf-8"

    def __init__(self) -> None:
        super().__init__()
        self._written = asyncio.Event()

    def write(self, text: str, /) -> int:
        self._written.set()
        return super().write(text)

    async def until(self, text: str) -> None:
        """Return once `text` was written."""
        async with asyncio.timeout(60):
            while text not in self.getvalue():
                self._written.clear()
                await self._written.wait()


class Screen(Pipe):
    """The same, said to be a terminal."""

    def isatty(self) -> bool:
        return True


async def test_a_pipe_gets_a_line_for_each_transition_and_a_heartbeat() -> None:
    pipe = Pipe()
    async with Progress(Terminal(Flags(), Pipe(), pipe), heartbeat=0.05) as progress:
        progress.now("ks/apps", "applying")
        progress.now("ks/apps", "applying")
        await pipe.until("still waiting")
        progress.end("ks/apps", "Ready", "ready at main@a1b2c3d4")
    lines = pipe.getvalue().splitlines()
    assert "\x1b" not in pipe.getvalue()
    assert [line for line in lines if line.endswith("ks/apps  applying")] == lines[:1]
    assert "still waiting after" in lines[1]
    assert re.fullmatch(r"\d\d:\d\d:\d\d ks/apps  ✓ ready at main@a1b2c3d4  \d+\.\ds", lines[-1])


async def test_a_terminal_is_redrawn_and_left_with_how_it_ended() -> None:
    screen = Screen()
    async with Progress(Terminal(Flags(color="always"), Pipe(), screen)) as progress:
        progress.now("ks/apps", "applying")
        await screen.until("applying")
        progress.end("ks/apps", "Failing", "BuildFailed")
    shown = screen.getvalue()
    assert "\x1b[1F\x1b[J" in shown
    assert "\x1b[31m✗\x1b[0m BuildFailed" in shown.splitlines()[-1]


async def test_text_from_the_cluster_can_not_steer_the_terminal() -> None:
    pipe = Pipe()
    async with Progress(Terminal(Flags(), Pipe(), pipe)) as progress:
        progress.now("ks/apps", "a\x1b[2Jb\nc")
    assert "\x1b" not in pipe.getvalue()
    assert len(pipe.getvalue().splitlines()) == 1


async def test_quiet_says_nothing() -> None:
    pipe = Pipe()
    async with Progress(Terminal(Flags(quiet=True), Pipe(), pipe)) as progress:
        progress.now("ks/apps", "applying")
        progress.end("ks/apps", "Ready", "done")
    assert pipe.getvalue() == ""

"""What is being waited for: redrawn lines on a terminal; in a pipe a line for each transition, and a heartbeat."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from sluice.cli.terminal import Terminal, one_line
from sluice.core.problem_text import in_brief

HEARTBEAT_SECONDS = 15.0
FRAME_SECONDS = 0.12
_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_PLAIN_FRAMES = "|/-\\"


@dataclass(slots=True)
class _Step:
    text: str
    began: float = field(default_factory=time.monotonic)


class Progress:
    """Tells, while inside `async with`, what each key is doing. Writes to standard error only."""

    def __init__(self, terminal: Terminal, heartbeat: float = HEARTBEAT_SECONDS) -> None:
        self._terminal = terminal
        self._heartbeat = heartbeat
        self._steps: dict[str, _Step] = {}
        self._drawn = 0
        self._frame = 0
        self._group = asyncio.TaskGroup()
        self._ticker: asyncio.Task[None] | None = None

    def now(self, key: str, text: str) -> None:
        """Say what `key` is doing now; the same text twice is said once."""
        text, step = in_brief(text), self._steps.get(key)
        if step is None:
            step = self._steps[key] = _Step("")
        if step.text != text:
            step.text = text
            if not self._terminal.live:
                self._line(f"{key}  {one_line(text)}")

    def end(self, key: str, state: str, text: str) -> None:
        """Say how it ended for `key`, once and for all; `state` is one that has a glyph."""
        step = self._steps.pop(key, None)
        took = f"  {time.monotonic() - step.began:.1f}s" if step is not None else ""
        self._clear()
        line = f"{key}  {self._terminal.glyph(state, self._terminal.err)} {one_line(text)}{took}"
        if self._terminal.live:
            self._terminal.say(line)
            self._draw()
        else:
            self._line(line)

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        self._ticker = self._group.create_task(self._tick())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._ticker is not None:
            self._ticker.cancel()
        await self._group.__aexit__(None, None, None)
        self._clear()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(FRAME_SECONDS if self._terminal.live else self._heartbeat)
            if self._terminal.live:
                self._frame += 1
                self._clear()
                self._draw()
            else:
                for key, step in self._steps.items():
                    waited = time.monotonic() - step.began
                    self._line(f"{key}  still waiting after {waited:.0f}s: {one_line(step.text)}")

    def _line(self, text: str) -> None:
        self._terminal.say(f"{datetime.now(UTC):%H:%M:%S} {text}")

    def _clear(self) -> None:
        if self._drawn:
            self._terminal.err.write(f"\x1b[{self._drawn}F\x1b[J")
            self._drawn = 0

    def _draw(self) -> None:
        if not self._terminal.live:
            return
        frames = _PLAIN_FRAMES if self._terminal.flags.ascii else _FRAMES
        width = max(40, self._terminal.width or 80)
        for key, step in self._steps.items():
            waited = f"{time.monotonic() - step.began:.1f}s"
            text = f"{key}  {frames[self._frame % len(frames)]} {one_line(step.text)}"
            self._terminal.err.write(f"{text[: width - len(waited) - 3]}  {waited}\n")
        self._drawn = len(self._steps)
        self._terminal.err.flush()

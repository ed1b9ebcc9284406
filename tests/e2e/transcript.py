"""The transcripts of a page, run as they are typed there: what is printed must be what the page shows.

What no two runs have in common is left out of the comparison: commits, times, spans of time, addresses, the ends of
pods' names, the width of columns, and the lines of progress, which begin with the time. `…` in a page is any text.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.guide import Reader

DOCS = Path(__file__).parents[2] / "docs"
_BLOCK = re.compile(r"^ *```(\w*)[^\n]*\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_PROGRESS = re.compile(r"\d\d:\d\d:\d\d ")
_VARYING = (
    (re.compile(r"\b[0-9a-f]{24,64}\b|\b(?=\w*\d|deadbeef)[0-9a-f]{7,12}\b"), "<hash>"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "<time>"),
    (re.compile(r"https?://127\.0\.0\.1:\d+"), "<server>"),
    (re.compile(r"\b(\d+(\.\d+)?(ms|s|m|h|d))+\b"), "<span>"),
    (re.compile(r"\b\d+ times\b"), "<n> times"),
    (re.compile(r"-[bcdfghjklmnpqrstvwxz2456789]{5}\b"), "-<pod>"),
    (re.compile(r"\s+"), " "),
)
# What only looks is typed again until it sees what the page shows: what it tells of takes a moment.
_LOOKS = re.compile(r"kubectl get|sluice (status|history|diff|plan|why|tree|trace|get|events)\b")
# Where this is set, the pages are written anew from what was printed.
WRITE = "WRITE_TRANSCRIPTS"
PATIENCE = 45.0


def blocks(page: Path) -> list[str]:
    """The blocks of a page in which something is typed, in order."""
    found = [block for language, block in _BLOCK.findall(page.read_text()) if not language]
    return [block for block in found if re.search(r"^\$ ", block, re.MULTILINE)]


def steps(block: str) -> list[tuple[str, str]]:
    """The commands of a block, each with what it printed; `\\` at an end and `<<'EOF'` go on with one."""
    parts = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    found = []
    for part in parts:
        lines = part.splitlines()
        last = next(i for i, line in enumerate(lines) if not line.endswith("\\"))
        if lines[last].endswith("<<'EOF'"):
            last = lines.index("EOF")
        found.append(("\n".join(lines[: last + 1]), "\n".join(lines[last + 1 :])))
    return found


def _without_what_varies(line: str) -> str:
    for pattern, word in _VARYING:
        line = pattern.sub(word, line)
    return line


def plain(text: str) -> list[str]:
    """What of a text can be compared."""
    lines = [line for line in text.splitlines() if line.strip() and not _PROGRESS.match(line)]
    return [_without_what_varies(line).strip() for line in lines]


def alike(shown: str, printed: str) -> bool:
    """Whether a page shows what was printed."""
    wanted, found = plain(shown), plain(printed)
    return len(wanted) == len(found) and all(
        re.fullmatch(".*".join(map(re.escape, line.split("…"))), other)
        for line, other in zip(wanted, found, strict=True)
    )


@dataclass
class Page:
    """A page that is followed block by block."""

    name: str
    reader: Reader
    done: int = 0
    written: dict[str, str] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """Where it is."""
        return DOCS / self.name

    def follow(self) -> None:
        """Run the next block; every command must print what the page shows (if it shows anything), in a moment."""
        block = blocks(self.path)[self.done]
        self.done += 1
        texts = []
        for command, shown in steps(block):
            printed = self._run(command, shown)
            texts.append(f"$ {command}\n{printed if shown else ''}")
            if shown and not os.environ.get(WRITE):
                assert alike(shown, printed), f"{self.name}: {command}\n\n{printed}\nis not\n\n{shown}"
        gap = "\n\n" if "\n\n$ " in block else "\n"
        self.written[block] = gap.join(text.rstrip() for text in texts) + "\n"

    def pass_by(self, begins: str) -> None:
        """Leave the next block, whose first command runs until somebody ends it, to what the test has done instead."""
        block = blocks(self.path)[self.done]
        assert block.lstrip().startswith(f"$ {begins}"), block
        self.done += 1

    def _run(self, command: str, shown: str) -> str:
        deadline = time.monotonic() + PATIENCE
        while True:
            printed = self.reader.see(command).replace(" (simulated)", "")
            if alike(shown, printed) or not _LOOKS.match(command) or time.monotonic() > deadline:
                return printed
            time.sleep(0.3)

    def end(self) -> None:
        """All blocks must have been followed."""
        assert self.done == len(blocks(self.path)), f"{self.name} has more transcripts"
        if os.environ.get(WRITE):
            text = self.path.read_text()
            if not all(alike(old, new) for old, new in self.written.items()):
                for old, new in self.written.items():
                    text = text.replace(old, new)
            self.path.write_text(text)

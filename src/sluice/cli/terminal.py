"""What is shown where: the answer on standard output, narration on standard error, colour and glyphs as wished."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from sluice import settings
from sluice.cli.flags import Flags
from sluice.core.problem import printable

_ANSI = {"red": 31, "green": 32, "yellow": 33, "blue": 34, "magenta": 35, "dim": 2, "bold": 1}
# Per state: glyph, its plain form, colour. No glyph has an emoji form, so none is two columns wide.
GLYPHS: dict[str, tuple[str, str, str]] = {
    "Ready": ("✓", "ok", "green"),
    "Failing": ("✗", "FAIL", "red"),
    "Reconciling": ("…", "..", "blue"),
    "Waiting": ("◷", "wait", "dim"),
    "Suspended": ("‖", "susp", "yellow"),
    "Drifted": ("≠", "drift", "magenta"),
    "Unknown": ("?", "?", "dim"),
}


class Terminal:
    """The two streams of one invocation and how they may be written on."""

    def __init__(self, flags: Flags, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.flags = flags
        self.out = out if out is not None else sys.stdout
        self.err = err if err is not None else sys.stderr

    @property
    def width(self) -> int:
        """Columns of the terminal; 0 when standard output is none, or does not say."""
        try:
            return os.get_terminal_size(self.out.fileno()).columns
        except (OSError, ValueError):
            return 0

    def coloured(self, stream: TextIO) -> bool:
        """Whether `stream` takes colours: --color, then NO_COLOR and TERM=dumb, then whether it is a terminal."""
        match self.flags.color:
            case "always":
                return True
            case "never":
                return False
        return _isatty(stream) and not settings.wants_plain_text()

    @property
    def live(self) -> bool:
        """Whether narration may redraw its line."""
        return _isatty(self.err) and not settings.wants_plain_text() and not self.flags.quiet

    def paint(self, text: str, style: str, stream: TextIO) -> str:
        """`text` in a colour where the stream takes one. Only 4-bit colours: the user's theme decides."""
        return f"\x1b[{_ANSI[style]}m{text}\x1b[0m" if style in _ANSI and self.coloured(stream) else text

    def glyph(self, state: str, stream: TextIO | None = None) -> str:
        """The sign of a state, as a word with --ascii and where the encoding has no such character."""
        sign, plain, colour = GLYPHS[state]
        target = stream if stream is not None else self.out
        plainly = self.flags.ascii or "utf" not in (getattr(target, "encoding", "") or "").lower()
        return self.paint(plain if plainly else sign, colour, target)

    def answer(self, text: str) -> None:
        """Write a line (or several) of the answer."""
        self.out.write(_encodable(text, self.out) + "\n")

    def say(self, text: str) -> None:
        """Narrate, unless --quiet."""
        if not self.flags.quiet:
            self.warn(text)

    def detail(self, text: str) -> None:
        """Narrate what only -v asks for."""
        if self.flags.verbose:
            self.say(text)

    def warn(self, text: str) -> None:
        """Write to standard error whatever the flags say."""
        self.err.write(_encodable(text, self.err) + "\n")
        self.err.flush()

    @property
    def can_ask(self) -> bool:
        """Whether somebody is there who may be asked."""
        return not self.flags.no_input and _isatty(sys.stdin) and _isatty(self.err)

    def confirm(self, question: str) -> bool:
        """Ask yes or no. With --yes: yes. Without anyone to ask (--no-input, no terminal): no."""
        if self.flags.yes:
            return True
        if not self.can_ask:
            return False
        self.err.write(f"{question} [y/N] ")
        self.err.flush()
        return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _isatty(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except ValueError:
        return False  # closed


def _encodable(text: str, stream: TextIO) -> str:
    """`text` with what the stream's encoding lacks replaced, so that a C locale shows all but a few characters."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)


def counted(number: int, word: str) -> str:
    """`1 object`, `3 objects`."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def one_line(text: str) -> str:
    """A message of the cluster as one harmless line: control characters escaped, lines joined."""
    return printable("; ".join(line.strip() for line in text.splitlines() if line.strip()))

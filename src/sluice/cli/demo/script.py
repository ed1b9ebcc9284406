"""The lines of the demo: a sign, a label, what happened, and how long it took.

In a pipe every line is written once, when it is known. On a terminal the line under way is shown too, and then
replaced. Lines keep to 80 columns where what they say allows it.
"""

from __future__ import annotations

import textwrap

from sluice.cli.terminal import GLYPHS, Terminal, one_line

SIGN = 4  # where it is a word
LABEL = 14
TEXT = 54
WIDTH = 80


class Script:
    """Writes to the terminal's standard output."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self._live = terminal.out.isatty() and terminal.coloured(terminal.out)
        self._pending = False

    def pending(self, label: str, text: str) -> None:
        """Show, on a terminal, what is being waited for; the next line takes its place."""
        if self._live:
            self._wipe()
            self._write(self._line("Waiting", label, text, None))
            self._pending = True

    def done(self, label: str, text: str, seconds: float | None = None) -> None:
        """Something came out as it should."""
        self._row("Ready", label, text, seconds)

    def refused(self, label: str, text: str, seconds: float | None = None) -> None:
        """Something was refused, or failed."""
        self._row("Failing", label, text, seconds)

    def waits(self, label: str, text: str) -> None:
        """Something waits."""
        self._row("Waiting", label, text, None)

    def detail(self, label: str, text: str) -> None:
        """One more fact about the line above, folded to the width."""
        start = f"    {label:<8}"
        fold = textwrap.TextWrapper(
            WIDTH,
            initial_indent=start,
            subsequent_indent=" " * len(start),
            break_long_words=False,
            break_on_hyphens=False,
        )
        self.say(fold.fill(one_line(text)))

    def fact(self, label: str, text: str) -> None:
        """A path or a command, in one piece."""
        self.say(f"    {label:<8}{text}")

    def heading(self, text: str, about: str) -> None:
        """The beginning of a step."""
        self.say("")
        self.say(f"{self.terminal.paint(text, 'bold', self.terminal.out)}  {about}")

    def command(self, text: str) -> None:
        """What is being done, as a person would type it."""
        self.say(f"  $ {text}")

    def say(self, text: str) -> None:
        """Write a line as it is."""
        self._wipe()
        self.terminal.answer(text)
        self.terminal.out.flush()

    def _row(self, state: str, label: str, text: str, seconds: float | None) -> None:
        self.say(self._line(state, label, text, seconds))

    def _line(self, state: str, label: str, text: str, seconds: float | None) -> str:
        took = "" if seconds is None else duration(seconds)
        sign, word = self.terminal.glyph(state, self.terminal.out), GLYPHS[state][1]
        if word in sign:
            sign += " " * (SIGN - len(word))
        plain = f"{label:<{LABEL}} {one_line(text)}"
        return f"{sign} {plain:<{LABEL + TEXT}} {took:>7}".rstrip()

    def _wipe(self) -> None:
        if self._pending:
            self._pending = False
            self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        self.terminal.out.write(text)
        self.terminal.out.flush()


def duration(seconds: float) -> str:
    """Seconds as people read them.

    >>> duration(0.034), duration(2.468), duration(75)
    ('34ms', '2.5s', '1m15s')
    """
    if seconds < 0.1:
        return f"{max(seconds, 0) * 1000:.0f}ms"
    if seconds < 60:
        return f"{seconds:.1f}s"
    return f"{int(seconds // 60)}m{int(seconds % 60)}s"

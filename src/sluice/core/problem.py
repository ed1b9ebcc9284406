"""What people see when something is wrong: what, which object, where in git, why, and the fix.

A `Code` is stable for search engines and `docs/reference/errors.md` (generated from `CODES`). Ranges:
E1xx source, E2xx build and validate, E3xx apply and health, E44x revisions that contradict themselves or hold no
manifests, E5xx and E66x images, E60x access and install, E61x and E62x image automation and updates that people ask
for, E63x fluxd's API, E64x signatures and accounts, E67x callers of receivers, E68x generated manifests, E70x command
line, E71x and E72x what looking at objects finds, E73x notifications, W4xx warnings. What each means at length:
`code_pages`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what it needs is slow to import, and some command lines have nothing but problems to tell
    from sluice.core.ids import ResourceId

MAX_TEXT = 1024


@dataclass(frozen=True, slots=True)
class Code:
    """An error's stable number, its name, and one sentence about when it appears."""

    number: str
    name: str
    about: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a manifest or a setting came from. `line` and `column` count from 1; 0 is unknown.

    `renderer` is empty for a plain file; otherwise it names what produced the object when the file can't be known
    (`kustomization apps/web`).
    """

    path: str
    line: int = 0
    column: int = 0
    document: int = 0
    commit: str = ""
    renderer: str = ""

    def __str__(self) -> str:
        text = printable(self.path)
        if self.line:
            text += f":{self.line}"
            if self.column:
                text += f":{self.column}"
        if self.commit:
            text += f"@{self.commit[:7]}"
        return f"{text} (from {printable(self.renderer)})" if self.renderer else text


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. `title` says what in one line; `fix` is one action; `field` is a dotted path."""

    code: Code
    title: str
    subject: ResourceId | None = None
    origin: Origin | None = None
    field: str = ""
    cause: str = ""
    fix: str = ""

    def __str__(self) -> str:
        """One line: `title [E204] Deployment shop/web at apps/web.yaml:12@a1b2c3d: why; fix: …`."""
        text = f"{self.title} [{self.code.number}]"
        if self.subject is not None:
            text += f" {self.subject}"
        if self.origin is not None:
            text += f" at {self.origin}"
        if self.cause:
            text += f": {self.cause}"
        if self.fix:
            text += f"; fix: {self.fix}"
        return clip(printable(text), MAX_TEXT)


def printable(text: str) -> str:
    """Escape control characters and direction marks, so that hostile text can't rewrite a terminal line.

    >>> printable("a\\x1b[31mb\\nc")
    'a\\\\x1b[31mb\\\\nc'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == " " else c.encode("unicode_escape").decode("ascii") for c in text)


def clip(text: str, limit: int) -> str:
    """Cut to `limit` characters, with an ellipsis where something was cut."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def summarize(problems: tuple[Problem, ...], limit: int = 8192) -> str:
    """All problems of a revision in one message, a line each, the count first when there are several."""
    if len(problems) == 1:
        return clip(str(problems[0]), limit)
    lines = [f"{len(problems)} problems:"]
    for index, problem in enumerate(problems):
        line = f"- {problem}"
        if sum(map(len, lines)) + len(lines) + len(line) > limit - 40:
            lines.append(f"- and {len(problems) - index} more")
            break
        lines.append(line)
    return "\n".join(lines)


def cause_of(problems: tuple[Problem, ...]) -> str:
    """What tells one failure from another: the first problem's code, and the object or the file that it is about.

    The same although the line, the commit or the remote's words are others; empty without a problem.
    """
    if not problems:
        return ""
    first = problems[0]
    place = str(first.subject or "") or (first.origin.path if first.origin is not None else "")
    return f"{first.code.number} {place}".rstrip()

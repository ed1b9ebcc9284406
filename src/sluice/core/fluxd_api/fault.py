"""What fluxd's clients are told when something is wrong: the status, and a body in the form that they can read.

fluxctl prints the help of an error as it is, so that the help is the whole story: what, why and what to do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from sluice.core import codes
from sluice.core.errors import SluiceError, UserError
from sluice.core.problem import clip, printable, summarize

Blame = Literal["user", "missing", "server"]
STATUS: dict[Blame, int] = {"missing": 404, "user": 422, "server": 500}
MAX_HELP = 8192
JSON, TEXT = "application/json", "text/plain"

_MISSING = frozenset({codes.TARGET_MISSING, codes.WORKLOAD_MISSING})
_RANGE = re.compile(r"\s*([\w.+*-]+/[\w.+*-]+)\s*((?:;[^,]*)?)", re.ASCII)
_QUALITY = re.compile(r";\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*(?:;|$)", re.ASCII)


class ApiFault(Exception):
    """An answer that is no success. `blame` is fluxd's word for who can do something; `short` is one line."""

    def __init__(self, blame: Blame, short: str, why: str = "", *, status: int = 0) -> None:
        super().__init__(short)
        self.blame = blame
        self.short = clip(printable(short), 500)
        self.help = clip(why or short, MAX_HELP)
        self.status = status or STATUS[blame]

    def body(self) -> dict[str, str]:
        """The JSON that fluxctl decodes."""
        return {"type": self.blame, "help": self.help, "error": self.short}


@dataclass(frozen=True, slots=True)
class Rendered:
    """An error in the form that was asked for. A body that is no text is JSON."""

    content_type: str
    body: str | dict[str, str]


def fault_of(error: SluiceError) -> ApiFault:
    """Say an error of ours in fluxd's words: what the user can mend, what is not there, and what is tried again."""
    missing = any(problem.code in _MISSING for problem in error.problems)
    blame: Blame = "missing" if missing else "user" if isinstance(error, UserError) else "server"
    short = error.problems[0].title if error.problems else "it could not be done"
    return ApiFault(blame, short, summarize(error.problems, MAX_HELP))


def malformed(short: str, fix: str = "") -> ApiFault:
    """A parameter or a body that can't be read."""
    return ApiFault("user", short, f"{printable(short)}; fix: {fix}" if fix else short, status=400)


def rendered(fault: ApiFault, accept: Iterable[str]) -> Rendered:
    """The body for a request with these Accept headers; old clients send none, and get one line of text.

    >>> rendered(malformed("no"), []).body, rendered(malformed("no"), ["text/plain;q=0.5, application/json"]).body
    ('no', {'type': 'user', 'help': 'no', 'error': 'no'})
    """
    wanted = _preferred(",".join(accept)[:4096])
    if wanted == JSON:
        return Rendered(JSON, fault.body())
    return Rendered(TEXT, fault.help if wanted == TEXT else fault.short)


def _preferred(accept: str) -> str:
    """The better of the two forms by the client's own weights, JSON where they are equal; empty for neither."""
    best = ("", 0.0)
    for media, parameters in _RANGE.findall(accept):
        found = _QUALITY.search(parameters)
        quality = float(found[1]) if found else 1.0
        if media in {JSON, TEXT} and (quality > best[1] or (quality == best[1] > 0 and media == JSON)):
            best = (media, quality)
    return best[0]

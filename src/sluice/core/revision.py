"""What a source points at: `main@sha1:…`, `v1.2.0@sha1:…`, `sha1:…`, `latest@sha256:…`."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TEXT = re.compile(r"^(?:(?P<name>.+)@)?(?P<algorithm>[a-z0-9]+):(?P<hex>[0-9a-f]+)$")


@dataclass(frozen=True, slots=True)
class Revision:
    """A named point of a source's history and the digest it stands at. `name` is empty for a bare commit."""

    name: str
    algorithm: str
    hex: str

    def __str__(self) -> str:
        return f"{self.name}@{self.algorithm}:{self.hex}" if self.name else f"{self.algorithm}:{self.hex}"

    @property
    def short(self) -> str:
        """The form for people: `main@a1b2c3d`."""
        return f"{self.name}@{self.hex[:7]}" if self.name else self.hex[:7]

    @staticmethod
    def parse(text: str) -> Revision:
        """Raises ValueError when `text` is not a revision.

        >>> Revision.parse("refs/pull/4/head@sha1:0a").name
        'refs/pull/4/head'
        """
        match = _TEXT.match(text)
        if match is None:
            raise ValueError(f"not a revision: {text!r}")
        return Revision(match["name"] or "", match["algorithm"], match["hex"])

    @staticmethod
    def of_commit(name: str, commit: str) -> Revision:
        """The revision of a git commit: 40 hex digits are sha1, 64 are sha256."""
        return Revision(name, "sha256" if len(commit) == 64 else "sha1", commit)

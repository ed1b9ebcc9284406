"""The public half of a deploy key as `fluxctl identity` shows it: the line, its fingerprints, and their pictures.

The pictures are OpenSSH's: a walk over a field of 17 by 9, two bits of the hash a step, drawn by how often each place
was visited (Loss, Limmer, von Gernler: "The drunken bishop", 2009; OpenSSH's PROTOCOL calls it the visual host key).
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 17, 9
_SIGNS = " .o+=*BOX@%&#/^SE"
_START, _END = len(_SIGNS) - 2, len(_SIGNS) - 1
NO_KEY: dict[str, Any] = {"key": "", "fingerprints": {}}


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key: `line` as authorized_keys has it, `kind` and `bits` as the picture's frame names them."""

    line: str
    kind: str
    bits: int

    @property
    def blob(self) -> bytes:
        """The key's own bytes, which are what is hashed."""
        return base64.b64decode(self.line.split()[1])

    def shape(self) -> dict[str, Any]:
        """The key as the API sends it."""
        md5 = hashlib.md5(self.blob, usedforsecurity=False).digest()
        sha256 = hashlib.sha256(self.blob).digest()
        hashes = {
            "md5": (md5, ":".join(f"{byte:02x}" for byte in md5)),
            "sha256": (sha256, base64.b64encode(sha256).decode().rstrip("=")),
        }
        return {
            "key": f"{self.line}\n",
            "fingerprints": {
                name: {"hash": text, "randomart": randomart(digest, f"{self.kind} {self.bits}", name.upper())}
                for name, (digest, text) in hashes.items()
            },
        }


def randomart(digest: bytes, title: str, footer: str) -> str:
    """Draw a hash, framed as ssh-keygen frames it, each line with its end.

    >>> print(randomart(bytes(16), "RSA 2048", "MD5").splitlines()[0])
    +---[RSA 2048]----+
    """
    field = [[0] * WIDTH for _ in range(HEIGHT)]
    x, y = WIDTH // 2, HEIGHT // 2
    for byte in digest:
        for shift in (0, 2, 4, 6):
            step = byte >> shift & 3
            x = min(max(x + (1 if step & 1 else -1), 0), WIDTH - 1)
            y = min(max(y + (1 if step & 2 else -1), 0), HEIGHT - 1)
            field[y][x] = min(field[y][x] + 1, _START - 1)
    field[HEIGHT // 2][WIDTH // 2] = _START
    field[y][x] = _END
    rows = ["|" + "".join(_SIGNS[count] for count in row) + "|" for row in field]
    return "".join(f"{line}\n" for line in (_border(title), *rows, _border(footer)))


def _border(text: str) -> str:
    label = f"[{text}]" if len(text) + 2 <= WIDTH else ""
    before = (WIDTH - len(label)) // 2
    return f"+{'-' * before}{label}{'-' * (WIDTH - len(label) - before)}+"

"""The kinds of SSH keys that can be made for git, as fluxd's --ssh-keygen flags choose them."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_BITS = {"ed25519": 256, "rsa": 3072, "ecdsa": 256}
TYPES = tuple(DEFAULT_BITS)
FORMATS = ("OPENSSH", "PEM", "PKCS8")
RSA_BITS = (2048, 16384)


@dataclass(frozen=True, slots=True)
class KeyKind:
    """What kind of key is made. `bits` 0 is the type's own default; `form` is how the private half is written."""

    type: str = "ed25519"
    bits: int = 0
    form: str = "OPENSSH"

    def fault(self) -> str:
        """Why there is no such key; empty when there is."""
        if self.type not in TYPES:
            return f"there is no type {self.type[:40]!r}, but {', '.join(TYPES)}"
        if self.form not in FORMATS:
            return f"there is no format {self.form[:40]!r}, but {', '.join(FORMATS)}"
        if self.type == "ecdsa" and self.bits not in {0, 256, 384, 521}:
            return "an ecdsa key has 256, 384 or 521 bits"
        if self.type == "rsa" and self.bits and not RSA_BITS[0] <= self.bits <= RSA_BITS[1]:
            return f"an rsa key has {RSA_BITS[0]} to {RSA_BITS[1]} bits here"
        if self.type == "ed25519" and self.form == "PEM":
            return "an ed25519 key has no PEM form; take OPENSSH"
        return ""

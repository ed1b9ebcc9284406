"""Deploy keys: made here, so that no ssh-keygen is needed, and read back for what may be shown of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization.ssh import SSHPrivateKeyTypes

from sluice.core.errors import UserError
from sluice.core.fluxd_api.key_kind import DEFAULT_BITS, KeyKind
from sluice.core.fluxd_api.public_key import PublicKey
from sluice.core.problem import Code, Problem
from sluice.git.ssh_identity import open_identity

_CURVES: dict[int, Callable[[], ec.EllipticCurve]] = {256: ec.SECP256R1, 384: ec.SECP384R1, 521: ec.SECP521R1}


def make_key(kind: KeyKind) -> bytes:
    """A new private key, without a passphrase. `kind` must be without a fault. Takes seconds for a long rsa key."""
    bits = kind.bits or DEFAULT_BITS[kind.type]
    key: SSHPrivateKeyTypes
    if kind.type == "rsa":
        key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    elif kind.type == "ecdsa":
        key = ec.generate_private_key(_CURVES[bits]())
    else:
        key = ed25519.Ed25519PrivateKey.generate()
    form = {
        "OPENSSH": serialization.PrivateFormat.OpenSSH,
        "PEM": serialization.PrivateFormat.TraditionalOpenSSL,
        "PKCS8": serialization.PrivateFormat.PKCS8,
    }[kind.form]
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def public_key_of(identity: bytes, password: str, *, code: Code, comment: str = "") -> PublicKey:
    """The public half of a private key. Raises UserError of `code` when it can't be read."""
    plain, _ = open_identity(identity, password, code=code, field="identity")
    key: Any = serialization.load_ssh_private_key(plain, None)
    public = key.public_key()
    line = public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode("ascii")
    kind = line.partition(" ")[0].removeprefix("ssh-").partition("-")[0].upper()
    if kind not in {"RSA", "ECDSA", "ED25519"}:
        raise UserError(Problem(code, f"a deploy key of kind {kind[:40]} can't be used", fix="make an ed25519 key"))
    bits = 256 if kind == "ED25519" else int(public.key_size)
    return PublicKey(f"{line} {comment}".rstrip(), kind, bits)

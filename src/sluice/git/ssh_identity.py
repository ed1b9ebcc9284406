"""A private key as a Secret holds it → the unencrypted OpenSSH form that ssh reads, and the name of its public key."""

from __future__ import annotations

import base64
import hashlib

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization.ssh import SSHPrivateKeyTypes

from sluice.core.codes import AUTH_REFUSED
from sluice.core.errors import UserError
from sluice.core.problem import Code, Problem

_PEM_BEGIN = b"-----BEGIN "


def open_identity(
    text: bytes, password: str, *, code: Code = AUTH_REFUSED, field: str = "spec.secretRef"
) -> tuple[bytes, str]:
    """Return the key without its passphrase, and the `SHA256:…` fingerprint of its public key.

    Raises UserError (of `code`) when it is no private key, or when `password` does not open it.
    """
    key = _load(text, password, code, field)
    plain = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    return plain, _fingerprint(key)


def _load(text: bytes, password: str, code: Code, field: str) -> SSHPrivateKeyTypes:
    if _PEM_BEGIN not in text:
        title = "the Secret's 'identity' is not a private key in PEM form"
        raise UserError(Problem(code, title, field=field, fix="give the private key"))
    secret = password.encode() or None
    body = text.replace(b"\r\n", b"\n").strip() + b"\n"
    load = serialization.load_ssh_private_key if b"OPENSSH PRIVATE KEY" in body else serialization.load_pem_private_key
    try:
        key = load(body, secret if _is_encrypted(body) else None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        cause = "'password' does not open it, or it is damaged" if secret else "it is encrypted, or damaged"
        title = "the Secret's 'identity' can't be read"
        fix = "put the passphrase in the key 'password'" if not secret else "check 'password'"
        raise UserError(Problem(code, title, field=field, cause=cause, fix=fix)) from None
    return key  # type: ignore[return-value]  # a kind that ssh can't use fails in private_bytes


def _is_encrypted(body: bytes) -> bool:
    if b"OPENSSH PRIVATE KEY" not in body:
        return b"ENCRYPTED" in body
    try:
        raw = base64.b64decode(b"".join(body.split(b"\n")[1:-2]))
    except ValueError:
        return False
    return not raw.startswith(b"openssh-key-v1\0\0\0\0\x04none")


def _fingerprint(key: SSHPrivateKeyTypes) -> str:
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    digest = hashlib.sha256(base64.b64decode(public.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")

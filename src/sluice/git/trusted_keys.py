"""Public keys that a Secret or files hold, and a place where git finds them for as long as signatures are checked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sluice.core.codes import VERIFY_KEYS
from sluice.core.errors import StateError, UserError
from sluice.core.problem import Problem, clip, printable
from sluice.core.signature import AllowedSigner, allowed_signer
from sluice.git.commit import private_folder
from sluice.git.gpg_home import GPG_CONF, gpg_home, last_words, program, run_gpg

FIELD = "spec.verify.secretRef"
SSH_SUFFIX = ".sshpub"
# Where a signature names a key that is not there, gpg must not ask the network for it.
_CONF = f"{GPG_CONF}no-auto-key-retrieve\n"


@dataclass(frozen=True, slots=True)
class TrustedKeys:
    """OpenPGP keyrings and SSH keys by the names they have in their Secret. `field` is where people set them."""

    rings: Mapping[str, bytes] = field(repr=False)
    signers: tuple[AllowedSigner, ...] = ()
    field: str = FIELD


@dataclass(frozen=True, slots=True)
class Trust:
    """What git needs to check signatures: options before its command, and variables. Valid inside `opened_keys`."""

    config: tuple[str, ...]
    env: Mapping[str, str]
    expired: frozenset[str] = frozenset()


def trusted_keys_of(data: Mapping[str, bytes], place: str = FIELD) -> TrustedKeys:
    """Read the Secret of `spec.verify`: names that end in `.sshpub` are SSH keys, all others OpenPGP keyrings.

    The names are Flux's. Raises UserError (VerifyKeys) for a Secret without a key, or with a line that is none.
    """
    rings = {name: value for name, value in data.items() if not name.endswith(SSH_SUFFIX) and value.strip()}
    signers = [signer for name in sorted(data) if name.endswith(SSH_SUFFIX) for signer in _signers(name, data, place)]
    if not rings and not signers:
        there = ", ".join(sorted(printable(name) for name in data)) or "nothing"
        fix = f"put OpenPGP public keys under names ending in .asc, SSH public keys under names ending in {SSH_SUFFIX}"
        raise _refused("there is no public key to verify signatures with", f"it holds {there}", fix, place)
    return TrustedKeys(rings, tuple(signers), place)


def _signers(name: str, data: Mapping[str, bytes], place: str) -> list[AllowedSigner]:
    found = []
    for number, line in enumerate(data[name].decode("utf-8", "replace").splitlines(), 1):
        try:
            signer = allowed_signer(line)
        except ValueError as error:
            title = f"line {number} of {printable(name)!r} is no SSH public key"
            fix = "write a line as in id_ed25519.pub, or as in ssh-keygen's allowed signers"
            raise _refused(title, str(error), fix, place) from None
        if signer is not None:
            found.append(signer)
    return found


@asynccontextmanager
async def opened_keys(keys: TrustedKeys, scratch: Path, now: datetime) -> AsyncIterator[Trust]:
    """Lay the keys out below `scratch`, and remove them after. An SSH key that has run out at `now` is no key any more.

    Raises UserError (VerifyKeys) for a keyring that gpg can't read, StateError when gpg is needed and not installed.
    """
    with private_folder(scratch) as folder:
        allowed = folder / "allowed_signers"
        in_force = [signer for signer in keys.signers if signer.until is None or now < signer.until]
        allowed.write_text("".join(f"{signer.line}\n" for signer in in_force), encoding="utf-8")
        expired = frozenset(_fingerprint(s.key) for s in keys.signers if s not in in_force)
        config = ["-c", f"gpg.ssh.allowedSignersFile={allowed}", "-c", "gpg.x509.program=false"]
        if not keys.rings:
            yield Trust((*config, "-c", "gpg.program=false"), {}, expired)
            return
        async with gpg_home(folder) as home:
            config += ["-c", f"gpg.program={await _import(keys, home)}"]
            yield Trust(tuple(config), {"GNUPGHOME": str(home)}, expired)


async def _import(keys: TrustedKeys, home: Path) -> str:
    """Put the rings into gpg's home; returns the path of gpg."""
    gpg = program("gpg")
    if gpg is None:
        title = "gpg is not installed here, and signatures are to be verified with OpenPGP keys"
        raise StateError(Problem(VERIFY_KEYS, title, field=keys.field, fix="install GnuPG, or use SSH keys"))
    (home / "gpg.conf").write_text(_CONF)
    for name in sorted(keys.rings):
        imported = await run_gpg(["--quiet", "--import"], home, keys.rings[name])
        if not imported.ok:
            title = f"{clip(printable(name), 100)!r} holds no OpenPGP public key"
            fix = "put the output of 'gpg --export --armor KEY' there"
            raise _refused(title, last_words(imported), fix, keys.field)
    return gpg


def _fingerprint(key: str) -> str:
    import base64
    import hashlib

    try:
        digest = hashlib.sha256(base64.b64decode(key)).digest()
    except ValueError:
        return ""
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def _refused(title: str, cause: str, fix: str, place: str) -> UserError:
    return UserError(Problem(VERIFY_KEYS, title, field=place, cause=cause, fix=fix))

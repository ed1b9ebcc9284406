"""The key that signs our commits, from a Secret's data to a git that can use it for as long as one commit takes.

OpenPGP keys live in a keyring of their own, made for the commit and removed with it. SSH keys are a file that only we
can read.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from sluice.core.codes import SIGNING_KEY
from sluice.core.errors import SluiceError, StateError, UserError
from sluice.core.problem import Problem, printable
from sluice.git.gpg_home import GPG_CONF, gpg_home, last_words, program, run_gpg
from sluice.git.process import GitOutput

KeyType = Literal["gpg", "ssh"]

FIELD = "spec.git.commit.signingKey.secretRef"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key as its Secret holds it, and what opens it. `key_id` chooses one of several OpenPGP keys.

    `place` is the field or flag that names it.
    """

    kind: KeyType
    key: bytes = field(repr=False)
    passphrase: str = field(default="", repr=False)
    key_id: str = ""
    place: str = FIELD

    @property
    def words(self) -> str:
        """What people know it as."""
        if self.place != FIELD:
            return f"the key of {self.place}"
        return f"the Secret's {'git.asc' if self.kind == 'gpg' else 'identity'!r}"


@dataclass(frozen=True, slots=True)
class Signer:
    """What git needs to sign: options before its command, and variables. Valid inside `opened`."""

    config: tuple[str, ...]
    env: Mapping[str, str]
    kind: KeyType
    home: Path
    key: SigningKey
    fingerprint: str = ""


def signing_key_of_secret(data: Mapping[str, bytes], kind: KeyType = "gpg", *, key_id: str = "") -> SigningKey:
    """Read the Secret of `signingKey`: `git.asc` and `passphrase` for gpg, `identity` and `password` for ssh.

    The names are Flux's. Raises UserError (SigningKey) naming the key that is missing or not text.
    """
    name, opens = ("git.asc", "passphrase") if kind == "gpg" else ("identity", "password")
    if not data.get(name, b"").strip():
        there = ", ".join(sorted(printable(key) for key in data)) or "nothing"
        raise _refused(f"the Secret has no {name!r}", f"it holds {there}", f"put the private key in {name!r}")
    try:
        passphrase = data.get(opens, b"").decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise _refused(f"the Secret's {opens!r} is not UTF-8 text", "", "encode it again") from None
    if "\n" in passphrase or "\0" in passphrase:
        raise _refused(f"the Secret's {opens!r} has more than one line", "", "encode it again")
    return SigningKey(kind, data[name], passphrase, key_id)


@asynccontextmanager
async def opened(key: SigningKey, folder: Path) -> AsyncIterator[Signer]:
    """Lay the key out below `folder`, which only we can read and whose owner removes it.

    Raises UserError (SigningKey) when it is no private key, StateError when gpg is not installed.
    """
    if key.kind == "ssh":
        yield _ssh_signer(key, folder)
        return
    async with gpg_home(folder) as home:
        yield await _gpg_signer(key, home)


def _ssh_signer(key: SigningKey, folder: Path) -> Signer:
    from sluice.git.ssh_identity import open_identity  # what it needs takes 9 MB

    plain, _ = open_identity(key.key, key.passphrase, code=SIGNING_KEY, field=FIELD)
    path = folder / "signing_key"
    path.touch(0o600)
    path.write_bytes(plain)
    return Signer(("-c", "gpg.format=ssh", "-c", f"user.signingKey={path}"), {}, "ssh", folder, key)


async def _gpg_signer(key: SigningKey, home: Path) -> Signer:
    gpg = _installed("gpg")
    conf = GPG_CONF
    if key.passphrase:
        secret = home / "passphrase"
        secret.touch(0o600)
        secret.write_text(key.passphrase + "\n")
        conf += f"passphrase-file {secret}\n"
    (home / "gpg.conf").write_text(conf)
    imported = await run_gpg(["--quiet", "--import"], home, key.key)
    listed = await run_gpg(["--with-colons", "--list-secret-keys", *([key.key_id] if key.key_id else [])], home)
    found = _signing_fingerprint(listed.stdout)
    if not found:
        cause = last_words(imported) if not imported.ok else "it holds no private key that can sign and is in force"
        raise _refused(f"{key.words} can't be used to sign", cause, _EXPORT, key.place)
    config = ("-c", "gpg.format=openpgp", "-c", f"gpg.program={gpg}", "-c", f"user.signingKey={found}")
    return Signer(config, {"GNUPGHOME": str(home)}, "gpg", home, key, found)


_EXPORT = "put the output of 'gpg --export-secret-keys --armor KEY' there"


def _signing_fingerprint(listing: bytes) -> str:
    """The fingerprint of the first secret key that as a whole can sign; empty when none can (expired, revoked)."""
    usable = False
    for line in listing.decode("utf-8", "replace").splitlines():
        fields = line.split(":")
        if fields[0] == "sec":
            usable = len(fields) > 11 and "S" in fields[11] and fields[1] not in {"e", "r", "i", "d"}
        elif fields[0] == "fpr" and usable and len(fields) > 9:
            return fields[9]
    return ""


async def signing_failed(signer: Signer, output: GitOutput) -> SluiceError:
    """Why a signed commit could not be made. git hides gpg's words, so gpg is asked once more, for them alone."""
    words = output
    if signer.kind == "gpg":
        words = await run_gpg(["--local-user", signer.fingerprint, "--detach-sign", "--output", "-"], signer.home, b"x")
        words = words if not words.ok else output
    fix = "check the key and its passphrase"
    return _refused(f"{signer.key.words} can't sign", last_words(words), fix, signer.key.place)


def _installed(name: str) -> str:
    found = program(name)
    if found is None:
        title = f"{name} is not installed here, and a commit is to be signed with an OpenPGP key"
        raise StateError(Problem(SIGNING_KEY, title, field=FIELD, fix="install GnuPG, or sign with an SSH key"))
    return found


def _refused(title: str, cause: str, fix: str, place: str = FIELD) -> UserError:
    return UserError(Problem(SIGNING_KEY, title, field=place, cause=cause, fix=fix))

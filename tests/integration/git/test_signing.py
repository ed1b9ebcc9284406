"""Commits signed by keys as people put them into Secrets, verified by the real git; and what a bad key says."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice.core.codes import SIGNATURE_REQUIRED, SIGNING_KEY
from sluice.core.errors import UserError
from sluice.git import signing
from sluice.git.signing import SigningKey, signing_key_of_secret
from sluice.git.write_back import Gates, write_back
from tests.git_servers import Hosted, git_http, hosted, mirrors
from tests.git_writing import BUMP, OLD, WEB, git, log, wanted
from tests.keyring import PASSPHRASE, Keyring

__all__ = ["git_http", "hosted", "mirrors"]


@pytest.fixture(scope="module")
def keyring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyring]:
    """Two OpenPGP keys, one with a passphrase, and one that is out of force."""
    made = Keyring(tmp_path_factory.mktemp("k"))
    yield made
    made.close()


@pytest.mark.parametrize("name", ["plain", "locked"])
async def test_an_openpgp_key_signs_and_leaves_no_file_and_no_process(
    hosted: Hosted, keyring: Keyring, tmp_path: Path, name: str, inherits_orphans: None
) -> None:
    hosted.commit({WEB: OLD})
    before = processes()
    secret = {"git.asc": getattr(keyring, name), "passphrase": PASSPHRASE.encode() + b"\n"}
    await write_back(hosted.mirror, wanted(key=signing_key_of_secret(secret)), BUMP)
    assert keyring.verify(hosted.bare) == f"G {name.title()} <{name}@example.com>"
    assert not list((tmp_path / "cache/scratch").iterdir())
    assert [name for pid, name in processes().items() if pid not in before and name.startswith("gpg")] == []


@pytest.fixture
def inherits_orphans() -> Iterator[None]:
    """This process is given what its children leave behind, as the first process of a container is."""
    become_subreaper = 36
    libc = ctypes.CDLL(None)
    libc.prctl(become_subreaper, 1, 0, 0, 0)
    yield
    libc.prctl(become_subreaper, 0, 0, 0, 0)


def processes() -> dict[str, str]:
    """The names of this process's children by their number, those that ended and were not reaped too."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            said = dict(line.split(":\t", 1) for line in path.read_text().splitlines() if ":\t" in line)
            if said["PPid"].strip() == str(os.getpid()):
                found[path.parent.name] = said["Name"]
    return found


@pytest.mark.parametrize("passphrase", ["", "hunter22"])
@pytest.mark.parametrize("algorithm", ["ed25519", "ecdsa", "rsa"])
async def test_an_ssh_key_signs(hosted: Hosted, tmp_path: Path, algorithm: str, passphrase: str) -> None:
    hosted.commit({WEB: OLD})
    key = tmp_path / "key"
    command = ["ssh-keygen", "-q", "-t", algorithm, "-N", passphrase, "-C", "", "-f", str(key)]
    subprocess.run(command, check=True)
    secret = {"identity": key.read_bytes(), "password": passphrase.encode()}
    await write_back(hosted.mirror, wanted(key=signing_key_of_secret(secret, "ssh")), BUMP)
    allowed = tmp_path / "allowed"
    allowed.write_text(f"sluice@example.com {key.with_suffix('.pub').read_text()}")
    config = f"gpg.ssh.allowedSignersFile={allowed}"
    assert git(hosted.bare, "-c", config, "log", "-1", "--format=%G? %GS", "main").strip() == "G sluice@example.com"
    assert not list((tmp_path / "cache/scratch").iterdir())


@pytest.mark.parametrize(
    ("data", "kind", "says"),
    [
        ({}, "gpg", "no 'git.asc'"),
        ({"git.asc": b" \n"}, "gpg", "no 'git.asc'"),
        ({"identity": b"x"}, "gpg", "it holds identity"),
        ({"git.asc": b"x"}, "ssh", "no 'identity'"),
        ({"git.asc": b"x", "passphrase": b"\xff"}, "gpg", "not UTF-8"),
        ({"git.asc": b"x", "passphrase": b"a\nb"}, "gpg", "more than one line"),
    ],
)
def test_a_secret_without_a_key_says_what_is_missing(data: dict[str, bytes], kind: signing.KeyType, says: str) -> None:
    with pytest.raises(UserError, match=says) as caught:
        signing_key_of_secret(data, kind)
    assert caught.value.problems[0].code is SIGNING_KEY


@pytest.mark.parametrize(
    ("kind", "key", "passphrase", "says"),
    [
        ("gpg", "locked", "wrong", "Bad passphrase"),
        ("gpg", "locked", "", "can't sign"),
        ("gpg", "public", "", "no private key that can sign"),
        ("gpg", "expired", "", "no private key that can sign"),
        ("gpg", b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nxx\n", "", "can't be used to sign"),
        ("gpg", b"hunter22", "", "no valid OpenPGP data"),
        ("ssh", b"hunter22", "", "not a private key"),
        ("ssh", b"-----BEGIN OPENSSH PRIVATE KEY-----\nxx\n-----END OPENSSH PRIVATE KEY-----", "", "can't be read"),
    ],
)
async def test_a_key_that_can_t_sign_is_named_and_nothing_is_committed(
    hosted: Hosted, keyring: Keyring, kind: signing.KeyType, key: str | bytes, passphrase: str, says: str
) -> None:
    hosted.commit({WEB: OLD})
    content = getattr(keyring, key) if isinstance(key, str) else key
    with pytest.raises(UserError) as caught:
        await write_back(hosted.mirror, wanted(key=SigningKey(kind, content, passphrase)), BUMP)
    (problem,) = caught.value.problems
    assert (problem.code, problem.field) == (SIGNING_KEY, "spec.git.commit.signingKey.secretRef")
    assert says in str(problem)
    assert "hunter22" not in str(problem)
    assert "hunter22" not in repr(SigningKey(kind, content, "hunter22"))
    assert log(hosted.bare) == ["change"]


async def test_one_of_several_keys_is_chosen_by_its_id(hosted: Hosted, keyring: Keyring) -> None:
    hosted.commit({WEB: OLD})
    both = await asyncio.to_thread(keyring.make, "Second", "")
    secret = {"git.asc": keyring.plain + both}
    await write_back(hosted.mirror, wanted(key=signing_key_of_secret(secret, key_id="second@example.com")), BUMP)
    assert keyring.verify(hosted.bare).endswith("Second <second@example.com>")


async def test_where_signatures_are_required_no_commit_follows_an_unverified_head(
    hosted: Hosted, keyring: Keyring
) -> None:
    trusted = hosted.commit({WEB: OLD})
    key = signing_key_of_secret({"git.asc": keyring.plain})

    async def verify(commit: str) -> bool:
        return commit == trusted or (accepts_ours and commit not in {trusted, stranger})

    accepts_ours, stranger = True, ""
    with pytest.raises(UserError, match="no key to sign with"):
        await write_back(hosted.mirror, wanted(), BUMP, Gates(verify=verify))
    stranger = hosted.commit({"human": "1"}, "unsigned")
    with pytest.raises(UserError, match="is not verified") as caught:
        await write_back(hosted.mirror, wanted(key=key), BUMP, Gates(verify=verify))
    assert caught.value.problems[0].code is SIGNATURE_REQUIRED
    assert log(hosted.bare) == ["unsigned", "change"]
    trusted, accepts_ours = hosted.work.head(), False
    with pytest.raises(UserError, match="the key that signs our commits"):
        await write_back(hosted.mirror, wanted(key=key), BUMP, Gates(verify=verify))
    assert log(hosted.bare) == ["unsigned", "change"]
    accepts_ours = True
    await write_back(hosted.mirror, wanted(key=key), BUMP, Gates(verify=verify))
    assert log(hosted.bare)[0] == "Update web"

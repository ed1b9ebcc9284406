"""Deploy keys are what ssh-keygen makes of them: it reads them, and names and draws them alike."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from sluice.core.codes import DEPLOY_KEY
from sluice.core.errors import UserError
from sluice.core.fluxd_api.key_kind import KeyKind
from sluice.git.ssh_key import make_key, public_key_of

KINDS = [
    KeyKind(),
    KeyKind("ecdsa", 521),
    KeyKind("ecdsa", 0, "PKCS8"),
    KeyKind("rsa", 2048, "PEM"),
    KeyKind("rsa", 2048, "OPENSSH"),
]


def keygen(*arguments: str) -> str:
    return subprocess.run(["ssh-keygen", *arguments], check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_ssh_keygen_reads_a_new_key_and_shows_the_same_public_half(kind: KeyKind, tmp_path: Path) -> None:
    file = tmp_path / "identity"
    file.touch(0o600)
    file.write_bytes(make_key(kind))
    public = public_key_of(file.read_bytes(), "", code=DEPLOY_KEY)
    assert keygen("-y", "-f", str(file)).split()[:2] == public.line.split()
    shape = public.shape()
    assert shape["key"] == f"{public.line}\n"
    for name in ("md5", "sha256"):
        line, _, art = keygen("-l", "-v", "-E", name, "-f", str(file)).partition("\n")
        assert line.split()[1].partition(":")[2] == shape["fingerprints"][name]["hash"]
        assert art == shape["fingerprints"][name]["randomart"]


@pytest.mark.parametrize(
    "kind",
    [KeyKind("dsa"), KeyKind("rsa", 512), KeyKind("ecdsa", 300), KeyKind("ed25519", 0, "PEM"), KeyKind(form="DER")],
    ids=str,
)
def test_a_key_that_can_not_be_made_is_told_with_its_reason(kind: KeyKind) -> None:
    assert kind.fault()


@pytest.mark.parametrize("data", [b"", b"no key", b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END"])
def test_what_is_no_key_is_a_problem_of_the_secret(data: bytes) -> None:
    with pytest.raises(UserError) as refused:
        public_key_of(data, "", code=DEPLOY_KEY)
    assert refused.value.problems[0].code is DEPLOY_KEY

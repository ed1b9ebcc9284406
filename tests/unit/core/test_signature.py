"""What counts as a good signature, by the words of git, gpg and ssh-keygen, and which objects are never looked at."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.core.signature import allowed_signer, commit_fault, gpg_verdict, ssh_verdict, tag_fault

COMMIT = (
    b"tree 00\nparent 11\nparent 22\nauthor A <a@x> 1 +0000\ncommitter A <a@x> 1 +0000\n"
    b"gpgsig -----BEGIN PGP SIGNATURE-----\n \n tree\n -----END PGP SIGNATURE-----\n\nchange\n"
)
TAG = b"object 11\ntype commit\ntag v1\ntagger A <a@x> 1 +0000\n\nv1\n-----BEGIN SSH SIGNATURE-----\nx\n"
GOOD = (
    "[GNUPG:] NEWSIG a@x\n[GNUPG:] KEY_CONSIDERED 5CDE 0\n[GNUPG:] GOODSIG CCA7D41C6DD7881D A <a@x>\n"
    "[GNUPG:] VALIDSIG FFFF 2026-11-30 1796018248 0 4 0 22 8 00 5CDE72B6116A6EA0F4149215CCA7D41C6DD7881D\n"
)
SSH_GOOD = 'Good "git" signature for anybody with ED25519 key SHA256:tGDK+/\n'
SSH_STRANGER = 'Good "git" signature with ED25519 key SHA256:tGDK\nNo principal matched.\n'


def test_a_signed_commit_with_one_reading_is_looked_at() -> None:
    assert commit_fault(COMMIT) is None


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        (b"tree 00\n\nchange", "missing"),
        (COMMIT.replace(b"tree 00\n", b"tree 00\ntree 33\n"), "malformed"),
        (COMMIT.replace(b"author", b"author B <b@x> 1 +0000\nauthor"), "malformed"),
        (COMMIT.replace(b"\n\nchange", b"\ngpgsig x\n\nchange"), "malformed"),
        (COMMIT.replace(b"change", b"cha\0nge"), "malformed"),
        (COMMIT.partition(b"\n\n")[0], "malformed"),
        (b"", "malformed"),
    ],
)
def test_a_commit_without_a_signature_or_with_two_readings_is_not(raw: bytes, fault: str) -> None:
    found = commit_fault(raw)
    assert found is not None
    assert found.fault == fault
    assert not found.holds


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        (TAG, None),
        (TAG.replace(b"tag v1", b"tag v2"), "invalid"),
        (TAG.replace(b"object 11", b"object 12"), "invalid"),
        (TAG.replace(b"type commit", b"type tag"), "invalid"),
        (TAG.replace(b"tag v1\n", b"tag v1\ntag v2\n"), "malformed"),
        (TAG.partition(b"-----")[0], "missing"),
    ],
)
def test_a_tag_must_be_of_its_own_name_and_commit(raw: bytes, fault: str | None) -> None:
    found = tag_fault(raw, "v1", "11")
    assert (found.fault if found is not None else None) == fault


@pytest.mark.parametrize(
    ("status", "ok", "fault"),
    [
        (GOOD, True, ""),
        (GOOD, False, "invalid"),
        (GOOD + GOOD, True, "invalid"),
        (GOOD + "[GNUPG:] BADSIG 11 B\n", True, "invalid"),
        (GOOD.replace("GOODSIG", "EXPKEYSIG"), True, "expired"),
        (GOOD.replace("GOODSIG", "EXPSIG"), True, "expired"),
        (GOOD.replace("GOODSIG", "REVKEYSIG"), True, "expired"),
        (GOOD.split("[GNUPG:] VALIDSIG", maxsplit=1)[0], True, "invalid"),
        ("[GNUPG:] ERRSIG 11 22 8 00 1 9 33\n[GNUPG:] NO_PUBKEY 11\n", False, "unknown"),
        ("[GNUPG:] NODATA 4\n", False, "invalid"),
        ("gpg: Good signature", True, "invalid"),
        ("", True, "invalid"),
    ],
)
def test_gpg_must_say_that_one_signature_is_good_and_nothing_else(status: str, ok: bool, fault: str) -> None:
    verdict = gpg_verdict(status, ok=ok)
    assert verdict.fault == fault
    assert verdict.holds == (not fault)
    assert verdict.key == ("CCA7D41C6DD7881D" if not fault else verdict.key)


@pytest.mark.parametrize(
    ("said", "ok", "expired", "fault"),
    [
        (SSH_GOOD, True, frozenset(), ""),
        (SSH_GOOD, False, frozenset(), "invalid"),
        (SSH_GOOD + SSH_GOOD, True, frozenset(), "invalid"),
        (SSH_STRANGER, False, frozenset(), "unknown"),
        (SSH_STRANGER, True, frozenset(), "unknown"),
        (SSH_STRANGER, False, frozenset({"SHA256:tGDK"}), "expired"),
        ("f:1: key has expired: verify time\n" + SSH_STRANGER, False, frozenset(), "expired"),
        ("Signature verification failed: incorrect signature", False, frozenset(), "invalid"),
        ("", True, frozenset(), "invalid"),
    ],
)
def test_ssh_keygen_must_name_a_principal(said: str, ok: bool, expired: frozenset[str], fault: str) -> None:
    assert ssh_verdict(said, ok=ok, expired=expired).fault == fault


@given(st.text(), st.booleans())
def test_no_other_words_make_a_signature_good(text: str, ok: bool) -> None:
    assert not gpg_verdict(text, ok=ok).holds
    assert not ssh_verdict(text, ok=ok).holds


@given(st.binary())
def test_bytes_that_are_no_signed_commit_have_a_fault(raw: bytes) -> None:
    assert (commit_fault(raw) is None) <= (b"gpgsig" in raw)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("ssh-ed25519 AAAA ada", 'anybody namespaces="git" ssh-ed25519 AAAA'),
        ("  sk-ssh-ed25519@openssh.com AAAA", 'anybody namespaces="git" sk-ssh-ed25519@openssh.com AAAA'),
        ("ada@x,bob@x ssh-rsa AAAA", "ada@x,bob@x ssh-rsa AAAA"),
        ('ada@x namespaces="git,file" ssh-rsa AAAA ada', 'ada@x namespaces="git,file" ssh-rsa AAAA ada'),
    ],
)
def test_a_line_of_trusted_keys_is_a_public_key_or_an_allowed_signer(text: str, line: str) -> None:
    signer = allowed_signer(text)
    assert signer is not None
    assert (signer.line, signer.key) == (line, "AAAA")


@pytest.mark.parametrize("text", ["x", "ssh-ed25519", "a\tb", "ada@x valid-before=tomorrow ssh-rsa AAAA", "\x1b[0m"])
def test_any_other_line_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"it holds|its valid-before"):
        allowed_signer(text)


def test_a_line_without_a_key_is_none() -> None:
    assert allowed_signer("# team") is None
    assert allowed_signer(" ") is None

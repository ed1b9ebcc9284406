"""Signatures of commits and tags as people make them, checked with the keys that a Secret trusts, by the real git."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

import pytest

from devcluster.git_http import GitHttpServer
from sluice.api.git_repository import GitRef
from sluice.core import codes
from sluice.core.errors import UserError
from sluice.core.problem import Code
from sluice.git.mirrors import Mirrors
from sluice.git.trusted_keys import trusted_keys_of
from sluice.git.verify import SignatureRefused, Verified, verifying
from tests.git_servers import Hosted, git_http, host, hosted, mirrors
from tests.keyring import Keyring, SshKey, signed, signed_tag

__all__ = ["git_http", "hosted", "mirrors"]

Data: TypeAlias = Mapping[str, bytes | str]
NOW = datetime(2026, 7, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def keyring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyring]:
    """A person with an OpenPGP key in force and one that has run out."""
    made = Keyring(tmp_path_factory.mktemp("k"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def ada(tmp_path_factory: pytest.TempPathFactory) -> SshKey:
    """A trusted person's SSH key."""
    return SshKey(tmp_path_factory.mktemp("ada"), "ada")


@pytest.fixture(scope="module")
def eve(tmp_path_factory: pytest.TempPathFactory) -> SshKey:
    """A stranger's SSH key."""
    return SshKey(tmp_path_factory.mktemp("eve"), "eve")


async def check(hosted: Hosted, data: Data, ref: GitRef | None = None) -> Verified:
    """Verify main's head, or the tag that `ref` follows."""
    resolved = await hosted.follow(ref or GitRef(branch="main"))
    keys = trusted_keys_of({name: v.encode() if isinstance(v, str) else v for name, v in data.items()})
    async with verifying(hosted.mirror, keys, NOW) as verifier:
        if ref is not None:
            return await verifier.tag(resolved, seconds=20)
        return await verifier.commit(resolved.commit)


async def refused(hosted: Hosted, data: Data, code: Code, reason: str, ref: GitRef | None = None) -> str:
    """Verify, and return why that failed."""
    with pytest.raises(SignatureRefused) as caught:
        await check(hosted, data, ref)
    (problem,) = caught.value.problems
    assert (problem.code, caught.value.reason) == (code, reason)
    return str(problem)


async def test_a_commit_signed_by_a_trusted_openpgp_key_is_good_and_leaves_no_file(
    hosted: Hosted, keyring: Keyring, tmp_path: Path
) -> None:
    keyring.sign_commits(hosted.work, "Plain")
    commit = signed(hosted.work, {"a": "1"})
    found = await check(hosted, {"team.asc": keyring.public})
    assert found == Verified(f"commit '{commit}'", keyring.key_id("Plain"))
    assert not list((tmp_path / "cache/scratch").iterdir())


async def test_a_commit_signed_by_a_trusted_ssh_key_is_good(hosted: Hosted, ada: SshKey) -> None:
    ada.sign_commits(hosted.work)
    commit = signed(hosted.work, {"a": "1"})
    assert await check(hosted, {"ada.sshpub": ada.public}) == Verified(f"commit '{commit}'", ada.fingerprint)
    assert (await check(hosted, {"all.sshpub": f"# team\nada@example.com {ada.public}\n"})).key == ada.fingerprint


async def test_either_kind_of_key_serves_where_both_are_trusted(hosted: Hosted, keyring: Keyring, ada: SshKey) -> None:
    both: Data = {"team.asc": keyring.public, "ada.sshpub": ada.public}
    ada.sign_commits(hosted.work)
    signed(hosted.work, {"a": "1"})
    assert (await check(hosted, both)).key == ada.fingerprint
    keyring.sign_commits(hosted.work, "Plain")
    signed(hosted.work, {"a": "2"})
    assert (await check(hosted, both)).key == keyring.key_id("Plain")


async def test_an_unsigned_commit_is_refused(hosted: Hosted, ada: SshKey) -> None:
    commit = hosted.commit({"a": "1"})
    said = await refused(hosted, {"ada.sshpub": ada.public}, codes.SIGNATURE_MISSING, "InvalidCommitSignature")
    assert f"signature verification of commit '{commit}' failed" in said
    assert commit[:7] in said


async def test_a_stranger_s_signature_is_refused_with_the_key(
    hosted: Hosted, keyring: Keyring, ada: SshKey, eve: SshKey
) -> None:
    eve.sign_commits(hosted.work)
    signed(hosted.work, {"a": "1"})
    said = await refused(hosted, {"ada.sshpub": ada.public}, codes.SIGNER_UNKNOWN, "InvalidCommitSignature")
    assert eve.fingerprint in said
    await refused(hosted, {"team.asc": keyring.public}, codes.SIGNER_UNKNOWN, "InvalidCommitSignature")
    other = keyring.gpg("--export", "--armor", "Locked")
    keyring.sign_commits(hosted.work, "Plain")
    signed(hosted.work, {"a": "2"})
    said = await refused(hosted, {"team.asc": other}, codes.SIGNER_UNKNOWN, "InvalidCommitSignature")
    assert keyring.key_id("Plain") in said
    await refused(hosted, {"ada.sshpub": ada.public}, codes.SIGNER_UNKNOWN, "InvalidCommitSignature")


async def test_a_key_that_has_run_out_signs_nothing_even_for_a_commit_dated_before(
    hosted: Hosted, keyring: Keyring, ada: SshKey
) -> None:
    keyring.sign_commits(hosted.work, "Expired", at="20200115T000000")
    hosted.work.env |= {"GIT_COMMITTER_DATE": "2020-01-15T00:00:00Z", "GIT_AUTHOR_DATE": "2020-01-15T00:00:00Z"}
    signed(hosted.work, {"a": "1"})
    public = keyring.gpg("--export", "--armor", "Expired")
    said = await refused(hosted, {"team.asc": public}, codes.SIGNER_EXPIRED, "InvalidCommitSignature")
    assert "the key has run out" in said
    ada.sign_commits(hosted.work)
    signed(hosted.work, {"a": "2"})
    until: Data = {"team.sshpub": f'ada@example.com valid-before="20200201" {ada.public}'}
    said = await refused(hosted, until, codes.SIGNER_EXPIRED, "InvalidCommitSignature")
    assert ada.fingerprint in said
    later: Data = {"team.sshpub": f'ada@example.com valid-before="20300201Z" {ada.public}'}
    assert (await check(hosted, later)).key == ada.fingerprint


async def test_a_revoked_key_signs_nothing(hosted: Hosted, keyring: Keyring, tmp_path: Path) -> None:
    keyring.make("Leaver", "")
    keyring.sign_commits(hosted.work, "Leaver")
    signed(hosted.work, {"a": "1"})
    certificates = (keyring.home / "openpgp-revocs.d").iterdir()
    (certificate,) = (each for each in certificates if keyring.key_id("Leaver") in each.name)
    (tmp_path / "revocation").write_text(certificate.read_text().replace(":-----BEGIN", "-----BEGIN"))
    keyring.gpg("--import", str(tmp_path / "revocation"))
    public = keyring.gpg("--export", "--armor", "Leaver")
    said = await refused(hosted, {"team.asc": public}, codes.SIGNER_EXPIRED, "InvalidCommitSignature")
    assert "revoked" in said


@pytest.mark.parametrize("kind", ["ssh", "openpgp"])
async def test_a_signature_over_other_content_is_refused(
    hosted: Hosted, keyring: Keyring, ada: SshKey, kind: str
) -> None:
    if kind == "ssh":
        ada.sign_commits(hosted.work)
    else:
        keyring.sign_commits(hosted.work, "Plain")
    signed(hosted.work, {"a": "1"}, "harmless")
    raw = hosted.work.git("cat-file", "commit", "HEAD").replace("harmless", "harmful!") + "\n"
    forged = hosted.work.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=raw.encode())
    hosted.work.push(f"{forged}:refs/heads/main", force=True)
    keys: Data = {"ada.sshpub": ada.public, "team.asc": keyring.public}
    await refused(hosted, keys, codes.SIGNATURE_INVALID, "InvalidCommitSignature")


async def test_a_signed_tag_is_good_for_its_own_name_and_commit_alone(
    hosted: Hosted, ada: SshKey, keyring: Keyring
) -> None:
    keys: Data = {"ada.sshpub": ada.public, "team.asc": keyring.public}
    hosted.commit({"a": "1"})
    ada.sign_commits(hosted.work)
    tag = signed_tag(hosted.work, "v1.0.0")
    found = await check(hosted, keys, GitRef(tag="v1.0.0"))
    assert found == Verified(f"tag 'v1.0.0@sha1:{tag}'", ada.fingerprint)
    hosted.work.push(f"{tag}:refs/tags/v2.0.0")
    said = await refused(hosted, keys, codes.SIGNATURE_INVALID, "InvalidTagSignature", GitRef(tag="v2.0.0"))
    assert "made for another tag" in said
    keyring.sign_commits(hosted.work, "Plain")
    signed_tag(hosted.work, "v3.0.0")
    found = await check(hosted, keys, GitRef(semver=">=3.0.0"))
    assert found.key == keyring.key_id("Plain")


async def test_a_tag_that_is_not_signed_or_by_a_stranger_is_refused(hosted: Hosted, ada: SshKey, eve: SshKey) -> None:
    hosted.commit({"a": "1"})
    hosted.work.tag("light")
    hosted.work.tag("plain", annotated=True)
    eve.sign_commits(hosted.work)
    signed_tag(hosted.work, "strange")
    keys: Data = {"ada.sshpub": ada.public}
    said = await refused(hosted, keys, codes.SIGNATURE_MISSING, "InvalidGitObject", GitRef(tag="light"))
    assert "lightweight" in said
    await refused(hosted, keys, codes.SIGNATURE_MISSING, "InvalidGitObject", GitRef(tag="plain"))
    await refused(hosted, keys, codes.SIGNER_UNKNOWN, "InvalidTagSignature", GitRef(tag="strange"))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({}, "no public key to verify"),
        ({"a.asc": b" \n", "b.sshpub": b"# nobody\n"}, "no public key to verify"),
        ({"a.sshpub": b"hunter22"}, "line 1 of 'a.sshpub' is no SSH public key"),
        ({"a.sshpub": b"x valid-before=soon ssh-ed25519 AAAA"}, "valid-before can't be read"),
        ({"a.asc": b"hunter22"}, "holds no OpenPGP public key"),
    ],
)
async def test_keys_that_can_t_be_used_are_named_and_never_mean_that_all_is_well(
    hosted: Hosted, data: dict[str, bytes], says: str
) -> None:
    hosted.commit({"a": "1"})
    with pytest.raises(UserError, match=says) as caught:
        await check(hosted, data)
    (problem,) = caught.value.problems
    assert (problem.code, problem.field) == (codes.VERIFY_KEYS, "spec.verify.secretRef")
    assert "hunter22" not in str(problem)


async def test_a_repository_with_sha256_hashes_is_verified_too(
    git_http: GitHttpServer, mirrors: Mirrors, ada: SshKey, tmp_path: Path
) -> None:
    longer = host(git_http, mirrors, tmp_path, "longer", sha256=True)
    ada.sign_commits(longer.work)
    commit = signed(longer.work, {"a": "1"})
    assert len(commit) == 64
    assert await check(longer, {"ada.sshpub": ada.public}) == Verified(f"commit '{commit}'", ada.fingerprint)
    longer.commit({"a": "2"})
    await refused(longer, {"ada.sshpub": ada.public}, codes.SIGNATURE_MISSING, "InvalidCommitSignature")

"""What git prints becomes an error: words of hosts that no test can reach. tests/integration/git meets the others."""

from __future__ import annotations

import pytest

from sluice.core import codes
from sluice.core.errors import AuthenticationFailed, RemoteError, SluiceError, StateError, UserError
from sluice.core.git_url import parse_url
from sluice.core.problem import Code
from sluice.git.auth import GitAuth
from sluice.git.errors import is_damaged, is_redirect, is_unadvertised, location_in, remote_error
from sluice.git.process import GitOutput

URL = parse_url("https://host/me/fleet")


@pytest.mark.parametrize(
    ("stderr", "kind", "code"),
    [
        ("fatal: repository 'https://host/x/' not found\n", UserError, codes.REF_MISSING),
        ("ERROR: Repository not found.\nfatal: Could not read from remote repository.\n", UserError, codes.REF_MISSING),
        ("remote: The project you were looking for could not be found.\n", UserError, codes.REF_MISSING),
        ("remote: HTTP Basic: Access denied.\nfatal: Authentication failed for 'https://host/x/'\n",
         AuthenticationFailed, codes.AUTH_REFUSED),
        ("fatal: unable to access 'https://host/x/': The requested URL returned error: 403\n",
         AuthenticationFailed, codes.AUTH_REFUSED),
        ("git@github.com: Permission denied (publickey,password).\n", AuthenticationFailed, codes.AUTH_REFUSED),
        ("fatal: unable to access 'https://host/x/': server certificate verification failed. CAfile: none\n",
         AuthenticationFailed, codes.HOST_UNVERIFIED),
        ("fatal: unable to access 'https://host/x/': SSL certificate problem: certificate has expired\n",
         AuthenticationFailed, codes.HOST_UNVERIFIED),
        ("fatal: unable to access 'https://host/x/': Could not resolve proxy: proxy\n",
         RemoteError, codes.REMOTE_UNREACHABLE),
        ("ssh: connect to host host port 22: Connection timed out\n", RemoteError, codes.REMOTE_UNREACHABLE),
        ("ssh: connect to host host port 22: No route to host\n", RemoteError, codes.REMOTE_UNREACHABLE),
        ("fatal: unable to access 'https://host/x/': The requested URL returned error: 502\n",
         RemoteError, codes.REMOTE_UNREACHABLE),
        ("error: RPC failed; curl 92 HTTP/2 stream 5 was not closed cleanly\nfatal: early EOF\n",
         RemoteError, codes.REMOTE_UNREACHABLE),
        ("error: index-pack died of signal 25\nfatal: fetch-pack: invalid output\n", UserError, codes.REPO_TOO_BIG),
        ("error: object 0123abcd: fullPathname: contains full pathnames\nfatal: fsck error in packed object\n",
         UserError, codes.TREE_ENTRY),
        ("fatal: write error: No space left on device\nfatal: index-pack failed\n", StateError, codes.SOURCE_MISSING),
        ("remote: fatal: write error: No space left on device\nfatal: early EOF\n",
         RemoteError, codes.REMOTE_UNREACHABLE),
        ("", RemoteError, codes.REMOTE_UNREACHABLE),
    ],
)  # fmt: skip
def test_a_host_s_words_are_put_into_one_kind_of_error(stderr: str, kind: type[SluiceError], code: Code) -> None:
    error = remote_error(GitOutput(128, b"", stderr), URL, GitAuth(), timeout=60)
    assert type(error) is kind
    (problem,) = error.problems
    assert problem.code is code
    assert problem.cause.startswith("https://host/me/fleet: ")


def test_a_host_s_own_reason_for_refusing_a_login_is_told_instead_of_ours() -> None:
    stderr = (
        "remote: Invalid username or token. Password authentication is not supported.\nfatal: could not read Username"
    )
    (problem,) = remote_error(GitOutput(128, b"", stderr), URL, GitAuth(authorization="Basic x"), timeout=60).problems
    assert "Password authentication is not supported" in problem.cause


def test_secrets_in_git_s_words_are_masked() -> None:
    auth = GitAuth(authorization="Basic c2VjcmV0", proxy="http://u:hunter2@proxy:3128")
    stderr = "fatal: c2VjcmV0 at http://u:hunter2@proxy:3128 and https://me:hunter2@host/x failed\n"
    text = str(remote_error(GitOutput(128, b"", stderr), URL, auth, timeout=60))
    assert "hunter2" not in text
    assert "c2VjcmV0" not in text


def test_terminal_sequences_from_a_remote_are_made_harmless() -> None:
    text = str(remote_error(GitOutput(128, b"", "remote: \x1b[2Jgone\x07\n"), URL, GitAuth(), timeout=60))
    assert text.isprintable()


def test_the_states_that_git_goes_on_from_are_told_apart() -> None:
    assert is_unadvertised("fatal: remote error: upload-pack: not our ref " + "1" * 40)
    assert is_unadvertised("error: Server does not allow request for unadvertised object " + "1" * 40)
    assert is_redirect("fatal: unable to access 'http://h/x/': The requested URL returned error: 301")
    assert not is_redirect("The requested URL returned error: 304")
    assert location_in("http.c:1: <= Recv header: Location: http://h/y\n") == "http://h/y"
    assert location_in("nothing") is None
    assert is_damaged("error: object file ./objects/ab/cd is empty\nfatal: loose object abcd (stored in x) is corrupt")
    assert not is_damaged("fatal: early EOF")

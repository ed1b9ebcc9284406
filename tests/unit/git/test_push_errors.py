"""What hosts say to a push that is not taken, in words that no test server can produce."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.core import codes
from sluice.core.errors import AuthenticationFailed, RemoteError, SluiceError
from sluice.core.git_url import parse_url
from sluice.core.problem import Code
from sluice.git.auth import GitAuth
from sluice.git.limits import DEFAULT_LIMITS, DEFAULT_POLICY
from sluice.git.process import GitOutput
from sluice.git.push import PushAnswer, RefResult
from sluice.git.push_errors import push_error
from sluice.git.remote import Remote

DECLINED = "[remote rejected] (pre-receive hook declined)"
PROTECTED = "[remote rejected] (protected branch hook declined)"


def error_for(stderr: str, summary: str = "", auth: GitAuth | None = None) -> SluiceError:
    url = parse_url("https://host/me/fleet")
    remote = Remote(
        url, auth or GitAuth("Basic eA=="), policy=DEFAULT_POLICY, limits=DEFAULT_LIMITS, scratch=Path("/x")
    )
    results = (RefResult("refs/heads/main", "!", summary),) if summary else ()
    return push_error(PushAnswer(GitOutput(1, b"", stderr), results, 1), remote, 60)


@pytest.mark.parametrize(
    ("stderr", "summary", "kind", "code"),
    [
        ("remote: error: GH006: Protected branch update failed.\n", PROTECTED, RemoteError, codes.PROTECTED_BRANCH),
        ("remote: error: GH013: Repository rule violations found\n", DECLINED, RemoteError, codes.PROTECTED_BRANCH),
        ("", PROTECTED, RemoteError, codes.PROTECTED_BRANCH),
        ("remote: GitLab: You are not allowed to push code to protected branches on this project.\n", DECLINED,
         RemoteError, codes.PROTECTED_BRANCH),
        ("remote: Gitea: Not allowed to push to protected branch main\n", DECLINED, RemoteError,
         codes.PROTECTED_BRANCH),
        ("", "[remote rejected] (TF402455: Pushes to this branch are not permitted; you must use a pull request.)",
         RemoteError, codes.PROTECTED_BRANCH),
        ("remote: GitLab: Commit must be signed with a GPG key\n", DECLINED, RemoteError, codes.SIGNATURE_REQUIRED),
        (("remote: Write access to repository not granted.\nfatal: unable to access 'https://host/me/fleet/': "
         "The requested URL returned error: 403\n"), "", AuthenticationFailed, codes.PUSH_DENIED),
        (("remote: Permission to me/fleet.git denied to bot.\nfatal: unable to access 'https://host/me/fleet/': "
         "The requested URL returned error: 403\n"), "", AuthenticationFailed, codes.PUSH_DENIED),
        (("ERROR: The key you are authenticating with has been marked as read only.\nfatal: Could not read from remote "
         "repository.\n"), "", AuthenticationFailed, codes.PUSH_DENIED),
        ("ERROR: This deploy key does not have write access to this project.\n", "", AuthenticationFailed,
         codes.PUSH_DENIED),
        ("remote: This repository was archived so it is read-only.\n", "", AuthenticationFailed, codes.PUSH_DENIED),
        ("fatal: could not read Username for 'https://host': terminal prompts disabled\n", "", AuthenticationFailed,
         codes.PUSH_DENIED),
        ("", "[remote rejected] (prohibited by Gerrit: not permitted: update)", RemoteError, codes.PUSH_DECLINED),
        ("remote: error: File big is 123 MB; this exceeds the file size limit of 100 MB\n", DECLINED, RemoteError,
         codes.PUSH_DECLINED),
        ("fatal: unable to access 'https://host/me/fleet/': Could not resolve host: host\n", "", RemoteError,
         codes.REMOTE_UNREACHABLE),
        ("error: RPC failed; HTTP 502 curl 22 The requested URL returned error: 502\n", "", RemoteError,
         codes.REMOTE_UNREACHABLE),
    ],
)  # fmt: skip
def test_a_host_s_refusal_is_put_into_one_kind_of_error(
    stderr: str, summary: str, kind: type[SluiceError], code: Code
) -> None:
    error = error_for(stderr, summary)
    (problem,) = error.problems
    assert (type(error), problem.code) == (kind, code)
    assert problem.cause.startswith("https://host/me/fleet: ")
    assert problem.fix or code is codes.REMOTE_UNREACHABLE


def test_the_host_s_own_sentences_are_told_once_and_without_decoration() -> None:
    stderr = (
        "remote: \nremote: =====\nremote: ticket number missing        \nremote: ticket number missing\n"
        "remote: see the wiki\nTo https://host/me/fleet\nerror: failed to push some refs to 'https://host/me/fleet'\n"
    )
    (problem,) = error_for(stderr, DECLINED).problems
    assert problem.cause == (
        "https://host/me/fleet: main: pre-receive hook declined; it says: ticket number missing / see the wiki"
    )


def test_a_push_that_took_too_long_says_so_whatever_was_said_before() -> None:
    url = parse_url("https://host/me/fleet")
    remote = Remote(url, GitAuth(), policy=DEFAULT_POLICY, limits=DEFAULT_LIMITS, scratch=Path("/x"))
    output = GitOutput(-1, b"", "remote: protected", timed_out=True)
    assert push_error(PushAnswer(output, (), 1), remote, 60).problems[0].code is codes.REMOTE_UNREACHABLE

"""A push that the host does not take is named with what the host said, moves nothing, and is not tried in a loop."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from devcluster.git_http import GitHttpServer
from devcluster.git_repository import WorkingRepo
from devcluster.git_ssh import GitSshServer
from sluice.core import codes
from sluice.core.errors import AuthenticationFailed, RemoteError, UserError
from sluice.core.git_url import parse_url
from sluice.core.problem import Code
from sluice.git.auth import auth_of_secret
from sluice.git.mirrors import Mirrors
from sluice.git.write_back import Gates, write_back
from tests.git_servers import Hosted, git_http, git_ssh, host, hosted, mirrors
from tests.git_writing import BUMP, OLD, WEB, git, hook, log, wanted

__all__ = ["git_http", "git_ssh", "hosted", "mirrors"]


@pytest.mark.parametrize(
    ("says", "code", "field"),
    [
        ("GH006: Protected branch update failed for refs/heads/main.", codes.PROTECTED_BRANCH, "push.branch"),
        ("GitLab: You are not allowed to push code to protected branches.", codes.PROTECTED_BRANCH, "push.branch"),
        ("GH006: Commits must have verified signatures.", codes.SIGNATURE_REQUIRED, "commit.signingKey"),
        ("GL-HOOK-ERR: ticket number missing", codes.PUSH_DECLINED, "push"),
        ("", codes.PUSH_DECLINED, "push"),
    ],
)
async def test_a_hook_that_declines_is_quoted_and_asked_once(hosted: Hosted, says: str, code: Code, field: str) -> None:
    hosted.commit({WEB: OLD})
    hook(hosted.bare, "pre-receive", f"echo x >> asked; echo '{says}' >&2; exit 1")
    with pytest.raises(RemoteError) as caught:
        await write_back(hosted.mirror, wanted(), BUMP)
    (problem,) = caught.value.problems
    assert (problem.code, problem.field) == (code, f"spec.git.{field}")
    assert "main: pre-receive hook declined" in problem.cause
    assert says in problem.cause
    assert problem.fix
    assert (hosted.bare / "asked").read_text() == "x\n"
    assert log(hosted.bare) == ["change"]


async def test_what_a_hook_prints_can_not_draw_on_a_terminal_or_fill_a_status(hosted: Hosted) -> None:
    hosted.commit({WEB: OLD})
    hook(hosted.bare, "pre-receive", r"printf '\033[2Jboo\n%10000s\n' x >&2; exit 1")
    with pytest.raises(RemoteError) as caught:
        await write_back(hosted.mirror, wanted(), BUMP)
    text = str(caught.value)
    assert text.isprintable()
    assert len(text) < 1000


async def test_a_host_that_serves_reads_only_is_told_from_one_that_wants_other_credentials(hosted: Hosted) -> None:
    hosted.commit({WEB: OLD})
    git(hosted.bare, "config", "http.receivepack", "false")
    with pytest.raises(AuthenticationFailed) as caught:
        await write_back(hosted.mirror, wanted(), BUMP)
    (problem,) = caught.value.problems
    assert (problem.code, problem.field) == (codes.PUSH_DENIED, "spec.secretRef")
    assert "no credentials were sent" in problem.cause


SECRET = {"username": b"ada", "password": b"hunter22"}


async def test_a_password_that_may_write_writes_and_is_never_shown(mirrors: Mirrors, tmp_path: Path) -> None:
    with GitHttpServer(tmp_path / "guarded", user="ada", password="hunter22") as server:
        repo = host(server, mirrors, tmp_path, "fleet", auth=auth_of_secret(parse_url(server.url("fleet")), SECRET))
        repo.commit({WEB: OLD})
        assert (await write_back(repo.mirror, wanted(), BUMP)).outcome == "pushed"
        git(repo.bare, "update-ref", "refs/heads/main", "main~1")
        hook(repo.bare, "pre-receive", "echo 'you sent YWRhOmh1bnRlcjIy' >&2; exit 1")
        with pytest.raises(RemoteError) as caught:
            await write_back(repo.mirror, wanted(), BUMP)
        assert "YWRhOmh1bnRlcjIy" not in str(caught.value)


async def test_a_deploy_key_that_may_only_read_is_named(
    git_ssh: GitSshServer, mirrors: Mirrors, tmp_path: Path
) -> None:
    bare = git_ssh.create("fleet")
    WorkingRepo(tmp_path / "work", bare).commit({WEB: OLD}, "change")
    hook(bare, "pre-receive", "echo 'The key you are authenticating with has been marked as read only.' >&2; exit 1")
    url = parse_url(git_ssh.url("fleet"))
    secret: Mapping[str, bytes] = {
        "identity": git_ssh.identity.encode(), "known_hosts": git_ssh.known_hosts.encode()
    }  # fmt: skip
    auth = auth_of_secret(url, secret)
    with pytest.raises(AuthenticationFailed) as caught:
        await write_back(mirrors.open(url, auth), wanted(), BUMP)
    (problem,) = caught.value.problems
    assert problem.code is codes.PUSH_DENIED
    assert auth.fingerprint in problem.cause


async def test_two_refs_that_the_host_can_t_move_together_are_not_moved_one_by_one(hosted: Hosted) -> None:
    hosted.commit({WEB: OLD})
    git(hosted.bare, "config", "receive.advertiseAtomic", "false")
    with pytest.raises(UserError) as caught:
        await write_back(hosted.mirror, wanted(branch="main", refspec="main:smoke"), BUMP)
    (problem,) = caught.value.problems
    assert (problem.code, problem.field) == (codes.NO_ATOMIC_PUSH, "spec.git.push")
    assert log(hosted.bare) == ["change"]


async def test_read_only_mode_plans_and_commits_nothing(hosted: Hosted) -> None:
    hosted.commit({WEB: OLD})
    with pytest.raises(UserError) as caught:
        await write_back(hosted.mirror, wanted(), BUMP, Gates(read_only=True))
    assert caught.value.problems[0].code is codes.GIT_READ_ONLY
    assert log(hosted.bare) == ["change"]

"""Git as a GitHub App: the exchange against an imitation of GitHub's API, and the fetch with what it gives."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from devcluster.git_http import GitHttpServer
from devcluster.git_repository import WorkingRepo
from sluice.core import codes
from sluice.core.errors import AuthenticationFailed, RemoteError, UserError
from sluice.core.git_url import parse_url
from sluice.git.github_app import GitHubApp, github_app_of
from sluice.git.mirrors import Mirrors
from sluice.reconcilers.github_apps import GitHubApps
from sluice.registry.limits import RegistryLimits, RegistryPolicy
from sluice.registry.transport import Transport
from tests.git_servers import MAIN, mirrors
from tests.github_imitation import APP_ID, INSTALLATION, OWNER, GitHubImitation, pem, private_key

__all__ = ["mirrors"]

FIRST, SECOND = "ghs_hunter1123456789", "ghs_hunter2123456789"


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    """The app's key."""
    return private_key()


@pytest.fixture
def github(key: rsa.RSAPrivateKey) -> Iterator[GitHubImitation]:
    """GitHub, which gives out two tokens in turn."""
    with GitHubImitation(key, [FIRST, SECOND]) as server:
        yield server


@pytest.fixture
async def apps() -> AsyncIterator[GitHubApps]:
    """What the operator asks with."""
    async with Transport(RegistryPolicy(allow_loopback=True), RegistryLimits(), "sluice") as transport:
        yield GitHubApps(transport)


def app_of(github: GitHubImitation, key: rsa.RSAPrivateKey, **more: str) -> GitHubApp:
    """The Secret of the app, read."""
    named = more or {"githubAppInstallationID": str(INSTALLATION)}
    data = {"githubAppID": APP_ID, "githubAppPrivateKey": pem(key), "githubAppBaseURL": github.url, **named}
    return github_app_of({name: value.encode() for name, value in data.items()})


async def test_an_app_fetches_and_its_mirror_outlives_its_tokens(
    github: GitHubImitation, apps: GitHubApps, mirrors: Mirrors, key: rsa.RSAPrivateKey, tmp_path: Path
) -> None:
    app, now = app_of(github, key), datetime.now(UTC)
    with GitHttpServer(tmp_path / "http", user="x-access-token", password=FIRST) as server:
        work = WorkingRepo(tmp_path / "work", server.create("fleet"))
        commit = work.commit({"a": "1"}, "one")
        mirror = mirrors.open(parse_url(server.url("fleet")), await apps.auth(app, now))
        resolved = await mirror.resolve(MAIN)
        await mirror.fetch(resolved)
        assert resolved.commit == commit
        github.ahead = 56 * 60
        renewed = await apps.auth(app, now + timedelta(minutes=56))
        assert mirrors.open(parse_url(server.url("fleet")), renewed) is mirror
        with pytest.raises(AuthenticationFailed):
            await mirror.resolve(MAIN)  # this server still knows the first token only
    assert [line for line in github.asked if "access_tokens" in line] == [
        f"POST /api/v3/app/installations/{INSTALLATION}/access_tokens"
    ] * 2


async def test_a_token_is_asked_for_once_and_again_before_it_runs_out(
    github: GitHubImitation, apps: GitHubApps, key: rsa.RSAPrivateKey
) -> None:
    app, now = app_of(github, key), datetime.now(UTC)
    first = await apps.auth(app, now)
    assert await apps.auth(app_of(github, key), now + timedelta(minutes=54)) == first
    assert len(github.asked) == 1
    github.ahead = 56 * 60
    second = await apps.auth(app, now + timedelta(minutes=56))
    assert second != first
    assert second.digest() == first.digest()
    apps.forget(app)
    await apps.auth(app, now + timedelta(minutes=56))
    assert len(github.asked) == 3


async def test_the_installation_is_found_by_its_owner(
    github: GitHubImitation, apps: GitHubApps, key: rsa.RSAPrivateKey
) -> None:
    await apps.auth(app_of(github, key, githubAppInstallationOwner=OWNER), datetime.now(UTC))
    assert github.asked[:2] == [f"GET /api/v3/orgs/{OWNER}/installation", f"GET /api/v3/users/{OWNER}/installation"]
    with pytest.raises(AuthenticationFailed, match="no installation of the app for 'stranger'"):
        await apps.auth(app_of(github, key, githubAppInstallationOwner="stranger"), datetime.now(UTC))


async def test_another_key_gets_nothing_and_no_secret_is_told(github: GitHubImitation, apps: GitHubApps) -> None:
    app = app_of(github, private_key())
    with pytest.raises(AuthenticationFailed) as caught:
        await apps.auth(app, datetime.now(UTC))
    (problem,) = caught.value.problems
    assert (problem.code, problem.field, problem.cause) == (codes.GITHUB_APP, "spec.secretRef", "it answers 401")
    assert "PRIVATE" not in repr(app)


async def test_an_api_that_does_not_answer_is_tried_again(
    github: GitHubImitation, apps: GitHubApps, key: rsa.RSAPrivateKey
) -> None:
    gone = app_of(github, key, githubAppInstallationID="1", githubAppBaseURL="http://127.0.0.1:9/api")
    with pytest.raises(RemoteError, match="can't be asked for a token"):
        await apps.auth(gone, datetime.now(UTC))


async def test_an_api_at_a_forbidden_address_is_not_asked(github: GitHubImitation, key: rsa.RSAPrivateKey) -> None:
    async with Transport(RegistryPolicy(), RegistryLimits(), "sluice") as strict:
        with pytest.raises(RemoteError, match="must not be reached"):
            await GitHubApps(strict).auth(app_of(github, key), datetime.now(UTC))
    assert github.asked == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"githubAppID": ""}, "no 'githubAppID'"),
        ({"githubAppPrivateKey": ""}, "no 'githubAppPrivateKey'"),
        ({"githubAppPrivateKey": "hunter22"}, "no RSA private key"),
        ({"githubAppInstallationID": ""}, "must have one of"),
        ({"githubAppInstallationOwner": "acme"}, "must have one of"),
        ({"githubAppInstallationID": "1/2"}, "is no number"),
        ({"githubAppBaseURL": "http://github.example/api"}, "no https URL"),
        ({"githubAppID": "1\n2"}, "not plain text"),
    ],
)
def test_a_secret_that_can_t_be_used_says_which_key(change: dict[str, str], says: str, key: rsa.RSAPrivateKey) -> None:
    data = {"githubAppID": APP_ID, "githubAppPrivateKey": pem(key), "githubAppInstallationID": "1", **change}
    with pytest.raises(UserError, match=says) as caught:
        github_app_of({name: value.encode() for name, value in data.items()})
    assert caught.value.problems[0].code is codes.GITHUB_APP
    assert "hunter22" not in str(caught.value)

"""A GitRepository with `provider: github`, from its Secret to what is applied."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from devcluster.git_http import GitHttpServer
from devcluster.git_repository import WorkingRepo
from tests.github_imitation import APP_ID, INSTALLATION, GitHubImitation, pem, private_key
from tests.operator_fixture import Bench, condition, config_map, poll

TOKEN = "ghs_hunter0123456789"


def test_a_repository_is_synced_as_a_github_app_and_a_key_that_is_wrong_is_told(bench: Bench, tmp_path: Path) -> None:
    key, sync = private_key(), bench.source()
    with (
        GitHubImitation(key, [TOKEN]) as github,
        GitHttpServer(tmp_path / "git", user="x-access-token", password=TOKEN) as server,
    ):
        sync.repo = WorkingRepo(tmp_path / "work", server.create("fleet"))
        revision = sync.commit({"a.yaml": config_map("a")})
        data = {"githubAppID": APP_ID, "githubAppInstallationID": str(INSTALLATION), "githubAppBaseURL": github.url}
        secrets = f"/api/v1/namespaces/{bench.namespace}/secrets"
        wrong = {"metadata": {"name": sync.name}, "stringData": {**data, "githubAppPrivateKey": "x"}}
        bench.api.create(secrets, wrong)
        sync.create_source(url=server.url("fleet"), provider="github", secretRef={"name": sync.name})
        sync.create()

        def ready(reason: str) -> bool:
            found = bench.api.get(sync.source_path)
            return found is not None and condition(found, "Ready").get("reason") == reason

        poll("the Secret is refused", lambda: ready("InvalidProviderConfiguration"))
        for pair, reason in ((private_key(), "AuthenticationFailed"), (key, "Succeeded")):
            bench.api.patch(f"{secrets}/{sync.name}", {"stringData": {"githubAppPrivateKey": pem(pair)}})
            sync.request(sync.source_path)
            poll(reason, partial(ready, reason))
        sync.wait_ready(revision)
        assert sync.config("a")

"""azuredevops: the status of a commit of a repository in Azure DevOps, with a personal access token."""

from __future__ import annotations

from typing import Any

from sluice.notify.commit_status import CommitStatus, StatusApi, read, repository_of
from sluice.notify.message import Request, Target, basic, post_json

API_VERSION = "6.0"


def _api(status: CommitStatus, target: Target) -> str:
    """From `https://dev.azure.com/<organization>/<project>/_git/<repository>`."""
    origin, (organization, project, _, name) = repository_of(target, 4)
    base = f"{origin}/{organization}/{project}/_apis/git/repositories/{name}"
    return f"{base}/commits/{status.commit}/statuses?api-version={API_VERSION}"


def _login(target: Target) -> dict[str, str]:
    return basic("", target.need_token())


def _ask(status: CommitStatus, target: Target) -> Request:
    return Request(f"{_api(status, target)}&latestOnly=true", method="GET", headers=_login(target))


def _is_set(answer: bytes, status: CommitStatus) -> bool:
    found: dict[str, Any] = read(answer, dict[str, Any], {})
    statuses = found.get("value")
    ours = _body(status)
    for each in statuses if isinstance(statuses, list) else ():
        context = each.get("context") if isinstance(each, dict) else None
        if isinstance(context, dict) and all(context.get(key) == text for key, text in ours["context"].items()):
            return bool((each.get("state"), each.get("description")) == (ours["state"], ours["description"]))
    return False


def _body(status: CommitStatus) -> dict[str, Any]:
    return {
        "state": status.word("succeeded", "error"),
        "description": status.description,
        "context": {"genre": status.genre, "name": status.context},
    }


def _put(status: CommitStatus, target: Target) -> Request:
    return post_json(_api(status, target), _body(status), _login(target))


AZURE_DEVOPS = StatusApi(_ask, _is_set, _put)

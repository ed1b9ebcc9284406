"""gitlab: the status of a commit, shown as a job of an external pipeline."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from sluice.notify.commit_status import CommitStatus, StatusApi, read, repository_of
from sluice.notify.message import Request, Target, post_json


def _api(target: Target) -> str:
    """The API's address of the project; its id is its whole path, groups and all, or a number."""
    origin, path = repository_of(target, None)
    return f"{origin}/api/v4/projects/{quote('/'.join(path), safe='')}"


def _headers(target: Target) -> dict[str, str]:
    if not target.token and not target.password:
        target.need_token()
    return {"PRIVATE-TOKEN": target.token or target.password}


def _ask(status: CommitStatus, target: Target) -> Request:
    url = f"{_api(target)}/repository/commits/{status.commit}/statuses?name={quote(status.context, safe='')}"
    return Request(url, method="GET", headers=_headers(target))


def _is_set(answer: bytes, status: CommitStatus) -> bool:
    found: list[dict[str, Any]] = read(answer, list[dict[str, Any]], [])
    expected = {
        "sha": status.commit,
        "status": status.word("success", "failed"),
        "description": status.description,
        "name": status.context,
    }
    return any(all(each.get(key) == value for key, value in expected.items()) for each in found)


def _put(status: CommitStatus, target: Target) -> Request:
    state = status.word("success", "failed")
    body = {"state": state, "name": status.context, "description": status.description}
    return post_json(f"{_api(target)}/statuses/{status.commit}", body, _headers(target))


GITLAB = StatusApi(_ask, _is_set, _put)

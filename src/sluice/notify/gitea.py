"""gitea: the status of a commit, at Gitea and at Forgejo; giteapullrequestcomment: a comment."""

from __future__ import annotations

from typing import Any

from sluice.notify.change_request_comment import PER_PAGE, comments_like_githubs
from sluice.notify.commit_status import CommitStatus, StatusApi, latest_says, read, repository_of
from sluice.notify.message import Request, Target, post_json


def _api(target: Target) -> str:
    origin, (owner, name) = repository_of(target, 2)
    return f"{origin}/api/v1/repos/{owner}/{name}"


def _headers(target: Target) -> dict[str, str]:
    return {"Authorization": f"token {target.need_token()}"}


def _ask(status: CommitStatus, target: Target) -> Request:
    url = f"{_api(target)}/commits/{status.commit}/statuses?limit=50"
    return Request(url, method="GET", headers=_headers(target))


def _is_set(answer: bytes, status: CommitStatus) -> bool:
    found: list[dict[str, Any]] = read(answer, list[dict[str, Any]], [])
    state = status.word("success", "failure")
    expected = {"status": state, "description": status.description, "context": status.context}
    return latest_says(found, "context", expected)


def _put(status: CommitStatus, target: Target) -> Request:
    state = status.word("success", "failure")
    body = {"state": state, "target_url": "", "description": status.description, "context": status.context}
    return post_json(f"{_api(target)}/statuses/{status.commit}", body, _headers(target))


GITEA = StatusApi(_ask, _is_set, _put)


def _me(target: Target) -> Request:
    origin, _ = repository_of(target, 2)
    return Request(f"{origin}/api/v1/user", method="GET", headers=_headers(target))


GITEA_COMMENTS = comments_like_githubs(_me, _api, _headers, first_page=f"page=1&limit={PER_PAGE}")

"""gitlab: the status of a commit, a job of an external pipeline; gitlabmergerequestcomment: a note."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import quote

from sluice.notify.change_request_comment import LIST_BYTES, PER_PAGE, CommentApi
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


def _me(target: Target) -> Request:
    origin, _ = repository_of(target, None)
    return Request(f"{origin}/api/v4/user", method="GET", headers=_headers(target))


def _notes(target: Target, number: str) -> str:
    return f"{_api(target)}/merge_requests/{number}/notes"


def _comments(target: Target, number: str) -> Request:
    url = f"{_notes(target, number)}?sort=asc&order_by=created_at&per_page={PER_PAGE}"
    return Request(url, method="GET", headers=_headers(target), answer_bytes=LIST_BYTES)


def _create(target: Target, number: str, text: str) -> Request:
    return post_json(_notes(target, number), {"body": text}, _headers(target))


def _edit(target: Target, number: str, comment: str, text: str) -> Request:
    request = post_json(f"{_notes(target, number)}/{comment}", {"body": text}, _headers(target))
    return replace(request, method="PUT")


GITLAB_COMMENTS = CommentApi("flux-mr-comment-key", "username", ("author", "username"), _me, _comments, _create, _edit)

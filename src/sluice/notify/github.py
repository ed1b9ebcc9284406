"""github: the status of a commit; githubdispatch: what starts workflows; githubpullrequestcomment: a comment."""

from __future__ import annotations

from typing import Any

from sluice.core.event import Event
from sluice.notify.change_request_comment import PER_PAGE, comments_like_githubs
from sluice.notify.commit_status import CommitStatus, StatusApi, latest_says, read, repository_of
from sluice.notify.message import Request, Target, bearer, post_json

PUBLIC = "https://github.com"
PUBLIC_API = "https://api.github.com"


def _root(target: Target) -> str:
    """The API's address: GitHub's own, or that of an Enterprise server."""
    origin, _ = repository_of(target, 2)
    return PUBLIC_API if origin == PUBLIC else f"{origin}/api/v3"


def _api(target: Target) -> str:
    """The API's address of the repository."""
    _, (owner, name) = repository_of(target, 2)
    return f"{_root(target)}/repos/{owner}/{name}"


def _headers(target: Target) -> dict[str, str]:
    return {"Accept": "application/vnd.github+json", **bearer(target.need_token())}


def _body(status: CommitStatus) -> dict[str, str]:
    state = status.word("success", "failure")
    return {"state": state, "description": status.description, "context": status.context}


def _ask(status: CommitStatus, target: Target) -> Request:
    url = f"{_api(target)}/commits/{status.commit}/statuses?per_page=50"
    return Request(url, method="GET", headers=_headers(target))


def _is_set(answer: bytes, status: CommitStatus) -> bool:
    found: list[dict[str, Any]] = read(answer, list[dict[str, Any]], [])
    return latest_says(found, "context", _body(status))


def _put(status: CommitStatus, target: Target) -> Request:
    return post_json(f"{_api(target)}/statuses/{status.commit}", _body(status), _headers(target))


GITHUB = StatusApi(_ask, _is_set, _put)


def githubdispatch(event: Event, target: Target) -> tuple[Request, ...]:
    """One repository_dispatch; workflows choose by its type, `<Kind>/<name>.<namespace>`."""
    subject = event.involved_object
    body = {"event_type": f"{subject.kind}/{subject.name}.{subject.namespace}", "client_payload": event}
    return (post_json(f"{_api(target)}/dispatches", body, _headers(target)),)


def _me(target: Target) -> Request:
    return Request(f"{_root(target)}/user", method="GET", headers=_headers(target))


GITHUB_COMMENTS = comments_like_githubs(_me, _api, _headers, first_page=f"per_page={PER_PAGE}")

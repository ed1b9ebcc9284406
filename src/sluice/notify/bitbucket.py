"""bitbucket, in Atlassian's cloud, and bitbucketserver, on one's own: the build status of a commit."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import urlsplit

from sluice.notify.commit_status import CommitStatus, StatusApi, read, repository_of
from sluice.notify.message import Request, Target, basic, bearer, post_json

CLOUD_API = "https://api.bitbucket.org/2.0"
_CLONE = "/scm/"


def _key(status: CommitStatus) -> str:
    """Keys have 40 characters at most."""
    return hashlib.sha1(status.context.encode(), usedforsecurity=False).hexdigest()


def _cloud_api(status: CommitStatus, target: Target) -> str:
    _, (owner, name) = repository_of(target, 2)
    return f"{CLOUD_API}/repositories/{owner}/{name}/commit/{status.commit}/statuses/build"


def _cloud_login(target: Target) -> dict[str, str]:
    user, colon, password = target.need_token().partition(":")
    if not colon or not user or not password or ":" in password:
        target.refuse_secret("its token is not <user>:<app password>", "write token as <user>:<app password>")
    return basic(user, password)


def _cloud_ask(status: CommitStatus, target: Target) -> Request:
    return Request(f"{_cloud_api(status, target)}/{_key(status)}", method="GET", headers=_cloud_login(target))


def _cloud_is_set(answer: bytes, status: CommitStatus) -> bool:
    found: dict[str, Any] = read(answer, dict[str, Any], {})
    state = status.word("SUCCESSFUL", "FAILED")
    return (found.get("state"), found.get("description")) == (state, status.description)


def _cloud_put(status: CommitStatus, target: Target) -> Request:
    body = {
        "state": status.word("SUCCESSFUL", "FAILED"),
        "key": _key(status),
        "name": status.subject,
        "url": "https://bitbucket.org",
        "description": status.description,
    }
    return post_json(_cloud_api(status, target), body, _cloud_login(target))


def _server_api(status: CommitStatus, target: Target) -> str:
    """From the address that git clones by: `https://host[/context]/scm/<project>/<repository>.git`."""
    url = urlsplit(target.need_address())
    context, found, repository = url.path.removesuffix(".git").rpartition(_CLONE)
    project, slash, name = repository.partition("/")
    if not found or not slash or not project or not name or "/" in name:
        target.refuse_address("the http URL that git clones by, https://<host>/scm/<project>/<repository>.git")
    base = f"{url.scheme}://{url.netloc.rpartition('@')[2]}{context}"
    return f"{base}/rest/api/latest/projects/{project}/repos/{name}/commits/{status.commit}/builds"


def _server_headers(target: Target) -> dict[str, str]:
    login = bearer(target.token)
    if not login and target.username and target.password:
        login = basic(target.username, target.password)
    if not login:
        target.refuse_secret(
            "it has no login", "put `token`, or `username` and `password`, into the Secret of secretRef"
        )
    return {"X-Atlassian-Token": "no-check", **login}


def _server_ask(status: CommitStatus, target: Target) -> Request:
    return Request(f"{_server_api(status, target)}?key={_key(status)}", method="GET", headers=_server_headers(target))


def _server_body(status: CommitStatus) -> dict[str, str]:
    # The page of a commit shows the name only, so that it holds the description too.
    return {
        "description": status.description,
        "key": _key(status),
        "name": f"{status.subject} [{status.description}]",
        "state": status.word("SUCCESSFUL", "FAILED"),
    }


def _server_is_set(answer: bytes, status: CommitStatus) -> bool:
    found: dict[str, Any] = read(answer, dict[str, Any], {})
    return all(found.get(key) == value for key, value in _server_body(status).items())


def _server_put(status: CommitStatus, target: Target) -> Request:
    body = _server_body(status) | {"url": target.address}
    return post_json(_server_api(status, target), body, _server_headers(target))


BITBUCKET = StatusApi(_cloud_ask, _cloud_is_set, _cloud_put)
BITBUCKET_SERVER = StatusApi(_server_ask, _server_is_set, _server_put)

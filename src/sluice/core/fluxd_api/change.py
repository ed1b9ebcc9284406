"""POST /v11/notify: somebody says that a git branch or an image repository has changed. A hint, never a fact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sluice.core.errors import UserError
from sluice.core.fluxd_api.fault import malformed
from sluice.core.git_url import parse_url
from sluice.core.image import ImageRefError, parse

MAX_TEXT = 2048
_HUB = frozenset({"", "docker.io", "index.docker.io"})


@dataclass(frozen=True, slots=True)
class GitChange:
    """A branch of a remote has moved."""

    url: str
    branch: str


@dataclass(frozen=True, slots=True)
class ImageChange:
    """Something was pushed to an image repository, named in full (`docker.io/library/nginx`)."""

    canonical_name: str


def read_change(value: Any) -> GitChange | ImageChange:
    """Read a decoded body; keys in any case, as Go reads them. Raises ApiFault (400) for anything else."""
    body = _lower(value)
    kind, source = body.get("kind"), _lower(body.get("source"))
    if kind == "git":
        return GitChange(_text(source, "url"), _text(source, "branch"))
    if kind == "image":
        name = _lower(source.get("name"))
        domain, image = _text(name, "domain"), _text(name, "image")
        try:
            return ImageChange(parse(image if domain in _HUB else f"{domain}/{image}").canonical_name)
        except ImageRefError as error:
            raise malformed(f"Source.Name is no image: {error}") from None
    raise malformed("unknown kind of change", 'write {"Kind": "git" or "image", "Source": {…}}')


def is_same_remote(ours: str, told: str) -> bool:
    """True when two URLs mean one repository: host and path count, the way to get there and `.git` do not.

    >>> is_same_remote("ssh://git@example.com/team/app", "https://example.com/team/app.git")
    True
    """
    try:
        one, other = parse_url(ours, scp=True), parse_url(told, scp=True)
    except UserError:
        return False
    return (one.host, one.port, _bare(one.path)) == (other.host, other.port, _bare(other.path))


def _bare(path: str) -> str:
    return path.strip("/").removesuffix(".git")


def _lower(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise malformed("the change has not the form of one", 'write {"Kind": …, "Source": {…}}')
    return {str(key).lower(): item for key, item in value.items()}


def _text(source: dict[str, Any], key: str) -> str:
    value = source.get(key, "")
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise malformed(f"{key} of the change is no text of at most {MAX_TEXT} characters")
    return value

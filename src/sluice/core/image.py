"""Image references: `nginx:1.27` to registry host, repository, tag and digest, as Docker reads them. Pure.

The grammar is the one of the OCI distribution specification and of Docker's short names: without a host it is
`docker.io`, and there a name of one part belongs to `library/`. The form that somebody wrote is kept, for an edit must
leave it as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from sluice.core.codes import IMAGE_REF
from sluice.core.problem import Origin, Problem, clip, printable

if TYPE_CHECKING:  # settings read images, and with them every command line
    from sluice.core.ids import ResourceId

DOCKER_HUB = "docker.io"
MAX_REFERENCE = 1024
MAX_HOST = 253
MAX_REPOSITORY = 255
MAX_TAG = 128

_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?", re.ASCII)
_PART = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*", re.ASCII)
_TAG = re.compile(r"[0-9A-Za-z_][0-9A-Za-z_.-]{0,127}", re.ASCII)
_IMAGE_ID = re.compile(r"[0-9a-f]{64}", re.ASCII)
_HEX = re.compile(r"[0-9a-f]+", re.ASCII)
_HEX_LENGTH = {"sha256": 64, "sha384": 96, "sha512": 128}


class ImageRefError(ValueError):
    """A text that is no image reference. `reason` is the broken rule; `position` counts characters from 1."""

    def __init__(self, text: str, reason: str, position: int) -> None:
        super().__init__(f"{reason}, at character {position} of {clip(printable(text), 120)!r}")
        self.text = text
        self.reason = reason
        self.position = position

    def problem(self, subject: ResourceId | None = None, origin: Origin | None = None, field: str = "") -> Problem:
        """The error as people see it; whoever wrote the reference can fix it."""
        return Problem(
            IMAGE_REF,
            "The image reference is not valid",
            subject=subject,
            origin=origin,
            field=field,
            cause=str(self),
            fix="write it as [host[:port]/]name[:tag][@sha256:…], in lower case but for the tag",
        )


@dataclass(frozen=True, slots=True)
class ImageTag:
    """A tag that a registry lists. `digest` and `created` (with a time zone) are None where nobody asked for them."""

    tag: str
    digest: str | None = None
    created: datetime | None = None


@dataclass(frozen=True, slots=True)
class ImageRef:
    """An image reference. `name` is the part before tag and digest as it was written; host and repository are whole.

    Two references to the same image may differ in `name`; `canonical` tells whether they are the same.
    """

    name: str
    host: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    def __str__(self) -> str:
        """The reference as it was written."""
        return self.name + self._suffix()

    @property
    def canonical_name(self) -> str:
        """Host and repository in full, without tag and digest.

        >>> parse("nginx:1.27").canonical_name
        'docker.io/library/nginx'
        """
        return f"{self.host}/{self.repository}"

    @property
    def canonical(self) -> str:
        """The whole reference with host and repository in full. No tag is added where there is none."""
        return self.canonical_name + self._suffix()

    def with_tag(self, tag: str | None, digest: str | None = None) -> ImageRef:
        """The same name with another tag and digest; the old ones are dropped. Raises ImageRefError when one is bad.

        >>> str(parse("nginx:1.27@sha256:" + "0" * 64).with_tag("1.28"))
        'nginx:1.28'
        """
        changed = replace(self, tag=tag, digest=digest)
        text = str(changed)
        if tag is not None:
            _check_tag(text, tag, len(self.name) + 1)
        if digest is not None:
            _check_digest(text, digest, len(text) - len(digest))
        return changed

    def _suffix(self) -> str:
        tag = "" if self.tag is None else f":{self.tag}"
        return tag if self.digest is None else f"{tag}@{self.digest}"


def parse(text: str) -> ImageRef:
    """Read an image reference. Raises ImageRefError, which says which rule is broken and where.

    A host is what stands before the first slash and has a dot, a colon, or is `localhost`. Docker also takes any name
    with a capital letter for a host; here that is an error, for it is a slip of the pen.

    >>> parse("ghcr.io/acme/web:v2").repository
    'acme/web'
    """
    if not text:
        raise ImageRefError(text, "it is empty", 1)
    if len(text) > MAX_REFERENCE:
        raise ImageRefError(text, f"it has more than {MAX_REFERENCE} characters", MAX_REFERENCE + 1)
    if _IMAGE_ID.fullmatch(text):
        raise ImageRefError(text, "64 hexadecimal digits are an image's id, not its name", 1)
    rest, at, digest = text.partition("@")
    if at:
        _check_digest(text, digest, len(rest) + 1)
    colon = rest.find(":", rest.rfind("/") + 1)
    name = rest if colon < 0 else rest[:colon]
    if colon >= 0:
        _check_tag(text, rest[colon + 1 :], colon + 1)
    host, repository = _split_host(text, name)
    return ImageRef(name, host, repository, rest[colon + 1 :] if colon >= 0 else None, digest if at else None)


def is_tag(text: str) -> bool:
    """True when a text can be a tag at all; what a registry lists has to pass here before it goes anywhere else."""
    return _TAG.fullmatch(text) is not None


def is_digest(text: str) -> bool:
    """True when a text is a digest that can be checked: sha256, sha384 or sha512, in lower case."""
    return not _digest_fault(text)


def _split_host(text: str, name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    if not slash or not (first == "localhost" or "." in first or ":" in first):
        _check_repository(text, name, 0)
        return DOCKER_HUB, name if slash else f"library/{name}"
    if len(first) > MAX_HOST:
        raise ImageRefError(text, f"the host has {len(first)} characters, limit {MAX_HOST}", MAX_HOST + 1)
    if not _HOST.fullmatch(first):
        raise ImageRefError(text, f"{first!r} is no host name with an optional port", 1)
    _check_repository(text, rest, len(first) + 1)
    if first in {DOCKER_HUB, "index.docker.io"}:
        return DOCKER_HUB, rest if "/" in rest else f"library/{rest}"
    return first, rest


def _check_repository(text: str, repository: str, offset: int) -> None:
    if len(repository) > MAX_REPOSITORY:
        reason = f"the repository has {len(repository)} characters, limit {MAX_REPOSITORY}"
        raise ImageRefError(text, reason, offset + MAX_REPOSITORY + 1)
    for part in repository.split("/"):
        match = _PART.match(part)
        if match is None or match.end() != len(part):
            at = match.end() if match else 0
            raise ImageRefError(text, _repository_fault(part, at), offset + at + 1)
        offset += len(part) + 1


def _repository_fault(part: str, at: int) -> str:
    if not part:
        return "a part of the repository is empty"
    if part[at : at + 1].isupper():
        return "a repository is written in lower case"
    return "a repository has lower case letters and digits, joined by '.', '_', '__' or '-'"


def _check_tag(text: str, tag: str, offset: int) -> None:
    if _TAG.fullmatch(tag):
        return
    if not tag:
        raise ImageRefError(text, "the tag is empty", offset + 1)
    match = _TAG.match(tag)
    at = match.end() if match else 0
    reason = "a tag has letters, digits, '_', '.' and '-', and starts with a letter, digit or '_'"
    if at == MAX_TAG:
        reason = f"the tag has {len(tag)} characters, limit {MAX_TAG}"
    raise ImageRefError(text, reason, offset + at + 1)


def _check_digest(text: str, digest: str, offset: int) -> None:
    fault = _digest_fault(digest)
    if fault:
        raise ImageRefError(text, fault, offset + 1)


def _digest_fault(digest: str) -> str:
    algorithm, colon, digits = digest.partition(":")
    length = _HEX_LENGTH.get(algorithm)
    if not colon or length is None:
        return "a digest starts with sha256:, sha384: or sha512:"
    if len(digits) != length or not _HEX.fullmatch(digits):
        return f"a {algorithm} digest has {length} hexadecimal digits in lower case"
    return ""

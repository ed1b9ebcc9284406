"""The client of one repository: its tags page by page, what a tag stands for, when an image was made.

Bytes that are named by a digest are checked against it; a digest that leaves here was computed here, except for
`glance`, which only tells whether something changed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

import msgspec

from sluice.core import codes
from sluice.core.image import is_digest
from sluice.core.problem import Problem
from sluice.registry.connection import Connection
from sluice.registry.errors import RegistryError, refusal, unreadable, wrong_digest
from sluice.registry.manifest import (
    ACCEPT,
    LINUX_AMD64,
    Description,
    ManifestError,
    Platform,
    Reference,
    digest_of,
    manifest_digest,
    read_config,
    read_manifest,
)
from sluice.registry.transport import Answer

# How many tags are asked for at once: a registry that refuses is asked for less (ECR gives 1,000), or for its default.
PAGES = ("n=10000", "n=1000", "")
_ENTITY_TAG = 256
_PAGE_REFUSED = {400, 405, 422}


class _TagList(msgspec.Struct):
    tags: list[str] | None = None


_TAGS = msgspec.json.Decoder(_TagList)


@dataclass(frozen=True, slots=True)
class TagPage:
    """Some names as the registry gives them, unchecked. `etag` is set where one page holds all."""

    names: tuple[str, ...]
    etag: str = ""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A manifest whose digest was checked, as far as it was read: a description, or what holds it."""

    digest: str
    content: Reference | Description


class Repository:
    """One repository, with the logins that it was opened with."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._limits = connection.limits
        self.image = connection.image
        self.name = connection.image.canonical_name
        self.limiter = connection.host.limiter
        self.parallel = connection.limits.parallel

    async def ping(self) -> None:
        """Ask whether the host is a registry. Raises UserError, AuthenticationFailed and RegistryError."""
        await self._connection.ping()

    async def tags(self, etag: str = "") -> AsyncIterator[TagPage]:
        """The names of all tags, page by page; nothing at all when they are as they were at `etag`.

        Raises RegistryError (TagListing) when pages do not end, and what requests raise; then the list is not whole.
        """
        query, seen, count = "", set[str](), 0
        for number in range(self._limits.pages):
            known = {"If-None-Match": etag} if etag and number == 0 else {}
            answer = self._accepted(await self._page(query, {})) if number else await self._first_page(known)
            if answer.status == 304 and known:
                return
            following = _next_query(answer.headers.get("link", ""))
            page = _read_page(self.name, answer, whole=number == 0 and not following)
            count += len(page.names)
            if count > self._limits.tags:
                raise self._endless(f"it lists more than {self._limits.tags:,} tags")
            yield page
            if not following:
                return
            if following in seen:
                raise self._endless("a page names itself or an earlier one as the next")
            seen.add(following)
            query = following
        raise self._endless(f"it has more than {self._limits.pages:,} pages")

    async def glance(self, tag: str) -> str:
        """The digest that the registry says a tag has, by the cheapest request; empty when it does not say.

        Raises RegistryError (ManifestMissing) when the tag is gone.
        """
        what = f"{self.name}:{tag}"
        answer = await self._connection.get(
            f"manifests/{tag}", what, self._limits.manifest_bytes, headers={"Accept": ACCEPT}, method="HEAD"
        )
        if answer.status == 404:
            raise self._missing(what)
        said = answer.headers.get("docker-content-digest", "")
        return said if answer.status == 200 and is_digest(said) else ""

    async def digest(self, tag: str) -> str:
        """The digest of what a tag stands for, computed from it. Raises as `fetch` does."""
        return (await self.fetch(tag)).digest

    async def fetch(self, reference: str, platforms: Sequence[Platform] = LINUX_AMD64) -> Fetched:
        """The manifest of a tag or a digest, read one step.

        Raises RegistryError: ManifestMissing when it is gone, ImageDigest when its bytes are others than promised,
        RegistryAnswer when they are no manifest; and what requests raise.
        """
        by_digest = is_digest(reference)
        what = f"{self.name}{'@' if by_digest else ':'}{reference}"
        answer = await self._connection.get(
            f"manifests/{reference}", what, self._limits.manifest_bytes, headers={"Accept": ACCEPT}
        )
        if answer.status == 404:
            raise self._missing(what)
        if answer.status != 200:
            raise refusal(what, answer.status, answer.headers, answer.body)
        media_type = answer.headers.get("content-type", "").partition(";")[0].strip()
        promised = reference if by_digest else answer.headers.get("docker-content-digest", "")
        try:
            digest = _checked(what, answer.body, media_type, promised)
            return Fetched(digest, read_manifest(answer.body, media_type, platforms))
        except ManifestError as error:
            raise unreadable(what, str(error)) from None

    async def describe(self, fetched: Fetched, platforms: Sequence[Platform] = LINUX_AMD64) -> Description:
        """Follow a manifest to its description: from an index to the platform's image, and to its configuration.

        Raises as `fetch` does.
        """
        content = fetched.content
        if isinstance(content, Reference) and not content.is_config:
            content = (await self.fetch(content.digest, platforms)).content
        if isinstance(content, Description):
            return content
        if not content.is_config:
            raise unreadable(f"{self.name}@{fetched.digest}", "an index inside of an index")
        return await self._config(content)

    async def _config(self, reference: Reference) -> Description:
        what = f"configuration {reference.digest} of {self.name}"
        if reference.size > self._limits.config_bytes:
            raise unreadable(what, f"it is larger than {self._limits.config_bytes >> 20} MiB")
        answer = await self._connection.get(f"blobs/{reference.digest}", what, self._limits.config_bytes)
        if answer.status == 404:
            raise self._missing(what)
        if answer.status != 200:
            raise refusal(what, answer.status, answer.headers, answer.body)
        _checked(what, answer.body, "", reference.digest)
        try:
            return read_config(answer.body)
        except ManifestError as error:
            raise unreadable(what, str(error)) from None

    async def _first_page(self, headers: dict[str, str]) -> Answer:
        """The first page, as large as this host gives it; what it refuses is remembered."""
        host = self._connection.host
        while True:
            answer = await self._page(PAGES[host.page_size], headers)
            if answer.status not in _PAGE_REFUSED or host.page_size == len(PAGES) - 1:
                return self._accepted(answer)
            host.page_size += 1

    async def _page(self, query: str, headers: dict[str, str]) -> Answer:
        what, most = f"tags of {self.name}", self._limits.page_bytes
        return await self._connection.get("tags/list", what, most, query=query, headers=headers)

    def _accepted(self, answer: Answer) -> Answer:
        if answer.status not in {200, 304}:
            raise refusal(f"repository {self.name}", answer.status, answer.headers, answer.body)
        return answer

    def _endless(self, cause: str) -> RegistryError:
        title = f"the list of tags of {self.name} is not taken"
        fix = "delete old tags, or scan another repository"
        return RegistryError(Problem(codes.TAG_LISTING, title, cause=cause, fix=fix))

    def _missing(self, what: str) -> RegistryError:
        return RegistryError(Problem(codes.MANIFEST_MISSING, f"{what} does not exist"), status=404)


def _read_page(name: str, answer: Answer, *, whole: bool) -> TagPage:
    try:
        names = tuple(_TAGS.decode(answer.body).tags or ())
    except (msgspec.MsgspecError, RecursionError) as error:
        raise unreadable(f"tags of {name}", str(error)) from None
    etag = answer.headers.get("etag", "") if whole else ""
    return TagPage(names, etag if etag.isascii() and etag.isprintable() and len(etag) <= _ENTITY_TAG else "")


def _next_query(link: str) -> str:
    """The query of the next page (RFC 8288); empty when there is none.

    Only the query is taken: whatever host and path the link names, it is our request to this repository.
    """
    target, _, parameters = link.partition(">")
    if not target.lstrip().startswith("<") or ('rel="next"' not in parameters and "rel=next" not in parameters):
        return ""
    try:
        query = urlsplit(target.lstrip()[1:]).query
    except ValueError:
        return ""
    return quote(query, safe="!$&'()*+,;=:@/?%-._~")


def _checked(what: str, content: bytes, media_type: str, promised: str) -> str:
    """The digest of the content; it must be the promised one, where there is one."""
    algorithm = promised.partition(":")[0] if is_digest(promised) else "sha256"
    computed = manifest_digest(content, media_type, algorithm) if media_type else digest_of(content, algorithm)
    if promised and promised != computed:
        raise wrong_digest(what, promised, computed)
    return computed

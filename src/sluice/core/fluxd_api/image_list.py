"""What is known of a container's image, in the form of `fluxctl list-images`: the tags in the pattern's own order.

All tags are listed, also those that the pattern does not take; the counts tell how many it takes, and how many of
each are newer than what runs. What a client does not ask for is not computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sluice.core.fluxd_api.fault import malformed
from sluice.core.fluxd_semver import fluxd_key, parse_fluxd_version
from sluice.core.image import ImageRef, ImageTag
from sluice.core.image_policy.dialect_fluxd import SEMVER
from sluice.core.image_policy.policy import InvalidPolicy
from sluice.core.image_policy.workload_policies import WorkloadPolicies

NO_IMAGE: dict[str, Any] = {"ID": ""}
NO_DATA = "image data not available"
_ZERO = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ContainerTags:
    """A container with its image, and the tags of its repository; `tags` None when they are not known."""

    name: str
    image: ImageRef
    tags: Sequence[ImageTag] | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class _View:
    """One container's tags, put in order once."""

    asked: ContainerTags
    ordered: list[ImageTag]
    filtered: list[ImageTag]
    newer: Callable[[ImageTag], bool]

    def running(self) -> ImageTag | None:
        wanted = self.asked.image.tag or "latest"
        return next((tag for tag in self.asked.tags or () if tag.tag == wanted), None)

    def newer_of(self, tags: Iterable[ImageTag]) -> int:
        """How many come before the first that is no newer."""
        count = 0
        for tag in tags:
            if not self.newer(tag):
                break
            count += 1
        return count

    def current(self) -> dict[str, Any]:
        tag = self.running()
        return {"ID": str(self.asked.image)} if tag is None else self.image_of(tag)

    def latest(self) -> dict[str, Any]:
        return self.image_of(self.filtered[0]) if self.filtered else NO_IMAGE

    def image_of(self, tag: ImageTag) -> dict[str, Any]:
        return image_shape(self.asked.image, tag)


_FIELDS: dict[str, Callable[[_View], Any]] = {
    "Name": lambda view: view.asked.name,
    "Current": _View.current,
    "LatestFiltered": _View.latest,
    "Available": lambda view: [view.image_of(tag) for tag in view.ordered],
    "AvailableError": lambda view: view.asked.error or (NO_DATA if view.asked.tags is None else ""),
    "AvailableImagesCount": lambda view: len(view.ordered),
    "NewAvailableImagesCount": lambda view: view.newer_of(view.ordered),
    "FilteredImagesCount": lambda view: len(view.filtered),
    "NewFilteredImagesCount": lambda view: view.newer_of(view.filtered),
}
# Sent also when nobody asks for them, as Go sends structs.
_ALWAYS = {"Current": NO_IMAGE, "LatestFiltered": NO_IMAGE}


def read_fields(text: str) -> tuple[str, ...]:
    """The container fields that a client names, separated by commas; none is all. Raises ApiFault for another."""
    names = tuple(name for name in text.split(",") if name) if text else tuple(_FIELDS)
    for name in names:
        if name not in _FIELDS:
            raise malformed(f"{name[:100]} is an invalid field", f"name some of {', '.join(_FIELDS)}")
    return names


def container_shape(asked: ContainerTags, policies: WorkloadPolicies, fields: Sequence[str]) -> dict[str, Any]:
    """One container; zero counts and empty texts and lists are left out, the two images never.

    >>> from sluice.core.image import parse
    >>> asked = ContainerTags("web", parse("acme/web:1"), [ImageTag("1"), ImageTag("2")])
    >>> shape = container_shape(asked, WorkloadPolicies(), ["Name", "AvailableImagesCount"])
    >>> shape["AvailableImagesCount"], shape["Current"]
    (2, {'ID': ''})
    """
    view = _view(asked, policies)
    found = {name: _FIELDS[name](view) for name in fields}
    return {name: value for name, value in {**_ALWAYS, **found}.items() if value or name in _ALWAYS}


def image_shape(name: ImageRef, tag: ImageTag) -> dict[str, Any]:
    """What is known of one tag, named as the workload names the repository; what is not known is left out."""
    shape: dict[str, Any] = {"ID": f"{name.name}:{tag.tag}"}
    if tag.digest:
        shape["Digest"] = tag.digest
    if tag.created is not None and tag.created > _ZERO:
        shape["CreatedAt"] = tag.created.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return shape


def _view(asked: ContainerTags, policies: WorkloadPolicies) -> _View:
    pattern = policies.pattern(asked.name)
    order = _version if pattern.text.startswith(SEMVER) else _age
    tags = asked.tags or ()
    # Equal places: by the text, forward among ages and backward among versions, as fluxd has it.
    backward = order is _version
    ordered = sorted(sorted(tags, key=lambda tag: tag.tag, reverse=backward), key=order, reverse=True)
    policy = policies.policy(asked.name)
    taken = [] if isinstance(policy, InvalidPolicy) else [tag for tag in ordered if policy.accepts(tag.tag)]
    running = next((tag for tag in tags if tag.tag == (asked.image.tag or "latest")), None)
    return _View(asked, ordered, taken, lambda tag: running is None or order(tag) > order(running))


def _age(tag: ImageTag) -> Any:
    return tag.created or _ZERO


def _version(tag: ImageTag) -> Any:
    version = parse_fluxd_version(tag.tag)
    return (False,) if version is None else (True, fluxd_key(version))

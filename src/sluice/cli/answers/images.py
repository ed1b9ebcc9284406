"""Answers about images and their tags."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

from sluice.cli.answers.parts import ProblemItem, Version1, one_of


class TagItem(TypedDict):
    """One tag of an image, by where it stands to the running one."""

    tag: str
    created: str | None
    digest: str | None
    # `is` is no name that a class can have: see `_TagPlace`.
    chosenBy: list[str]


_TagPlace = TypedDict("_TagPlace", {"is": Annotated[str, one_of("newer", "running", "older", "unknown")]})


class PlacedTag(TagItem, _TagPlace):
    """One tag, with `is`: newer, running, older or unknown."""


class ImageItem(TypedDict):
    """One container with its image and the image's tags, the newest first."""

    workload: str
    container: str
    image: str | None
    fault: str | None
    automated: bool
    locked: bool
    ignored: bool
    pattern: str | None
    imagePolicies: list[str]
    newer: int
    omitted: int
    passedOver: int
    complete: bool
    tags: list[PlacedTag]
    problems: list[ProblemItem]


class ImageList(TypedDict):
    """`sluice images`."""

    apiVersion: Version1
    kind: Literal["ImageList"]
    items: list[ImageItem]


class TagReason(TypedDict):
    """Why one tag is chosen or not."""

    tag: str
    chosen: bool
    reason: str


class ImageReason(TypedDict):
    """Why one container's image is as it is."""

    workload: str
    container: str
    image: str | None
    reasons: list[str]
    tags: list[TagReason]


class ImageReasonList(TypedDict):
    """`sluice images why`."""

    apiVersion: Version1
    kind: Literal["ImageReasonList"]
    items: list[ImageReason]

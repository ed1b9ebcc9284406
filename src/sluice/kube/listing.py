"""Lists and items as the API server sends them, to structs that keep only what is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from sluice.core import codes
from sluice.core.ids import ResourceId
from sluice.core.live import LiveMeta, LiveObject
from sluice.core.problem import Problem, clip
from sluice.kube.errors import Asked, unreadable

T = TypeVar("T")

METADATA = {"Accept": "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"}
METADATA_LIST = {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}
MAX_PAGE = 64 * 1024 * 1024

_LIVE = msgspec.json.Decoder(LiveObject)


@dataclass(frozen=True, slots=True)
class ObjectList(Generic[T]):
    """All items of a list at one `resource_version`. `problems` names the items that do not fit the type asked for."""

    items: list[T]
    resource_version: str
    problems: tuple[Problem, ...] = ()


MetadataList = ObjectList[LiveMeta]


class ListMeta(msgspec.Struct, frozen=True, rename="camel"):
    """A list's own metadata: the version it shows, and the token of its next page."""

    resource_version: str = ""
    continue_: str = msgspec.field(name="continue", default="")


class _Page(msgspec.Struct, Generic[T]):
    metadata: ListMeta
    items: list[T] | None = None  # the server writes null for an empty list of metadata


_PAGE_DECODERS: dict[Any, msgspec.json.Decoder[Any]] = {}


def page_decoder(item_type: Any) -> msgspec.json.Decoder[Any]:
    """The decoder of a list page of `item_type`; the same one each time it is asked for."""
    decoder = _PAGE_DECODERS.get(item_type)
    if decoder is None:
        decoder = _PAGE_DECODERS[item_type] = msgspec.json.Decoder(_Page[item_type])
    return decoder


def decode_meta(body: bytes, asked: Asked) -> LiveMeta:
    """The metadata of an answer. Raises ClusterError when it can't be read."""
    try:
        return _LIVE.decode(body).metadata
    except msgspec.MsgspecError as error:
        raise unreadable(asked, str(error)) from error


def decode_page(body: bytes, item_type: type[T], asked: Asked) -> tuple[ObjectList[T], str]:
    """A page and the token of the next. One malformed object must not hide the others: it becomes a problem."""
    try:
        page = page_decoder(item_type).decode(body)
    except msgspec.MsgspecError:
        return _decode_one_by_one(body, item_type, asked)
    return ObjectList(page.items or [], page.metadata.resource_version), page.metadata.continue_


def _decode_one_by_one(body: bytes, item_type: type[T], asked: Asked) -> tuple[ObjectList[T], str]:
    try:
        page = page_decoder(msgspec.Raw).decode(body)
    except msgspec.MsgspecError as error:
        raise unreadable(asked, str(error)) from error
    items: list[T] = []
    problems: list[Problem] = []
    for text in page.items or ():
        item = decode_item(text, item_type, asked)
        if isinstance(item, Problem):
            problems.append(item)
        else:
            items.append(item)
    return ObjectList(items, page.metadata.resource_version, tuple(problems)), page.metadata.continue_


_ITEM_DECODERS: dict[Any, msgspec.json.Decoder[Any]] = {}


def _item_decoder(item_type: Any) -> msgspec.json.Decoder[Any]:
    decoder = _ITEM_DECODERS.get(item_type)
    if decoder is None:
        decoder = _ITEM_DECODERS[item_type] = msgspec.json.Decoder(item_type)
    return decoder


def decode_item(text: msgspec.Raw | bytes, item_type: type[T], asked: Asked) -> T | Problem:
    """The object, or the problem that its JSON is not of the type (a CRD whose schema is not ours)."""
    try:
        item: T = _item_decoder(item_type).decode(text)
    except msgspec.MsgspecError as error:
        return Problem(
            codes.SPEC_INVALID, "the object is not of its kind", _subject_of(text, asked), cause=clip(str(error), 500)
        )
    return item


def _subject_of(text: msgspec.Raw | bytes, asked: Asked) -> ResourceId | None:
    kind = asked.subject
    try:
        meta = msgspec.json.decode(text, type=LiveObject).metadata
    except msgspec.MsgspecError:
        return kind
    return kind and ResourceId(kind.group, kind.kind, meta.namespace, meta.name)

"""UpdateSpec and Result read from the JSON of fluxd's API and of its git notes; `update_wire` writes it. Pure.

What is read was written by others: everything has a limit, and what can't be read is a UserError (UpdateRequest) that
names the field, never a traceback. Field names are read in any case, as Go reads them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

import msgspec

from sluice.core import codes
from sluice.core.errors import UserError
from sluice.core.image import ImageRef, ImageRefError, parse
from sluice.core.image_update.policy_annotation import PolicyUpdate
from sluice.core.image_update.release import ContainerUpdate
from sluice.core.image_update.request import STATUSES, WorkloadResult
from sluice.core.image_update.workload import WorkloadId
from sluice.core.problem import Problem, clip, printable
from sluice.core.update_spec import (
    AutoSpec,
    Cause,
    ContainerSpec,
    ImageSpec,
    Mode,
    PolicySpec,
    Spec,
    SyncSpec,
    UpdateSpec,
)

MAX_BYTES = 256 * 1024
MAX_WORDS = 4096
MAX_ITEMS = 5000
ALL_WORKLOADS = "<all>"
ALL_LATEST = "<all latest>"
_ID = re.compile(r"[A-Za-z0-9_-]{1,63}:[A-Za-z0-9_-]{1,63}/[A-Za-z0-9_.:-]{1,253}", re.ASCII)
_POLICY = re.compile(r"automated|locked|locked_user|locked_msg|ignore|tag_all|tag\.[A-Za-z0-9_.-]{1,253}", re.ASCII)

T = TypeVar("T")


def decode_update_spec(data: bytes) -> UpdateSpec:
    """Read a request. Raises UserError (UpdateRequest); whoever sent it can fix it."""
    if len(data) > MAX_BYTES:
        raise _refused("", f"it has {len(data)} bytes, limit {MAX_BYTES}")
    try:
        value = msgspec.json.decode(data)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise _refused("", f"it is no JSON: {error}") from None
    return update_spec_of(value)


def update_spec_of(value: Any) -> UpdateSpec:
    """The same of JSON that is decoded already."""
    fields = _object(value, "")
    kind = _text(_get(fields, "type"), "type")
    reader = _READERS.get(kind)
    if reader is None:
        raise _refused("type", f"{printable(clip(kind, 80))!r} is none of {', '.join(_READERS)}")
    cause = _object_or_none(_get(fields, "cause"), "cause")
    said = Cause(
        _text_or_none(_get(cause, "Message"), "cause.Message"), _text_or_none(_get(cause, "User"), "cause.User", 256)
    )
    return UpdateSpec(reader(_object_or_none(_get(fields, "spec"), "spec")), said)


def result_of(value: Any) -> dict[str, WorkloadResult]:
    """Read a Result, as notes and our own record have it; what of it can't be read is left out."""
    found: dict[str, WorkloadResult] = {}
    for name, each in value.items() if isinstance(value, dict) else ():
        with suppress(UserError):
            workload = _workload(name, "result")
            found[str(workload)] = _workload_result(workload, _object(each, f"result.{name}"))
    return found


def _image_spec(value: Mapping[str, Any]) -> ImageSpec:
    names = _list(_get(value, "ServiceSpecs"), "spec.ServiceSpecs", _plain)
    if not names:
        raise _refused("spec.ServiceSpecs", f"it names no workload; {ALL_WORKLOADS} is all of them")
    workloads = () if ALL_WORKLOADS in names else tuple(_workload(name, "spec.ServiceSpecs") for name in names)
    text = _text(_get(value, "ImageSpec"), "spec.ImageSpec")
    image = None if text == ALL_LATEST else _image(text, "spec.ImageSpec")
    if image is not None and image.tag is None:
        raise _refused("spec.ImageSpec", f"{printable(text)!r} names no tag")
    excludes = _list(_get(value, "Excludes"), "spec.Excludes", _workload)
    return ImageSpec(image, workloads, excludes, _mode(value), _flag(value, "Force"))


def _container_spec(value: Mapping[str, Any]) -> ContainerSpec:
    updates: list[ContainerUpdate] = []
    for name, wanted in _object_or_none(_get(value, "ContainerSpecs"), "spec.ContainerSpecs").items():
        workload = _workload(name, "spec.ContainerSpecs")
        items = _list(wanted, f"spec.ContainerSpecs.{workload}", _object)
        updates.extend(_container_update(workload, item) for item in items)
    _count(updates, "spec.ContainerSpecs")
    return ContainerSpec(tuple(updates), _mode(value), _flag(value, "SkipMismatches"), _flag(value, "Force"))


def _container_update(workload: WorkloadId, item: Mapping[str, Any]) -> ContainerUpdate:
    place = f"spec.ContainerSpecs.{workload}"
    current = _get(item, "Current")
    return ContainerUpdate(
        workload,
        _text(_get(item, "Container"), f"{place}.Container", 253),
        _image(_get(item, "Target"), f"{place}.Target"),
        None if current is None else _image(current, f"{place}.Current"),
    )


def _policy_spec(value: Mapping[str, Any]) -> PolicySpec:
    updates = []
    for name, change in value.items():
        workload = _workload(name, "spec")
        fields = _object(change, f"spec.{workload}")
        add = _set(_get(fields, "add"), f"spec.{workload}.add")
        remove = _set(_get(fields, "remove"), f"spec.{workload}.remove")
        updates.append(PolicyUpdate(workload, add, frozenset(remove)))
    _count(updates, "spec")
    return PolicySpec(tuple(updates))


def _set(value: Any, field: str) -> dict[str, str]:
    """Policies with their values; fluxd's older form is a list of those that are `true`."""
    if isinstance(value, list):
        value = dict.fromkeys(_list(value, field, _plain), "true")
    found = _object_or_none(value, field)
    for name in found:
        if not _POLICY.fullmatch(name):
            raise _refused(field, f"{printable(clip(name, 80))!r} is no policy")
    return {name: _text(item, f"{field}.{name}") for name, item in found.items()}


def _auto_spec(value: Mapping[str, Any]) -> AutoSpec:
    changes = []
    for item in _list(_get(value, "Changes"), "spec.Changes", _object):
        container = _object(_get(item, "Container"), "spec.Changes.Container")
        changes.append(
            ContainerUpdate(
                _workload(_get(item, "WorkloadID"), "spec.Changes.WorkloadID"),
                _text(_get(container, "Name"), "spec.Changes.Container.Name", 253),
                _image(_get(item, "ImageID"), "spec.Changes.ImageID"),
                _image(_get(container, "Image"), "spec.Changes.Container.Image"),
            )
        )
    return AutoSpec(tuple(changes))


_READERS: dict[str, Callable[[Mapping[str, Any]], Spec]] = {
    "image": _image_spec,
    "containers": _container_spec,
    "policy": _policy_spec,
    "auto": _auto_spec,
    "sync": lambda _: SyncSpec(),
}


def _workload_result(workload: WorkloadId, value: Mapping[str, Any]) -> WorkloadResult:
    place = f"result.{workload}"
    status = _text(_get(value, "Status"), f"{place}.Status")
    known = next((each for each in STATUSES if each == status), None)
    if known is None:
        raise _refused(f"{place}.Status", f"{printable(clip(status, 80))!r} is no status")
    updates = []
    for item in _list(_get(value, "PerContainer"), f"{place}.PerContainer", _object):
        name = _text(_get(item, "Container"), f"{place}.PerContainer.Container", 253)
        current, target = (_image(_get(item, key), f"{place}.PerContainer.{key}") for key in ("Current", "Target"))
        updates.append(ContainerUpdate(workload, name, target, current))
    return WorkloadResult(workload, known, _text_or_none(_get(value, "Error"), f"{place}.Error"), tuple(updates))


def _mode(value: Mapping[str, Any]) -> Mode:
    kind = _text(_get(value, "Kind"), "spec.Kind")
    if kind == "plan":
        return "plan"
    if kind == "execute":
        return "execute"
    raise _refused("spec.Kind", f"{printable(clip(kind, 80))!r} is neither plan nor execute")


def _flag(value: Mapping[str, Any], name: str) -> bool:
    found = _get(value, name)
    if found is None or isinstance(found, bool):
        return bool(found)
    raise _refused(f"spec.{name}", "it is neither true nor false")


def _workload(value: Any, field: str) -> WorkloadId:
    text = _text(value, field)
    if not _ID.fullmatch(text):
        raise _refused(field, f"{printable(clip(text, 120))!r} is no workload: write namespace:kind/name")
    return WorkloadId.parse(text)


def _image(value: Any, field: str) -> ImageRef:
    try:
        return parse(_text(value, field))
    except ImageRefError as error:
        raise _refused(field, str(error)) from None


def _get(value: Mapping[str, Any], name: str) -> Any:
    if name in value:
        return value[name]
    return next((item for key, item in value.items() if key.lower() == name.lower()), None)


def _plain(value: Any, field: str) -> str:
    return _text(value, field)


def _text(value: Any, field: str, limit: int = MAX_WORDS) -> str:
    if not isinstance(value, str):
        raise _refused(field, "it is missing" if value is None else "it is no text")
    if len(value) > limit:
        raise _refused(field, f"it has {len(value)} characters, limit {limit}")
    return value


def _object(value: Any, field: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _refused(field, "it is missing" if value is None else "it is no object")
    _count(value, field)
    return value


def _object_or_none(value: Any, field: str) -> dict[str, Any]:
    """An object that may be left out."""
    return {} if value is None else _object(value, field)


def _text_or_none(value: Any, field: str, limit: int = MAX_WORDS) -> str:
    return "" if value is None else _text(value, field, limit)


def _list(value: Any, field: str, read: Callable[[Any, str], T]) -> tuple[T, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise _refused(field, "it is no list")
    _count(value, field)
    return tuple(read(item, field) for item in value)


def _count(items: Any, field: str) -> None:
    if len(items) > MAX_ITEMS:
        raise _refused(field, f"it has {len(items)} items, limit {MAX_ITEMS}")


def _refused(field: str, cause: str) -> UserError:
    title = "the request can't be read"
    fix = "send what fluxd's API takes: type, cause and spec"
    return UserError(Problem(codes.UPDATE_REQUEST, title, field=clip(printable(field), 200), cause=cause, fix=fix))

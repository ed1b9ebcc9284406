"""The verdict on an object, and reading of an object's fields that never fails, whatever an API server sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

Object: TypeAlias = Mapping[str, Any]


class HealthStatus(StrEnum):
    """kstatus's words. Only Failed ends a wait early; Unknown and NotFound wait like InProgress."""

    CURRENT = "Current"
    IN_PROGRESS = "InProgress"
    FAILED = "Failed"
    TERMINATING = "Terminating"
    NOT_FOUND = "NotFound"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Health:
    """What an object's own state says of it, and why."""

    status: HealthStatus
    message: str

    @property
    def is_current(self) -> bool:
        """True when nothing is left to wait for."""
        return self.status is HealthStatus.CURRENT


@dataclass(frozen=True, slots=True)
class StatusCondition:
    """One entry of `status.conditions`; what is missing or of a wrong type is empty."""

    type: str
    status: str
    reason: str
    message: str


def current(message: str) -> Health:
    """It is as its spec wants it."""
    return Health(HealthStatus.CURRENT, message)


def in_progress(message: str) -> Health:
    """Its controller still works on it."""
    return Health(HealthStatus.IN_PROGRESS, message)


def failed(message: str) -> Health:
    """Its controller gave up."""
    return Health(HealthStatus.FAILED, message)


def not_found() -> Health:
    """The verdict on an object that the API server does not have."""
    return Health(HealthStatus.NOT_FOUND, "Resource not found")


def value_at(obj: Object, *path: str) -> Any:
    """The value below these keys, or None."""
    value: Any = obj
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def number(obj: Object, *path: str, default: int = 0) -> int:
    """The integer below these keys, or `default`."""
    value = value_at(obj, *path)
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def text(obj: Object, *path: str, default: str = "") -> str:
    """The non-empty string below these keys, or `default`."""
    value = value_at(obj, *path)
    return value if isinstance(value, str) and value else default


def items(obj: Object, *path: str) -> Iterator[Object]:
    """The maps in the list below these keys."""
    value = value_at(obj, *path)
    return (item for item in value if isinstance(item, Mapping)) if isinstance(value, list) else iter(())


def conditions(obj: Object) -> Iterator[StatusCondition]:
    """The entries of `status.conditions`, in order."""
    for item in items(obj, "status", "conditions"):
        yield StatusCondition(text(item, "type"), text(item, "status"), text(item, "reason"), text(item, "message"))


def condition(obj: Object, type_: str) -> StatusCondition:
    """The condition of that type; an absent one has an empty status."""
    return next((c for c in conditions(obj) if c.type == type_), StatusCondition(type_, "", "", ""))

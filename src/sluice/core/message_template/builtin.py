"""The functions of text/template itself, but `call`, `slice` (Sprig's is another) and `js`."""

from __future__ import annotations

from typing import Any

from sluice.core.message_template.fault import Failure
from sluice.core.message_template.function import Callee
from sluice.core.message_template.printf import sprintf
from sluice.core.message_template.quote import html_escaped, url_escaped
from sluice.core.message_template.value import TextMap, are_equal, is_integer, is_less, is_true, show, type_name


def _equal(one: Any, *others: Any) -> bool:
    if not others:
        raise Failure("there is nothing to compare with")
    return any(are_equal(one, other) for other in others)


def _less_or_equal(one: Any, other: Any) -> bool:
    return is_less(one, other) or are_equal(one, other)


def _length(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, list | dict):
        return len(value)
    raise Failure(f"a {type_name(value)} has no length")


def _index(value: Any, *steps: Any) -> Any:
    for step in steps:
        value = _at(value, step)
    return value


def _at(value: Any, step: Any) -> Any:
    if isinstance(value, dict):
        if not isinstance(step, str) or any(not isinstance(key, str) for key in value):
            raise Failure(f"a {type_name(step)} is no key of this map")
        return value.get(step, "" if isinstance(value, TextMap) else None)
    held: Any = value.encode() if isinstance(value, str) else value
    if not isinstance(held, list | bytes):
        raise Failure(f"a {type_name(value)} can't be indexed")
    if not is_integer(step):
        raise Failure(f"a list can't be indexed by a {type_name(step)}")
    if not 0 <= step < len(held):
        raise Failure(f"the index {step} is out of range")
    return held[step]


def sprint(*values: Any) -> str:
    """Write values behind each other, with a space between two of which none is a text."""
    parts: list[str] = []
    for place, value in enumerate(values):
        if place and not isinstance(value, str) and not isinstance(values[place - 1], str):
            parts.append(" ")
        parts.append(show(value))
    return "".join(parts)


BUILTINS: dict[str, Callee] = {
    "and": Callee(is_true, "aa*"),  # evaluated by the evaluator, which stops at the first that decides
    "or": Callee(is_true, "aa*"),
    "not": Callee(lambda value: not is_true(value), "a"),
    "len": Callee(_length, "a"),
    "index": Callee(_index, "aa*"),
    "print": Callee(sprint, "a*"),
    "println": Callee(lambda *values: " ".join(map(show, values)) + "\n", "a*"),
    "printf": Callee(sprintf, "sa*"),
    "html": Callee(lambda *values: html_escaped(sprint(*values)), "a*"),
    "urlquery": Callee(lambda *values: url_escaped(sprint(*values)), "a*"),
    "eq": Callee(_equal, "aa*"),
    "ne": Callee(lambda one, other: not are_equal(one, other), "aa"),
    "lt": Callee(is_less, "aa"),
    "le": Callee(_less_or_equal, "aa"),
    "gt": Callee(lambda one, other: not _less_or_equal(one, other), "aa"),
    "ge": Callee(lambda one, other: not is_less(one, other), "aa"),
}

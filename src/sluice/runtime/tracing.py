"""What a turn does, as spans: nothing while nobody asks for traces, and none of a turn that came to nothing.

A turn is a span with the parts of it below; where it is about a revision it belongs to that revision's trace, with the
turn that fetched it on top. Its log lines have the trace's id.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self, TypeAlias

import structlog

from sluice.core.errors import SluiceError
from sluice.core.problem import summarize
from sluice.core.span import Attribute, Span, trace_of

MOST_SPANS = 500  # of one turn; what comes after is left out
MOST_OF_AN_ERROR = 300  # characters
Sink: TypeAlias = Callable[[tuple[Span, ...]], None]
_sinks: list[Sink] = []
_NOTHING: AbstractContextManager[object] = nullcontext()


@dataclass(slots=True)
class _Turn:
    """The spans of the turn that runs now. `worth` says that somebody wants to see them."""

    trace: str = field(default_factory=lambda: secrets.token_hex(16))
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    parent: str = ""
    worth: bool = False
    attributes: dict[str, Attribute] = field(default_factory=dict)
    done: list[tuple[str, str, str, int, int, dict[str, Attribute], str]] = field(default_factory=list)


_TURN: ContextVar[_Turn | None] = ContextVar("traced turn", default=None)
_ABOVE: ContextVar[str] = ContextVar("span above", default="")


@contextmanager
def traced(sink: Sink) -> Iterator[None]:
    """Hand the spans of every turn that came to something to `sink` while inside. It is called on the loop."""
    _sinks.append(sink)
    try:
        yield
    finally:
        _sinks.remove(sink)


@contextmanager
def turn(name: str, /, **attributes: Attribute) -> Iterator[None]:
    """The whole of a turn. Its task must be its own, for what is below it is found by the context."""
    if not _sinks:
        yield
        return
    this = _Turn(attributes=attributes)
    token = _TURN.set(this)
    began = time.time_ns()
    try:
        yield
    finally:
        _TURN.reset(token)
        if this.worth:
            _hand_over(this, name, began)


def span(name: str, /, **attributes: Attribute) -> AbstractContextManager[object]:
    """A part of the turn that runs now; nothing where there is none. What is raised inside is told with it."""
    this = _TURN.get()
    return _NOTHING if this is None or len(this.done) >= MOST_SPANS else _Part(this, name, attributes)


def about(source: str, revision: str, *, fetched: bool = False) -> None:
    """The turn that runs now is about that revision; `fetched` says that it is the one which has fetched it."""
    this = _TURN.get()
    if this is None:
        return
    this.trace, top = trace_of(source, revision)
    this.attributes |= {"source": source, "revision": revision}
    if fetched:
        this.id, this.parent, this.worth = top, "", True
    else:
        this.parent = top
    structlog.contextvars.bind_contextvars(trace_id=this.trace)


def worth_telling(error: str = "") -> None:
    """The turn that runs now has changed something, or failed with `error`: somebody may ask what it did."""
    this = _TURN.get()
    if this is not None:
        this.worth = True
        if error:
            this.attributes["error"] = error


class _Part:
    def __init__(self, this: _Turn, name: str, attributes: dict[str, Attribute]) -> None:
        self._turn = this
        self._name = name
        self._attributes = attributes
        self._id = secrets.token_hex(8)
        self._above = _ABOVE.get()
        self._began = 0
        self._token: Token[str] | None = None

    def __enter__(self) -> Self:
        self._token = _ABOVE.set(self._id)
        self._began = time.time_ns()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._token is not None  # noqa: S101 - it was entered
        _ABOVE.reset(self._token)
        told = _told(error)
        ended = time.time_ns()
        self._turn.done.append((self._id, self._above, self._name, self._began, ended, self._attributes, told))


def _told(error: BaseException | None) -> str:
    if error is None:
        return ""
    if isinstance(error, SluiceError):
        return summarize(error.problems, MOST_OF_AN_ERROR)
    return type(error).__name__  # whatever else it says may hold anything


def _hand_over(this: _Turn, name: str, began: int) -> None:
    error = str(this.attributes.pop("error", ""))
    spans = [Span(this.trace, this.id, this.parent, name, began, time.time_ns(), this.attributes, error)]
    for own, above, part, start, end, attributes, told in this.done:
        spans.append(Span(this.trace, own, above or this.id, part, start, end, attributes, told))
    for sink in tuple(_sinks):
        sink(tuple(spans))

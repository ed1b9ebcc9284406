"""One YAML document to plain values, composed from libyaml's events with the API server's rules.

Merge keys, aliases (copied: shared nodes would let a change to one part reach another), the type of every scalar, and
the limits on depth and expansion. All problems of a document are collected, as far as it can be read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

import yaml
from yaml._yaml import CParser
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)

from sluice.core import codes, yaml_error
from sluice.core.problem import Code
from sluice.core.yaml_error import Fault
from sluice.core.yaml_scalar import NotANumber, resolve_plain
from sluice.core.yaml_tag import PROGRAM_TAG, BadTag, key_text, tagged_value

MAX_DEPTH = 100
MAX_ALIAS_NODES = 100_000

_OPEN = object()
_MERGE = object()
_NO_KEY = object()


@dataclass(frozen=True, slots=True)
class Chunk:
    """The text between two separator lines; `line` is the number of its first line, `start` where it is in the file."""

    text: str
    line: int
    start: int = 0


def compose(chunk: Chunk) -> tuple[Any, int, list[Fault]]:
    """Read one document: its value (None when empty), the line it starts on, and what is wrong with it."""
    composer = _Composer(chunk)
    try:
        composer.run()
    except _Stop:
        pass
    except yaml.YAMLError as error:
        composer.faults.append(yaml_error.from_library(error, chunk.text, chunk.line))
    return composer.root, composer.line, composer.faults


class _Stop(Exception):
    """The rest of this document can't be read; the fault is recorded."""


class _Frame:
    """An open map or list."""

    __slots__ = ("anchor", "key", "mark", "merged", "value")

    def __init__(self, value: Any, anchor: str | None) -> None:
        self.value = value
        self.anchor = anchor
        self.key: Any = _NO_KEY
        self.mark: Any = None
        self.merged: dict[str, Any] | None = None


class _Composer:
    __slots__ = ("alias_nodes", "anchors", "chunk", "event", "faults", "frame", "line", "root", "stack")

    def __init__(self, chunk: Chunk) -> None:
        self.chunk = chunk
        self.faults: list[Fault] = []
        self.anchors: dict[str, Any] = {}
        self.alias_nodes = 0
        self.stack: list[_Frame] = []
        self.frame: _Frame | None = None
        self.root: Any = None
        self.line = 0
        self.event: Any = None

    def run(self) -> None:
        parser = CParser(self.chunk.text)
        handlers = _HANDLERS
        get_event = parser.get_event
        while True:
            event = self.event = get_event()
            kind = type(event)
            if kind is StreamEndEvent:
                return
            handlers[kind](self, event)

    def document_start(self, event: Any) -> None:
        if self.line:
            self.stop(codes.YAML_SYNTAX, "text after '...' would be ignored", fix="separate documents with '---'")

    def document_end(self, event: Any) -> None:
        self.line = self.line or event.start_mark.line + self.chunk.line

    def scalar(self, event: Any) -> None:
        if event.tag is None:
            if event.style:
                value: Any = event.value
            else:
                value = self.plain(event.value)
        else:
            value = self.tagged(event)
        if event.anchor:
            self.anchors[event.anchor] = value
        self.add(value)

    def plain(self, text: str) -> Any:
        frame = self.frame
        if text == "<<" and frame is not None and frame.key is _NO_KEY and type(frame.value) is dict:
            return _MERGE
        try:
            return resolve_plain(text)
        except NotANumber as error:
            self.fault(codes.BAD_NUMBER, "the number does not fit JSON", str(error), "quote it if text is meant")
            return None

    def tagged(self, event: Any) -> Any:
        try:
            return tagged_value(event.tag, event.value)
        except BadTag as error:
            self.fault(error.code, error.title, str(error), error.fix)
        except NotANumber as error:
            self.fault(codes.BAD_NUMBER, "the number does not fit JSON", str(error), "quote it if text is meant")
        return None

    def open(self, event: Any) -> None:
        if event.tag is not None and event.tag.startswith(PROGRAM_TAG):
            self.stop(codes.YAML_TAG, "the tag is not allowed", f"{event.tag} names a program's type", "remove it")
        frame = self.frame
        if frame is not None:
            if frame.key is _NO_KEY and type(frame.value) is dict:
                self.stop(
                    codes.YAML_SYNTAX, "a map key must be text", fix="quote it if it is a template such as '{{ x }}'"
                )
            self.stack.append(frame)
            if len(self.stack) >= MAX_DEPTH:
                self.stop(codes.YAML_TOO_DEEP, "nested too deep", f"depth over {MAX_DEPTH}", "flatten the document")
        elif not self.line:
            self.line = event.start_mark.line + self.chunk.line
        if event.anchor:
            self.anchors[event.anchor] = _OPEN
        self.frame = _Frame({} if type(event) is MappingStartEvent else [], event.anchor)

    def close(self, event: Any) -> None:
        frame = self.frame
        assert frame is not None  # noqa: S101  libyaml pairs its events
        self.frame = self.stack.pop() if self.stack else None
        if frame.anchor:
            self.anchors[frame.anchor] = frame.value
        self.add(frame.value)

    def alias(self, event: Any) -> None:
        if event.anchor not in self.anchors:
            self.stop(codes.YAML_SYNTAX, f"unknown anchor {event.anchor!r}", fix="define the anchor before its alias")
        value = self.anchors[event.anchor]
        if value is _OPEN:
            self.stop(codes.YAML_SYNTAX, f"anchor {event.anchor!r} contains itself", fix="remove the alias")
        self.add(self.copied(value, len(self.stack) + 1))

    def copied(self, value: Any, depth: int) -> Any:
        """Copy an anchor's value: shared nodes would let a change to one object's labels reach its selector."""
        self.alias_nodes += 1
        if self.alias_nodes > MAX_ALIAS_NODES:
            self.stop(codes.YAML_TOO_BIG, "aliases expand too far", f"over {MAX_ALIAS_NODES:,} nodes", "write it out")
        if depth > MAX_DEPTH:
            self.stop(codes.YAML_TOO_DEEP, "nested too deep", f"depth over {MAX_DEPTH}", "flatten the document")
        if type(value) is dict:
            return {key: self.copied(item, depth + 1) for key, item in value.items()}
        if type(value) is list:
            return [self.copied(item, depth + 1) for item in value]
        return value

    def add(self, value: Any) -> None:
        """Put a finished node where it belongs: into the open list, as key or value of the open map, or as root."""
        frame = self.frame
        if frame is None:
            self.root = value
            self.line = self.line or self.event.start_mark.line + self.chunk.line
        elif type(frame.value) is list:
            frame.value.append(value)
        elif frame.key is _NO_KEY:
            frame.key = value if type(value) is str or value is _MERGE else self.key(value)
            frame.mark = self.event.start_mark
        elif frame.key is _MERGE:
            self.merge(frame, value)
            frame.key = _NO_KEY
        else:
            if frame.key in frame.value:
                self.seen_before(frame, value)
            frame.value[frame.key] = value
            frame.key = _NO_KEY

    def key(self, value: Any) -> str:
        text = key_text(value)
        if text is None:
            self.stop(codes.YAML_SYNTAX, "a map key must be text", f"it is {type(value).__name__}", "quote the key")
        return text

    def seen_before(self, frame: _Frame, value: Any) -> None:
        if frame.merged is not None and frame.key in frame.merged:
            del frame.merged[frame.key]
        else:
            self.fault(
                codes.YAML_DUPLICATE_KEY, f"key {frame.key!r} is given twice", "", "remove one of them", frame.mark
            )

    def merge(self, frame: _Frame, value: Any) -> None:
        for source in [value] if type(value) is dict else reversed(value if type(value) is list else [value]):
            if type(source) is not dict:
                self.stop(codes.YAML_SYNTAX, "'<<' merges maps only", fix="give it an alias of a map")
            frame.merged = frame.merged if frame.merged is not None else {}
            for key, item in source.items():
                if key in frame.value and key not in frame.merged and frame.value[key] != item:
                    self.fault(
                        codes.YAML_DUPLICATE_KEY,
                        f"key {key!r} is given before '<<' and by it",
                        "readers disagree on which counts",
                        "put '<<' first",
                    )
                elif key not in frame.value or key in frame.merged:
                    frame.value[key] = frame.merged[key] = item

    def fault(self, code: Code, title: str, cause: str = "", fix: str = "", mark: Any = None) -> None:
        mark = mark or self.event.start_mark
        line, column = mark.line + self.chunk.line, mark.column + 1
        self.faults.append(Fault(code, title, line, column, cause, fix, self.path(), self.chunk))

    def stop(self, code: Code, title: str, cause: str = "", fix: str = "") -> NoReturn:
        self.fault(code, title, cause, fix)
        raise _Stop

    def path(self) -> tuple[str | int, ...]:
        frames = [*self.stack, self.frame] if self.frame is not None else []
        steps = [len(frame.value) if type(frame.value) is list else frame.key for frame in frames]
        return tuple(step for step in steps if type(step) in {str, int})


_HANDLERS: dict[type, Callable[[_Composer, Any], None]] = {
    StreamStartEvent: lambda composer, event: None,
    DocumentStartEvent: _Composer.document_start,
    DocumentEndEvent: _Composer.document_end,
    ScalarEvent: _Composer.scalar,
    MappingStartEvent: _Composer.open,
    SequenceStartEvent: _Composer.open,
    MappingEndEvent: _Composer.close,
    SequenceEndEvent: _Composer.close,
    AliasEvent: _Composer.alias,
}

"""Bytes of a YAML file to documents, read exactly as the API server reads them, with line numbers in every error.

No YAML library has Kubernetes' rules, so `yaml_compose` applies them to libyaml's events. Positions are not kept;
`yaml_position` finds them by reading again when an error needs one. Stricter than the API server where it would lose
something silently: a key twice in a map, text after `...`, a number that JSON can't hold, a tag that names a
programming language's type, bytes that are not UTF-8.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sluice.core import codes, yaml_error
from sluice.core.problem import Origin, Problem
from sluice.core.yaml_compose import Chunk, compose
from sluice.core.yaml_error import Fault

MAX_FILE_BYTES = 5_000_000
MAX_DOCUMENTS = 10_000

_SEPARATOR = re.compile(r"^---(.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Document:
    """One document that is not empty. `line` is where its content starts, `number` counts from 1 in its file."""

    value: Any
    line: int
    number: int


def read_documents(data: bytes, path: str, commit: str = "") -> tuple[list[Document], list[Problem]]:
    """Read every document of a file, and every problem: a broken document does not hide the next one's problems."""
    text, problem = decode(data, path, commit)
    if problem is not None:
        return [], [problem]
    documents: list[Document] = []
    faults: list[Fault] = []
    for chunk in split(text, faults):
        value, line, found = compose(chunk)
        faults += found
        if value is not None and not found:
            documents.append(Document(value, line, len(documents) + 1))
    return documents, [fault.problem(path, commit) for fault in faults]


def decode(data: bytes, path: str, commit: str = "") -> tuple[str, Problem | None]:
    """Turn UTF-8 bytes (a byte order mark is accepted) into text, or say at which byte they are not UTF-8."""
    if len(data) > MAX_FILE_BYTES:
        return "", too_big(path, commit, len(data))
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return "", _encoding(path, commit, 1, "byte 0 starts UTF-16 text")
    nul = data.find(b"\0")
    if nul >= 0:
        return "", _encoding(path, commit, data.count(b"\n", 0, nul) + 1, f"byte {nul} is NUL")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        where = error.start + (3 if data.startswith(b"\xef\xbb\xbf") else 0)
        return "", _encoding(path, commit, data.count(b"\n", 0, where) + 1, f"byte {where} is not UTF-8")
    return text, None


def too_big(path: str, commit: str, size: int) -> Problem:
    """Say that a file is over the limit; the size may be known before it is read."""
    cause = f"{size / 1e6:.1f} MB, limit {MAX_FILE_BYTES / 1e6:.0f} MB"
    return Problem(codes.FILE_TOO_BIG, "the file is too big", None, Origin(path, commit=commit), "", cause, "split it")


def _encoding(path: str, commit: str, line: int, cause: str) -> Problem:
    origin = Origin(path, line, commit=commit)
    return Problem(codes.ENCODING, "the file is not UTF-8 text", None, origin, "", cause, "save it as UTF-8")


def split(text: str, faults: list[Fault]) -> Iterator[Chunk]:
    """Cut at the lines that start with `---`, before any parsing, as Kubernetes does."""
    start, line = 0, 1
    if text.startswith("---") or "\n---" in text:
        for count, match in enumerate(_SEPARATOR.finditer(text)):
            if count >= MAX_DOCUMENTS:
                faults.append(Fault(codes.YAML_TOO_BIG, "the file has too many documents", line, 1, "limit 10,000"))
                return
            rest = match[1].strip()
            yield Chunk(text[start : match.start()], line, start)
            line += text.count("\n", start, match.start())
            if rest and rest[0] != "#":
                faults.append(yaml_error.separator(line))
            start = match.end()
    yield Chunk(text[start:], line, start)

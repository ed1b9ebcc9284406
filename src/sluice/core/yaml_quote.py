"""A string to the YAML scalar that every reader takes for that string: plain where that is safe, quoted elsewhere."""

from __future__ import annotations

import re

import yaml
from yaml._yaml import CParser
from yaml.events import CollectionStartEvent, DocumentEndEvent, ScalarEvent

from sluice.core.yaml_scalar import NotANumber, resolve_plain

# Text for the API server's reader, but a date, a number in base 60 or a special key for other readers of YAML 1.1.
_TYPED_ELSEWHERE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}.*|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?|=|<<")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def quoted(text: str, quote: str) -> str:
    """Write a string in quotes; what single quotes can't hold goes into double ones.

    >>> quoted("it's", "'"), quoted("a\\nb", "'")
    ("'it''s'", '"a\\\\nb"')
    """
    if quote == "'" and text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    return '"' + "".join(_escaped(character) for character in text) + '"'


def plain_or_quoted(text: str, quote: str, *, in_flow: bool) -> str:
    """Write a string without quotes if it reads back as that string, else in quotes of the given kind.

    >>> plain_or_quoted("1.27", '"', in_flow=False), plain_or_quoted("v1.27", '"', in_flow=False)
    ('"1.27"', 'v1.27')
    """
    return text if is_plain(text, in_flow=in_flow) else quoted(text, quote)


def is_plain(text: str, *, in_flow: bool) -> bool:
    """True when the text, unquoted, is this very string for the API server and for other readers of YAML."""
    if not text.isprintable() or _TYPED_ELSEWHERE.fullmatch(text):
        return False
    try:
        if not isinstance(resolve_plain(text), str):
            return False
    except NotANumber:
        return False
    return all(_reads_back(line, text) for line in (f"k: {text}\nl: m", f"- {text}\n- m")) and (
        not in_flow or _reads_back(f"{{k: {text}, l: m}}", text)
    )


def _reads_back(line: str, text: str) -> bool:
    parser = CParser(line)
    scalars: list[tuple[str, str]] = []
    depth = 0
    try:
        while not isinstance(event := parser.get_event(), DocumentEndEvent):
            depth += isinstance(event, CollectionStartEvent)
            if isinstance(event, ScalarEvent):
                scalars.append((event.value, event.style or ""))
    except yaml.YAMLError:
        return False
    return depth == 1 and (text, "") in scalars and scalars[-1] == ("m", "") and len(scalars) in {2, 4}


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    number = ord(character)  # JSON has no \x, and may be what the file is
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"

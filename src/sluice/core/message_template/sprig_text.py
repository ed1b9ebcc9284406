"""Sprig's functions of texts: cut, change, search, wrap, hash, encode."""

from __future__ import annotations

import base64
import binascii
import hashlib
import posixpath
import zlib
from collections.abc import Callable
from typing import Any

from sluice.core.message_template.fault import Failure, TooMuch
from sluice.core.message_template.function import Callee
from sluice.core.message_template.quote import go_quoted
from sluice.core.message_template.value import MAX_TEXT, TextMap, show

_GO_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))


def bounded(size: int) -> None:
    """Raises TooMuch before a text of this size is made, if that is too long."""
    if size > MAX_TEXT:
        raise TooMuch(f"a text of more than {MAX_TEXT:,} characters")


def _bytes(cut: Callable[[bytes], bytes], text: str) -> str:
    """Go's texts are bytes: where a cut goes through a character, what is left of it can't be in a message."""
    return cut(text.encode()).decode("utf-8", "replace")


def _truncated(count: int, text: str) -> str:
    return _bytes(lambda held: held[count:] if count < 0 else held[:count], text)


def _substring(start: int, end: int, text: str) -> str:
    size = len(text.encode())
    if start < 0:
        if not 0 <= end <= size:
            raise Failure(f"the end {end} is out of range")
        return _bytes(lambda held: held[:end], text)
    stop = size if end < 0 or end > size else end
    if start > stop:
        raise Failure(f"the start {start} is behind the end {stop}")
    return _bytes(lambda held: held[start:stop], text)


def _abbreviated(left: int, width: int, text: str) -> str:
    size = len(text.encode())
    if width < 4 or (left > 0 and width < 7) or size <= width:
        return text
    left = max(min(left, size), 0)
    if size - left < width - 3:
        left = size - (width - 3)
    if left <= 4:
        return _bytes(lambda held: held[: width - 3], text) + "..."
    if width < 7:
        return ""
    if left + width - 3 < size:
        return "..." + _abbreviated(0, width - 3, _bytes(lambda held: held[left:], text))
    return "..." + _bytes(lambda held: held[size - (width - 3) :], text)


def _repeated(count: int, text: str) -> str:
    if count < 0:
        raise Failure("the count is negative")
    bounded(count * len(text))
    return text * count


def _replaced(old: str, new: str, text: str) -> str:
    bounded(len(text) + (text.count(old) + 1) * len(new))
    return text.replace(old, new)


def _indented(spaces: int, text: str) -> str:
    if spaces < 0:
        raise Failure("the count is negative")
    bounded(len(text) + (text.count("\n") + 1) * spaces)
    pad = " " * spaces
    return pad + text.replace("\n", "\n" + pad)


def _titled(text: str) -> str:
    """Each word's first letter as a capital; a word ends where neither letter, digit nor underscore follows."""
    parts, is_start = [], True
    for one in text:
        parts.append(one.title() if is_start and len(one.title()) == 1 else one)
        is_start = one in _GO_SPACE if ord(one) >= 0x80 else not (one.isalnum() or one == "_")
    return "".join(parts)


def _untitled(text: str) -> str:
    parts, is_start = [], True
    for one in text:
        parts.append(one.lower() if is_start and one not in _GO_SPACE and len(one.lower()) == 1 else one)
        is_start = one in _GO_SPACE
    return "".join(parts)


def _swapped(text: str) -> str:
    parts, is_start = [], True
    for one in text:
        if one.isupper() or one.istitle():
            parts.append(one.lower())
            is_start = False
        elif one.islower():
            parts.append(one.title() if is_start else one.upper())
            is_start = False
        else:
            parts.append(one)
            is_start = one in _GO_SPACE
    return "".join(parts)


def _initials(text: str) -> str:
    """Each word's first byte as a character, as Go's library has it."""
    parts, is_start = [], True
    for one in text.encode().decode("latin-1"):
        parts.append(one if is_start and one not in _GO_SPACE else "")
        is_start = one in _GO_SPACE
    return "".join(parts)


def _wrapped(width: int, line_end: str, breaks_words: bool, text: str) -> str:
    held, width, end_mark = text.encode(), max(width, 1), (line_end or "\n")
    bounded(len(held) * (1 + len(end_mark)))
    lines, at = [], 0
    while len(held) - at > width:
        if held[at : at + 1] == b" ":
            at += 1
            continue
        space = held.rfind(b" ", at, at + width + 1)
        if space < 0:
            space = at + width if breaks_words else held.find(b" ", at + width)
            if space < 0:
                break
            lines.append(held[at:space])
            at = space + (0 if breaks_words else 1)
        else:
            lines.append(held[at:space])
            at = space + 1
    return end_mark.join(line.decode("utf-8", "replace") for line in [*lines, held[at:]])


def _decoded(decode: Callable[[bytes], bytes], text: str) -> str:
    try:
        return decode("".join(text.splitlines()).encode()).decode("utf-8", "replace")
    except (binascii.Error, ValueError) as error:
        raise Failure("the text is not encoded so") from error


def _split(separator: str, text: str, most: int = -1) -> list[str]:
    if most == 0:
        return []
    if not separator:
        parts = list(text)
        return [*parts[: most - 1], "".join(parts[most - 1 :])] if 0 < most < len(parts) else parts
    return text.split(separator, most - 1 if most > 0 else -1)


def _numbered(parts: list[str]) -> TextMap:
    return TextMap({f"_{place}": part for place, part in enumerate(parts)})


def _joined(separator: str, value: Any) -> str:
    parts = texts(value)
    bounded(sum(map(len, parts)) + len(separator) * len(parts))
    return separator.join(parts)


def texts(value: Any) -> list[str]:
    """The values of a list as texts; another value as a list of one. Nothing is left out."""
    return [show(item) for item in (value if isinstance(value, list) else [value]) if item is not None]


def _cleaned(path: str) -> str:
    cleaned = posixpath.normpath(path) if path else "."
    return "/" + cleaned.lstrip("/") if cleaned.startswith("/") else cleaned


def _extension(path: str) -> str:
    name = path.rpartition("/")[2]
    return name[name.rfind(".") :] if "." in name else ""


def _base(path: str) -> str:
    return "." if not path else path.rstrip("/").rpartition("/")[2] or "/"


def _digest(algorithm: str) -> Callable[[str], str]:
    return lambda text: hashlib.new(algorithm, text.encode(), usedforsecurity=False).hexdigest()


TEXTS: dict[str, Callee] = {
    "toString": Callee(show, "a"),
    "trim": Callee(lambda text: text.strip(_GO_SPACE), "s"),
    "upper": Callee(lambda text: "".join(one.upper() if len(one.upper()) == 1 else one for one in text), "s"),
    "lower": Callee(lambda text: "".join(one.lower() if len(one.lower()) == 1 else one for one in text), "s"),
    "title": Callee(_titled, "s"),
    "untitle": Callee(_untitled, "s"),
    "swapcase": Callee(_swapped, "s"),
    "initials": Callee(_initials, "s"),
    "substr": Callee(_substring, "iis"),
    "trunc": Callee(_truncated, "is"),
    "abbrev": Callee(lambda width, text: _abbreviated(0, width, text), "is"),
    "abbrevboth": Callee(_abbreviated, "iis"),
    "repeat": Callee(_repeated, "is"),
    "replace": Callee(_replaced, "sss"),
    "trimAll": Callee(lambda characters, text: text.strip(characters), "ss"),
    "trimall": Callee(lambda characters, text: text.strip(characters), "ss"),
    "trimSuffix": Callee(lambda suffix, text: text.removesuffix(suffix), "ss"),
    "trimPrefix": Callee(lambda prefix, text: text.removeprefix(prefix), "ss"),
    "nospace": Callee(lambda text: "".join(one for one in text if one not in _GO_SPACE), "s"),
    "contains": Callee(lambda part, text: part in text, "ss"),
    "hasPrefix": Callee(lambda prefix, text: text.startswith(prefix), "ss"),
    "hasSuffix": Callee(lambda suffix, text: text.endswith(suffix), "ss"),
    "quote": Callee(lambda *values: " ".join(go_quoted(show(value)) for value in values if value is not None), "a*"),
    "squote": Callee(lambda *values: " ".join(f"'{show(value)}'" for value in values if value is not None), "a*"),
    "cat": Callee(lambda *values: " ".join(show(value) for value in values if value is not None), "a*"),
    "indent": Callee(_indented, "is"),
    "nindent": Callee(lambda spaces, text: "\n" + _indented(spaces, text), "is"),
    "plural": Callee(lambda one, many, count: one if count == 1 else many, "ssi"),
    "wrap": Callee(lambda width, text: _wrapped(width, "", False, text), "is"),
    "wrapWith": Callee(lambda width, line_end, text: _wrapped(width, line_end, True, text), "iss"),
    "sha1sum": Callee(_digest("sha1"), "s"),
    "sha256sum": Callee(_digest("sha256"), "s"),
    "sha512sum": Callee(_digest("sha512"), "s"),
    "adler32sum": Callee(lambda text: str(zlib.adler32(text.encode())), "s"),
    "b64enc": Callee(lambda text: base64.b64encode(text.encode()).decode(), "s"),
    "b64dec": Callee(lambda text: _decoded(lambda held: base64.b64decode(held, validate=True), text), "s"),
    "b32enc": Callee(lambda text: base64.b32encode(text.encode()).decode(), "s"),
    "b32dec": Callee(lambda text: _decoded(base64.b32decode, text), "s"),
    "split": Callee(lambda separator, text: _numbered(_split(separator, text)), "ss"),
    "splitn": Callee(lambda separator, most, text: _numbered(_split(separator, text, most)), "sis"),
    "splitList": Callee(_split, "ss"),
    "join": Callee(_joined, "sa"),
    "base": Callee(_base, "s"),
    "dir": Callee(lambda path: _cleaned(path[: path.rfind("/") + 1]), "s"),
    "clean": Callee(_cleaned, "s"),
    "ext": Callee(_extension, "s"),
    "isAbs": Callee(lambda path: path.startswith("/"), "s"),
}

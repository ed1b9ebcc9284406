"""Sprig's functions of regular expressions, with RE2 as the engine, in texts that are short."""

from __future__ import annotations

import re

from sluice.core.message_template.fault import Failure, TooMuch
from sluice.core.message_template.function import Callee
from sluice.core.message_template.sprig_text import bounded
from sluice.core.regular_expression import PatternError, RegularExpression, Template, parse_pattern, parse_template

MAX_SEARCHED = 4_096

_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")


def _compiled(pattern: str, text: str) -> RegularExpression:
    if len(text) > MAX_SEARCHED:
        raise TooMuch(f"a text of more than {MAX_SEARCHED:,} characters to search")
    try:
        return parse_pattern(pattern)
    except PatternError as error:
        raise Failure(str(error)) from error


def _matches(pattern: str, text: str) -> bool:
    """A pattern that can't be read matches nothing, as in Sprig."""
    try:
        return _compiled(pattern, text).matches(text)
    except TooMuch:
        raise
    except Failure:
        return False


def _spans(pattern: str, text: str, most: int = -1) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for start, end, _ in _compiled(pattern, text).all_matches(text.encode()):
        if 0 <= most <= len(spans):
            break
        spans.append((start, end))
    return spans


def _found(pattern: str, text: str) -> str:
    spans = _spans(pattern, text, 1)
    return text.encode()[slice(*spans[0])].decode("utf-8", "replace") if spans else ""


def _all_found(pattern: str, text: str, most: int) -> list[str]:
    return [text.encode()[start:end].decode("utf-8", "replace") for start, end in _spans(pattern, text, most)]


def _replaced(pattern: str, text: str, replacement: str) -> str:
    try:
        template = parse_template(replacement)
    except PatternError as error:
        raise Failure(str(error)) from error
    return _filled(pattern, text, template, replacement)


def _replaced_literally(pattern: str, text: str, replacement: str) -> str:
    return _filled(pattern, text, Template(replacement, (("text", replacement),)), replacement)


def _filled(pattern: str, text: str, template: Template, replacement: str) -> str:
    expression = _compiled(pattern, text)
    # Matches don't overlap: each group of the replacement gives at most the whole text in the end.
    bounded(len(text) * (len(template.groups) + 1) + (len(text) + 1) * len(replacement))
    return expression.replaced(template, text)


def _split(pattern: str, text: str, most: int) -> list[str]:
    spans = _spans(pattern, text, most)
    held = text.encode()
    if most == 0 or (pattern and not held):
        return [] if most == 0 else [""]
    parts: list[bytes] = []
    at = end = 0
    for start, stop in spans:
        if most > 0 and len(parts) == most - 1:
            break
        end = start
        if stop != 0:
            parts.append(held[at:end])
        at = stop
    if end != len(held):
        parts.append(held[at:])
    return [part.decode("utf-8", "replace") for part in parts]


REGEX: dict[str, Callee] = {
    "regexMatch": Callee(_matches, "ss", 50),
    "mustRegexMatch": Callee(lambda pattern, text: _compiled(pattern, text).matches(text), "ss", 50),
    "regexFind": Callee(_found, "ss", 50),
    "mustRegexFind": Callee(_found, "ss", 50),
    "regexFindAll": Callee(_all_found, "ssi", 50),
    "mustRegexFindAll": Callee(_all_found, "ssi", 50),
    "regexReplaceAll": Callee(_replaced, "sss", 50),
    "mustRegexReplaceAll": Callee(_replaced, "sss", 50),
    "regexReplaceAllLiteral": Callee(_replaced_literally, "sss", 50),
    "mustRegexReplaceAllLiteral": Callee(_replaced_literally, "sss", 50),
    "regexSplit": Callee(_split, "ssi", 50),
    "mustRegexSplit": Callee(_split, "ssi", 50),
    "regexQuoteMeta": Callee(lambda text: _SPECIAL.sub(lambda match: "\\" + match[0], text), "s"),
}

"""Globs: those of a shell on the front of a text, in time linear in text × pattern; and those that know `*` alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


def glob_fits(glob: str, text: str) -> bool:
    """True when the whole text fits a glob of which `*` is the only wildcard; linear in the text.

    >>> glob_fits("v1.*-*", "v1.2-rc"), glob_fits("v1.*-*", "v1.2")
    (True, False)
    """
    first, *rest = glob.split("*")
    if not rest:
        return text == glob
    if not text.startswith(first):
        return False
    at = len(first)
    for part in rest[:-1]:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return len(text) - len(rest[-1]) >= at and text.endswith(rest[-1])


@dataclass(frozen=True, slots=True)
class _Token:
    """One character of a text, or any number (`star`). `ranges` empty means any character."""

    star: bool = False
    negated: bool = False
    ranges: tuple[tuple[str, str], ...] = ()

    def accepts(self, character: str) -> bool:
        inside = not self.ranges or any(low <= character <= high for low, high in self.ranges)
        return inside is not self.negated


def matching_prefixes(pattern: str, text: str) -> Iterator[int]:
    """Give the lengths, from 1 up, of those beginnings of the text that fit the whole pattern. `*` crosses `/`.

    A pattern has `*`, `?`, `[a-z]`, `[^a-z]` and `\\x`.

    A malformed pattern fits nothing. All states of the pattern advance together, so that no text is read twice.

    >>> list(matching_prefixes("v*.[0-9]", "v1.2.3")), list(matching_prefixes("[", "["))
    ([4, 6], [])
    """
    tokens = _parse(pattern)
    if tokens is None:
        return
    states = _closed({0}, tokens)
    for length, character in enumerate(text, 1):
        following = set()
        for state in states:
            if state < len(tokens):
                token = tokens[state]
                if token.star:
                    following.add(state)
                elif token.accepts(character):
                    following.add(state + 1)
        if not following:
            return
        states = _closed(following, tokens)
        if len(tokens) in states:
            yield length


def _closed(states: set[int], tokens: list[_Token]) -> set[int]:
    """Add the states reached by letting a star stand for nothing; two stars never follow each other."""
    return states | {state + 1 for state in states if state < len(tokens) and tokens[state].star}


def _parse(pattern: str) -> list[_Token] | None:
    tokens: list[_Token] = []
    at = 0
    while at < len(pattern):
        character = pattern[at]
        at += 1
        if character == "*":
            if not tokens or not tokens[-1].star:
                tokens.append(_Token(star=True))
        elif character == "?":
            tokens.append(_Token())
        elif character == "[":
            parsed = _parse_class(pattern, at)
            if parsed is None:
                return None
            token, at = parsed
            tokens.append(token)
        else:
            if character == "\\":
                if at >= len(pattern):
                    return None
                character = pattern[at]
                at += 1
            tokens.append(_Token(ranges=((character, character),)))
    return tokens


def _parse_class(pattern: str, at: int) -> tuple[_Token, int] | None:
    negated = pattern[at : at + 1] == "^"
    at += negated
    ranges: list[tuple[str, str]] = []
    while not (ranges and pattern[at : at + 1] == "]"):
        low = _escaped(pattern, at)
        if low is None:
            return None
        high, at = low
        if pattern[at : at + 1] == "-":
            end = _escaped(pattern, at + 1)
            if end is None:
                return None
            ranges.append((high, end[0]))
            at = end[1]
        else:
            ranges.append((high, high))
    return _Token(negated=negated, ranges=tuple(ranges)), at + 1


def _escaped(pattern: str, at: int) -> tuple[str, int] | None:
    character = pattern[at : at + 1]
    if not character or character in "-]":
        return None
    if character == "\\":
        at += 1
        character = pattern[at : at + 1]
    return (character, at + 1) if character and at + 1 < len(pattern) else None

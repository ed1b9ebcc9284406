"""Which objects a rule is about: kustomize's selector of anchored name patterns and label selectors.

Patterns come from users and are run against names, so they are matched in time that grows with the length alone: a
regular expression without groups and counts, simulated state by state. What is outside that is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sluice.core.ids import ResourceId

MAX_PATTERN = 500
_ATOM = re.compile(r"(?P<one>\\.|\[\^?\]?[^\[\]]*\]|[^\\\[\]()|*+?{}^$])(?P<often>[*+?]?)")
_REQUIREMENT = re.compile(
    r"\s*(?:(?P<absent>!\s*)?(?P<key>[\w./-]+)\s*"
    r"(?:(?P<sign>==|=|!=)\s*(?P<value>[\w.-]*)|(?P<word>in|notin)\s*\((?P<set>[\w.,\s-]*)\))?)\s*(?:,|$)"
)


@dataclass(frozen=True, slots=True)
class _Atom:
    one: re.Pattern[str]
    often: str


@dataclass(frozen=True, slots=True)
class Pattern:
    """Alternatives of single characters, each once, or with `*`, `+` or `?`."""

    alternatives: tuple[tuple[_Atom, ...], ...]

    def matches(self, text: str) -> bool:
        """True when the pattern matches the whole text."""
        return any(_run(atoms, text) for atoms in self.alternatives)


def parse_pattern(text: str) -> Pattern:
    """Read a pattern. Raises ValueError saying what is not understood.

    >>> parse_pattern("web-.*|api").matches("web-1"), parse_pattern("web").matches("web-1")
    (True, False)
    """
    if len(text) > MAX_PATTERN:
        raise ValueError(f"it is longer than {MAX_PATTERN} characters")
    return Pattern(tuple(_atoms(part.removeprefix("^").removesuffix("$")) for part in _alternatives(text)))


def _alternatives(text: str) -> list[str]:
    parts, start, in_class = [], 0, False
    for number, char in enumerate(text):
        escaped = number > 0 and text[number - 1] == "\\"
        if char == "[" and not escaped:
            in_class = True
        elif char == "]" and not escaped:
            in_class = False
        elif char == "|" and not in_class and not escaped:
            parts.append(text[start:number])
            start = number + 1
    return [*parts, text[start:]]


def _atoms(text: str) -> tuple[_Atom, ...]:
    atoms, position = [], 0
    while position < len(text):
        match = _ATOM.match(text, position)
        if match is None:
            raise ValueError(f"{text[position]!r} is not understood: groups and counts are not supported")
        try:
            atoms.append(_Atom(re.compile(match["one"]), match["often"]))
        except re.error as error:
            raise ValueError(f"{match['one']!r}: {error.msg}") from None
        position = match.end()
    return tuple(atoms)


def _run(atoms: tuple[_Atom, ...], text: str) -> bool:
    states = _skipping(atoms, {0})
    for char in text:
        following = set()
        for state in states:
            if state < len(atoms) and atoms[state].one.fullmatch(char):
                following.add(state + 1)
                if atoms[state].often in {"*", "+"}:
                    following.add(state)
        states = _skipping(atoms, following)
    return len(atoms) in states


def _skipping(atoms: tuple[_Atom, ...], states: set[int]) -> set[int]:
    """The states that are reached without a character: past what may be missing."""
    reached = set(states)
    for state in range(len(atoms)):
        if state in reached and atoms[state].often in {"*", "?"}:
            reached.add(state + 1)
    return reached


@dataclass(frozen=True, slots=True)
class Requirement:
    """One term of a label selector. No values: the key must be there, or with `negated` must not."""

    key: str
    values: frozenset[str] | None
    negated: bool

    def holds(self, labels: Mapping[str, str]) -> bool:
        """True for labels that satisfy it; as in Kubernetes, a missing key satisfies `!=` and `notin`."""
        if self.values is None:
            return (self.key in labels) is not self.negated
        return (labels.get(self.key) in self.values) is not self.negated


def parse_labels(text: str) -> tuple[Requirement, ...]:
    """Read a label selector. Raises ValueError when it is none.

    >>> [r.key for r in parse_labels("tier=front, env in (a, b), !old")]
    ['tier', 'env', 'old']
    """
    if len(text) > MAX_PATTERN:
        raise ValueError(f"it is longer than {MAX_PATTERN} characters")
    found, position = [], 0
    while position < len(text):
        match = _REQUIREMENT.match(text, position)
        if match is None or (match["absent"] and (match["sign"] or match["word"])):
            raise ValueError(f"{text[position : position + 60]!r} is no label selector")
        found.append(_requirement(match))
        position = match.end()
    return tuple(found)


def _requirement(match: re.Match[str]) -> Requirement:
    if match["sign"]:
        return Requirement(match["key"], frozenset({match["value"]}), match["sign"] == "!=")
    if match["word"]:
        values = frozenset(value.strip() for value in match["set"].split(","))
        return Requirement(match["key"], values, match["word"] == "notin")
    return Requirement(match["key"], None, bool(match["absent"]))


def requirement_of(key: str, operator: str, values: Sequence[str]) -> Requirement:
    """One of a LabelSelector's `matchExpressions`. Raises ValueError where the API server's own selectors would.

    >>> requirement_of("tier", "NotIn", ["front"]).holds({})
    True
    """
    if operator in {"In", "NotIn"}:
        if not values:
            raise ValueError(f"operator {operator} needs values")
        return Requirement(key, frozenset(values), operator == "NotIn")
    if operator in {"Exists", "DoesNotExist"}:
        if values:
            raise ValueError(f"operator {operator} takes no values")
        return Requirement(key, None, operator == "DoesNotExist")
    raise ValueError(f"{operator[:60]!r} is none of In, NotIn, Exists and DoesNotExist")


@dataclass(frozen=True, slots=True)
class ObjectSelector:
    """Patterns of identity, and requirements of labels and annotations; all must hold, an empty one always does."""

    names: tuple[tuple[str, Pattern], ...] = ()
    labels: tuple[Requirement, ...] = ()
    annotations: tuple[Requirement, ...] = ()

    @property
    def needs_metadata(self) -> bool:
        """True when an object's labels or annotations decide."""
        return bool(self.labels or self.annotations)

    def matches(self, key: ResourceId, version: str, labels: Mapping[str, str], annotations: Mapping[str, str]) -> bool:
        """True for an object that the rule is about."""
        parts = {
            "group": key.group,
            "version": version,
            "kind": key.kind,
            "name": key.name,
            "namespace": key.namespace,
        }
        return (
            all(pattern.matches(parts[part]) for part, pattern in self.names)
            and all(r.holds(labels) for r in self.labels)
            and all(r.holds(annotations) for r in self.annotations)
        )


EVERYTHING = ObjectSelector()

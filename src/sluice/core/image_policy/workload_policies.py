"""A workload's policies, as fluxd's annotations say them: automated, locked, ignored, and a pattern for each container.

`fluxcd.io/` and the older `flux.weave.works/` are both read; `filter.fluxcd.io/<container>` is another name of
`fluxcd.io/tag.<container>`. Where a workload has one policy under several names, the first of these counts, which is
also the one that fluxd edits; only a lock and an ignore hold when any of them says so. What can't be read keeps the
workload from being updated and says why; fluxd took it for "no".
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from sluice.core.codes import ANNOTATION_INVALID
from sluice.core.errors import UserError
from sluice.core.ids import ResourceId
from sluice.core.image_policy.dialect_fluxd import EVERY_TAG, fluxd_policy
from sluice.core.image_policy.policy import InvalidPolicy, Policy, quoted
from sluice.core.problem import Origin, Problem, clip, printable

PREFIXES = ("fluxcd.io/", "flux.weave.works/")
FILTER_PREFIX = "filter.fluxcd.io/"
AUTOMATED, LOCKED, IGNORE = "automated", "locked", "ignore"
LOCKED_USER, LOCKED_MESSAGE, TAG, TAG_ALL = "locked_user", "locked_msg", "tag.", "tag_all"
SYNC_ONLY = "sync_only"
MAX_WORDS = 1024

_BOOLEANS = (AUTOMATED, LOCKED, IGNORE)
_TRUE, _FALSE = "true", "false"


@dataclass(frozen=True, slots=True)
class TagPattern:
    """A pattern and the annotation that it was written in. With a `problem` it can't be read, and selects nothing."""

    container: str
    text: str
    annotation: str
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class WorkloadPolicies:
    """What the annotations of one workload say.

    `ignored` is about images; `sync_ignored` also holds for `sync_only`. `default` is the pattern of the containers
    that have none of their own. `unreadable` are the annotations that hold up the whole workload, for it is not known
    whether it is locked; a pattern that can't be read holds up its own container.
    """

    automated: bool = False
    locked: bool = False
    locked_user: str = ""
    locked_message: str = ""
    ignored: bool = False
    sync_ignored: bool = False
    patterns: tuple[TagPattern, ...] = ()
    default: TagPattern = TagPattern("", EVERY_TAG, "")
    unreadable: tuple[Problem, ...] = ()

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All annotations that can't be read."""
        patterns = (*self.patterns, self.default)
        return (*self.unreadable, *(pattern.problem for pattern in patterns if pattern.problem is not None))

    def hold(self) -> str:
        """Why nothing of the workload is updated by itself; empty when it may be."""
        if self.ignored:
            return f"it is ignored ({IGNORE})"
        if self.locked:
            by = f" by {quoted(self.locked_user)}" if self.locked_user else ""
            return f"it is locked{by}: {quoted(self.locked_message)}" if self.locked_message else f"it is locked{by}"
        if self.unreadable:
            return self.unreadable[0].cause
        return "" if self.automated else "it is not automated"

    def pattern(self, container: str) -> TagPattern:
        """The pattern for a container: its own, else that for all, else `glob:*`."""
        return next((pattern for pattern in self.patterns if pattern.container == container), self.default)

    def policy(self, container: str) -> Policy:
        """The policy by which a container's tag is chosen."""
        pattern = self.pattern(container)
        return InvalidPolicy(pattern.problem) if pattern.problem else fluxd_policy(pattern.text)

    def for_nobody(self, containers: Iterable[str]) -> tuple[Problem, ...]:
        """Problems of the patterns whose container the workload does not have; they are slips, and hold nothing up."""
        names = list(containers)
        return tuple(_unknown(pattern, names) for pattern in self.patterns if pattern.container not in names)


def read_policies(
    annotations: Mapping[str, object], subject: ResourceId | None = None, origin: Origin | None = None
) -> WorkloadPolicies:
    """Read a workload's annotations, those of its own metadata. Never raises: what can't be read is in `problems`.

    >>> read_policies({"fluxcd.io/automated": "true", "fluxcd.io/tag.web": "semver:~1"}).pattern("web").text
    'semver:~1'
    """
    found, problems = _collect(annotations)
    flags = {policy: _flag(policy, found) for policy in _BOOLEANS}
    problems += [problem for policy in _BOOLEANS for problem in _flag_problems(policy, found)]
    place = _Place(subject, origin)
    own = [_pattern(key.removeprefix(TAG), *found[key][0], place) for key in sorted(found) if key.startswith(TAG)]
    everyone = found.get(TAG_ALL, [("", EVERY_TAG)])[0]
    return WorkloadPolicies(
        automated=flags[AUTOMATED],
        locked=flags[LOCKED],
        locked_user=_words(found, LOCKED_USER),
        locked_message=_words(found, LOCKED_MESSAGE),
        ignored=flags[IGNORE],
        sync_ignored=flags[IGNORE] or any(value == SYNC_ONLY for _, value in found.get(IGNORE, ())),
        patterns=tuple(own),
        default=_pattern("", *everyone, place),
        unreadable=tuple(place.of(problem) for problem in problems),
    )


@dataclass(frozen=True, slots=True)
class _Place:
    subject: ResourceId | None
    origin: Origin | None

    def of(self, problem: Problem) -> Problem:
        return replace(problem, subject=self.subject, origin=self.origin)


# A policy's name → the annotations that set it with their values, the one that counts first.
_Found = dict[str, list[tuple[str, str]]]


def _collect(annotations: Mapping[str, object]) -> tuple[_Found, list[Problem]]:
    found: _Found = {}
    problems = []
    for key, policy in sorted(_policy_keys(annotations), key=lambda item: (_precedence(item[0]), item[0])):
        value = annotations[key]
        if not isinstance(value, str):
            problems.append(_invalid(key, str(value), "it is no text", "write it in quotes"))
        elif policy == TAG:
            problems.append(_invalid(key, value, "it names no container", f"write {PREFIXES[0]}{TAG}<container>"))
        else:
            found.setdefault(policy, []).append((key, value))
    return found, problems


def _policy_keys(annotations: Iterable[str]) -> Iterator[tuple[str, str]]:
    for key in annotations:
        if key.startswith(PREFIXES):
            policy = key.partition("/")[2]
            if policy in {*_BOOLEANS, LOCKED_USER, LOCKED_MESSAGE, TAG_ALL} or policy.startswith(TAG):
                yield key, policy
        elif key.startswith(FILTER_PREFIX):
            yield key, TAG + key.removeprefix(FILTER_PREFIX)


def _precedence(key: str) -> int:
    return next((place for place, prefix in enumerate(PREFIXES) if key.startswith(prefix)), len(PREFIXES))


def _flag(policy: str, found: _Found) -> bool:
    values = [value for _, value in found.get(policy, ())]
    # Under two names, one of which says no: being careful means locked and ignored, but not automated.
    return values[:1] == [_TRUE] if policy == AUTOMATED else _TRUE in values


def _flag_problems(policy: str, found: _Found) -> Iterator[Problem]:
    allowed = {_TRUE, _FALSE, SYNC_ONLY} if policy == IGNORE else {_TRUE, _FALSE}
    for key, value in found.get(policy, ()):
        if value not in allowed:
            near = difflib.get_close_matches(value[:80].lower(), sorted(allowed), 1)
            meant = f"; did you mean {near[0]}?" if near else ""
            yield _invalid(key, value, "it is neither true nor false", f'write "true" or "false"{meant}')


def _pattern(container: str, annotation: str, text: str, place: _Place) -> TagPattern:
    try:
        fluxd_policy(text, annotation)
    except UserError as error:
        return TagPattern(container, text, annotation, place.of(error.problems[0]))
    return TagPattern(container, text, annotation)


def _words(found: _Found, policy: str) -> str:
    values = found.get(policy)
    return clip(printable(values[0][1]), MAX_WORDS) if values else ""


def _unknown(pattern: TagPattern, containers: list[str]) -> Problem:
    near = difflib.get_close_matches(pattern.container, containers, 1)
    names = ", ".join(sorted(containers)) or "none"
    fix = f"did you mean {near[0]}?" if near else "name one of them, or delete the annotation"
    cause = f"the workload has no container {quoted(pattern.container)}, but: {names}"
    return Problem(
        ANNOTATION_INVALID, "The annotation is for no container", field=pattern.annotation, cause=cause, fix=fix
    )


def _invalid(key: str, value: str, cause: str, fix: str) -> Problem:
    return Problem(
        ANNOTATION_INVALID,
        "The annotation can't be read",
        field=key,
        cause=f"{key} is {quoted(value)}: {cause}",
        fix=fix,
    )

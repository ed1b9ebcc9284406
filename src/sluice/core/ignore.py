"""Which files of a repository become part of its artifact: ignore rules and sparse checkout. Pure.

The rules are gitignore's lines with Flux's reading: the last rule that matches a file *or a folder above it* decides,
so that `/*` and then `!/deploy` keeps only deploy. As soon as the repository or the spec brings a rule of its own, only
the version control files stay ignored by default. Patterns come from the repository, so they are matched name by name
in time that grows with their length, never by one large expression.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

from sluice.core.artifact import FileEntry, FileTree
from sluice.core.codes import SPEC_INVALID
from sluice.core.errors import UserError
from sluice.core.problem import Problem, printable

IGNORE_FILE = ".sourceignore"
MAX_CHECKS = 20_000_000
MAX_LINE = 1024

VCS_RULES = (".git/", ".gitignore", ".gitmodules", ".gitattributes")
OTHER_DEFAULTS = (
    *("*.jpg", "*.jpeg", "*.gif", "*.png", "*.wmv", "*.flv", "*.tar.gz", "*.zip"),
    *(".github/", ".circleci/", ".travis.yml", ".gitlab-ci.yml", "appveyor.yml", ".drone.yml", "cloudbuild.yaml"),
    *("codeship-services.yml", "codeship-steps.yml"),
    *("**/.goreleaser.yml", "**/.sops.yaml", "**/.flux.yaml"),
)

_GLOB = re.compile(r"[*?\[\\]")
_Names = Sequence[str]


@dataclass(frozen=True, slots=True)
class IgnoreRule:
    """One line. `matches` is asked with the parts of a file's path below `scope`.

    `name` or `suffix` say the same of a simple rule, so that many of them can be asked at once.
    """

    scope: tuple[str, ...]
    ignores: bool
    matches: Callable[[_Names], bool]
    name: str = ""
    suffix: str = ""
    folders_only: bool = False

    def verdict(self, names: _Names) -> bool | None:
        """True to ignore the file, False to keep it, None when the rule does not speak of it."""
        if self.scope:
            if tuple(names[: len(self.scope)]) != self.scope:
                return None
            names = names[len(self.scope) :]
        return self.ignores if self.matches(names) else None


class _Run:
    """Neighbouring rules of one scope and one meaning: which of them matches makes no difference."""

    def __init__(self, rules: Sequence[IgnoreRule]) -> None:
        self._scope, self._ignores = rules[0].scope, rules[0].ignores
        self._names = frozenset(rule.name for rule in rules if rule.name and not rule.folders_only)
        self._folders = frozenset(rule.name for rule in rules if rule.name and rule.folders_only)
        self._suffixes = tuple(rule.suffix for rule in rules if rule.suffix and not rule.folders_only)
        self._others = [rule.matches for rule in rules if not _is_simple(rule)]

    def verdict(self, names: _Names) -> bool | None:
        """As a rule's."""
        if self._scope:
            if tuple(names[: len(self._scope)]) != self._scope:
                return None
            names = names[len(self._scope) :]
        return self._ignores if self._matches(names) else None

    def _matches(self, names: _Names) -> bool:
        return (
            not self._names.isdisjoint(names)
            or (bool(self._folders) and not self._folders.isdisjoint(names[:-1]))
            or (bool(self._suffixes) and any(name.endswith(self._suffixes) for name in names))
            or any(matches(names) for matches in self._others)
        )


def _is_simple(rule: IgnoreRule) -> bool:
    return bool(rule.name or (rule.suffix and not rule.folders_only))


def ignore_files(tree: FileTree) -> tuple[FileEntry, ...]:
    """The `.sourceignore` files of a tree, whose contents `filter_tree` needs."""
    return tuple(
        entry for entry in tree.entries if entry.path.rpartition("/")[2] == IGNORE_FILE and entry.mode != "symlink"
    )


def filter_tree(tree: FileTree, sourceignore_texts: Mapping[str, str], spec_ignore: str | None) -> FileTree:
    """The files that stay. `sourceignore_texts` maps the path of each `.sourceignore` to its content.

    Rules of a file in a folder hold below that folder; those of `spec.ignore` come last, so they can bring files back.
    Raises UserError when rules times files is more than is reasonable.
    """
    own = [*_repository_rules(sourceignore_texts), *parse_rules(spec_ignore or "")]
    if len(own) * len(tree.entries) > MAX_CHECKS:
        title = f"{len(own)} ignore rules for {len(tree.entries)} files take too long"
        raise UserError(Problem(SPEC_INVALID, title, field="spec.ignore", fix="use fewer, wider rules"))
    rules = [*_default_rules(VCS_RULES), *(own or _default_rules(OTHER_DEFAULTS))]
    runs = [_Run(list(run)) for _, run in groupby(rules, key=lambda rule: (rule.scope, rule.ignores))][::-1]
    return FileTree(tuple(entry for entry in tree.entries if not _is_ignored(entry.path.split("/"), runs)))


def sparse_tree(tree: FileTree, folders: Sequence[str]) -> FileTree:
    """The files of git's cone: everything in `folders`, and the files lying directly in the folders above them.

    No folder means the whole tree. Raises UserError when a folder is not a relative path inside the repository.
    """
    wanted = {clean_path(folder, "spec.sparseCheckout") for folder in folders}
    if not wanted or "" in wanted:
        return tree
    above = {
        "/".join(parts[:depth]) for parts in (folder.split("/") for folder in wanted) for depth in range(len(parts))
    }
    inside = tuple(folder + "/" for folder in wanted)
    return FileTree(
        tuple(
            entry for entry in tree.entries if entry.path.startswith(inside) or entry.path.rpartition("/")[0] in above
        )
    )


def clean_path(path: str, field: str) -> str:
    """A relative path without `.`, doubled or outer slashes; the root is empty. Raises UserError for `..`."""
    parts = [part for part in path.split("/") if part not in {"", "."}]
    if ".." in parts or "\\" in path or "\0" in path:
        title = f"{printable(path)!r} leads out of the repository"
        raise UserError(Problem(SPEC_INVALID, title, field=field, fix="write a path relative to the root, without .."))
    return "/".join(parts)


def parse_rules(text: str, scope: Sequence[str] = ()) -> list[IgnoreRule]:
    """Read lines of gitignore syntax that hold below `scope`. Comments, empty lines and oversized ones are skipped."""
    rules = []
    for line in text.splitlines():
        rule = _parse_rule(line, tuple(scope)) if len(line) <= MAX_LINE else None
        if rule is not None:
            rules.append(rule)
    return rules


def _repository_rules(texts: Mapping[str, str]) -> list[IgnoreRule]:
    """The rules of all `.sourceignore` files, outer folders first; files in folders ignored by then are not read."""
    rules: list[IgnoreRule] = []
    for path in sorted(texts, key=lambda path: (path.count("/"), path)):
        scope = path.split("/")[:-1]
        # A name that nothing matches by itself: what counts is whether the folder is ignored.
        if not scope or not _is_ignored([*scope, "\n"], rules[::-1]):
            rules += parse_rules(texts[path], scope)
    return rules


@lru_cache(maxsize=8)
def _default_rules(lines: tuple[str, ...]) -> tuple[IgnoreRule, ...]:
    return tuple(parse_rules("\n".join(lines)))


def _is_ignored(names: _Names, newest_first: Iterable[IgnoreRule | _Run]) -> bool:
    for rule in newest_first:
        verdict = rule.verdict(names)
        if verdict is not None:
            return verdict
    return False


def _parse_rule(line: str, scope: tuple[str, ...]) -> IgnoreRule | None:
    if line.startswith("#") or not line.strip():
        return None
    ignores = not line.startswith("!")
    pattern = line if ignores else line[1:]
    if not pattern.endswith("\\ "):
        pattern = pattern.rstrip(" \t")
    folders_only = pattern.endswith("/")
    parts = pattern.rstrip("/").split("/")
    if parts == [""]:
        return None
    if len(parts) == 1 and parts[0] != "**":
        return _anywhere(parts[0], scope, ignores=ignores, folders_only=folders_only)
    return IgnoreRule(scope, ignores, _anchored([p for p in parts if p], folders_only=folders_only))


def _anywhere(pattern: str, scope: tuple[str, ...], *, ignores: bool, folders_only: bool) -> IgnoreRule:
    """A pattern without a slash matches the file or any folder above it, by name."""
    test = _name_test(pattern)
    name = "" if _GLOB.search(pattern) else pattern
    suffix = pattern[1:] if pattern[0] == "*" and not _GLOB.search(pattern[1:]) else ""

    def matches(names: _Names) -> bool:
        return any(map(test, names[:-1] if folders_only else names))

    return IgnoreRule(scope, ignores, matches, name, suffix, folders_only)


def _anchored(patterns: Sequence[str], *, folders_only: bool) -> Callable[[_Names], bool]:
    """A pattern with a slash starts at its scope; what lies below a folder that it matches is matched too."""
    tests = [None if pattern == "**" else _name_test(pattern) for pattern in patterns]
    last = len(tests) - 1

    def matches(names: _Names) -> bool:
        count = len(names)
        ends = {0}  # how many names the patterns so far can have used up
        for index, test in enumerate(tests):
            if test is None:
                ends = set(range(min(ends) + (index == last), count + 1))
            else:
                ends = {end + 1 for end in ends if end < count and test(names[end])}
            if not ends:
                return False
        return min(ends) < count if folders_only else True

    return matches


def _name_test(pattern: str) -> Callable[[str], bool]:
    """How one name of a path is compared: whole, by its end, or by a glob."""
    if not _GLOB.search(pattern):
        return pattern.__eq__
    if pattern[0] == "*" and not _GLOB.search(pattern[1:]):
        suffix = pattern[1:]
        return lambda name: name.endswith(suffix)
    try:
        glob = re.compile(_translate(pattern), re.DOTALL)
    except re.error:
        return lambda name: False
    return lambda name: glob.fullmatch(name) is not None


def _translate(pattern: str) -> str:
    """One name's glob as an expression that can't backtrack more than one star at a time."""
    pieces: list[str] = [""]
    at = 0
    while at < len(pattern):
        piece, at = _translate_one(pattern, at)
        if piece == "*":
            pieces.append("")
        else:
            pieces[-1] += piece
    if len(pieces) == 1:
        return pieces[0]
    # The shortest run up to each fixed part is always good enough, so it is never tried again: hence (?>…).
    middle = "".join(f"(?>.*?{piece})" for piece in pieces[1:-1] if piece)
    return f"{pieces[0]}{middle}.*{pieces[-1]}"


def _translate_one(pattern: str, at: int) -> tuple[str, int]:
    character = pattern[at]
    if character == "*":
        return "*", at + 1
    if character == "?":
        return ".", at + 1
    if character == "\\" and at + 1 < len(pattern):
        return re.escape(pattern[at + 1]), at + 2
    end = pattern.find("]", at + 2 + (pattern[at + 1 : at + 2] in {"!", "^"})) if character == "[" else -1
    if end < 0:
        return re.escape(character), at + 1
    body = pattern[at + 1 : end]
    negated = body[:1] in {"!", "^"}
    inner = re.sub(r"([\[\]&~|^\\])", r"\\\1", body[1:] if negated else body)
    return f"[{'^' if negated else ''}{inner}]", end + 1

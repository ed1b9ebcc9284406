"""Ignore rules and sparse checkout: which files of a repository become the artifact."""

from __future__ import annotations

import time
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.core.artifact import FileEntry, FileTree
from sluice.core.errors import UserError
from sluice.core.ignore import MAX_CHECKS, filter_tree, ignore_files, parse_rules, sparse_tree


def tree(*paths: str) -> FileTree:
    return FileTree(tuple(FileEntry(path, "b", 1) for path in sorted(paths)))


def kept(files: FileTree, spec: str | None = None, texts: Mapping[str, str] | None = None) -> set[str]:
    return {entry.path for entry in filter_tree(files, texts or {}, spec).entries}


FILES = tree(
    ".gitattributes", ".gitignore", ".gitmodules", "README.md", "a/.sops.yaml", "app.zip", "deploy/a.yaml",
    "deploy/docs/b.md", "img/logo.png", ".github/ci.yml", "sub/.gitignore", "sub/deploy/c.yaml",
)  # fmt: skip


def test_by_default_images_archives_ci_and_tool_files_are_left_out() -> None:
    assert kept(FILES) == {"README.md", "deploy/a.yaml", "deploy/docs/b.md", "sub/deploy/c.yaml"}


def test_any_rule_of_one_s_own_leaves_only_version_control_files_ignored_by_default() -> None:
    everything = {entry.path for entry in FILES.entries}
    vcs = {".gitattributes", ".gitignore", ".gitmodules", "sub/.gitignore"}
    assert kept(FILES, "nothing.txt") == everything - vcs
    assert kept(FILES, None, {"sub/.sourceignore": "nothing.txt"}) == everything - vcs


def test_an_empty_spec_or_only_comments_keep_the_defaults() -> None:
    assert kept(FILES, "# nothing\n\n  \n") == kept(FILES)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ("/*\n!/deploy", {"deploy/a.yaml", "deploy/docs/b.md"}),
        ("/*\n!/deploy\n/deploy/**/*.md", {"deploy/a.yaml"}),
        ("/*\n!/deploy/\n", {"deploy/a.yaml", "deploy/docs/b.md"}),
        ("*\n!*.yaml", {"a/.sops.yaml", "deploy/a.yaml", "sub/deploy/c.yaml"}),
        ("/**/*.md\n/img\n/app.*\n/a\n/.github", {"deploy/a.yaml", "sub/deploy/c.yaml"}),
    ],
)
def test_the_last_rule_that_speaks_of_a_file_or_a_folder_above_it_decides(rules: str, expected: set[str]) -> None:
    assert kept(FILES, rules) == expected


@pytest.mark.parametrize(
    ("rule", "path", "matches"),
    [
        ("x", "x", True),
        ("x", "a/x", True),
        ("x", "x/a/b", True),
        ("x/", "x", False),
        ("x/", "x/a", True),
        ("/x", "a/x", False),
        ("a/x", "a/x", True),
        ("a/x", "b/a/x", False),
        ("**/x", "a/b/x", True),
        ("**/x", "x", True),
        ("a/**", "a/b/c", True),
        ("a/**", "a", False),
        ("a/**/c", "a/c", True),
        ("a/**/c", "a/b/b/c", True),
        ("a/**/c", "b/c", False),
        ("**", "any/thing", True),
        ("*.y?ml", "a/b.yaml", True),
        ("*.y?ml", "a/b.ymml", True),
        ("*.y?ml", "a/b.yml", False),
        ("[a-c]x", "bx", True),
        ("[!a-c]x", "bx", False),
        ("[^a-c]x", "dx", True),
        ("[]]x", "]x", True),
        ("[ab", "[ab", True),
        ("\\!x", "!x", True),
        ("\\#x", "#x", True),
        ("a\\*", "a*", True),
        ("a\\*", "ab", False),
        ("x  ", "x", True),
        ("a*b*c", "a1b2c", True),
        ("a*b*c", "a1c2b", False),
        ("*", "a/b", True),
        ("/", "a", False),
        ("a/b", "a/b/c", True),
        ("a/*", "a/b/c", True),
        ("a.c", "abc", False),
    ],
)
def test_one_rule_matches_as_gitignore_does(rule: str, path: str, matches: bool) -> None:
    verdicts = [parsed.verdict(path.split("/")) for parsed in parse_rules(rule)]
    assert (True in verdicts) is matches


def test_rules_of_a_sourceignore_hold_below_its_folder() -> None:
    files = tree("a/x.md", "a/b/x.md", "c/x.md", "x.md")
    assert kept(files, None, {"a/.sourceignore": "*.md"}) == {"c/x.md", "x.md"}
    assert kept(files, None, {"a/.sourceignore": "/x.md"}) == {"a/b/x.md", "c/x.md", "x.md"}


def test_a_deeper_sourceignore_wins_over_an_outer_one_and_the_spec_over_both() -> None:
    files = tree("a/x.md", "a/b/x.md")
    texts = {".sourceignore": "*.md", "a/b/.sourceignore": "!x.md"}
    assert kept(files, None, texts) == {"a/b/x.md"}
    assert kept(files, "*.md", texts) == set()
    assert kept(files, "!a/x.md", texts) == {"a/x.md", "a/b/x.md"}


def test_a_sourceignore_in_an_ignored_folder_is_not_read() -> None:
    files = tree("a/x.md", "a/.sourceignore", "y")
    assert kept(files, None, {".sourceignore": "a/", "a/.sourceignore": "!x.md"}) == {"y"}


def test_the_sourceignore_files_of_a_tree_are_found_but_not_through_symlinks() -> None:
    files = FileTree(
        (
            FileEntry(".sourceignore", "b", 1),
            FileEntry("a/.sourceignore", "b", 1, "symlink"),
            FileEntry("a/b.sourceignore", "b", 1),
        )
    )
    assert [entry.path for entry in ignore_files(files)] == [".sourceignore"]


def test_hostile_patterns_are_matched_in_short_time() -> None:
    start = time.process_time()
    for rule, path in (
        ("*a" * 200 + "b", "a" * 4000),
        ("**/" * 200 + "b", "/".join("a" * 1000)),
        ("[a-z]*" * 100 + "0", "a" * 4000),
        ("?*" * 200 + "b", "a" * 4000),
    ):
        assert [parsed.verdict(path.split("/")) for parsed in parse_rules(rule)] == [None]
    assert time.process_time() - start < 2


def test_more_rules_times_files_than_is_reasonable_is_refused() -> None:
    files = tree(*(f"f{n}" for n in range(5000)))
    with pytest.raises(UserError, match="ignore rules"):
        filter_tree(files, {}, "x\n" * (MAX_CHECKS // 5000 + 1))


NAMES = st.text(alphabet="ab.*?[]!\\- ", min_size=1, max_size=5)
PATTERNS = st.lists(st.one_of(NAMES, st.just("**")), min_size=1, max_size=4).map("/".join)


@given(st.lists(PATTERNS, max_size=6))
def test_any_rules_at_all_only_ever_remove_files(rules: list[str]) -> None:
    assert kept(FILES, "\n".join(rules)) <= {entry.path for entry in FILES.entries}


@given(st.text(alphabet="abc.-_", min_size=1, max_size=6).filter(lambda n: not n.startswith(("#", "!"))))
def test_a_literal_rule_removes_exactly_the_paths_that_have_the_name(name: str) -> None:
    files = tree("a", "b/a", "ab/c", "c.b/x", "-/_")
    assert kept(files, name) == {e.path for e in files.entries if name not in e.path.split("/")}


def test_a_sparse_checkout_keeps_the_folders_and_the_files_directly_above_them() -> None:
    files = tree("README", "apps/x", "apps/web/a", "apps/web/b/c", "apps/api/d", "infra/e")
    sparse = [entry.path for entry in sparse_tree(files, ["./apps/web/"]).entries]
    assert sparse == ["README", "apps/web/a", "apps/web/b/c", "apps/x"]
    assert sparse_tree(files, []) == files
    assert sparse_tree(files, ["/"]) == files


@pytest.mark.parametrize("folder", ["../x", "a/../../b", "a\\b", "a\0b"])
def test_a_sparse_folder_outside_the_repository_is_refused(folder: str) -> None:
    with pytest.raises(UserError, match="leads out"):
        sparse_tree(FILES, [folder])

"""Paths of specs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.core.tree_path import clean_path


@pytest.mark.parametrize(
    ("text", "base", "path"),
    [
        ("", "", ""),
        (".", "", ""),
        ("./", "", ""),
        ("/", "", ""),
        ("//apps", "", "apps"),
        ("./apps/web/", "", "apps/web"),
        ("/apps", "other", "apps"),
        ("a/../b", "", "b"),
        ("../base", "apps/web", "apps/base"),
        ("..foo", "", "..foo"),
        ("a b", "", "a b"),
    ],
)
def test_a_path_is_resolved_inside_the_tree(text: str, base: str, path: str) -> None:
    assert clean_path(text, base) == path


@pytest.mark.parametrize(
    ("text", "base"), [("..", ""), ("../x", ""), ("a/../../x", ""), ("../../../x", "a/b"), ("/..", "a")]
)
def test_a_path_that_leaves_the_tree_is_refused(text: str, base: str) -> None:
    with pytest.raises(ValueError, match="leads out"):
        clean_path(text, base)


@pytest.mark.parametrize("text", ["a\0b", "a\nb", "a\u202eb", "a" * 5000])
def test_control_characters_direction_marks_and_endless_paths_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"control characters|at most"):
        clean_path(text)


@given(st.text(alphabet="ab./", max_size=30), st.sampled_from(["", "a", "a/b"]))
def test_a_resolved_path_has_no_dots_and_no_empty_parts(text: str, base: str) -> None:
    try:
        path = clean_path(text, base)
    except ValueError:
        return
    assert path == "" or not {"", ".", ".."} & set(path.split("/"))
    assert clean_path(path) == path

"""The line with its caret below a problem's place: as people see it, and when it is better not shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.cli.excerpt import excerpt
from sluice.core import codes
from sluice.core.problem import Origin, Problem
from tests.cli.conftest import Sluice


def shown(
    folder: Path, text: str, line: int, column: int, *, fix: str = "", path: str = "a.yaml", commit: str = ""
) -> list[str]:
    (folder / "a.yaml").write_text(text)
    origin = Origin(path, line, column, commit=commit)
    return excerpt(Problem(codes.UNKNOWN_FIELD, "unknown field", None, origin, fix=fix), [folder])


def test_validate_shows_the_line_with_a_caret_below_the_column(sluice: Sluice) -> None:
    (sluice.home / "apps").mkdir()
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  name: b\n"
    (sluice.home / "apps" / "a.yaml").write_text(text)
    ran = sluice("validate", "apps")
    assert ran.err == (
        "error[E209]: key 'name' is given twice\n"
        "  --> a.yaml:5:3\n"
        "   |\n"
        " 5 |   name: b\n"
        "   |   ^^^^\n"
        "   |\n"
        "  = field:  metadata.name\n"
        "  = why:    first at 4:3\n"
        "  = fix:    remove one of them\n"
    )


def test_a_line_of_a_file_with_a_secret_is_not_shown(sluice: Sluice) -> None:
    (sluice.home / "apps").mkdir()
    text = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData:\n  password: hunter2: x\n"
    (sluice.home / "apps" / "a.yaml").write_text(text)
    ran = sluice("validate", "apps")
    assert "--> a.yaml:5" in ran.err
    assert "hunter2" not in ran.out + ran.err


def test_a_guess_at_what_was_meant_stands_beside_the_caret(tmp_path: Path) -> None:
    lines = shown(tmp_path, "spec:\n  replica: 3\n", 2, 3, fix='did you mean "replicas"?')
    assert lines == ["   |", " 2 |   replica: 3", '   |   ^^^^^^^ did you mean "replicas"?', "   |"]


@pytest.mark.parametrize(
    ("text", "column", "line", "caret"),
    [
        ("a: [x", 4, "a: [x", "   ^"),
        ("\ta: x", 2, " a: x", " ^"),
        ("名: x", 4, "名: x", "    ^"),
        ("e\u0301: x", 5, "e\u0301: x", "   ^"),
        ("a: \x1b[31mx", 4, "a: \ufffd[31mx", "   ^"),
        ("a: x", 99, "a: x", "    ^"),
    ],
)
def test_the_caret_stands_below_its_column(tmp_path: Path, text: str, column: int, line: str, caret: str) -> None:
    _, first, second, _ = shown(tmp_path, text, 1, column)
    assert (first.removeprefix(" 1 | "), second.removeprefix("   | ")) == (line, caret)


def test_of_a_long_line_the_part_around_the_column_is_shown(tmp_path: Path) -> None:
    _, first, second, _ = shown(tmp_path, "a: " + "x " * 500 + "HERE" + " y" * 500, 1, 1004)
    place = second.index("^")
    assert first[place : place + 4] == "HERE"
    assert len(first) <= 110


@pytest.mark.parametrize(
    ("path", "line", "commit"),
    [("../outside.yaml", 1, ""), ("link.yaml", 1, ""), ("gone.yaml", 1, ""), ("a.yaml", 9, ""), ("a.yaml", 0, ""),
     ("a.yaml", 1, "a" * 40), ("notes.txt", 1, "")],
)  # fmt: skip
def test_what_is_not_of_the_folder_is_not_shown(tmp_path: Path, path: str, line: int, commit: str) -> None:
    folder = tmp_path / "repository"
    folder.mkdir()
    (tmp_path / "outside.yaml").write_text("a: 1\n")
    (folder / "notes.txt").write_text("a: 1\n")
    (folder / "link.yaml").symlink_to(tmp_path / "outside.yaml")
    assert shown(folder, "a: 1\n", line, 1, path=path, commit=commit) == []


def test_a_path_that_two_folders_hold_names_no_one_file(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.yaml").write_text(f"{name}: 1\n")
    problem = Problem(codes.UNKNOWN_FIELD, "unknown field", None, Origin("a.yaml", 1, 1))
    assert excerpt(problem, [tmp_path / "one", tmp_path / "two"]) == []
    assert excerpt(problem, [tmp_path / "one", tmp_path / "one"])[1] == " 1 | one: 1"

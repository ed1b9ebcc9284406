"""The tables of faults and of invariants have every row of their parts, and name tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| ([FB]\d{3}) \| [^|]+ \| ([^|]+) \|$", re.MULTILINE)
NAMED = re.compile(r"`(test_\w+)`")
DEFINED = re.compile(r"^(?:async )?def (test_\w+)\(", re.MULTILINE)
ROWS = [f"F{n:03}" for n in (*range(1, 111), *range(118, 132))]
ROWS += [f"B{n}" for n in range(104, 127)]


def shown() -> dict[str, str]:
    return dict(ROW.findall((ROOT / "docs" / "reference" / "faults.md").read_text()))


def test_the_table_of_faults_has_every_row_once_and_in_order() -> None:
    assert list(shown()) == ROWS


def test_every_test_that_the_table_of_faults_names_exists() -> None:
    defined = {name for file in (ROOT / "tests").rglob("test_*.py") for name in DEFINED.findall(file.read_text())}
    named = {name for text in shown().values() for name in NAMED.findall(text)}
    assert sorted(named - defined) == []


def test_every_row_of_faults_names_a_test_or_says_why_not() -> None:
    assert [
        row
        for row, text in shown().items()
        if not NAMED.search(text) and not text.startswith(("not shown", "no row of ours"))
    ] == []


def test_every_invariant_is_in_the_table_and_the_files_that_it_names_exist() -> None:
    table = (ROOT / "docs" / "reference" / "invariants.md").read_text()
    rows = dict(re.findall(r"^\| ([IL]\d+) \| [^|]+ \| ([^|]+) \|$", table, re.MULTILINE))
    assert list(rows) == [*(f"I{n}" for n in range(1, 17)), "L1", "L2", "L3"]
    for text in rows.values():
        named = re.findall(r"`(tests/[\w/]+\.py)`", text)
        assert named
        assert [path for path in named if not (ROOT / path).exists()] == []

"""`sluice explain` answers without a cluster, by number and by name."""

from __future__ import annotations

from sluice.core.codes import CODES
from tests.cli.conftest import Sluice


def test_a_code_is_explained_with_meaning_example_cause_and_fix(sluice: Sluice) -> None:
    ran = sluice("explain", "e204")
    assert ran.code == 0, ran.err
    assert ran.out.startswith("E204 UnknownField: ")
    assert [line for line in ran.out.splitlines() if line in {"example", "cause", "fix"}] == ["example", "cause", "fix"]
    assert max(map(len, ran.out.splitlines())) <= 100
    assert "\x1b" not in ran.out + ran.err


def test_a_code_is_found_by_its_name_and_with_the_brackets_of_a_message(sluice: Sluice) -> None:
    for text in ("UnknownField", "[E204]"):
        assert sluice("explain", text, "-o", "json").json["code"] == "E204"


def test_without_a_code_all_are_listed(sluice: Sluice) -> None:
    assert sluice("explain", "-o", "name").out.split() == [code.number for code in CODES]
    assert len(sluice("explain", "-o", "json").json["items"]) == len(CODES)
    assert len(sluice("explain", "--no-headers").out.splitlines()) == len(CODES)


def test_a_code_that_is_none_is_exit_2_with_the_nearest(sluice: Sluice) -> None:
    ran = sluice("explain", "E999")
    assert ran.code == 2
    assert "did you mean" in sluice("explain", "UnknwonField").err
    assert not ran.out

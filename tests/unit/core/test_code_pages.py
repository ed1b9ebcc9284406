"""Every code has a page whose words hold together."""

from __future__ import annotations

import pytest

from sluice.core.code_pages import PAGES
from sluice.core.codes import CODES
from sluice.core.problem import Code
from sluice.core.problem_text import read_problems


def test_every_code_has_a_page() -> None:
    assert [code.number for code in CODES if code.number not in PAGES] == []


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.number)
def test_the_example_of_a_page_is_a_message_of_that_code(code: Code) -> None:
    [told] = read_problems(PAGES[code.number].example)
    assert told.code == code.number
    assert told.title


@pytest.mark.parametrize("number", sorted(PAGES))
def test_a_page_has_all_its_parts_as_whole_sentences(number: str) -> None:
    page = PAGES[number]
    for text in (page.meaning, page.cause, page.fix):
        assert text[0] in "`'-." or text[0].isupper() or "." in text.split()[0] or text.startswith("kustomize "), text
        assert text.endswith((".", "`", "?")), text
        assert "  " not in text
        assert "\n" not in text

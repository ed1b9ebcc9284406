"""One running program of Go originals for all differential tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.differential.go_originals import Originals, running_originals


def pytest_itemcollected(item: pytest.Item) -> None:
    """Don't count the time that building the program takes, if nobody has done so yet."""
    if "originals" in getattr(item, "fixturenames", ()):
        item.add_marker(pytest.mark.timeout(240, func_only=True))


@pytest.fixture(scope="session")
def originals() -> Iterator[Originals]:
    """The Go libraries, to be asked."""
    with running_originals() as program:
        yield program

"""One running program of Go originals for all differential tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.differential.go_originals import Originals, running_originals


@pytest.fixture(scope="session")
def originals() -> Iterator[Originals]:
    """The Go libraries, to be asked."""
    with running_originals() as program:
        yield program

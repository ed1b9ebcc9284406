"""Which addresses a git URL may lead to, and what is said of the others."""

from __future__ import annotations

import pytest

from sluice.core.errors import UserError
from sluice.core.git_url import parse_url
from sluice.git.address import check_addresses


@pytest.mark.parametrize(
    ("url", "address", "cause"),
    [
        ("http://127.0.0.1/fleet.git", "127.0.0.1", "127.0.0.1 is an address of the machine itself"),
        ("http://git.example/fleet.git", "127.0.0.1", "git.example is 127.0.0.1, an address of the machine itself"),
    ],
)
def test_an_address_that_must_not_be_reached_is_said_once_with_what_to_do(url: str, address: str, cause: str) -> None:
    with pytest.raises(UserError) as caught:
        check_addresses(parse_url(url), [address], allow_loopback=False)
    [problem] = caught.value.problems
    assert problem.cause == cause
    assert problem.fix

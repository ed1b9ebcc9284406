"""A token file is followed without being read at every request."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sluice.core.errors import AuthenticationFailed
from sluice.kube.auth import TokenFileAuth


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def token(auth: TokenFileAuth) -> str:
    return (await auth.headers())["Authorization"].removeprefix("Bearer ")


async def test_a_changed_file_is_read_within_a_second(tmp_path: Path) -> None:
    clock, file = Clock(), tmp_path / "token"
    file.write_text("one\n")
    auth = TokenFileAuth(file, clock)
    assert await token(auth) == "one"
    file.write_text("two")
    os.utime(file, (5, 5))
    clock.now += 0.5
    assert await token(auth) == "one"
    clock.now += 0.6
    assert await token(auth) == "two"


async def test_a_file_is_read_each_minute_even_when_it_looks_the_same(tmp_path: Path) -> None:
    clock, file = Clock(), tmp_path / "token"
    file.write_text("one")
    os.utime(file, (5, 5))
    auth = TokenFileAuth(file, clock)
    assert await token(auth) == "one"
    file.write_text("two")
    os.utime(file, (5, 5))
    clock.now += 59.0
    assert await token(auth) == "one"
    clock.now += 2.0
    assert await token(auth) == "two"


async def test_a_token_in_hand_outlives_a_rotation_half_done(tmp_path: Path) -> None:
    clock, file = Clock(), tmp_path / "token"
    file.write_text("one")
    auth = TokenFileAuth(file, clock)
    assert await token(auth) == "one"
    for content in (None, "", "\x00bad\n"):
        file.unlink(missing_ok=True)
        if content is not None:
            file.write_text(content)
        clock.now += 100.0
        assert await token(auth) == "one"
    file.write_text("two")
    clock.now += 100.0
    assert await token(auth) == "two"


@pytest.mark.parametrize("content", [None, "", "  \n", "a\r\nX-Evil: 1", "ü"])
async def test_without_a_usable_token_there_is_a_clear_error(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content)
    with pytest.raises(AuthenticationFailed) as caught:
        await TokenFileAuth(file, Clock()).headers()
    assert str(file) in str(caught.value)


async def test_a_refused_token_is_read_again_and_a_retry_is_due_only_when_it_changed(tmp_path: Path) -> None:
    clock, file = Clock(), tmp_path / "token"
    file.write_text("one")
    auth = TokenFileAuth(file, clock)
    assert await token(auth) == "one"
    assert not await auth.refused()
    file.write_text("two")
    assert await auth.refused()
    assert await token(auth) == "two"

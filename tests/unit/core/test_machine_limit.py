"""What a machine refuses to a program that starts another one is named; other errors stay what they are."""

from __future__ import annotations

import errno
import os

import pytest

from sluice.core.errors import StateError
from sluice.core.machine_limit import starting


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EAGAIN, "git can't be started: no more processes"),
        (errno.EMFILE, "git can't be started: no more open files"),
        (errno.ENFILE, "git can't be started: no more open files on this machine"),
        (errno.ENOMEM, "git can't be started: no memory for another process"),
    ],
)
def test_what_is_lacking_is_named(number: int, words: str) -> None:
    with pytest.raises(StateError) as caught, starting("git"):
        raise OSError(number, os.strerror(number))
    [problem] = caught.value.problems
    assert (problem.code.number, problem.title, problem.cause) == ("E376", words, os.strerror(number))
    assert problem.fix


@pytest.mark.parametrize("error", [OSError(errno.ENOENT, "no such file"), OSError("of no number"), ValueError("other")])
def test_other_errors_stay_what_they_are(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, starting("git"):
        raise error
    assert caught.value is error

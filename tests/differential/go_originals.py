"""Asks the Go libraries that users' habits come from (`originals/`), so that tests can hold ours against them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from devcluster.go_module import GoModule

MODULE = GoModule(
    folder=Path(__file__).parent / "originals",
    name="originals",
    title="the Go libraries that tests ask",
    about="the Go libraries that tests ask (once; half a minute)",
)


class Originals:
    """The running program; one question at a time."""

    def __init__(self, questions: IO[str], answers: IO[str]) -> None:
        self._questions = questions
        self._answers = answers

    def ask(self, operation: str, *arguments: str) -> Any:
        """The operation's answer: what the library says, None where it refuses."""
        self._questions.write(json.dumps([operation, *arguments]) + "\n")
        self._questions.flush()
        answer = self._answers.readline()
        assert answer, f"the program ended at {operation} {arguments}"
        return json.loads(answer)


@contextmanager
def running_originals() -> Iterator[Originals]:
    """Build the program if need be, and run it as long as the block lasts."""
    with subprocess.Popen(
        [str(MODULE.ensure())], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield Originals(process.stdin, process.stdout)
        process.stdin.close()


if __name__ == "__main__":
    # Before the tests, each of which has a limit that a build beside others could exceed.
    MODULE.ensure(lambda line: print(line, file=sys.stderr))

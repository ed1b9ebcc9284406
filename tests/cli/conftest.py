"""The real command as people run it: a process with its own environment, whose streams and exit code are seen."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sluice import __file__ as package
from sluice.cli.answers import ANSWERS
from sluice.cli.main import ALIASES
from tests.canary import look
from tests.cli.answer_schemas import check_answer
from tests.operator_fixture import Bench, bench, crds, log_capture

__all__ = ["bench", "crds", "log_capture"]

# The command of this checkout, whichever one is installed.
SOURCES = Path(package).parent.parent


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str
    verb: str = ""

    @property
    def json(self) -> Any:
        """The answer, as a program reads it; it is as its verb's schema says."""
        answer = json.loads(self.out)
        if self.verb:
            check_answer(self.verb, answer)
        return answer


@dataclass(frozen=True)
class Sluice:
    """Runs `sluice` with an environment of its own."""

    home: Path
    environment: Mapping[str, str]

    def env(self, **more: str) -> dict[str, str]:
        """The whole environment of one run."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "XDG_CACHE_HOME": str(self.home / "cache"),
            "PYTHONUTF8": "1",
            "PYTHONPATH": str(SOURCES),
            "USER": "ada",
            **self.environment,
            **more,
        }

    def command(self, *arguments: str) -> list[str]:
        """The argument list of one run."""
        return [sys.executable, "-m", "sluice", *arguments]

    def __call__(self, *arguments: str, **more: str) -> Ran:
        """Run it in the home folder, with more variables."""
        return self.within(self.home, *arguments, **more)

    def within(self, folder: Path, *arguments: str, **more: str) -> Ran:
        """Run it in a folder."""
        done = subprocess.run(
            self.command(*arguments),
            env=self.env(**more),
            cwd=folder,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=60,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        for stream, text in (("stdout", done.stdout), ("stderr", done.stderr)):
            look(f"{stream} of sluice {' '.join(arguments)}", text)
        verb = next((ALIASES.get(word, word) for word in arguments if ALIASES.get(word, word) in ANSWERS), "")
        return Ran(done.returncode, done.stdout, done.stderr, verb)


@pytest.fixture
def sluice(tmp_path: Path) -> Sluice:
    """The command on a machine without any kubeconfig."""
    return Sluice(tmp_path, {})


@pytest.fixture
def cli(bench: Bench, tmp_path: Path) -> Sluice:
    """The command with the cluster's kubeconfig, in the operator's namespace."""
    return Sluice(
        tmp_path,
        {
            "KUBECONFIG": str(bench.cluster.kubeconfig),
            "SLUICE_NAMESPACE": bench.namespace,
            "RUNTIME_NAMESPACE": bench.namespace,
        },
    )

"""The commands of a guide in docs/how-to, run as whoever reads the page would run them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sluice import __file__ as package

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
SOURCES = Path(package).parent.parent
_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
_COMMANDS = re.compile(r"^( *)```sh\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def commands(page: str, section: str) -> list[str]:
    """The commands under a heading of a page, in order: all blocks marked `sh`, a line each."""
    parts = _HEADING.split((HOW_TO / page).read_text())
    text = dict(zip(parts[1::2], parts[2::2], strict=True))[section]
    blocks = [textwrap.dedent(block) for _, block in _COMMANDS.findall(text)]
    return [line for block in blocks for line in block.replace("\\\n", " ").splitlines() if line.strip()]


@dataclass(frozen=True)
class Reader:
    """Somebody at a shell with `kubectl` and `sluice`; `replaced` are names of the page that are others here.

    `folder` is where commands are typed; at home unless it says otherwise.
    """

    home: Path
    kubeconfig: Path
    kubectl: Path
    replaced: Mapping[str, str]
    folder: Path | None = None

    def equip(self) -> None:
        """Put both commands onto a PATH. Servers of a test are on this machine, which flags must allow."""
        tools = self.home / "bin"
        tools.mkdir()
        (tools / "kubectl").symlink_to(self.kubectl)
        script = tools / "sluice"
        script.write_text(
            "#!/bin/sh\n"
            'case "$1 $2" in "plan "*|"diff "*|"tree "*|"why "*|"trace "*) set -- "$@" --git-allow-loopback;;\n'
            '"images "*|"release --local") set -- "$@" --registry-allow-loopback --registry-insecure-host 127.0.0.1;;\n'
            "esac\n"
            f'exec {sys.executable} -m sluice "$@"\n'
        )
        script.chmod(0o755)

    def run(self, command: str) -> str:
        """Run one; it must succeed. Returns what it printed."""
        done = self._shell(command, subprocess.PIPE)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def see(self, command: str) -> str:
        """Run one, however it ends; returns what a terminal shows of it, in the words of the page."""
        printed = self._shell(command, subprocess.STDOUT).stdout
        for name, here in self.replaced.items():
            printed = printed.replace(here, name)
        return printed

    @contextmanager
    def running(self, command: str) -> Iterator[subprocess.Popen[bytes]]:
        """One that runs until somebody ends it, as Ctrl-C does; the process is its own, no shell's."""
        process = subprocess.Popen(
            ["bash", "-c", f"exec {self._typed(command)}"],
            env=self._environment(),
            cwd=self.folder or self.home,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(30)
            finally:
                process.kill()

    def _typed(self, command: str) -> str:
        for name, here in self.replaced.items():
            command = command.replace(name, here)
        return command

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": f"{self.home / 'bin'}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "KUBECONFIG": str(self.kubeconfig),
            "PYTHONPATH": str(SOURCES),
            "PYTHONUTF8": "1",
            "PYTHONUNBUFFERED": "1",  # what is said and what is answered come in the order of a terminal
            "USER": "ada",
        }

    def _shell(self, command: str, errors: int) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self._typed(command)],
            env=self._environment(),
            cwd=self.folder or self.home,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=90,
            check=False,
        )

    def follow(self, page: str, section: str) -> dict[str, str]:
        """Run all commands of a section; what each printed."""
        return {command: self.run(command) for command in commands(page, section)}

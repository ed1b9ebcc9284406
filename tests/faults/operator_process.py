"""`sluice run` as a process that can be killed, its identity staying the same so that its leases are its own again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.canary import look

ROOT = Path(__file__).parent.parent.parent
START_SECONDS = 60.0


@dataclass
class OperatorProcess:
    """One operator; `identity` is the lease holder's name, `log` everything that all its lives said.

    `patches` are names of `patched_operator`; without any it is `sluice` itself. `flags` are more of the command line,
    `environment` is more than this process has.
    """

    kubeconfig: Path
    namespace: str
    storage: Path
    log: Path
    identity: str
    patches: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _since: int = 0

    def start(self) -> None:
        """Start it; returns at once."""
        assert not self.running
        self._since = self.log.stat().st_size if self.log.exists() else 0
        program = ["tests.faults.patched_operator", ",".join(self.patches)] if self.patches else ["sluice"]
        command = [sys.executable, "-m", *program, "run", f"--kubeconfig={self.kubeconfig}"]
        command += [f"--runtime-namespace={self.namespace}", "--watch-all-namespaces=false"]
        command += [f"--storage-path={self.storage}", "--git-allow-loopback=true", f"--identity={self.identity}"]
        command += self.flags
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    @property
    def running(self) -> bool:
        """True while it lives."""
        return self._process is not None and self._process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal that a patch answers."""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL it. Safe from any thread, and when it is dead already."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)

    def pause(self) -> None:
        """SIGSTOP it: it stays, and does nothing."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT it."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def terminate(self) -> None:
        """SIGTERM it, and wait for nothing."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """What it ended with; None while it runs."""
        return None if self._process is None else self._process.poll()

    def wait_dead(self, seconds: float) -> bool:
        """True once it has ended, False when it still lives after `seconds`."""
        assert self._process is not None
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self) -> None:
        """End it as a pod is ended: SIGTERM, then SIGKILL."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        if not self.wait_dead(10):
            self.kill()
            self._process.wait()
        look(f"the log of the operator {self.identity}", self.log.read_bytes())

    def wait_ready(self) -> None:
        """Wait until it serves turns."""
        deadline = time.monotonic() + START_SECONDS
        while not any(entry.get("msg") == "ready" for entry in self.said()):
            assert self.running, f"the operator ended:\n{self.tail()}"
            assert time.monotonic() < deadline, f"the operator did not become ready:\n{self.tail()}"
            time.sleep(0.02)

    def said(self) -> list[dict[str, Any]]:
        """What this life of it has logged."""
        if not self.log.exists():
            return []
        with self.log.open("rb") as file:
            file.seek(self._since)
            lines = file.read().split(b"\n")[:-1]
        return [json.loads(line) for line in lines if line.startswith(b"{")]

    def tail(self, characters: int = 3000) -> str:
        """The end of the log, for a failure's message."""
        return self.log.read_text(errors="replace")[-characters:]

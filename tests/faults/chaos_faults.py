"""Faults of chaos: each request of the operator may meet one, and the process and the API server may be hit, too."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from tests.faults.fault_proxy import DROP, LOSE_ANSWER, Asked, Decide, Fault, refuse
from tests.faults.lane import Lane

BUSY = refuse(429, "TooManyRequests", retry_after=1)
DOWN = refuse(503, "ServiceUnavailable")
ERROR = refuse(500, "InternalError")


@dataclass(frozen=True, slots=True)
class Weather:
    """How likely each fault is for one request, in percent; the first write whose number is `kill_at` is the last."""

    lose: int = 0
    drop: int = 0
    busy: int = 0
    down: int = 0
    error: int = 0
    slow: int = 0
    cut: int = 0
    kill_at: int = 0
    kill_after: bool = False

    @staticmethod
    def of(rng: Random) -> Weather:
        """Mostly a few kinds of faults at a time."""
        kinds = [k for k in ("lose", "drop", "busy", "down", "error", "slow", "cut") if rng.random() < 0.35]
        kill_at = rng.randint(1, 15) if rng.random() < 0.4 else 0
        percents = {kind: rng.choice([3, 10, 25]) for kind in kinds}
        return Weather(kill_at=kill_at, kill_after=rng.random() < 0.5, **percents)

    def decide(self, rng: Random, kill: Callable[[], None]) -> Decide:
        """Rule the proxy by this weather."""

        def decide(asked: Asked) -> Fault | None:
            if self.kill_at and asked.number == self.kill_at:
                return Fault(after=kill, answer=False) if self.kill_after else Fault(before=kill, forward=False)
            return self._meets(asked, rng)

        return decide

    def _meets(self, asked: Asked, rng: Random) -> Fault | None:
        if asked.watch:
            return Fault(cut=rng.uniform(0.1, 2.0)) if rng.randrange(100) < self.cut else None
        if "/leases" in asked.path:
            return None  # losing the lease ends the process; that is told apart, by kill and by the tests of leases
        chances = (
            (self.lose, LOSE_ANSWER),
            (self.drop, DROP),
            (self.busy, BUSY),
            (self.down, DOWN),
            (self.error, ERROR),
        )
        for chance, fault in chances:
            if rng.randrange(100) < chance:
                return fault
        return Fault(delay=rng.uniform(0.05, 0.5)) if rng.randrange(100) < self.slow else None


@dataclass
class Nemesis:
    """Hits the lane's operator and the API server; `calm` undoes all of it."""

    lane: Lane
    paused: bool = False
    hits: list[str] = field(default_factory=list)

    def hit(self, rng: Random) -> str:
        """Do one thing to a process; says which."""
        operator, cluster = self.lane.operator, self.lane.bench.cluster
        match rng.choice(["kill", "kill", "pause", "pause", "terminate", "cut watches", "restart the API server"]):
            case "kill":
                operator.kill()
                return "kill -9 the operator"
            case "pause":
                seconds = round(rng.uniform(0.1, 2.5), 1)
                operator.pause()
                time.sleep(seconds)
                operator.resume()
                return f"SIGSTOP the operator for {seconds}s"
            case "terminate":
                operator.terminate()
                return "SIGTERM the operator"
            case "cut watches":
                self.lane.proxy.cut_watches()
                return "cut every watch"
            case _:
                os.kill(cluster.pid("kube-apiserver"), signal.SIGKILL)
                cluster.restart("kube-apiserver")
                return "kill -9 the API server, and start it again"

    def keep_alive(self) -> None:
        """What a Deployment does: a process that ended is started again."""
        if not self.lane.operator.running:
            self.lane.operator.start()

    def calm(self) -> None:
        """No fault any more, and a living operator."""
        self.lane.proxy.arm()
        self.keep_alive()
        while not any(e.get("msg") == "ready" for e in self.lane.operator.said()):
            self.keep_alive()
            time.sleep(0.05)

"""Faults of chaos: each request of a replica, and each to git, may meet one; and processes and leases are hit, too."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

from tests.faults.fault_proxy import DROP, LOSE_ANSWER, Asked, Decide, Fault, refuse
from tests.faults.git_proxy import PORTAL, GitAsked, GitDecide, GitProxy, answer
from tests.faults.replicas import Replica, lease_path
from tests.operator_fixture import Bench

BUSY = refuse(429, "TooManyRequests", retry_after=1)
DOWN = refuse(503, "ServiceUnavailable")
ERROR = refuse(500, "InternalError")
GIT_FAULTS = {
    "drop": DROP,
    "lose": LOSE_ANSWER,
    "error": answer(500),
    "busy": answer(429, Retry_After="1"),
    "absent": answer(404),
    "portal": PORTAL,
    "cut": Fault(keep=100),
    "short": Fault(edit=lambda body: body[: len(body) // 2]),
    "flip": Fault(edit=lambda body: body[:-30] + bytes(byte ^ 1 for byte in body[-30:])),
}
# Longer than the lease of the replicas of a stand, and shorter.
PAUSES = (0.1, 0.7, 2.5, 10.0)
HITS = (
    "kill", "kill", "kill for a while", "pause", "pause", "terminate", "cut watches", "restart the API server",
    "keep from its lease", "delete the lease", "give the lease away", "hit the standby",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Weather:
    """How likely each fault is for one request, in percent; the first write whose number is `kill_at` is the last.

    `git` has the same for requests to git, by the fault's name in `GIT_FAULTS`; `git_hang` holds one until it is calm.
    """

    lose: int = 0
    drop: int = 0
    busy: int = 0
    down: int = 0
    error: int = 0
    slow: int = 0
    cut: int = 0
    kill_at: int = 0
    kill_after: bool = False
    git: tuple[tuple[str, int], ...] = ()
    git_hang: int = 0

    @staticmethod
    def of(rng: Random) -> Weather:
        """Mostly a few kinds of faults at a time."""
        kinds = [k for k in ("lose", "drop", "busy", "down", "error", "slow", "cut") if rng.random() < 0.35]
        kill_at = rng.randint(1, 15) if rng.random() < 0.4 else 0
        percents = {kind: rng.choice([3, 10, 25]) for kind in kinds}
        git = tuple((kind, rng.choice([5, 20, 50])) for kind in GIT_FAULTS if rng.random() < 0.15)
        hang = rng.choice([5, 20]) if rng.random() < 0.15 else 0
        return Weather(kill_at=kill_at, kill_after=rng.random() < 0.5, git=git, git_hang=hang, **percents)

    def decide(self, rng: Random, kill: Callable[[], None], keeps_lease: Callable[[], bool]) -> Decide:
        """Rule a replica's proxy by this weather."""

        def decide(asked: Asked) -> Fault | None:
            if self.kill_at and asked.number == self.kill_at:
                return Fault(after=kill, answer=False) if self.kill_after else Fault(before=kill, forward=False)
            if "/leases" in asked.path:  # losing the lease ends the process; it is a hit of its own
                return None if keeps_lease() else DOWN
            return self._meets(asked, rng)

        return decide

    def _meets(self, asked: Asked, rng: Random) -> Fault | None:
        if asked.watch:
            return Fault(cut=rng.uniform(0.1, 2.0)) if rng.randrange(100) < self.cut else None
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

    def decide_git(self, rng: Random, calm: asyncio.Event) -> GitDecide:
        """Rule the proxy before git by this weather; what hangs goes on when `calm` is set."""

        def decide(_: GitAsked) -> Fault | None:
            for kind, chance in self.git:
                if rng.randrange(100) < chance:
                    return GIT_FAULTS[kind]
            return Fault(hold=calm) if rng.randrange(100) < self.git_hang else None

        return decide


@dataclass
class Nemesis:
    """Hits the replicas, their lease and the API server; `calm` undoes all of it."""

    bench: Bench
    replicas: list[Replica]
    git: GitProxy
    calm_git: asyncio.Event = field(default_factory=asyncio.Event)
    # By replica: until when (monotonic) it stays dead, is stopped, or does not reach its lease.
    _down: dict[str, float] = field(default_factory=dict)
    _paused: dict[str, float] = field(default_factory=dict)
    _deaf: dict[str, float] = field(default_factory=dict)

    def rage(self, weather: Weather, seed: str) -> None:
        """From now on the weather rules."""
        self.calm_git = asyncio.Event()
        self.git.arm(weather.decide_git(Random(f"{seed}/git"), self.calm_git))
        for n, replica in enumerate(self.replicas):
            replica.proxy.arm(weather.decide(Random(f"{seed}/{n}"), replica.operator.kill, self._lease_kept(replica)))

    def _lease_kept(self, replica: Replica) -> Callable[[], bool]:
        return lambda: self._deaf.get(replica.operator.identity, 0.0) < time.monotonic()

    def hit(self, rng: Random) -> str:
        """Do one thing to a process or to the lease; says which."""
        what, seconds = rng.choice(HITS), rng.choice(PAUSES)
        leader = next((r for r in self.replicas if r.leads), self.replicas[0])
        other = next(r for r in self.replicas if r is not leader)
        if what == "hit the standby":
            what = rng.choice(["kill", "kill for a while", "pause", "terminate"])
            leader = other
        name = leader.operator.identity
        match what:
            case "kill" | "kill for a while":
                leader.operator.kill()
                if what != "kill":
                    self._down[name] = time.monotonic() + seconds
            case "pause":
                leader.operator.pause()
                self._paused[name] = time.monotonic() + seconds
            case "terminate":
                leader.operator.terminate()
            case "cut watches":
                leader.proxy.cut_watches()
            case "keep from its lease":
                self._deaf[name] = time.monotonic() + seconds
            case "restart the API server":
                os.kill(self.bench.cluster.pid("kube-apiserver"), signal.SIGKILL)
                self.bench.cluster.restart("kube-apiserver")
            case _:
                self._hit_lease(what)
        return f"{what}: {name}, {seconds}s"

    def _hit_lease(self, what: str) -> None:
        api, path = self.bench.api, lease_path(self.bench)
        with suppress(AssertionError):  # there is none, or somebody was faster
            if what == "delete the lease":
                api.delete(path)
            else:
                api.patch(path, {"spec": {"holderIdentity": "stranger", "leaseDurationSeconds": 2}})

    def keep_alive(self) -> None:
        """What a Deployment does: a process that ended is started again. And who was stopped long enough goes on."""
        now = time.monotonic()
        for replica in self.replicas:
            name = replica.operator.identity
            if self._paused.get(name, now + 1) < now:
                del self._paused[name]
                replica.operator.resume()
            if not replica.operator.running and self._down.get(name, 0.0) < now:
                self._paused.pop(name, None)
                replica.operator.start()

    def calm(self, seconds: float = 120.0) -> None:
        """No fault any more, and one replica that leads."""
        self.git.set(self.calm_git)
        self.git.arm()
        for replica in self.replicas:
            replica.proxy.arm()
        for since in (self._down, self._deaf, self._paused):
            since.clear()
        for replica in self.replicas:
            replica.operator.resume()
        deadline = time.monotonic() + seconds
        while not any(replica.leads for replica in self.replicas):
            self.keep_alive()
            assert time.monotonic() < deadline, "nobody leads"
            time.sleep(0.05)

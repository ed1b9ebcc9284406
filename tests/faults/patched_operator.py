"""The operator with something about it changed: `python -m tests.faults.patched_operator small-chunks,… run …`.

It is how the bench starts an operator whose times or sizes suit a test, or one with a bug planted in it. Nothing in
`src` knows of this: every change replaces an attribute from outside, before the command line starts. `steps:FILE` has
it die at the step that the file names (`named_steps`).
"""

from __future__ import annotations

import itertools
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from types import SimpleNamespace

from sluice.cli.main import run_cli
from sluice.kube import exec_auth, lease, watch
from sluice.reconcilers import image_policy, operator
from sluice.render import Rendered, Renderer, RenderInput
from sluice.runtime import executor, health_gate, last_words, record_store
from tests.faults.named_steps import instrument
from tests.faults.planted_bugs import BUGS, blind_leader


def small_chunks() -> None:
    """Records are cut into pieces at once, so that writing one is several writes."""
    record_store.CHUNK_BYTES = 600


def quick_lease(duration: float = 3.0, renew_deadline: float = 2.0) -> None:
    """A lease runs out within the patience of a test."""
    timing = lease.LeaseTiming(duration, renew_deadline, retry_period=0.5)
    original = lease.Candidate.__init__

    def init(self: lease.Candidate, *arguments: object, **named: object) -> None:
        original(self, *arguments, **{**named, "timing": timing})  # type: ignore[arg-type]

    lease.Candidate.__init__ = init  # type: ignore[method-assign]


def short_lease() -> None:
    """The same, and there is time for a push in it."""
    quick_lease(8.0, 6.0)


def leaping_clock() -> None:
    """The clock of the day leaps ten years ahead, and back to ten years ago, from one look at it to the next."""
    leap = itertools.cycle((timedelta(days=3650), timedelta(days=-3650)))

    class Leaping(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Leaping:
            real = datetime.now(tz) + next(leap)
            return cls.fromtimestamp(real.timestamp(), tz)

    for module in (executor, operator, health_gate):
        vars(module)["datetime"] = Leaping
    for clocked in (lease, exec_auth):
        vars(clocked)["dt"] = SimpleNamespace(datetime=Leaping, UTC=UTC, timedelta=timedelta)


def short_watches() -> None:
    """The server ends every watch after a second or two, and the full state is told again at least each third one."""
    for name, value in (("server_timeout", 1.0), ("whole_after", 3.0)):
        object.__setattr__(watch.STANDING, name, value)


def blocked_on_signal() -> None:
    """SIGUSR1 blocks the event loop for two and a half seconds: Python runs the handler where the loop runs."""
    signal.signal(signal.SIGUSR1, lambda *_: time.sleep(2.5))


def poisoned() -> None:
    """Rendering an object of the name `poison` ends the process, as a library does that gives up."""
    render = Renderer.render

    async def rendered(self: Renderer, given: RenderInput) -> Rendered:
        answer = await render(self, given)
        if any(manifest.id.name == "poison" for manifest in answer.manifests):
            os.abort()
        return answer

    Renderer.render = rendered  # type: ignore[method-assign]


def impatient() -> None:
    """A loop that does not run is given up after ten seconds."""
    last_words.STUCK_SECONDS = 10.0


def lost_on_signal() -> None:
    """SIGUSR2 keeps the event loop from running for ever, and every other thread of Python, too."""

    def lost(*_: object) -> None:
        re.match("(a+)+$", "a" * 64 + "b")

    signal.signal(signal.SIGUSR2, lost)


def bug_in_policies() -> None:
    """Each turn of an ImagePolicy meets a bug."""

    async def reconcile(*_: object) -> float | None:
        raise RuntimeError("planted")

    image_policy.ImagePolicyReconciler.reconcile = reconcile  # type: ignore[method-assign,assignment]


PATCHES: dict[str, Callable[[], None]] = {
    "small-chunks": small_chunks,
    "quick-lease": quick_lease,
    "short-lease": short_lease,
    "blind-leader": blind_leader,
    "leaping-clock": leaping_clock,
    "short-watches": short_watches,
    "blocked-on-signal": blocked_on_signal,
    "bug-in-policies": bug_in_policies,
    "poisoned": poisoned,
    "impatient": impatient,
    "lost-on-signal": lost_on_signal,
    **BUGS,
}


def main() -> None:
    """Change what the first argument names, and run the rest."""
    names, *arguments = sys.argv[1:]
    for name in names.split(","):
        kind, _, argument = name.partition(":")
        if kind == "steps":
            instrument(argument)
        else:
            PATCHES[kind]()
    sys.exit(run_cli(arguments))


if __name__ == "__main__":
    main()

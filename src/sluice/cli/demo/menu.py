"""The demo by keys: one starts a step, and in between it tells what comes of people's own commits."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import termios
import tty
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager

from sluice.api.kustomization import Kustomization
from sluice.cli.demo.checkout import NotPossible
from sluice.cli.demo.lookout import NotObserved
from sluice.cli.demo.place import Place, ready_message, verdict
from sluice.cli.demo.tour import Step, Tour
from sluice.core import condition
from sluice.core.revision import Revision
from sluice.reconcilers.our_kinds import KUSTOMIZATIONS

QUIT = frozenset({"q", "Q", "\x04", ""})


async def run_step(tour: Tour, step: Step) -> bool:
    """Run one step and show it. Returns whether it was observed."""
    script = tour.place.script
    script.heading(f"{step.key} {step.name}", step.about)
    tour.busy = True
    try:
        await step.run(tour)
    except NotObserved as error:
        script.refused("not observed", str(error))
        await show_unready(tour.place)
        return False
    except NotPossible as error:
        script.waits("not now", str(error))
        return False
    finally:
        tour.busy = False
    return True


async def show_unready(place: Place) -> None:
    """What the apps say that are not ready: most often, why something was not observed."""
    found = await place.client.list(KUSTOMIZATIONS, place.home.namespace, item_type=Kustomization)
    for sync in found.items:
        if not condition.is_true(sync.status.conditions, condition.READY):
            place.script.detail(sync.metadata.name, verdict(sync))


async def menu(tour: Tour, steps: Sequence[Step]) -> None:
    """Take keys until q, Ctrl-D, or the end of the terminal."""
    script, by_key = tour.place.script, {step.key: step for step in steps}
    choices = "  ".join(f"{step.key} {step.name}" for step in steps)
    script.say("")
    script.say("Press a key; or edit a file yourself, commit and push, and watch it go live here:")
    script.command(f"cd {tour.place.checkout.path} && git commit -am '...' && git push")
    async with _telling(tour), _keys() as pressed:
        while True:
            script.say("")
            script.say(f"  {choices}  q quit")
            while (key := await pressed.get()) not in by_key:
                if key in QUIT:
                    return
            await run_step(tour, by_key[key])
            while not pressed.empty():
                pressed.get_nowait()


async def stay(tour: Tour) -> None:
    """Leave everything running, and tell of people's commits, until Ctrl-C."""
    script, loop, enough = tour.place.script, asyncio.get_running_loop(), asyncio.Event()
    script.say("")
    script.say("Everything stays up until Ctrl-C. To change something, edit a file, then:")
    script.command(f"cd {tour.place.checkout.path} && git commit -am '...' && git push")
    loop.add_signal_handler(signal.SIGINT, enough.set)
    try:
        async with _telling(tour):
            await enough.wait()
    finally:
        loop.remove_signal_handler(signal.SIGINT)


@asynccontextmanager
async def _keys() -> AsyncIterator[asyncio.Queue[str]]:
    """Single keys as they are pressed; the empty string when the terminal is gone."""
    pressed: asyncio.Queue[str] = asyncio.Queue()
    descriptor, loop = sys.stdin.fileno(), asyncio.get_running_loop()

    def read() -> None:
        try:
            typed = os.read(descriptor, 64).decode(errors="replace")
        except OSError:
            typed = ""
        for key in typed or [""]:
            pressed.put_nowait(key)
        if not typed:
            loop.remove_reader(descriptor)

    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)
    loop.add_reader(descriptor, read)
    try:
        yield pressed
    finally:
        loop.remove_reader(descriptor)
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


@asynccontextmanager
async def _telling(tour: Tour) -> AsyncIterator[None]:
    """Between steps, tell what becomes of commits that are not the demo's own."""
    task = tour.place.tasks.create_task(_tell(tour))
    try:
        yield
    finally:
        task.cancel()


async def _tell(tour: Tour) -> None:
    place, known = tour.place, dict[str, tuple[str, str]]()
    watch = place.client.watch(KUSTOMIZATIONS, place.home.namespace, item_type=Kustomization)
    async with aclosing(watch) as events:
        async for event in events:
            sync = event.item
            if sync is None or not sync.status.lastAttemptedRevision:
                continue
            ready = condition.find_condition(sync.status.conditions, condition.READY)
            # Who waits for another app is told of when that one is there, or is refused.
            if ready is None or ready.status == "Unknown" or ready.reason == condition.DEPENDENCY_NOT_READY:
                continue
            state = (ready.status, ready.message)
            first = sync.metadata.name not in known
            if known.get(sync.metadata.name) != state and not first and not tour.busy:
                _tell_one(place, sync, ready.status, tour.commits)
            known[sync.metadata.name] = state


def _tell_one(place: Place, sync: Kustomization, ready: str, own: set[str]) -> None:
    revision = Revision.parse(sync.status.lastAttemptedRevision)
    if revision.hex in own:
        return
    if ready == "True":
        place.script.done(sync.metadata.name, f"ready at {revision.short}")
    else:
        place.script.refused(sync.metadata.name, f"stays as it was; {revision.short} is refused:")
        place.script.detail("", ready_message(sync))

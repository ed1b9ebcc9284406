"""The whole demo, from nothing to nothing: a cluster, a git server, the operator, the apps, then tour or menu."""

from __future__ import annotations

import asyncio
import signal
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sluice.cli.demo.arrival import ask, install, see_apps
from sluice.cli.demo.booted import booted
from sluice.cli.demo.checkout import Checkout
from sluice.cli.demo.guest import guest
from sluice.cli.demo.lookout import NotObserved
from sluice.cli.demo.menu import menu, run_step, show_unready, stay
from sluice.cli.demo.operator_log import logging_to
from sluice.cli.demo.place import APPS, DEMO, Home, Place
from sluice.cli.demo.script import Script
from sluice.cli.demo.step_break import BREAK
from sluice.cli.demo.step_bump import BUMP
from sluice.cli.demo.step_drift import DRIFT
from sluice.cli.demo.step_fix import FIX
from sluice.cli.demo.step_image import IMAGE
from sluice.cli.demo.step_prune import PRUNE
from sluice.cli.demo.tour import Tour
from sluice.cli.exit_codes import ExitCode
from sluice.cli.terminal import Terminal
from sluice.kube.client import KubeClient
from sluice.settings import Settings
from sluice.wiring import run_operator

# The last only where there is a registry.
STEPS = (BUMP, BREAK, DRIFT, FIX, PRUNE)
WITH_REGISTRY = (*STEPS, IMAGE)


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for: a menu or the whole tour, and whether everything stays up until Ctrl-C."""

    interactive: bool
    keep: bool


async def show(terminal: Terminal, wish: Wish) -> ExitCode:
    """Run the demo. Returns DONE when all was observed, FAILED after a line that says what was seen instead."""
    script, began = Script(terminal), time.monotonic()
    _stop_on_signals()
    try:
        with tempfile.TemporaryDirectory(prefix="sluice-demo-") as folder:
            scratch = Path(folder)
            with logging_to(scratch / "operator.log"):
                async with _home(terminal, script, scratch) as home:
                    observed = await _run(home, script, scratch, wish)
    except NotObserved as error:
        script.refused("not observed", str(error))
        observed = False
    script.say("")
    if not observed:
        script.refused("failed", "see above; nothing is left behind. To look around: --keep")
        return ExitCode.FAILED
    seen = (
        ""
        if wish.interactive
        else f"{len(STEPS if _is_guest(terminal) else WITH_REGISTRY)} steps seen in the API server; "
    )
    script.done("done", f"{seen}nothing is left behind", time.monotonic() - began)
    return ExitCode.DONE


def _stop_on_signals() -> None:
    """End as Ctrl-C does, cleaning up, when the process is asked to go or its terminal closes."""
    task = asyncio.current_task()
    if task is not None:
        for number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)


def _home(terminal: Terminal, script: Script, scratch: Path) -> AbstractAsyncContextManager[Home]:
    return guest(terminal, script) if _is_guest(terminal) else booted(script, scratch)


def _is_guest(terminal: Terminal) -> bool:
    return bool(terminal.flags.context or terminal.flags.kubeconfig)


async def _run(home: Home, script: Script, scratch: Path, wish: Wish) -> bool:
    """Everything that happens while the cluster is there. Returns whether all was observed."""
    stop = asyncio.Event()
    async with KubeClient(home.access) as client, _git_server(scratch / "git") as url, asyncio.TaskGroup() as tasks:
        checkout = _checkout(scratch / "fleet", url)
        place = Place(client, home, checkout, script, tasks, url, scratch / "operator.log")
        try:
            await _arrive(place, scratch / "data", stop)
            return await _act(Tour(place), wish)
        except NotObserved as error:
            script.refused("not observed", str(error))
            await show_unready(place)
            if wish.keep:
                await stay(Tour(place))
            return False
        finally:
            try:
                await home.leave(client)
            finally:
                stop.set()


@asynccontextmanager
async def _git_server(root: Path) -> AsyncIterator[str]:
    """A git server with an empty repository, by its URL."""
    from devcluster.git_http import GitHttpServer

    server = GitHttpServer(root)
    server.create("fleet")
    await server.start()
    try:
        yield server.url("fleet")
    finally:
        await server.stop()


def _checkout(path: Path, url: str) -> Checkout:
    from devcluster.git_repository import WorkingRepo

    return Checkout(WorkingRepo(path, url))


async def _arrive(place: Place, storage: Path, stop: asyncio.Event) -> None:
    """Bring up everything, to three ready apps. Raises NotObserved."""
    script, began = place.script, time.monotonic()
    script.pending("CRDs", "waiting until they are served")
    await install(place.client, place.home.namespace, DEMO)
    script.done("CRDs", "GitRepository, Kustomization, images", time.monotonic() - began)
    began = time.monotonic()
    first = await place.checkout.fill()
    script.done("git server", f"{place.url}, {len(APPS)} apps at {first.short}", time.monotonic() - began)
    await ask(place)
    began = time.monotonic()
    await _start_operator(place, storage, stop)
    script.done("operator", "runs in this process, asks git for news every second", time.monotonic() - began)
    await see_apps(place, first)
    script.fact("files", str(place.checkout.path))
    for line in place.home.hints:
        script.fact("look", line)
    script.fact("log", str(place.log))


async def _start_operator(place: Place, storage: Path, stop: asyncio.Event) -> None:
    """Start the operator; return when it serves."""
    namespace, ready = place.home.namespace, asyncio.Event()
    settings = Settings(
        namespace=namespace,
        watch_namespace=namespace,
        storage=storage,
        identity=DEMO,
        git_allow_loopback=True,
        registry_allow_loopback=place.home.registry is not None,
    )
    place.script.pending("operator", "starting")
    place.tasks.create_task(run_operator(settings, place.home.access, stop, ready.set))
    await ready.wait()


async def _act(tour: Tour, wish: Wish) -> bool:
    steps = STEPS if tour.place.home.registry is None else WITH_REGISTRY
    if wish.interactive:
        await menu(tour, steps)
        observed = True
    else:
        tour.place.script.say("")
        tour.place.script.say("Times count from the start of `git push` until the API server shows it.")
        observed = True
        for step in steps:
            observed = await run_step(tour, step)
            if not observed:
                break
    if wish.keep:
        await stay(tour)
    return observed

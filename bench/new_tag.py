"""From a new tag in the registry to a commit in git, and to pods that run it.

`tag_to_commit`: the registry has the tag and a webhook is about to tell a Receiver → the git server has taken the push
of the commit. `tag_to_rollout`: from the same moment → all pods of the Deployment run the new image. Medians of five.
References: the same by plain tools, one after the other: the tags listed, `git pull`, `sed`, `git commit`, `git push`;
and then dry-run and apply of the Deployment, until the pods run it. The simulated node has pods ready at once.
"""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import aiohttp

from bench.figure import Figure, rounds
from bench.image_objects import (
    DEPLOYMENTS,
    FILE,
    IMAGES,
    OWN_REGISTRY,
    has_chosen,
    is_live,
    is_rolled_out,
    open_hook,
    watch_image,
    workload,
    write_images,
)
from bench.objects import Body
from bench.stand import Stand, Tracing, free_port, stand
from bench.sync import fetch_source, first_sync
from devcluster.git_repository import hermetic_env
from devcluster.images import make_image
from devcluster.registry import Registry
from sluice.core.push_schedule import BURST, PAUSE

FIGURES = ("tag_to_commit", "tag_to_rollout")
ROUNDS = 5
REPOSITORY = "bench/web"
TO_COMMIT, TO_ROLLOUT = 1.0, 3.0


@dataclass(frozen=True, slots=True)
class _Round:
    """Seconds from the new tag until each."""

    pushed: float
    live: float
    rolled_out: float


async def measure(tracing: Tracing) -> list[Figure]:
    """Both figures, from one stand and one registry."""
    hooks = f"127.0.0.1:{free_port()}"
    arguments = (f"--hook-addr={hooks}", OWN_REGISTRY)
    async with stand("new-tag", {"README.md": "images\n"}, tracing=tracing, arguments=arguments) as place:
        with Registry(place.folder / "registry") as registry:
            hook = await _begin(place, registry, hooks)
            took = []
            for number in range(1, ROUNDS + 1):
                await asyncio.sleep(PAUSE if number > BURST else 0.0)  # more commits than that are made to wait
                await place.quiet()
                took.append(await _round(place, registry, f"1.{number}.0", partial(_call, hook)))
            place.operator.terminate()  # plain tools have the machine for themselves, as Sluice had
            await asyncio.to_thread(place.operator.wait, 30)
            clone = place.folder / "clone"
            await asyncio.to_thread(_git, place, "clone", "-q", place.git.url("fleet"), str(clone))
            plain = []
            for number in range(1, ROUNDS + 1):
                tag = f"2.{number}.0"
                plain.append(await _round(place, registry, tag, partial(_plain, place, registry, clone, tag)))
    return _figures(took, plain)


async def _begin(place: Stand, registry: Registry, hooks: str) -> str:
    """A Deployment at 1.0.0, watched, chosen, synced; returns the webhook's URL."""
    image = registry.image(REPOSITORY)
    registry.push(REPOSITORY, "1.0.0", make_image(content="1.0.0"))
    place.repo.commit({FILE: workload(image, "1.0.0")}, "web")
    await first_sync(place, "web", "./apps", await fetch_source(place))
    await watch_image(place, "web", image)
    await place.api.first(f"{IMAGES}/imagepolicies", has_chosen("1.0.0"))
    await write_images(place)
    return await open_hook(place, hooks)


async def _round(place: Stand, registry: Registry, tag: str, tell: Callable[[], Awaitable[None]]) -> _Round:
    """Push a tag, `tell` of it, and see it arrive."""
    before = len(place.git.pushes)
    async with asyncio.TaskGroup() as group:
        live = group.create_task(place.api.first(DEPLOYMENTS, is_live(tag)))
        done = group.create_task(place.api.first(DEPLOYMENTS, is_rolled_out(tag)))
        await asyncio.sleep(0.3)
        await asyncio.to_thread(registry.push, REPOSITORY, tag, make_image(content=tag))
        began = time.monotonic()
        await tell()
    return _Round(await _pushed(place, before) - began, live.result() - began, done.result() - began)


async def _pushed(place: Stand, before: int) -> float:
    """When the server took the push that came after the first so many; it notes it a moment after its client knows."""
    for _ in range(1000):
        if len(place.git.pushes) > before:
            return place.git.pushes[before]
        await asyncio.sleep(0.01)
    raise RuntimeError("the new image is live, and nobody pushed a commit of it")


async def _call(hook: str) -> None:
    async with aiohttp.ClientSession() as session, session.post(hook, data=b"{}") as answer:
        if answer.status != 200:
            raise RuntimeError(f"the webhook was answered {answer.status}")


async def _plain(place: Stand, registry: Registry, clone: Path, tag: str) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"{registry.url}/v2/{REPOSITORY}/tags/list") as answer:
        if tag not in (await answer.json())["tags"]:
            raise RuntimeError(f"the registry does not list {tag}")
    image = registry.image(REPOSITORY)
    await asyncio.to_thread(_commit, place, clone, f"s|{image}:[0-9.]*|{image}:{tag}|", tag)
    body = Body("", (clone / FILE).read_text(), f"{DEPLOYMENTS}/web")
    await place.api.check_and_apply(body)


def _commit(place: Stand, clone: Path, edit: str, message: str) -> None:
    identity = ("-c", "user.name=bench", "-c", "user.email=bench@example.com")
    _git(place, "-C", str(clone), "pull", "-q", "--ff-only")
    subprocess.run(["sed", "-i", edit, str(clone / FILE)], check=True)
    _git(place, "-C", str(clone), *identity, "commit", "-q", "-a", "-m", message)
    _git(place, "-C", str(clone), "push", "-q")


def _git(place: Stand, *arguments: str) -> None:
    subprocess.run(["git", *arguments], env=hermetic_env(place.folder), check=True)


def _figures(took: list[_Round], plain: list[_Round]) -> list[Figure]:
    commit = (
        f"to be under {TO_COMMIT:.0f} s; reference: tags listed, pull, sed, commit, push by plain tools",
        f"rounds {rounds([each.pushed for each in took])}, plain {rounds([each.pushed for each in plain])}",
    )
    rollout = (
        f"to be under {TO_ROLLOUT:.0f} s; reference: the same, then dry-run and apply, until its pods run",
        f"rounds {rounds([each.rolled_out for each in took])}, plain {rounds([each.rolled_out for each in plain])}",
        f"the Deployment had the image after {median(each.live for each in took):.2f} s",
    )
    return [
        Figure(FIGURES[0], *_medians([each.pushed for each in took], [each.pushed for each in plain]), commit),
        Figure(FIGURES[1], *_medians([e.rolled_out for e in took], [e.rolled_out for e in plain]), rollout),
    ]


def _medians(took: list[float], plain: list[float]) -> tuple[float, str, float]:
    return median(took), "s", median(plain)

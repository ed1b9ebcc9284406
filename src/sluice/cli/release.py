"""`sluice release`: new images for workloads in git, as fluxctl's releases were: by the operator, or in a checkout."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from sluice.cli.error_output import problem_text
from sluice.cli.exit_codes import ExitCode
from sluice.cli.flags import Flags, usage
from sluice.cli.local_edit import (
    WISHES,
    Files,
    Wish,
    carry_out,
    count_files,
    default_namespace,
    editing_options,
    read_files,
    refuse_skipped,
    wish_of,
    workloads_of,
)
from sluice.cli.local_workloads import LocalWorkloads, find_workloads
from sluice.cli.registry_tags import Asked, Reach, login_hint, open_tags, registry_options
from sluice.cli.release_output import release_fields, show_release, update_fields
from sluice.cli.structured import write_structured
from sluice.cli.terminal import Terminal
from sluice.cli.workload_names import missing_workloads, workload_option
from sluice.core import codes
from sluice.core.errors import RemoteError, UserError
from sluice.core.image import ImageRef, ImageRefError, parse
from sluice.core.image_policy import TagPolicy
from sluice.core.image_policy.workload_choice import Listing
from sluice.core.image_policy.workload_policies import read_policies
from sluice.core.image_update.release import ContainerUpdate, Located, workload_ids
from sluice.core.image_update.request import ReleaseRequest, WorkloadResult, plan_release
from sluice.core.image_update.workload import Workload, WorkloadId
from sluice.core.message_template.fluxd import containers_message, release_message
from sluice.core.problem import Problem, printable
from sluice.core.update_spec import ImageSpec

if TYPE_CHECKING:
    from sluice.registry.scanner import ScanResult


@dataclass(frozen=True, slots=True)
class _Ask:
    """How registries are asked; `unchecked` leaves out the question whether a named image is there."""

    reach: Reach
    unchecked: bool


@click.command(short_help="A new image for workloads, into git.")
@workload_option()
@click.option(
    "--all", "everything", is_flag=True, help="All workloads of the folder, or of the syncs of the namespace."
)
@click.option("-x", "--exclude", multiple=True, metavar="WORKLOAD", help="A workload to leave out; repeat it.")
@click.option("-i", "--image", "--update-image", "image", default="", metavar="IMAGE", help="The image, with its tag.")
@click.option("--all-images", "--update-all-images", "all_images", is_flag=True, help="The newest of each image.")
@click.option("-f", "--force", is_flag=True, help="Lift locks (of named workloads) and patterns (for a named image).")
@click.option("--interactive", is_flag=True, help="Ask about each container.")
@click.option("--watch", is_flag=True, help="Follow the rollout until it has ended; not with --local.")
@click.option("--unchecked", is_flag=True, help="With --local: do not ask the registry whether it has the image.")
@editing_options
@registry_options
@click.pass_obj
def release(flags: Flags, /, **given: Any) -> ExitCode:
    """Write new images into the files of workloads, byte for byte the rest as it was. Exits 1 when one is held up.

    The operator commits and pushes it, asked through the sync that applies the workload; with --local a checkout is
    edited. A lock, an ignore and a pattern hold against you, too. What can't be done wholly is not done at all.

    \b
    Examples: sluice release -w shop:deploy/web --image ghcr.io/acme/web:1.2.0 --watch
              sluice release --local . -w shop:deploy/web --all-images --commit
    """
    words, excluded = given["workloads"], given["exclude"]
    if bool(given["image"]) == given["all_images"]:
        raise usage("either --image or --all-images is needed", fix="name an image with its tag, or --all-images")
    if bool(words) == given["everything"]:
        raise usage("either --workload or --all is needed", fix="name workloads, or --all for all of the folder")
    if given["force"] and given["everything"] and given["all_images"]:
        raise usage("--force with --all and --all-images would lift nothing", fix="name workloads or an image")
    image = _image(given["image"]) if given["image"] else None
    terminal = Terminal(flags)
    if given["interactive"] and not (terminal.can_ask or flags.yes):
        raise usage(
            "--interactive has nobody to ask", fix="run it on a terminal, or leave it out", field="--interactive"
        )
    if given["local"] is None:
        return _ask_operator(flags, image, given)
    if given["watch"]:
        raise usage("--watch is not for a checkout: nothing is rolled out", field="--watch", fix="leave it out")
    wish = wish_of(given["local"], **{key: given[key] for key in WISHES})
    request = ReleaseRequest(
        image, workloads_of(flags, words), frozenset(workloads_of(flags, excluded)), given["force"]
    )
    ask = _Ask(Reach(given["allow_loopback"], given["insecure_hosts"]), given["unchecked"])
    made = asyncio.run(_prepare(terminal, wish, request, ask))
    # Between the two loops, where Ctrl-C ends the question at once.
    made = _choose(terminal, made) if given["interactive"] else made
    message = _message(request, made, chosen=given["interactive"])
    return asyncio.run(_make(terminal, wish, request, made, message))


def _ask_operator(flags: Flags, image: ImageRef | None, given: dict[str, Any]) -> ExitCode:
    from sluice.cli.asked_update import Question, ask_operator, refuse_local_flags

    refuse_local_flags("release", given)
    if given["watch"] and given["dry_run"]:
        raise usage("--watch and --dry-run exclude each other: nothing is rolled out", field="--watch")

    def spec_of(workloads: tuple[WorkloadId, ...], user: str, why: str) -> ImageSpec:
        return ImageSpec(image, workloads, force=given["force"])

    asked = {key: given[key] for key in ("message", "user", "dry_run", "interactive", "watch", "exclude")}
    return ask_operator(flags, Question("ReleaseResult", given["workloads"], spec_of, **asked))


def _image(text: str) -> ImageRef:
    try:
        image = parse(text)
    except ImageRefError as error:
        raise usage("--image is no image", code=codes.IMAGE_REF, field="--image", cause=str(error)) from None
    if image.tag is None:
        title = "--image names no tag"
        raise usage(title, field="--image", fix=f"write --image {image.name}:TAG, or --all-images for the newest")
    return image


@dataclass(frozen=True, slots=True)
class _Release:
    """A release that is decided, and not made yet."""

    files: Files
    workloads: LocalWorkloads
    results: tuple[WorkloadResult, ...]


async def _prepare(terminal: Terminal, wish: Wish, request: ReleaseRequest, ask: _Ask) -> _Release:
    files = await read_files(terminal, wish, default_namespace(terminal.flags))
    found = await _find(terminal, files, request)
    return _Release(files, found, await _decide(terminal, found.located, request, ask))


async def _make(terminal: Terminal, wish: Wish, request: ReleaseRequest, made: _Release, message: str) -> ExitCode:
    namespace = default_namespace(terminal.flags)
    wanted = [update for result in made.results for update in result.updates]
    update = await made.workloads.update_containers(wanted)
    refuse_skipped(update)
    if not terminal.flags.structured:
        show_release(terminal, made.results, update, everything=not request.workloads)
    commit = await carry_out(terminal, made.files, update, wish, wish.message or message)
    if update.files and not commit and (wish.message or wish.user):
        terminal.say("  --message and --user are of a commit, which only --commit makes")
    if terminal.flags.structured:
        items = [release_fields(result, update, namespace) for result in made.results]
        written = bool(update.files) and not wish.dry_run
        write_structured(terminal, update_fields("ReleaseResult", items, [commit] if commit else [], written=written))
    held = [result.problem for result in made.results if result.problem is not None and request.workloads]
    return ExitCode.NO if held else ExitCode.DONE


def _message(request: ReleaseRequest, made: _Release, *, chosen: bool) -> str:
    """fluxd's words: of what was asked for, or, where a person chose among it, of what they chose."""
    if chosen:
        return containers_message(
            {str(r.workload): [str(u.image) for u in r.updates] for r in made.results if r.updates}
        )
    image = None if request.image is None else str(request.image)
    return release_message(image, [str(identity) for identity in request.workloads])


def _choose(terminal: Terminal, made: _Release) -> _Release:
    """Ask about each container; what is declined stays as it is, and says so."""
    return replace(made, results=tuple(_chosen(terminal, result) for result in made.results))


def _chosen(terminal: Terminal, result: WorkloadResult) -> WorkloadResult:
    def is_wanted(update: ContainerUpdate) -> bool:
        return terminal.confirm(
            f"{printable(f'{update.workload} {update.container}')}: {update.current} -> {update.image}?"
        )

    kept = tuple(update for update in result.updates if is_wanted(update))
    if kept == result.updates:
        return result
    declined = [f"{printable(update.container)}: declined" for update in result.updates if update not in kept]
    reason = "; ".join([result.reason] * bool(result.reason) + declined)
    return replace(result, status="success" if kept else "skipped", reason=reason, updates=kept)


async def _find(terminal: Terminal, files: Files, request: ReleaseRequest) -> LocalWorkloads:
    """Find the workloads that are meant. Raises UserError for a named one that is missing, or is there twice."""
    namespace = default_namespace(terminal.flags)
    found = await find_workloads(files, request.workloads, namespace)
    if request.workloads:
        refuse_missing(files, found.located, namespace)
        return found
    for skipped in found.unread:
        terminal.detail(f"not looked at: {printable(skipped.path)}:{skipped.line}: {printable(skipped.reason)}")
    if found.unread:
        terminal.say(f"{count_files(len(found.unread))} can't be read as YAML: not looked at (-v says which)")
    if found.located.missing:
        raise UserError(*found.located.missing.values())
    for problem in found.told:
        terminal.warn(problem_text(terminal, problem))
    return found


def refuse_missing(files: Files, located: Located, namespace: str) -> None:
    """Raise UserError for each workload that is in no file (with the nearest that are), or in several."""
    if not located.missing:
        return
    absent = [identity for identity, problem in located.missing.items() if problem.code is codes.WORKLOAD_MISSING]
    if len(absent) < len(located.missing) or any(_says_why(problem) for problem in located.missing.values()):
        raise UserError(*located.missing.values())
    error = missing_workloads(absent, workload_ids(files.contents, namespace)[0], "in the folder")
    if files.unused_flux_yaml:
        cause = f"{printable(files.unused_flux_yaml)} says that commands make what is in it"
        fix = "add --manifest-generation, and they are run here"
        raise UserError(*(replace(problem, cause=cause, fix=fix) for problem in error.problems))
    raise error


def _says_why(problem: Problem) -> bool:
    """True where a workload is there, in a file that can't be read or is shared."""
    return problem.origin is not None or "can't be read" in problem.cause


async def _decide(
    terminal: Terminal, located: Located, request: ReleaseRequest, ask: _Ask
) -> tuple[WorkloadResult, ...]:
    workloads = [(file.path, workload) for file, workload in located.workloads.values()]
    async with open_tags(terminal, ask.reach) as tags:
        if request.image is not None:
            results = plan_release(workloads, request, lambda _: None)
            if not ask.unchecked and any(result.updates for result in results):
                await tags.check(request.image)
            return results
        meant = [workload for _, workload in workloads if workload.id not in request.excluded]
        found = await tags.read(_asked(meant, terminal))
    refuse_unread(terminal, found)
    listings = {name: Listing(scan.tags, scan.complete) for name, scan in found.items()}
    return plan_release(workloads, request, lambda image: listings.get(image.canonical_name))


def refuse_unread(terminal: Terminal, found: dict[str, ScanResult]) -> None:
    """Raise RemoteError when a registry could not be asked: the newest of its images is not known."""
    problems = [problem for scan in found.values() if not scan.complete for problem in scan.problems]
    for hint in dict.fromkeys(login_hint(scan) for scan in found.values()):
        if hint:
            terminal.say(f"  {hint}")
    if problems:
        raise RemoteError(*dict.fromkeys(problems))


def _asked(workloads: Sequence[Workload], terminal: Terminal) -> dict[str, Asked]:
    """Each image once. Build times and digests are asked for where a pattern orders by time, or git pins a digest."""
    asked: dict[str, Asked] = {}
    wanted: dict[str, list[Any]] = {}
    for workload in workloads:
        policies = read_policies(workload.annotations)
        for container in workload.containers:
            if container.image is None:
                continue
            policy, key = policies.policy(container.name), container.image.canonical_name
            rules = wanted.setdefault(key, [])
            if isinstance(policy, TagPolicy) and (policy.needs_created or container.image.digest is not None):
                rules.append(policy)

            def described(tag: str, rules: Any = rules) -> bool:
                return any(rule.accepts(tag) for rule in rules)

            asked[key] = Asked(container.image, described)
    terminal.detail(f"asking for the tags of {len(asked)} images")
    return asked

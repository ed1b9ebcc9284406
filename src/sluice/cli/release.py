"""`sluice release`: new images for workloads, written into a checkout as fluxctl's releases were."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from sluice.cli.error_output import API_VERSION, problem_text
from sluice.cli.exit_codes import ExitCode
from sluice.cli.flags import Flags, usage
from sluice.cli.local_edit import (
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
from sluice.cli.registry_tags import Asked, Reach, login_hint, open_tags, registry_options
from sluice.cli.structured import write_structured
from sluice.cli.table import write_table
from sluice.cli.terminal import Terminal
from sluice.cli.workload_names import missing_workloads, workload_option
from sluice.core import codes
from sluice.core.errors import RemoteError, UserError
from sluice.core.image import ImageRef, ImageRefError, parse
from sluice.core.image_policy import TagPolicy
from sluice.core.image_policy.workload_choice import Listing
from sluice.core.image_policy.workload_policies import read_policies
from sluice.core.image_update.release import Located, locate_workloads, update_containers, workload_ids
from sluice.core.image_update.request import ReleaseRequest, WorkloadResult, plan_release
from sluice.core.image_update.result import ImageChange, ImageUpdate
from sluice.core.image_update.workload import Workload, WorkloadId
from sluice.core.message_template.fluxd import release_message
from sluice.core.problem import printable

if TYPE_CHECKING:
    from sluice.registry.scanner import ScanResult

HEADERS = ("WORKLOAD", "STATUS", "UPDATES", "FILE")


@dataclass(frozen=True, slots=True)
class _Ask:
    """How registries are asked; `unchecked` leaves out the question whether a named image is there."""

    reach: Reach
    unchecked: bool


@click.command(short_help="A new image for workloads, into git.")
@workload_option()
@click.option("--all", "everything", is_flag=True, help="All workloads of the folder.")
@click.option("-x", "--exclude", multiple=True, metavar="WORKLOAD", help="A workload to leave out; repeat it.")
@click.option("-i", "--image", "--update-image", "image", default="", metavar="IMAGE", help="The image, with its tag.")
@click.option("--all-images", "--update-all-images", "all_images", is_flag=True, help="The newest of each image.")
@click.option("-f", "--force", is_flag=True, help="Lift locks (of named workloads) and patterns (for a named image).")
@click.option("--unchecked", is_flag=True, help="Do not ask the registry whether it has the image.")
@editing_options
@registry_options
@click.pass_obj
def release(flags: Flags, /, **given: Any) -> ExitCode:
    """Write new images into the files of workloads, byte for byte the rest as it was. Exits 1 when one is held up.

    A lock, an ignore and a pattern hold against you, too. What can't be done wholly is not done at all.

    \b
    Example: sluice release --local . -w shop:deploy/web --image ghcr.io/acme/web:1.2.0 --commit
    """
    words, excluded = given["workloads"], given["exclude"]
    wish = wish_of("release", given["local"], **{key: given[key] for key in ("dry_run", "commit", "message", "user")})
    if bool(given["image"]) == given["all_images"]:
        raise usage("either --image or --all-images is needed", fix="name an image with its tag, or --all-images")
    if bool(words) == given["everything"]:
        raise usage("either --workload or --all is needed", fix="name workloads, or --all for all of the folder")
    if given["force"] and given["everything"] and given["all_images"]:
        raise usage("--force with --all and --all-images would lift nothing", fix="name workloads or an image")
    image = _image(given["image"]) if given["image"] else None
    excluded_ids = frozenset(workloads_of(flags, excluded))
    request = ReleaseRequest(image, workloads_of(flags, words), excluded_ids, given["force"])
    ask = _Ask(Reach(given["allow_loopback"], given["insecure_hosts"]), given["unchecked"])
    return asyncio.run(_release(Terminal(flags), wish, request, ask))


def _image(text: str) -> ImageRef:
    try:
        image = parse(text)
    except ImageRefError as error:
        raise usage("--image is no image", code=codes.IMAGE_REF, field="--image", cause=str(error)) from None
    if image.tag is None:
        title = "--image names no tag"
        raise usage(title, field="--image", fix=f"write --image {image.name}:TAG, or --all-images for the newest")
    return image


async def _release(terminal: Terminal, wish: Wish, request: ReleaseRequest, ask: _Ask) -> ExitCode:
    files = await read_files(terminal, wish.folder)
    located = _locate(terminal, files, request)
    results = await _decide(terminal, located, request, ask)
    wanted = [update for result in results for update in result.updates]
    update = update_containers(files.contents, wanted, default_namespace(terminal.flags))
    refuse_skipped(update)
    if not terminal.flags.structured:
        _show(terminal, results, update, everything=not request.workloads)
    image = None if request.image is None else str(request.image)
    message = wish.message or release_message(image, [str(identity) for identity in request.workloads])
    commit = await carry_out(terminal, files, update, wish, message)
    if terminal.flags.structured:
        items = [_fields(result, update, default_namespace(terminal.flags)) for result in results]
        answer = {"kind": "ReleaseResult", "written": _is_written(wish, update), "commit": commit or None}
        write_structured(terminal, {"apiVersion": API_VERSION, **answer, "items": items})
    held = [result.problem for result in results if result.problem is not None and request.workloads]
    return ExitCode.NO if held else ExitCode.DONE


def _is_written(wish: Wish, update: ImageUpdate) -> bool:
    return bool(update.files) and not wish.dry_run


def _locate(terminal: Terminal, files: Files, request: ReleaseRequest) -> Located:
    """Find the workloads that are meant. Raises UserError for a named one that is missing, or is there twice."""
    namespace = default_namespace(terminal.flags)
    if request.workloads:
        located = locate_workloads(files.contents, request.workloads, namespace)
        refuse_missing(files, located, namespace)
        return located
    ids, unread = workload_ids(files.contents, namespace)
    for skipped in unread:
        terminal.detail(f"not looked at: {printable(skipped.path)}:{skipped.line}: {printable(skipped.reason)}")
    if unread:
        terminal.say(f"{count_files(len(unread))} can't be read as YAML: not looked at (-v says which)")
    located = locate_workloads(files.contents, ids, namespace)
    if located.missing:
        raise UserError(*located.missing.values())
    return located


def refuse_missing(files: Files, located: Located, namespace: str) -> None:
    """Raise UserError for each workload that is in no file (with the nearest that are), or in several."""
    if not located.missing:
        return
    absent = [identity for identity, problem in located.missing.items() if problem.code is codes.WORKLOAD_MISSING]
    if len(absent) < len(located.missing) or any("can't be read" in p.cause for p in located.missing.values()):
        raise UserError(*located.missing.values())
    raise missing_workloads(absent, workload_ids(files.contents, namespace)[0], "in the folder")


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


def _show(terminal: Terminal, results: Sequence[WorkloadResult], update: ImageUpdate, *, everything: bool) -> None:
    """The table of fluxctl: what stays is shown where it was asked for by name, else with -v."""
    rows = []
    for result in results:
        if not result.updates:
            if not everything or terminal.flags.verbose > (result.status == "ignored"):
                rows.append([str(result.workload), result.status, printable(result.reason), ""])
            continue
        name = str(result.workload)
        for change in changes_of(result.workload, update, default_namespace(terminal.flags)):
            rows.append([name, result.status if name else "", *change_cells(change)])
            name = ""
        if result.reason:
            rows.append(["", "", printable(result.reason), ""])
    if rows:
        write_table(terminal, HEADERS, rows)
    for result in results:
        if result.problem is not None and not everything:
            terminal.warn(problem_text(terminal, result.problem))


def change_cells(change: ImageChange) -> list[str]:
    """What a change is, and where, for a table."""
    old, new = (printable(text) or "(none)" for text in (change.old, change.new))
    return [f"{printable(change.field)}: {old} -> {new}", f"{printable(change.path)}:{change.line}"]


def changes_of(identity: WorkloadId, update: ImageUpdate, namespace: str) -> list[ImageChange]:
    """The changes of one workload; `namespace` is that of objects which name none."""

    def is_of(change: ImageChange) -> bool:
        subject = change.subject
        return WorkloadId(subject.namespace or namespace, subject.kind.lower(), subject.name) == identity

    return [change for change in update.changes if is_of(change)]


def _fields(result: WorkloadResult, update: ImageUpdate, namespace: str) -> dict[str, Any]:
    changes = changes_of(result.workload, update, namespace) if result.updates else []
    return {
        "workload": str(result.workload),
        "status": result.status,
        "reason": result.reason or None,
        "updates": [change_fields(change) for change in changes],
    }


def change_fields(change: ImageChange) -> dict[str, Any]:
    """A change for programs."""
    return {
        "field": change.field,
        "from": change.old or None,
        "to": change.new or None,
        "path": change.path,
        "line": change.line,
    }

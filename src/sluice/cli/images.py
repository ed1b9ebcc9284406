"""`sluice images`: the images that workloads run, with the tags that are newer; and why one is not updated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from sluice.cli.cluster import Cluster, in_cluster
from sluice.cli.error_output import API_VERSION, problem_fields, problem_text
from sluice.cli.exit_codes import ExitCode, exit_code_of
from sluice.cli.flags import usage
from sluice.cli.registry_tags import Asked, Reach, TagReader, login_hint, open_tags, registry_options
from sluice.cli.running_images import RunningContainer, image_kinds, running_containers
from sluice.cli.structured import write_structured
from sluice.cli.table import write_table
from sluice.cli.terminal import Terminal
from sluice.cli.workload_names import workload_option
from sluice.core.errors import RemoteError
from sluice.core.image_policy.dialect_fluxd import pattern_text
from sluice.core.image_policy.tag_list import TagLine, TagList, tag_list
from sluice.core.problem import Problem, printable
from sluice.core.timestamp import rfc3339
from sluice.registry.scanner import ScanResult

if TYPE_CHECKING:
    from sluice.cli.answers import ImageItem, ImageList

HEADERS = ("WORKLOAD", "CONTAINER", "IMAGE", "CREATED")
NO_TAGS = TagList((), 0)
SIGNS = {"newer": "|   ", "running": "'-> ", "older": "    "}


@dataclass(frozen=True, slots=True)
class ImageRow:
    """One container with what is known of its image. `found` is None when the image can't be read."""

    running: RunningContainer
    found: ScanResult | None = None
    tags: TagList = NO_TAGS


@click.command(short_help="Images that run, the newer tags, and why one is not updated.")
@click.argument("words", nargs=-1, metavar="[why [WORKLOAD|IMAGE]...]")
@workload_option()
@click.option("-l", "--limit", default=10, type=click.IntRange(0), show_default=True, help="Tags of an image; 0: all.")
@registry_options
@in_cluster
async def images(
    cluster: Cluster,
    *,
    words: tuple[str, ...],
    workloads: tuple[str, ...],
    limit: int,
    insecure_hosts: tuple[str, ...],
    allow_loopback: bool,
) -> ExitCode:
    """List images as a tree: newer tags above the running one. `images why` gives each image's reason to stay.

    Registries are asked with the logins of your Docker configuration. What it learns is kept in your cache folder.

    \b
    Example: sluice images -A --workload shop:deploy/web
    """
    if words and words[0] != "why":
        fix = f"write `sluice images why {printable(words[0])}`, or --workload {printable(words[0])}"
        raise usage(f"{printable(words[0])!r} is no word that images takes", fix=fix)
    kinds = await image_kinds(cluster)
    async with open_tags(cluster.terminal, Reach(allow_loopback, insecure_hosts)) as tags:
        if words:
            from sluice.cli.images_why import explain_images

            return await explain_images(cluster, (*words[1:], *workloads), kinds, tags, limit)
        running = await running_containers(cluster, workloads, kinds)
        rows = await look(running.containers, tags, limit)
    _show(cluster, rows, limit)
    return told(cluster.terminal, rows, running.refused)


async def look(containers: Sequence[RunningContainer], tags: TagReader, limit: int) -> list[ImageRow]:
    """Ask registries about all images: each once for its tags, and once more for the build times that are shown."""
    rows = _ordered(containers, await tags.read(_asked(containers)))
    shown: dict[str, set[str]] = {}
    for row in rows:
        for line in _cut(row.tags, limit)[0]:
            if line.tag.created is None and line.is_known:
                shown.setdefault(_key(row.running), set()).add(line.tag.tag)
    if shown:
        again = [each for each in containers if _key(each) in shown]
        described = await tags.read(_asked(again, shown))
        rows = [_dated(row, described.get(_key(row.running))) for row in rows]
    return rows


def _asked(containers: Sequence[RunningContainer], shown: dict[str, set[str]] | None = None) -> dict[str, Asked]:
    asked: dict[str, Asked] = {}
    for key in sorted({_key(each) for each in containers} - {""}):
        same = [each for each in containers if _key(each) == key]
        by_time = [each.order() for each in same if each.order().needs_created]
        names = (shown or {}).get(key, set())
        image = same[0].container.image
        assert image is not None  # noqa: S101  it has a key

        def described(tag: str, by_time: Any = by_time, names: Any = names) -> bool:
            return tag in names or any(policy.accepts(tag) for policy in by_time)

        asked[key] = Asked(image, described)
    return asked


def _key(running: RunningContainer) -> str:
    return "" if running.container.image is None else running.container.image.canonical_name


def _ordered(containers: Sequence[RunningContainer], found: dict[str, ScanResult]) -> list[ImageRow]:
    rows = []
    for each in containers:
        scan = found.get(_key(each))
        tags = NO_TAGS if scan is None else tag_list(each.order(), scan.tags, each.tag)
        rows.append(ImageRow(each, scan, tags))
    return rows


def _dated(row: ImageRow, described: ScanResult | None) -> ImageRow:
    """The same order with the build times that were asked for; what failed on the way only leaves times out."""
    if described is None:
        return row
    known = {tag.tag: tag for tag in described.tags}
    lines = tuple(TagLine(known.get(e.tag.tag, e.tag), e.place, e.is_known) for e in row.tags.lines)
    return ImageRow(row.running, row.found, TagList(lines, row.tags.passed_over))


def _cut(tags: TagList, limit: int) -> tuple[list[TagLine], int, int]:
    """The newest lines and the running one; how many are left out before it, and at the end."""
    if not limit or len(tags.lines) <= limit:
        return list(tags.lines), 0, 0
    kept, rest = list(tags.lines[:limit]), tags.lines[limit:]
    at = next((index for index, line in enumerate(rest) if line.place == "running"), None)
    return (kept, 0, len(rest)) if at is None else ([*kept, rest[at]], at, len(rest) - at - 1)


def _show(cluster: Cluster, rows: Sequence[ImageRow], limit: int) -> None:
    terminal = cluster.terminal
    if cluster.flags.structured:
        items = [_fields(row, limit) for row in rows]
        answer: ImageList = {"apiVersion": API_VERSION, "kind": "ImageList", "items": items}
        write_structured(terminal, answer)
        return
    if cluster.flags.output == "name":
        write_names(terminal, rows)
        return
    if not rows:
        where = f"in namespace {cluster.scope}; -A looks in all" if cluster.scope else "in any namespace"
        terminal.say(f"no workloads found {where}")
        return
    wide = cluster.flags.output == "wide"
    lines: list[list[str]] = []
    before = ""
    for row in rows:
        name = str(row.running.workload.id)
        lines += _tree(row, "" if name == before else name, limit, wide)
        before = name
    write_table(terminal, [*HEADERS, "POLICY", *(("DIGEST",) if wide else ())], lines)


def write_names(terminal: Terminal, rows: Sequence[ImageRow]) -> None:
    """The workloads, one a line, in the form that `--workload` takes."""
    for name in dict.fromkeys(str(row.running.workload.id) for row in rows):
        terminal.answer(printable(name))


def _tree(row: ImageRow, name: str, limit: int, wide: bool) -> list[list[str]]:
    image, empty = row.running.container.image, ["-"] if wide else []
    container = printable(row.running.container.name)
    if image is None:
        return [[name, container, f"? {printable(row.running.container.fault)}", "", "", *empty]]
    head = [name, container, image.canonical_name if wide else image.name, "", policy_words(row.running), *empty]
    kept, before, after = _cut(row.tags, limit)
    lines = []
    for index, line in enumerate(kept):
        if before and index == len(kept) - 1:
            lines.append(["", "", f": ({before} image(s) omitted)", "", "", *empty])
        text = SIGNS[line.place] + line.tag.tag + ("" if line.is_known else " ?")
        made = rfc3339(line.tag.created) if line.tag.created else ""
        digest = [(line.tag.digest or "-")[:19]] if wide else []
        lines.append(["", "", text, made, ", ".join(f"<- {who}" for who in _choosers(row, line)), *digest])
    if after:
        lines.append(["", "", f": ({after} image(s) omitted)", "", "", *empty])
    return [head, *lines]


def policy_words(running: RunningContainer) -> str:
    """What decides about a container's image, in a few words; `-` when nothing does."""
    policies = running.policies
    flags = ("ignore", policies.ignored), ("locked", policies.locked), ("automated", policies.automated)
    words = [word for word, is_so in flags if is_so]
    if running.has_pattern:
        words.append(printable(pattern_text(policies.pattern(running.container.name).text)))
    words += [f"imgpol {policy.metadata.namespace}/{policy.metadata.name}" for policy in running.chosen_by]
    return ", ".join(words) or "-"


def _choosers(row: ImageRow, line: TagLine) -> list[str]:
    return [
        f"{policy.metadata.namespace}/{policy.metadata.name}"
        for policy in row.running.chosen_by
        if policy.status.latestRef is not None and policy.status.latestRef.tag == line.tag.tag
    ]


def _fields(row: ImageRow, limit: int) -> ImageItem:
    kept, before, after = _cut(row.tags, limit)
    running, image = row.running, row.running.container.image
    return {
        "workload": str(running.workload.id),
        "container": running.container.name,
        "image": None if image is None else str(image),
        "fault": running.container.fault or None,
        "automated": running.policies.automated,
        "locked": running.policies.locked,
        "ignored": running.policies.ignored,
        "pattern": running.policies.pattern(running.container.name).text if running.has_pattern else None,
        "imagePolicies": [f"{p.metadata.namespace}/{p.metadata.name}" for p in running.chosen_by],
        "newer": row.tags.newer,
        "omitted": before + after,
        "passedOver": row.tags.passed_over,
        "complete": row.found is not None and row.found.complete,
        "tags": [
            {
                "tag": line.tag.tag,
                "created": rfc3339(line.tag.created) if line.tag.created else None,
                "digest": line.tag.digest,
                "is": line.place if line.is_known else "unknown",
                "chosenBy": _choosers(row, line),
            }
            for line in kept
        ],
        "problems": [problem_fields(problem) for problem in (row.found.problems if row.found else ())],
    }


def told(terminal: Terminal, rows: Sequence[ImageRow], refused: Sequence[Problem] = ()) -> ExitCode:
    """Say once what could not be looked at, and what went wrong at registries; the first decides the exit code."""
    problems: dict[Problem, None] = dict.fromkeys(refused)
    failed: list[Problem] = [*refused]
    hints: dict[str, None] = {}
    for found in (row.found for row in rows if row.found is not None):
        problems |= dict.fromkeys(found.problems)
        failed += found.problems[:1] if not found.complete else ()
        hints[login_hint(found)] = None
    # Data says what is wrong with an image beside it, but not which workloads it lacks.
    for problem in refused if terminal.flags.structured else problems:
        terminal.warn(problem_text(terminal, problem))
    for hint in hints:
        if hint:
            terminal.say(f"  {hint}")
    return exit_code_of(RemoteError(failed[0])) if failed else ExitCode.DONE

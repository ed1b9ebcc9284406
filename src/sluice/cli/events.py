"""`sluice events`: what happened to our objects and to what they own, merged, repetitions counted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from sluice.cli.age import age
from sluice.cli.any_object import ref_of_id
from sluice.cli.chain_node import node_of
from sluice.cli.cluster import Cluster, in_cluster
from sluice.cli.error_output import API_VERSION
from sluice.cli.exit_codes import ExitCode
from sluice.cli.flags import seconds_of, usage
from sluice.cli.kinds import GIT, KINDS, SYNCS, Chosen, choose
from sluice.cli.lookup import Item, find_items
from sluice.cli.object_tree import object_tree
from sluice.cli.structured import write_structured
from sluice.cli.table import write_table
from sluice.cli.terminal import one_line
from sluice.core import codes
from sluice.core.ids import ResourceId, split_api_version
from sluice.core.problem_text import in_brief
from sluice.kube.watch import EventType
from sluice.kube.well_known import EVENTS

if TYPE_CHECKING:
    from sluice.cli.answers import EventItem, EventList

HEADERS = ("LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE")


@dataclass(frozen=True, slots=True)
class Told:
    """One event; `count` says how often the same was told."""

    about: ResourceId
    type: str
    reason: str
    message: str
    last: str
    count: int
    name: str
    version: int = 0


@click.command(short_help="What happened, merged and counted.")
@click.argument("words", nargs=-1, metavar="[KIND/NAME]")
@click.option("--for", "wanted", default="", metavar="KIND/NAME", help="Of this object, its source and what it owns.")
@click.option("--types", default="", metavar="TYPE,...", help="Only these: Normal, Warning.")
@click.option("--since", default="", metavar="DURATION", help="Only newer ones, like 1h.")
@click.option("-w", "--watch", is_flag=True, help="Then tell each as it happens, until interrupted.")
@in_cluster
async def events(
    cluster: Cluster, *, words: tuple[str, ...], wanted: str, types: str, since: str, watch: bool
) -> ExitCode:
    """List events of Kustomizations and sources, oldest first; with a name also those of its source and its objects.

    \b
    Example: sluice events --for ks/apps --since 1h
    """
    chosen = _chosen(cluster, words, wanted)
    allowed = {each.strip().title() for each in types.split(",") if each.strip()}
    if allowed - {"Normal", "Warning"}:
        raise usage(f"--types {types} is none of Normal, Warning", field="--types")
    seconds = seconds_of(since, "--since") if since else 0.0
    after = (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat() if seconds else ""
    about = await _about(cluster, chosen) if chosen is not None else None

    def is_wanted(event: Told) -> bool:
        ours = _is_ours(event.about) if about is None else event.about in about
        return ours and (not allowed or event.type in allowed) and (not after or event.last >= after)

    found = await _list(cluster, about)
    _show(cluster, [event for event in merged(found) if is_wanted(event)], watching=watch)
    if watch:
        await _follow(cluster, is_wanted, about)
    return ExitCode.DONE


async def list_events(cluster: Cluster) -> list[EventItem]:
    """The events of our objects in scope, in the output contract's form."""
    return [_fields(event) for event in merged(await _list(cluster, None)) if _is_ours(event.about)]


def _chosen(cluster: Cluster, words: tuple[str, ...], wanted: str) -> Chosen | None:
    named = [wanted] if wanted else list(words)
    if wanted and words:
        raise usage("an object and --for exclude each other", code=codes.FIELD_CONFLICT, fix="give one of them")
    if not named:
        return None
    chosen = choose(named, default="ks")
    if len(chosen.kinds) != 1 or not chosen.names or cluster.flags.all_namespaces:
        raise usage("name one object", fix="sluice events --for ks/apps")
    return chosen


async def _about(cluster: Cluster, chosen: Chosen) -> frozenset[ResourceId]:
    """The named objects, the sources that they read, and all that they own."""
    found: set[ResourceId] = set()
    [kind] = chosen.kinds
    for item in await find_items(cluster, kind, chosen.names):
        node = node_of(kind, item)
        found.add(node.id)
        if kind is not SYNCS:
            continue
        if node.view.source.startswith("GitRepository/"):
            found.add(GIT.resource.id_of(node.view.source_namespace, node.view.source.rpartition("/")[2]))
        for branch in await object_tree(cluster, node):
            found |= {each.id for each in branch.flat()}
    return frozenset(found)


def _is_ours(about: ResourceId) -> bool:
    return any((about.group, about.kind) == (kind.resource.group, kind.resource.kind) for kind in KINDS)


async def _list(cluster: Cluster, about: frozenset[ResourceId] | None) -> list[Told]:
    namespaces = {cluster.scope} if about is None else {key.namespace or "default" for key in about}
    items: list[Item] = []
    for namespace in sorted(namespaces):
        items += (await cluster.client.list(EVENTS, namespace, item_type=Item)).items
    return [told_of(item) for item in items]


def told_of(item: Item) -> Told:
    """Read one event, of either form in which controllers write them."""
    about, meta, series = (item.get(part) or {} for part in ("involvedObject", "metadata", "series"))
    group = split_api_version(about.get("apiVersion") or "")[0]
    key = ResourceId(group, about.get("kind", ""), about.get("namespace", ""), about.get("name", ""))
    times = (
        series.get("lastObservedTime"),
        item.get("lastTimestamp"),
        item.get("eventTime"),
        meta.get("creationTimestamp"),
    )
    last = next((str(time) for time in times if time), "")
    count = int(series.get("count") or item.get("count") or 1)
    version = str(meta.get("resourceVersion", ""))
    return Told(
        about=key,
        type=item.get("type", ""),
        reason=item.get("reason", ""),
        message=item.get("message", ""),
        last=last,
        count=count,
        name=meta.get("name", ""),
        version=int(version) if version.isdecimal() else 0,
    )


def merged(found: Iterable[Told]) -> list[Told]:
    """Events that say the same of the same object, once, with their number; oldest first."""
    kept: dict[tuple[ResourceId, str, str], Told] = {}
    for event in found:
        key = (event.about, event.reason, event.message)
        same = kept.get(key)
        if same is not None:
            newest = max(same, event, key=lambda e: e.last)
            event = replace(newest, count=same.count + event.count)  # noqa: PLW2901 - the two become one
        kept[key] = event
    # Times are whole seconds: within one, the order of the writes decides.
    return sorted(kept.values(), key=lambda event: (event.last[:19], event.version))


def _show(cluster: Cluster, found: list[Told], *, watching: bool) -> None:
    terminal, flags = cluster.terminal, cluster.flags
    if flags.structured and watching:
        for event in found:
            write_structured(terminal, {"type": "ADDED", "object": _fields(event)}, one_line=True)
    elif flags.structured:
        items = [_fields(event) for event in found]
        answer: EventList = {"apiVersion": API_VERSION, "kind": "EventList", "items": items}
        write_structured(terminal, answer)
    elif flags.output == "name":
        for event in found:
            terminal.answer(f"event/{event.name}")
    elif found:
        _table(cluster, found)
    if not found and not watching:
        where = f"in namespace {cluster.scope}; -A looks in all" if cluster.scope else "in any namespace"
        terminal.say(f"no events found {where}")
    terminal.out.flush()


def _table(cluster: Cluster, found: list[Told]) -> None:
    many = cluster.flags.all_namespaces or len({event.about.namespace for event in found}) > 1
    rows = []
    for event in found:
        repeated = f" (× {event.count})" if event.count > 1 else ""
        what = f"{event.about.kind}/{event.about.name}"
        row = [age(event.last), event.type, event.reason, what, one_line(in_brief(event.message)) + repeated]
        rows.append([event.about.namespace, *row] if many else row)
    write_table(cluster.terminal, [*(["NAMESPACE"] if many else []), *HEADERS], rows, cut="MESSAGE")


def _fields(event: Told) -> EventItem:
    return {
        "ref": ref_of_id(event.about),
        "type": event.type,
        "reason": event.reason,
        "message": event.message,
        "lastSeen": event.last,
        "count": event.count,
        "name": event.name,
    }


async def _follow(cluster: Cluster, is_wanted: Any, about: frozenset[ResourceId] | None) -> None:
    """Tell each event that is written from now on; what a new pod does is told, too, once its namespace is watched."""
    import asyncio

    cluster.flags.no_headers = True
    namespaces = {cluster.scope} if about is None else {key.namespace or "default" for key in about}

    async def watch(namespace: str) -> None:
        stream = cluster.client.watch(EVENTS, namespace, item_type=Item, initial=False)
        async with contextlib.aclosing(stream) as happening:
            async for each in happening:
                if each.item is not None and each.type is not EventType.DELETED:
                    event = told_of(each.item)
                    if is_wanted(event):
                        _show(cluster, [event], watching=True)

    async with asyncio.TaskGroup() as group:
        for namespace in sorted(namespaces):
            group.create_task(watch(namespace))

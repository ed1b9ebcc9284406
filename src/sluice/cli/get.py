"""`sluice get`: tables of our objects, and the same for programs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from sluice.cli.age import age
from sluice.cli.cluster import Cluster, in_cluster
from sluice.cli.error_output import API_VERSION
from sluice.cli.exit_codes import ExitCode
from sluice.cli.flags import usage
from sluice.cli.kinds import Chosen, Kind, choose
from sluice.cli.live_names import words as words_of
from sluice.cli.lookup import Item, find_views, list_views
from sluice.cli.structured import write_structured
from sluice.cli.table import write_table
from sluice.cli.terminal import one_line
from sluice.cli.view import View, fields_of, view_of
from sluice.core import codes
from sluice.core.problem_text import in_brief
from sluice.kube.watch import EventType

if TYPE_CHECKING:
    from sluice.cli.answers import ObjectList

HEADERS = ("NAME", "READY", "STATUS", "REVISION", "SUSPENDED", "AGE")
WIDE = ("SOURCE", "PATH", "OBJECTS", "REASON")


@click.command(short_help="Tables of Kustomizations, sources and image kinds.")
@words_of("", "KIND [NAME]...")
@click.option("-w", "--watch", is_flag=True, help="Then tell every change, until interrupted.")
@in_cluster
async def get(cluster: Cluster, *, words: tuple[str, ...], watch: bool) -> ExitCode:
    """List objects: ks, git, sources, apps, images or all; `image policy NAME`, `ks/NAME` are fine, too.

    \b
    Example: sluice get ks -A -o wide
    """
    chosen = choose(words)
    if chosen.names and cluster.flags.all_namespaces:
        raise usage("a name and -A exclude each other", code=codes.FIELD_CONFLICT, fix="give -n NAMESPACE")
    found = {kind: await _views(cluster, kind, chosen) for kind in chosen.kinds}
    if watch:
        return await _watch(cluster, chosen, found)
    _show(cluster, chosen, found)
    return ExitCode.DONE


async def _views(cluster: Cluster, kind: Kind, chosen: Chosen) -> list[View]:
    if chosen.names:
        return await find_views(cluster, kind, chosen.names)
    return await list_views(cluster, kind, cluster.scope)


def _show(cluster: Cluster, chosen: Chosen, found: dict[Kind, list[View]]) -> None:
    views = [view for kind in chosen.kinds for view in found[kind]]
    terminal = cluster.terminal
    if cluster.flags.structured:
        kind = f"{chosen.kinds[0].resource.kind}List" if len(chosen.kinds) == 1 else "ObjectList"
        answer: ObjectList = {"apiVersion": API_VERSION, "kind": kind, "items": [fields_of(view) for view in views]}
        write_structured(terminal, answer)
    elif cluster.flags.output == "name":
        for view in views:
            terminal.answer(view.kind.full_name(view.name))
    elif views:
        rows = [_row(cluster, view, mixed=len(chosen.kinds) > 1) for view in views]
        write_table(terminal, _headers(cluster), rows, cut="" if cluster.flags.output == "wide" else "STATUS")
    if not views:
        where = f"in namespace {cluster.scope}; -A looks in all" if cluster.scope else "in any namespace"
        terminal.say(f"no objects found {where}")


def _headers(cluster: Cluster) -> list[str]:
    first = ["NAMESPACE"] if cluster.flags.all_namespaces else []
    return [*first, *HEADERS, *(WIDE if cluster.flags.output == "wide" else ())]


def _row(cluster: Cluster, view: View, *, mixed: bool) -> list[str]:
    terminal = cluster.terminal
    first = [view.namespace] if cluster.flags.all_namespaces else []
    row = [
        *first,
        view.reference if mixed else view.name,
        f"{terminal.glyph(view.state)} {view.ready}",
        one_line(in_brief(view.message)),
        view.stands_at or "-",
        str(view.suspended),
        age(view.created),
    ]
    if cluster.flags.output == "wide":
        row += [view.source or view.url, view.path or "-", str(view.objects), view.reason or "-"]
    return row


async def _watch(cluster: Cluster, chosen: Chosen, found: dict[Kind, list[View]]) -> ExitCode:
    """Append a row (or, for programs, an object) for everything that happens, from what is there on."""
    flags = cluster.flags
    known = {(v.kind, v.namespace, v.name): v for views in found.values() for v in views}
    if flags.structured:
        for view in known.values():
            write_structured(cluster.terminal, {"type": "ADDED", "object": fields_of(view)}, one_line=True)
    else:
        _show(cluster, chosen, found)
    flags.no_headers = True
    cluster.terminal.out.flush()
    async with asyncio.TaskGroup() as group:
        for kind in chosen.kinds:
            group.create_task(_follow(cluster, kind, chosen, known))
    return ExitCode.DONE


async def _follow(cluster: Cluster, kind: Kind, chosen: Chosen, known: dict[tuple[Kind, str, str], View]) -> None:
    fields = f"metadata.name={chosen.names[0]}" if len(chosen.names) == 1 else ""
    namespace = cluster.namespace if chosen.names else cluster.scope
    events = cluster.client.watch(kind.resource, namespace, fields=fields, item_type=Item)
    async with contextlib.aclosing(events):
        async for event in events:
            if event.item is None or (chosen.names and event.name not in chosen.names):
                continue
            view = view_of(kind, event.item)
            key = (kind, view.namespace, view.name)
            before = known.pop(key, None)
            if event.type is EventType.DELETED:
                _tell(cluster, chosen.kinds, EventType.DELETED, view)
                continue
            known[key] = view
            if before != view:
                # A watch begins by telling everything as added, also what changed since the list before it.
                _tell(cluster, chosen.kinds, EventType.MODIFIED if before else EventType.ADDED, view)


def _tell(cluster: Cluster, kinds: Sequence[Kind], event: EventType, view: View) -> None:
    if cluster.flags.structured:
        write_structured(cluster.terminal, {"type": str(event), "object": fields_of(view)}, one_line=True)
    elif cluster.flags.output == "name":
        cluster.terminal.answer(view.kind.full_name(view.name))
    else:
        row = _row(cluster, view, mixed=len(kinds) > 1)
        if event is EventType.DELETED:
            row[_headers(cluster).index("STATUS")] = "deleted"
        write_table(cluster.terminal, _headers(cluster), [row])
    cluster.terminal.out.flush()

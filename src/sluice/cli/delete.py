"""`sluice delete`: takes a source or a sync out of the cluster, after saying what goes with it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from sluice.cli.cluster import Cluster, in_cluster
from sluice.cli.error_output import API_VERSION
from sluice.cli.exit_codes import ExitCode
from sluice.cli.flags import usage
from sluice.cli.kinds import GIT, SYNCS, Kind, choose
from sluice.cli.live_names import words as words_of
from sluice.cli.lookup import Item, find_items, list_items
from sluice.cli.progress import Progress
from sluice.cli.structured import write_structured
from sluice.cli.terminal import counted
from sluice.cli.view import View, fields_of, view_of
from sluice.core import codes
from sluice.core.errors import NotReady
from sluice.core.problem import Problem
from sluice.kube.watch import EventType

if TYPE_CHECKING:
    from sluice.cli.answers import DeletedList


@click.command(short_help="Take a source or a sync away.")
@words_of("", "KIND NAME...")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option("-s", "--silent", is_flag=True, hidden=True)
@in_cluster
async def delete(cluster: Cluster, *, words: tuple[str, ...], dry_run: bool, silent: bool) -> ExitCode:
    """Delete sources or Kustomizations. What a Kustomization with prune has applied is deleted with it.

    Says first what goes and asks; --yes answers. Waits until they are gone.

    \b
    Example: sluice delete ks apps
    """
    chosen = choose(words)
    if not chosen.names or chosen.kinds not in {(GIT,), (SYNCS,)}:
        raise usage("no source or Kustomization is named", fix="sluice delete ks apps")
    if cluster.flags.all_namespaces:
        raise usage("a name and -A exclude each other", code=codes.FIELD_CONFLICT, fix="give -n NAMESPACE")
    [kind] = chosen.kinds
    cluster.flags.yes = cluster.flags.yes or silent
    items = await find_items(cluster, kind, chosen.names)
    for line in await _consequences(cluster, kind, items):
        cluster.terminal.say(line)
    gone = [view_of(kind, item) for item in items]
    if dry_run:
        if cluster.flags.structured:
            _answer(cluster, gone, written=False)
        return ExitCode.DONE
    if not cluster.terminal.confirm(f"delete {', '.join(kind.reference(name) for name in chosen.names)}?"):
        raise usage("nothing was deleted: nobody said yes", fix="answer y, or give --yes")
    for item in items:
        meta = item["metadata"]
        await cluster.client.delete(kind.resource, meta["namespace"], meta["name"], uid=meta["uid"])
    await _wait_gone(cluster, kind, gone)
    _answer(cluster, gone, written=True)
    return ExitCode.DONE


async def _consequences(cluster: Cluster, kind: Kind, items: Sequence[Item]) -> list[str]:
    if kind is SYNCS:
        return [_of_sync(item) for item in items]
    names = {item["metadata"]["name"]: 0 for item in items}
    readers = [view_of(SYNCS, item) for item in await list_items(cluster, SYNCS, "")]
    lines = []
    for name in names:
        users = [v for v in readers if v.source == f"GitRepository/{name}" and v.source_namespace == cluster.namespace]
        of = ", ".join(f"{user.reference} ({user.namespace})" for user in users)
        lines.append(f"git/{name}: read by {of}; they keep what is applied" if of else f"git/{name}: no sync reads it")
    return lines


def _of_sync(item: Item) -> str:
    spec, view = item.get("spec") or {}, view_of(SYNCS, item)
    policy = spec.get("deletionPolicy") or "MirrorPrune"
    pruned = policy in {"Delete", "WaitForTermination"} or (policy == "MirrorPrune" and spec.get("prune"))
    if not view.objects:
        return f"{view.reference}: it has applied nothing"
    one, objects = view.objects == 1, counted(view.objects, "object")
    if view.suspended or not pruned:
        why = "it is suspended" if view.suspended else f"prune is {bool(spec.get('prune'))}, deletionPolicy {policy}"
        return f"{view.reference}: its {objects} {'stays' if one else 'stay'} in the cluster ({why})"
    gone = f"{'is' if one else 'are'} deleted with it, unless another sync has {'it' if one else 'them'}, too"
    return f"{view.reference}: its {objects} {gone} (see: sluice tree {view.name} -n {view.namespace})"


async def _wait_gone(cluster: Cluster, kind: Kind, views: Sequence[View]) -> None:
    """Watch until none is left. Raises NotReady (WaitTimeout) naming those that are."""
    left = {view.name: view for view in views}
    try:
        async with Progress(cluster.terminal) as progress, asyncio.timeout(cluster.flags.timeout):
            for view in views:
                progress.now(view.reference, "being deleted")
            stream = cluster.client.watch(kind.resource, cluster.namespace, item_type=Item)
            async with contextlib.aclosing(stream) as events:
                seen: set[str] = set()
                async for event in events:
                    if event.type is EventType.SYNCED:
                        for name in [name for name in left if name not in seen]:
                            progress.end(left.pop(name).reference, "Ready", "gone")
                    elif event.type is EventType.DELETED and event.name in left:
                        progress.end(left.pop(event.name).reference, "Ready", "gone")
                    else:
                        seen.add(event.name)
                    if not left:
                        return
    except TimeoutError:
        raise NotReady(*(_still_there(kind, view, cluster.flags.timeout) for view in left.values())) from None


def _still_there(kind: Kind, view: View, seconds: float) -> Problem:
    return Problem(
        codes.WAIT_TIMEOUT,
        f"{view.reference} is still there after {seconds:g}s",
        kind.resource.id_of(view.namespace, view.name),
        cause="what it applied is being pruned, or git has moved it to another one, or no operator runs that does it",
        fix=f"sluice why {kind.short}/{view.name} -n {view.namespace}",
    )


def _answer(cluster: Cluster, gone: Sequence[View], *, written: bool) -> None:
    if cluster.flags.structured:
        items = [fields_of(view) for view in gone]
        found: DeletedList = {"apiVersion": API_VERSION, "kind": "DeletedList", "written": written, "items": items}
        write_structured(cluster.terminal, found)
        return
    for view in gone:
        named = cluster.flags.output == "name"
        cluster.terminal.answer(view.kind.full_name(view.name) if named else f"{view.reference} is gone")

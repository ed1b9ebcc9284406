"""`sluice sync`: fetch and apply now, wait, and say how it ended. `reconcile` takes the words of the flux CLI."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from sluice.cli.cluster import Cluster, in_cluster
from sluice.cli.error_output import API_VERSION, told_text
from sluice.cli.exit_codes import ExitCode
from sluice.cli.flags import usage
from sluice.cli.kinds import GIT, SYNCS, choose
from sluice.cli.live_names import words as words_of
from sluice.cli.lookup import find_views, list_views
from sluice.cli.progress import Progress
from sluice.cli.request import new_token, refuse_suspended, request, said
from sluice.cli.terminal import counted
from sluice.cli.view import View, fields_of, short_revision, view_of
from sluice.runtime.together import together

if TYPE_CHECKING:
    from sluice.cli.answers import SyncResultList


@click.command(short_help="Fetch and apply now, and wait for the outcome.")
@words_of("ks", "[APP]...")
@click.option("--with-source/--no-with-source", default=True, help="Fetch its source first (default).")
@in_cluster
async def sync(cluster: Cluster, *, words: tuple[str, ...], with_source: bool) -> ExitCode:
    """Ask for a sync of these Kustomizations (without a name: all of the namespace) and wait for the outcome.

    \b
    Examples: sluice sync apps
              sluice reconcile source git fleet
    """
    chosen = choose(words, default="apps")
    settled: list[View] = []
    for kind in chosen.kinds:
        if not kind.has_status:
            what = f"a {kind.resource.kind} is not reconciled: it is read whenever there is something to send"
            raise usage(what, fix=f"see `sluice events --for {kind.short}/NAME`")
        if chosen.names:
            views = await find_views(cluster, kind, chosen.names)
        else:
            views = [v for v in await list_views(cluster, kind, cluster.scope) if not v.suspended]
        if not views:
            cluster.terminal.say(f"nothing to sync in namespace {cluster.namespace}; -A looks in all")
        async with Progress(cluster.terminal) as progress:
            settled += await _sync_all(cluster, views, progress, with_source=with_source and kind is SYNCS)
    return _report(cluster, settled)


async def _sync_all(cluster: Cluster, views: Sequence[View], progress: Progress, *, with_source: bool) -> list[View]:
    """Each source once, then the syncs of those that could be fetched. Sources that failed are among the answers."""
    for view in views:
        refuse_suspended(view)
    token = new_token()
    failed: dict[tuple[str, str], View] = {}
    if with_source:
        sources = await _sources_of(cluster, views)
        fetched = await together(request(cluster, source, progress, token) for source in sources)
        failed = {(v.namespace, v.name): v for v in fetched if v.ready != "True"}
    ready = [view for view in views if _source_key(view) not in failed]
    return [*failed.values(), *await together(request(cluster, view, progress, token) for view in ready)]


def _source_key(view: View) -> tuple[str, str]:
    return view.source_namespace, view.source.rpartition("/")[2]


async def _sources_of(cluster: Cluster, views: Sequence[View]) -> list[View]:
    """The GitRepositories that the syncs read; one that does not exist is for the sync itself to report."""
    import msgspec

    from sluice.cli.lookup import Item

    keys = {_source_key(view): None for view in views if view.source.startswith("GitRepository/")}
    found = []
    for namespace, name in keys:
        raw = await cluster.client.get(GIT.resource, namespace, name)
        if raw is not None:
            found.append(view_of(GIT, msgspec.json.decode(raw, type=Item)))
    for view in found:
        refuse_suspended(view)
    return found


def _report(cluster: Cluster, settled: Sequence[View]) -> ExitCode:
    failed = [view for view in settled if view.ready != "True"]
    terminal = cluster.terminal
    if cluster.flags.structured:
        from sluice.cli.structured import write_structured

        items = [fields_of(view) for view in settled]
        found: SyncResultList = {"apiVersion": API_VERSION, "kind": "SyncResultList", "items": items}
        write_structured(terminal, found)
    else:
        for view in settled:
            if view.ready == "True":
                objects = f"  {counted(view.objects, 'object')}" if view.kind is SYNCS else ""
                terminal.answer(f"{terminal.glyph('Ready')} {view.reference} is {said(view)}{objects}")
        for view in failed:
            for problem in view.problems:
                terminal.warn(told_text(terminal, problem, f"{view.kind.resource.kind} {view.namespace}/{view.name}"))
            kept = f"; {_standing(view)} in the cluster" if view.kind is SYNCS and _standing(view) else ""
            terminal.warn(f"{terminal.glyph('Failing', terminal.err)} {view.reference} failed: {view.reason}{kept}")
        if failed:
            terminal.say(f"next: sluice why {failed[0].reference} -n {failed[0].namespace}")
    return ExitCode.FAILED if failed else ExitCode.DONE


def _standing(view: View) -> str:
    """What is in the cluster after a failure; empty before the first revision."""
    if view.partly:
        return f"what was applied of {short_revision(view.attempted)} stays"
    return said(view).replace("ready", "still") if view.revision else ""

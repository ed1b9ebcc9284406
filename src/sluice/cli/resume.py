"""`sluice resume`: sync objects again, and wait until they are ready."""

from __future__ import annotations

from collections.abc import Sequence

import click

from sluice.api.kinds import REQUESTED_AT, ROLLBACK, ROLLBACK_TO
from sluice.cli.cluster import Cluster, in_cluster
from sluice.cli.error_output import told_text
from sluice.cli.exit_codes import ExitCode
from sluice.cli.group_members import group_name, with_its_group
from sluice.cli.live_names import words as words_of
from sluice.cli.progress import Progress
from sluice.cli.request import annotate, new_token, said, wait_until
from sluice.cli.several import chosen_views, show_views
from sluice.cli.view import SUSPEND_REASON, SUSPENDED_AT, SUSPENDED_BY, View
from sluice.runtime.together import together

_NOTES = (SUSPENDED_BY, SUSPENDED_AT, SUSPEND_REASON, *ROLLBACK)


@click.command(short_help="Sync it again, and wait until it is ready.")
@words_of("ks", "[KIND] NAME...")
@click.option("--all", "everything", is_flag=True, help="All objects of the kind in the namespace.")
@click.option("--wait/--no-wait", default=True, help="Wait for the outcome (default).")
@in_cluster
async def resume(cluster: Cluster, *, words: tuple[str, ...], everything: bool, wait: bool) -> ExitCode:
    """Resume objects, or end a rollback (of a whole group), and wait for their next sync. Exits 3 when that fails.

    A name alone is a Kustomization's.

    \b
    Example: sluice resume apps
    """
    views = await chosen_views(cluster, words, everything=everything)
    await _end_rollbacks(cluster, views)
    async with Progress(cluster.terminal) as progress:
        after = await together(_resume(cluster, view, progress, wait=wait) for view in views)
    show_views(cluster, after)
    return _report(cluster, after) if wait else ExitCode.DONE


async def _end_rollbacks(cluster: Cluster, views: Sequence[View]) -> None:
    """The others of a group that was rolled back as a whole go forward as a whole, too."""
    named = {(view.kind.short, view.namespace, view.name) for view in views}
    for view in views:
        others = await with_its_group(cluster, view) if ROLLBACK_TO in view.annotations else []
        for other in others:
            key = (other.kind.short, other.namespace, other.name)
            if key not in named and ROLLBACK_TO in other.annotations:
                named.add(key)
                await annotate(cluster, other, dict.fromkeys(ROLLBACK))
                cluster.terminal.say(f"{other.reference} goes forward with group '{group_name(view.annotations)}'")


async def _resume(cluster: Cluster, view: View, progress: Progress, *, wait: bool) -> View:
    token = new_token()
    notes: dict[str, str | None] = {**dict.fromkeys(_NOTES), REQUESTED_AT: token}
    resumed = await annotate(cluster, view, notes, spec={"suspend": False})
    undo = f"; undo: sluice suspend {view.kind.short} {view.name} -n {view.namespace}"
    stood = view.suspended or any(view.annotations.get(note) for note in ROLLBACK)
    ended = f"resumed{undo if view.suspended else ''}" if stood else "was not suspended"
    if not wait or not view.kind.has_status:
        cluster.terminal.say(f"{view.reference} {'is ' if stood else ''}{ended}")
        return resumed
    progress.now(view.reference, ended)
    settled = await wait_until(cluster, resumed, token, progress)
    state = "Ready" if settled.ready == "True" else "Failing"
    progress.end(view.reference, state, settled.reason)
    return settled


def _report(cluster: Cluster, views: Sequence[View]) -> ExitCode:
    terminal = cluster.terminal
    failed = [view for view in views if view.ready != "True"]
    if cluster.flags.output in {"table", "wide"}:
        for view in views:
            if view.ready == "True":
                terminal.answer(f"{terminal.glyph('Ready')} {view.reference} is {said(view)}")
        for view in failed:
            for problem in view.problems:
                terminal.warn(told_text(terminal, problem, f"{view.kind.resource.kind} {view.namespace}/{view.name}"))
    return ExitCode.FAILED if failed else ExitCode.DONE

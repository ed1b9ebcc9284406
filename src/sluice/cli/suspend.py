"""`sluice suspend`: stop syncing objects, and note who did it, when and why."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from sluice import settings
from sluice.cli.cluster import Cluster, in_cluster
from sluice.cli.exit_codes import ExitCode
from sluice.cli.group_members import group_name
from sluice.cli.kinds import SYNCS
from sluice.cli.live_names import words as words_of
from sluice.cli.request import annotate
from sluice.cli.several import chosen_views, show_views
from sluice.cli.terminal import one_line
from sluice.cli.view import SUSPEND_REASON, SUSPENDED_AT, SUSPENDED_BY
from sluice.core.timestamp import rfc3339


@click.command(short_help="Stop syncing an object, with a reason.")
@words_of("", "KIND NAME...")
@click.option("--all", "everything", is_flag=True, help="All objects of the kind in the namespace.")
@click.option("--reason", default="", metavar="TEXT", help="Why; everybody who looks sees it.")
@in_cluster
async def suspend(cluster: Cluster, *, words: tuple[str, ...], everything: bool, reason: str) -> ExitCode:
    """Suspend objects: nothing of them is fetched or applied, and drift is not corrected, until they are resumed.

    \b
    Example: sluice suspend ks apps --reason "freeze until Friday"
    """
    views = await chosen_views(cluster, words, everything=everything)
    notes: dict[str, str | None] = {
        SUSPENDED_BY: settings.person(),
        SUSPENDED_AT: rfc3339(datetime.now(UTC)),
        SUSPEND_REASON: reason or None,
    }
    after = [view if view.suspended else await annotate(cluster, view, notes, spec={"suspend": True}) for view in views]
    for before, view in zip(views, after, strict=True):
        undo = f"undo: sluice resume {view.kind.short} {view.name} -n {view.namespace}"
        meanwhile = "drift is not corrected meanwhile" if view.kind.has_status else "what happens meanwhile is not told"
        if (group := group_name(view.annotations)) and view.kind is SYNCS:
            meanwhile += f", and group '{group}' stands still with it"
        said = "was suspended already" if before.suspended else f"is suspended; {meanwhile}"
        why = f" ({one_line(reason)})" if reason and not before.suspended else ""
        cluster.terminal.say(
            f"{cluster.terminal.glyph('Suspended', cluster.terminal.err)} {view.reference} {said}{why}"
        )
        cluster.terminal.say(f"  {undo}")
    show_views(cluster, after)
    return ExitCode.DONE

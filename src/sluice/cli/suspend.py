"""`sluice suspend`: stop syncing objects, and note who did it, when and why."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from sluice import settings
from sluice.cli.cluster import Cluster, in_cluster
from sluice.cli.exit_codes import ExitCode
from sluice.cli.group_members import group_name
from sluice.cli.kinds import GIT, SYNCS
from sluice.cli.live_names import words as words_of
from sluice.cli.request import annotate
from sluice.cli.several import chosen_views, show_views
from sluice.cli.terminal import one_line
from sluice.cli.view import SUSPEND_REASON, SUSPENDED_AT, SUSPENDED_BY, View
from sluice.core.timestamp import rfc3339


@click.command(short_help="Stop syncing an object, with a reason.")
@words_of("ks", "[KIND] NAME...")
@click.option("--all", "everything", is_flag=True, help="All objects of the kind in the namespace.")
@click.option("--reason", default="", metavar="TEXT", help="Why; everybody who looks sees it.")
@in_cluster
async def suspend(cluster: Cluster, *, words: tuple[str, ...], everything: bool, reason: str) -> ExitCode:
    """Suspend objects: nothing of them is fetched or applied, and drift is not corrected, until they are resumed.

    A name alone is a Kustomization's.

    \b
    Examples: sluice suspend apps --reason "freeze until Friday"
              sluice suspend source git fleet
    """
    views = await chosen_views(cluster, words, everything=everything)
    notes: dict[str, str | None] = {
        SUSPENDED_BY: settings.person(),
        SUSPENDED_AT: rfc3339(datetime.now(UTC)),
        SUSPEND_REASON: reason or None,
    }
    # A reason that is given later is as good as one that was given at once.
    after = [
        view if view.suspended and not reason else await annotate(cluster, view, notes, spec={"suspend": True})
        for view in views
    ]
    for before, view in zip(views, after, strict=True):
        undo = f"undo: sluice resume {view.kind.short} {view.name} -n {view.namespace}"
        said = "was suspended already" if before.suspended else f"is suspended{_meanwhile(view)}"
        why = f" ({one_line(reason)})" if reason else ""
        cluster.terminal.say(
            f"{cluster.terminal.glyph('Suspended', cluster.terminal.err)} {view.reference} {said}{why}"
        )
        cluster.terminal.say(f"  {undo}")
    show_views(cluster, after)
    return ExitCode.DONE


def _meanwhile(view: View) -> str:
    if not view.kind.has_status:
        return "; what happens meanwhile is not told"
    if view.kind is SYNCS:
        group = group_name(view.annotations)
        return "; drift is not corrected meanwhile" + (f", and group '{group}' stands still with it" if group else "")
    return "; nothing is fetched meanwhile, and what was fetched last stays" if view.kind is GIT else ""

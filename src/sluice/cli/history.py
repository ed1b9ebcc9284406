"""`sluice history`: the revisions that one Kustomization was taken to, when, how it ended and what changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from sluice.cli.age import age
from sluice.cli.cluster import Cluster, in_cluster
from sluice.cli.error_output import API_VERSION
from sluice.cli.exit_codes import ExitCode
from sluice.cli.flag_sync import FlagSync, find_sync
from sluice.cli.flags import usage
from sluice.cli.kinds import SYNCS, choose
from sluice.cli.live_names import words as words_of
from sluice.cli.lookup import find_views
from sluice.cli.past import past_of
from sluice.cli.structured import write_structured
from sluice.cli.table import write_table
from sluice.cli.terminal import one_line
from sluice.cli.view import View, revision_fields, short_revision
from sluice.core.duration import format_duration
from sluice.core.history import Past

if TYPE_CHECKING:
    from sluice.cli.answers import History, HistoryItem

HEADERS = ("REVISION", "WHEN", "TOOK", "OUTCOME", "CHANGES", "AUTHOR", "COMMIT")
WIDE = ("DIGEST", "FULL REVISION")


@click.command(short_help="Revisions of an app: when, how it ended, what changed.")
@words_of("ks", "KUSTOMIZATION")
@click.option("--limit", type=click.IntRange(min=1), default=None, metavar="N", help="Only the newest N.")
@in_cluster
async def history(cluster: Cluster, *, words: tuple[str, ...], limit: int | None) -> ExitCode:
    """Show the revisions that a Kustomization was taken to, failures included, newest first.

    \b
    Example: sluice history apps
    """
    found = await find_sync(cluster, [one_name(cluster, words, "sluice history apps")])
    view = found.view if isinstance(found, FlagSync) else found
    past = (found.past if isinstance(found, FlagSync) else await past_of(cluster, found))[:limit]
    if cluster.flags.structured:
        there = _there(view, past)
        items = [_fields(view, each, there) for each in past]
        answer: History = {"apiVersion": API_VERSION, "kind": "History", "items": items}
        write_structured(cluster.terminal, answer)
    elif cluster.flags.output == "name":
        for each in past:
            cluster.terminal.answer(each.revision)
    elif past:
        _show(cluster, view, past)
    if not past:
        cluster.terminal.say(f"{view.reference} has no history yet")
    return ExitCode.DONE


def one_name(cluster: Cluster, words: Sequence[str], example: str) -> str:
    """The name of the one Kustomization that the words are about. Raises UsageRefused."""
    chosen = choose(words, default="ks")
    if chosen.kinds != (SYNCS,) or len(chosen.names) != 1 or cluster.flags.all_namespaces:
        raise usage("exactly one Kustomization must be named", fix=example)
    return chosen.names[0]


async def one_sync(cluster: Cluster, words: Sequence[str], example: str) -> View:
    """The one Kustomization that the words name. Raises UsageRefused, UserError (TargetMissing)."""
    [view] = await find_views(cluster, SYNCS, [one_name(cluster, words, example)])
    return view


def _show(cluster: Cluster, view: View, past: Sequence[Past]) -> None:
    wide, there = cluster.flags.output == "wide", _there(view, past)
    rows = []
    for each in past:
        row = [
            short_revision(each.revision) + (" *" if each is there else ""),
            age(each.ended),
            format_duration(round(each.seconds, 1)),
            f"{cluster.terminal.glyph('Ready' if each.succeeded else 'Failing')} {one_line(_outcome(each))}",
            changes(each),
            one_line(each.author) or "-",
            one_line(each.subject) or "-",
        ]
        rows.append([*row, each.digest or "-", each.revision] if wide else row)
    write_table(cluster.terminal, [*HEADERS, *(WIDE if wide else ())], rows, cut="" if wide else "COMMIT")
    if there is not None:
        cluster.terminal.say("* is in the cluster now")
    elif view.partly:
        cluster.terminal.say(f"what was applied of {short_revision(view.attempted)} stays in the cluster")


def _outcome(past: Past) -> str:
    return "ready" if past.succeeded else past.outcome


def _there(view: View, past: Sequence[Past]) -> Past | None:
    """The one that is in the cluster now; none when a later one failed and stays as far as it was applied."""
    if view.partly:
        return None
    return next((each for each in past if each.succeeded and each.revision == view.revision), None)


def changes(past: Past) -> str:
    """`1+ 2~ 3-`: created, changed, deleted; 0 when a revision changed no object."""
    counts = past.counts
    pairs = ((counts.created, "+"), (counts.changed, "~"), (counts.deleted, "-"))
    return " ".join(f"{number}{sign}" for number, sign in pairs if number) or "0"


def _fields(view: View, past: Past, there: Past | None) -> HistoryItem:
    counts = past.counts
    return {
        "revision": revision_fields(past.revision, view.url),
        "outcome": past.outcome,
        "succeeded": past.succeeded,
        "current": past is there,
        "endedAt": past.ended,
        "seconds": past.seconds,
        "changes": {"created": counts.created, "changed": counts.changed, "deleted": counts.deleted},
        "commit": {"author": past.author, "subject": past.subject},
        "digest": past.digest,
    }

"""The objects that suspend and resume act on: named ones, or all of a kind with --all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sluice.cli.cluster import Cluster
from sluice.cli.error_output import API_VERSION
from sluice.cli.flags import usage
from sluice.cli.kinds import choose, names_a_kind
from sluice.cli.lookup import find_views, list_views
from sluice.cli.structured import write_structured
from sluice.cli.view import View, fields_of
from sluice.core import codes

if TYPE_CHECKING:
    from sluice.cli.answers import ObjectList


async def chosen_views(cluster: Cluster, words: Sequence[str], *, everything: bool) -> list[View]:
    """The objects that the words and --all mean. Raises UsageRefused, UserError (TargetMissing)."""
    # As with `sync`, a name alone is a Kustomization's; a kind alone is the beginning of a mistake, or of --all.
    bare = not everything and words and not (len(words) == 1 and names_a_kind(words[0]))
    chosen = choose(words, "ks" if bare else "")
    if everything and chosen.names:
        raise usage("a name and --all exclude each other", code=codes.FIELD_CONFLICT, fix="give one of them")
    if not everything and not chosen.names:
        raise usage("no object is named", fix="name one, or give --all")
    views: list[View] = []
    for kind in chosen.kinds:
        if everything:
            views += await list_views(cluster, kind, cluster.scope)
        else:
            views += await find_views(cluster, kind, chosen.names)
    if not views:
        cluster.terminal.say(f"nothing found in namespace {cluster.namespace}")
    return views


def show_views(cluster: Cluster, views: Sequence[View]) -> None:
    """For programs: the objects as they are now."""
    if cluster.flags.structured:
        items = [fields_of(view) for view in views]
        found: ObjectList = {"apiVersion": API_VERSION, "kind": "ObjectList", "items": items}
        write_structured(cluster.terminal, found)
    elif cluster.flags.output == "name":
        for view in views:
            cluster.terminal.answer(view.kind.full_name(view.name))

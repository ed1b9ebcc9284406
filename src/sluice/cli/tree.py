"""`sluice tree`: what an app owns, with the health of each object and the file that defines it."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import click

from sluice.cli.any_object import ref_of_id
from sluice.cli.applied_revision import AppliedRevision, applied_revision, git_options
from sluice.cli.chain_node import Node, node_of
from sluice.cli.cluster import Cluster, in_cluster
from sluice.cli.error_output import API_VERSION
from sluice.cli.exit_codes import ExitCode
from sluice.cli.history import one_sync
from sluice.cli.kinds import SYNCS
from sluice.cli.live_names import words as words_of
from sluice.cli.lookup import find_items
from sluice.cli.object_tree import Branch, object_tree
from sluice.cli.structured import write_structured
from sluice.cli.terminal import one_line
from sluice.cli.view import short_revision
from sluice.core.errors import UserError
from sluice.core.health import HealthStatus
from sluice.core.ids import ResourceId
from sluice.core.problem import Origin

if TYPE_CHECKING:
    from sluice.cli.answers import BranchItem, Tree

_STATES = {
    HealthStatus.CURRENT: "Ready",
    HealthStatus.IN_PROGRESS: "Reconciling",
    HealthStatus.TERMINATING: "Reconciling",
    HealthStatus.FAILED: "Failing",
    HealthStatus.NOT_FOUND: "Failing",
    HealthStatus.UNKNOWN: "Unknown",
}
Origins = dict[ResourceId, Origin | None]


@click.command(short_help="What an app owns, with health and file.")
@words_of("ks", "KUSTOMIZATION")
@click.option("--all", "everything", is_flag=True, help="Also the pods of objects that are well.")
@click.option("--problems", is_flag=True, help="Only what is not well.")
@git_options
@in_cluster
async def tree(
    cluster: Cluster, *, words: tuple[str, ...], everything: bool, problems: bool, no_git: bool, allow_loopback: bool
) -> ExitCode:
    """Show the objects of a Kustomization, what their controllers made, how each is, and where git defines it.

    \b
    Example: sluice tree apps
    """
    view = await one_sync(cluster, words, "sluice tree apps")
    [item] = await find_items(cluster, SYNCS, [view.name])
    node = node_of(SYNCS, item)
    branches = await object_tree(cluster, node)
    origins = await _origins(cluster, node, branches, no_git=no_git, allow_loopback=allow_loopback)
    if problems:
        branches = tuple(branch for branch in branches if not branch.well)
    if cluster.flags.structured:
        items = [_fields(branch, origins) for branch in branches]
        answer: Tree = {
            "apiVersion": API_VERSION,
            "kind": "Tree",
            "ref": ref_of_id(node.id),
            "state": view.state,
            "items": items,
        }
        write_structured(cluster.terminal, answer)
    elif cluster.flags.output == "name":
        for branch in branches:
            for each in branch.flat():
                cluster.terminal.answer(full_name(each.id))
    else:
        _show(cluster, node, branches, origins, everything=everything)
    return ExitCode.DONE


def full_name(key: ResourceId) -> str:
    """The form that kubectl takes: `deployment.apps/web`."""
    return f"{str(key.group_kind).lower()}/{key.name}"


async def _origins(
    cluster: Cluster, node: Node, branches: tuple[Branch, ...], *, no_git: bool, allow_loopback: bool
) -> Origins:
    """Where git defines each object; empty, with a word to people, when the repository can't be read here."""
    if no_git or not branches:
        return {}
    async with AsyncExitStack() as stack:
        try:
            revision: AppliedRevision = await stack.enter_async_context(
                applied_revision(cluster, node.view, allow_loopback=allow_loopback)
            )
        except UserError as error:
            cluster.terminal.say(str(error))
            return {}
        return {branch.id: await revision.place(branch.id) for branch in branches}


def _show(cluster: Cluster, node: Node, branches: tuple[Branch, ...], origins: Origins, *, everything: bool) -> None:
    terminal, view = cluster.terminal, node.view
    state = f"{terminal.glyph(view.state)} {view.state}"
    terminal.answer(f"{view.reference}  {view.namespace}  {state}  {short_revision(view.revision)}")
    for number, branch in enumerate(branches):
        last = number == len(branches) - 1
        _show_branch(cluster, branch, "", origins, last=last, everything=everything, home=view.namespace)
    if not branches:
        early = " yet: they are listed once its first revision has taken effect" if not view.revision else ""
        terminal.say(f"{view.reference} has no objects{early}")


def _show_branch(
    cluster: Cluster, branch: Branch, margin: str, origins: Origins, *, last: bool, everything: bool, home: str
) -> None:
    plain = cluster.flags.ascii
    turn = ("`- " if plain else "└─ ") if last else ("|- " if plain else "├─ ")
    place = f"{branch.id.namespace}/" if branch.id.namespace not in {"", home} else ""
    glyph = cluster.terminal.glyph(_STATES[branch.health.status])
    said = "" if branch.health.is_current and not branch.children else f" {one_line(branch.health.message)}"
    where = origins.get(branch.id)
    origin = f"   {where}" if where is not None else ""
    cluster.terminal.answer(f"{margin}{turn}{branch.id.kind}/{place}{branch.id.name}  {glyph}{said}{origin}")
    shown = branch.children if everything else tuple(child for child in branch.children if not child.well)
    inner = margin + ("   " if last else "|  " if plain else "│  ")
    for number, child in enumerate(shown):
        _show_branch(
            cluster, child, inner, origins, last=number == len(shown) - 1, everything=everything,
            home=branch.id.namespace,
        )  # fmt: skip


def _fields(branch: Branch, origins: Origins, above: Origin | None = None) -> BranchItem:
    """What a controller made comes from the lines of its object."""
    origin = origins.get(branch.id) or above
    return {
        "ref": ref_of_id(branch.id),
        "health": {"status": str(branch.health.status), "message": branch.health.message},
        "origin": None if origin is None else {"path": origin.path, "line": origin.line, "commit": origin.commit},
        "children": [_fields(child, origins, origin) for child in branch.children],
    }

"""`sluice trace`: from any object in the cluster back to its sync, its source, its file and its commit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from sluice.cli.any_object import Object, find_objects, id_of, owners_of, ref_of_id, reference_of, sync_of
from sluice.cli.applied_revision import applied_revision, git_options
from sluice.cli.cluster import Cluster, in_cluster
from sluice.cli.error_output import API_VERSION
from sluice.cli.exit_codes import ExitCode
from sluice.cli.flags import usage
from sluice.cli.kinds import GIT, SYNCS
from sluice.cli.lookup import read_view
from sluice.cli.structured import write_structured
from sluice.cli.terminal import one_line
from sluice.cli.view import View, revision_fields, short_revision
from sluice.core import codes
from sluice.core.errors import UserError
from sluice.core.ids import ResourceId
from sluice.core.plan import Owner
from sluice.core.problem import Origin, Problem

if TYPE_CHECKING:
    from sluice.cli.answers import TraceItem, TraceList


@dataclass(frozen=True, slots=True)
class _Trace:
    line: list[Object]
    owner: Owner
    sync: View
    source: View | None
    origin: Origin | None = None
    author: str = ""
    subject: str = ""
    looked: bool = False  # git was read, so that no origin means: not there


@click.command(short_help="From an object back to file and commit.")
@click.argument("words", nargs=-1, metavar="KIND/NAME...")
@click.option("--kind", default="", help="With a bare NAME: its kind.")
@click.option("--api-version", default="", hidden=True)
@git_options
@in_cluster
async def trace(
    cluster: Cluster, *, words: tuple[str, ...], kind: str, api_version: str, no_git: bool, allow_loopback: bool
) -> ExitCode:
    """Follow an object's owners to the sync that applied it, and that one's commit to the file that defines it.

    Exits 1 when no sync has applied it.

    \b
    Example: sluice trace pod/web-7d9-abcde -n shop
    """
    if cluster.flags.all_namespaces:
        raise usage("an object is in one namespace", fix="give -n NAMESPACE")
    named = [f"{kind}/{word}" for word in words] if kind else list(words)
    found = []
    for _, obj in await find_objects(cluster, named):
        traced = await _trace(cluster, obj)
        found.append(traced if no_git else await _with_file(cluster, traced, allow_loopback=allow_loopback))
    if cluster.flags.structured:
        items = [_fields(each) for each in found]
        answer: TraceList = {"apiVersion": API_VERSION, "kind": "TraceList", "items": items}
        write_structured(cluster.terminal, answer)
    elif cluster.flags.output == "name":
        for each in found:
            cluster.terminal.answer(SYNCS.full_name(each.sync.name))
    else:
        for number, each in enumerate(found):
            if number:
                cluster.terminal.answer("")
            _show(cluster, each)
    return ExitCode.DONE


async def _trace(cluster: Cluster, obj: Object) -> _Trace:
    line = await owners_of(cluster, obj)
    found = sync_of(line)
    if found is None:
        raise UserError(unmanaged(id_of(obj)))
    labelled, owner = found
    sync = await read_view(cluster, SYNCS, owner.namespace, owner.name)
    if sync is None:
        raise UserError(unmanaged(id_of(obj), f"its labels name Kustomization {owner}, which does not exist"))
    source = await read_view(cluster, GIT, sync.source_namespace, sync.source.rpartition("/")[2])
    return _Trace(line[: line.index(labelled) + 1], owner, sync, source)


def unmanaged(key: ResourceId, cause: str = "") -> Problem:
    """That no sync has applied an object."""
    why = cause or "neither it nor an owner of it has the labels of a Kustomization"
    fix = "put it into git: the next sync adopts it; or leave it alone"
    return Problem(codes.UNMANAGED, f"{key} is not managed by a sync", key, cause=why, fix=fix)


async def _with_file(cluster: Cluster, traced: _Trace, *, allow_loopback: bool) -> _Trace:
    try:
        async with applied_revision(cluster, traced.sync, allow_loopback=allow_loopback) as revision:
            origin = await revision.place(id_of(traced.line[-1]))
            artifact = revision.artifact
            return replace(traced, origin=origin, author=artifact.author, subject=artifact.subject, looked=True)
    except UserError as error:
        cluster.terminal.say(str(error))
        return traced


def _show(cluster: Cluster, traced: _Trace) -> None:
    terminal, sync, source = cluster.terminal, traced.sync, traced.source
    terminal.answer(f"object  {' ← '.join(reference_of(obj) for obj in traced.line)}")
    state = f"{terminal.glyph(sync.state)} {short_revision(sync.revision)}"
    terminal.answer(f"sync    {sync.reference} ({sync.namespace})  {state}")
    if source is not None:
        terminal.answer(f"source  {source.reference} ({source.namespace})  {one_line(source.url)}")
    if traced.origin is not None:
        terminal.answer(f"file    {traced.origin}")
    elif traced.looked:
        terminal.answer(f"file    none: git does not have it at {short_revision(sync.revision)}; it was left in place")
    if traced.subject:
        author = f" by {traced.author}" if traced.author else ""
        text = f'{short_revision(sync.revision)} "{traced.subject}"{author}'
        terminal.answer(f"commit  {one_line(text)}")


def _fields(traced: _Trace) -> TraceItem:
    sync, source, origin = traced.sync, traced.source, traced.origin
    line = [id_of(obj) for obj in traced.line]
    return {
        "ref": ref_of_id(line[0]),
        "owners": [ref_of_id(key) for key in line[1:]],
        "sync": {**ref_of_id(SYNCS.resource.id_of(sync.namespace, sync.name)), "state": sync.state},
        "source": None if source is None else ref_of_id(GIT.resource.id_of(source.namespace, source.name)),
        "revision": revision_fields(sync.revision, source.url if source is not None else ""),
        "origin": None if origin is None else {"path": origin.path, "line": origin.line, "commit": origin.commit},
        "commit": {"author": traced.author, "subject": traced.subject},
    }

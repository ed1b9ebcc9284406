"""`sluice why`: the one cause of what is not live, the way to it, where it is in git, and how to mend it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from sluice.cli.age import age
from sluice.cli.any_object import find_objects, id_of, owners_of, ref_of_id, sync_of
from sluice.cli.applied_revision import applied_revision, git_options
from sluice.cli.chain import follow
from sluice.cli.chain_node import Chain, Link, Node, World, node_of
from sluice.cli.chain_problem import told
from sluice.cli.cluster import Cluster, in_cluster
from sluice.cli.diagnosis import (
    Diagnosis,
    Unhealthy,
    diagnose,
    folded,
    look_at,
    no_operator,
    object_links,
    read_world,
    unhealthy_workloads,
)
from sluice.cli.error_output import API_VERSION
from sluice.cli.exit_codes import ExitCode
from sluice.cli.flags import usage
from sluice.cli.kinds import KINDS, SYNCS, choose
from sluice.cli.live_names import words as words_of
from sluice.cli.lookup import find_items
from sluice.cli.structured import write_structured
from sluice.cli.terminal import counted, one_line
from sluice.cli.trace import unmanaged
from sluice.cli.view import origin_fields, problem_fields, revision_fields, short_revision
from sluice.core import codes
from sluice.core.errors import UserError
from sluice.core.problem_text import ToldProblem, count_of
from sluice.runtime.together import together

if TYPE_CHECKING:
    from sluice.cli.answers import Ref, WhyItem, WhyReport, WhyReportList


@click.command(short_help="The cause of what is not live, and its fix.")
@words_of("ks", "[APP | KIND/NAME]")
@click.option("--all", "everything", is_flag=True, help="Every cause, not only the first.")
@git_options
@in_cluster
async def why(
    cluster: Cluster, *, words: tuple[str, ...], everything: bool, no_git: bool, allow_loopback: bool
) -> ExitCode:
    """Say why a sync, a source or any object of the cluster is not as wanted: one cause, and where to mend it.

    Without a name: of everything in the namespace (-A: in all). Exits 0 when all is live, 1 when something is not.

    \b
    Examples: sluice why checkout
              sluice why deploy/web -n shop
    """
    found = await _look(cluster, words)
    if not no_git:
        found = [await _placed(cluster, each, allow_loopback=allow_loopback) for each in found]
    not_live = [each for each in found if not each.live]
    if cluster.flags.structured:
        items = [fields_of_report(each) for each in found]
        one: WhyReport | None = (
            {"apiVersion": API_VERSION, "kind": "WhyReport", **items[0]} if words and items else None
        )
        several: WhyReportList = {"apiVersion": API_VERSION, "kind": "WhyReportList", "items": items}
        write_structured(cluster.terminal, one or several)
    elif cluster.flags.output == "name":
        for each in not_live:
            cluster.terminal.answer(each.chain.culprit.view.kind.full_name(each.chain.culprit.view.name))
    else:
        _show_all(cluster, found, not_live, everything=everything or bool(words))
    return ExitCode.NO if not_live else ExitCode.DONE


# --- what is asked about ----------------------------------------------------------------------------------------------


async def _look(cluster: Cluster, words: Sequence[str]) -> list[Diagnosis]:
    if words and cluster.flags.all_namespaces:
        raise usage("a name and -A exclude each other", code=codes.FIELD_CONFLICT, fix="give -n NAMESPACE")
    if words and not _names_ours(words):
        return [await _of_object(cluster, words)]
    world, idle = await together([read_world(cluster), no_operator(cluster)])
    assert isinstance(world, World)  # noqa: S101 - together keeps the order
    told_idle = idle if isinstance(idle, ToldProblem) else None
    nodes = await _chosen(cluster, world, words)
    looked = None if words else await unhealthy_workloads(cluster)
    found = await together(diagnose(cluster, world, node, told_idle, looked) for node in nodes)
    return found if words else folded(each for each in found if not each.live)


def _names_ours(words: Sequence[str]) -> bool:
    families = {"app", "apps", "source", "sources", "image", "images", "all"}
    ours = {name for kind in KINDS for name in kind.names} | families
    if any("/" in word for word in words):
        return all(word.partition("/")[0].lower() in ours for word in words)
    return len(words) == 1 or words[0].lower() in ours


async def _chosen(cluster: Cluster, world: World, words: Sequence[str]) -> list[Node]:
    """The named one, or everything in scope that its status says is not well, or may hide what is not."""
    if words:
        chosen = choose(words, default="ks")
        if len(chosen.kinds) != 1 or len(chosen.names) != 1:
            raise usage(
                "name one Kustomization, source or object", fix="sluice why ks/web; without a name: all of them"
            )
        [item] = await find_items(cluster, chosen.kinds[0], chosen.names)
        return [node_of(chosen.kinds[0], item)]
    every = (*world.syncs.values(), *(n for n in world.sources.values() if n.view.state != "Ready"))
    return [node for node in every if cluster.scope in {"", node.view.namespace}]


async def _of_object(cluster: Cluster, words: Sequence[str]) -> Diagnosis:
    """Any live object: its own state first, then the sync that applies it."""
    [(_, obj), *more] = await find_objects(cluster, words)
    if more:
        raise usage("several objects are named", fix="name one at a time")
    line = await owners_of(cluster, obj)
    found = sync_of(line)
    if found is None:
        raise UserError(unmanaged(id_of(obj)))
    world = await read_world(cluster)
    node = world.syncs.get((found[1].namespace, found[1].name))
    if node is None:
        raise UserError(unmanaged(id_of(obj), f"its labels name Kustomization {found[1]}, which does not exist"))
    each = await look_at(cluster, obj)
    if each is not None and each.fault is not None:
        chain = follow(world, node)
        here = Chain((*chain.links, *object_links(each)), node, told(each.fault.problem), since=chain.since)
        return Diagnosis(node, here, unhealthy=(Unhealthy(line[-1], each.health, each.fault),))
    return await diagnose(cluster, world, node, await no_operator(cluster))


async def _placed(cluster: Cluster, found: Diagnosis, *, allow_loopback: bool) -> Diagnosis:
    """A cause that only the cluster told gets its lines in git."""
    cause, culprit = found.chain.cause, found.chain.culprit.view
    if cause is None or cause.where or not found.unhealthy or culprit.kind is not SYNCS or not culprit.revision:
        return found
    blamed = found.unhealthy[0]
    try:
        async with applied_revision(cluster, culprit, allow_loopback=allow_loopback) as revision:
            place = await revision.place(blamed.id, blamed.field)
    except UserError as error:
        cluster.terminal.detail(str(error))
        return found
    where = str(place) if place is not None else ""
    return replace(found, chain=replace(found.chain, cause=replace(cause, where=where)))


# --- what is said -----------------------------------------------------------------------------------------------------


def _show_all(cluster: Cluster, found: Sequence[Diagnosis], not_live: Sequence[Diagnosis], *, everything: bool) -> None:
    shown = not_live if everything else not_live[:1]
    for number, each in enumerate(shown):
        if number:
            cluster.terminal.answer("")
        _show(cluster, each)
    if not not_live:
        for each in found:
            _show_live(cluster, each)
        if not found:
            cluster.terminal.answer(f"{cluster.terminal.glyph('Ready')} nothing is wrong in {_scope(cluster)}")
    if len(not_live) > len(shown):
        where = f"-n {cluster.scope}" if cluster.scope else "-A"
        cluster.terminal.say(f"{counted(len(not_live) - len(shown), 'more cause')}: sluice why --all {where}")


def _scope(cluster: Cluster) -> str:
    return f"namespace {cluster.scope}" if cluster.scope else "any namespace"


def _show_live(cluster: Cluster, found: Diagnosis) -> None:
    view = found.target.view
    objects = f" · {counted(view.objects, 'object')}" if view.kind is SYNCS else ""
    cluster.terminal.answer(
        f"{cluster.terminal.glyph('Ready')} {view.reference} is live at {short_revision(view.revision)}{objects}"
    )


def _show(cluster: Cluster, found: Diagnosis) -> None:
    terminal, chain, cause = cluster.terminal, found.chain, found.chain.cause
    state = "Failing" if cause is not None and not chain.passing else "Reconciling"
    terminal.answer(f"{terminal.glyph(state)} {_headline(found)}")
    terminal.answer("")
    for depth, link in enumerate(chain.links):
        terminal.answer(_link_line(cluster, link, depth, found.target.view.namespace))
    terminal.answer("")
    if cause is None:
        terminal.answer("nothing is known to be wrong: it is under way")
        return
    subject = f"{cause.subject}: " if cause.subject and cause.subject not in cause.title else ""
    lines = [("cause", f"{cause.code} {one_line(subject + cause.title)}".strip())]
    lines += [("where", one_line(cause.where)), ("why", one_line(cause.cause)), ("commit", _commit(found))]
    lines += [("fix", one_line(cause.fix)), ("asked", one_line(found.target.view.going_back))]
    lines += [("since", _since(chain)), ("waits", _waits(found))]
    if cause.code:
        lines.append(("more", f"sluice explain {cause.code}{_others(chain)}"))
    for word, text in lines:
        if text:
            terminal.answer(f"{word:<8}{text}")


def _others(chain: Chain) -> str:
    if not chain.others:
        return ""
    view = chain.culprit.view
    more = max(len(chain.others), count_of(view.message) - 1)  # a message has no room for very many
    return f" · {counted(more, 'more problem')}: sluice status {view.reference} -n {view.namespace}"


def _headline(found: Diagnosis) -> str:
    view = found.target.view
    name = f"{view.kind.resource.kind} {view.namespace}/{view.name}"
    if view.kind is not SYNCS:
        return f"{name} is not as wanted"
    applied = short_revision(view.revision)
    tried = short_revision(view.attempted)
    if view.partly and tried:
        return f"{name} is only partly at {tried}, which was left as it failed (before: {applied or 'nothing'})"
    if view.ready == "False" and tried and tried != applied:
        return f"{name} is not at {tried} (applied: {applied or 'nothing yet'})"
    return f"{name} is not as wanted (applied: {applied or 'nothing yet'})"


def _link_line(cluster: Cluster, link: Link, depth: int, home: str) -> str:
    margin = "  " + ("   " * (depth - 1) + "└─ " if depth else "")
    if cluster.flags.ascii:
        margin = margin.replace("└─", "`-")
    name = link.reference if link.namespace == home else f"{link.namespace} {link.reference}"
    return f"{margin}{name}  {cluster.terminal.glyph(link.state)} {one_line(link.text)}"


def _commit(found: Diagnosis) -> str:
    """Who wrote the commit, when it is one that is not live or says what is wrong, and the sync's history tells."""
    view, cause = found.chain.culprit.view, found.chain.cause
    if view.attempted == view.revision and not (cause is not None and cause.where):
        return ""
    for snapshot in view.history:
        metadata = snapshot.get("metadata") or {}
        if metadata.get("revision") == view.attempted and metadata.get("subject"):
            author = f" by {one_line(str(metadata['author']))}" if metadata.get("author") else ""
            return f'{short_revision(view.attempted)} "{one_line(str(metadata["subject"]))}"{author}'
    return ""


def _since(chain: Chain) -> str:
    return f"{age(chain.since)} ago" if chain.since else ""


def _waits(found: Diagnosis) -> str:
    return ", ".join(f"{view.reference} ({view.namespace})" for view in found.blocked)


def fields_of_report(found: Diagnosis) -> WhyItem:
    """A report in the output contract's form."""
    view, chain = found.target.view, found.chain
    cause = chain.cause
    return {
        "ref": ref_of(found.target),
        "live": found.live,
        "state": view.state,
        "revision": revision_fields(view.revision, view.url),
        "attemptedRevision": revision_fields(view.attempted, view.url),
        "cause": problem_fields(cause) if cause is not None else None,
        "origin": origin_fields(cause.where) if cause is not None and cause.where else None,
        "culprit": ref_of(chain.culprit),
        "passing": chain.passing,
        "since": chain.since or None,
        "commit": _commit(found) or None,
        "chain": [
            {"reference": link.reference, "namespace": link.namespace, "state": link.state, "text": link.text}
            for link in chain.links
        ],
        "others": [problem_fields(problem) for problem in chain.others],
        "blocked": [ref_of_id(view.kind.resource.id_of(view.namespace, view.name)) for view in found.blocked],
    }


def ref_of(node: Node) -> Ref:
    """A reference to an object of ours, in the output contract's form."""
    return ref_of_id(node.id)

"""`sluice status`: one screen, what is wrong first, what is well only counted."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from sluice.api.kinds import ROLLBACK_BY, ROLLBACK_FROM
from sluice.cli.age import age
from sluice.cli.cluster import Cluster, in_cluster
from sluice.cli.error_output import API_VERSION
from sluice.cli.exit_codes import ExitCode
from sluice.cli.installation import find_operator
from sluice.cli.kinds import GIT, IMAGES, SYNCS, choose
from sluice.cli.live_names import words as words_of
from sluice.cli.lookup import find_views, list_views
from sluice.cli.structured import write_structured
from sluice.cli.terminal import counted, one_line
from sluice.cli.view import SUSPEND_REASON, SUSPENDED_AT, SUSPENDED_BY, View, fields_of, short_revision
from sluice.core.errors import ClusterError, UserError
from sluice.core.problem_text import ToldProblem, count_of, in_short
from sluice.runtime.together import one_failure

if TYPE_CHECKING:
    from sluice.cli.answers import Status

MAX_SHOWN = 3  # of one app's problems, on a screen that is of all apps
_ORDER = ("Failing", "Waiting", "Suspended", "Reconciling", "Unknown", "Ready")


@dataclass(frozen=True, slots=True)
class _Screen:
    sources: Sequence[View]
    syncs: Sequence[View]
    operator: str
    images: Sequence[View] = ()

    @property
    def views(self) -> list[View]:
        return sorted(
            (*self.sources, *self.syncs, *self.images), key=lambda v: (_ORDER.index(v.state), v.namespace, v.name)
        )

    @property
    def failing(self) -> bool:
        return any(view.state in {"Failing", "Waiting"} for view in self.views)


@click.command(short_help="One screen: problems first, then counts.")
@words_of("ks", "[APP]")
@click.option("--problems", is_flag=True, help="Only what is not as wanted.")
@click.option("--exit-zero", is_flag=True, help="Exit 0 even when something is failing.")
@in_cluster
async def status(cluster: Cluster, *, words: tuple[str, ...], problems: bool, exit_zero: bool) -> ExitCode:
    """Show how the syncs and sources of the namespace (or with -A of all) are. Exits 1 when one is failing.

    \b
    Example: sluice status -A
    """
    screen = await _look(cluster, words)
    if cluster.flags.structured:
        write_structured(cluster.terminal, _answer(screen))
    elif cluster.flags.output == "name":
        for view in screen.views:
            if not problems or view.state != "Ready":
                cluster.terminal.answer(view.kind.full_name(view.name))
    else:
        _show(cluster, screen, only_problems=problems, one=bool(words))
    return ExitCode.NO if screen.failing and not exit_zero else ExitCode.DONE


async def _look(cluster: Cluster, words: Sequence[str]) -> _Screen:
    chosen = choose(words, default="apps")
    if chosen.names:
        operator = await _operator(cluster)
        views = [view for kind in chosen.kinds for view in await find_views(cluster, kind, chosen.names)]
        images = [v for v in views if v.kind in IMAGES]
        return _Screen([v for v in views if v.kind is GIT], [v for v in views if v.kind is SYNCS], operator, images)
    with one_failure():
        async with asyncio.TaskGroup() as group:
            running = group.create_task(_operator(cluster))
            sources = group.create_task(list_views(cluster, GIT, cluster.scope))
            syncs = group.create_task(list_views(cluster, SYNCS, cluster.scope))
            image_kinds = group.create_task(_images(cluster))
    return _Screen(sources.result(), syncs.result(), running.result(), image_kinds.result())


async def _images(cluster: Cluster) -> list[View]:
    """The image kinds; none where an older installation does not have them."""
    views: list[View] = []
    for kind in IMAGES:
        try:
            views += await list_views(cluster, kind, cluster.scope)
        except UserError:
            return []
    return views


async def _operator(cluster: Cluster) -> str:
    """The operator's version; who may not look at Deployments still gets the rest of the screen."""
    try:
        found = await find_operator(cluster)
    except ClusterError as error:
        if error.status == 403:
            return ""
        raise
    return found.version if found is not None else ""


def _answer(screen: _Screen) -> Status:
    return {
        "apiVersion": API_VERSION,
        "kind": "Status",
        "operator": screen.operator or None,
        "summary": {
            "sources": dict(Counter(v.state for v in screen.sources)),
            "apps": dict(Counter(v.state for v in screen.syncs)),
            "images": dict(Counter(v.state for v in screen.images)),
            "objects": sum(v.objects for v in screen.syncs),
        },
        "items": [fields_of(view) for view in screen.views],
    }


def _show(cluster: Cluster, screen: _Screen, *, only_problems: bool, one: bool) -> None:
    terminal = cluster.terminal
    if not only_problems:
        context = cluster.client.access.context or cluster.client.access.server
        operator = f" · operator {screen.operator}" if screen.operator else ""
        scope = "all namespaces" if cluster.flags.all_namespaces else f"namespace {cluster.namespace}"
        terminal.answer(f"cluster {context}{operator} · {scope}")
        objects = sum(view.objects for view in screen.syncs)
        if not one:
            images = f"   IMAGES {_counts(screen.images)}" if screen.images else ""
            counts = f"SOURCES {_counts(screen.sources)}   APPS {_counts(screen.syncs)}"
            terminal.answer(f"{counts}   OBJECTS {objects:,}{images}")
    shown = [view for view in screen.views if view.state != "Ready" or view.rolled_back or view.drift or one]
    if shown and not only_problems:
        terminal.answer("")
    for view in shown:
        for line in _lines(cluster, view, cluster.flags.all_namespaces, whole=one):
            terminal.answer(line)
    first = next((view for view in shown if view.state == "Failing"), None)
    if first is not None:
        terminal.say(f"next: sluice why {first.reference} -n {first.namespace}")
    if not screen.views:
        terminal.say("nothing is here yet" + ("" if cluster.flags.all_namespaces else "; -A looks in all namespaces"))


def _counts(views: Sequence[View]) -> str:
    counted = Counter(view.state for view in views)
    words = [f"{counted[state]} {state.lower()}" for state in reversed(_ORDER) if counted[state]]
    return " · ".join(words) or "0"


def _lines(cluster: Cluster, view: View, with_namespace: bool, *, whole: bool) -> list[str]:
    terminal = cluster.terminal
    where = f"{view.namespace}  " if with_namespace else ""
    head = f"{terminal.glyph(view.state)} {view.reference:<20} {where}{_since(view)}"
    return [*_state_lines(view, head, whole=whole), *_drift_lines(cluster, view)]


def _state_lines(view: View, head: str, *, whole: bool) -> list[str]:
    if view.rolled_back:
        by, git = (one_line(view.annotations.get(name, "")) for name in (ROLLBACK_BY, ROLLBACK_FROM))
        who = f" by {by}" if by else ""
        return [f"{head}  rolled back{who} to {short_revision(view.revision)}; git's head is {short_revision(git)}"]
    if view.state == "Ready":
        objects = f" · {counted(view.objects, 'object')}" if view.kind is SYNCS else ""
        return [f"{head}  {view.stands_at}{objects}"]
    if view.state == "Suspended":
        return [f"{head}{_suspension(view)}"]
    if view.state not in {"Failing", "Waiting"}:
        return [f"{head}  {one_line(view.message)}"]
    lines = []
    shown = view.problems if whole or len(view.problems) <= MAX_SHOWN + 1 else view.problems[:MAX_SHOWN]
    for number, problem in enumerate(shown):
        subject = f"{problem.subject}: " if problem.subject and problem.subject not in problem.title else ""
        lines += _problem_lines(f"{head}  " if not number else "    ", subject, problem)
    if len(shown) < len(view.problems):
        more = counted(count_of(view.message) - len(shown), "more problem")
        lines.append(f"    {more}: sluice status {view.reference} -n {view.namespace}")
    if view.kind is SYNCS and (view.revision or view.partly or view.reason == "Undone"):
        lines.append(f"      {_standing(view)}, tried: {short_revision(view.attempted)}")
    if view.going_back:
        lines.append(f"      asked {one_line(view.going_back)}")
    return lines


def _drift_lines(cluster: Cluster, view: View) -> list[str]:
    """What is not as it was applied, and stays so; else what was set right last."""
    sign = cluster.terminal.glyph("Drifted")
    lines = []
    for problem in view.drift:
        lines += _problem_lines(f"    {sign} ", "", problem)
    return lines + [f"    {sign} {one_line(line)}" for line in view.corrected.splitlines()]


def _problem_lines(head: str, subject: str, problem: ToldProblem) -> list[str]:
    problem = in_short(problem)
    code = f"  [{problem.code}]" if problem.code else ""
    lines = [f"{head}{one_line(subject + problem.title)}{code}"]
    for word, text in (("", problem.where), ("why: ", problem.cause), ("fix: ", problem.fix)):
        if text:
            lines.append(f"      {word}{one_line(text)}")
    return lines


def _standing(view: View) -> str:
    """What is in the cluster in spite of a failure, or thanks to its undoing."""
    applied = short_revision(view.revision)
    if view.reason == "Undone":
        return (
            f"undone: the cluster is at {applied}" if applied else "undone: the cluster is as before the first revision"
        )
    if view.partly:
        return f"what was applied of it stays in the cluster; before it: {applied or 'nothing'}"
    return f"still applied: {applied}"


def _since(view: View) -> str:
    since = view.annotations.get(SUSPENDED_AT, "") if view.suspended else view.since
    return f"{view.state.lower()} {age(since)}" if since else view.state.lower()


def _suspension(view: View) -> str:
    notes = view.annotations
    by = f" by {notes[SUSPENDED_BY]}" if notes.get(SUSPENDED_BY) else ""
    reason = f': "{one_line(notes[SUSPEND_REASON])}"' if notes.get(SUSPEND_REASON) else ""
    return f"{by}{reason}"

"""`sluice rollback`: take a Kustomization and its group to an earlier revision, and say how to make it last."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
import msgspec

from sluice import settings
from sluice.api.kinds import REQUESTED_AT, ROLLBACK, ROLLBACK_BY, ROLLBACK_FROM, ROLLBACK_TO
from sluice.cli.cluster import Cluster, in_cluster
from sluice.cli.error_output import API_VERSION, told_text
from sluice.cli.exit_codes import ExitCode
from sluice.cli.flag_sync import FlagSync, find_sync
from sluice.cli.group_members import group_name, joint_past, with_its_group
from sluice.cli.history import one_name
from sluice.cli.kinds import GIT
from sluice.cli.live_names import words as words_of
from sluice.cli.lookup import Item
from sluice.cli.past import past_of
from sluice.cli.progress import Progress
from sluice.cli.request import annotate, new_token, refuse_suspended, wait_until
from sluice.cli.structured import write_structured
from sluice.cli.terminal import one_line
from sluice.cli.view import View, fields_of, short_revision, view_of
from sluice.core import codes
from sluice.core.errors import ClusterError, UserError
from sluice.core.history import Past
from sluice.core.problem import Problem, printable
from sluice.core.revision import Revision
from sluice.runtime.together import together

if TYPE_CHECKING:
    from sluice.cli.answers import RollbackResult, RolledBackObject


@click.command(short_help="Take an app back to an earlier revision.")
@words_of("ks", "KUSTOMIZATION")
@click.option("--to", default="", metavar="REVISION", help="A revision of `sluice history`; the one before if unset.")
@in_cluster
async def rollback(cluster: Cluster, *, words: tuple[str, ...], to: str) -> ExitCode:
    """Take a Kustomization back to a revision that it was at, and wait for the outcome. Its group goes with it.

    Git keeps saying otherwise: this holds until git's next commit, or until `sluice resume`. Exits 3 when it fails.

    \b
    Example: sluice rollback apps --to main@a1b2c3d4
    """
    view = await find_sync(cluster, [one_name(cluster, words, "sluice rollback apps")])
    if isinstance(view, FlagSync):
        raise _by_flags(view, to)
    members = await with_its_group(cluster, view)
    for member in members:
        refuse_suspended(member)
    head = await _head(cluster, view)
    past = joint_past([(member, await past_of(cluster, member)) for member in members])
    target = find_target(past, view, head, to)
    if len(members) > 1:
        names = ", ".join(member.reference for member in members)
        cluster.terminal.say(f"group '{group_name(view.annotations)}' goes back as a whole: {names}")
    settled = await _go_back(cluster, members, target, head)
    if any(problem.code == codes.ROLLBACK_REFUSED.number for member in settled for problem in member.problems):
        for member in settled:
            await annotate(cluster, member, {**dict.fromkeys(ROLLBACK), REQUESTED_AT: new_token()})
    return _report(cluster, settled, target, head)


async def _go_back(cluster: Cluster, members: Sequence[View], target: Past, head: str) -> list[View]:
    """Ask all of them, and wait for each one's outcome."""
    token = new_token()
    notes: dict[str, str | None] = {
        ROLLBACK_TO: target.revision,
        ROLLBACK_FROM: head,
        ROLLBACK_BY: settings.person(),
    }
    async with Progress(cluster.terminal) as progress:

        async def settle(member: View) -> View:
            settled = await wait_until(cluster, member, token, progress)
            progress.end(member.reference, "Ready" if settled.ready == "True" else "Failing", settled.reason)
            return settled

        for member in members:
            progress.now(member.reference, f"asked to go back to {short_revision(target.revision)}")
            await annotate(cluster, member, {**notes, REQUESTED_AT: token} if len(members) == 1 else notes)
        if len(members) > 1:  # a turn before all of them are asked would refuse the first
            for member in members:
                await annotate(cluster, member, {REQUESTED_AT: token})
        return await together(settle(member) for member in members)


async def _head(cluster: Cluster, view: View) -> str:
    """Where git stands: as the source says, which knows a revision that is only being applied; else as the app does."""
    try:
        raw = await cluster.client.get(GIT.resource, view.source_namespace, view.source.rpartition("/")[2])
    except ClusterError as error:
        if error.status != 403:
            raise
        raw = None
    if raw is not None and (found := view_of(GIT, msgspec.json.decode(raw, type=Item)).revision):
        return found
    if view.annotations.get(ROLLBACK_TO) == view.attempted:
        return view.annotations.get(ROLLBACK_FROM, view.attempted)
    return view.attempted


def find_target(past: Sequence[Past], view: View, head: str, to: str) -> Past:
    """The revision to go back to. Raises UserError (RollbackRefused) that says what is wrong with `to`."""
    applied = [each for each in past if each.succeeded]
    if not to:
        # A commit that changed nothing of this app is no way back from the one before it.
        here = {head, view.revision} if view.rolled_back else {head}
        same = {each.digest for each in past if each.revision in here and each.digest}
        found = [each for each in applied if each.revision not in here and each.digest not in same]
        if not found:
            raise _refused(view, "there is no earlier revision to go back to", "none is remembered")
        return found[0]
    matching = {each.revision: each for each in reversed(applied) if _is_meant(each.revision, to)}
    if len(matching) == 1:
        [target] = matching.values()
        if target.revision == head:
            raise _refused(view, f"{short_revision(head)} is what git says now", "there is nothing to go back from")
        return target
    title = f"can't roll back to {printable(to)[:120]}"
    if matching:
        raise _refused(view, title, f"several revisions begin so: {', '.join(map(short_revision, matching))}")
    failed = next((each for each in past if _is_meant(each.revision, to)), None)
    cause = (
        f"it never took effect: {one_line(failed.outcome)}" if failed else "this app never was at it, or too long ago"
    )
    raise _refused(view, title, cause)


def _is_meant(revision: str, text: str) -> bool:
    """True for a whole revision, `main@a1b2c3d4` as tables show it, and a commit's first seven digits or more."""
    if text in {revision, short_revision(revision)}:
        return True
    try:
        return len(text) >= 7 and Revision.parse(revision).hex.startswith(text.lower())
    except ValueError:
        return False


def _refused(view: View, title: str, cause: str) -> UserError:
    subject = view.kind.resource.id_of(view.namespace, view.name)
    fix = f"choose one that is ready in `sluice history {view.name} -n {view.namespace}`"
    return UserError(Problem(codes.ROLLBACK_REFUSED, title, subject, cause=cause, fix=fix))


def _by_flags(sync: FlagSync, to: str) -> UserError:
    """There is nothing to write the request on: git is the way back, and which commits it takes is known."""
    target = Revision.parse(find_target(sync.past, sync.view, sync.past[0].revision, to).revision)
    command = f"git revert --no-edit $(git rev-list --no-merges {target.hex[:12]}..HEAD) && git push"
    return UserError(
        Problem(
            codes.BY_FLAGS,
            f"{sync.view.name} is applied by an operator that runs without CRDs, so it follows git alone",
            cause="there is no Kustomization to write the request on",
            fix=f"take git back to {short_revision(str(target))}, in a checkout of the branch: {command}",
        )
    )


def revert_command(to: str, head: str, *paths: str) -> str:
    """What makes git say the same, in a checkout of the branch.

    >>> revert_command("main@sha1:0a", "main@sha1:0b", "./apps/web")
    'git revert --no-edit $(git rev-list --no-merges 0a..0b -- apps/web) && git push'
    """
    span = "..".join(Revision.parse(text).hex[:12] for text in (to, head))
    folders = [path.removeprefix("./").strip("/") for path in paths]
    below = "" if {"", "."} & set(folders) else f" -- {' '.join(map(shlex.quote, folders))}"
    return f"git revert --no-edit $(git rev-list --no-merges {span}{below}) && git push"


def _report(cluster: Cluster, settled: Sequence[View], target: Past, head: str) -> ExitCode:
    terminal = cluster.terminal
    done = all(each.ready == "True" and each.revision == target.revision for each in settled)
    command = revert_command(target.revision, head, *(each.path for each in settled))
    if cluster.flags.structured:
        items: list[RolledBackObject] = [
            {**fields_of(each), "toMakeItLast": command if done else None} for each in settled
        ]
        result: RollbackResult = {"apiVersion": API_VERSION, "kind": "RollbackResult", "items": items}
        write_structured(terminal, result)
        return ExitCode.DONE if done else ExitCode.FAILED
    if done:
        for each in settled:
            back = f"{each.reference} is rolled back to {short_revision(target.revision)}"
            terminal.answer(f"{terminal.glyph('Ready')} {back}")
        again = f"sluice resume ks {settled[0].name} -n {settled[0].namespace}"
        terminal.say(f"  git still says {short_revision(head)}: this holds until its next commit, or `{again}`")
        terminal.say(f"  to make it last, in a checkout: {command}")
        return ExitCode.DONE
    for each in settled:
        _say_why_not(cluster, each)
    if any(each.going_back for each in settled):
        again = f"sluice resume ks {settled[0].name} -n {settled[0].namespace}"
        terminal.say(f"  it stays asked for until git's next commit; to take that back: {again}")
    return ExitCode.FAILED


def _say_why_not(cluster: Cluster, settled: View) -> None:
    terminal = cluster.terminal
    for problem in settled.problems:
        terminal.warn(told_text(terminal, problem, f"Kustomization {settled.namespace}/{settled.name}"))
    why = settled.reason if settled.ready != "True" else "git has moved on meanwhile"
    there = f"; {short_revision(settled.revision)} is in the cluster" if settled.revision else ""
    terminal.warn(f"{terminal.glyph('Failing', terminal.err)} {settled.reference} was not rolled back: {why}{there}")

"""Releases and policies without a checkout: the operator is asked what would change, and then to commit it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from sluice import settings
from sluice.api.kustomization import UpdateAnswer
from sluice.cli.asked_output import Answers, exit_code, finish, show_answers
from sluice.cli.asking import Addressee, addressees_of, all_addressees, ask
from sluice.cli.cluster import Cluster, open_cluster
from sluice.cli.exit_codes import ExitCode
from sluice.cli.flags import Flags, usage
from sluice.cli.progress import Progress
from sluice.cli.terminal import Terminal
from sluice.cli.workload_names import workload_id
from sluice.core import codes
from sluice.core.image import ImageRefError, parse
from sluice.core.image_update.release import ContainerUpdate
from sluice.core.image_update.workload import WorkloadId
from sluice.core.problem import printable
from sluice.core.update_spec import Cause, ContainerSpec, ImageSpec, Spec, UpdateSpec
from sluice.git.checkout_commit import Checkout

T = TypeVar("T")
# Of flags that are about a checkout, and of the machine that it is on.
LOCAL_FLAGS = {
    "commit": "--commit",
    "unchecked": "--unchecked",
    "allow_loopback": "--registry-allow-loopback",
    "insecure_hosts": "--registry-insecure-host",
    "manifest_generation": "--manifest-generation",
    "generator_path": "--generator-path",
}


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: `spec_of` gives it for the workloads of one sync (none: for all), and for who asks and why.

    `words` name workloads; none are all that the syncs of the namespace apply.
    """

    kind: str
    words: Sequence[str]
    spec_of: Callable[[tuple[WorkloadId, ...], str, str], Spec]
    message: str = ""
    user: str = ""
    dry_run: bool = False
    interactive: bool = False
    watch: bool = False
    exclude: Sequence[str] = ()

    def spec(self, cluster: Cluster, asked: Addressee, user: str) -> Spec:
        """What is asked of one sync."""
        found = self.spec_of(asked.workloads, user, self.message)
        excluded = tuple(workload_id(word, cluster.namespace, "--exclude") for word in self.exclude)
        return replace(found, excludes=excluded) if isinstance(found, ImageSpec) else found


def refuse_local_flags(verb: str, given: dict[str, Any]) -> None:
    """Raise UsageRefused (LocalOnly) for a flag that says something about a checkout."""
    for key, flag in LOCAL_FLAGS.items():
        if given.get(key):
            title = f"{flag} is for a checkout, and no folder is named"
            fix = f"leave it out, or write sluice {verb} --local . …"
            raise usage(title, code=codes.LOCAL_ONLY, field=flag, fix=fix)


def ask_operator(flags: Flags, question: Question) -> ExitCode:
    """Show what would change, then have it committed, unless that is all that is wanted."""
    terminal = Terminal(flags)
    planned = _run(terminal, lambda cluster: _plan(cluster, question))
    if not flags.structured:
        show_answers(terminal, planned)
    if question.dry_run:
        terminal.say("nothing is written: this was a dry run")
        return finish(terminal, question.kind, planned)
    if exit_code(planned) is ExitCode.FAILED:
        return finish(terminal, question.kind, planned)
    chosen = _chosen(terminal, question, planned)
    if not chosen:
        terminal.say("nothing to do")
        return finish(terminal, question.kind, planned)
    done = _run(terminal, lambda cluster: _carry_out(cluster, question, chosen))
    rest = [(asked, answer) for asked, answer in planned if asked not in {each for each, _ in done}]
    if not flags.structured and _told(done) != _told([each for each in planned if each not in rest]):
        show_answers(terminal, done)  # git, or a registry, had something newer meanwhile
    answers = [*done, *rest]
    code = exit_code(answers)
    if not question.watch or code is ExitCode.FAILED:
        return finish(terminal, question.kind, answers)
    from sluice.cli.rollout import follow

    if not flags.structured:
        finish(terminal, question.kind, answers)
    followed = _run(terminal, lambda cluster: follow(cluster, done))
    if flags.structured:  # a program reads one answer, with how it ended
        finish(terminal, question.kind, answers, followed.fields())
    return followed.code or code


def _run(terminal: Terminal, work: Callable[[Cluster], Coroutine[Any, Any, T]]) -> T:
    """One visit to the cluster. Between two of them people are asked, where Ctrl-C ends the question at once."""

    async def connected() -> T:
        async with open_cluster(terminal) as cluster:
            return await work(cluster)

    return asyncio.run(connected())


async def _plan(cluster: Cluster, question: Question) -> list[tuple[Addressee, UpdateAnswer]]:
    asked = await addressees_of(cluster, question.words) if question.words else await all_addressees(cluster)
    if not asked:
        cluster.terminal.say(f"no sync of a git repository in namespace {cluster.namespace}; -A looks in all")
    cause = await _cause(question)
    answers = []
    async with Progress(cluster.terminal) as progress:
        for each in asked:
            spec = UpdateSpec(question.spec(cluster, each, cause.user), cause)
            answers.append((each, await ask(cluster, each, spec, progress, dry_run=True)))
    return answers


async def _carry_out(
    cluster: Cluster, question: Question, chosen: Sequence[tuple[Addressee, Spec | None]]
) -> list[tuple[Addressee, UpdateAnswer]]:
    """One sync after the other: what failed for one says nothing of the next."""
    cause = await _cause(question)
    answers = []
    async with Progress(cluster.terminal) as progress:
        for asked, picked in chosen:
            made = picked or question.spec(cluster, asked, cause.user)
            answers.append((asked, await ask(cluster, asked, UpdateSpec(made, cause), progress)))
    return answers


async def _cause(question: Question) -> Cause:
    user = question.user or await Checkout(Path.cwd(), settings.environment()).person() or settings.person()
    return Cause(question.message, user)


def _chosen(terminal: Terminal, question: Question, planned: Answers) -> list[tuple[Addressee, Spec | None]]:
    """The syncs for which something is to be carried out; with --interactive each with what a person wants of it."""
    changing = [(asked, answer) for asked, answer in planned if any(result.changes for result in answer.results)]
    if not question.interactive:
        return [(asked, None) for asked, _ in changing]
    picked = [(asked, _picked(terminal, answer)) for asked, answer in changing]
    return [(asked, ContainerSpec(updates)) for asked, updates in picked if updates]


def _picked(terminal: Terminal, answer: UpdateAnswer) -> tuple[ContainerUpdate, ...]:
    wanted = []
    for result in answer.results:
        workload = WorkloadId.parse(result.workload)
        for change in result.changes:
            text = f"{printable(result.workload)} {printable(change.field)}"
            if terminal.confirm(f"{text}: {printable(change.from_)} -> {printable(change.to)}?"):
                wanted.append(_update(workload, change.field, change.from_, change.to))
    return tuple(wanted)


def _update(workload: WorkloadId, container: str, current: str, target: str) -> ContainerUpdate:
    try:
        return ContainerUpdate(workload, container, parse(target), parse(current))
    except ImageRefError:
        # In a HelmRelease the values are parts of an image.
        title = f"{workload} {printable(container)} can't be chosen by itself"
        raise usage(title, field="--interactive", fix="release it without --interactive") from None


def _told(answers: Answers) -> list[Any]:
    return [answer.results for _, answer in answers]

"""Edits of a checkout: read its YAML files, say what will change, write all of it or nothing, commit when asked to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sluice import settings
from sluice.cli.flags import Flags, usage
from sluice.cli.generation_flags import generation_options, generators_of
from sluice.cli.local_source import LocalSource, local_source
from sluice.cli.terminal import Terminal
from sluice.cli.workload_names import workload_id
from sluice.core import codes
from sluice.core.commit_text import clean_message, identity
from sluice.core.errors import UserError
from sluice.core.flux_yaml import candidates
from sluice.core.image_update.result import ImageUpdate
from sluice.core.image_update.workload import DEFAULT_NAMESPACE, WorkloadId
from sluice.core.problem import Problem
from sluice.git.checkout_commit import Checkout
from sluice.store.local_folder import replace_files, restore_files

if TYPE_CHECKING:
    from sluice.render.workload_files import WorkloadFiles


# The flags that every editing verb has beside --local.
WISHES = ("dry_run", "commit", "message", "user", "manifest_generation", "generator_path")


@dataclass(frozen=True, slots=True)
class Wish:
    """What the flags of an editing verb say. `folder` is a checkout, or a folder in one.

    `generation` are the flags that let commands of a `.flux.yaml` run.
    """

    folder: Path
    dry_run: bool
    commit: bool
    message: str
    user: str
    generation: Mapping[str, Any] = field(default_factory=dict)


def editing_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The flags of every verb that edits a checkout."""
    folder = click.Path(path_type=Path)
    options: list[Callable[..., Any]] = [
        click.option(
            "--local", type=folder, metavar="DIR", help="Edit this checkout, or folder of it, and nothing else."
        ),
        click.option("--dry-run", is_flag=True, help="Only say what would change."),
        click.option("--commit", is_flag=True, help="With --local: commit it there; nothing is pushed."),
        click.option("-m", "--message", default="", metavar="TEXT", help="Why: the message of the commit."),
        click.option("--user", default="", metavar="NAME", help="Who wants it, as `Name <email>`; you, unless said."),
        generation_options,
    ]
    for option in reversed(options):
        command = option(command)
    return command


def wish_of(
    local: Path,
    *,
    dry_run: bool,
    commit: bool,
    message: str,
    user: str,
    manifest_generation: bool = False,
    generator_path: str | None = None,
) -> Wish:
    """Read the flags. Raises UsageRefused for those that exclude each other."""
    if dry_run and commit:
        raise usage("--dry-run and --commit exclude each other", code=codes.FIELD_CONFLICT, field="--commit")
    if user and commit:
        _author(user)
    generation = {"manifest_generation": manifest_generation, "generator_path": generator_path}
    generators_of(generation, Path())
    return Wish(local, dry_run, commit, message, user, generation)


def workloads_of(flags: Flags, words: Sequence[str]) -> tuple[WorkloadId, ...]:
    """The workloads that are named; objects without a namespace are in that of -n. Raises UsageRefused."""
    return tuple(dict.fromkeys(workload_id(word, default_namespace(flags)) for word in words))


def default_namespace(flags: Flags) -> str:
    """The namespace of objects that name none."""
    return flags.namespace or DEFAULT_NAMESPACE


@dataclass(frozen=True, slots=True)
class Files:
    """The YAML files of a folder, by their paths from the checkout's top, and what is generated there."""

    source: LocalSource
    workloads: WorkloadFiles
    generates: bool = False

    @property
    def unused_flux_yaml(self) -> str:
        """The `.flux.yaml` whose commands would define this folder's workloads, had a person let them run."""
        places = () if self.generates else candidates(self.source.path)[1]
        return next((path for path in places if path in self.source.folder.tree.by_path), "")

    @property
    def contents(self) -> Mapping[str, bytes]:
        """The YAML that defines workloads, for reading."""
        return self.workloads.contents

    @property
    def root(self) -> Path:
        """The top of the checkout."""
        return self.source.folder.root

    async def person(self) -> str:
        """Who works here, for a lock that says whose it is."""
        return await Checkout(self.root, settings.environment()).person() or settings.person()


async def read_files(terminal: Terminal, wish: Wish, namespace: str) -> Files:
    """Read what may be edited: YAML and JSON, no links; and what commands of a `.flux.yaml` print, where they may run.

    Raises UserError (FileMissing, and what commands do wrong).
    """
    from sluice.render.workload_files import Place, WorkloadFiles

    source = await local_source(wish.folder)
    terminal.flags.folders.append(source.folder.root)
    place = Place(source.folder.tree, source.folder, (source.path,), namespace)
    generators = generators_of(wish.generation, settings.cache_home() / "commands")
    return Files(source, await WorkloadFiles.read(place, generators), generators is not None)


def refuse_skipped(update: ImageUpdate) -> None:
    """Raise UserError with every change that can't be made: then none is."""
    problems = tuple(dict.fromkeys(skipped.problem for skipped in update.skipped))
    if problems:
        raise UserError(*problems)


async def carry_out(terminal: Terminal, files: Files, update: ImageUpdate, wish: Wish, message: str) -> str:
    """Write what was said before, and commit it when that is wished; returns the commit.

    Raises UserError or StateError; the files then are as they were.
    """
    if wish.dry_run or not update.files:
        terminal.say("nothing to do" if not update.files else "nothing is written: this was a dry run")
        return ""
    paths = sorted(update.files)
    before = await files.workloads.before(paths)
    if not wish.commit:
        replace_files(files.root, before, update.files)
        terminal.say(f"changed {count_files(len(paths))}; nothing is committed")
        return ""
    if not files.source.commit:
        title, fix = "there is nothing to commit to", "name a folder of a git checkout that has a commit"
        raise UserError(Problem(codes.CHECKOUT_DIRTY, title, field="--commit", fix=fix))
    checkout = Checkout(files.root, settings.environment())
    await checkout.check(paths)
    replace_files(files.root, before, update.files)
    try:
        author, new = _author(wish.user) if wish.user else "", sorted(update.files.keys() - before.keys())
        commit = await checkout.commit(paths, clean_message(message), author, new=new)
    except BaseException:
        restore_files(files.root, update.files, before)
        raise
    terminal.say(f"committed {count_files(len(paths))} as {commit[:7]}; nothing is pushed")
    terminal.say(f"  undo: git revert {commit[:7]}")
    return commit


def _author(user: str) -> str:
    name, _, rest = user.partition("<")
    try:
        found = identity(name.strip() if rest else "", rest.rstrip("> ") if rest else user, field="--user")
    except UserError as error:
        raise usage("--user names no author", field="--user", cause=error.problems[0].title) from None
    if "@" not in found.email:
        raise usage("--user needs an address", field="--user", fix="write --user 'Ada <ada@example.com>'")
    return f"{found.name} <{found.email}>"


def count_files(number: int) -> str:
    """A number of files in words."""
    return "1 file" if number == 1 else f"{number} files"

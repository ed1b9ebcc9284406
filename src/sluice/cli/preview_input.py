"""What `plan` and `diff` look at: a Kustomization, and a folder or a branch in place of its artifact."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from sluice import settings
from sluice.api.git_repository import GitRef, GitRepository
from sluice.api.kustomization import Kustomization
from sluice.cli.cluster import Cluster, open_cluster
from sluice.cli.conflicts import refuse_together
from sluice.cli.flags import usage
from sluice.cli.installation import operator_namespace
from sluice.cli.kinds import GIT, SYNCS, choose
from sluice.cli.live_names import words as words_of
from sluice.cli.local_source import local_source
from sluice.cli.lookup import find_views
from sluice.cli.preview_neighbours import know, neighbours
from sluice.cli.terminal import Terminal
from sluice.core import codes, condition
from sluice.core.artifact import Artifact
from sluice.core.errors import UserError
from sluice.core.git_url import is_commit
from sluice.core.ids import ResourceId
from sluice.core.problem import Problem
from sluice.reconcilers.git_repository import GitRepositoryReconciler
from sluice.reconcilers.group_preview import preview_group
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.preview import Preview, preview
from sluice.reconcilers.sync_facts import group_of, owner_of, source_of
from sluice.settings import Settings
from sluice.wiring import reading_operator

K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is compared: a folder, a branch, a commit, or (nothing set) what the source names now."""

    words: tuple[str, ...]
    path: Path | None
    branch: str
    revision: str
    allow_loopback: bool


@dataclass(frozen=True, slots=True)
class _Compared:
    """The artifact, and the Kustomization with the path that is meant in it.

    `is_whole` is False for a folder without a checkout: it stands for that Kustomization's path, and for nothing else.
    """

    sync: Kustomization
    artifact: Artifact
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """The preview, what it is of, and what it was compared with."""

    name: str
    namespace: str
    compared: str
    preview: Preview

    @property
    def group(self) -> str:
        """The group's name and its members', empty when it is of a single sync."""
        names = ", ".join(member.name for member in self.preview.members)
        return f"group '{self.preview.group}' ({names})" if names else ""


def preview_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The flags that say what is compared."""
    for add in (
        click.option("--git-allow-loopback", "allow_loopback", is_flag=True, hidden=True),
        click.option("--revision", default="", metavar="COMMIT", help="This commit of the source."),
        click.option("--branch", default="", metavar="NAME", help="The head of this branch of the source."),
        click.option("--path", type=click.Path(path_type=Path), help="This folder, and the checkout it is in."),
        words_of("ks", "KUSTOMIZATION"),
    ):
        command = add(command)
    return command


def wanted_of(given: dict[str, Any]) -> Wanted:
    """Read the flags. Raises UsageRefused."""
    wanted = Wanted(**{name: given[name] for name in ("words", "path", "branch", "revision", "allow_loopback")})
    refuse_together({"--path": wanted.path, "--branch": wanted.branch, "--revision": wanted.revision})
    if wanted.path is not None and not wanted.path.is_dir():
        raise usage(f"no folder '{wanted.path}'", field="--path", fix="give a folder, or the checkout that it is in")
    if wanted.revision and not is_commit(wanted.revision):
        raise usage("--revision is not a full commit hash", field="--revision", fix="git rev-parse HEAD prints one")
    return wanted


async def look(terminal: Terminal, wanted: Wanted) -> Answer:
    """Compare. Raises what makes the revision impossible to plan: every problem at once."""
    chosen = choose(wanted.words, default="ks")
    if chosen.kinds != (SYNCS,) or len(chosen.names) != 1:
        verb = click.get_current_context().info_name
        raise usage("exactly one Kustomization must be named", fix=f"sluice {verb} apps --path .")
    async with open_cluster(terminal) as cluster, reading_parts(cluster, wanted.allow_loopback) as operator:
        sync = await _sync(cluster, chosen.names[0])
        terminal.say(f"comparing {_compared(wanted)} with {cluster.client.access.server}; nothing is written")
        compared = await _artifact(terminal, cluster, operator, sync, wanted)
        found = await _previewed(terminal, cluster, operator, compared)
        if is_undone(sync, str(compared.artifact.revision)):
            again = f"sluice sync {sync.metadata.name} -n {sync.metadata.namespace}"
            terminal.say(
                f"this revision was tried and undone; it is tried again when something changes, or by: {again}"
            )
        return Answer(sync.metadata.name, sync.metadata.namespace, _compared(wanted), found)


async def _previewed(terminal: Terminal, cluster: Cluster, operator: Operator, compared: _Compared) -> Preview:
    """Of its whole group, where it is of one: none of it takes effect without the others."""
    sync, artifact = compared.sync, compared.artifact
    beside = await neighbours(cluster, sync)
    group = group_of(sync) if not sync.metadata.deletionTimestamp else None
    if group is None:
        know(operator, beside, artifact if compared.is_whole else None)
        return await preview(operator, sync, artifact)
    members = [m for m in beside if group_of(m) == group and not m.metadata.deletionTimestamp]
    names = ", ".join(member.metadata.name for member in members)
    terminal.say(f"group '{group.name}' takes effect wholly or not at all: {names}")
    others = artifact if compared.is_whole else await _of_source(cluster, operator, sync)
    know(operator, beside, others)
    artifacts = {owner_of(m): artifact if owner_of(m) == owner_of(sync) else others for m in members}
    return await preview_group(operator, group, artifacts, members)


def is_undone(sync: Kustomization, revision: str) -> bool:
    """Whether that revision is the one which was tried last, and taken back."""
    ready = condition.find_condition(sync.status.conditions, condition.READY)
    tried = sync.status.lastAttemptedRevision == revision
    return tried and ready is not None and ready.status == "False" and ready.reason == condition.UNDONE


async def _of_source(cluster: Cluster, operator: Operator, sync: Kustomization) -> Artifact:
    read: GitRepository = await read_ours(cluster, source_of(sync), GitRepository)
    return await GitRepositoryReconciler(operator).fetch(read)


def _compared(wanted: Wanted) -> str:
    if wanted.path is not None:
        return f"folder {wanted.path}"
    return (
        f"branch {wanted.branch}" if wanted.branch else f"commit {wanted.revision}" if wanted.revision else "its source"
    )


@asynccontextmanager
async def reading_parts(cluster: Cluster, allow_loopback: bool) -> AsyncIterator[Operator]:
    """The operator's parts, to fetch and render here what it would, and write nothing."""
    chosen = Settings(
        namespace=await operator_namespace(cluster),
        storage=settings.cache_home() / "preview",
        git_allow_loopback=allow_loopback,
    )
    async with reading_operator(chosen, cluster.client) as operator:
        yield operator


async def _sync(cluster: Cluster, name: str) -> Kustomization:
    [view] = await find_views(cluster, SYNCS, [name])
    found: Kustomization = await read_ours(cluster, SYNCS.resource.id_of(view.namespace, name), Kustomization)
    return found


async def read_ours(cluster: Cluster, key: ResourceId, kind: type[K]) -> K:
    """A Kustomization or a source as its kind has it. Raises UserError when it is not there, or not of its kind."""
    resource = SYNCS.resource if key.kind == SYNCS.resource.kind else GIT.resource
    raw = await cluster.client.get(resource, key.namespace, key.name)
    if raw is None:
        raise UserError(Problem(codes.SOURCE_MISSING, f"{key} does not exist", key, fix="correct spec.sourceRef"))
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        raise UserError(Problem(codes.SPEC_INVALID, f"{key} is not of its kind", key, cause=str(error))) from None


async def _artifact(
    terminal: Terminal, cluster: Cluster, operator: Operator, sync: Kustomization, wanted: Wanted
) -> _Compared:
    key = source_of(sync)
    if wanted.path is not None:
        local = await local_source(wanted.path)
        terminal.flags.folders.append(local.folder.root)
        ignore = await _ignore_rules(cluster, key)
        # The top of a checkout stands for the repository; any other folder for the sync's own path.
        at = sync if not local.path and local.commit else _with_path(sync, local.path)
        return _Compared(at, await local.artifact(key, ignore), is_whole=bool(local.commit))
    source: GitRepository = await read_ours(cluster, key, GitRepository)
    if wanted.branch or wanted.revision:
        reference = GitRef(branch=wanted.branch, commit=wanted.revision)
        source = msgspec.structs.replace(source, spec=msgspec.structs.replace(source.spec, ref=reference))
    return _Compared(sync, await GitRepositoryReconciler(operator).fetch(source))


async def _ignore_rules(cluster: Cluster, key: ResourceId) -> str | None:
    if key.kind != GIT.resource.kind or await cluster.client.get(GIT.resource, key.namespace, key.name) is None:
        return None
    source: GitRepository = await read_ours(cluster, key, GitRepository)
    return source.spec.ignore


def _with_path(sync: Kustomization, path: str) -> Kustomization:
    return msgspec.structs.replace(sync, spec=msgspec.structs.replace(sync.spec, path=path))

"""Which repository, branch and folders belong to a workload, and who else must hear of a commit there.

In flag mode they are those of the flags. With CRDs a workload belongs to the sync whose labels it has in the cluster,
and that sync to its GitRepository; a request touches nothing of other syncs. An update of workloads of several
repositories is one in each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sluice.api.git_repository import GitRepository
from sluice.api.kustomization import Kustomization, KustomizationSpec
from sluice.core import codes
from sluice.core.duration import parse_duration
from sluice.core.errors import UserError
from sluice.core.ids import NamespacedName
from sluice.core.image_update.workload import DEFAULT_NAMESPACE, WorkloadId
from sluice.core.job_parts import without
from sluice.core.problem import Problem
from sluice.core.push_target import HEADS, PushTarget, push_target
from sluice.core.tree_path import clean_path
from sluice.core.update_spec import UpdateSpec
from sluice.git.refs import wanted_of
from sluice.reconcilers.flag_mode import FlagObjects
from sluice.reconcilers.live_workloads import Owners, owners_of
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.sync_facts import source_of, sync_id
from sluice.reconcilers.written_branch import wake_readers
from sluice.render.built_images import folder_spec
from sluice.render.generators import Generators
from sluice.render.renderer import Renderer


@dataclass(frozen=True, slots=True)
class Place:
    """A folder (empty: the root) that a sync applies, and the namespace of what names none there.

    `imposed` is the namespace that the sync sets on everything that its kustomizations build; empty: none. `own` is
    the sync's spec, where there is one.
    """

    sync: NamespacedName
    path: str
    namespace: str
    imposed: str = ""
    own: KustomizationSpec | None = None

    @property
    def spec(self) -> KustomizationSpec:
        """How the folder is built."""
        return self.own or folder_spec(self.path, self.imposed)


@dataclass(frozen=True, slots=True)
class GitTarget:
    """A repository that commits go to, and the folders that one of its syncs, or all, apply."""

    source: GitRepository
    places: tuple[Place, ...]

    @property
    def key(self) -> NamespacedName:
        """The GitRepository."""
        return self.source.metadata.key

    @property
    def seconds(self) -> float:
        """How long one step that talks to the host may take."""
        return parse_duration(self.source.spec.timeout)

    def push_target(self) -> PushTarget:
        """The branch that commits go to: the one that is synced. Raises UserError (NoPushBranch, RefSyntax)."""
        followed = wanted_of(self.source.spec.ref)
        return push_target(followed.ref.removeprefix(HEADS) if followed.ref.startswith(HEADS) else "")


@dataclass(frozen=True, slots=True)
class Share:
    """What of an update is about one repository."""

    target: GitTarget
    spec: UpdateSpec


class GitTargets:
    """The repositories of the operator's syncs."""

    def __init__(self, operator: Operator) -> None:
        self._op = operator

    @property
    def generators(self) -> Generators | None:
        """What runs the commands of a `.flux.yaml`; None where none may run."""
        return self._op.renderer.generators

    @property
    def renderer(self) -> Renderer:
        """What builds folders: an edit of a kustomization is held against its build."""
        return self._op.renderer

    @property
    def by_flags(self) -> bool:
        """True in flag mode: there is one repository, and what it defines is ours whatever its labels."""
        return isinstance(self._op.kustomizations, FlagObjects)

    def all(self) -> tuple[GitTarget, ...]:
        """Every GitRepository that a sync applies, with all its folders."""
        syncs: dict[NamespacedName, list[Kustomization]] = {}
        for sync in self._op.kustomizations.items():
            source = self._source(sync)
            if source is not None:
                syncs.setdefault(source.metadata.key, []).append(sync)
        return tuple(self._target(self._known(key), syncs[key]) for key in sorted(syncs))

    def of_source(self, key: NamespacedName, sync: NamespacedName | None = None) -> GitTarget | None:
        """The target of a GitRepository, with the folders of one sync or of all; None when it is gone."""
        found = next((target for target in self.all() if target.key == key), None)
        if found is None or sync is None:
            return found
        places = tuple(place for place in found.places if place.sync == sync)
        return GitTarget(found.source, places) if places else None

    def of_sync(self, key: NamespacedName) -> GitTarget:
        """The target of one sync. Raises UserError (UpdateTarget)."""
        sync = self._op.kustomizations.get(key.namespace, key.name)
        if sync is None:
            raise _refused(f"there is no sync {key}", "", "name one that is there")
        source = self._source(sync)
        if source is None:
            ref = source_of(sync)
            cause = (
                f"its source is {ref}" if ref.kind != "GitRepository" else f"{ref} does not exist, or may not be used"
            )
            fix = "commit the change where that source is made"
            raise _refused(f"{sync_id(sync)} has no git repository to commit to", cause, fix)
        return self._target(source, [sync])

    async def of(self, spec: UpdateSpec, sync: NamespacedName | None = None) -> tuple[Share, ...]:
        """What an update, asked of one sync or of the operator, is to each repository that it is about; one at least.

        Raises UserError (UpdateTarget), ClusterError.
        """
        if sync is not None:
            return (Share(self.of_sync(sync), spec),)
        targets = self.all()
        if spec.named and not self.by_flags:
            owners = await owners_of(self._op.client, self._op.discovery, spec.named)
            shares = _shared(targets, spec, owners)
        else:
            shares = tuple(Share(target, spec) for target in targets)
        if shares:
            return shares
        names = ", ".join(map(str, spec.named)) or "all workloads"
        raise _refused(f"no repository holds {names}", "no sync of a git repository has applied it", _FIX)

    async def running(self, target: GitTarget, names: Iterable[WorkloadId]) -> frozenset[WorkloadId]:
        """Those of `names` that the cluster has, and that belong to the target. Raises ClusterError."""
        owners = await owners_of(self._op.client, self._op.discovery, names)
        mine = {place.sync for place in target.places}
        return frozenset(name for name, owner in owners.items() if self.by_flags or owner in mine)

    def wake(self, target: GitTarget, wake: Callable[[NamespacedName], None]) -> None:
        """Give every source of the target's repository a turn: it sees a commit of ours now, not at its next poll."""
        wake_readers(self._op, wake, target.source)

    def _source(self, sync: Kustomization) -> GitRepository | None:
        """The GitRepository of a sync, where it has one that it may use."""
        ref = source_of(sync)
        foreign = ref.namespace != sync.metadata.namespace and self._op.rules.no_cross_namespace_refs
        if ref.kind != "GitRepository" or (foreign and not self.by_flags):
            return None
        return self._op.git_repositories.get(ref.namespace, ref.name)

    def _target(self, source: GitRepository, syncs: Iterable[Kustomization]) -> GitTarget:
        default = self._op.default_namespace or DEFAULT_NAMESPACE
        ordered = sorted(syncs, key=lambda sync: sync.metadata.key)
        return GitTarget(source, tuple(_place(sync, default) for sync in ordered))

    def _known(self, key: NamespacedName) -> GitRepository:
        found = self._op.git_repositories.get(key.namespace, key.name)
        assert found is not None  # noqa: S101  it was there a moment ago, on the same loop
        return found


_FIX = "check namespace, kind and name, or commit the workload first"


def _place(sync: Kustomization, default: str) -> Place:
    """Where a sync reads. A path that can't be one holds no file, which the sync itself reports."""
    try:
        path = clean_path(sync.spec.path)
    except ValueError:
        path = "\0"
    target = sync.spec.targetNamespace
    return Place(sync.metadata.key, path, target or default, target, sync.spec)


def _shared(targets: Iterable[GitTarget], spec: UpdateSpec, owners: Owners) -> tuple[Share, ...]:
    """Each repository with the named workloads that it applies, and with those that no repository does."""
    syncs = set(owners.values())
    narrowed = (GitTarget(each.source, tuple(p for p in each.places if p.sync in syncs)) for each in targets)
    found = tuple(target for target in narrowed if target.places)
    repository = {place.sync: target.key for target in found for place in target.places}

    def others(target: GitTarget) -> frozenset[WorkloadId]:
        at = {name: repository.get(owner) for name, owner in owners.items() if owner is not None}
        return frozenset(name for name, key in at.items() if key not in {None, target.key})

    return tuple(Share(target, without(spec, others(target))) for target in found)


def _refused(title: str, cause: str, fix: str) -> UserError:
    return UserError(Problem(codes.UPDATE_TARGET, title, cause=cause, fix=fix))

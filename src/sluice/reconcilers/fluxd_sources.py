"""Which repositories fluxd's clients are told of, and how far each is applied.

In flag mode there is one. With CRDs these are the GitRepositories that Kustomizations read, and where a client knows
of one only it is told of the main one: `flux-system` of the operator's namespace, else the first by name.
"""

from __future__ import annotations

import re

from sluice.api.git_repository import GitRepository
from sluice.api.kustomization import Kustomization
from sluice.core import codes, condition
from sluice.core.errors import UserError
from sluice.core.fluxd_api.fault import ApiFault, malformed
from sluice.core.fluxd_api.git_config import RepoFacts, RepoStatus
from sluice.core.ids import NamespacedName
from sluice.core.problem import Problem
from sluice.core.revision import Revision
from sluice.core.tree_path import clean_path
from sluice.git.refs import ResolvedRef, wanted_of
from sluice.reconcilers.git_repository import GitRepositoryReconciler
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.source_facts import source_id
from sluice.reconcilers.sync_facts import rollback_of, source_of

MAIN = "flux-system"
_HASH = re.compile(r"[0-9a-f]{4,64}", re.ASCII)


class FluxdSources:
    """The repositories that are followed, through the objects that stand for them."""

    def __init__(self, operator: Operator, reconciler: GitRepositoryReconciler, namespace: str) -> None:
        self._op = operator
        self._reconciler = reconciler
        self._namespace = namespace

    def followed(self) -> list[GitRepository]:
        """Those that a sync reads, the main one first."""
        read = {source_of(sync) for sync in self._op.kustomizations.items()}
        found = [each for each in self._op.git_repositories.items() if source_id(each.metadata.key) in read]
        main = NamespacedName(self._namespace, MAIN)
        return sorted(found, key=lambda each: (each.metadata.key != main, each.metadata.key))

    def syncs_of(self, source: GitRepository) -> list[Kustomization]:
        """The syncs that read it and are not suspended, in the order of their names."""
        identity = source_id(source.metadata.key)
        found = [s for s in self._op.kustomizations.items() if source_of(s) == identity and not s.spec.suspend]
        return sorted(found, key=lambda sync: sync.metadata.key)

    def main(self) -> GitRepository | None:
        """The main repository; None when nothing is synced."""
        return next(iter(self.followed()), None)

    def key_changed(self) -> None:
        """The Secret of the main repository holds another key: it is read before the next use."""
        source = self.main()
        if source is not None:
            self._reconciler.read_secret_again(source.metadata.key)

    def main_sync(self) -> NamespacedName | None:
        """A sync of the main repository; None when nothing is synced."""
        source = self.main()
        syncs = self.syncs_of(source) if source is not None else []
        return syncs[0].metadata.key if syncs else None

    def facts(self) -> RepoFacts:
        """The main repository, without its key."""
        source = self.main()
        if source is None:
            return RepoFacts("unconfigured")
        ref, ready = source.spec.ref, condition.find_condition(source.status.conditions, condition.READY)
        failed = ready is not None and ready.status == "False"
        has_artifact = self._op.artifacts.get(source_id(source.metadata.key)) is not None
        status: RepoStatus = "unreachable" if failed else "ready" if has_artifact else "new"
        branch = (ref.branch or ref.tag or ref.semver or ref.name or ref.commit) if ref is not None else ""
        return RepoFacts(
            status,
            source.spec.url,
            branch or "master",
            tuple(dict.fromkeys(sync.spec.path.removeprefix("./") for sync in self.syncs_of(source))),
            ready.message if failed and ready is not None else "",
        )

    async def pending(self, ref: str) -> list[str]:
        """The commits up to `ref` that are not applied yet, newest first; empty when it is applied, or touches nothing.

        Raises ApiFault for a ref that can't be one, and when its revision was tried and failed; UserError
        (CommitUnknown) when no repository has it; what a fetch raises.
        """
        text, followed = ref.strip(), self.followed()
        meant = [(source, self._commit(source, text)) for source in followed]
        if not _HASH.fullmatch(text.lower()) and not any(commit for _, commit in meant):
            raise malformed("ref is no commit", "give a hash of git, or at least its first 4 digits")
        for source, commit in meant:
            found = await self._pending(source, commit)
            if found is not None:
                return found
        title = f"commit {text[:40]} is not in the history of any source" if followed else "no repository is synced"
        fix = "ask for a commit of the branch that is synced, or fetch it first: fluxctl sync"
        raise UserError(Problem(codes.COMMIT_UNKNOWN, title, fix=fix))

    def _commit(self, source: GitRepository, text: str) -> str:
        """The hash, or the start of one, that a client means; HEAD and the branch are what was fetched last."""
        if _HASH.fullmatch(text.lower()):
            return text.lower()
        branch = source.spec.ref.branch if source.spec.ref is not None else ""
        artifact = self._op.artifacts.get(source_id(source.metadata.key))
        return artifact.revision.hex if artifact is not None and text in {"HEAD", branch or "master"} else ""

    async def _pending(self, source: GitRepository, commit: str) -> list[str] | None:
        artifact = self._op.artifacts.get(source_id(source.metadata.key))
        syncs = self.syncs_of(source)
        if artifact is None or not commit:
            return None
        if syncs and all(_applied(sync).startswith(commit) for sync in syncs):
            return []
        mirror = await self._reconciler.mirror_of(source)
        head = ResolvedRef(artifact.revision, wanted_of(source.spec.ref).ref)
        await mirror.fetch_again(head)  # other credentials have a mirror of their own
        pending: dict[str, None] = {}
        for sync in syncs:
            folder = _folder(sync)
            found = await mirror.pending(_applied(sync), commit, head, folder)
            if found == () and folder and _moves_on(sync):
                # It may read more than its folder, as a kustomization does with a base: a turn alone knows.
                found = await mirror.pending(_applied(sync), commit, head, "")
            if found is None:
                return None
            if found:
                _raise_failed(sync, commit)
            pending |= dict.fromkeys(found)
        return list(pending)


def _folder(sync: Kustomization) -> str:
    try:
        return clean_path(sync.spec.path)
    except ValueError:
        return ""


def _moves_on(sync: Kustomization) -> bool:
    """True when it takes each new revision, or has said why it could not: nobody waits for it in vain.

    One that waits for something else, or was rolled back, holds up no client whose commit leaves its folder alone.
    """
    ready = condition.find_condition(sync.status.conditions, condition.READY)
    stalled = condition.find_condition(sync.status.conditions, condition.STALLED)
    waits = ready is not None and ready.status == "False" and (stalled is None or stalled.status != "True")
    return not waits and rollback_of(sync) is None


def _applied(sync: Kustomization) -> str:
    return _hex(sync.status.lastAppliedRevision)


def _hex(revision: str) -> str:
    try:
        return Revision.parse(revision).hex
    except ValueError:
        return ""


def _raise_failed(sync: Kustomization, commit: str) -> None:
    """Waiting for a commit whose revision has failed would be in vain: the client is told why.

    One that failed before it may be what the commit mends: it is tried next.
    """
    stalled = condition.find_condition(sync.status.conditions, condition.STALLED)
    if stalled is None or stalled.status != "True" or not _hex(sync.status.lastAttemptedRevision).startswith(commit):
        return
    ready = condition.find_condition(sync.status.conditions, condition.READY)
    why = ready.message if ready is not None else stalled.message
    name = sync.metadata.key
    raise ApiFault("user", f"the revision was tried and failed in {name}", f"{name} failed: {why}")

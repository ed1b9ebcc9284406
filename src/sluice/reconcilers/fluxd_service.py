"""Everything that fluxd's HTTP API can be asked, answered by the parts of the running operator.

What is asked comes from whoever reaches the port; what is answered holds no secret.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol
from uuid import uuid4

from sluice import __version__
from sluice.core.fluxd_api.change import GitChange, ImageChange
from sluice.core.fluxd_api.fault import ApiFault
from sluice.core.fluxd_api.git_config import config_shape
from sluice.core.fluxd_api.key_kind import KeyKind
from sluice.core.fluxd_api.public_key import PublicKey
from sluice.core.ids import NamespacedName
from sluice.core.update_read import update_spec_of
from sluice.core.update_spec import JobStatus, UpdateSpec
from sluice.core.update_wire import job_status_fields
from sluice.reconcilers.deploy_key import DeployKey, deploy_key_of
from sluice.reconcilers.fluxd_export import export_workloads
from sluice.reconcilers.fluxd_listing import FluxdListing, Watch
from sluice.reconcilers.fluxd_notices import notice_git, notice_image
from sluice.reconcilers.fluxd_sources import FluxdSources
from sluice.reconcilers.git_repository import GitRepositoryReconciler
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.workload_images import WorkloadImages

MAX_PREVIEWS = 100
_LOST = (
    "a dry run is lost when the operator restarts, and old results are not kept. What was not committed may be asked"
)


class Jobs(Protocol):
    """Where updates are carried out."""

    async def submit(self, spec: UpdateSpec, *, sync: NamespacedName | None = None) -> str:
        """Queue it, where it is known for the repository of that sync; returns the job's id."""
        ...

    async def status(self, job_id: str) -> JobStatus | None:
        """Where the job is; None for one that nobody knows."""
        ...

    async def preview(self, spec: UpdateSpec) -> JobStatus:
        """What it would do, at once."""
        ...

    def beside(self, commit: str) -> tuple[str, ...]:
        """The commits in other repositories that were asked for as one with this one."""
        ...


@dataclass(frozen=True, slots=True)
class Mode:
    """How this operator runs: with one repository or with CRDs, from which namespace, and for which (empty: all)."""

    by_flags: bool
    home: str
    namespace: str = ""
    read_only: bool = False
    deploy_key: KeyKind = field(default_factory=KeyKind)


@dataclass(slots=True)
class FluxdService:
    """One method for each thing that a client can ask. Raises ApiFault, or a SluiceError, for what can't be.

    `key` gives the deploy key of the repository, `wake` a turn to a source.
    """

    operator: Operator
    sources: FluxdSources
    listing: FluxdListing
    watch: Watch
    jobs: Jobs
    key: Callable[[], DeployKey | None]
    wake: Callable[[NamespacedName], None]
    mode: Mode
    _previews: OrderedDict[str, JobStatus] = field(default_factory=OrderedDict)

    def version(self) -> str:
        """This operator's own."""
        return __version__

    async def notify(self, change: GitChange | ImageChange) -> None:
        """Look at what is said to have changed."""
        if isinstance(change, GitChange):
            notice_git(change, self.sources.followed(), self.wake, any_remote=self.mode.by_flags)
        else:
            images = await self.watch()
            notice_image(change, images.workloads(), images.notified)

    async def services(self, namespace: str, names: Sequence[str]) -> list[dict[str, Any]] | None:
        """Running workloads."""
        return await self.listing.services(namespace, names)

    async def images(self, namespace: str, names: Sequence[str], fields: Sequence[str]) -> list[dict[str, Any]] | None:
        """Running workloads with the tags of their images."""
        return await self.listing.images(namespace, names, fields)

    async def update(self, body: Any) -> str:
        """Carry out a decoded UpdateSpec; returns the job's id. A plan is made before this returns."""
        spec = update_spec_of(body)
        if not spec.is_plan:
            # A sync names no workload, so it is of the repository that the client has been told of.
            return await self.jobs.submit(spec, sync=self.sources.main_sync() if spec.kind == "sync" else None)
        status = await self.jobs.preview(spec)
        job_id = str(uuid4())
        self._previews[job_id] = status
        while len(self._previews) > MAX_PREVIEWS:
            self._previews.popitem(last=False)
        return job_id

    async def job(self, job_id: str) -> dict[str, Any]:
        """Where a job is."""
        status = self._previews.get(job_id) or await self.jobs.status(job_id)
        if status is None:
            raise ApiFault(
                "missing", f"unknown job {job_id[:100]!r}", f"Job {job_id[:100]!r} is not known: {_LOST} again."
            )
        return job_status_fields(status)

    async def pending(self, ref: str) -> list[str]:
        """The commits up to `ref` that are not applied.

        Of an update of several repositories a client knows one commit: it waits for all of them.
        """
        found = [each for commit in (ref, *self.jobs.beside(ref)) for each in await self.sources.pending(commit)]
        return list(dict.fromkeys(found))

    async def export(self) -> bytes:
        """The cluster's workloads as YAML."""
        return await export_workloads(self.operator.client, self.operator.discovery, self.mode.namespace)

    async def git_config(self, *, regenerate: bool) -> dict[str, Any]:
        """The repository and the public half of its key, which is made anew first when that is asked for.

        Who asks of a repository that could not be read has it tried again: the next answer is of that try.
        """
        public, facts = await self.public_key(regenerate=regenerate), self.sources.facts()
        source = self.sources.main()
        if source is not None and facts.status != "ready":
            self.wake(source.metadata.key)
        return config_shape(replace(facts, key=public))

    async def public_key(self, *, regenerate: bool) -> PublicKey | None:
        """The public half of the key of the repository; None when it is read without one."""
        key = self.key()
        if regenerate:
            if key is None:
                raise ApiFault("user", "no deploy key is in use", "The repository is not read over ssh with a key.")
            await key.regenerate()
            self.sources.key_changed()
            source = self.sources.main()
            if source is not None:
                self.wake(source.metadata.key)
        return await key.public() if key is not None else None


def fluxd_service(
    operator: Operator,
    reconciler: GitRepositoryReconciler,
    images: WorkloadImages,
    jobs: Jobs,
    wake: Callable[[NamespacedName], None],
    mode: Mode,
) -> FluxdService:
    """The service of a running operator. Workloads are watched from the first time that somebody asks for them."""

    async def watch() -> WorkloadImages:
        await images.running.ensure()
        return images

    sources = FluxdSources(operator, reconciler, mode.home)
    return FluxdService(
        operator,
        sources,
        FluxdListing(operator, watch, read_only=mode.read_only),
        watch,
        jobs,
        lambda: deploy_key_of(operator.client, sources.main(), mode.deploy_key, is_ours=mode.by_flags),
        wake,
        mode,
    )

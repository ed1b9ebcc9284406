"""The revision that a sync has applied, rendered here again: from an object in the cluster to its lines in git.

Neither status nor record keep where each object came from, so whoever asks renders the commit once more, with the
operator's own code and the credentials that the source names. Who may not read those learns all but the lines.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
import msgspec

from sluice.cli.cluster import Cluster
from sluice.cli.kinds import GIT, SYNCS
from sluice.cli.view import View
from sluice.core import codes
from sluice.core.artifact import Artifact
from sluice.core.errors import SluiceError, UserError
from sluice.core.ids import ResourceId
from sluice.core.manifest import Manifest
from sluice.core.problem import Origin, Problem
from sluice.core.revision import Revision
from sluice.runtime.together import one_failure

if TYPE_CHECKING:  # most of the operator: who does not read the repository does not wait for it
    from sluice.reconcilers.operator import Operator

SECONDS_ALLOWED = 20.0


@dataclass(frozen=True, slots=True)
class AppliedRevision:
    """The manifests of one revision, and whose commit it is."""

    artifact: Artifact
    manifests: dict[ResourceId, Manifest]

    async def place(self, key: ResourceId, field: str = "") -> Origin | None:
        """Where git defines the object, or one of its fields; None when the revision has no such object."""
        manifest = self.manifests.get(key)
        if manifest is None or not field:
            return manifest.origin if manifest is not None else None
        from sluice.render import field_origin

        return await field_origin(self.artifact.tree, self.artifact.blobs, manifest.origin, field)


def git_options(command: Any) -> Any:
    """The flags of verbs that name files."""
    loopback = click.option("--git-allow-loopback", "allow_loopback", is_flag=True, hidden=True)
    no_git = click.option("--no-git", is_flag=True, help="Do not read the repository; files are then not named.")
    return loopback(no_git(command))


@asynccontextmanager
async def applied_revision(cluster: Cluster, view: View, *, allow_loopback: bool) -> AsyncIterator[AppliedRevision]:
    """Fetch and render what a Kustomization has applied. Raises UserError (OriginUnknown) with the reason."""
    from sluice.cli.preview_input import reading_parts

    given = False
    try:
        with one_failure():
            async with reading_parts(cluster, allow_loopback) as operator:
                async with asyncio.timeout(SECONDS_ALLOWED):
                    revision = await _rendered(cluster, operator, view)
                given = True
                yield revision
    except TimeoutError:
        raise _unknown(view, f"the repository did not answer in {SECONDS_ALLOWED:.0f}s") from None
    except SluiceError as error:
        if given:
            raise
        raise _unknown(view, str(error.problems[0]) if error.problems else str(error)) from None


async def _rendered(cluster: Cluster, operator: Operator, view: View) -> AppliedRevision:
    from sluice.api.git_repository import GitRef, GitRepository
    from sluice.api.kustomization import Kustomization
    from sluice.cli.preview_input import read_ours
    from sluice.reconcilers.git_repository import GitRepositoryReconciler
    from sluice.reconcilers.planning import Planner

    try:
        revision = Revision.parse(view.revision)
    except ValueError:
        raise _unknown(view, "it has applied no revision yet") from None
    sync = await read_ours(cluster, SYNCS.resource.id_of(view.namespace, view.name), Kustomization)
    key = GIT.resource.id_of(view.source_namespace, sync.spec.sourceRef.name)
    source = await read_ours(cluster, key, GitRepository)
    branch = source.spec.ref.branch if source.spec.ref is not None else ""
    at = msgspec.structs.replace(source.spec, ref=GitRef(branch=branch, commit=revision.hex))
    artifact = await GitRepositoryReconciler(operator).fetch(msgspec.structs.replace(source, spec=at))
    rendered, _ = await Planner(operator).render(sync, artifact)
    return AppliedRevision(artifact, {manifest.id: manifest for manifest in rendered.manifests})


def _unknown(view: View, cause: str) -> UserError:
    return UserError(
        Problem(
            codes.ORIGIN_UNKNOWN,
            "the files can't be named",
            SYNCS.resource.id_of(view.namespace, view.name),
            cause=cause,
            fix="run it where the repository and its credentials can be read, or leave files out with --no-git",
        )
    )

"""A Kustomization and an artifact → its manifests."""

from __future__ import annotations

from dataclasses import replace

from sluice.api.kustomization import Kustomization
from sluice.core.artifact import Artifact
from sluice.core.manifest import with_namespace
from sluice.core.plan import Owner
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.quarantine import reading
from sluice.reconcilers.variables import read_variables
from sluice.render import Rendered, RenderInput


async def render_sync(operator: Operator, sync: Kustomization, owner: Owner, artifact: Artifact) -> Rendered:
    """Render the sync's path of the artifact. Raises UserError, NotReady, ClusterError."""
    given = RenderInput(
        tree=artifact.tree,
        blobs=artifact.blobs,
        commit=artifact.revision.hex,
        spec=sync.spec,
        owner_labels=owner.labels(),
        variables=await read_variables(operator.client, sync),
        scope=operator.discovery.scope,
    )
    async with reading(operator, sync, artifact):
        return _placed(operator, await operator.renderer.render(given))


def _placed(operator: Operator, rendered: Rendered) -> Rendered:
    """Flag mode: namespaced objects that name no namespace go to the default one, as fluxd put them there."""
    home = operator.default_namespace
    if not home:
        return rendered
    manifests = tuple(
        with_namespace(m, home) if not m.id.namespace and operator.discovery.scope(m.id.group_kind) else m
        for m in rendered.manifests
    )
    return replace(rendered, manifests=tuple(sorted(manifests, key=lambda m: m.id)))

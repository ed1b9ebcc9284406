"""Whose span is the parent of an object's: what the object is made from, as far as our watches know it."""

from __future__ import annotations

from sluice.api.git_repository import KIND as GIT_REPOSITORY
from sluice.api.kustomization import KIND as KUSTOMIZATION
from sluice.core.event import InvolvedObject
from sluice.reconcilers.operator import Operator


def source_uid(operator: Operator, involved: InvolvedObject) -> str:
    """The UID of a Kustomization's source; empty for what has none, or none that is watched."""
    if involved.kind != KUSTOMIZATION:
        return ""
    sync = operator.kustomizations.get(involved.namespace, involved.name)
    if sync is None or sync.spec.sourceRef.kind != GIT_REPOSITORY:
        return ""
    ref = sync.spec.sourceRef
    source = operator.git_repositories.get(ref.namespace or sync.metadata.namespace, ref.name)
    return source.metadata.uid if source is not None else ""

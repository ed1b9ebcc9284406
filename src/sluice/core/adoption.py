"""Which objects that exist and are not ours may be taken over, and who else seems to own one.

A mark is what another tool leaves on what it has applied. Only marks that a render can't hold by itself count: charts
rendered into git carry `app.kubernetes.io/managed-by: Helm`, too.
"""

from __future__ import annotations

from enum import StrEnum

from sluice.core.live import LiveMeta

HELM_TOOLKIT = "helm.toolkit.fluxcd.io"


class Adopt(StrEnum):
    """What `spec.adopt` allows."""

    ALWAYS = "Always"
    IF_UNOWNED = "IfUnowned"
    NEVER = "Never"


def owner_mark(meta: LiveMeta) -> str:
    """Who else seems to own the object, in words; empty when no mark is on it.

    The owner labels of Kustomizations are not looked at: the plan knows them.
    """
    labels, notes = meta.labels, meta.annotations
    if (name := labels.get(f"{HELM_TOOLKIT}/name")) is not None:
        return f"HelmRelease {labels.get(f'{HELM_TOOLKIT}/namespace', '')}/{name}"
    if (name := notes.get("meta.helm.sh/release-name")) is not None:
        return f"Helm release {notes.get('meta.helm.sh/release-namespace', meta.namespace)}/{name}"
    if (tracked := notes.get("argocd.argoproj.io/tracking-id")) is not None:
        return f"Argo CD application {tracked.partition(':')[0]}"
    if (name := labels.get("argocd.argoproj.io/instance")) is not None:
        return f"Argo CD application {name}"
    if "fluxcd.io/sync-gc-mark" in labels:
        return "fluxd"
    controller = next((owner for owner in meta.owner_references if owner.controller), None)
    return f"{controller.kind} {controller.name}" if controller is not None else ""

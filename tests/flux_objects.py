"""Objects as Flux v2 and fluxd leave them, and what must stay as it was when others take them over."""

from __future__ import annotations

from tests.operator_fixture import Bench, Json, Sync, config_map, deployment, poll

NAMES = ("a", "b", "c")
MARK, CHECKSUM = "fluxcd.io/sync-gc-mark", "fluxcd.io/sync-checksum"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def apply_as_flux(sync: Sync, value: str = "1") -> None:
    """Apply what git has (ConfigMaps with that value) as kustomize-controller does: forced, with its owner labels."""
    labels = {
        "kustomize.toolkit.fluxcd.io/name": sync.name,
        "kustomize.toolkit.fluxcd.io/namespace": sync.namespace,
    }
    for name in NAMES:
        metadata = {"name": name, "namespace": sync.target, "labels": labels}
        body: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"key": value}}
        sync.bench.api.apply(sync.at("configmaps", name), body, manager="kustomize-controller")
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "main", "image": "nginx:1"}]},
    }
    web = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": sync.target, "labels": labels},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template},
    }
    sync.bench.api.apply(sync.at("apps/v1/deployments", "web"), web, manager="kustomize-controller")


def pods(sync: Sync) -> dict[str, tuple[str, list[int]]]:
    """The pods of the Deployment once all are ready: UID and restarts of each."""

    def look() -> dict[str, tuple[str, list[int]]] | None:
        listed = sync.bench.api.get(f"/api/v1/namespaces/{sync.target}/pods") or {}
        states = {p["metadata"]["name"]: p["status"].get("containerStatuses", []) for p in listed["items"]}
        if not states or not all(states.values()) or not all(c["ready"] for s in states.values() for c in s):
            return None
        uids = {p["metadata"]["name"]: p["metadata"]["uid"] for p in listed["items"]}
        return {name: (uids[name], [c["restartCount"] for c in s]) for name, s in states.items()}

    return dict(poll("the pods are ready", look))


def identities(sync: Sync) -> dict[str, tuple[str, int]]:
    """UID and generation of every object."""
    found = {n: sync.config(n) for n in NAMES} | {"web": sync.live("apps/v1/deployments", "web") or {}}
    return {n: (o["metadata"]["uid"], o["metadata"].get("generation", 0)) for n, o in found.items()}


def owners(found: Json) -> list[tuple[str, str, str]]:
    """Who owns which fields, but for status."""
    managers = [m for m in found["metadata"]["managedFields"] if m.get("subresource") != "status"]
    return sorted((m["manager"], m["operation"], str(m["fieldsV1"])) for m in managers)


def left_by_flux(bench: Bench, *, wait: bool = False, name: str = "") -> tuple[Sync, str, dict[str, str]]:
    """Objects, source and Kustomization as Flux leaves them; returns the revision and the resourceVersions."""
    bench.operator.stop()
    sync = bench.source(name)
    revision = sync.commit({f"{n}.yaml": config_map(n) for n in NAMES} | {"web.yaml": deployment("web")})
    apply_as_flux(sync)
    sync.create_source()
    sync.create(metadata={"finalizers": ["finalizers.fluxcd.io"]}, wait=wait)
    entries = [{"id": f"{sync.target}_{n}__ConfigMap", "v": "v1"} for n in NAMES]
    entries.append({"id": f"{sync.target}_web_apps_Deployment", "v": "v1"})
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "ReconciliationSucceeded",
        "message": f"Applied revision: {revision}",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        "observedGeneration": 1,
    }
    status = {
        "conditions": [ready],
        "inventory": {"entries": entries},
        "lastAppliedRevision": revision,
        "lastAttemptedRevision": revision,
        "observedGeneration": 1,
    }
    bench.api.patch(f"{sync.path}/status", {"status": status}, manager="gotk-kustomize-controller")
    versions = {n: sync.config(n)["metadata"]["resourceVersion"] for n in NAMES}
    return sync, revision, versions


def notes_on(found: Json) -> dict[str, str]:
    """Its annotations."""
    return dict(found["metadata"].get("annotations", {}))


def uids(sync: Sync) -> list[str]:
    """The UIDs only: a Deployment counts a generation for each changed annotation, and fluxd's are taken off."""
    return [uid for uid, _ in identities(sync).values()]


def apply_as_fluxd(sync: Sync, value: str = "1") -> None:
    """What is in git, with fluxd's mark and checksum, through `kubectl apply`."""
    extra = f"labels: {{{MARK}: sha256.JIYo7}}, annotations: {{{CHECKSUM}: 1f8e}}"
    texts = [config_map(n, value, extra=extra) for n in NAMES] + [deployment("web", extra=extra)]
    file = sync.bench.root / f"{sync.name}.yaml"
    file.write_text("\n---\n".join(texts).replace("$NS", sync.target))
    sync.bench.cluster.kubectl("apply", "-f", str(file))

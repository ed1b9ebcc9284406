"""Ourselves, as the black-box faults see an operator."""

from __future__ import annotations

import secrets

from devcluster.cluster import Cluster
from tests.faults.adapter import Site, SyncSpec
from tests.faults.fault_proxy import Asked
from tests.faults.lane import counted
from tests.faults.operator_process import OperatorProcess
from tests.operator_fixture import REQUESTED_AT, SOURCES, SYNCS, Api, Json, condition, install_crds


class SluiceAdapter:
    """Flux v2's kinds, so that what is asked of us here can be asked of Flux with another `process`."""

    name = "sluice"

    def install(self, cluster: Cluster) -> None:
        """The CRDs; the proxy lends the admin's rights."""
        install_crds(cluster)

    def process(self, site: Site) -> OperatorProcess:
        """`sluice run`, which keeps its identity over a kill."""
        folder = site.folder
        return OperatorProcess(site.kubeconfig, site.namespace, folder / "data", folder / "log", site.namespace)

    def counts(self, asked: Asked) -> bool:
        """Ours, leases and events aside."""
        return counted(asked)

    def create(self, api: Api, sync: SyncSpec) -> None:
        """A GitRepository and a Kustomization."""
        metadata = {"name": sync.name, "namespace": sync.namespace}
        source: Json = {"url": sync.url, "interval": "1h", "ref": {"branch": "main"}}
        spec: Json = {"interval": "1h", "retryInterval": "2s", "prune": True, "path": "./"}
        spec["sourceRef"] = {"kind": "GitRepository", "name": sync.name}
        for path, spec_ in ((_source(sync), source), (_sync(sync), spec)):
            api.create(path.rpartition("/")[0], {**_kind(path), "metadata": metadata, "spec": spec_})

    def look_now(self, api: Api, sync: SyncSpec) -> None:
        """The annotation that `flux reconcile source` sets."""
        api.patch(_source(sync), {"metadata": {"annotations": {REQUESTED_AT: secrets.token_hex(4)}}})

    def ready_at(self, api: Api, sync: SyncSpec) -> str:
        """What Ready and lastAppliedRevision say together."""
        found = api.get(_sync(sync)) or {}
        ready = condition(found, "Ready").get("status") == "True"
        return _commit(found, "lastAppliedRevision") if ready else ""

    def failed_at(self, api: Api, sync: SyncSpec) -> str:
        """What Ready and lastAttemptedRevision say together."""
        found = api.get(_sync(sync)) or {}
        failed = condition(found, "Ready").get("status") == "False"
        return _commit(found, "lastAttemptedRevision") if failed else ""


def _sync(sync: SyncSpec) -> str:
    return f"{SYNCS}/namespaces/{sync.namespace}/kustomizations/{sync.name}"


def _source(sync: SyncSpec) -> str:
    return f"{SOURCES}/namespaces/{sync.namespace}/gitrepositories/{sync.name}"


def _kind(path: str) -> Json:
    if path.startswith(SYNCS):
        return {"apiVersion": SYNCS.removeprefix("/apis/"), "kind": "Kustomization"}
    return {"apiVersion": SOURCES.removeprefix("/apis/"), "kind": "GitRepository"}


def _commit(found: Json, field: str) -> str:
    return str(found.get("status", {}).get(field, "")).rpartition(":")[2]


ADAPTER = SluiceAdapter()

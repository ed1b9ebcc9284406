"""What `fluxctl save` writes to files: the namespaces and workloads of the cluster, as documents of YAML.

Each document is one line of JSON, which is YAML too. No Secret is among them, nor what the API server keeps for itself.
"""

from __future__ import annotations

from typing import Any

import msgspec

from sluice.core.errors import ClusterError
from sluice.kube.client import KubeClient
from sluice.kube.discovery import Discovery
from sluice.kube.resource import Resource
from sluice.kube.well_known import NAMESPACES, WORKLOADS

_ADDON = "addonmanager.kubernetes.io/mode"
_CLUSTER_SERVICE = "kubernetes.io/cluster-service"


async def export_workloads(client: KubeClient, discovery: Discovery, namespace: str = "") -> bytes:
    """All namespaces, or one, each before its workloads. Kinds that may not be listed are left out.

    Raises ClusterError when the API server does not answer.
    """
    spaces = [space for space in await _list(client, NAMESPACES, "") if namespace in {"", _name(space)}]
    items = [each for kind in WORKLOADS for each in await _served(client, discovery, kind, namespace)]
    documents = []
    for space in sorted(spaces, key=_name):
        documents.append(_document(NAMESPACES, space))
        documents += [_document(kind, item) for kind, item in items if _namespace(item) == _name(space)]
    return b"".join(b"---\n" + document + b"\n" for document in documents)


async def _served(
    client: KubeClient, discovery: Discovery, kind: Resource, namespace: str
) -> list[tuple[Resource, Any]]:
    if await discovery.find(kind.api_version, kind.kind) is None:
        return []
    return [(kind, item) for item in await _list(client, kind, namespace) if not _is_addon(item)]


async def _list(client: KubeClient, kind: Resource, namespace: str) -> list[Any]:
    try:
        return list((await client.list(kind, namespace, item_type=dict[str, Any])).items)
    except ClusterError as error:
        if error.status in {403, 404}:
            return []
        raise


def _document(kind: Resource, item: dict[str, Any]) -> bytes:
    meta = {key: value for key, value in item.get("metadata", {}).items() if key != "managedFields"}
    kept = {key: value for key, value in item.items() if key not in {"metadata", "status", "apiVersion", "kind"}}
    return msgspec.json.encode({"apiVersion": kind.api_version, "kind": kind.kind, "metadata": meta, **kept})


def _is_addon(item: Any) -> bool:
    """What the cluster's own add-on manager keeps in kube-system is nobody's to put into git."""
    labels = item.get("metadata", {}).get("labels") or {}
    is_managed = labels.get(_CLUSTER_SERVICE) == "true" or labels.get(_ADDON) in {"EnsureExists", "Reconcile"}
    return _namespace(item) == "kube-system" and is_managed


def _name(item: Any) -> str:
    return str(item.get("metadata", {}).get("name", ""))


def _namespace(item: Any) -> str:
    return str(item.get("metadata", {}).get("namespace", ""))

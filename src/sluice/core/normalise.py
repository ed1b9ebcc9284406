"""Flux's normalisations of a desired object before it is applied, so that both send the same bytes' meaning.

A Secret's `stringData` is folded into `data`, a port without protocol is TCP (Services and pods), and a CRD's
`caBundle` that is no certificate is dropped (tools write a placeholder there, which the API server refuses).
"""

from __future__ import annotations

import base64
from typing import Any

from sluice.core.ids import ResourceId
from sluice.core.manifest_check import decode_base64

_POD_PATHS: dict[tuple[str, str], tuple[str, ...]] = {
    ("", "Pod"): ("spec",),
    ("apps", "Deployment"): ("spec", "template", "spec"),
    ("apps", "StatefulSet"): ("spec", "template", "spec"),
    ("apps", "DaemonSet"): ("spec", "template", "spec"),
    ("apps", "ReplicaSet"): ("spec", "template", "spec"),
    ("batch", "Job"): ("spec", "template", "spec"),
    ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template", "spec"),
}


def normalise(value: dict[str, Any], id_: ResourceId) -> None:
    """Change the object in place. Parts of an unexpected type are left for the API server to refuse."""
    kind = (id_.group, id_.kind)
    if kind == ("", "Secret"):
        _fold_string_data(value)
    elif kind == ("", "Service"):
        _default_protocol(_dig(value, ("spec",)))
    elif kind in _POD_PATHS:
        spec = _dig(value, _POD_PATHS[kind])
        for field in ("containers", "initContainers"):
            for container in _maps(spec.get(field)):
                _default_protocol(container)
    elif kind == ("apiextensions.k8s.io", "CustomResourceDefinition"):
        config = _dig(value, ("spec", "conversion", "webhook", "clientConfig"))
        bundle = config.get("caBundle")
        if isinstance(bundle, str) and b"-----BEGIN CERTIFICATE-----" not in (decode_base64(bundle) or b""):
            del config["caBundle"]


def _fold_string_data(value: dict[str, Any]) -> None:
    data, text = value.get("data") or {}, value.pop("stringData", None)
    if isinstance(data, dict):
        canonical = {key: _canonical(item) for key, item in data.items()}
        if isinstance(text, dict):
            canonical |= {key: base64.b64encode((item or "").encode()).decode() for key, item in text.items()}
        if canonical:
            value["data"] = canonical


def _canonical(item: Any) -> Any:
    if not isinstance(item, str):
        return "" if item is None else item
    raw = decode_base64(item) if "\n" in item or "\r" in item else None
    return item if raw is None else base64.b64encode(raw).decode()


def _default_protocol(holder: dict[str, Any]) -> None:
    for port in _maps(holder.get("ports")):
        if not port.get("protocol"):
            port["protocol"] = "TCP"


def _dig(value: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    node: Any = value
    for step in path:
        node = node.get(step) if isinstance(node, dict) else None
    return node if isinstance(node, dict) else {}


def _maps(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []

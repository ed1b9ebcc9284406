"""Bodies of objects for the tests of the client."""

from __future__ import annotations

import json
from typing import Any


def body(api_version: str, kind: str, name: str, **rest: Any) -> bytes:
    """An object's JSON; `labels` goes to metadata."""
    metadata = {"name": name, **({"labels": rest.pop("labels")} if "labels" in rest else {})}
    return json.dumps({"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}).encode()


def config_map(name: str, **rest: Any) -> bytes:
    """A ConfigMap."""
    return body("v1", "ConfigMap", name, **rest)


def deployment(name: str, *, label: str = "web", **spec: Any) -> bytes:
    """A Deployment without replicas."""
    pod = {"metadata": {"labels": {"app": label}}, "spec": {"containers": [{"name": "web", "image": "web:1"}]}}
    wanted = {"replicas": 0, "selector": {"matchLabels": {"app": label}}, "template": pod, **spec}
    return body("apps/v1", "Deployment", name, spec=wanted)


def crd(plural: str, kind: str, group: str = "test.sluice.dev") -> bytes:
    """A CRD with a spec that has rules."""
    spec_schema = {
        "type": "object",
        "properties": {
            "size": {"type": "integer", "maximum": 20},
            "colour": {"type": "string", "enum": ["red", "blue"]},
        },
        "required": ["size"],
        "x-kubernetes-validations": [{"rule": "self.size != 13", "message": "thirteen is unlucky"}],
    }
    schema = {"type": "object", "properties": {"spec": spec_schema}}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"kind": kind, "plural": plural, "shortNames": [kind.lower()[:3] + "x"], "categories": ["all"]}
    spec = {"group": group, "scope": "Namespaced", "names": names, "versions": [version]}
    return body("apiextensions.k8s.io/v1", "CustomResourceDefinition", f"{plural}.{group}", spec=spec)

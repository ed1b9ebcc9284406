"""The objects that are applied: a namespace and, of every ten others, seven ConfigMaps and one of three more kinds.

One file each, small, and of kinds that cost the control plane little beyond the write: Deployments without replicas,
Services without an address. The same text goes to Sluice by git, to kubectl as files and to the raw client as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import yaml


@dataclass(frozen=True, slots=True)
class Body:
    """One object: the file that holds it, its text, and its path at the API server."""

    file: str
    text: str
    path: str

    @property
    def json(self) -> bytes:
        """The object as JSON."""
        return json.dumps(yaml.safe_load(self.text)).encode()


def mixed(namespace: str, hundreds: int = 1) -> list[Body]:
    """1 Namespace and `hundreds` × (700 ConfigMaps, 100 Deployments, Services, ServiceAccounts); namespace first."""
    bodies = [_namespace(namespace)]
    bodies += [config_map(namespace, f"config-{i:04}") for i in range(700 * hundreds)]
    for i in range(100 * hundreds):
        bodies += [_deployment(namespace, i), _service(namespace, i), _service_account(namespace, i)]
    return bodies


def files(folder: str, bodies: Sequence[Body]) -> dict[str, str]:
    """The bodies as files of `folder`."""
    return {f"{folder}/{body.file}": body.text for body in bodies}


def config_map(namespace: str, name: str, value: str = "one") -> Body:
    """A ConfigMap with two keys; `value` is what changes."""
    text = f"""\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {name}
  namespace: {namespace}
  labels:
    app.kubernetes.io/name: {name}
data:
  mode: "{value}"
  settings.ini: |
    [server]
    listen = 0.0.0.0:8080
    workers = 4
"""
    return Body(f"{name}.yaml", text, f"/api/v1/namespaces/{namespace}/configmaps/{name}")


def _namespace(name: str) -> Body:
    text = f"apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {name}\n"
    return Body("00-namespace.yaml", text, f"/api/v1/namespaces/{name}")


def _deployment(namespace: str, number: int) -> Body:
    name = f"web-{number:04}"
    text = f"""\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  namespace: {namespace}
spec:
  replicas: 0
  selector:
    matchLabels:
      app: {name}
  template:
    metadata:
      labels:
        app: {name}
    spec:
      containers:
      - name: web
        image: example.com/web:1.0.0
        ports:
        - containerPort: 8080
        resources:
          requests:
            cpu: 10m
            memory: 16Mi
"""
    return Body(f"{name}-deployment.yaml", text, f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}")


def _service(namespace: str, number: int) -> Body:
    name = f"web-{number:04}"
    text = f"""\
apiVersion: v1
kind: Service
metadata:
  name: {name}
  namespace: {namespace}
spec:
  clusterIP: None
  selector:
    app: {name}
  ports:
  - name: http
    port: 80
    targetPort: 8080
"""
    return Body(f"{name}-service.yaml", text, f"/api/v1/namespaces/{namespace}/services/{name}")


def _service_account(namespace: str, number: int) -> Body:
    name = f"web-{number:04}"
    text = f"apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: {name}\n  namespace: {namespace}\n"
    return Body(f"{name}-account.yaml", text, f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}")

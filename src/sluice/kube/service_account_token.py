"""A short-lived token of a ServiceAccount for somebody else than the API server: Kubernetes' TokenRequest API."""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from sluice.kube.client import KubeClient
from sluice.kube.resource import Resource

MANAGER = "sluice"
# What the API server gives at least: it is traded at once.
SECONDS = 600


class _Status(msgspec.Struct):
    token: str


class _Request(msgspec.Struct):
    status: _Status


async def service_account_token(client: KubeClient, namespace: str, name: str, audience: str) -> str:
    """A token that is good for `audience` alone, for ten minutes.

    Needs `create` on `serviceaccounts/token`. Raises ClusterError: 403 without that right, 404 without the account.
    """
    token = Resource("", "v1", "TokenRequest", f"serviceaccounts/{quote(name, safe='')}/token", namespaced=True)
    spec = {"audiences": [audience], "expirationSeconds": SECONDS}
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    answer = await client.create(token, namespace, msgspec.json.encode(body), manager=MANAGER)
    return msgspec.json.decode(answer, type=_Request).status.token

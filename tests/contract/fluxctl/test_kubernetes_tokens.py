"""fluxd's API called with tokens of Kubernetes accounts: RBAC of the API server decides, and nobody else."""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import replace
from http.client import HTTPConnection

import pytest

from sluice.kube.caller_access import CallerAccess
from sluice.kube.client import KubeClient
from sluice.server.fluxd_api import FluxdApi
from tests.contract.fluxctl.conftest import Fluxd
from tests.operator_fixture import free_port, poll

pytestmark = pytest.mark.cluster
RBAC = "/apis/rbac.authorization.k8s.io/v1"


@pytest.fixture(scope="module")
def asking(fluxd: Fluxd) -> Fluxd:
    """The operator, started anew so that it asks Kubernetes who calls; without a token file."""
    fluxd.operator.stop()
    fluxd.operator.settings = replace(fluxd.operator.settings, fluxd_kubernetes_tokens=True)
    fluxd.operator.start()
    return fluxd


def account(fluxd: Fluxd, *verbs: str, audience: str = "") -> str:
    """The token of an account that may do these on all paths of the API."""
    name = f"who-{secrets.token_hex(3)}"
    accounts = f"/api/v1/namespaces/{fluxd.target}/serviceaccounts"
    fluxd.api.create(accounts, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}})
    rules = [{"nonResourceURLs": ["/sluice/fluxd/*"], "verbs": list(verbs)}] if verbs else []
    fluxd.api.create(f"{RBAC}/clusterroles", {"kind": "ClusterRole", "metadata": {"name": name}, "rules": rules})
    binding = {
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": fluxd.target}],
    }
    fluxd.api.create(f"{RBAC}/clusterrolebindings", binding)
    spec = {"audiences": [audience]} if audience else {}
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    return str(fluxd.api.create(f"{accounts}/{name}/token", asked)["status"]["token"])


def status(fluxd: Fluxd, method: str, path: str, token: str, body: str | None = None) -> int:
    """The status that a caller with a token gets."""
    connection = HTTPConnection("127.0.0.1", fluxd.port, timeout=30)
    headers = {"Authorization": f"Scope-Probe token={token}"} if token else {}
    connection.request(method, f"/api/flux{path}", body, headers)
    found = connection.getresponse().status
    connection.close()
    return found


def test_rbac_says_who_may_look_and_who_may_ask_for_a_change(asking: Fluxd) -> None:
    reader, releaser = account(asking, "get"), account(asking, "get", "post")
    poll("the reader's right counts", lambda: status(asking, "GET", "/v6/services", reader) == 200)
    update = ("POST", "/v9/update-manifests")
    body = '{"type": "sync", "cause": {}, "spec": {}}'
    assert status(asking, *update, reader, body) == 403
    poll("the releaser's right counts", lambda: status(asking, *update, releaser, body) == 200)


@pytest.mark.parametrize("audience", ["", "vault"])
def test_an_account_without_rights_or_with_a_token_for_somebody_else_gets_nothing(asking: Fluxd, audience: str) -> None:
    verbs = ("get",) if audience else ()
    token = account(asking, *verbs, audience=audience)
    assert status(asking, "GET", "/v6/services", token) == (401 if audience else 403)


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "system:masters", "é"])
def test_what_is_no_token_of_kubernetes_is_nobodys(asking: Fluxd, token: str) -> None:
    assert status(asking, "GET", "/v6/services", token) == 401


async def test_f123_where_kubernetes_can_not_be_asked_nobody_is_let_in(asking: Fluxd) -> None:
    port = free_port()
    async with KubeClient(replace(asking.operator.access, server="https://127.0.0.1:1")) as client:
        api = FluxdApi(access=CallerAccess(client, time.monotonic))
        async with api.serving(f"127.0.0.1:{port}"):
            elsewhere = replace(asking, port=port)
            assert await asyncio.to_thread(status, elsewhere, "GET", "/v6/services", "token") == 503

"""Ways to the real API server: certificates, tokens that rotate, plugins, proxies, and refusals to trust."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import socket
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.x509.oid import NameOID

from devcluster.cluster import Cluster
from sluice.core import codes
from sluice.core.errors import AuthenticationFailed, ClusterError, UserError
from sluice.kube.client import KubeClient
from sluice.kube.config import ClusterAccess, in_cluster_access, load_kubeconfig
from sluice.kube.resource import Resource
from sluice.net.tls import client_context
from tests.contract.kube.webhook import self_signed
from tests.contract.kube.wires import connect_proxy, relay_to

pytestmark = pytest.mark.cluster

SELF = Resource("authentication.k8s.io", "v1", "SelfSubjectReview", "selfsubjectreviews", namespaced=False)


async def who_am_i(client: KubeClient) -> str:
    """The user name that the API server sees."""
    body = b'{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}'
    answer = json.loads(await client.create(SELF, "", body, manager="m"))
    return str(answer["status"]["userInfo"]["username"])


async def until_it_is(client: KubeClient, name: str) -> None:
    """Ask until the API server sees `name`: caches on either side may lag by seconds."""
    async with asyncio.timeout(60):
        while await who_am_i(client) != name:  # noqa: ASYNC110 (what is waited for is in another process)
            await asyncio.sleep(0.1)


async def token_for(client: KubeClient, namespace: str, name: str) -> str:
    """A token of a service account, made if need be."""
    accounts = Resource("", "v1", "ServiceAccount", "serviceaccounts", namespaced=True)
    text = json.dumps({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}).encode()
    await client.apply(accounts, namespace, name, text, manager="m")
    requests = replace(accounts, plural=f"serviceaccounts/{name}/token")
    text = b'{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{}}'
    return str(json.loads(await client.create(requests, namespace, text, manager="m"))["status"]["token"])


def written(folder: Path, cluster: Cluster, user: dict[str, Any], **more: Any) -> Path:
    """A kubeconfig for the cluster with another user."""
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    config["users"][0]["user"] = user
    config["clusters"][0]["cluster"] |= more
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return path


async def test_the_client_certificate_of_a_kubeconfig_is_accepted(client: KubeClient, cluster: Cluster) -> None:
    certificate = x509.load_pem_x509_certificate(cluster.admin.certificate.read_bytes())
    name = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    assert await who_am_i(client) == name


async def test_a_token_file_that_rotates_is_followed(
    cluster: Cluster, client: KubeClient, namespace: str, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text(await token_for(client, namespace, "first") + "\n")
    access = load_kubeconfig(written(tmp_path, cluster, {"tokenFile": "token"}))
    async with KubeClient(access) as rotating:
        assert await who_am_i(rotating) == f"system:serviceaccount:{namespace}:first"
        swap = tmp_path / "swap"
        swap.write_text(await token_for(client, namespace, "second"))
        swap.replace(file)
        await until_it_is(rotating, f"system:serviceaccount:{namespace}:second")
        # A refused token is read anew at once, without waiting for the next look at the file.
        file.write_text("expired")
        os.utime(file, (1, 1))
        await asyncio.sleep(1.1)
        with pytest.raises(AuthenticationFailed):
            await who_am_i(rotating)
        file.write_text(await token_for(client, namespace, "third"))
        assert await who_am_i(rotating) == f"system:serviceaccount:{namespace}:third"


async def test_a_pod_uses_its_service_account(
    cluster: Cluster, client: KubeClient, namespace: str, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text(await token_for(client, namespace, "pod"))
    (tmp_path / "ca.crt").write_bytes(cluster.ca.read_bytes())
    (tmp_path / "namespace").write_text(namespace)
    host, _, port = cluster.server.removeprefix("https://").partition(":")
    access = in_cluster_access(tmp_path, host, port)
    assert access.namespace == namespace
    async with KubeClient(access) as pod:
        assert await who_am_i(pod) == f"system:serviceaccount:{namespace}:pod"


def plugin(folder: Path, script: str, **more: Any) -> dict[str, Any]:
    """A user whose credential comes from a Python script."""
    (folder / "plugin.py").write_text(script)
    version = "client.authentication.k8s.io/v1"
    arguments = [str(folder / "plugin.py"), str(folder)]
    return {"exec": {"apiVersion": version, "command": sys.executable, "args": arguments, **more}}


PRINT_TOKEN = """
import json, os, pathlib, sys
folder = pathlib.Path(sys.argv[1])
with (folder / "runs").open("a") as runs:
    runs.write(json.dumps({"info": json.loads(os.environ["KUBERNETES_EXEC_INFO"]), "env": dict(os.environ)}) + "\\n")
status = json.loads((folder / "status").read_text())
print(json.dumps({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}))
"""


async def test_an_exec_plugin_is_run_once_until_it_expires_or_is_refused(
    cluster: Cluster, client: KubeClient, namespace: str, tmp_path: Path
) -> None:
    user = plugin(tmp_path, PRINT_TOKEN, env=[{"name": "REGION", "value": "eu"}], provideClusterInfo=True)
    access = load_kubeconfig(written(tmp_path, cluster, user), exec_environment={"PATH": "/usr/bin:/bin"})
    status = tmp_path / "status"
    later = (dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    status.write_text(json.dumps({"token": await token_for(client, namespace, "one"), "expirationTimestamp": later}))

    def runs() -> list[dict[str, Any]]:
        return [json.loads(text) for text in (tmp_path / "runs").read_text().splitlines()]

    async with KubeClient(access) as through_plugin:
        async with asyncio.TaskGroup() as group:
            names = [group.create_task(who_am_i(through_plugin)) for _ in range(5)]
        assert {task.result() for task in names} == {f"system:serviceaccount:{namespace}:one"}
        assert len(runs()) == 1
        assert runs()[0]["env"]["REGION"] == "eu"
        assert runs()[0]["info"]["spec"]["cluster"]["server"] == cluster.server
        # The account goes, its token is refused, the plugin is asked for another.
        accounts = Resource("", "v1", "ServiceAccount", "serviceaccounts", namespaced=True)
        status.write_text(json.dumps({"token": await token_for(client, namespace, "two")}))
        await client.delete(accounts, namespace, "one")
        await until_it_is(through_plugin, f"system:serviceaccount:{namespace}:two")
        assert len(runs()) == 2


async def test_an_exec_plugin_can_give_a_client_certificate(cluster: Cluster, tmp_path: Path) -> None:
    certificate, key = cluster.admin.certificate.read_text(), cluster.admin.key.read_text()
    (tmp_path / "status").write_text(json.dumps({"clientCertificateData": certificate, "clientKeyData": key}))
    access = load_kubeconfig(written(tmp_path, cluster, plugin(tmp_path, PRINT_TOKEN)))
    async with KubeClient(access) as through_plugin, KubeClient(load_kubeconfig(cluster.kubeconfig)) as admin:
        assert await who_am_i(through_plugin) == await who_am_i(admin)


@pytest.mark.parametrize(
    ("script", "cause"),
    [
        ("import sys; print('no login', file=sys.stderr); sys.exit(3)", "exit code 3: no login"),
        ("print('not json')", "its output is no ExecCredential"),
        ('print(\'{"apiVersion":"v0","kind":"ExecCredential"}\')', "it answered v0"),
        ("print('x' * 3_000_000)", "its output is no ExecCredential"),
    ],
)
async def test_an_exec_plugin_that_fails_says_how(cluster: Cluster, tmp_path: Path, script: str, cause: str) -> None:
    user = plugin(tmp_path, script, installHint="install the tool")
    async with KubeClient(load_kubeconfig(written(tmp_path, cluster, user))) as client:
        with pytest.raises(AuthenticationFailed) as caught:
            await client.version()
    problem = caught.value.problems[0]
    assert problem.code is codes.UNAUTHENTICATED
    assert cause in problem.cause
    assert problem.fix == "install the tool"


async def test_an_exec_plugin_can_be_switched_off(cluster: Cluster, tmp_path: Path) -> None:
    path = written(tmp_path, cluster, plugin(tmp_path, PRINT_TOKEN))
    with pytest.raises(UserError) as caught:
        load_kubeconfig(path, allow_exec=False)
    assert (caught.value.problems[0].code, caught.value.problems[0].field) == (codes.KUBECONFIG_INVALID, "exec")


async def test_a_server_whose_authority_is_another_is_not_trusted(access: ClusterAccess, tmp_path: Path) -> None:
    certificate, _ = self_signed(tmp_path)
    async with KubeClient(replace(access, ssl=client_context(certificate.read_bytes()))) as client:
        with pytest.raises(AuthenticationFailed) as caught:
            await client.version()
    assert caught.value.problems[0].code is codes.HOST_UNVERIFIED
    assert access.server in caught.value.problems[0].title


async def test_a_server_of_another_name_is_not_trusted_unless_the_kubeconfig_names_it(
    cluster: Cluster, tmp_path: Path
) -> None:
    user = yaml.safe_load(cluster.kubeconfig.read_text())["users"][0]["user"]
    wrong = load_kubeconfig(written(tmp_path, cluster, user, **{"tls-server-name": "elsewhere.example"}))
    async with KubeClient(wrong) as client:
        with pytest.raises(AuthenticationFailed) as caught:
            await client.version()
    assert caught.value.problems[0].code is codes.HOST_UNVERIFIED
    right = load_kubeconfig(written(tmp_path, cluster, user, **{"tls-server-name": "kubernetes.default.svc"}))
    async with KubeClient(right) as client:
        assert (await client.version()).git_version


async def test_verification_is_off_only_where_the_kubeconfig_says_so(cluster: Cluster, tmp_path: Path) -> None:
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    del config["clusters"][0]["cluster"]["certificate-authority-data"]
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    async with KubeClient(load_kubeconfig(path)) as client:
        with pytest.raises(AuthenticationFailed):
            await client.version()
    config["clusters"][0]["cluster"]["insecure-skip-tls-verify"] = True
    path.write_text(yaml.safe_dump(config))
    async with KubeClient(load_kubeconfig(path)) as client:
        assert (await client.version()).git_version


async def test_requests_and_watches_go_through_the_proxy_of_the_kubeconfig(
    cluster: Cluster, tmp_path: Path, namespace: str, config_maps: Resource
) -> None:
    user = yaml.safe_load(cluster.kubeconfig.read_text())["users"][0]["user"]
    async with connect_proxy() as (url, asked):
        access = load_kubeconfig(written(tmp_path, cluster, user, **{"proxy-url": url}))
        async with KubeClient(access) as client:
            assert (await client.version()).git_version
            assert (await anext(client.watch(config_maps, namespace))).type.value in {"ADDED", "SYNCED"}
    assert set(asked) == {cluster.server.removeprefix("https://")}
    assert len(asked) == 2


async def test_the_environments_proxy_is_not_used(access: ClusterAccess, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with KubeClient(access) as client:
        assert (await client.version()).git_version


async def test_a_server_that_is_not_there_is_named(access: ClusterAccess) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        server = f"https://127.0.0.1:{reserved.getsockname()[1]}"
        async with KubeClient(replace(access, server=server)) as client:
            with pytest.raises(ClusterError) as caught:
                await client.version()
    assert (caught.value.status, caught.value.is_temporary) == (0, True)
    assert caught.value.problems[0].code is codes.API_UNAVAILABLE
    assert server in caught.value.problems[0].title


async def test_a_server_that_breaks_the_handshake_is_unreachable_not_untrusted(access: ClusterAccess) -> None:
    async with relay_to(access.server) as relay:
        relay.refuse = True
        async with KubeClient(replace(access, server=f"https://127.0.0.1:{relay.port}")) as client:
            with pytest.raises(ClusterError) as caught:
                await client.version()
    assert caught.value.status == 0

"""Kubeconfig text to access, and every way in which it can be wrong."""

from __future__ import annotations

import base64
import ssl
from pathlib import Path
from typing import Any

import pytest
import yaml

from sluice.core import codes
from sluice.core.errors import UserError
from sluice.core.problem import Problem
from sluice.kube.config import ClusterAccess, in_cluster_access, load_kubeconfig, read_kubeconfig


def config(user: dict[str, Any] | None = None, cluster: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": "https://k8s.example:6443", **(cluster or {})}}],
        "users": [{"name": "u", "user": user or {"token": "secret-token"}}],
        "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u", "namespace": "apps"}}],
        "current-context": "one",
        **more,
    }


def write(path: Path, content: dict[str, Any] | str) -> Path:
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def refused(path: Path | list[Path], context: str | None = None) -> Problem:
    with pytest.raises(UserError) as caught:
        load_kubeconfig(path, context)
    assert "secret-token" not in str(caught.value)
    return caught.value.problems[0]


async def headers(access: ClusterAccess) -> dict[str, str]:
    return dict(await access.auth.headers())


async def test_the_current_context_names_server_namespace_and_user(tmp_path: Path) -> None:
    access = load_kubeconfig(write(tmp_path / "k", config()))
    assert (access.server, access.namespace, access.context) == ("https://k8s.example:6443", "apps", "one")
    assert await headers(access) == {"Authorization": "Bearer secret-token"}
    assert access.ssl is not None
    assert (access.ssl.verify_mode, access.ssl.check_hostname) == (ssl.CERT_REQUIRED, True)


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ({}, {}),
        ({"token": 1234}, {"Authorization": "Bearer 1234"}),
        ({"token": "0123"}, {"Authorization": "Bearer 0123"}),
        ({"username": "ann", "password": "p:w"}, {"Authorization": "Basic YW5uOnA6dw=="}),
    ],
)
async def test_credentials_become_headers(tmp_path: Path, user: dict[str, Any], expected: dict[str, str]) -> None:
    content = config()
    content["users"][0]["user"] = user
    assert await headers(load_kubeconfig(write(tmp_path / "k", content))) == expected


def test_verification_is_switched_off_only_by_the_kubeconfig(tmp_path: Path) -> None:
    access = load_kubeconfig(write(tmp_path / "k", config(cluster={"insecure-skip-tls-verify": True})))
    assert access.ssl is not None
    assert access.ssl.verify_mode == ssl.CERT_NONE


def test_another_context_can_be_named_and_is_looked_up_by_name(tmp_path: Path) -> None:
    content = config()
    content["contexts"].append({"name": "two", "context": {"cluster": "c", "user": "u", "namespace": "web"}})
    path = write(tmp_path / "k", content)
    assert load_kubeconfig(path, "two").namespace == "web"
    problem = refused(path, "three")
    assert problem.code is codes.KUBECONFIG_MISSING
    assert "'three'" in problem.cause
    assert "one, two" in problem.fix


def test_of_several_files_the_first_that_defines_a_name_wins(tmp_path: Path) -> None:
    first = config(cluster={"server": "https://first"})
    del first["current-context"]
    second = config(cluster={"server": "https://second"})
    second["contexts"].append({"name": "two", "context": {"cluster": "c", "user": "u"}})
    second["current-context"] = "two"
    paths = [write(tmp_path / "a", first), tmp_path / "absent", write(tmp_path / "b", second)]
    access = load_kubeconfig(paths)
    assert (access.context, access.server) == ("two", "https://first")


async def test_files_are_found_beside_the_kubeconfig_that_names_them(tmp_path: Path) -> None:
    folder = tmp_path / "sub"
    folder.mkdir()
    write(folder / "token", "from-file\n")
    path = write(folder / "k", config(user={"tokenFile": "token"}))
    assert await headers(load_kubeconfig(path)) == {"Authorization": "Bearer from-file"}


def test_an_empty_kubeconfig_as_kubectl_writes_it_has_no_context(tmp_path: Path) -> None:
    text = "apiVersion: v1\nclusters: null\ncontexts: null\ncurrent-context: ''\nkind: Config\nusers: null\n"
    assert refused(write(tmp_path / "k", text)).code is codes.KUBECONFIG_MISSING


def test_impersonation_of_the_kubeconfig_is_kept(tmp_path: Path) -> None:
    user = {"token": "t", "as": "ann", "as-groups": ["x", "y"], "as-uid": "7"}
    access = load_kubeconfig(write(tmp_path / "k", config(user=user)))
    assert access.impersonate == (
        ("Impersonate-User", "ann"),
        ("Impersonate-Uid", "7"),
        ("Impersonate-Group", "x"),
        ("Impersonate-Group", "y"),
    )


BAD: list[tuple[str, dict[str, Any] | str, str]] = [
    ("not YAML", "a: [", "not valid YAML"),
    ("a list", "[1, 2]", "Expected `object`"),
    ("a scalar", "hello", "Expected `object`"),
    ("tabs", "a:\n\t- b", "not valid YAML"),
    ("aliases", "a: &x [1]\nb: *x", "aliases"),
    ("depth", "a: " + "[" * 40 + "]" * 40, "too deep"),
    ("binary", "\x00\x01", "not valid YAML"),
    ("a cluster that is text", config() | {"clusters": "c"}, "Expected `array`"),
    ("an unknown cluster", config() | {"clusters": []}, "no cluster 'c'"),
    ("an unknown user", config() | {"users": []}, "no user 'u'"),
    ("no server", config(cluster={"server": ""}), "must be https://HOST"),
    ("a server without scheme", config(cluster={"server": "k8s.example"}), "must be https://HOST"),
    ("a server that is a file", config(cluster={"server": "file:///etc"}), "must be https://HOST"),
    ("a server with credentials", config(cluster={"server": "https://a:secret-token@h"}), "must be https://HOST"),
    ("a server with a bad port", config(cluster={"server": "https://h:99999"}), "is not a URL"),
    ("an authority that is not base64", config(cluster={"certificate-authority-data": "?"}), "is not base64"),
    ("an authority that is no PEM", config(cluster={"certificate-authority-data": "YWJj"}), "no PEM certificate"),
    ("an authority that is absent", config(cluster={"certificate-authority": "nope.crt"}), "No such file"),
    ("a SOCKS proxy", config(cluster={"proxy-url": "socks5://h:1"}), "only http and https"),
    ("a certificate without key", config(user={"client-certificate-data": "YWJj"}), "belong together"),
    (
        "a certificate that is none",
        config(user={"client-certificate-data": "YQ==", "client-key-data": "Yg=="}),
        "together",
    ),
    ("an auth provider", config(user={"auth-provider": {"name": "gcp"}}), "no longer part"),
    ("a token with a line break", config(user={"token": "a\r\nX: secret-token"}), "no header can"),
    ("an exec plugin of old", config(user={"exec": {"apiVersion": "v1alpha1", "command": "x"}}), "is not one of"),
    ("an exec plugin without command", config(user={"exec": {"apiVersion": "v1"}}), "missing required field"),
]


@pytest.mark.parametrize(("content", "cause"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_what_is_wrong_with_a_kubeconfig_is_said(tmp_path: Path, content: dict[str, Any] | str, cause: str) -> None:
    problem = refused(write(tmp_path / "k", content))
    assert problem.code is codes.KUBECONFIG_INVALID
    assert cause in problem.cause
    assert problem.origin is not None
    assert problem.origin.path == str(tmp_path / "k")


def test_the_line_of_a_syntax_error_is_told(tmp_path: Path) -> None:
    problem = refused(write(tmp_path / "k", "a: 1\nb: 2\nc: ]\n"))
    assert problem.origin is not None
    assert problem.origin.line == 3


def test_a_kubeconfig_that_is_absent_or_unreadable_or_a_folder_is_missing(tmp_path: Path) -> None:
    assert refused(tmp_path / "absent").code is codes.KUBECONFIG_MISSING
    assert "No such file" in refused(tmp_path / "absent").cause or "no such file" in refused(tmp_path / "absent").cause
    assert "directory" in refused(tmp_path).cause
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    assert refused(loop).code is codes.KUBECONFIG_MISSING


def test_a_passphrase_is_never_prompted_for(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")
    )
    data = base64.b64encode(key).decode()
    problem = refused(write(tmp_path / "k", config(user={"client-certificate-data": data, "client-key-data": data})))
    assert "passphrase" in problem.cause


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (config(user={"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "x"}}), "exec"),
        (config(user={"tokenFile": "/etc/passwd"}), "tokenFile"),
        (config(user={"client-certificate": "/a", "client-key": "/b"}), "client-certificate"),
        (config(cluster={"certificate-authority": "/etc/passwd"}), "certificate-authority"),
        (config(cluster={"insecure-skip-tls-verify": True}), "insecure-skip-tls-verify"),
    ],
)
def test_a_kubeconfig_from_a_secret_may_not_reach_into_this_process(content: dict[str, Any], field: str) -> None:
    with pytest.raises(UserError) as caught:
        read_kubeconfig(yaml.safe_dump(content).encode(), "Secret apps/remote")
    problem = caught.value.problems[0]
    assert (problem.code, problem.field) == (codes.KUBECONFIG_INVALID, field)
    assert "Secret apps/remote" in str(problem)
    assert "not allowed here" in problem.cause


def test_a_kubeconfig_from_a_secret_with_inline_data_is_read() -> None:
    access = read_kubeconfig(yaml.safe_dump(config()).encode(), "Secret apps/remote")
    assert access.server == "https://k8s.example:6443"


def test_outside_a_pod_there_is_no_in_cluster_access(tmp_path: Path) -> None:
    for host in ("", "10.0.0.1"):
        with pytest.raises(UserError) as caught:
            in_cluster_access(tmp_path, host, "443")
        assert caught.value.problems[0].code is codes.KUBECONFIG_MISSING


def test_a_pod_whose_authority_is_broken_is_told_so(tmp_path: Path) -> None:
    write(tmp_path / "token", "t")
    write(tmp_path / "ca.crt", "no certificate")
    with pytest.raises(UserError) as caught:
        in_cluster_access(tmp_path, "10.0.0.1", 443)
    assert caught.value.problems[0].code is codes.KUBECONFIG_INVALID

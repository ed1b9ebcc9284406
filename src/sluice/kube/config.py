"""A kubeconfig, or a pod's service account, to a `ClusterAccess`: everything needed to reach one API server.

The environment is read elsewhere: paths, and the environment of exec plugins, arrive as arguments.
"""

from __future__ import annotations

import base64
import binascii
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sluice.core.codes import KUBECONFIG_MISSING
from sluice.core.errors import UserError
from sluice.core.problem import Origin, Problem, printable
from sluice.kube import kubeconfig
from sluice.kube.auth import Auth, FixedAuth, TokenFileAuth
from sluice.kube.exec_auth import API_VERSIONS, ExecAuth, ExecPlugin
from sluice.kube.kubeconfig import Cluster, Entries, User, invalid
from sluice.net.tls import client_context, load_client_certificate

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
MAX_FILE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ClusterAccess:
    """How one API server is reached and who we are there. `ssl` is None for a plain http server.

    `namespace` is the context's, empty when it names none. `impersonate` holds the headers of kubeconfig's `as`.
    """

    server: str
    namespace: str = ""
    ssl: ssl.SSLContext | None = None
    auth: Auth = field(default_factory=FixedAuth)
    proxy_url: str = ""
    tls_server_name: str = ""
    context: str = ""
    impersonate: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a kubeconfig may ask of this process: run a command, read its files, skip TLS verification."""

    exec: bool = True
    files: bool = True
    insecure: bool = True


OWN = Allowed()
FROM_SECRET = Allowed(exec=False, files=False, insecure=False)


def load_kubeconfig(
    path: Path | Sequence[Path],
    context: str | None = None,
    *,
    allow_exec: bool = True,
    exec_environment: Mapping[str, str] | None = None,
) -> ClusterAccess:
    """Read the user's kubeconfig, or several merged as kubectl merges `KUBECONFIG`; `context` None is the current one.

    Of several files those that don't exist are passed over. `exec_environment` is what an exec plugin gets.
    Raises UserError (KubeconfigMissing, KubeconfigInvalid): the user fixes the file or the name.
    """
    paths = [path] if isinstance(path, Path) else list(path)
    label = ":".join(str(p) for p in paths)
    files = [(kubeconfig.parse(_read_config(p), str(p)), p.absolute().parent) for p in paths if _exists(p)]
    if not files:
        raise _missing(label, "no such file", "name one with --kubeconfig, or set KUBECONFIG")
    allowed = Allowed(exec=allow_exec)
    return _Builder(Entries(files), label, allowed, exec_environment or {}).access(context)


def read_kubeconfig(
    data: bytes, label: str, context: str | None = None, allowed: Allowed = FROM_SECRET
) -> ClusterAccess:
    """Read a kubeconfig that is not a file of ours, by default refusing all that reaches into this process.

    `label` says where it came from (`Secret apps/cluster key value`). Raises UserError (KubeconfigInvalid, …).
    """
    entries = Entries([(kubeconfig.parse(data, label), Path("/nonexistent"))])
    return _Builder(entries, label, allowed, {}).access(context)


def in_cluster_access(root: Path, host: str, port: str | int) -> ClusterAccess:
    """The access of a pod: its service account below `root` and the API server at `host`:`port`.

    Raises UserError (KubeconfigMissing) when we do not run in a pod or the token is not mounted.
    """
    if not host or not (root / "token").is_file():
        raise _missing(str(root), "not running in a pod", "name a kubeconfig with --kubeconfig")
    name = f"[{host}]" if ":" in host else host
    namespace = root / "namespace"
    try:
        context = client_context((root / "ca.crt").read_bytes())
        home = namespace.read_text().strip() if namespace.is_file() else ""
    except (OSError, ssl.SSLError, ValueError) as error:
        raise invalid(str(root / "ca.crt"), f"can't be used: {error}", fix="check the pod's service account") from None
    auth = TokenFileAuth(root / "token")
    return ClusterAccess(f"https://{name}:{port}", home, context, auth, context="in-cluster")


class _Builder:
    def __init__(self, entries: Entries, label: str, allowed: Allowed, environment: Mapping[str, str]) -> None:
        self._entries = entries
        self._label = label
        self._allowed = allowed
        self._environment = environment

    def access(self, wanted: str | None) -> ClusterAccess:
        name = wanted or self._entries.current_context
        if not name:
            raise _missing(self._label, "no current-context is set", "name one with --context")
        chosen = self._entries.contexts.get(name)
        if chosen is None:
            raise _missing(self._label, f"no context {printable(name)!r}", self._known_contexts())
        if chosen.cluster not in self._entries.clusters:
            raise invalid(self._label, f"no cluster {printable(chosen.cluster)!r}", field=f"contexts[{name}].cluster")
        if chosen.user and chosen.user not in self._entries.users:
            raise invalid(self._label, f"no user {printable(chosen.user)!r}", field=f"contexts[{name}].user")
        cluster, cluster_folder = self._entries.clusters[chosen.cluster]
        user, user_folder = self._entries.users.get(chosen.user, (User(), cluster_folder))
        tls = self._tls(cluster, cluster_folder)
        return ClusterAccess(
            server=cluster.server.rstrip("/"),
            namespace=chosen.namespace,
            ssl=tls,
            auth=self._auth(user, user_folder, cluster, tls),
            proxy_url=self._proxy(cluster.proxy_url),
            tls_server_name=cluster.tls_server_name,
            context=name,
            impersonate=_impersonation(user),
        )

    def _known_contexts(self) -> str:
        names = ", ".join(printable(n) for n in sorted(self._entries.contexts)[:10])
        return f"use one of: {names}" if names else "add a context"

    def _tls(self, cluster: Cluster, folder: Path) -> ssl.SSLContext | None:
        url = _url(cluster.server, self._label, "server")
        if url.scheme == "http":
            return None
        if cluster.insecure_skip_tls_verify and not self._allowed.insecure:
            raise self._refuse("insecure-skip-tls-verify", "switching TLS verification off is not allowed here")
        authority = self._pem(
            "certificate-authority", cluster.certificate_authority_data, cluster.certificate_authority, folder
        )
        try:
            return client_context(authority, verify=not cluster.insecure_skip_tls_verify)
        except (ssl.SSLError, ValueError):
            raise invalid(self._label, "holds no PEM certificate", field="certificate-authority") from None

    def _auth(self, user: User, folder: Path, cluster: Cluster, tls: ssl.SSLContext | None) -> Auth:
        if user.auth_provider is not None:
            raise invalid(
                self._label, "is no longer part of Kubernetes", field="auth-provider", fix="use an exec plugin"
            )
        self._client_certificate(user, folder, tls)
        if user.token_file:
            return TokenFileAuth(self._file("tokenFile", user.token_file, folder))
        if user.token:
            if not user.token.isprintable():
                raise invalid(self._label, "holds characters that no header can", field="token")
            return FixedAuth.bearer(user.token)
        if user.username or user.password:
            return FixedAuth.basic(user.username, user.password)
        if user.exec is not None:
            return ExecAuth(self._plugin(user.exec, folder, cluster), tls)
        return FixedAuth()

    def _client_certificate(self, user: User, folder: Path, tls: ssl.SSLContext | None) -> None:
        certificate = self._pem("client-certificate", user.client_certificate_data, user.client_certificate, folder)
        key = self._pem("client-key", user.client_key_data, user.client_key, folder)
        if bool(certificate) != bool(key):
            raise invalid(self._label, "a client certificate and its key belong together", field="client-certificate")
        if not certificate or tls is None:
            return
        try:
            load_client_certificate(tls, certificate, key)
        except (ssl.SSLError, ValueError, OSError):
            cause = "certificate and key can't be used together, or the key wants a passphrase"
            raise invalid(self._label, cause, field="client-certificate") from None

    def _plugin(self, plugin: kubeconfig.Exec, folder: Path, cluster: Cluster) -> ExecPlugin:
        if not self._allowed.exec:
            raise self._refuse("exec", f"running the command {printable(plugin.command)!r} is not allowed here")
        if plugin.api_version not in API_VERSIONS:
            cause = f"{printable(plugin.api_version)} is not one of {', '.join(API_VERSIONS)}"
            raise invalid(self._label, cause, field="exec.apiVersion")
        environment = {**self._environment, **{item.name: item.value for item in plugin.env}}
        info = _cluster_info(cluster) if plugin.provide_cluster_info else None
        hint, version = plugin.install_hint, plugin.api_version
        return ExecPlugin(plugin.command, plugin.args, environment, version, hint, folder, info)

    def _pem(self, name: str, data: str, path: str, folder: Path) -> bytes:
        if data:
            try:
                return base64.b64decode(data, validate=True)
            except (binascii.Error, ValueError):
                raise invalid(self._label, "is not base64", field=f"{name}-data") from None
        if not path:
            return b""
        return _read(self._file(name, path, folder), self._label, name)

    def _file(self, name: str, path: str, folder: Path) -> Path:
        if not self._allowed.files:
            raise self._refuse(name, "naming a file is not allowed here")
        return folder / path

    def _proxy(self, url: str) -> str:
        if url and _url(url, self._label, "proxy-url").scheme not in {"http", "https"}:
            raise invalid(self._label, "only http and https proxies are supported", field="proxy-url")
        return url

    def _refuse(self, name: str, cause: str) -> UserError:
        return invalid(self._label, cause, field=name, fix="use inline data: certificate-authority-data, token, …")


def _url(text: str, label: str, name: str) -> Any:
    try:
        url = urlsplit(text)
        _ = url.port
    except ValueError:
        raise invalid(label, "is not a URL", field=name) from None
    # Credentials would be shown wherever the server is named.
    if name == "server" and (url.scheme not in {"http", "https"} or not url.hostname or "@" in url.netloc or url.query):
        raise invalid(label, "must be https://HOST[:PORT][/PATH]", field=name)
    return url


def _cluster_info(cluster: Cluster) -> Mapping[str, object]:
    """What an exec plugin that asks for it is told of the cluster."""
    info: dict[str, object] = {"server": cluster.server, "config": None}
    if cluster.certificate_authority_data:
        info["certificate-authority-data"] = cluster.certificate_authority_data
    if cluster.tls_server_name:
        info["tls-server-name"] = cluster.tls_server_name
    if cluster.insecure_skip_tls_verify:
        info["insecure-skip-tls-verify"] = True
    return info


def _impersonation(user: User) -> tuple[tuple[str, str], ...]:
    if not user.as_user:
        return ()
    uid = (("Impersonate-Uid", user.as_uid),) if user.as_uid else ()
    return (("Impersonate-User", user.as_user), *uid, *(("Impersonate-Group", group) for group in user.as_groups))


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return True  # it is there, but not for us: reading it says why


def _read_config(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(kubeconfig.MAX_SIZE + 1)
    except OSError as error:
        raise _missing(str(path), f"can't be read: {error.strerror}", "check its permissions") from None


def _read(path: Path, label: str, name: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE)
    except OSError as error:
        raise invalid(label, f"{path} can't be read: {error.strerror}", field=name) from None


def _missing(label: str, cause: str, fix: str) -> UserError:
    return UserError(Problem(KUBECONFIG_MISSING, "no access to a cluster", origin=Origin(label), cause=cause, fix=fix))

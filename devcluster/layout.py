"""Writes the files of a cluster's directory before its first process starts, and says where each lies."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

from devcluster.certificates import Authority, KeyPair, signing_key
from devcluster.components import AUDIT_POLICY, CONTROLLER_MANAGER, KWOK, SCHEDULER, ClusterOptions, Credentials
from devcluster.stages import stage_configuration

_ADMINISTRATORS = "system:masters"

# Under these names the audit log tells the components' requests from everybody else's.
_COMPONENT_USERS = {
    CONTROLLER_MANAGER: "system:kube-controller-manager",
    SCHEDULER: "system:kube-scheduler",
    KWOK: "kwok",
}


def log_path(directory: Path, component: str) -> Path:
    """Return where a component logs."""
    return directory / "logs" / f"{component}.log"


def credentials_in(directory: Path) -> Credentials:
    """Return where the trust of a cluster lies in its directory, written yet or not."""
    pki = directory / "pki"
    kubeconfigs = {user: pki / f"{user}.kubeconfig" for user in _COMPONENT_USERS}
    return Credentials(
        ca=pki / "ca.crt",
        server=_pair(pki, "server"),
        front_proxy_ca=pki / "front-proxy-ca.crt",
        front_proxy=_pair(pki, "front-proxy"),
        service_account=KeyPair(pki / "service-account.pub", pki / "service-account.key"),
        admin=_pair(pki, "admin"),
        kubeconfigs=kubeconfigs,
    )


def write_configuration(directory: Path, port: int, options: ClusterOptions) -> Credentials:
    """Write certificates, kubeconfigs and the audit policy, and make the folders."""
    for folder in ("pki", "logs"):
        (directory / folder).mkdir(mode=0o700)
    credentials = credentials_in(directory)
    _issue(directory / "pki")
    server = f"https://127.0.0.1:{port}"
    _write_kubeconfig(directory / "kubeconfig", server, credentials.ca, "admin", credentials.admin)
    for component, user in _COMPONENT_USERS.items():
        pair = _pair(directory / "pki", component)
        _write_kubeconfig(credentials.kubeconfigs[component], server, credentials.ca, user, pair)
    if options.audit:
        (directory / "audit-policy.yaml").write_text(AUDIT_POLICY)
        (directory / "audit.log").touch(mode=0o600)
    return credentials


def write_stages(directory: Path, binary: Path) -> None:
    """Write kwok's configuration: its own stages, as the binary that will run them has them, and ours."""
    defaults = subprocess.run([str(binary), "stages"], capture_output=True, text=True, check=True).stdout
    (directory / "stages.yaml").write_text(stage_configuration(defaults))


def _pair(pki: Path, name: str) -> KeyPair:
    return KeyPair(pki / f"{name}.crt", pki / f"{name}.key")


def _issue(pki: Path) -> None:
    authority = Authority(pki, "ca")
    authority.server("server")
    authority.client("admin", "devcluster-admin", _ADMINISTRATORS)
    for component, user in _COMPONENT_USERS.items():
        authority.client(component, user, _ADMINISTRATORS)
    Authority(pki, "front-proxy-ca").client("front-proxy", "front-proxy")
    signing_key(pki, "service-account")


def _write_kubeconfig(target: Path, server: str, ca: Path, user: str, pair: KeyPair) -> None:
    """Write a kubeconfig that holds everything itself, so that a copy of it works anywhere on this machine."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "devcluster", "cluster": {"server": server, "certificate-authority-data": _data(ca)}}],
        "users": [
            {
                "name": user,
                "user": {"client-certificate-data": _data(pair.certificate), "client-key-data": _data(pair.key)},
            }
        ],
        "contexts": [{"name": "devcluster", "context": {"cluster": "devcluster", "user": user}}],
        "current-context": "devcluster",
    }
    target.touch(mode=0o600)
    # JSON is YAML, and needs no choice of quoting.
    target.write_text(json.dumps(config, indent=2) + "\n")


def _data(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()

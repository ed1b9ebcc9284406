"""The command lines of the control plane's components, from one cluster's paths and port.

etcd listens on sockets inside the cluster's private directory, and the controllers serve nothing, so the API server's
port is the only one a cluster takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devcluster.certificates import KeyPair

ETCD = "etcd"
API_SERVER = "kube-apiserver"
CONTROLLER_MANAGER = "kube-controller-manager"
SCHEDULER = "kube-scheduler"
KWOK = "kwok"

# In the order of their start.
ALL_COMPONENTS = (ETCD, API_SERVER, CONTROLLER_MANAGER, SCHEDULER, KWOK)

_ETCD_CLIENT = "unix://etcd.sock"  # relative to the cluster's directory: socket paths may have 107 bytes only
_ETCD_PEER = "unix://etcd-peer.sock"

AUDIT_POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
"""


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """What kind of cluster to start; the defaults are what tests of an operator need.

    `components` may leave out any but etcd and kube-apiserver; nodes need kwok. `audit` writes the audit log at level
    Metadata. `fairness=False` lifts the API server's own limits, for benchmarks. `fsync=True` makes etcd durable.
    `api_server_flags` are appended to kube-apiserver's command line.
    """

    nodes: int = 1
    components: tuple[str, ...] = ALL_COMPONENTS
    audit: bool = False
    fairness: bool = True
    fsync: bool = False
    api_server_flags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        unknown = sorted(set(self.components) - set(ALL_COMPONENTS))
        missing = sorted({ETCD, API_SERVER} - set(self.components))
        if unknown:
            raise ValueError(f"no such component: {', '.join(unknown)}; there are {', '.join(ALL_COMPONENTS)}")
        if missing:
            raise ValueError(f"a cluster can't be without {', '.join(missing)}")
        if self.nodes < 0:
            raise ValueError("nodes must not be negative")

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> ClusterOptions:
        """Return what was written as JSON. Raises `TypeError` or `ValueError` for what these options don't know."""
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in record.items()}
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Credentials:
    """The files of a cluster's trust: authorities, server, service account keys, and each user's kubeconfig."""

    ca: Path
    server: KeyPair
    front_proxy_ca: Path
    front_proxy: KeyPair
    service_account: KeyPair
    admin: KeyPair
    kubeconfigs: dict[str, Path]


def command_line(
    component: str, directory: Path, port: int, credentials: Credentials, options: ClusterOptions
) -> list[str]:
    """Return the arguments that start `component`, the component's name first."""
    if component == ETCD:
        arguments = _etcd(options)
    elif component == API_SERVER:
        arguments = _api_server(directory, port, credentials, options)
    elif component == KWOK:
        kubeconfig = credentials.kubeconfigs[component]
        arguments = [f"--kubeconfig={kubeconfig}", f"--config={directory / 'stages.yaml'}", "--manage-all-nodes=true"]
    else:
        arguments = _controllers(component, credentials)
    return [component, *arguments]


def _etcd(options: ClusterOptions) -> list[str]:
    return [
        "--name=devcluster",
        "--data-dir=etcd",
        f"--listen-client-urls={_ETCD_CLIENT}",
        f"--advertise-client-urls={_ETCD_CLIENT}",
        f"--listen-peer-urls={_ETCD_PEER}",
        f"--initial-advertise-peer-urls={_ETCD_PEER}",
        f"--initial-cluster=devcluster={_ETCD_PEER}",
        "--log-level=warn",
        *([] if options.fsync else ["--unsafe-no-fsync"]),
    ]


def _api_server(directory: Path, port: int, credentials: Credentials, options: ClusterOptions) -> list[str]:
    audit = [f"--audit-policy-file={directory / 'audit-policy.yaml'}", f"--audit-log-path={directory / 'audit.log'}"]
    unlimited = [
        "--enable-priority-and-fairness=false",
        "--max-requests-inflight=0",
        "--max-mutating-requests-inflight=0",
    ]
    return [
        f"--etcd-servers={_ETCD_CLIENT}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        # There is nothing behind the `kubernetes` service: it would point at the loopback address, which is refused.
        "--endpoint-reconciler-type=none",
        f"--secure-port={port}",
        # The port was reserved by a socket that shares it, so nobody can have taken it in between.
        "--permit-port-sharing=true",
        f"--tls-cert-file={credentials.server.certificate}",
        f"--tls-private-key-file={credentials.server.key}",
        f"--client-ca-file={credentials.ca}",
        f"--requestheader-client-ca-file={credentials.front_proxy_ca}",
        "--requestheader-allowed-names=front-proxy",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={credentials.front_proxy.certificate}",
        f"--proxy-client-key-file={credentials.front_proxy.key}",
        f"--service-account-key-file={credentials.service_account.certificate}",
        f"--service-account-signing-key-file={credentials.service_account.key}",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--authorization-mode=RBAC",
        "--allow-privileged=true",
        *(audit if options.audit else []),
        *([] if options.fairness else unlimited),
        *options.api_server_flags,
    ]


def _controllers(component: str, credentials: Credentials) -> list[str]:
    kubeconfig = credentials.kubeconfigs[component]
    arguments = [
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--leader-elect=false",
        "--secure-port=0",
        # The default of 20 requests a second would make hundreds of nodes, namespaces or pods wait for their turn.
        "--kube-api-qps=1000",
        "--kube-api-burst=2000",
    ]
    if component == CONTROLLER_MANAGER:
        arguments += [
            f"--service-account-private-key-file={credentials.service_account.key}",
            f"--root-ca-file={credentials.ca}",
            # Simulated nodes come with their addresses; all other controllers stay, node-lifecycle above all: it takes
            # the not-ready taint off, without which nothing is scheduled.
            "--controllers=*,-nodeipam",
            # A node that a test adds is scheduled to within a second; the default is five.
            "--node-monitor-period=1s",
        ]
    return arguments

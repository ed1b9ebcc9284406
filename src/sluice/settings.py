"""Flags and environment → frozen settings. The only place that reads the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.core.automation_flags import AutomationFlags, GitWriting
from sluice.core.flag_source import FlagSource
from sluice.core.fluxd_api.key_kind import KeyKind

if TYPE_CHECKING:  # slow to import, and most command lines are answered without a cluster
    from sluice.kube.config import ClusterAccess

DEFAULT_NAMESPACE = "flux-system"
MAX_DOCKER_CONFIG = 2 << 20


@dataclass(frozen=True, slots=True)
class Settings:
    """What `sluice run` runs with. `namespace` is where records, leases and the operator itself live."""

    namespace: str = DEFAULT_NAMESPACE
    kubeconfig: str = ""
    context: str = ""
    storage: Path = Path("/data")
    artifact_host: str = "source-controller.flux-system.svc.cluster.local."
    health_address: str = ""
    metrics_address: str = ""
    storage_address: str = ""
    hook_address: str = ""
    log_level: str = "info"
    log_format: str = "json"
    no_cross_namespace_refs: bool = False
    object_identities: bool = False
    cross_namespace_alerts: bool = False
    default_service_account: str = ""
    watch_namespace: str = ""
    identity: str = "sluice"
    flag_source: FlagSource | None = None
    git_allow_loopback: bool = False
    git_insecure_http_credentials: bool = False
    git_read_only: bool = False
    registry_allow_loopback: bool = False
    registry_insecure_hosts: tuple[str, ...] = ()
    registry_realm_hosts: tuple[str, ...] = ()
    registry_rps: float = 50.0
    registry_burst: int = 125
    egress_allow: tuple[str, ...] = ()
    otlp_endpoint: str = field(default="", repr=False)
    upstream: str = ""
    automation: AutomationFlags = field(default_factory=AutomationFlags)
    git_writing: GitWriting = field(default_factory=GitWriting)
    fluxd_address: str = ""
    fluxd_token_file: Path | None = None
    fluxd_kubernetes_tokens: bool = False
    deploy_key: KeyKind = field(default_factory=KeyKind)
    pod: str = ""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


def environment() -> dict[str, str]:
    """A copy of the process's environment."""
    return dict(os.environ)


def cli_environment() -> dict[str, str]:
    """The variables that set defaults of the command line: `SLUICE_…`."""
    return {name: value for name, value in os.environ.items() if name.startswith("SLUICE_")}


def in_cluster() -> bool:
    """True when this process runs in a pod."""
    from sluice.kube.config import SERVICE_ACCOUNT

    return bool(os.environ.get("KUBERNETES_SERVICE_HOST")) and (SERVICE_ACCOUNT / "token").is_file()


def pod_name() -> str:
    """The pod that this process runs in, as its Deployment tells it: POD_NAME; empty elsewhere."""
    return os.environ.get("POD_NAME", "")


def person() -> str:
    """Who runs this command, as far as this machine knows."""
    import getpass

    try:
        return os.environ.get("USER") or getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def runtime_namespace() -> str:
    """The namespace that the operator runs in: RUNTIME_NAMESPACE, FLUX_SYSTEM_NAMESPACE, else flux-system."""
    return os.environ.get("RUNTIME_NAMESPACE") or os.environ.get("FLUX_SYSTEM_NAMESPACE") or DEFAULT_NAMESPACE


def cache_home() -> Path:
    """Where files go that may be lost: XDG_CACHE_HOME/sluice."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "sluice"


def docker_config() -> bytes:
    """Docker's configuration of who runs this command, with the logins of registries; empty when there is none."""
    folder = os.environ.get("DOCKER_CONFIG")
    try:
        with ((Path(folder) if folder else Path.home() / ".docker") / "config.json").open("rb") as file:
            return file.read(MAX_DOCKER_CONFIG)
    except (FileNotFoundError, NotADirectoryError):
        return b""


def wants_plain_text() -> bool:
    """True when the user's environment asks for output without colours."""
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"


def cluster_access(kubeconfig: str = "", context: str = "") -> ClusterAccess:
    """The cluster that flags and environment name: --kubeconfig, KUBECONFIG, the pod's own account, ~/.kube/config.

    Raises UserError (KubeconfigMissing, KubeconfigInvalid).
    """
    from sluice.kube.config import SERVICE_ACCOUNT, in_cluster_access, load_kubeconfig

    named = kubeconfig or os.environ.get("KUBECONFIG", "")
    host = os.environ.get("KUBERNETES_SERVICE_HOST", "")
    if not named and not context and host and (SERVICE_ACCOUNT / "token").is_file():
        return in_cluster_access(SERVICE_ACCOUNT, host, os.environ.get("KUBERNETES_SERVICE_PORT", "443"))
    paths = [Path(p) for p in named.split(os.pathsep) if p] or [Path.home() / ".kube" / "config"]
    return load_kubeconfig(paths, context or None, exec_environment=environment())

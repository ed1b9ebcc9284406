"""The control plane's executable: which Kubernetes the Go module in `controlplane/` pins, and the build of it."""

from __future__ import annotations

import re
from pathlib import Path

from devcluster.errors import DevclusterError
from devcluster.go_module import GoModule, Notify, silent
from devcluster.paths import CONTROLPLANE, sources


def kubernetes_version() -> str:
    """Return the version of Kubernetes that the module pins, as `v1.37.2`."""
    found = re.search(r"^\s*k8s\.io/kubernetes (v\d+\.\d+\.\d+)$", (sources() / "go.mod").read_text(), re.MULTILINE)
    if found is None:
        raise DevclusterError(
            "The control plane's version is unknown",
            "devcluster/controlplane/go.mod does not require k8s.io/kubernetes at a release",
            "restore go.mod from the repository",
        )
    return found.group(1)


def link_flags() -> str:
    """Return the linker's flags: no symbols, and the version that clients see.

    A module build has no version of its own (`v0.0.0-master`), and clients that gate on the server's version would
    misjudge it.
    """
    version = kubernetes_version()
    major, minor, _ = version.removeprefix("v").split(".")
    stamps = [
        f"-X {package}.{name}={value}"
        for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
        for name, value in (
            ("gitVersion", version),
            ("gitMajor", major),
            ("gitMinor", minor),
            ("gitCommit", ""),
            ("gitTreeState", "clean"),
        )
    ]
    return " ".join(["-s", "-w", *stamps])


def _module() -> GoModule:
    return GoModule(
        folder=sources(),
        name=CONTROLPLANE,
        title="the control plane",
        about=f"Kubernetes {kubernetes_version()}'s control plane (once; 5 to 10 minutes on two cores)",
        link_flags=link_flags(),
    )


def binary_path() -> Path:
    """Return where the executable for the present sources belongs, whether or not it is built."""
    return _module().path()


def ensure_binary(notify: Notify = silent) -> Path:
    """Return the executable, building it first if need be, as `GoModule.ensure` does."""
    return _module().ensure(notify)

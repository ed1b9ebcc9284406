"""Where things lie: built binaries in the user's cache, running clusters in the user's state directory.

Both follow the XDG variables, so a test or a CI job moves everything by setting two of them.
"""

from __future__ import annotations

import os
from pathlib import Path

CONTROLPLANE = "controlplane"
REGISTRY = "registry"


def _base(variable: str, fallback: str) -> Path:
    value = os.environ.get(variable, "")
    # The XDG specification says that a relative path in these variables is to be ignored.
    root = Path(value) if value.startswith("/") else Path.home() / fallback
    return root / "sluice" / "devcluster"


def cache_root() -> Path:
    """Return the directory of built binaries and private toolchains."""
    return _base("XDG_CACHE_HOME", ".cache")


def state_root() -> Path:
    """Return the directory under which every cluster has its own directory."""
    return _base("XDG_STATE_HOME", ".local/state")


def sources() -> Path:
    """Return the directory of the Go module that the control plane is built from."""
    return Path(__file__).resolve().parent / CONTROLPLANE


def registry_sources() -> Path:
    """Return the directory of the Go module that the registry is built from."""
    return Path(__file__).resolve().parent / "registry_server"

"""Flag mode's source: what fluxd's flags say of the one repository that is synced."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FlagSource:
    """One repository, its paths, and how often they are looked at; fluxd's names and defaults.

    `ignored` are pairs of a kind, empty for all, and a JSON pointer to a field that is left to the cluster.
    `signatures` says which commits must be signed ("all", "first-parent", or none), `key_files` by whose keys.
    `manifest_generation` says that the commands of a `.flux.yaml` are run; they find programs in `generator_path`.
    """

    url: str
    branch: str = "master"
    paths: tuple[str, ...] = ("",)
    poll_interval: str = "5m"
    sync_interval: str = "5m"
    timeout: str = "20s"
    sync_timeout: str = ""
    garbage_collection: bool = False
    secret_name: str = ""
    default_namespace: str = "default"
    drift: str = ""
    ignored: tuple[tuple[str, str], ...] = ()
    signatures: str = ""
    key_files: tuple[str, ...] = ()
    manifest_generation: bool = False
    generator_path: str = ""

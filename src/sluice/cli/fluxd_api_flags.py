"""The flags of `sluice run` about fluxd's HTTP API, and about the deploy key that `fluxctl identity` shows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from sluice import settings
from sluice.cli.flags import usage
from sluice.core.fluxd_api.key_kind import DEFAULT_BITS, FORMATS, KeyKind

DEFAULT_LISTEN = "127.0.0.1:3030"
DEPLOY_SECRET = "flux-git-deploy"  # noqa: S105 - a Secret's name, fluxd's own


def fluxd_api_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flags."""
    for add in reversed(
        (
            click.option(
                "-l",
                "--listen",
                metavar="ADDR",
                help=f"Where fluxctl is answered. [{DEFAULT_LISTEN} in a pod, else nowhere]",
            ),
            click.option(
                "--fluxd-api-token-file",
                type=click.Path(path_type=Path),
                help="File with the token that fluxctl must send (--token); needed where others can reach --listen.",
            ),
            click.option(
                "--fluxd-api-kubernetes-tokens",
                type=bool,
                is_flag=False,
                flag_value="true",
                default=False,
                help="Let Kubernetes accounts send their own token, as far as RBAC lets them call the path.",
            ),
            click.option("--ssh-keygen-type", metavar="TYPE", help="Flag mode: type of a new deploy key. [ed25519]"),
            click.option("--ssh-keygen-bits", type=click.IntRange(0), default=0, help="Flag mode: its length in bits."),
            click.option("--ssh-keygen-format", metavar="FORM", help=f"Flag mode: {', '.join(FORMATS)}. [OPENSSH]"),
        )
    ):
        command = add(command)
    return command


def fluxd_api_settings(given: dict[str, Any]) -> dict[str, Any]:
    """The settings that these flags make. Raises UsageRefused for those that can't be used."""
    address, token_file = given["listen"], given["fluxd_api_token_file"]
    if address is None:
        address = DEFAULT_LISTEN if settings.in_cluster() else ""
    by_kubernetes = given["fluxd_api_kubernetes_tokens"]
    if address and token_file is None and not by_kubernetes and not _is_loopback(address):
        fix = f"write --listen {DEFAULT_LISTEN}, which fluxctl's port-forward reaches, or give --fluxd-api-token-file"
        cause = "fluxd's API asks nobody for a password"
        raise usage(f"--listen {address} is open to others", field="--listen", cause=cause, fix=fix)
    return {
        "fluxd_address": address,
        "fluxd_token_file": token_file,
        "fluxd_kubernetes_tokens": by_kubernetes,
        "deploy_key": _key_kind(given),
    }


def _key_kind(given: dict[str, Any]) -> KeyKind:
    type_, form = given["ssh_keygen_type"] or "ed25519", given["ssh_keygen_format"] or "OPENSSH"
    kind = KeyKind(type_.lower(), given["ssh_keygen_bits"], form.upper().replace("RFC4716", "OPENSSH"))
    fault = kind.fault()
    if fault:
        fix = f"--ssh-keygen-type {'|'.join(DEFAULT_BITS)}, and no more unless you need it"
        raise usage(f"--ssh-keygen-*: {fault}", field="--ssh-keygen-type", fix=fix)
    return kind


def _is_loopback(address: str) -> bool:
    from sluice.core.fluxd_api.local_host import is_local

    return bool(address.rpartition(":")[0]) and is_local(address)

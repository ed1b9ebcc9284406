"""The flags of fluxd that this version does not act on: each is refused by name, none is silently ignored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from sluice.cli.flags import usage
from sluice.core import codes

# Flag → why it is refused.
REFUSED: dict[str, str] = {
    "--log-format": "use --log-encoding json|console",
    "--listen-metrics": "use --metrics-addr",
    "--kubernetes-kubectl": "no kubectl is used",
    "--kube-config": "use --kubeconfig",
    "--k8s-in-cluster": "it is found out",
    "--k8s-secret-volume-mount-path": "Secrets are read through the API; use --k8s-secret-name",
    "--k8s-secret-data-key": "the key must be named identity",
    "--k8s-allow-namespace": "use RBAC to restrict what may be applied",
    "--k8s-namespace-whitelist": "use RBAC to restrict what may be applied",
    "--k8s-unsafe-exclude-resource": "nothing is listed that is not in the repository",
    "--k8s-verbosity": "use --log-level",
    "--git-secret": "git-secret is not supported",
    "--sops": "encrypted files are not decrypted yet",
    "--sync-garbage-collection-dry": "use `sluice plan` to see what would be pruned",
    "--sync-state": "the state is always kept in a Secret",
    "--registry-trace": "use --log-level debug",
    "--registry-require": "a registry that gives no login is told in the log, and the others are scanned",
    "--registry-cache-expiry": "what is known of a tag is looked at again by fluxd's rule, 5 minutes to 7 days",
    "--memcached-hostname": "there is no memcached",
    "--memcached-port": "there is no memcached",
    "--memcached-service": "there is no memcached",
    "--memcached-timeout": "there is no memcached",
    "--ssh-keygen-dir": "a new deploy key is never written to disk",
    "--rpc-timeout": "nothing is called from upstream; --connect only posts events",
}


def refused_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the refused flags, hidden, with or without a value."""
    for flag in REFUSED:
        add = click.option(
            flag, is_flag=False, flag_value="", multiple=True, hidden=True, expose_value=False, callback=_refuse
        )
        command = add(command)
    return command


def _refuse(_: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> None:
    if value:
        flag = parameter.opts[0]
        raise usage(
            f"{flag} is not acted on", code=codes.NOT_HONOURED, field=flag, cause=REFUSED[flag], fix=f"remove {flag}"
        )

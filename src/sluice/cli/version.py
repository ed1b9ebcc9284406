"""`sluice version`: ours, and with --server the API server's and the installed operator's."""

from __future__ import annotations

from typing import Any

import click

from sluice import __version__
from sluice.cli.error_output import API_VERSION
from sluice.cli.exit_codes import ExitCode
from sluice.cli.flags import Flags
from sluice.cli.terminal import Terminal

# Kubernetes' minor versions that the operator is built for; older ones lack what it relies on.
OLDEST_MINOR = 31


@click.command(short_help="Print versions.")
@click.option("--server", is_flag=True, help="Also the API server's and the installed operator's.")
@click.option("--client", is_flag=True, help="Only this command's (the default).")
@click.pass_obj
def version(flags: Flags, *, server: bool, client: bool) -> ExitCode:
    """Print the version of this command, and with --server those in the cluster.

    \b
    Example: sluice version --server
    """
    from sluice.cli.conflicts import refuse_together

    refuse_together({"--server": server, "--client": client})
    terminal = Terminal(flags)
    found: dict[str, Any] = {"client": __version__}
    if server:
        import asyncio

        found |= asyncio.run(_ask(terminal))
    if flags.structured:
        from sluice.cli.structured import write_structured

        write_structured(terminal, {"apiVersion": API_VERSION, "kind": "Version", **found})
        return ExitCode.DONE
    for name, value in found.items():
        if name != "warnings":
            terminal.answer(f"{name:<12}{value or 'not installed'}")
    for warning in found.get("warnings", ()):
        terminal.warn(f"warning: {warning}")
    return ExitCode.DONE


async def _ask(terminal: Terminal) -> dict[str, Any]:
    from sluice.cli.cluster import open_cluster
    from sluice.cli.installation import find_operator

    async with open_cluster(terminal) as cluster:
        served = await cluster.client.version()
        operator = await find_operator(cluster)
        installed = operator.version if operator is not None else ""
        return {
            "operator": installed,
            "kubernetes": served.git_version,
            "warnings": version_skew(installed, served.major, served.minor),
        }


def version_skew(operator: str, major: str, minor: str) -> list[str]:
    """Sentences about versions that do not go together."""
    warnings = []
    if operator and operator.split(".")[:2] != __version__.split(".")[:2]:
        warnings.append(
            f"VersionSkew: the operator is {operator}, this command {__version__}; use the same minor version"
        )
    digits = "".join(c for c in minor if c.isdecimal())
    if major == "1" and digits and int(digits) < OLDEST_MINOR:
        warnings.append(f"VersionSkew: Kubernetes 1.{digits} is older than 1.{OLDEST_MINOR}, the oldest that is tested")
    return warnings

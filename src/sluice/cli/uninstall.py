"""`sluice uninstall`: takes the operator out of a cluster and leaves everything that it applied running.

The order makes that certain. First the operator stops, and nothing goes on until its pods and its lease are gone: a
running one would take the deletion of a Kustomization as the order to prune. Then our finalizer comes off every
Kustomization and source, so that deleting them (or their CRDs) deletes nothing else. Only then the CRDs, rights,
records and, when install made it and nothing of others lives there, the namespace go.
"""

from __future__ import annotations

import click

from sluice import settings
from sluice.cli.exit_codes import ExitCode
from sluice.cli.flags import Flags
from sluice.cli.terminal import Terminal


@click.command(short_help="Take it out; workloads stay.")
@click.option("--keep-crds", is_flag=True, help="Keep the CRDs, and with them the objects of our kinds.")
@click.option("--keep-namespace", is_flag=True, help="Keep the operator's namespace.")
@click.option(
    "--dry-run", is_flag=False, flag_value="server", type=click.Choice(("server",)), help="Show the plan only."
)
@click.pass_obj
def uninstall(flags: Flags, /, *, keep_crds: bool, keep_namespace: bool, dry_run: str | None) -> ExitCode:
    """Remove the operator. What it applied keeps running, with its labels, and can be taken over again.

    \b
    Example: sluice uninstall --dry-run
    """
    import asyncio

    from sluice.cli.uninstall_steps import Uninstall

    namespace = flags.namespace or settings.DEFAULT_NAMESPACE
    work = Uninstall(Terminal(flags), namespace, keep_crds=keep_crds, keep_namespace=keep_namespace)
    return asyncio.run(work.run(dry_run=bool(dry_run)))

"""`sluice install`: the operator's CRDs, rights and Deployment, printed or applied."""

from __future__ import annotations

from typing import Any

import click

from sluice import __version__, settings
from sluice.api.install import InstallOptions, manifests
from sluice.cli.exit_codes import ExitCode
from sluice.cli.flags import Flags, usage
from sluice.cli.terminal import Terminal


@click.command(short_help="Put the operator into a cluster.")
@click.option("--export", is_flag=True, help="Print the manifests; touch no cluster.")
@click.option("--image", default="", metavar="IMAGE", help="Image of the operator; the released one unset.")
@click.option("--log-level", default="info", type=click.Choice(("debug", "info", "error")), show_default=True)
@click.option("--cluster-admin/--no-cluster-admin", default=True, help="Let it apply any object (default).")
@click.option("--network-policy/--no-network-policy", default=True, help="Let only metrics in (default).")
@click.option("--arg", "arguments", multiple=True, metavar="FLAG", help="One more flag of `sluice run`; repeat it.")
@click.option(
    "--dry-run", is_flag=False, flag_value="server", type=click.Choice(("server",)), help="Show the plan only."
)
@click.option("--wait/--no-wait", default=True, help="Wait until the operator runs (default).")
@click.pass_obj
def install(flags: Flags, /, **given: Any) -> ExitCode:
    """Install the operator, or bring an installation to this version: a plan first, then server-side apply.

    \b
    Examples: sluice install
              sluice install --export > sluice.yaml
    """
    from sluice.cli.conflicts import refuse_together

    refuse_together({"--export": given["export"], "--dry-run": given["dry_run"]})
    options = InstallOptions(
        version=__version__,
        namespace=flags.namespace or settings.DEFAULT_NAMESPACE,
        image=given["image"],
        log_level=given["log_level"],
        cluster_admin=given["cluster_admin"],
        network_policy=given["network_policy"],
        extra_args=given["arguments"],
    )
    for argument in options.extra_args:
        if not argument.startswith("--"):
            raise usage(f"--arg {argument!r} is not a flag", fix="write --arg=--git-allow-loopback")
    terminal = Terminal(flags)
    if given["export"]:
        return _export(terminal, options)
    import asyncio

    from sluice.cli.install_steps import Install

    return asyncio.run(Install(terminal, options, dry_run=bool(given["dry_run"]), wait=given["wait"]).run())


def _export(terminal: Terminal, options: InstallOptions) -> ExitCode:
    from sluice.cli.structured import to_yaml

    objects = manifests(options)
    if terminal.flags.output == "json":
        from sluice.cli.structured import write_structured

        write_structured(terminal, {"apiVersion": "v1", "kind": "List", "items": objects})
        return ExitCode.DONE
    for each in objects:
        terminal.answer(f"---\n{to_yaml(each).rstrip()}")
    return ExitCode.DONE

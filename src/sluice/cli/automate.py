"""`sluice automate` and `sluice deautomate`: whether new images of a workload need no person."""

from __future__ import annotations

from typing import Any

import click

from sluice.cli.exit_codes import ExitCode
from sluice.cli.flags import Flags
from sluice.cli.local_edit import editing_options
from sluice.cli.policy_edit import edit_policies
from sluice.cli.workload_names import workload_option
from sluice.core.image_update import policy_annotation


@click.command(short_help="Let new images of a workload be released.")
@click.argument("words", nargs=-1, metavar="[WORKLOAD]...")
@workload_option()
@editing_options
@click.pass_obj
def automate(flags: Flags, /, **given: Any) -> ExitCode:
    """Annotate workloads with `fluxcd.io/automated`: the operator commits it, or with --local a checkout is edited.

    An operator that runs without CRDs acts on it, and one that is started with --workload-annotations.

    \b
    Examples: sluice automate shop:deploy/web
              sluice automate --local . shop:deploy/web --commit
    """
    return edit_policies(flags, "automate", given, lambda name, user, why: policy_annotation.automate(name))


@click.command(short_help="Release no image that nobody asked for.")
@click.argument("words", nargs=-1, metavar="[WORKLOAD]...")
@workload_option()
@editing_options
@click.pass_obj
def deautomate(flags: Flags, /, **given: Any) -> ExitCode:
    """Take `fluxcd.io/automated` away from workloads: the operator commits it, or with --local a checkout is edited.

    \b
    Example: sluice deautomate shop:deploy/web
    """
    return edit_policies(flags, "deautomate", given, lambda name, user, why: policy_annotation.deautomate(name))

"""`sluice lock` and `sluice unlock`: whether anybody may release images of a workload."""

from __future__ import annotations

from typing import Any

import click

from sluice.cli.exit_codes import ExitCode
from sluice.cli.flags import Flags
from sluice.cli.local_edit import editing_options
from sluice.cli.policy_edit import edit_policies
from sluice.cli.workload_names import workload_option
from sluice.core.image_update import policy_annotation


@click.command(short_help="Let nobody release images of a workload, with a reason.")
@click.argument("words", nargs=-1, metavar="[WORKLOAD]...")
@workload_option()
@editing_options
@click.pass_obj
def lock(flags: Flags, /, **given: Any) -> ExitCode:
    """Lock workloads: `sluice release` and automation leave their images. -m says why, --user who.

    The operator commits it, or with --local a checkout is edited. Other changes of the files are synced all the same.

    \b
    Example: sluice lock shop:deploy/web -m "freeze until Friday"
    """
    return edit_policies(flags, "lock", given, policy_annotation.lock)


@click.command(short_help="Take a lock away.")
@click.argument("words", nargs=-1, metavar="[WORKLOAD]...")
@workload_option()
@editing_options
@click.pass_obj
def unlock(flags: Flags, /, **given: Any) -> ExitCode:
    """Take the lock of workloads away, with what it says: in git by the operator, or with --local in a checkout.

    \b
    Example: sluice unlock shop:deploy/web
    """
    return edit_policies(flags, "unlock", given, lambda name, user, why: policy_annotation.unlock(name))

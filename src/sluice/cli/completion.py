"""`sluice completion`: the shell's script; it asks this command for candidates, live names among them."""

from __future__ import annotations

import click

from sluice.cli.exit_codes import ExitCode
from sluice.cli.flags import Flags
from sluice.cli.terminal import Terminal

VARIABLE = "_SLUICE_COMPLETE"


@click.command(short_help="Completion for bash, zsh or fish.")
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_obj
def completion(flags: Flags, /, *, shell: str) -> ExitCode:
    """Print the script that makes a shell complete verbs, flags, kinds and the names of objects in the cluster.

    \b
    Example: source <(sluice completion bash)
    """
    from click.shell_completion import get_completion_class

    from sluice.cli.main import root

    found = get_completion_class(shell)
    assert found is not None  # noqa: S101 - the argument's choices are click's own
    maker = found(root, {}, "sluice", VARIABLE)
    Terminal(flags).answer((maker.source_template % maker.source_vars()).strip())
    return ExitCode.DONE

"""`sluice demo`: its flags, and what becomes of an interruption."""

from __future__ import annotations

import asyncio
import sys

import click

from sluice.cli.exit_codes import ExitCode
from sluice.cli.flags import Flags
from sluice.cli.terminal import Terminal


@click.command("demo")
@click.option("--keep", is_flag=True, help="Leave everything running until Ctrl-C.")
@click.pass_obj
def demo(flags: Flags, keep: bool) -> ExitCode:
    """Boot a cluster, a git server and the operator, and see a commit become a running change.

    \b
    Nothing is needed but this machine, and nothing is left behind. On a terminal, keys start the steps:
      1 bump   commit a new image             4 fix    revert it
      2 break  commit a typo                  5 prune  remove a file
      3 drift  change the cluster by hand     6 image  push a new tag to a registry
      q        quit
    With --no-input, or without a terminal, all steps run, and the exit code is 0 only when each was
    seen in the API server.

    \b
    Examples: sluice demo
              sluice demo --no-input
              sluice demo --context kind-dev     in a cluster of yours; asks first, cleans up after
    """
    from devcluster.errors import DevclusterError
    from sluice.cli.demo.show import Wish, show

    terminal = Terminal(flags)
    interactive = not flags.no_input and sys.stdin.isatty() and terminal.out.isatty()
    try:
        return asyncio.run(show(terminal, Wish(interactive, keep)))
    except (KeyboardInterrupt, asyncio.CancelledError):
        terminal.warn("interrupted; nothing is left behind")
        return ExitCode.INTERRUPTED
    except DevclusterError as error:
        terminal.warn(f"error: {error}")
        return ExitCode.FAILED

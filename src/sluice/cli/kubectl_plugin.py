"""Completion of `kubectl sluice …`: kubectl asks a program named `kubectl_complete-sluice` for candidates.

It gives the words typed after the plugin's name, the last of them unfinished, and reads a candidate a line, a tab and
a description after it, and at the end `:` with a directive (4: no file names).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

NO_FILES = 4


def main() -> None:
    """The program itself."""
    sys.stdout.write(candidates(sys.argv[1:]))


def candidates(words: Sequence[str]) -> str:
    """What kubectl reads. Nothing that goes wrong is told: completion must never print an error."""
    from click.shell_completion import ShellComplete

    from sluice import settings
    from sluice.cli.flags import Flags, apply_environment
    from sluice.cli.main import root
    from sluice.core.errors import SluiceError

    *before, incomplete = words or [""]
    flags = Flags()
    try:
        apply_environment(flags, settings.cli_environment())
        found = ShellComplete(root, {"obj": flags}, "sluice", "").get_completions(list(before), incomplete)
    except SluiceError:
        found = []
    lines = [f"{item.value}\t{item.help}" if item.help else item.value for item in found if item.type == "plain"]
    return "\n".join([*lines, f":{NO_FILES}"]) + "\n"

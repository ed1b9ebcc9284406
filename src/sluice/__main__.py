"""The `sluice` command."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with its code. Under the name `kubectl-sluice` it speaks as kubectl's plugin."""
    from sluice.cli.main import run_cli

    plugin = sys.argv[0].rpartition("/")[2].startswith("kubectl-sluice")
    sys.exit(run_cli(sys.argv[1:], "kubectl sluice" if plugin else "sluice"))


if __name__ == "__main__":
    main()

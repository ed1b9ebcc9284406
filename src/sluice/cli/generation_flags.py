"""The flags that let commands of a `.flux.yaml` run: of the operator, and of verbs that work on a checkout."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from sluice.cli.flags import usage

if TYPE_CHECKING:
    from pathlib import Path

    from sluice.render.generators import Generators


def generation_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The flags of a verb that works on a checkout: nothing in it is run unless a person says so."""
    for option in (
        click.option("--generator-path", metavar="DIRS", help="Folders of programs for these commands. [the system's]"),
        click.option(
            "--manifest-generation", is_flag=True, help="Run the commands of a .flux.yaml, here, as the operator would."
        ),
    ):
        command = option(command)
    return command


def generators_of(given: Mapping[str, Any], work_dir: Path) -> Generators | None:
    """What runs the commands; None when nobody asked for it. Raises UsageRefused."""
    path = generator_path_of(given["generator_path"])
    if not given["manifest_generation"]:
        if path:
            raise usage("--generator-path means nothing without --manifest-generation", field="--generator-path")
        return None
    from sluice.render.generators import DEFAULT_PATH, Generators

    return Generators(work_dir, path or DEFAULT_PATH)


def generator_path_of(text: str | None) -> str:
    """A PATH for commands. Raises UsageRefused for a folder that is not absolute: it would be one of the repository."""
    for folder in (text or "").split(":") if text else ():
        if not folder.startswith("/") or not folder.isprintable():
            fix = "write absolute folders, as in /usr/local/bin:/usr/bin:/bin"
            raise usage(f"--generator-path {text!r} is not a list of folders", field="--generator-path", fix=fix)
    return text or ""

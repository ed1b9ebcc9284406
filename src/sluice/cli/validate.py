"""`sluice validate`: all problems of a folder, as a sync of it would find them before it asks any cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sluice.cli.conflicts import refuse_together
from sluice.cli.error_output import API_VERSION, problem_fields, problem_text
from sluice.cli.exit_codes import ExitCode
from sluice.cli.flags import Flags, usage
from sluice.cli.generation_flags import generation_options, generators_of
from sluice.cli.terminal import Terminal, counted
from sluice.core.problem import Problem

if TYPE_CHECKING:
    from sluice.cli.answers import ProblemList
    from sluice.render import Rendered


@click.command(short_help="All problems of a folder; no cluster needed.")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH]...")
@click.option("--target-namespace", default="", metavar="NAME", help="As spec.targetNamespace of the Kustomization.")
@generation_options
@click.option("--set", "values", multiple=True, metavar="NAME=VALUE", help="A variable of postBuild; repeat it.")
@click.pass_obj
def validate(
    flags: Flags, /, *, paths: tuple[Path, ...], target_namespace: str, values: tuple[str, ...], **generation: Any
) -> ExitCode:
    """Render folders as the operator would, and show every problem. Exits 1 when there is one.

    \b
    Example: sluice validate apps/web
    """
    terminal = Terminal(flags)
    if generation["manifest_generation"]:
        refuse_together({"--manifest-generation": True, "--target-namespace": target_namespace})
    wanted = _Wanted(target_namespace, _variables(values), generation)
    generators_of(generation, Path())
    return asyncio.run(_validate(terminal, paths or (Path(),), wanted))


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What folders are rendered with."""

    namespace: str
    variables: dict[str, str]
    generation: dict[str, Any]


def _variables(values: Sequence[str]) -> dict[str, str]:
    variables = {}
    for text in values:
        name, equals, value = text.partition("=")
        if not equals:
            raise usage(f"--set {name!r} has no value", field="--set", fix="write --set NAME=VALUE")
        variables[name] = value
    return variables


async def _validate(terminal: Terminal, paths: Sequence[Path], wanted: _Wanted) -> ExitCode:
    from sluice.core.errors import UserError

    problems: list[Problem] = []
    warnings: list[Problem] = []
    objects = 0
    for path in paths:
        try:
            rendered = await _render(terminal, path, wanted)
        except UserError as error:
            if error.problems[0].origin is not None and error.problems[0].origin.path == str(path):
                raise  # the folder itself can't be read: no answer about its content
            problems += error.problems
        else:
            objects += len(rendered.manifests)
            warnings += rendered.warnings
    _show(terminal, problems, warnings, objects)
    return ExitCode.NO if problems else ExitCode.DONE


async def _render(terminal: Terminal, path: Path, wanted: _Wanted) -> Rendered:
    import tempfile

    from sluice.api.kustomization import KustomizationSpec, PostBuild, SourceRef
    from sluice.cli.local_source import local_source
    from sluice.core.ids import ResourceId
    from sluice.core.plan import Owner
    from sluice.render import Renderer, RenderInput

    local = await local_source(path)
    terminal.flags.folders.append(local.folder.root)
    ignore = "!.flux.yaml" if wanted.generation["manifest_generation"] else None
    artifact = await local.artifact(ResourceId("", "Folder", "", str(path)), ignore)
    spec = KustomizationSpec(
        interval="10m",
        sourceRef=SourceRef(kind="GitRepository", name="local"),
        prune=True,
        path=local.path,
        targetNamespace=wanted.namespace,
        postBuild=PostBuild(substitute=wanted.variables) if wanted.variables else None,
    )
    with tempfile.TemporaryDirectory(prefix="sluice-") as work:
        given = RenderInput(
            tree=artifact.tree,
            blobs=artifact.blobs,
            commit="",
            spec=spec,
            owner_labels=Owner("local", "local").labels(),
            variables={},
            scope=lambda kind: None,
        )
        return await Renderer(Path(work), generators=generators_of(wanted.generation, Path(work))).render(given)


def _show(terminal: Terminal, problems: Sequence[Problem], warnings: Sequence[Problem], objects: int) -> None:
    match terminal.flags.output:
        case "json" | "yaml":
            from sluice.cli.structured import write_structured

            answer: ProblemList = {
                "apiVersion": API_VERSION,
                "kind": "ProblemList",
                "items": [problem_fields(p) for p in problems],
                "warnings": [problem_fields(p) for p in warnings],
                "objects": objects,
            }
            write_structured(terminal, answer)
        case "github":
            for problem in (*problems, *warnings):
                terminal.answer(github_annotation(problem))
        case _:
            for problem in (*warnings, *problems):
                terminal.warn(problem_text(terminal, problem))
            found = f"{counted(objects, 'object')}, no problems"
            terminal.answer(
                f"{terminal.glyph('Failing')} {counted(len(problems), 'problem')}"
                if problems
                else f"{terminal.glyph('Ready')} {found}"
            )


def github_annotation(problem: Problem) -> str:
    """A workflow command that puts the problem beside its line in a pull request."""
    level = "warning" if problem.code.number.startswith("W") else "error"
    place = ""
    if problem.origin is not None:
        where = [f"file={_property(problem.origin.path)}"]
        where += [f"line={problem.origin.line}"] if problem.origin.line else []
        where += [f"col={problem.origin.column}"] if problem.origin.column else []
        place = f" {','.join(where)}"
    text = f"{problem.title} [{problem.code.number}]"
    text += f": {problem.cause}" if problem.cause else ""
    text += f"; fix: {problem.fix}" if problem.fix else ""
    return f"::{level}{place}::{_message(text)}"


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")

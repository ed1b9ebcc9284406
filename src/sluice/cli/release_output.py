"""How releases and changes of policies are shown: fluxctl's table with each change's place, and the same as data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sluice.cli.error_output import API_VERSION, problem_text
from sluice.cli.local_edit import default_namespace
from sluice.cli.table import write_table
from sluice.cli.terminal import Terminal
from sluice.cli.view import problem_fields
from sluice.core.image_update.request import WorkloadResult
from sluice.core.image_update.result import ImageChange, ImageUpdate
from sluice.core.image_update.workload import WorkloadId
from sluice.core.problem import printable
from sluice.core.problem_text import read_problems

if TYPE_CHECKING:
    from sluice.cli.answers import Cause, UpdatedWorkload, UpdateResult, WrittenField

HEADERS = ("WORKLOAD", "STATUS", "UPDATES", "FILE")


def show_release(
    terminal: Terminal, results: Sequence[WorkloadResult], update: ImageUpdate, *, everything: bool
) -> None:
    """The table of fluxctl: what stays is shown where it was asked for by name, else with -v."""
    rows = []
    for result in results:
        if not result.updates:
            if not everything or terminal.flags.verbose > (result.status == "ignored"):
                rows.append([printable(str(result.workload)), result.status, printable(result.reason), ""])
            continue
        name = printable(str(result.workload))
        for change in changes_of(result.workload, update, default_namespace(terminal.flags)):
            rows.append([name, result.status if name else "", *change_cells(change)])
            name = ""
        if result.reason:
            rows.append(["", "", printable(result.reason), ""])
    if rows:
        write_table(terminal, HEADERS, rows)
    for result in results:
        if result.problem is not None and not everything:
            terminal.warn(problem_text(terminal, result.problem))


def change_cells(change: ImageChange) -> list[str]:
    """What a change is, and where, for a table."""
    old, new = (printable(text) or "(none)" for text in (change.old, change.new))
    return [f"{printable(change.field)}: {old} -> {new}", f"{printable(change.path)}:{change.line}"]


def changes_of(identity: WorkloadId, update: ImageUpdate, namespace: str) -> list[ImageChange]:
    """The changes of one workload; `namespace` is that of objects which name none."""

    def is_of(change: ImageChange) -> bool:
        subject = change.subject
        return WorkloadId(subject.namespace or namespace, subject.kind.lower(), subject.name) == identity

    return [change for change in update.changes if is_of(change)]


def release_fields(result: WorkloadResult, update: ImageUpdate, namespace: str) -> UpdatedWorkload:
    """What became of a workload, for programs."""
    changes = changes_of(result.workload, update, namespace) if result.updates else []
    return {
        "workload": str(result.workload),
        "status": result.status,
        "reason": result.reason or None,
        "problem": None if result.problem is None else problem_fields(read_problems(str(result.problem))[0]),
        "updates": [change_fields(change) for change in changes],
    }


def change_fields(change: ImageChange) -> WrittenField:
    """A change for programs."""
    return {
        "field": change.field,
        "from": change.old or None,
        "to": change.new or None,
        "path": change.path,
        "line": change.line,
    }


def update_fields(
    kind: str, items: list[UpdatedWorkload], commits: Sequence[str], *, written: bool, problems: Sequence[Cause] = ()
) -> UpdateResult:
    """What was done, for programs; `kind` is ReleaseResult or PolicyResult."""
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "written": written,
        "commit": commits[0] if commits else None,
        "commits": list(commits),
        "problems": list(problems),
        "items": items,
    }

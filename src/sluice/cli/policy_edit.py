"""Policies of workloads to annotations, in git or in a checkout: what `automate`, `lock`, `policy` and others share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from sluice.cli.exit_codes import ExitCode, UsageRefused
from sluice.cli.flags import Flags, usage
from sluice.cli.local_edit import (
    WISHES,
    Files,
    Wish,
    carry_out,
    default_namespace,
    read_files,
    refuse_skipped,
    wish_of,
    workloads_of,
)
from sluice.cli.local_workloads import find_workloads
from sluice.cli.release import refuse_missing
from sluice.cli.release_output import HEADERS, change_cells, change_fields, changes_of, update_fields
from sluice.cli.structured import write_structured
from sluice.cli.table import write_table
from sluice.cli.terminal import Terminal
from sluice.core.errors import UserError
from sluice.core.image_policy.dialect_fluxd import fluxd_policy, pattern_text
from sluice.core.image_update.policy_annotation import PolicyUpdate
from sluice.core.image_update.result import ImageUpdate
from sluice.core.image_update.workload import Workload, WorkloadId
from sluice.core.message_template.fluxd import policies_message, policy_events
from sluice.core.problem import printable
from sluice.core.update_spec import PolicySpec

if TYPE_CHECKING:
    from sluice.cli.answers import UpdatedWorkload

EVERYTHING = "*"

# From a workload's name, who asks, and why, to what changes.
Make = Callable[[WorkloadId, str, str], PolicyUpdate]


def edit_policies(
    flags: Flags, verb: str, given: dict[str, Any], make: Make, check: Callable[[Workload], None] | None = None
) -> ExitCode:
    """Run a verb. `given` are its flags; `check` may refuse a workload as it is found, before anything is written."""
    names = (*given["words"], *given["workloads"])
    if not names:
        raise usage(f"{verb} needs a workload", field="--workload", fix=f"sluice {verb} -w deploy/web")
    if given["local"] is None:
        return _ask_operator(flags, verb, names, given, make)
    wish = wish_of(given["local"], **{key: given[key] for key in WISHES})
    return asyncio.run(_edit(Terminal(flags), wish, workloads_of(flags, names), make, check))


def _ask_operator(flags: Flags, verb: str, words: Sequence[str], given: dict[str, Any], make: Make) -> ExitCode:
    from sluice.cli.asked_update import Question, ask_operator, refuse_local_flags

    refuse_local_flags(verb, given)

    def spec_of(workloads: tuple[WorkloadId, ...], user: str, why: str) -> PolicySpec:
        return PolicySpec(tuple(make(workload, user, why) for workload in workloads))

    asked = {key: given[key] for key in ("message", "user", "dry_run")}
    return ask_operator(flags, Question("PolicyResult", words, spec_of, **asked))


def pattern_of(text: str, flag: str) -> str:
    """A tag pattern, with its prefix; `*` takes it away. Raises UsageRefused when it can't be read."""
    if text in {EVERYTHING, "glob:*"}:
        return EVERYTHING
    try:
        fluxd_policy(text, flag)
    except UserError as error:
        raise UsageRefused(*error.problems) from None
    return pattern_text(text)


async def _edit(
    terminal: Terminal,
    wish: Wish,
    workloads: Sequence[WorkloadId],
    make: Make,
    check: Callable[[Workload], None] | None,
) -> ExitCode:
    files = await read_files(terminal, wish, default_namespace(terminal.flags))
    namespace = default_namespace(terminal.flags)
    found = await find_workloads(files, tuple(workloads), namespace, for_annotations=True)
    refuse_missing(files, found.located, namespace)
    if check is not None:
        for _, workload in found.located.workloads.values():
            check(workload)
    user = wish.user or await files.person()
    updates = [make(identity, user, wish.message) for identity in workloads]
    update = await found.update_policies(updates)
    refuse_skipped(update)
    return await _finish(terminal, files, wish, updates, update)


async def _finish(
    terminal: Terminal, files: Files, wish: Wish, updates: Sequence[PolicyUpdate], update: ImageUpdate
) -> ExitCode:
    namespace = default_namespace(terminal.flags)
    results = [(each, changes_of(each.workload, update, namespace)) for each in updates]
    if not terminal.flags.structured:
        rows = []
        for each, changes in results:
            name = str(each.workload)
            rows += [] if changes else [[name, "skipped", "it is so already", ""]]
            for change in changes:
                rows.append([name, "success" if name else "", *change_cells(change)])
                name = ""
        write_table(terminal, HEADERS, rows)
    commit = await carry_out(terminal, files, update, wish, _message(updates, wish.message))
    if terminal.flags.structured:
        items: list[UpdatedWorkload] = [
            {
                "workload": str(each.workload),
                "status": "success" if changes else "skipped",
                "reason": None if changes else "it is so already",
                "problem": None,
                "updates": [change_fields(change) for change in changes],
            }
            for each, changes in results
        ]
        written = bool(update.files) and not wish.dry_run
        write_structured(terminal, update_fields("PolicyResult", items, [commit] if commit else [], written=written))
    return ExitCode.DONE


def _message(updates: Sequence[PolicyUpdate], said: str) -> str:
    events: dict[str, list[str]] = {}
    for update in updates:
        for event in policy_events(update.add, update.remove):
            events.setdefault(event, []).append(printable(str(update.workload)))
    return policies_message(sorted(events.items()), said)

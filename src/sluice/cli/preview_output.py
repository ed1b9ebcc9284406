"""A preview for programs: every object with what would happen to it, in the output contract's form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.cli.any_object import ref_of_id
from sluice.cli.error_output import API_VERSION, problem_fields
from sluice.cli.kinds import SYNCS
from sluice.cli.preview_input import Answer
from sluice.core.drift import Drifted, DriftMode
from sluice.core.object_diff import ABSENT, FieldChange
from sluice.reconcilers.preview import Previewed

if TYPE_CHECKING:
    from sluice.cli.answers import DriftedField, DriftedObject, FieldDifference, PlanItem, PlannedGroup, Preview


def answer_fields(answer: Answer, kind: str) -> Preview:
    """The whole answer."""
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "ref": ref_of_id(SYNCS.resource.id_of(answer.namespace, answer.name)),
        "compared": answer.compared,
        "group": _group(answer) if answer.group else None,
        "differs": answer.preview.differs,
        "items": [_object(each) for each in answer.preview.objects],
        "problems": [problem_fields(problem) for problem in answer.preview.problems],
        "warnings": [problem_fields(problem) for problem in answer.preview.warnings],
    }


def _group(answer: Answer) -> PlannedGroup:
    """The one transaction that it is part of."""
    members = [SYNCS.resource.id_of(member.namespace, member.name) for member in answer.preview.members]
    return {"name": answer.preview.group, "members": [ref_of_id(member) for member in members]}


def _object(each: Previewed) -> PlanItem:
    manifest = each.change.manifest
    origin = manifest.origin if manifest is not None else None
    return {
        "ref": ref_of_id(each.change.id),
        "sync": None if each.sync is None else ref_of_id(SYNCS.resource.id_of(each.sync.namespace, each.sync.name)),
        "effect": str(each.effect),
        "stage": each.stage.title if each.stage is not None else None,
        "reason": each.change.reason,
        "deferred": each.deferred,
        "origin": None
        if origin is None
        else {"path": origin.path, "line": origin.line, "commit": origin.commit, "renderer": origin.renderer},
        "fields": [_field(change) for change in each.fields],
        "drift": _drift(each.drift, each.mode) if each.drift is not None else None,
    }


def _drift(drifted: Drifted, mode: DriftMode) -> DriftedObject:
    """Who changed what others than git did."""
    fields: list[DriftedField] = [
        {"path": f.path, "what": f.what, "manager": f.manager, "time": f.time} for f in drifted.fields
    ]
    return {"mode": str(mode), "deleted": drifted.deleted, "fields": fields, "text": str(drifted)}


def _field(change: FieldChange) -> FieldDifference:
    found: FieldDifference = {"path": change.path, "action": change.action}
    if change.before is not ABSENT:
        found["before"] = change.before
    if change.after is not ABSENT:
        found["after"] = change.after
    return found


def summary(answer: Answer) -> str:
    """How many of what."""
    from collections import Counter

    counted = Counter(each.effect.value for each in answer.preview.objects)
    words = {
        "create": "to create",
        "adopt": "to adopt",
        "change": "to change",
        "replace": "to replace",
        "prune": "to prune",
        "refused": "refused",
        "skip": "skipped",
        "unchanged": "unchanged",
    }
    parts = [f"{counted[name]} {text}" for name, text in words.items() if counted[name]]
    of_whom = f" of {answer.group}" if answer.group else ""
    return f"Plan{of_whom}: {', '.join(parts) or 'no objects'}"

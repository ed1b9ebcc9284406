"""Answers held against the schemas that are published for them: nothing is in an answer that is in no schema."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import jsonschema_rs

from docs.generate import FOLDER, schema_name
from sluice.cli.answers import ANSWERS, LogLine, ProblemList


def check_answer(verb: str, answer: Any) -> None:
    """Fail unless what a verb answered is as one of its schemas says, or a list of problems."""
    shapes = (ProblemList, *ANSWERS[verb])
    kind = answer.get("kind") if isinstance(answer, dict) else None
    failures = {}
    for shape in shapes:
        errors = [f"{list(e.instance_path)}: {e.message}" for e in _validator(schema_name(shape)).iter_errors(answer)]
        if not errors:
            return
        failures[shape.__name__] = errors[:5]
    raise AssertionError(f"`{verb}` answered a {kind} of another form than its schemas: {failures}")


# What the operator logs beside the fields that people look for is its own business.
_OPEN = {schema_name(LogLine)}


@cache
def _validator(name: str) -> Any:
    schema = json.loads((FOLDER / "schemas" / name).read_text())
    return jsonschema_rs.validator_for(schema if name in _OPEN else _closed(schema))


def _closed(schema: Any) -> Any:
    """The schema without room for unknown fields: readers must leave some, but we must not use it."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        closed["additionalProperties"] = False
    return closed

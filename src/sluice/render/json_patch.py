"""What is wrong with a patch as such: a JSON patch's operations, one by one; a merge patch must be a map."""

from __future__ import annotations

from typing import Any

from sluice.core.yaml_read import read_documents

_NEEDS = {"add": "value", "replace": "value", "test": "value", "remove": "", "move": "from", "copy": "from"}


def patch_fault(data: bytes) -> str:
    """Say what is wrong with a patch, naming the operation and its path; nothing when it is well formed."""
    documents, problems = read_documents(data, "")
    if problems:
        first = problems[0]
        line = first.origin.line if first.origin is not None else 0
        return f"line {line} of it: {first.cause or first.title}"
    if not documents:
        return "it is empty"
    for document in documents:
        if isinstance(document.value, list):
            faults = [fault for index, item in enumerate(document.value) if (fault := _operation_fault(index, item))]
            if faults:
                return "; ".join(faults)
        elif not isinstance(document.value, dict):
            return "it is neither a map nor a list of operations"
    return ""


def _operation_fault(index: int, item: Any) -> str:
    if not isinstance(item, dict):
        return f"operation {index} is no map"
    op, path = item.get("op"), item.get("path")
    if not isinstance(op, str) or op not in _NEEDS:
        return f"operation {index}: op {op!r} is none of {', '.join(_NEEDS)}"
    if not isinstance(path, str) or (path and not path.startswith("/")):
        return f"operation {index}: path {path!r} must start with '/'"
    needed = _NEEDS[op]
    return f"operation {index} ({op} {path}) has no {needed!r}" if needed and needed not in item else ""


def operation_at(data: bytes, path: str) -> int | None:
    """Find which operation of a JSON patch has this path."""
    documents, _ = read_documents(data, "")
    operations = [item for document in documents if isinstance(document.value, list) for item in document.value]
    return next(
        (
            i
            for i, item in enumerate(operations)
            if isinstance(item, dict) and path in (item.get("path"), item.get("from"))
        ),
        None,
    )

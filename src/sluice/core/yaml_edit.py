"""Change values in a YAML file and nothing else: comments, quotes, indentation and line ends stay as they are.

The new text is read again before it is handed out. What reads back other than intended is refused, so a caller gets
either exactly the change that it asked for or an error, never something near it.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from sluice.core import codes
from sluice.core.yaml_node import SCALAR, Node
from sluice.core.yaml_quote import plain_or_quoted, quoted
from sluice.core.yaml_read import read_documents
from sluice.core.yaml_text import Address, Edit, EditRefused, YamlText

_STRING_TAGS = {None, "!", "tag:yaml.org,2002:str"}


def set_scalars(file: YamlText, values: Mapping[Address, str], quote: str = '"') -> bytes:
    """Make scalars of a file the given strings. An unquoted one gets quotes of kind `quote` if it needs them.

    Only the bytes of the values differ afterwards; a value that is there already changes nothing. Raises EditRefused
    for a value that is shared, that is a map or a list, or that is written in a form which can't be kept.
    """
    edits = [edit for address, value in values.items() if (edit := scalar_edit(file, address, value, quote))]
    data = file.edited(edits)
    return verified(file, data, changed(file.values(), values)) if edits else data


def scalar_edit(file: YamlText, address: Address, value: str, quote: str = '"') -> Edit | None:
    """The edit that makes one scalar the string `value`; None if it is that already. Raises EditRefused."""
    branch = file.branch(address)
    node = branch[-1]
    if node.kind != SCALAR:
        raise file.refused(codes.VALUE_FORM, f"the value is a {node.kind}", at=node, address=address)
    if value_at(file, address) == value:
        return None
    if node.tag not in _STRING_TAGS:
        raise _bad_form(file, address, node, f"it has the tag {node.tag}", "remove the tag")
    offset = file.document(address).chunk.start
    in_flow = any(parent.style in {"{", "["} for parent in branch[:-1])
    style = node.style or ('"' if in_flow and any(held.key and held.key.style == '"' for held in branch) else "")
    if node.style in {"|", ">"}:
        start, end, text = _in_block(file, address, node, value)
    elif node.start == node.end and not node.style:
        start = end = _after_colon(file, address, node)
        text = " " + plain_or_quoted(value, quote, in_flow=in_flow)
    else:
        start, end = node.start, node.end
        text = quoted(value, style) if style else plain_or_quoted(value, quote, in_flow=in_flow)
    return Edit(offset + start, offset + end, text)


def value_at(file: YamlText, address: Address) -> Any:
    """The value at an address as the API server reads it. The address has to be there (`YamlText.branch`)."""
    value = file.document(address).value
    for step in address.path:
        value = value[step]
    return value


def _in_block(file: YamlText, address: Address, node: Node, value: str) -> tuple[int, int, str]:
    """Replace the one line of a block scalar that ends without a line break (`|-`, `>-`)."""
    chunk = file.document(address).chunk.text
    body = chunk.find("\n", node.start, node.end) + 1
    line = chunk[body : node.end].strip()
    if not body or line != node.text or "\n" in line:
        raise _bad_form(
            file, address, node, f"it is a block scalar ({node.style}) that keeps line breaks or has several"
        )
    if not value.isprintable() or value != value.strip() or not value:
        raise _bad_form(file, address, node, "the new value does not fit a block scalar")
    start = chunk.index(line, body)
    return start, start + len(line), value


def _after_colon(file: YamlText, address: Address, node: Node) -> int:
    """Where the value of a key stands that has none yet."""
    chunk = file.document(address).chunk.text
    colon = (
        -1 if node.key is None else node.key.end + len(chunk[node.key.end :]) - len(chunk[node.key.end :].lstrip(" "))
    )
    if colon < 0 or chunk[colon : colon + 1] != ":":
        raise _bad_form(file, address, node, "there is no value yet")
    return colon + 1


def _bad_form(file: YamlText, address: Address, node: Node, cause: str, fix: str = "") -> EditRefused:
    fix = fix or "write the value on one line behind its key"
    return file.refused(
        codes.VALUE_FORM, "the value can't be changed in place", at=node, address=address, cause=cause, fix=fix
    )


def changed(documents: list[Any], values: Mapping[Address, str]) -> list[Any]:
    """Copy documents' values with those at the addresses replaced."""
    copied = copy.deepcopy(documents)
    for address, value in values.items():
        holder = copied[address.document - 1]
        if not address.path:
            copied[address.document - 1] = value
            continue
        for step in address.path[:-1]:
            holder = holder[step]
        holder[address.path[-1]] = value
    return copied


def verified(file: YamlText, data: bytes, expected: list[Any]) -> bytes:
    """Give `data` back if it reads as `expected`. Raises EditRefused otherwise: such an edit must not be made."""
    documents, problems = read_documents(data, file.path, file.commit)
    if problems:
        raise _not_exact(file, f"the result would not be valid: {problems[0].title}")
    if not is_same([document.value for document in documents], expected):
        raise _not_exact(file, "the result would read differently than intended")
    return data


def _not_exact(file: YamlText, cause: str) -> EditRefused:
    fix = "write the value plainly, one key a line; if it is written so already, report this as a fault of Sluice"
    return file.refused(codes.EDIT_NOT_EXACT, "the edit would not be exact", cause=cause, fix=fix)


def is_same(one: Any, other: Any) -> bool:
    """Compare two values with their types: 1, 1.0 and true are three values."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(is_same(item, other[key]) for key, item in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    return bool(one == other)

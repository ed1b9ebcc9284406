"""Insert a key into a map of a YAML file, or delete one, as a change of its own line or of its place in `{…}`."""

from __future__ import annotations

from sluice.core import codes
from sluice.core.yaml_node import LIST, MAP, Node
from sluice.core.yaml_quote import plain_or_quoted, quoted
from sluice.core.yaml_text import Address, Edit, EditRefused, YamlText


def inserted(file: YamlText, address: Address, key: str, value: str | dict[str, str], quote: str) -> Edit:
    """The edit that appends a key to the map at `address`; the value is a string or a map of strings.

    In a block map the key gets a line of its own behind the last one. Raises EditRefused when there is no map.
    """
    node = file.branch(address)[-1]
    if node.kind != MAP:
        raise _refused(file, address, node, f"it is a {node.kind}, not a map")
    if node.style or not node.keys:
        return _into_flow(file, address, node, key, value, quote)
    chunk = file.document(address).chunk
    first = next(iter(node.keys.values()))
    indent = _column(first)
    step = max(indent - _column(node), 1) if node.key is not None else 2
    line_end = _line_break(file.text)
    lines = [" " * indent + line for line in _block_lines(key, value, step, quote)]
    return _after(file, chunk.start + _end_of_entries(chunk.text, node), lines, line_end)


def appended(file: YamlText, address: Address, block: list[str], flow: str) -> Edit:
    """The edit that appends an entry to the map or the list at `address`: as lines to a block, else as `flow` text.

    Raises EditRefused where there is neither.
    """
    node = file.branch(address)[-1]
    chunk = file.document(address).chunk
    entries = list(node.keys.values()) or node.items
    if node.kind not in {MAP, LIST}:
        raise _refused(file, address, node, f"it is a {node.kind}, neither a map nor a list")
    if node.style or not entries:
        if not entries:
            at = chunk.start + node.start + 1
            return Edit(at, at, flow)
        at = chunk.start + entry_end(entries[-1])
        return Edit(at, at, f", {flow}")
    line_start = chunk.text.rfind("\n", 0, entries[0].start) + 1
    dash = chunk.text.rfind("-", line_start, entries[0].start) - line_start
    indent = _column(entries[0]) if node.kind == MAP else dash
    lines = [" " * indent + line for line in block]
    return _after(file, chunk.start + _end_of_entries(chunk.text, node), lines, _line_break(file.text))


def filled(file: YamlText, address: Address, values: dict[str, str], quote: str) -> Edit:
    """The edit that gives a key with no value (or `null`, or `{}`) a map as its value."""
    branch = file.branch(address)
    node = branch[-1]
    chunk = file.document(address).chunk
    if node.kind == MAP or node.text or node.key is None or any(parent.style for parent in branch[:-1]):
        text = _flow_entries(values, quote, json=_is_json(node))
        start, end = (node.start + 1, node.start + 1) if node.kind == MAP else (node.start, node.end)
        return Edit(chunk.start + start, chunk.start + end, text if node.kind == MAP else f"{{{text}}}")
    column = _column(node)
    step = column - _column(branch[-2]) if len(branch) > 1 and branch[-2].key is not None else 2
    lines = [
        " " * (column + max(step, 1)) + line for name in values for line in _block_lines(name, values[name], 2, quote)
    ]
    return _after(file, chunk.start + node.key.end, lines, _line_break(file.text))


def deleted(file: YamlText, address: Address) -> Edit:
    """The edit that deletes the key at `address` with its value. Raises EditRefused where that leaves no map."""
    branch = file.branch(address)
    holder, node = branch[-2], branch[-1]
    key = node.key
    if key is None:
        raise _refused(file, address, node, "it is no key of a map")
    chunk = file.document(address).chunk
    if holder.style:
        start, end = _flow_span(chunk.text, holder, node, key)
    elif len(holder.keys) == 1:
        raise _refused(file, address, node, "it is the only key of its map")
    else:
        start, end = _block_span(file, address, chunk.text, holder, node, key)
    return Edit(chunk.start + start, chunk.start + end, "")


def content_end(text: str, node: Node) -> int:
    """Where the last character of a value is followed by nothing but white space that belongs to nobody."""
    return max(len(text[: node.end].rstrip()), node.start)


def entry_end(node: Node) -> int:
    """Where a value ends, or its key where there is no value."""
    return node.end if node.key is None else max(node.end, node.key.end)


def _block_span(file: YamlText, address: Address, text: str, holder: Node, node: Node, key: Node) -> tuple[int, int]:
    line_start = text.rfind("\n", 0, key.start) + 1
    after = text.find("\n", max(content_end(text, node), key.end))
    end = len(text) if after < 0 else after + 1
    if not text[line_start : key.start].strip():
        # A file without a line break at its end stays one.
        return (line_start if after >= 0 else len(text[:line_start].removesuffix("\n").removesuffix("\r"))), end
    # The key stands behind a list's dash: what follows it moves there.
    following = [other.key for other in holder.keys.values() if other.key is not None and other.key.start > key.start]
    if not following or text[end : following[0].start].strip():
        raise _refused(file, address, node, "other text stands on its line")
    return key.start, following[0].start


def _flow_span(text: str, holder: Node, node: Node, key: Node) -> tuple[int, int]:
    entries = list(holder.keys.values())
    index = entries.index(node)
    start, end = key.start, entry_end(node)
    comma = end + len(text[end : holder.end]) - len(text[end : holder.end].lstrip())
    has_comma = text[comma] == ","
    if index and not (has_comma and "\n" in text[entries[index - 1].end : start]):
        before = entry_end(entries[index - 1])
        if "#" not in text[before:start]:
            return before, end
    if has_comma:
        end = comma + 1
        end += len(text[end : holder.end]) - len(text[end : holder.end].lstrip(" "))
    line_start, line_end = text.rfind("\n", 0, start) + 1, text.find("\n", end)
    if 0 <= line_end < holder.end and not text[line_start:start].strip() and not text[end:line_end].strip():
        return line_start, line_end + 1
    return start, end


def _into_flow(file: YamlText, address: Address, node: Node, key: str, value: str | dict[str, str], quote: str) -> Edit:
    chunk = file.document(address).chunk
    entries = list(node.keys.values())
    last = entries[-1] if entries else None
    if last is None or last.key is None:
        return Edit(
            chunk.start + node.start + 1,
            chunk.start + node.start + 1,
            _flow_entry(key, value, quote, json=_is_json(node)),
        )
    json = _is_json(last)
    at = entry_end(last)
    before = chunk.text[chunk.text.rfind("\n", 0, last.key.start) + 1 : last.key.start]
    gap = _line_break(file.text) + before if "\n" in chunk.text[node.start : at] and not before.strip() else " "
    return Edit(chunk.start + at, chunk.start + at, f",{gap}{_flow_entry(key, value, quote, json=json)}")


def _block_lines(key: str, value: str | dict[str, str], step: int, quote: str) -> list[str]:
    name = plain_or_quoted(key, quote, in_flow=False)
    if isinstance(value, str):
        return [f"{name}: {plain_or_quoted(value, quote, in_flow=False)}"]
    return [
        f"{name}:",
        *(" " * step + line for inner in value for line in _block_lines(inner, value[inner], step, quote)),
    ]


def _flow_entry(key: str, value: str | dict[str, str], quote: str, *, json: bool) -> str:
    if not isinstance(value, str):
        text = f"{{{_flow_entries(value, quote, json=json)}}}"
    else:
        text = quoted(value, '"') if json else plain_or_quoted(value, quote, in_flow=True)
    return f"{quoted(key, chr(34)) if json else plain_or_quoted(key, quote, in_flow=True)}: {text}"


def _flow_entries(values: dict[str, str], quote: str, *, json: bool) -> str:
    return ", ".join(_flow_entry(key, value, quote, json=json) for key, value in values.items())


def _end_of_entries(text: str, node: Node) -> int:
    """Where the last line of a block map ends, in characters of its chunk."""
    last = node
    while last.keys or last.items:
        if last.style:
            break
        last = max([*last.keys.values(), *last.items], key=lambda child: (child.end, child.start))
    header = text[last.start : last.end].partition("\n")[0]
    if last.style in {"|", ">"} and "+" in header.partition("#")[0]:
        return last.end - 1
    return max(content_end(text, last), entry_end(last) if not last.style else 0)


def _after(file: YamlText, at: int, lines: list[str], line_end: str) -> Edit:
    """Insert lines behind the line that holds the character `at` of the file."""
    end = file.text.find("\n", at)
    if end < 0:
        return Edit(len(file.text), len(file.text), "".join(line_end + line for line in lines))
    return Edit(end + 1, end + 1, "".join(line + line_end for line in lines))


def _line_break(text: str) -> str:
    first = text.find("\n")
    return "\r\n" if first > 0 and text[first - 1] == "\r" else "\n"


def _is_json(node: Node) -> bool:
    return node.key is not None and node.key.style == '"'


def _column(node: Node) -> int:
    return node.named.column - 1


def _refused(file: YamlText, address: Address, node: Node, cause: str) -> EditRefused:
    return file.refused(
        codes.METADATA_FORM,
        "the map can't be edited where it is",
        at=node,
        address=address,
        cause=cause,
        fix="write metadata and annotations as plain maps, one key a line",
    )

"""Rows to columns: aligned text in a pipe, the same through rich on a terminal, cut to its width."""

from __future__ import annotations

from collections.abc import Sequence

from sluice.cli.terminal import Terminal


def write_table(terminal: Terminal, headers: Sequence[str], rows: Sequence[Sequence[str]], cut: str = "") -> None:
    """Write the rows under their headers (unless --no-headers).

    On a terminal the column `cut` gives way when a row is too wide; in a pipe nothing is ever cut.
    """
    shown = [] if terminal.flags.no_headers else [list(headers)]
    if terminal.width and cut in headers:
        rows = _fitted(headers, rows, headers.index(cut), terminal.width)
    shown += [list(row) for row in rows]
    widths = [max((_columns(row[i]) for row in shown), default=0) for i in range(len(headers))]
    lines = []
    for row in shown:
        cells = [cell + " " * (width - _columns(cell)) for cell, width in zip(row, widths, strict=True)]
        lines.append("   ".join(cells).rstrip())
    if lines:
        terminal.answer("\n".join(lines))


def _fitted(headers: Sequence[str], rows: Sequence[Sequence[str]], index: int, width: int) -> list[list[str]]:
    others = [max([len(h), *(_columns(row[i]) for row in rows)]) for i, h in enumerate(headers) if i != index]
    room = max(20, width - sum(others) - 3 * (len(headers) - 1))
    fitted = []
    for row in rows:
        cells = list(row)
        cells[index] = _clipped(cells[index], room)
        fitted.append(cells)
    return fitted


def _clipped(text: str, room: int) -> str:
    if _columns(text) <= room:
        return text
    while _columns(text) > room - 1:
        text = text[:-1]
    return text + "…"


def _columns(text: str) -> int:
    """How many columns a terminal needs for `text`, colours aside."""
    if "\x1b" in text:
        import re

        text = re.sub(r"\x1b\[\d+m", "", text)
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)

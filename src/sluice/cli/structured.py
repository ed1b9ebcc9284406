"""Answers for programs: JSON or YAML of the output contract (`apiVersion: cli.sluice.dev/v1`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from sluice.cli.terminal import Terminal


def write_structured(terminal: Terminal, answer: Mapping[str, Any], *, one_line: bool = False) -> None:
    """Write `answer` as `-o` asks. `one_line` is for streams: one JSON object a line."""
    if terminal.flags.output == "yaml":
        terminal.answer(to_yaml(answer).rstrip("\n") + ("\n---" if one_line else ""))
        return
    text = msgspec.json.encode(answer)
    terminal.answer((text if one_line else msgspec.json.format(text, indent=2)).decode())


def to_yaml(answer: Any) -> str:
    """YAML without aliases, keys in the order given."""
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

    text: str = yaml.dump(answer, Dumper=Dumper, sort_keys=False, width=120, allow_unicode=True)
    return text

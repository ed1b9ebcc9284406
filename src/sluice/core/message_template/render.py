"""A template and its data to a commit message."""

from __future__ import annotations

from typing import Any

from sluice.core.message_template.builtin import BUILTINS
from sluice.core.message_template.evaluator import Evaluation
from sluice.core.message_template.fault import limit
from sluice.core.message_template.parser import parse
from sluice.core.message_template.sprig_data import DATA
from sluice.core.message_template.sprig_regex import REGEX
from sluice.core.message_template.sprig_text import TEXTS

MAX_TEMPLATE = 65_536

FUNCTIONS = BUILTINS | TEXTS | DATA | REGEX


def render(template: str, data: Any) -> str:
    """Evaluate a template. Raises TemplateRefused with the template's line; the same input gives the same text."""
    if len(template) > MAX_TEMPLATE:
        raise limit(f"it has {len(template):,} characters, limit {MAX_TEMPLATE:,}", 1)
    return Evaluation(parse(template, FUNCTIONS), FUNCTIONS).run(data)


def check(template: str) -> None:
    """Raises TemplateRefused when a template can't be parsed, or calls a function that there is not."""
    if len(template) > MAX_TEMPLATE:
        raise limit(f"it has {len(template):,} characters, limit {MAX_TEMPLATE:,}", 1)
    parse(template, FUNCTIONS)

"""Health by a user's expressions: the first that is true decides, and what has no answer is not true."""

from __future__ import annotations

from typing import Any

import pytest

from sluice.core.cel import parse_cel
from sluice.core.health import CustomHealth, HealthStatus, assess, rule_for
from sluice.core.ids import GroupKind

RULE = CustomHealth(
    "example.com",
    "Widget",
    current=parse_cel("status.phase == 'Done'"),
    in_progress=parse_cel("metadata.generation != status.observedGeneration"),
    failed=parse_cel("status.conditions.exists(c, c.type == 'Broken' && c.status == 'True')"),
)
BROKEN = [{"type": "Broken", "status": "True"}]


def widget(status: dict[str, Any] | None, **meta: Any) -> dict[str, Any]:
    found = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w", "generation": 2, **meta}}
    return found if status is None else {**found, "status": status}


@pytest.mark.parametrize(
    ("status", "verdict", "words"),
    [
        (None, HealthStatus.IN_PROGRESS, "has no answer"),
        ({"phase": "Done"}, HealthStatus.CURRENT, "status.phase == 'Done' is true"),
        ({"phase": "Done", "observedGeneration": 1}, HealthStatus.IN_PROGRESS, "metadata.generation"),
        ({"phase": "Done", "observedGeneration": 2, "conditions": BROKEN}, HealthStatus.FAILED, "Broken"),
        ({"phase": "Half", "observedGeneration": 2, "conditions": []}, HealthStatus.IN_PROGRESS, "none of the"),
        ({"phase": 7, "observedGeneration": "x", "conditions": "none"}, HealthStatus.IN_PROGRESS, ""),
    ],
)
def test_the_first_expression_that_is_true_decides(
    status: dict[str, Any] | None, verdict: HealthStatus, words: str
) -> None:
    health = assess(widget(status), rule=RULE)
    assert health.status is verdict
    assert words in health.message


def test_what_is_being_deleted_is_not_healthy_whatever_an_expression_says() -> None:
    going = widget({"phase": "Done"}, deletionTimestamp="2026-01-02T03:04:05Z")
    assert assess(going, rule=RULE).status is HealthStatus.TERMINATING


def test_a_rule_is_for_its_kind_and_one_without_a_kind_for_its_group() -> None:
    every = CustomHealth("example.com", "", current=parse_cel("true"))
    assert rule_for(GroupKind("example.com", "Widget"), (RULE, every)) is RULE
    assert rule_for(GroupKind("example.com", "Gadget"), (RULE, every)) is every
    assert rule_for(GroupKind("apps", "Deployment"), (RULE, every)) is None

"""Spans of a turn: what is below what, which turns are told, and that nothing is noted while nobody asks."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from sluice import __file__ as package
from sluice.core import codes
from sluice.core.errors import UserError
from sluice.core.problem import Problem
from sluice.core.span import Span, trace_of
from sluice.runtime import tracing


def test_a_turn_that_changed_something_is_told_with_its_parts_in_the_trace_of_its_revision() -> None:
    told: list[Span] = []
    with tracing.traced(told.extend), tracing.turn("reconcile", name="apps"):
        tracing.about("GitRepository/x/y", "main@sha1:00")
        with tracing.span("apply", objects=2), tracing.span("inner"):
            tracing.worth_telling()
    whole, inner, apply = told
    trace, top = trace_of("GitRepository/x/y", "main@sha1:00")
    assert {span.trace for span in told} == {trace}
    assert (whole.name, whole.parent, whole.error) == ("reconcile", top, "")
    assert whole.attributes == {"name": "apps", "source": "GitRepository/x/y", "revision": "main@sha1:00"}
    assert (apply.name, apply.parent, apply.attributes) == ("apply", whole.id, {"objects": 2})
    assert (inner.name, inner.parent) == ("inner", apply.id)
    assert whole.began <= apply.began <= inner.began <= inner.ended <= apply.ended <= whole.ended


def test_the_turn_that_fetched_a_revision_is_the_top_of_its_trace() -> None:
    told: list[Span] = []
    with tracing.traced(told.extend), tracing.turn("reconcile"):
        with tracing.span("fetch"):
            pass
        tracing.about("s", "r", fetched=True)
    assert [(span.id, span.parent) for span in told if span.name == "reconcile"] == [(trace_of("s", "r")[1], "")]
    assert next(span for span in told if span.name == "fetch").parent == trace_of("s", "r")[1]


def test_a_turn_that_came_to_nothing_is_not_told() -> None:
    told: list[Span] = []
    with tracing.traced(told.extend), tracing.turn("reconcile"):
        tracing.about("s", "r")
        with tracing.span("render"):
            pass
    assert told == []


def test_what_is_raised_is_told_in_its_own_words_only_where_it_is_ours() -> None:
    told: list[Span] = []
    mine = UserError(Problem(codes.SPEC_INVALID, "a field is wrong"))
    with tracing.traced(told.extend), tracing.turn("reconcile"):
        tracing.worth_telling("E245")
        for name, error in (("mine", mine), ("strange", ValueError("password"))):
            with pytest.raises((UserError, ValueError)), tracing.span(name):
                raise error
    errors = {span.name: span.error for span in told}
    assert errors == {"reconcile": "E245", "mine": str(mine), "strange": "ValueError"}


async def test_turns_at_once_keep_to_themselves_and_their_tasks_belong_to_them() -> None:
    told: list[tuple[Span, ...]] = []

    async def part(name: str) -> None:
        with tracing.span(name):
            await asyncio.sleep(0)

    async def one(name: str) -> None:
        with tracing.turn(name):
            tracing.worth_telling()
            async with asyncio.TaskGroup() as group:
                for _ in range(3):
                    group.create_task(part(f"{name}-part"))

    with tracing.traced(told.append):
        async with asyncio.TaskGroup() as group:
            for name in ("a", "b"):
                group.create_task(one(name))
    for spans in told:
        whole, *parts = spans
        assert [span.name for span in parts] == [f"{whole.name}-part"] * 3
        assert {span.parent for span in parts} == {whole.id}
    assert len({spans[0].trace for spans in told}) == 2


def test_while_nobody_asks_nothing_is_noted_and_of_one_turn_no_more_than_so_many() -> None:
    assert tracing.span("a") is tracing.span("b")
    with tracing.turn("reconcile"):
        assert tracing.span("a") is tracing.span("b")
    told: list[Span] = []
    with tracing.traced(told.extend), tracing.turn("reconcile"):
        tracing.worth_telling()
        for _ in range(tracing.MOST_SPANS + 10):
            with tracing.span("x"):
                pass
    assert len(told) == tracing.MOST_SPANS + 1


def test_an_operator_without_traces_imports_nothing_of_them() -> None:
    unwanted = "'sluice.notify.otlp' in sys.modules or 'jwt' in sys.modules"
    look = f"import sys, sluice.wiring, sluice.cli.run; sys.exit({unwanted})"
    source = str(Path(package).parent.parent)
    done = subprocess.run([sys.executable, "-c", look], env={"PYTHONPATH": source}, check=False)
    assert done.returncode == 0

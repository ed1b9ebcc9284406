"""Which sync wants which object, and who has to be asked: once for each change, however many prune."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import pytest

from sluice.api.kustomization import GROUP, KIND
from sluice.core.ids import ResourceId
from sluice.core.manifest import Manifest
from sluice.core.plan import Owner
from sluice.core.problem import Origin
from sluice.reconcilers.claims import Claims
from sluice.reconcilers.doubts import Doubts

A, B, C = (Owner("flux-system", name) for name in "abc")
X, Y, Z = (ResourceId("", "ConfigMap", "shop", name) for name in "xyz")


def test_what_others_want_is_told_and_what_only_the_asker_wants_is_not() -> None:
    claims = Claims()
    claims.note(A, frozenset({X, Y}), "1")
    claims.replace(B, {Y, Z}, "1")
    assert [claims.others(A, key) for key in (X, Y, Z)] == [(), (B,), (B,)]
    assert [claims.others(B, key) for key in (X, Y, Z)] == [(A,), (A,), ()]
    assert claims.others(C, Y) == (A, B)


def test_what_is_not_wanted_any_more_is_forgotten_and_the_wish_of_another_stays() -> None:
    claims = Claims()
    claims.note(A, frozenset({X, Y}), "1")
    claims.note(B, frozenset({Y}), "1")
    claims.note(A, frozenset({X}), "2")
    assert [claims.others(C, key) for key in (X, Y)] == [(A,), (B,)]
    claims.unsee(B)
    assert [claims.others(C, key) for key in (X, Y)] == [(A,), ()]
    claims.drop(A)
    assert claims.others(C, X) == ()


def test_who_else_has_something_in_a_namespace_is_told_by_wishes_and_by_claims() -> None:
    claims = Claims()
    claims.note(A, frozenset({X}), "1")
    claims.replace(B, {Y}, "1")
    assert claims.others_in(C, "shop") == {A: X, B: Y}
    assert claims.others_in(A, "shop") == {B: Y}
    assert claims.others_in(C, "elsewhere") == {}
    claims.unsee(B)  # it can't be rendered now: it keeps what it has
    assert claims.others_in(C, "shop") == {A: X, B: Y}
    claims.note(B, frozenset(), "2")
    claims.drop(A)
    assert claims.others_in(C, "shop") == {}


def test_a_sync_whose_wish_is_forgotten_keeps_what_it_claims() -> None:
    claims = Claims()
    claims.replace(A, {X}, "1")
    claims.unsee(A)
    assert claims.get(X) == A
    assert claims.seen(A, "1") is None


def asked_by(doubts: Doubts, asker: Owner, unknown: Collection[Owner] = ()) -> frozenset[Owner]:
    """Who is asked when `asker` prunes."""
    asked: list[frozenset[Owner]] = []

    async def ask(owners: frozenset[Owner]) -> Collection[Owner]:
        asked.append(owners)
        return unknown

    asyncio.run(doubts.settle(asker, ask))
    return asked[0]


def test_each_is_asked_once_until_something_of_it_changes() -> None:
    doubts = Doubts()
    for owner in (A, B, C):
        doubts.cast(owner)
    assert asked_by(doubts, A) == {B, C}
    assert asked_by(doubts, B) == {A}
    assert asked_by(doubts, C) == frozenset()
    doubts.cast(B)
    assert asked_by(doubts, A) == {B}


def test_who_could_not_say_is_asked_again() -> None:
    doubts = Doubts()
    doubts.cast(B)
    assert asked_by(doubts, A, unknown={B}) == {B}
    assert asked_by(doubts, A) == {B}


def test_when_asking_fails_everyone_stays_in_doubt() -> None:
    doubts = Doubts()
    doubts.cast(B)

    async def fail(owners: frozenset[Owner]) -> Collection[Owner]:
        raise OSError

    with pytest.raises(OSError):
        asyncio.run(doubts.settle(A, fail))
    assert asked_by(doubts, A) == {B}


def test_a_change_while_it_is_asked_makes_it_be_asked_again() -> None:
    doubts = Doubts()
    doubts.cast(B)

    async def ask(owners: frozenset[Owner]) -> Collection[Owner]:
        doubts.cast(B)
        return ()

    asyncio.run(doubts.settle(A, ask))
    assert asked_by(doubts, A) == {B}


def test_the_second_who_prunes_waits_for_the_answers_that_the_first_has_asked_for() -> None:
    doubts = Doubts()
    doubts.cast(C)
    order: list[str] = []

    async def slow(owners: frozenset[Owner]) -> Collection[Owner]:
        await asyncio.sleep(0.01)
        order.append(f"asked {len(owners)}")
        return ()

    async def prune(asker: Owner) -> None:
        await doubts.settle(asker, slow)
        order.append(f"{asker.name} goes on")

    async def both() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(prune(A))
            group.create_task(prune(B))

    asyncio.run(both())
    assert order == ["asked 1", "a goes on", "asked 0", "b goes on"]


def test_who_wants_kustomizations_is_told_until_that_can_not_be_said_any_more() -> None:
    claims, child = Claims(), Manifest(ResourceId(GROUP, KIND, "shop", "child"), "v1", b"{}", Origin("child.yaml"), b"")
    claims.note(A, frozenset({X, child.id}), "1", (child,))
    claims.replace(B, {child.id}, "1", (child,))
    claims.replace(C, {X}, "1")
    assert claims.makers() == {A: (child,), B: (child,)}
    claims.unsee(A)
    claims.drop(B)
    assert claims.makers() == {}

"""Who is woken when one that an object is held for changes, also while it is still being looked whom it is held for."""

from __future__ import annotations

from sluice.core.plan import Owner
from sluice.reconcilers.wishes import Wishes

HOLDER, TAKER, OTHER = (Owner("flux-system", name) for name in ("holder", "taker", "other"))


def test_who_holds_something_for_one_that_changes_is_woken() -> None:
    wishes = Wishes()
    wishes.offer(HOLDER, {TAKER})
    assert wishes.changed(TAKER) == [HOLDER]
    assert wishes.changed(OTHER) == []
    wishes.offer(HOLDER, ())
    assert wishes.changed(TAKER) == []


def test_every_look_under_way_learns_who_has_changed_meanwhile_and_none_that_is_over() -> None:
    wishes = Wishes()
    with wishes.looking() as first:
        wishes.changed(TAKER)
        with wishes.looking() as second:
            wishes.changed(OTHER)
        assert (first, second) == ({TAKER, OTHER}, {OTHER})
        wishes.changed(HOLDER)
    wishes.changed(HOLDER)
    assert (first, second) == ({TAKER, OTHER, HOLDER}, {OTHER})

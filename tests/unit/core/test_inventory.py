"""What an owner has ever touched and not yet let go."""

from __future__ import annotations

from sluice.core.inventory import Entry, Inventory
from tests.plans import entry, manifest, rid

A, B, C = (manifest("ConfigMap", name) for name in "abc")


def test_entries_stand_in_the_order_of_their_ids_whatever_came_first() -> None:
    assert list(Inventory([entry(C), entry(A), entry(B)])) == [entry(A), entry(B), entry(C)]
    assert Inventory([entry(A), entry(B)]) == Inventory([entry(B), entry(A)])
    assert hash(Inventory([entry(A), entry(B)])) == hash(Inventory([entry(B), entry(A)]))


def test_a_union_keeps_every_entry_and_the_later_one_wins() -> None:
    later = Entry(A.id, "v1", "uid-2", b"new", "g2")
    merged = Inventory([entry(A), entry(B)]).union(Inventory([later, entry(C)]))
    assert list(merged) == [later, entry(B), entry(C)]


def test_a_union_never_forgets_a_known_uid() -> None:
    merged = Inventory([entry(A, "uid-1")]).union(Inventory([Entry(A.id, "v1")]))
    assert list(merged) == [Entry(A.id, "v1", "uid-1")]


def test_one_id_has_one_entry_across_api_versions() -> None:
    old, new = Entry(rid("Gadget", "a"), "example.com/v1alpha1", "u"), Entry(rid("Gadget", "a"), "example.com/v1", "u")
    assert list(Inventory([old]).union(Inventory([new]))) == [new]


def test_without_drops_those_ids_and_no_other() -> None:
    assert list(Inventory([entry(A), entry(B)]).without([A.id, C.id])) == [entry(B)]


def test_lookups_answer_for_ids() -> None:
    inventory = Inventory([entry(A)])
    assert A.id in inventory
    assert B.id not in inventory
    assert inventory.get(A.id) == entry(A)
    assert inventory.get(B.id) is None
    assert inventory.ids() == {A.id}
    assert len(inventory) == 1
    assert inventory != "something else"

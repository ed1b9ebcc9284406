"""Laws of inventories and ids."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sluice.core.ids import ResourceId
from sluice.core.inventory import Inventory
from tests.plans import IDS, inventories

INVENTORIES = inventories()
DNS = st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,20}[a-z0-9])?", fullmatch=True)
RBAC = st.from_regex(r"[a-z]([-a-z0-9.]|:[a-z]){0,8}", fullmatch=True)


@given(INVENTORIES, INVENTORIES)
def test_a_union_has_every_id_of_both_and_forgets_no_uid(left: Inventory, right: Inventory) -> None:
    both = left.union(right)
    assert both.ids() == left.ids() | right.ids()
    for entry in both:
        uids = {e.uid for e in (left.get(entry.id), right.get(entry.id)) if e and e.uid}
        assert bool(entry.uid) == bool(uids)
        assert not uids or entry.uid in uids


@given(INVENTORIES, INVENTORIES, INVENTORIES)
def test_a_union_is_associative_and_idempotent(a: Inventory, b: Inventory, c: Inventory) -> None:
    assert a.union(b).union(c) == a.union(b.union(c))
    assert a.union(a) == a
    assert a.union(Inventory()) == a


@given(INVENTORIES, st.frozensets(IDS))
def test_without_removes_exactly_those(inventory: Inventory, gone: frozenset[ResourceId]) -> None:
    assert inventory.without(gone).ids() == inventory.ids() - gone


@given(
    st.sampled_from(["", "apps", "a.b.c"]),
    st.from_regex(r"[A-Z][A-Za-z]{0,9}", fullmatch=True),
    DNS | st.just(""),
    DNS | RBAC,
)
def test_an_inventory_id_is_read_back(group: str, kind: str, namespace: str, name: str) -> None:
    resource = ResourceId(group, kind, namespace, name)
    assert ResourceId.from_inventory_id(resource.inventory_id()) == resource


@given(st.text(max_size=40))
def test_any_text_is_an_inventory_id_or_refused(text: str) -> None:
    try:
        resource = ResourceId.from_inventory_id(text)
    except ValueError:
        return
    assert resource.kind
    assert resource.name

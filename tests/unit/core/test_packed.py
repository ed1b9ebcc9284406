"""Values of many objects in little memory: what is kept is what comes out, whichever way it is asked for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sluice.core.ids import ResourceId
from sluice.core.inventory import Entry, Inventory
from sluice.core.packed import CHUNK, Packed
from tests.plans import manifest

IDS = st.builds(
    ResourceId,
    st.sampled_from(["", "apps"]),
    st.sampled_from(["ConfigMap", "Deployment"]),
    st.sampled_from(["", "shop", "ops"]),
    st.text(min_size=1, max_size=8),
)
ENTRIES = st.lists(
    st.builds(Entry, IDS, st.just("v1"), st.text(max_size=36), st.binary(max_size=16), st.text(max_size=8)),
    max_size=3 * CHUNK,
    unique_by=lambda e: e.id,
)


@given(ENTRIES, IDS)
def test_a_packed_inventory_answers_as_the_open_one(entries: list[Entry], other: ResourceId) -> None:
    inventory = Inventory(entries)
    packed = inventory.packed()
    assert list(packed) == list(inventory)
    assert packed == inventory
    assert inventory == packed
    assert hash(packed) == hash(inventory)
    assert packed.opened() == inventory
    assert len(packed) == len(inventory)
    assert packed.ids() == inventory.ids()
    for key in (*(e.id for e in entries), other):
        assert packed.get(key) == inventory.get(key)
        assert (key in packed) == (key in inventory)


@given(ENTRIES, ENTRIES)
def test_packed_inventories_are_joined_and_narrowed_as_open_ones(one: list[Entry], two: list[Entry]) -> None:
    left, right = Inventory(one), Inventory(two)
    assert left.packed().union(right.packed()) == left.union(right)
    assert left.packed().without(right.ids()) == left.without(right.ids())


def test_each_value_is_found_on_both_sides_of_every_chunks_edge() -> None:
    made = [manifest("ConfigMap", f"config-{number:04}") for number in range(3 * CHUNK + 1)]
    packed = Packed(made, type(made[0]), lambda m: m.id)
    assert [packed.get(each.id) for each in made] == made
    assert packed.get(ResourceId("", "ConfigMap", "", "config-")) is None
    assert packed.get(ResourceId("", "ConfigMap", "", "config-9999")) is None

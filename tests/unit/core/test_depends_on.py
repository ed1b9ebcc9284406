"""Order of syncs, and circles."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sluice.core.depends_on import find_cycle, in_order

graphs = st.dictionaries(st.integers(0, 12), st.lists(st.integers(0, 15), max_size=4), max_size=12)


def test_a_circle_is_told_from_a_node_round_to_itself() -> None:
    assert find_cycle({"a": ["b"], "b": ["c"], "c": ["a"]}) == ("a", "b", "c", "a")
    assert find_cycle({"x": ["a"], "a": ["a"]}) == ("a", "a")


def test_a_diamond_is_no_circle() -> None:
    assert find_cycle({"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []}) == ()


def test_dependencies_come_first() -> None:
    assert in_order({"app": ["db", "net"], "db": ["net"], "net": [], "other": []}) == ("net", "other", "db", "app")


def test_those_in_a_circle_and_behind_it_come_last() -> None:
    assert in_order({"behind": ["a"], "a": ["b"], "b": ["a"], "free": []}) == ("free", "behind", "a", "b")


def test_a_chain_of_a_hundred_thousand_is_walked() -> None:
    chain = {n: [n + 1] for n in range(100_000)}
    assert find_cycle(chain) == ()
    assert in_order(chain)[0] == 99_999
    assert len(find_cycle({**chain, 100_000: [0]})) == 100_002


@given(graphs)
def test_what_is_found_is_a_circle_of_the_graph(graph: dict[int, list[int]]) -> None:
    cycle = find_cycle(graph)
    for node, following in pairwise(cycle):
        assert following in graph[node]
    assert not cycle or cycle[0] == cycle[-1]


@given(graphs)
def test_the_order_holds_every_node_once_and_respects_all_when_there_is_no_circle(graph: dict[int, list[int]]) -> None:
    order = in_order(graph)
    assert sorted(order) == sorted(graph)
    if not find_cycle(graph):
        place = {node: index for index, node in enumerate(order)}
        assert all(place[d] < place[node] for node, needs in graph.items() for d in needs if d in graph)

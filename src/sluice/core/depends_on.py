"""Which syncs wait for which, to an order in which they can run, or the circle that stops them.

Both walk with their own stack: a graph comes from people's specs, and may be deeper than Python's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Hashable, Mapping
from typing import TypeVar

Node = TypeVar("Node", bound=Hashable)


def find_cycle(graph: Mapping[Node, Collection[Node]]) -> tuple[Node, ...]:
    """The first circle met, from a node round to itself (`a, b, a`), or nothing.

    `graph` maps each node to what it depends on; a dependency that is no key has no dependencies.
    """
    done: set[Node] = set()
    for start in graph:
        if start in done:
            continue
        path = [start]
        on_path = {start}
        pending = [iter(graph[start])]
        while pending:
            following = next(pending[-1], None)
            if following is None:
                pending.pop()
                done.add(path[-1])
                on_path.discard(path.pop())
            elif following in on_path:
                return (*path[path.index(following) :], following)
            elif following not in done:
                path.append(following)
                on_path.add(following)
                pending.append(iter(graph.get(following, ())))
    return ()


def in_order(graph: Mapping[Node, Collection[Node]]) -> tuple[Node, ...]:
    """The keys of `graph`, dependencies first, otherwise in the order given.

    Nodes in a circle, and those behind one, come last as given: they report the circle themselves when they run.
    """
    waiting = {node: len({d for d in dependencies if d in graph}) for node, dependencies in graph.items()}
    dependants: dict[Node, list[Node]] = {}
    for node, dependencies in graph.items():
        for dependency in {d for d in dependencies if d in graph}:
            dependants.setdefault(dependency, []).append(node)
    position = {node: index for index, node in enumerate(graph)}
    ready = deque(node for node, count in waiting.items() if count == 0)
    ordered: list[Node] = []
    while ready:
        node = ready.popleft()
        ordered.append(node)
        for dependant in sorted(dependants.get(node, ()), key=position.__getitem__):
            waiting[dependant] -= 1
            if waiting[dependant] == 0:
                ready.append(dependant)
    placed = set(ordered)
    return (*ordered, *(node for node in graph if node not in placed))

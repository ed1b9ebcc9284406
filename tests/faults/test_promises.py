"""The faults that other operators were seen to fail, by the promise that each would break.

They are black-box: an operator that was written in an afternoon is put to them, too, and has to be found out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from devcluster.cluster import Cluster
from tests.faults import adapter_naive, adapter_sluice
from tests.faults.adapter import Adapter, load_adapter
from tests.faults.promises import (
    Stand,
    half_behind_a_quota,
    killed_at_each_write,
    open_stand,
    orphans_after_a_kill,
    ready_with_leftovers,
    try_promise,
)


def stand_of(adapter: Adapter, cluster: Cluster, factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with open_stand(cluster, adapter, factory.mktemp(adapter.name)) as opened:
        yield opened


@pytest.fixture(scope="module")
def ours(cluster: Cluster, crds: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    yield from stand_of(adapter_sluice.ADAPTER, cluster, tmp_path_factory)


@pytest.fixture(scope="module")
def naive(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    yield from stand_of(adapter_naive.ADAPTER, cluster, tmp_path_factory)


def test_killed_while_applying_and_the_objects_left_git_meanwhile_none_is_orphaned(ours: Stand) -> None:
    assert orphans_after_a_kill(ours) == []


def test_killed_while_applying_it_is_never_ready_with_leftovers(ours: Stand) -> None:
    assert ready_with_leftovers(ours) == []


def test_behind_a_quota_that_has_room_for_a_part_none_is_left(ours: Stand) -> None:
    assert half_behind_a_quota(ours) == []


@pytest.mark.soak
def test_killed_before_and_after_each_write_of_a_change_it_comes_to_what_git_says(ours: Stand) -> None:
    assert killed_at_each_write(ours) == []


@pytest.mark.parametrize(
    ("promise", "what"),
    [
        (orphans_after_a_kill, "objects that git does not have are left for ever"),
        (ready_with_leftovers, "it said Ready with"),
        (half_behind_a_quota, "25 of 42 pods are left"),
    ],
)
def test_an_operator_that_keeps_no_promise_is_found_out(
    naive: Stand, promise: Callable[[Stand], list[str]], what: str
) -> None:
    [found] = try_promise(naive, promise)
    assert what in found


def test_an_adapter_is_named_by_its_module() -> None:
    assert load_adapter("tests.faults.adapter_naive").name == "naive"
    with pytest.raises(AttributeError):
        load_adapter("tests.faults.oracle")

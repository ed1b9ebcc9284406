"""A sample of `make kill-matrix`, and proof that its oracle would see what it looks for."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from devcluster.cluster import Cluster
from devcluster.git_http import GitHttpServer
from sluice.core.inventory import Entry, Inventory
from sluice.core.record import Record
from sluice.core.transaction_messages import Phase, UndoTarget
from tests.faults.lane import Cell, Lane, open_lane
from tests.faults.oracle import desired_of, judge
from tests.faults.scenarios import (
    GROUP,
    GROUP_REFUSED_NEXT,
    GROUP_UNDO,
    INSTALL,
    PRUNE,
    RECOVER_UNDO,
    REFUSED_NEXT,
    REPLACE_UNDO,
    UNDO,
    UPDATE,
)
from tests.operator_fixture import config_map

# Record, first and last apply, deletion, the writes of an undo, commit: each once, before or after its answer.
SAMPLE = (
    Cell(INSTALL, 4, after=True),
    Cell(INSTALL, 6, after=True),
    Cell(INSTALL, 10, after=False),
    Cell(UPDATE, 2, after=True),
    Cell(UPDATE, 4, after=False),
    Cell(UPDATE, 7, after=True),
    Cell(PRUNE, 5, after=True),
    Cell(PRUNE, 6, after=False),
    Cell(UNDO, 7, after=True),
    Cell(UNDO, 11, after=True),
    Cell(UNDO, 15, after=False),
    Cell(RECOVER_UNDO, 3, after=False),
    # An object is replaced, and in the undo replaced again.
    Cell(REPLACE_UNDO, 4, after=True),
    Cell(REPLACE_UNDO, 13, after=True),
    Cell(REPLACE_UNDO, 14, after=True),
    # Of a group: its intent, a write between two members', and each of the records that its end is entered in.
    Cell(GROUP, 2, after=True),
    Cell(GROUP, 5, after=False),
    Cell(GROUP, 10, after=False),
    Cell(GROUP, 11, after=True),
    Cell(GROUP_UNDO, 12, after=True),
    # What git has when it comes back is refused: in the middle of the applies, and of the deletions.
    Cell(REFUSED_NEXT, 5, after=True),
    Cell(REFUSED_NEXT, 8, after=True),
    Cell(GROUP_REFUSED_NEXT, 6, after=False),
)


@pytest.fixture(scope="module")
def lane(cluster: Cluster, crds: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lane]:
    root = tmp_path_factory.mktemp("kill-matrix")
    with GitHttpServer(root / "git") as git, open_lane(cluster, git, root) as opened:
        yield opened


@pytest.mark.parametrize("cell", SAMPLE, ids=str)
def test_killed_at_this_write_it_loses_nothing_orphans_nothing_and_finishes_or_undoes(lane: Lane, cell: Cell) -> None:
    result = lane.run(cell)
    assert result.killed_at, "the write never came: the sample has to be chosen anew"
    assert result.verdict.wrong == []


FILES = {"a.yaml": config_map("a"), "b.yaml": config_map("b")}
DESIRED = desired_of(FILES, "shop")
LIVE = {key: {**body, "metadata": {**body["metadata"], "uid": key.name}} for key, body in DESIRED.items()}
RECORD = Record("op/web", 1, Phase.DONE, "main@sha1:1", Inventory(Entry(key, "v1", key.name) for key in DESIRED))
A, B = sorted(DESIRED)


def test_the_oracle_is_content_with_a_cluster_that_is_as_git_has_it() -> None:
    assert judge(LIVE, DESIRED, LIVE, RECORD, exact=True).wrong == []


def test_the_oracle_sees_what_is_missing_changed_or_recreated() -> None:
    assert judge({B: LIVE[B]}, DESIRED, LIVE, RECORD, exact=False).lost
    assert judge({**LIVE, A: {**LIVE[A], "data": {"key": "2"}}}, DESIRED, LIVE, RECORD, exact=False).lost
    recreated = {**LIVE[A], "metadata": {**LIVE[A]["metadata"], "uid": "another"}}
    assert judge({**LIVE, A: recreated}, DESIRED, LIVE, RECORD, exact=False).lost


def test_the_oracle_sees_leftovers_and_what_no_inventory_tracks() -> None:
    assert judge(LIVE, {A: DESIRED[A]}, LIVE, RECORD, exact=False).orphans
    untracked = dataclasses.replace(RECORD, inventory=Inventory([Entry(A, "v1", "a")]))
    assert judge(LIVE, DESIRED, LIVE, untracked, exact=False).orphans


def test_the_oracle_sees_a_transaction_that_is_neither_finished_nor_undone() -> None:
    assert judge(LIVE, DESIRED, LIVE, None, exact=False).half
    assert judge(LIVE, DESIRED, LIVE, dataclasses.replace(RECORD, phase=Phase.APPLYING), exact=False).half
    open_ = dataclasses.replace(RECORD, target=UndoTarget(Inventory(), {}))
    assert judge(LIVE, DESIRED, LIVE, open_, exact=False).half

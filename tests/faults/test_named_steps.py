"""The operator is killed at each of its steps, also at those that write nothing to the API server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from devcluster.cluster import Cluster
from devcluster.git_http import GitHttpServer
from tests.faults.lane import BYSTANDER, Lane, open_lane
from tests.faults.named_steps import STEPS
from tests.faults.oracle import desired_of, judge, owned_by, record_of, times_told
from tests.operator_fixture import FAILING_JOB, config_map, deployment, poll

BASE = {f"{n}.yaml": config_map(n) for n in "abd"} | {"web.yaml": deployment("web", "nginx:1")}
CHANGE: dict[str, str | None] = {
    "a.yaml": config_map("a", "2"),
    "c.yaml": config_map("c"),
    "d.yaml": None,
    "web.yaml": deployment("web", "nginx:2"),
}
AFTER = {name: text for name, text in {**BASE, **CHANGE}.items() if text is not None}
# The others are run by `make faults`.
EACH_TIME = ("after pack", "after images", "after apply", "before event")


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that says at which step the operator dies."""
    return tmp_path_factory.mktemp("steps") / "step"


@pytest.fixture(scope="module")
def lane(cluster: Cluster, crds: None, steps: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lane]:
    root = tmp_path_factory.mktemp("named")
    with GitHttpServer(root / "git") as git, open_lane(cluster, git, root, (f"steps:{steps}",)) as opened:
        yield opened


def cases() -> list[object]:
    return [pytest.param(step, marks=() if step in EACH_TIME else pytest.mark.soak, id=step) for step in STEPS]


def die(lane: Lane, steps: Path, step: str) -> None:
    """Wait for the death at that step, and for the next life."""
    assert lane.operator.wait_dead(20), f"it never came to {step}"
    assert not steps.exists()
    lane.proxy.settle()
    lane.operator.start()
    lane.operator.wait_ready()


@pytest.mark.parametrize("step", cases())
def test_f001_killed_at_this_step_the_next_life_finishes_or_undoes_and_loses_nothing(
    lane: Lane, steps: Path, step: str
) -> None:
    api, undone = lane.bench.api, step.endswith("undo")
    sync = lane.bench.synced(BASE, wait=True, timeout="30s")
    place = sync.at("configmaps", "bystander")
    api.create(place.rpartition("/")[0], BYSTANDER)
    bystander, before = api.get(place), owned_by(api, sync)
    steps.write_text(step)
    if step.endswith("finalize"):
        api.delete(sync.path)
        die(lane, steps, step)
        sync.wait_gone()
        assert owned_by(api, sync) == {}
        assert record_of(api, sync) is None
    else:
        revision = sync.push({**CHANGE, "job.yaml": FAILING_JOB} if undone else CHANGE)
        die(lane, steps, step)
        if undone:
            sync.wait_failed(revision, reason="Undone")
        else:
            sync.wait_ready(revision)
        wanted = desired_of(BASE if undone else AFTER, sync.target)
        live, record = owned_by(api, sync), record_of(api, sync)
        assert judge(live, wanted, before, record, exact=undone).wrong == []
        reason = "Undone" if undone else "ReconciliationSucceeded"
        poll("it is told", lambda: times_told(api, sync, revision, reason))
        assert times_told(api, sync, revision, reason) <= 2, "once, and once more for a crash"
    assert api.get(place) == bystander

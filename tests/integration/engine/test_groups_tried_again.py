"""A group whose revision was undone is tried again when what failed it has changed outside of git."""

from __future__ import annotations

from tests.integration.engine.groups import Group, group
from tests.integration.engine.test_undo import POD, limit
from tests.operator_fixture import FAILING_JOB, Bench, config_map, poll

BASE: dict[str, str | None] = {"a/a.yaml": config_map("a"), "b/b.yaml": config_map("b")}
NEW_A = {"a/a.yaml": config_map("a", "2")}


def pods(made: Group) -> list[int]:
    """Those of the revision that are there."""
    return [n for n in range(5) if made.source.live("pods", f"p{n}") is not None]


def looked_and_wrote_nothing(bench: Bench, made: Group) -> None:
    """The operator reads the quota again and again, and while that allows what it did, it tries nothing."""
    audit, looks = bench.audit(), f"/namespaces/{made.source.target}/resourcequotas"
    poll("it looks at the quota", lambda: len([r for r in audit.requests(bench.agent) if r.path.endswith(looks)]) > 2)
    assert [w for w in made.source.writes(audit) if not w.dry_run] == []


def undone_by_a_quota(bench: Bench) -> tuple[Group, str]:
    """A group of whose revision b's pods had no room."""
    made = group(bench, BASE, folders="")
    limit(bench, made.source, "requests.cpu", "300m")  # first: that a namespace has none is believed for a while
    for folder in "ab":
        made.join(folder, retryInterval="1s")
    made.wait_ready(made.push({"README.md": "both are there\n"}))
    revision = made.push({**NEW_A, **{f"b/{n}.yaml": POD.replace("NAME", f"p{n}") for n in range(5)}})
    made["b"].wait_failed(revision, "[E305]", reason="Undone")
    made["a"].wait_failed(revision, "[E365]", reason="Undone")
    poll("all pods gone", lambda: not pods(made))
    return made, revision


def allow_more(bench: Bench, made: Group) -> None:
    """Give the quota room for all pods."""
    bench.api.patch(made.source.at("resourcequotas", "q"), {"spec": {"hard": {"requests.cpu": "600m"}}})


def test_a_group_that_a_quota_undid_is_tried_again_when_the_quota_allows_more(bench: Bench) -> None:
    made, revision = undone_by_a_quota(bench)
    looked_and_wrote_nothing(bench, made)
    allow_more(bench, made)
    made.wait_ready(revision)
    assert pods(made) == [0, 1, 2, 3, 4]
    assert made.values["a"] == "2"


def test_a_group_that_a_quota_undid_before_a_restart_is_tried_again_when_it_allows_more(bench: Bench) -> None:
    made, revision = undone_by_a_quota(bench)
    bench.operator.restart()
    looked_and_wrote_nothing(bench, made)
    allow_more(bench, made)
    made.wait_ready(revision)
    assert pods(made) == [0, 1, 2, 3, 4]


def test_a_group_that_was_undone_is_tried_again_when_a_variable_of_one_member_changes(bench: Bench) -> None:
    place = f"/api/v1/namespaces/{bench.namespace}/configmaps"
    made = group(bench, BASE, wait=True, retryInterval="1s")
    name = f"vars-{made.source.name}"
    bench.api.create(place, {"kind": "ConfigMap", "metadata": {"name": name}, "data": {"image": "migrate:fail"}})
    made["b"].edit(postBuild={"substituteFrom": [{"kind": "ConfigMap", "name": name}]})
    revision = made.push({**NEW_A, "b/job.yaml": FAILING_JOB.replace("migrate:fail", "${image}")})
    made["b"].wait_failed(revision, "migrate failed", reason="Undone")
    assert made.values == {"a": "1", "b": "1"}
    bench.api.patch(f"{place}/{name}", {"data": {"image": "migrate:complete"}})
    made.wait_ready(revision)
    assert made.values == {"a": "2", "b": "1"}

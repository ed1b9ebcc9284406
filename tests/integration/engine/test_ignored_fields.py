"""`spec.ignore`: the fields that it names are no drift, and no apply changes them or gives them up."""

from __future__ import annotations

import pytest

from tests.operator_fixture import Bench, Json, Sync, config_map, deployment, poll

REPLICAS: list[Json] = [{"paths": ["/spec/replicas"], "target": {"kind": "Deployment"}}]


def web(sync: Sync) -> Json:
    found = sync.live("apps/v1/deployments", "web")
    assert found is not None
    return found


def settled(bench: Bench) -> None:
    """Return once what was changed before has been seen: a later change of another object was corrected."""
    other = bench.synced({"z.yaml": config_map("z")})
    bench.api.patch(other.at("configmaps", "z"), {"data": {"key": "edited"}})
    poll("z is right again", lambda: other.config("z")["data"] == {"key": "1"})


def owners(item: Json, parent: str, name: str) -> set[str]:
    """The managers that own a field."""
    managers = item["metadata"]["managedFields"]
    return {m["manager"] for m in managers if f"f:{name}" in m["fieldsV1"].get(f"f:{parent}", {})}


def test_a_field_that_is_named_is_no_drift_and_others_still_are(bench: Bench) -> None:
    sync = bench.synced({"web.yaml": deployment("web")}, ignore=REPLICAS)
    path = sync.at("apps/v1/deployments", "web")
    bench.api.patch(path, {"spec": {"replicas": 3, "minReadySeconds": 0}}, manager="hpa")
    settled(bench)
    assert web(sync)["spec"]["replicas"] == 3
    bench.api.patch(path, {"spec": {"template": {"metadata": {"labels": {"app": "web", "x": "y"}}}}}, manager="hpa")
    container = {"name": "main", "image": "evil:1"}
    bench.api.patch(path, {"spec": {"template": {"spec": {"containers": [container]}}}}, manager="evil")
    poll("the image is right", lambda: web(sync)["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:1")
    assert web(sync)["spec"]["replicas"] == 3


def test_a_field_that_somebody_else_set_is_left_to_them_by_a_new_revision(bench: Bench) -> None:
    sync = bench.synced({"web.yaml": deployment("web")}, ignore=REPLICAS)
    path = sync.at("apps/v1/deployments", "web")
    bench.api.patch(path, {"spec": {"replicas": 3}}, manager="hpa")
    sync.wait_ready(sync.push({"web.yaml": deployment("web", "nginx:2", replicas=2)}))
    live = web(sync)
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:2"
    assert live["spec"]["replicas"] == 3
    assert owners(live, "spec", "replicas") == {"hpa"}


def test_a_field_that_nobody_else_set_keeps_its_value_when_git_changes_it(bench: Bench) -> None:
    sync = bench.synced({"web.yaml": deployment("web", replicas=2)}, ignore=REPLICAS)
    sync.wait_ready(sync.push({"web.yaml": deployment("web", "nginx:2", replicas=5)}))
    live = web(sync)
    assert live["spec"]["replicas"] == 2
    assert owners(live, "spec", "replicas") == {"kustomize-controller"}


def test_a_field_is_sent_as_git_has_it_when_the_object_is_created(bench: Bench) -> None:
    sync = bench.synced({"web.yaml": deployment("web", replicas=2)}, ignore=REPLICAS)
    path = sync.at("apps/v1/deployments", "web")
    assert web(sync)["spec"]["replicas"] == 2
    bench.api.patch(path, {"spec": {"replicas": 4}})
    bench.api.delete(path)
    poll("it is made again as git has it", lambda: (bench.api.get(path) or {}).get("spec", {}).get("replicas") == 2)


def test_a_field_that_somebody_removed_stays_away(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a") + "  other: x\n"}, ignore=[{"paths": ["/data/other"]}])
    bench.api.patch(sync.at("configmaps", "a"), {"data": {"other": None}})
    settled(bench)
    assert sync.config("a")["data"] == {"key": "1"}
    sync.wait_ready(sync.push({"a.yaml": config_map("a", "2") + "  other: x\n"}))
    assert sync.config("a")["data"] == {"key": "2"}


def test_a_whole_map_can_be_left_to_others(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a", extra="labels: {v: '1'}")}, ignore=[{"paths": ["/data"]}])
    bench.api.patch(sync.at("configmaps", "a"), {"data": {"key": "theirs", "more": "x"}}, manager="other")
    sync.wait_ready(sync.push({"a.yaml": config_map("a", "2", extra="labels: {v: '2'}")}))
    live = sync.config("a")
    assert live["data"] == {"key": "theirs", "more": "x"}
    assert live["metadata"]["labels"]["v"] == "2"
    assert owners(live, "data", "key") == {"other"}


def test_a_rule_reaches_only_what_its_target_selects(bench: Bench) -> None:
    files = {f"{n}.yaml": config_map(n, extra=f"labels: {{tier: {n}}}") for n in ("front", "back")}
    sync = bench.synced(files, ignore=[{"paths": ["/data/key"], "target": {"labelSelector": "tier in (front)"}}])
    for name in ("front", "back"):
        bench.api.patch(sync.at("configmaps", name), {"data": {"key": "edited"}})
    poll("back is right again", lambda: sync.config("back")["data"] == {"key": "1"})
    settled(bench)
    assert sync.config("front")["data"] == {"key": "edited"}


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({"paths": ["spec/replicas"]}, "spec.ignore[0].paths[0]"),
        ({"paths": ["/metadata/name"]}, "spec.ignore[0].paths[0]"),
        ({"paths": []}, "spec.ignore[0].paths"),
        ({"paths": ["/spec"], "target": {"name": "(a+)+"}}, "spec.ignore[0].target"),
        ({"paths": ["/spec"], "target": {"labelSelector": "a in b"}}, "spec.ignore[0].target"),
    ],
)
def test_a_rule_that_can_not_be_used_is_refused_by_name(bench: Bench, rule: Json, field: str) -> None:
    _, message = bench.failing({"a.yaml": config_map("a")}, field, ignore=[rule])
    assert "E245" in message

"""Taking an object back to what it was: values and owners, and never what is somebody else's by now."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sluice.core.before_image import BeforeImage, Restored, before_image, restore
from sluice.core.ids import ResourceId

OURS = "kustomize-controller"
WEB = ResourceId("apps", "Deployment", "shop", "web")


def manager(name: str, fields: dict[str, Any], operation: str = "Update") -> dict[str, Any]:
    return {"manager": name, "operation": operation, "apiVersion": "apps/v1", "fieldsV1": fields}


def an_object(spec: dict[str, Any], *managers: dict[str, Any]) -> bytes:
    metadata = {"name": "web", "namespace": "shop", "uid": "u1", "resourceVersion": "7", "managedFields": managers}
    return msgspec.json.encode({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec})


def undo(before: bytes, live: bytes) -> tuple[Restored, BeforeImage]:
    image = before_image(WEB, before)
    return restore(image, live, OURS), image


def test_a_value_that_we_changed_comes_back() -> None:
    mine = manager(OURS, {"f:spec": {"f:image": {}}}, "Apply")
    restored, _ = undo(an_object({"image": "1"}, mine), an_object({"image": "2"}, mine))
    assert restored.body["spec"] == {"image": "1"}
    assert restored.managers == [mine]
    assert restored.changes


def test_a_field_that_we_added_goes_again() -> None:
    before = manager(OURS, {"f:spec": {"f:image": {}}}, "Apply")
    after = manager(OURS, {"f:spec": {"f:image": {}, "f:args": {}}}, "Apply")
    restored, _ = undo(an_object({"image": "1"}, before), an_object({"image": "1", "args": ["x"]}, after))
    assert restored.body["spec"] == {"image": "1"}
    assert restored.managers == [before]


def test_a_map_that_our_field_brought_with_it_goes_with_it_unless_somebody_holds_it() -> None:
    before = manager(OURS, {"f:spec": {"f:image": {}}}, "Apply")
    after = manager(OURS, {"f:spec": {"f:image": {}, "f:labels": {"f:bad": {}}}}, "Apply")
    live = {"image": "1", "labels": {"bad": "here"}}
    restored, _ = undo(an_object({"image": "1"}, before), an_object(live, after))
    assert restored.body["spec"] == {"image": "1"}
    theirs = manager("somebody", {"f:spec": {"f:labels": {}}})
    restored, _ = undo(an_object({"image": "1"}, before), an_object(live, after, theirs))
    assert restored.body["spec"] == {"image": "1", "labels": {}}
    restored, _ = undo(an_object({"image": "1", "labels": {}}, before), an_object(live, after))
    assert restored.body["spec"] == {"image": "1", "labels": {}}


def test_a_field_that_we_dropped_comes_back() -> None:
    before = manager(OURS, {"f:spec": {"f:image": {}, "f:args": {}}}, "Apply")
    after = manager(OURS, {"f:spec": {"f:image": {}}}, "Apply")
    restored, _ = undo(an_object({"image": "1", "args": ["x"]}, before), an_object({"image": "1"}, after))
    assert restored.body["spec"] == {"image": "1", "args": ["x"]}
    assert restored.managers == [before]


def test_where_nobody_else_is_concerned_one_apply_of_what_we_owned_does_it() -> None:
    ports: dict[str, Any] = {"f:ports": {'k:{"port":80}': {".": {}, "f:port": {}, "f:name": {}}}}
    before = manager(OURS, {"f:spec": {"f:image": {}, "f:labels": {}, **ports}}, "Apply")
    after = manager(OURS, {"f:spec": {"f:image": {}, "f:args": {}}}, "Apply")
    status = {**manager("kubelet", {"f:status": {"f:ready": {}}}), "subresource": "status"}
    was = {"image": "1", "labels": {}, "ports": [{"port": 80, "name": "http", "protocol": "TCP"}], "mode": "default"}
    live = an_object({"image": "2", "args": ["x"], "mode": "default"}, after, status)
    restored, _ = undo(an_object(was, before), live)
    assert restored.ours == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "uid": "u1", "resourceVersion": "7"},
        "spec": {"image": "1", "labels": {}, "ports": [{"port": 80, "name": "http"}]},
    }
    reached = {**restored.body, "metadata": {**restored.body["metadata"], "managedFields": [before, status]}}
    assert restored.is_reached(msgspec.json.encode({**reached, "status": {"ready": True}}))
    assert not restored.is_reached(live)
    assert not restored.is_reached(msgspec.json.encode({**reached, "spec": {**was, "image": "3"}}))


@pytest.mark.parametrize("case", ["adopted", "taken", "theirs since", "cut short"])
def test_one_apply_does_not_do_where_somebody_else_has_or_had_a_part(case: str) -> None:
    hpa = manager("hpa", {"f:spec": {"f:replicas": {}}})
    mine = manager(OURS, {"f:spec": {"f:image": {}}}, "Apply")
    more = manager(OURS, {"f:spec": {"f:image": {}, "f:replicas": {}}}, "Apply")
    was, now = {"image": "1", "replicas": 7}, {"image": "2", "replicas": 2}
    before, live = {
        "adopted": (an_object(was, hpa), an_object(now, more)),
        "taken": (an_object(was, mine, hpa), an_object(now, more)),
        "theirs since": (an_object(was, more), an_object(now, mine, hpa)),
        "cut short": (an_object(was, more), an_object(now, more, manager(OURS, {"f:spec": {"f:image": {}}}))),
    }[case]
    assert undo(before, live)[0].ours is None


def test_what_we_took_from_an_autoscaler_is_given_back_with_its_value() -> None:
    hpa = manager("hpa", {"f:spec": {"f:replicas": {}}})
    before = manager(OURS, {"f:spec": {"f:image": {}}}, "Apply")
    after = manager(OURS, {"f:spec": {"f:image": {}, "f:replicas": {}}}, "Apply")
    restored, _ = undo(
        an_object({"image": "1", "replicas": 7}, before, hpa), an_object({"image": "2", "replicas": 2}, after)
    )
    assert restored.body["spec"] == {"image": "1", "replicas": 7}
    assert restored.managers == [before, hpa]


def test_an_undo_that_was_cut_between_its_two_writes_is_finished_by_the_next() -> None:
    hpa = manager("hpa", {"f:spec": {"f:replicas": {}}})
    before = manager(OURS, {"f:spec": {"f:image": {}}}, "Apply")
    undoing = manager(OURS, {"f:spec": {"f:image": {}, "f:replicas": {}}}, "Update")
    restored, _ = undo(
        an_object({"image": "1", "replicas": 7}, before, hpa), an_object({"image": "1", "replicas": 7}, undoing)
    )
    assert restored.body["spec"] == {"image": "1", "replicas": 7}
    assert restored.managers == [before, hpa]
    assert restored.changes


def test_what_somebody_else_wrote_since_stays_and_stays_theirs() -> None:
    mine = manager(OURS, {"f:spec": {"f:image": {}}}, "Apply")
    person = manager("person", {"f:spec": {"f:paused": {}}})
    restored, _ = undo(an_object({"image": "1"}, mine), an_object({"image": "2", "paused": True}, mine, person))
    assert restored.body["spec"] == {"image": "1", "paused": True}
    assert person in restored.managers
    assert restored.left == ()


def test_a_field_of_ours_that_somebody_took_since_is_left_and_named() -> None:
    before = manager(OURS, {"f:spec": {"f:image": {}, "f:replicas": {}}}, "Apply")
    after = manager(OURS, {"f:spec": {"f:image": {}}}, "Apply")
    person = manager("person", {"f:spec": {"f:replicas": {}}})
    restored, _ = undo(
        an_object({"image": "1", "replicas": 1}, before), an_object({"image": "2", "replicas": 9}, after, person)
    )
    assert restored.body["spec"] == {"image": "1", "replicas": 9}
    assert restored.left == ("spec.replicas",)
    assert restored.managers[0]["fieldsV1"] == {"f:spec": {"f:image": {}}}


def test_a_list_item_that_we_added_goes_with_its_defaults_unless_somebody_owns_a_part() -> None:
    before = manager(OURS, {"f:spec": {"f:image": {}}}, "Apply")
    side: dict[str, Any] = {".": {}, "f:name": {}}
    after = manager(OURS, {"f:spec": {"f:image": {}, "f:containers": {'k:{"name":"side"}': side}}}, "Apply")
    live = {"image": "1", "containers": [{"name": "side", "policy": "Always"}]}
    restored, _ = undo(an_object({"image": "1"}, before), an_object(live, after))
    assert restored.body["spec"]["containers"] == []
    injector = manager("injector", {"f:spec": {"f:containers": {'k:{"name":"side"}': {"f:policy": {}}}}})
    kept, _ = undo(an_object({"image": "1"}, before), an_object(live, after, injector))
    assert kept.body["spec"]["containers"][0]["policy"] == "Always"


def test_an_object_that_is_as_it_was_needs_no_write() -> None:
    mine = manager(OURS, {"f:spec": {"f:image": {}}}, "Apply")
    restored, _ = undo(an_object({"image": "1"}, mine), an_object({"image": "1"}, mine))
    assert not restored.changes


def test_the_image_holds_neither_status_nor_what_the_server_sets() -> None:
    raw = msgspec.json.decode(an_object({"image": "1"}))
    raw["status"] = {"replicas": 1}
    image = before_image(WEB, msgspec.json.encode(raw))
    body = msgspec.json.decode(image.body)
    assert "status" not in body
    assert set(body["metadata"]) == {"name", "namespace"}
    assert image.uid == "u1"


def test_what_an_adoption_took_from_kubectl_and_git_does_not_have_comes_back_with_its_owner() -> None:
    kubectl = manager("kubectl-client-side-apply", {"f:spec": {"f:image": {}, "f:args": {}}})
    mine = manager(OURS, {"f:spec": {"f:image": {}}}, "Apply")
    restored, _ = undo(an_object({"image": "1", "args": ["x"]}, kubectl), an_object({"image": "2"}, mine))
    assert restored.body["spec"] == {"image": "1", "args": ["x"]}
    assert restored.managers == [kubectl]


def test_what_kubectl_itself_has_removed_since_stays_away() -> None:
    kubectl = manager("kubectl-client-side-apply", {"f:spec": {"f:image": {}, "f:args": {}}})
    since = manager("kubectl-client-side-apply", {"f:spec": {"f:image": {}}})
    mine = manager(OURS, {"f:spec": {"f:image": {}}}, "Apply")
    restored, _ = undo(an_object({"image": "1", "args": ["x"]}, kubectl), an_object({"image": "1"}, mine, since))
    assert restored.body["spec"] == {"image": "1"}

"""Rows B107 to B109, B110 and B114, where images are written into files; and files that are no friends of an editor."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sluice.core import codes
from sluice.core.ids import NamespacedName
from sluice.core.image import parse
from sluice.core.image_update.policy_annotation import PolicyUpdate, lock, update_policies
from sluice.core.image_update.release import ContainerUpdate, update_containers
from sluice.core.image_update.result import ImageUpdate
from sluice.core.image_update.setters import update_marked
from sluice.core.image_update.workload import WorkloadId
from sluice.core.yaml_read import read_documents

POLICIES = {NamespacedName("apps", "web"): parse("acme/web:v2")}
MARKER = '# {"$imagepolicy": "apps:web"}'
WEB = WorkloadId("default", "deployment", "web")
DEPLOYMENT = (
    "kind: Deployment\nmetadata: {name: web}\n"
    "spec: {template: {spec: {containers: [{name: app, image: 'acme/web:v1'}]}}}\n"
)


def marked(text: str | bytes) -> ImageUpdate:
    data = text if isinstance(text, bytes) else text.encode()
    update = update_marked({"apps/web.yaml": data}, POLICIES, "abcdef0123")
    assert not update.files
    assert not update.changes
    return update


def told(update: ImageUpdate) -> tuple[str, str]:
    problem = update.skipped[0].problem
    assert problem.fix
    assert str(problem).isprintable()
    return problem.code.name, str(problem.origin)


def test_b107_a_marker_that_names_an_absent_policy_is_told_with_its_line() -> None:
    text = 'a: b\nimage: x # {"$imagepolicy": "apps:wbe"}\n'
    assert told(marked(text)) == ("MarkerUnknown", "apps/web.yaml:2@abcdef0")


@pytest.mark.parametrize("value", ["{a: b}", "[a, b]", "{}", "[]"])
def test_b108_a_marker_on_a_map_or_a_list_is_told(value: str) -> None:
    assert told(marked(f"image: {value} {MARKER}\n"))[0] == "MarkerPlace"


def test_b109_two_markers_on_one_line_are_told() -> None:
    assert told(marked(f"image: x {MARKER} {MARKER}\n"))[0] == "MarkerAmbiguous"


@pytest.mark.parametrize(
    "text",
    [
        f"image: [x {MARKER}\n",
        f"image: x {MARKER}\nimage: y\n",
        f"a:\n\timage: x {MARKER}\n",
        f"image: x {MARKER}\nb: *nope\n",
        f"image: x {MARKER}\nb: {'[' * 200}\n",
        f"a: &a [{'x,' * 300}]\nb: &b [{'*a,' * 300}]\nc: [{'*b,' * 300}]\nimage: x {MARKER}\n",
        f"image: x {MARKER}\nb: !!python/object/apply:os.system [x]\n",
        f"--- x\nimage: x {MARKER}\n",
    ],
)
def test_a_marker_in_a_file_that_can_not_be_read_is_told_and_nothing_is_written(text: str) -> None:
    assert told(marked(text))[1].startswith("apps/web.yaml:")


@pytest.mark.parametrize(
    "data", [b'\xff\xfe"$imagepolicy"', b'image: x\x00 # {"$imagepolicy": "apps:web"}\n', b'\xe9 # "$imagepolicy"']
)
def test_a_file_that_is_no_text_is_told(data: bytes) -> None:
    assert told(marked(data))[0] == "Encoding"


@pytest.mark.parametrize("tag", ["v1\nevil: true", "v1\x1b[31m", "v1\u202e", "v1\r", "v\u00e9"])
def test_b114_a_hostile_tag_is_never_written(tag: str) -> None:
    hostile = replace(parse("acme/web:v2"), tag=tag)
    update = update_marked({"a.yaml": f"image: x {MARKER}\n".encode()}, {NamespacedName("apps", "web"): hostile})
    released = update_containers({"a.yaml": DEPLOYMENT.encode()}, [ContainerUpdate(WEB, "app", hostile)])
    for outcome in (update, released):
        assert (outcome.files, outcome.changes) == ({}, ())
        assert told(outcome)[0] == "TagRejected"


@pytest.mark.parametrize("image", ["UPPER/case", "a:b:c", ":latest", "a:" + "x" * 200, ""])
def test_b110_a_container_whose_image_is_none_says_which_rule_it_breaks(image: str) -> None:
    text = DEPLOYMENT.replace("acme/web:v1", image)
    update = update_containers({"a.yaml": text.encode()}, [ContainerUpdate(WEB, "app", parse("acme/web:v2"))])
    assert told(update) == ("ContainerMissing", "a.yaml:3")
    assert "at character" in update.skipped[0].reason


@pytest.mark.parametrize(
    "message", ["a\nb: c", "'\"", "# x", "\x1b[2J", "a\u2028b", "x" * 10_000, "- a", "{{ x }}", "\u202e"]
)
def test_what_a_person_says_in_a_lock_stays_one_annotation(message: str) -> None:
    update = update_policies({"a.yaml": DEPLOYMENT.encode()}, [lock(WEB, "Ann <a@b.c>", message)])
    documents, problems = read_documents(update.files["a.yaml"], "a.yaml")
    assert not problems
    annotations = documents[0].value["metadata"]["annotations"]
    assert annotations == {
        "fluxcd.io/locked": "true",
        "fluxcd.io/locked_user": "Ann <a@b.c>",
        "fluxcd.io/locked_msg": message,
    }


def test_an_annotation_that_is_no_text_is_not_guessed_at() -> None:
    text = DEPLOYMENT.replace("{name: web}", "{name: web, annotations: {fluxcd.io/locked: [true]}}")
    update = update_policies({"a.yaml": text.encode()}, [PolicyUpdate(WEB, {"locked": "true"})])
    assert update.files == {}
    assert update.skipped[0].problem.code is codes.VALUE_FORM

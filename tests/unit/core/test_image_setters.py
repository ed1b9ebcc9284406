"""Markers: which values follow a policy, what they become, and what people are told of those that do not."""

from __future__ import annotations

import pytest

from sluice.core.codes import FLIPPED
from sluice.core.ids import NamespacedName
from sluice.core.image import ImageRef, parse
from sluice.core.image_update.setters import update_marked
from sluice.core.problem import Problem

DIGEST = "sha256:" + "0" * 64
POLICIES: dict[NamespacedName, ImageRef | None] = {
    NamespacedName("apps", "web"): parse("ghcr.io/acme/web:v2"),
    NamespacedName("apps", "number"): parse("acme/number:1.20"),
    NamespacedName("apps", "pinned"): parse(f"acme/pinned:v3@{DIGEST}"),
    NamespacedName("apps", "waiting"): None,
}
WEB = '# {"$imagepolicy": "apps:web"}'
TAG = '# {"$imagepolicy": "apps:web:tag"}'

SET: list[tuple[str, str]] = [
    (f"image: ghcr.io/acme/web:v1 {WEB}\n", f"image: ghcr.io/acme/web:v2 {WEB}\n"),
    (f"image:   'x' {WEB}\r\nb: c\r\n", f"image:   'ghcr.io/acme/web:v2' {WEB}\r\nb: c\r\n"),
    (f"- a\n- x {WEB}\n", f"- a\n- ghcr.io/acme/web:v2 {WEB}\n"),
    (f"- a\n{WEB}\n- x\n", f"- a\n{WEB}\n- ghcr.io/acme/web:v2\n"),
    (f"image: {WEB}\nb: c\n", f"image: ghcr.io/acme/web:v2 {WEB}\nb: c\n"),
    (f"a: {{\n  image: x, {WEB}\n  b: c\n}}\n", f"a: {{\n  image: ghcr.io/acme/web:v2, {WEB}\n  b: c\n}}\n"),
    (f"a: >- {WEB}\n  x\n", f"a: >- {WEB}\n  ghcr.io/acme/web:v2\n"),
    (f"tag: v1 {TAG}\n", f"tag: v2 {TAG}\n"),
    ('tag: 1.1 # {"$imagepolicy": "apps:number:tag"}\n', 'tag: "1.20" # {"$imagepolicy": "apps:number:tag"}\n'),
    ('name: x # {"$imagepolicy": "apps:number:name"}\n', 'name: acme/number # {"$imagepolicy": "apps:number:name"}\n'),
    ('d: x # {"$imagepolicy": "apps:pinned:digest"}\n', f'd: {DIGEST} # {{"$imagepolicy": "apps:pinned:digest"}}\n'),
    (
        'image: x ## {"$imagepolicy":"apps:pinned","note":"y"}\n',
        f'image: acme/pinned:v3@{DIGEST} ## {{"$imagepolicy":"apps:pinned","note":"y"}}\n',
    ),
    (
        f"a: b\n--- # two\n# none\n---\nimage: x {WEB}",
        f"a: b\n--- # two\n# none\n---\nimage: ghcr.io/acme/web:v2 {WEB}",
    ),
]

SKIPPED: list[tuple[str, str, int, str]] = [
    (f"a: {{image: x}} {WEB}\n", "E555", 1, "behind a map"),
    (f"a: [x] {WEB}\n", "E555", 1, "behind a list"),
    (f"a: {WEB}\n  image: x\n", "E555", 1, "not behind a value"),
    (f"{WEB}\nimage: x\n", "E555", 1, "a line of its own"),
    (f"- {WEB}\n  x\n", "E555", 1, "no value on this line"),
    (f"image: x {WEB} {WEB}\n", "E556", 1, "one policy only"),
    ('image: x # {"$imagepolicy": "apps:web", "$imagepolicy": "b:c"}\n', "E556", 1, "one policy only"),
    (f"- a\n{WEB}\n- x # why\n", "E555", 2, "a comment of its own"),
    (f"- a\n{WEB}\n- - x\n", "E555", 2, "a list in a list"),
    (f"image: x {WEB} and more\n", "E553", 1, "not JSON alone"),
    ('image: x # {"$imagepolicy": 1}\n', "E553", 1, "not JSON alone"),
    ('image: x # {"$imagepolicy": "web"}\n', "E553", 1, "<namespace>:<policy>"),
    ('image: x # {"$imagepolicy": "apps:web:sha"}\n', "E553", 1, "<namespace>:<policy>"),
    ('image: x # {"$imagepolicy": "apps:web:"}\n', "E553", 1, "<namespace>:<policy>"),
    ('image: x # {"$imagepolicy": "apps:web:tag:x"}\n', "E553", 1, "<namespace>:<policy>"),
    ('b: c\nimage: x # {"$imagepolicy": "apps:absent"}\n', "E554", 2, "no ImagePolicy apps/absent"),
    ('image: x # {"$imagepolicy": "apps:waiting"}\n', "E557", 1, "no latest image"),
    ('d: x # {"$imagepolicy": "apps:web:digest"}\n', "E557", 1, "has no digest"),
    (f"image: &x v1 {WEB}\nb: *x\n", "E550", 1, "anchor"),
    (f"image: |\n  x\nb: &y z {WEB}\nc: *y\n", "E550", 3, "anchor"),
    (f"a: b: c {WEB}\n", "E202", 1, "unquoted value"),
    (f"image: x {WEB}\nimage: y\n", "E209", 2, "first at 1:1"),
]

SILENT = [
    f"# image: x {WEB}\na: b\n",
    f"a: |\n  image: x {WEB}\n",
    f"a: 'x {WEB.replace(chr(39), '')}'\n",
    f"a: x{WEB}\n".replace(" ", ""),
    'a: \'{"$imagepolicy": "apps:web"}\'\n',
    '# {"$imagepolicy": …} sets an image\na: b\n',
]


@pytest.mark.parametrize(("before", "after"), SET)
def test_a_marked_value_becomes_what_its_policy_chose(before: str, after: str) -> None:
    update = update_marked({"a.yaml": before.encode()}, POLICIES)
    assert update.files["a.yaml"].decode() == after
    assert not update.skipped
    again = update_marked(update.files, POLICIES)
    assert (again.files, again.changes) == ({}, ())


@pytest.mark.parametrize(("text", "code", "line", "cause"), SKIPPED)
def test_a_marker_that_can_not_be_used_says_why(text: str, code: str, line: int, cause: str) -> None:
    update = update_marked({"a.yaml": text.encode()}, POLICIES, "1234567890")
    skipped = update.skipped[0]
    assert not update.files
    assert not update.changes
    assert (skipped.problem.code.number, skipped.line) == (code, line)
    assert cause in str(skipped.problem)
    assert str(skipped.problem.origin).startswith(f"a.yaml:{line}")
    assert str(skipped.problem.origin).endswith("@1234567")


@pytest.mark.parametrize("text", SILENT)
def test_text_that_only_looks_like_a_marker_is_passed_over(text: str) -> None:
    update = update_marked({"a.yaml": text.encode()}, POLICIES)
    assert (update.files, update.skipped) == ({}, ())


def test_a_change_names_file_line_object_and_marker() -> None:
    text = f"kind: Deployment\napiVersion: apps/v1\nmetadata: {{name: web, namespace: shop}}\nspec:\n  image: x {WEB}\n"
    change = update_marked({"apps/web.yaml": text.encode()}, POLICIES).changes[0]
    assert (change.path, change.line, str(change.subject)) == ("apps/web.yaml", 5, "Deployment shop/web")
    assert (change.field, change.policy) == ("spec.image", "apps:web")
    assert (change.old, change.new) == ("x", "ghcr.io/acme/web:v2")


def test_a_change_in_a_list_names_the_item_that_it_is_in() -> None:
    text = f"kind: List\nitems:\n- kind: A\n- kind: B\n  metadata: {{name: b}}\n  spec: {{}}\n  image: x {WEB}\n"
    change = update_marked({"a.yaml": text.encode()}, POLICIES).changes[0]
    assert (str(change.subject), change.field) == ("B b", "image")


def test_a_name_and_its_tag_change_together_or_not_at_all() -> None:
    text = (
        'images:\n- newName: x # {"$imagepolicy": "apps:web:name"}\n'
        f"  newTag: &t v1 {TAG}\n- newTag: *t\n- newTag: v1 {TAG}\n"
    )
    update = update_marked({"kustomization.yaml": text.encode()}, POLICIES)
    assert [change.field for change in update.changes] == ["images[2].newTag"]
    assert [skipped.policy for skipped in update.skipped] == ["apps:web:name", "apps:web:tag"]


def test_one_broken_file_does_not_hold_up_the_others() -> None:
    files = {"a.yaml": f"a: [ {WEB}\n".encode(), "b.yaml": f"image: x {WEB}\n".encode()}
    update = update_marked(files, POLICIES)
    assert set(update.files) == {"b.yaml"}
    assert [skipped.path for skipped in update.skipped] == ["a.yaml"]


def test_only_yaml_files_and_kustomizations_with_the_marker_are_parsed() -> None:
    marked, broken = f"image: x {WEB}\n".encode(), b"{{ a template\n"
    files = {f"chart/{number}.yaml": broken for number in range(5_000)}
    files |= {"a.yml": marked, "Kustomization": marked, "README.md": marked, "a.json": marked, "a.yaml.tpl": marked}
    update = update_marked(files, POLICIES)
    assert set(update.files) == {"a.yml", "Kustomization"}
    assert not update.skipped


def test_of_a_comment_above_and_one_behind_an_item_the_one_behind_counts() -> None:
    text = f'- a\n{WEB}\n- x # {{"$imagepolicy": "apps:number"}}\n'
    update = update_marked({"a.yaml": text.encode()}, POLICIES)
    assert [change.policy for change in update.changes] == ["apps:number"]
    assert [skipped.line for skipped in update.skipped] == [2]


def test_a_comment_that_is_huge_or_deeply_nested_is_no_marker() -> None:
    nested = 'image: x # {"$imagepolicy": ' + "[" * 900 + "\n"
    huge = 'image: x # {"$imagepolicy": "apps:web", "a": "' + "x" * 2_000 + '"}\n'
    for text in (nested, huge):
        update = update_marked({"a.yaml": text.encode()}, POLICIES)
        assert [skipped.problem.code.number for skipped in update.skipped] == ["E553"]


def test_a_change_that_is_held_leaves_its_own_image_alone_and_no_other() -> None:
    name = '# {"$imagepolicy": "apps:web:name"}'
    text = f"a: v1 {WEB}\nb: v1 {WEB}\nc:\n  name: x {name}\n  tag: v1 {TAG}\n".encode()
    problem = Problem(FLIPPED, "to and fro")
    held = {("x.yaml", 1, "a"): problem, ("x.yaml", 5, "c.tag"): problem, ("y.yaml", 2, "b"): problem}
    update = update_marked({"x.yaml": text}, POLICIES, held=held)
    assert update.files["x.yaml"] == text.replace(b"b: v1", b"b: ghcr.io/acme/web:v2")
    assert sorted(each.line for each in update.skipped) == [1, 4, 5]
    assert {each.problem for each in update.skipped} == {problem}


def test_a_number_with_the_right_digits_becomes_text_and_is_a_change() -> None:
    text = b'newTag: 1.20 # {"$imagepolicy": "apps:number:tag"}\n'
    update = update_marked({"a.yaml": text}, POLICIES)
    assert update.files["a.yaml"].startswith(b'newTag: "1.20" #')
    assert [(change.old, change.new) for change in update.changes] == [("1.20", "1.20")]


def test_an_update_names_the_policies_of_all_markers_also_of_values_that_are_right() -> None:
    files = {"a.yaml": f"image: ghcr.io/acme/web:v2 {WEB}\n".encode(), "b.yaml": b"image: x\n"}
    update = update_marked(files, POLICIES)
    assert not update.files
    assert update.marked == {NamespacedName("apps", "web")}

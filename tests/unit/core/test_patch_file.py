"""Edits of a patch file: exactly one value of one object differs afterwards, and every other byte is as it was."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.core.errors import UserError
from sluice.core.image_update.patch_file import (
    Named,
    Steps,
    annotate_in_patch,
    identity,
    line_in_patch,
    set_in_patch,
    steps_to,
)
from sluice.core.image_update.result import FileObject
from sluice.core.yaml_text import EditRefused, open_text

WEB = FileObject("apps/v1", "Deployment", "shop", "web")
IMAGE: Steps = ("spec", "template", "spec", "containers", Named("main"), "image")
HEAD = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  namespace: shop\n"


def edited(text: str, steps: Steps = IMAGE, value: str | None = "web:2") -> str:
    return set_in_patch(text.encode(), "patch.yaml", WEB, steps, value).decode()


def values(text: str) -> list[Any]:
    return open_text(text.encode(), "patch.yaml").values()


POD = "spec:\n  template:\n    spec:\n      containers:\n"
ADDED = f"{POD}        - name: main\n          image: web:2\n"
SIDE = f"{HEAD}{POD}      - name: side\n        image: s:1\n"
FLOW_ITEM = '{"name": "main", "image": "web:2"}'
FLOW = f'"template": {{"spec": {{"containers": [{FLOW_ITEM}]}}}}'


def in_flow(containers: str) -> str:
    return f"{HEAD}spec: {{template: {{spec: {{containers: [{containers}]}}}}}} # this\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", f"---\n{HEAD}{ADDED}"),
        ("# only words", f"# only words\n---\n{HEAD}{ADDED}"),
        (HEAD, f"{HEAD}{ADDED}"),
        (f"{HEAD}spec: {{replicas: 2}} # two\n", f"{HEAD}spec: {{replicas: 2, {FLOW}}} # two\n"),
        (f"{HEAD}spec: {{}}\n", f"{HEAD}spec: {{{FLOW}}}\n"),
        (f"{SIDE}      # end\n", f"{SIDE}      - name: main\n        image: web:2\n      # end\n"),
        (in_flow("{name: side}"), in_flow("{name: side}, " + FLOW_ITEM)),
        (in_flow("{name: main}"), in_flow('{name: main, "image": "web:2"}')),
        (in_flow("{name: main, image: 'a:1'}"), in_flow("{name: main, image: 'web:2'}")),
        (HEAD.replace("\n", "\r\n"), f"{HEAD}{ADDED}".replace("\n", "\r\n")),
    ],
)
def test_a_value_is_written_where_it_is_or_where_it_can_be_first(before: str, after: str) -> None:
    assert edited(before) == after


def test_a_patch_that_names_no_namespace_is_that_of_the_default_one() -> None:
    patch = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n"
    subject = FileObject("apps/v1", "Deployment", "default", "web")
    data = set_in_patch(patch.encode(), "p.yaml", subject, ("spec", "x"), "1")
    assert data.decode() == patch + 'spec:\n  x: "1"\n'


def test_null_takes_a_value_away_where_the_patch_is_applied() -> None:
    steps: Steps = ("metadata", "annotations", "a/b")
    once = edited(HEAD, steps, None)
    assert once == f"{HEAD}  annotations:\n    a/b: null\n"
    assert edited(once.replace("null", "'true'  # why"), steps, None) == once.replace("null", "null  # why")
    assert edited(once, steps, "x") == once.replace("null", "x")


def test_annotations_are_set_and_deleted_and_printed_ones_become_null() -> None:
    def annotated(text: str, changes: dict[str, str | None], printed: tuple[str, ...] = ()) -> str:
        return annotate_in_patch(text.encode(), "p.yaml", WEB, changes, printed).decode()

    once = annotated(HEAD, {"fluxcd.io/automated": "true"})
    assert once == f"{HEAD}  annotations:\n    fluxcd.io/automated: 'true'\n"
    assert annotated(once, {"fluxcd.io/automated": None}) == HEAD
    assert annotated(once, {"fluxcd.io/automated": None}, ("fluxcd.io/automated",)) == once.replace("'true'", "null")
    assert annotated("", {"fluxcd.io/automated": None}) == ""


def test_the_line_of_a_value_is_told() -> None:
    text = edited(f"# words\n{HEAD}")
    assert line_in_patch(text.encode(), "p.yaml", WEB, IMAGE) == 12
    assert line_in_patch(text.encode(), "p.yaml", WEB, ("status",)) == 2
    assert line_in_patch(b"", "p.yaml", WEB, IMAGE) == 0


def test_list_items_are_named_in_a_patch() -> None:
    value = {"spec": {"containers": [{"name": "side"}, {"name": "main", "image": "x"}]}}
    assert steps_to(value, ("spec", "containers", 1, "image")) == ("spec", "containers", Named("main"), "image")


@pytest.mark.parametrize(
    "patch",
    [
        f"{HEAD}spec: text\n",
        f"{HEAD}spec:\n",
        f"{HEAD}spec: &a {{x: 1}}\nother: *a\n",
        f"{HEAD}spec: {{template: {{spec: {{containers: {{}}}}}}}}\n",
        f"{HEAD}spec: [\n",
    ],
)
def test_a_form_that_can_not_be_edited_is_refused_with_its_place(patch: str) -> None:
    with pytest.raises(EditRefused) as error:
        edited(patch)
    origin = error.value.problems[0].origin
    assert origin is not None
    assert origin.path == "patch.yaml"
    assert origin.line >= 6


NAMES = st.sampled_from(["web", "db"])
CONTAINERS = st.lists(st.fixed_dictionaries({"name": st.sampled_from(["a", "b"]), "image": st.just("i:1")}), max_size=2,
                      unique_by=lambda each: str(each["name"]))  # fmt: skip


def document(name: str, containers: list[Any] | None, style: str) -> str:
    head = f"# about {name}\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}, namespace: shop}}\n"
    if containers is None:
        return head
    if style == "flow" or not containers:
        return f"{head}spec: {{template: {{spec: {{containers: {containers!r}}}}}}}\n"
    lines = "".join(f"    - name: {c['name']}\n      image: {c['image']} # keep\n" for c in containers)
    return f"{head}spec:\n template:\n  spec:\n   containers:\n{lines}"


@given(st.lists(st.tuples(NAMES, st.none() | CONTAINERS, st.sampled_from(["flow", "block"])), max_size=2,
                unique_by=lambda each: each[0]), NAMES, st.sampled_from(["a", "b", "c"]))  # fmt: skip
def test_the_result_differs_in_exactly_the_value_and_a_second_edit_changes_nothing(
    documents: list[tuple[str, list[Any] | None, str]], name: str, container: str
) -> None:
    text = "---\n".join(document(*each) for each in documents)
    subject = FileObject("apps/v1", "Deployment", "shop", name)
    steps: Steps = ("spec", "template", "spec", "containers", Named(container), "image")
    after = set_in_patch(text.encode(), "p.yaml", subject, steps, "i:2").decode()
    assert set_in_patch(after.encode(), "p.yaml", subject, steps, "i:2").decode() == after
    expected = copy.deepcopy(values(text))
    if all(identity(each) != subject for each in expected):
        expected.append(
            {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "shop"}}
        )
    holder = next(each for each in expected if identity(each) == subject)
    for key in ("spec", "template", "spec"):
        holder = holder.setdefault(key, {})
    items = holder.setdefault("containers", [])
    if all(each["name"] != container for each in items):
        items.append({"name": container})
    next(each for each in items if each["name"] == container)["image"] = "i:2"
    assert values(after) == expected
    left = [line for line in text.splitlines() if line not in after.splitlines()]
    assert len(left) <= 1


def test_a_broken_patch_file_is_refused_with_its_line() -> None:
    with pytest.raises(UserError) as error:
        edited("a: [\n")
    assert "patch.yaml:" in str(error.value)

"""An entry of a kustomization's `images:` is written so that it yields an image, every other byte as it was."""

from __future__ import annotations

import pytest

from sluice.core.image import parse
from sluice.core.image_update.kustomization import update_entry
from sluice.core.image_update.result import ImageChange
from sluice.core.yaml_text import Address, EditRefused, open_text

D1, D2 = "sha256:" + "1" * 64, "sha256:" + "2" * 64

CASES: list[tuple[str, str, str]] = [
    ("- name: web\n  newTag: v1 # c\n", "web:v2", "- name: web\n  newTag: v2 # c\n"),
    ("- name: web\n  newTag: 1.0\n", "web:1.10", '- name: web\n  newTag: "1.10"\n'),
    ("- name: docker.io/library/web\n  newTag: 'v1'\n", "web:v2", "- name: docker.io/library/web\n  newTag: 'v2'\n"),
    ("- name: x\n  newName: acme/web\n  newTag: v1\n", "acme/web:v2", "- name: x\n  newName: acme/web\n  newTag: v2\n"),
    ("- {name: web, newTag: v1}\n", "web:v2", "- {name: web, newTag: v2}\n"),
    ("- name: web\n", "web:v2", "- name: web\n  newTag: v2\n"),
    ("- name: web\n- name: b\n", "web:1.10", '- name: web\n  newTag: "1.10"\n- name: b\n'),
    (f"- name: web\n  digest: {D1}\n", f"web:v2@{D2}", f"- name: web\n  digest: {D2}\n"),
    (
        f"- name: web\n  newTag: v1\n  digest: {D1}\n",
        f"web:v2@{D2}",
        f"- name: web\n  newTag: v2\n  digest: {D2}\n",
    ),
    ("- name: web\n  newTag: v1\n", f"web:v2@{D2}", f"- name: web\n  newTag: v2\n  digest: {D2}\n"),
    (
        "- name: x\n  newName: web\n- name: web\n  newName: y\n",
        "web:v2",
        "- name: x\n  newName: web\n  newTag: v2\n- name: web\n  newName: y\n",
    ),
]


def yielding(text: str, image: str, index: int = 0) -> tuple[str, tuple[ImageChange, ...]]:
    file = open_text(text.encode(), "kustomization.yaml")
    data, changes = update_entry(file, Address(1, ("images", index)), parse(image))
    return data.decode(), changes


@pytest.mark.parametrize(("before", "image", "after"), CASES)
def test_an_entry_yields_its_new_image(before: str, image: str, after: str) -> None:
    data, changes = yielding(f"resources: [a]\nimages:\n{before}# end\n", image)
    assert data == f"resources: [a]\nimages:\n{after}# end\n"
    assert changes
    assert yielding(data, image) == (data, ())


@pytest.mark.parametrize(
    ("text", "image", "code"),
    [
        (f"images:\n- name: web\n  digest: {D1}\n", "web:v2", "E561"),
        ("images:\n- name: web\n  newTag: v1\n", "web", "E561"),
        ("images:\n- name: web\n  newTag: &t v1\nx: *t\n", "web:v2", "E550"),
    ],
)
def test_an_entry_that_can_not_be_written_says_why(text: str, image: str, code: str) -> None:
    with pytest.raises(EditRefused) as caught:
        yielding(text, image)
    assert [problem.code.number for problem in caught.value.problems] == [code]


def test_a_change_names_the_entry_and_its_line() -> None:
    _, changes = yielding("images:\n- name: other\n- name: web\n  newTag: v1\n", "web:v2", 1)
    [change] = changes
    assert (change.line, change.field, change.old, change.new) == (4, "images[1].newTag", "v1", "v2")

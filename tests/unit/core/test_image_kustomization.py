"""Entries of a kustomization's `images:` follow an image to its new tag or digest."""

from __future__ import annotations

import pytest

from sluice.core.image import parse
from sluice.core.image_update.kustomization import update_kustomizations

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


@pytest.mark.parametrize(("before", "image", "after"), CASES)
def test_an_entry_follows_its_image(before: str, image: str, after: str) -> None:
    files = {"apps/kustomization.yaml": f"resources: [a]\nimages:\n{before}# end\n".encode()}
    update = update_kustomizations(files, [parse(image)])
    assert update.files["apps/kustomization.yaml"].decode() == f"resources: [a]\nimages:\n{after}# end\n"
    again = update_kustomizations(update.files, [parse(image)])
    assert (again.files, again.changes) == ({}, ())


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (f"images:\n- name: web\n  digest: {D1}\n", "E561"),
        ("images:\n- name: web\n  newTag: &t v1\nx: *t\n", "E550"),
        ("images: [\n", "E202"),
    ],
)
def test_an_entry_that_can_not_follow_says_why(text: str, code: str) -> None:
    update = update_kustomizations({"kustomization.yaml": text.encode()}, [parse("web:v2")])
    assert not update.files
    assert [skipped.problem.code.number for skipped in update.skipped] == [code]


def test_other_files_and_other_images_are_left_alone() -> None:
    text = b"images:\n- name: web\n  newTag: v1\n- name: UPPER\n- 3\n"
    update = update_kustomizations({"web.yaml": text, "kustomization.yml": text}, [parse("acme/web:v2")])
    assert (update.files, update.changes, update.skipped) == ({}, (), ())


def test_a_change_names_the_entry_and_its_line() -> None:
    text = b"images:\n- name: web\n  newTag: v1\n"
    change = update_kustomizations({"kustomization.yaml": text}, [parse("web:v2")]).changes[0]
    assert (change.line, change.field, change.old, change.new) == (3, "images[0].newTag", "v1", "v2")

"""The `images:` of kustomizations: entries that replace an image get its new tag, or digest."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sluice.core import codes
from sluice.core.image import ImageRef, ImageRefError, parse
from sluice.core.image_update.file_edit import merged, skip, unreadable
from sluice.core.image_update.result import FileObject, ImageChange, ImageUpdate, Skipped
from sluice.core.yaml_edit import scalar_edit, value_at, verified
from sluice.core.yaml_map_edit import inserted
from sluice.core.yaml_text import Address, Edit, EditRefused, YamlText, open_text

NAMES = frozenset({"kustomization.yaml", "kustomization.yml", "Kustomization"})


def update_kustomizations(files: Mapping[str, bytes], images: Sequence[ImageRef], commit: str = "") -> ImageUpdate:
    """Give every `images:` entry that yields one of these repositories the tag and digest named here.

    An entry is one when its `newName`, or else its `name`, is the image's repository, however it is written. An entry
    pinned by `digest` follows only to a digest; then, or without it, `newTag` is set, and added where there is none.
    Nothing raises: an entry that can't be written is skipped with its reason.
    """
    updates = []
    for path in sorted(files):
        if path.rpartition("/")[2] in NAMES and b"images" in files[path]:
            try:
                updates.append(_in_file(open_text(files[path], path, commit), images))
            except EditRefused as error:
                updates.append(ImageUpdate(skipped=(unreadable(path, error),)))
    return merged(updates)


def _in_file(file: YamlText, images: Sequence[ImageRef]) -> ImageUpdate:
    before = file.edited([])
    changes: list[ImageChange] = []
    skipped: list[Skipped] = []
    for at, image in list(_entries(file, images)):
        try:
            data, made = update_entry(file, at, image)
        except EditRefused as error:
            skipped.append(skip(file, at, error.problems[0]))
            continue
        changes += made
        file = open_text(data, file.path, file.commit)
    after = file.edited([])
    return ImageUpdate({file.path: after} if after != before else {}, tuple(changes), tuple(skipped))


def _entries(file: YamlText, images: Sequence[ImageRef]) -> Iterator[tuple[Address, ImageRef]]:
    wanted = {image.canonical_name: image for image in images}
    for number, document in enumerate(file.documents, 1):
        held = document.value.get("images") if isinstance(document.value, dict) else None
        for index, entry in enumerate(held if isinstance(held, list) else ()):
            name = _yielded(entry)
            if name is not None and name in wanted:
                yield Address(number, ("images", index)), wanted[name]


def _yielded(entry: Any) -> str | None:
    """The repository that an entry puts in place, in full."""
    name = (entry.get("newName") or entry.get("name")) if isinstance(entry, dict) else None
    try:
        return parse(name).canonical_name if isinstance(name, str) else None
    except ImageRefError:
        return None


def update_entry(file: YamlText, at: Address, image: ImageRef) -> tuple[bytes, tuple[ImageChange, ...]]:
    """Make one entry yield an image: the file's new bytes, and each value that changes.

    `newName` is set where the entry yields another repository. Raises EditRefused.
    """
    entry: dict[str, Any] = value_at(file, at)
    wanted = {key: value for key, value in (("newTag", image.tag), ("digest", image.digest)) if value is not None}
    if _yielded(entry) != image.canonical_name:
        wanted = {"newName": image.name, **wanted}
    if image.tag is None and image.digest is None:
        title, fix = "an image without a tag can't be written here", "name the image with a tag"
        raise file.refused(codes.IMAGE_FORM, title, at=file.branch(at)[-1], address=at, fix=fix)
    if "digest" in entry and image.digest is None:
        title, cause = "the entry is pinned by a digest", f"{image} has none"
        fix = "let the policy reflect digests, or remove the entry's digest"
        raise file.refused(codes.IMAGE_FORM, title, at=file.branch(at)[-1], address=at, cause=cause, fix=fix)
    if image.digest is not None and "digest" in entry and "newTag" not in entry:
        wanted.pop("newTag", None)
    subject = FileObject(kind="Kustomization")
    changes: list[ImageChange] = []
    now, expected = file, copy.deepcopy(file.values())
    for key, value in wanted.items():
        edit = _edit(now, at, entry, key, value)
        if edit is None:
            continue
        expected[at.document - 1]["images"][at.path[1]][key] = value
        node = file.branch(at)[-1]
        line, field = (node.keys[key].at.line if key in entry else node.at.line), f"images[{at.path[1]}].{key}"
        changes.append(ImageChange(file.path, line, subject, field, "", str(entry.get(key) or ""), value))
        now = open_text(now.edited([edit]), file.path, file.commit)
    return verified(file, now.edited([]), expected), tuple(changes)


def _edit(file: YamlText, at: Address, entry: dict[str, Any], key: str, value: str) -> Edit | None:
    return scalar_edit(file, at.step(key), value) if key in entry else inserted(file, at, key, value, '"')

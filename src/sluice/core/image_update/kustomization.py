"""An entry of a kustomization's `images:`, written so that it yields another image."""

from __future__ import annotations

import copy
from typing import Any

from sluice.core import codes
from sluice.core.image import ImageRef, ImageRefError, parse
from sluice.core.image_update.result import FileObject, ImageChange
from sluice.core.yaml_edit import scalar_edit, value_at, verified
from sluice.core.yaml_map_edit import inserted
from sluice.core.yaml_text import Address, Edit, YamlText, open_text

NAMES = frozenset({"kustomization.yaml", "kustomization.yml", "Kustomization"})


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

"""Laws of image updates: what is marked follows its policy, every other value and byte stays, and twice is once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sluice.core.ids import NamespacedName
from sluice.core.image import ImageRef, parse
from sluice.core.image_update.setters import update_marked
from sluice.core.yaml_quote import plain_or_quoted, quoted
from sluice.core.yaml_read import read_documents
from tests.yaml_texts import WORDS

CHOSEN: dict[NamespacedName, ImageRef | None] = {
    NamespacedName("apps", "web"): parse("ghcr.io/acme/web:1.20"),
    NamespacedName("apps", "db"): parse("postgres:v17@sha256:" + "a" * 64),
}
VALUES = {
    "apps:web": "ghcr.io/acme/web:1.20",
    "apps:web:name": "ghcr.io/acme/web",
    "apps:web:tag": "1.20",
    "apps:db": "postgres:v17@sha256:" + "a" * 64,
    "apps:db:digest": "sha256:" + "a" * 64,
}


@dataclass(frozen=True)
class Marked:
    """A file, the values that it has to have after an update, and its lines without those that are marked."""

    data: bytes
    after: list[Any]
    others: list[bytes]


@st.composite
def files(draw: st.DrawFn) -> Marked:
    """Deployment-like documents, some of whose values are marked."""
    lines: list[tuple[str, bool]] = []
    after: list[Any] = []
    for number in range(draw(st.integers(1, 3))):
        lines.append((f"--- # {number}", False))
        items: list[dict[str, str]] = []
        lines += [("kind: Deployment # why", False), ("", False), ("items:", False)]
        for _ in range(draw(st.integers(1, 4))):
            text, marker = draw(WORDS), draw(st.sampled_from([None, *VALUES]))
            quote = draw(st.sampled_from(["", "'", '"']))
            written = quoted(text, quote) if quote else plain_or_quoted(text, "'", in_flow=False)
            comment = (
                draw(st.sampled_from(["", " # note"])) if marker is None else f'  # {{"$imagepolicy": "{marker}"}}'
            )
            lines += [("- other: x # y", False), (f"  image:  {written}{comment}", marker is not None)]
            items.append({"other": "x", "image": text if marker is None else VALUES[marker]})
        after.append({"kind": "Deployment", "items": items})
    end = draw(st.sampled_from(["\n", "\r\n"]))
    return Marked(
        "".join(line + end for line, _ in lines).encode(),
        after,
        [line.encode() for line, is_marked in lines if not is_marked],
    )


def unmarked_lines(data: bytes) -> list[bytes]:
    return [line.rstrip(b"\r") for line in data.split(b"\n")[:-1] if b"imagepolicy" not in line]


@given(files())
def test_what_is_marked_follows_its_policy_and_nothing_else_changes(made: Marked) -> None:
    update = update_marked({"a.yaml": made.data}, CHOSEN)
    edited = update.files.get("a.yaml", made.data)
    assert [document.value for document in read_documents(edited, "a.yaml")[0]] == made.after
    assert unmarked_lines(edited) == made.others
    assert edited.count(b"\r\n") == made.data.count(b"\r\n")
    # Of a marked line too all but the value stays.
    comments = re.compile(rb"  # \{.*")
    assert comments.findall(edited) == comments.findall(made.data)
    assert not update.skipped


@given(files())
def test_an_update_of_an_updated_file_changes_nothing(made: Marked) -> None:
    update = update_marked({"a.yaml": made.data}, CHOSEN)
    again = update_marked({"a.yaml": update.files.get("a.yaml", made.data)}, CHOSEN)
    assert (again.files, again.changes) == ({}, ())
    assert bool(update.files) == bool(update.changes)

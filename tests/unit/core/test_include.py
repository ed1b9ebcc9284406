"""spec.include: the files of one artifact inside another's tree."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from sluice.core.artifact import FileEntry, FileTree
from sluice.core.codes import INCLUDE_UNAVAILABLE, SPEC_INVALID
from sluice.core.errors import UserError
from sluice.core.include import CombinedBlobs, merge_include


class Memory:
    """A BlobReader over a dict; it refuses names that it does not hold."""

    def __init__(self, contents: dict[str, bytes]) -> None:
        self.contents = contents

    async def read(self, entries: Sequence[FileEntry]) -> list[bytes]:
        return [self.contents[entry.blob] for entry in entries]


def tree(**files: str) -> FileTree:
    return FileTree(tuple(FileEntry(path.replace("__", "/"), blob, 1) for path, blob in sorted(files.items())))


OURS = tree(app="1", lib__old="2", lib__same="3")
OTHER = tree(charts__x="7", charts__y__z="8", same="9")


@pytest.mark.parametrize(
    ("from_path", "to_path", "expected"),
    [
        ("", "vendor", {"vendor/charts/x": "7", "vendor/charts/y/z": "8", "vendor/same": "9"}),
        ("charts", "lib", {"lib/x": "7", "lib/y/z": "8"}),
        ("./charts/y/", "deep/er", {"deep/er/z": "8"}),
        ("same", "lib/same", {"lib/same": "9"}),
        ("", "lib", {"lib/charts/x": "7", "lib/charts/y/z": "8", "lib/same": "9"}),
    ],
)
def test_included_files_are_put_below_to_path(from_path: str, to_path: str, expected: dict[str, str]) -> None:
    merged = merge_include(OURS, OTHER, from_path, to_path)
    assert {e.path: e.blob for e in merged.entries} == {e.path: e.blob for e in OURS.entries} | expected
    assert [e.path for e in merged.entries] == sorted(e.path for e in merged.entries)


@pytest.mark.parametrize(
    ("from_path", "to_path"), [("../x", "y"), ("", "../y"), ("", "a/../../y"), ("", "app"), ("", "app/x")]
)
def test_paths_that_lead_out_or_collide_are_refused(from_path: str, to_path: str) -> None:
    with pytest.raises(UserError) as caught:
        merge_include(OURS, OTHER, from_path, to_path)
    assert caught.value.problems[0].code is SPEC_INVALID


def test_a_folder_that_the_other_repository_lacks_is_named() -> None:
    with pytest.raises(UserError, match="'nope'") as caught:
        merge_include(OURS, OTHER, "nope", "x")
    assert caught.value.problems[0].code is INCLUDE_UNAVAILABLE


async def test_contents_are_read_from_the_artifact_they_came_from() -> None:
    blobs = CombinedBlobs(
        Memory({"1": b"one", "2": b"two", "3": b"three"}), [(OTHER, Memory({"7": b"x", "8": b"z", "9": b"s"}))]
    )
    merged = merge_include(OURS, OTHER, "charts", "lib")
    contents = await blobs.read(merged.entries)
    assert dict(zip((e.path for e in merged.entries), contents, strict=True)) == {
        "app": b"one", "lib/old": b"two", "lib/same": b"three", "lib/x": b"x", "lib/y/z": b"z",
    }  # fmt: skip

"""The bytes that were fetched are the bytes that are stored, told and rendered: one digest, and nothing else passes."""

from __future__ import annotations

import asyncio
import hashlib
import io
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.core.artifact import Artifact, FileEntry, FileTree, digest_of
from sluice.core.ids import ResourceId
from sluice.core.image import parse
from sluice.core.image_pin import pin_mismatch
from sluice.core.revision import Revision
from sluice.store.artifacts import ArtifactStore

SOURCE = ResourceId("source.toolkit.fluxcd.io", "GitRepository", "shop", "fleet")
REVISION = Revision("main", "sha1", "a" * 40)
NOW = datetime(2026, 5, 1, tzinfo=UTC)
SEGMENTS = st.text(st.sampled_from("aäB-_. 0"), min_size=1, max_size=12).filter(lambda s: s not in {".", ".."})
PATHS = st.lists(SEGMENTS, min_size=1, max_size=3).map("/".join)
FILES = st.dictionaries(PATHS, st.tuples(st.binary(max_size=700), st.sampled_from(["file", "executable", "symlink"])))
Files = dict[str, tuple[bytes, str]]


@dataclass(frozen=True)
class Blobs:
    """Contents by the name of their blob."""

    contents: dict[str, bytes]

    async def read(self, entries: Sequence[FileEntry]) -> list[bytes]:
        return [self.contents[entry.blob] for entry in entries]


def tree_of(files: Files) -> tuple[FileTree, Blobs]:
    """As a mirror shows them: equal contents have one name."""
    # git knows no file that is a folder, too.
    held = {p: f for p, f in files.items() if not any(other.startswith(p + "/") for other in files)}
    names = {path: hashlib.sha1(data, usedforsecurity=False).hexdigest() for path, (data, _) in held.items()}
    entries = tuple(FileEntry(path, names[path], len(data), mode) for path, (data, mode) in held.items())  # type: ignore[arg-type]
    return FileTree(entries), Blobs({names[path]: data for path, (data, _) in held.items()})


def stored(root: Path, files: Files) -> Artifact:
    tree, blobs = tree_of(files)
    return asyncio.run(ArtifactStore(root).put(SOURCE, REVISION, tree, blobs, now=NOW))


@settings(max_examples=40)
@given(FILES)
def test_the_digest_that_is_told_is_of_the_bytes_that_are_served_and_these_are_the_tree(files: Files) -> None:
    with TemporaryDirectory() as folder:
        artifact = stored(Path(folder), files)
        raw = (Path(folder) / artifact.path).read_bytes()
    assert artifact.digest == f"sha256:{hashlib.sha256(raw).hexdigest()}"
    assert artifact.size == len(raw)
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        found = {m.name: (archive.extractfile(m) or io.BytesIO()).read() for m in archive if m.isfile()}
        assert all(member.isfile() or member.isdir() for member in archive)
    _, blobs = tree_of(files)
    assert found == {e.path: blobs.contents[e.blob] for e in artifact.tree.entries if e.mode != "symlink"}


@settings(max_examples=40)
@given(FILES, st.data())
def test_after_a_restart_only_the_very_bytes_are_taken_for_the_artifact(files: Files, data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        artifact = stored(Path(folder), files)
        path = Path(folder) / artifact.path
        raw = path.read_bytes()
        at = data.draw(st.integers(0, len(raw) - 1))
        edited = data.draw(
            st.sampled_from([raw, raw[:at], raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :], raw + b"x"])
        )
        path.write_bytes(edited)
        told = {"digest": artifact.digest, "fetched_at": artifact.fetched_at}
        found = asyncio.run(ArtifactStore(Path(folder)).find(SOURCE, REVISION, artifact.tree, artifact.blobs, **told))
    assert (found == artifact) == (edited == raw)
    assert (found is None) == (edited != raw)


@given(FILES, st.data())
def test_trees_have_one_name_if_and_only_if_they_have_the_same_files(first: Files, data: st.DataObject) -> None:
    second = dict(first)
    for path in data.draw(st.lists(st.sampled_from(sorted(first)), max_size=2)) if first else ():
        content, mode = second.pop(path, (b"", "file"))
        match data.draw(st.sampled_from(["mode", "content", "name", "gone"])):
            case "mode":
                second[path] = content, "file" if mode != "file" else "executable"
            case "content":
                second[path] = content + b"x", mode
            case "name":
                second[path + "x"] = content, mode
    one, other = tree_of(first)[0], tree_of(second)[0]
    assert (digest_of(one.entries) == digest_of(other.entries)) == (one.entries == other.entries)


@settings(max_examples=30)
@given(FILES, st.data())
def test_a_tree_is_stored_as_the_same_bytes_in_whatever_order_its_files_come(files: Files, data: st.DataObject) -> None:
    again = dict(data.draw(st.permutations(list(files.items()))))
    with TemporaryDirectory() as first, TemporaryDirectory() as second:
        assert stored(Path(first), files).digest == stored(Path(second), again).digest


DIGESTS = st.builds(lambda alg, hexes: f"{alg}:{hexes * 64}", st.just("sha256"), st.sampled_from("0af"))


@given(st.none() | st.sampled_from(["1", "v2"]), st.none() | DIGESTS, st.none() | DIGESTS)
def test_a_pinned_image_whose_tag_has_moved_is_told_and_no_other(
    tag: str | None, pin: str | None, listed: str | None
) -> None:
    image = parse("example.com/web" + (f":{tag}" if tag else "") + (f"@{pin}" if pin else ""))
    assert (pin_mismatch(image, listed) is not None) == (None not in {tag, pin, listed} and pin != listed)

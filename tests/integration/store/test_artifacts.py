"""The artifact store on a real disk: the same files give the same bytes, whole or not at all, and old ones go."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import os
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from sluice.core.artifact import FileEntry, FileMode, FileTree
from sluice.core.errors import StateError
from sluice.core.ids import ResourceId
from sluice.core.revision import Revision
from sluice.store.artifacts import ArtifactStore

SOURCE = ResourceId("source.toolkit.fluxcd.io", "GitRepository", "flux-system", "fleet")
NOW = dt.datetime(2026, 11, 24, 12, 0, tzinfo=dt.UTC)


class Memory:
    """A BlobReader over a dict, which notes how much was asked for at once."""

    def __init__(self, contents: dict[str, bytes]) -> None:
        self.contents = contents
        self.largest = 0

    async def read(self, entries: Sequence[FileEntry]) -> list[bytes]:
        self.largest = max(self.largest, sum(entry.size for entry in entries))
        return [self.contents[entry.blob] for entry in entries]


class Broken:
    """A BlobReader that fails."""

    async def read(self, entries: Sequence[FileEntry]) -> list[bytes]:
        raise StateError


def tree_of(files: dict[str, bytes], modes: dict[str, FileMode] | None = None) -> tuple[FileTree, Memory]:
    entries = [
        FileEntry(path, hashlib.sha256(content).hexdigest(), len(content), (modes or {}).get(path, "file"))
        for path, content in sorted(files.items())
    ]
    return FileTree(tuple(entries)), Memory({e.blob: files[e.path] for e in entries})


def revision(digit: str) -> Revision:
    return Revision("main", "sha1", digit * 40)


FILES = {
    "README.md": b"hello\n",
    "apps/web/deploy.yaml": b"kind: Deployment\n",
    "apps/web/run.sh": b"#!/bin/sh\n",
    "apps/link": b"web/run.sh",
    "empty": b"",
    "deep/" + "x" * 120 + "/" + "ü" * 60 + ".yaml": b"long\n",
}
MODES: dict[str, FileMode] = {"apps/web/run.sh": "executable", "apps/link": "symlink"}


async def test_a_tarball_has_flux_s_layout_headers_and_digest(tmp_path: Path) -> None:
    tree, blobs = tree_of(FILES, MODES)
    artifact = await ArtifactStore(tmp_path).put(SOURCE, revision("a"), tree, blobs, now=NOW)
    file = tmp_path / artifact.path
    assert artifact.path == f"gitrepository/flux-system/fleet/{'a' * 40}.tar.gz"
    assert artifact.digest == "sha256:" + hashlib.sha256(file.read_bytes()).hexdigest()
    assert (artifact.size, artifact.fetched_at) == (file.stat().st_size, "2026-11-24T12:00:00Z")
    with tarfile.open(file) as archive:
        members = {member.name: member for member in archive.getmembers()}
        contents = {n: (m.isfile() and archive.extractfile(m)) for n, m in members.items()}
        read = {name: stream.read() for name, stream in contents.items() if stream}
    assert read == {name: content for name, content in FILES.items() if name != "apps/link"}
    assert {(m.uid, m.gid, m.uname, m.gname, m.mtime) for m in members.values()} == {(0, 0, "", "", 0)}
    assert {m.mode for m in members.values() if m.isdir()} == {0o750}
    assert (members["README.md"].mode, members["apps/web/run.sh"].mode) == (0o600, 0o700)
    assert "apps/link" not in members


async def test_the_system_s_own_tar_and_gzip_read_it(tmp_path: Path) -> None:
    tree, blobs = tree_of(FILES, MODES)
    artifact = await ArtifactStore(tmp_path).put(SOURCE, revision("a"), tree, blobs, now=NOW)
    out = tmp_path / "out"
    out.mkdir()
    subprocess.run(["gzip", "-t", tmp_path / artifact.path], check=True)
    subprocess.run(["tar", "-xzf", tmp_path / artifact.path, "-C", out], check=True)
    files = {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()}
    assert files == {name: content for name, content in FILES.items() if name != "apps/link"}


async def test_the_same_files_give_the_same_bytes_at_any_time(tmp_path: Path) -> None:
    tree, blobs = tree_of(FILES, MODES)
    one = await ArtifactStore(tmp_path / "one").put(SOURCE, revision("a"), tree, blobs, now=NOW)
    two = await ArtifactStore(tmp_path / "two").put(SOURCE, revision("b"), tree, blobs, now=NOW + dt.timedelta(days=9))
    assert one.digest == two.digest
    changed, other = tree_of(FILES | {"README.md": b"hallo\n"}, MODES)
    three = await ArtifactStore(tmp_path / "three").put(SOURCE, revision("a"), changed, other, now=NOW)
    assert three.digest != one.digest


async def test_large_trees_are_read_in_parts(tmp_path: Path) -> None:
    files = {f"f{n:02}": os.urandom(1 << 20) for n in range(40)}
    tree, blobs = tree_of(files)
    artifact = await ArtifactStore(tmp_path).put(SOURCE, revision("a"), tree, blobs, now=NOW)
    assert blobs.largest <= 8 << 20
    with gzip.open(tmp_path / artifact.path) as stream:
        assert len(stream.read()) > 40 << 20


async def test_the_two_newest_and_the_young_stay(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    tree, blobs = tree_of(FILES, MODES)
    folder = tmp_path / "gitrepository/flux-system/fleet"
    for digit, seconds in (("a", 0), ("b", 10), ("c", 20), ("d", 75)):
        await store.put(SOURCE, revision(digit), tree, blobs, now=NOW + dt.timedelta(seconds=seconds))
    assert sorted(path.name[0] for path in folder.iterdir()) == ["c", "d"]
    await store.put(SOURCE, revision("e"), tree, blobs, now=NOW + dt.timedelta(seconds=76))
    assert sorted(path.name[0] for path in folder.iterdir()) == ["c", "d", "e"]


async def test_what_a_crash_left_half_written_goes(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    tree, blobs = tree_of(FILES)
    await store.put(SOURCE, revision("a"), tree, blobs, now=NOW)
    half = tmp_path / "gitrepository/flux-system/fleet/.new-crashed"
    half.write_bytes(b"half")
    os.utime(half, (NOW.timestamp(), NOW.timestamp()))
    await store.put(SOURCE, revision("b"), tree, blobs, now=NOW + dt.timedelta(seconds=61))
    assert not half.exists()


async def test_a_failed_read_leaves_no_file_and_the_old_artifact(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    tree, blobs = tree_of(FILES)
    await store.put(SOURCE, revision("a"), tree, blobs, now=NOW)
    with pytest.raises(StateError):
        await store.put(SOURCE, revision("b"), tree, Broken(), now=NOW)
    assert [path.name for path in (tmp_path / "gitrepository/flux-system/fleet").iterdir()] == [f"{'a' * 40}.tar.gz"]


async def test_a_disk_that_refuses_is_a_state_error(tmp_path: Path) -> None:
    (tmp_path / "gitrepository").write_text("a file where a folder must be")
    tree, blobs = tree_of(FILES)
    with pytest.raises(StateError, match="can't be stored"):
        await ArtifactStore(tmp_path).put(SOURCE, revision("a"), tree, blobs, now=NOW)


async def test_a_stored_artifact_is_found_again_only_if_it_is_unharmed(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    tree, blobs = tree_of(FILES)
    artifact = await store.put(SOURCE, revision("a"), tree, blobs, now=NOW)
    at = artifact.fetched_at
    found = await store.find(SOURCE, revision("a"), tree, blobs, digest=artifact.digest, fetched_at=at)
    assert found == artifact
    assert await store.find(SOURCE, revision("b"), tree, blobs, digest=artifact.digest, fetched_at=at) is None
    with (tmp_path / artifact.path).open("ab") as file:
        file.write(b"x")
    assert await store.find(SOURCE, revision("a"), tree, blobs, digest=artifact.digest, fetched_at=at) is None


async def test_a_removed_source_leaves_nothing(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    tree, blobs = tree_of(FILES)
    await store.put(SOURCE, revision("a"), tree, blobs, now=NOW)
    await store.remove(SOURCE)
    await store.remove(SOURCE)
    assert not (tmp_path / "gitrepository/flux-system/fleet").exists()


@pytest.mark.parametrize("name", ["..", "a/b", "", ".", "a\0b"])
async def test_an_id_that_would_lead_out_of_the_store_is_refused(tmp_path: Path, name: str) -> None:
    tree, blobs = tree_of(FILES)
    source = ResourceId("source.toolkit.fluxcd.io", "GitRepository", "ns", name)
    with pytest.raises(ValueError, match="not the id of a source"):
        await ArtifactStore(tmp_path).put(source, revision("a"), tree, blobs, now=NOW)

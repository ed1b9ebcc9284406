"""Files of a folder get other contents wholly or not at all, whatever comes between."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.core import codes
from sluice.core.errors import UserError
from sluice.store.local_folder import replace_files, restore_files

BEFORE = {"a.yaml": b"a: 1\n", "b/b.yaml": b"b: 1\n"}
AFTER = {"a.yaml": b"a: 2\n", "b/b.yaml": b"b: 2\n"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "b").mkdir()
    for path, data in BEFORE.items():
        (tmp_path / path).write_bytes(data)
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    """All files there, so that nothing left behind goes unseen."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def refused(folder: Path) -> str:
    with pytest.raises(UserError) as caught:
        replace_files(folder, BEFORE, AFTER)
    assert caught.value.problems[0].code is codes.EDIT_RACE
    return str(caught.value)


def test_all_files_get_their_contents_and_keep_their_modes(folder: Path) -> None:
    (folder / "a.yaml").chmod(0o640)
    replace_files(folder, BEFORE, AFTER)
    assert contents(folder) == AFTER
    assert (folder / "a.yaml").stat().st_mode & 0o777 == 0o640


def test_a_file_that_was_not_there_is_made_and_taken_back(folder: Path) -> None:
    after = {**AFTER, "new/c.yaml": b"c: 2\n"}
    replace_files(folder, BEFORE, after)
    assert contents(folder) == after
    assert (folder / "new/c.yaml").stat().st_mode & 0o777 == 0o644
    restore_files(folder, after, BEFORE)
    assert contents(folder) == BEFORE


def test_a_file_that_somebody_made_meanwhile_stays_theirs(folder: Path) -> None:
    (folder / "c.yaml").write_bytes(b"mine\n")
    with pytest.raises(UserError) as caught:
        replace_files(folder, BEFORE, {**AFTER, "c.yaml": b"c: 2\n"})
    assert "there is a file now where there was none" in str(caught.value)
    assert contents(folder) == {**BEFORE, "c.yaml": b"mine\n"}


def test_a_file_that_somebody_saved_meanwhile_keeps_their_text_and_the_others_stay(folder: Path) -> None:
    (folder / "b/b.yaml").write_bytes(b"mine\n")
    assert "it was changed while the edit was made" in refused(folder)
    assert contents(folder) == {**BEFORE, "b/b.yaml": b"mine\n"}


def test_what_fails_half_way_is_put_back(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = Path.replace

    def full(self: Path, target: Path) -> Path:
        if target.name == "b.yaml":
            raise OSError(28, "No space left on device")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", full)
    assert "No space left on device" in refused(folder)
    assert contents(folder) == BEFORE


@pytest.mark.parametrize("what", ["gone", "link", "link to a folder"])
def test_what_became_something_else_than_a_file_of_the_folder_is_not_written(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, what: str
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "b.yaml").write_bytes(BEFORE["b/b.yaml"])
    (folder / "b/b.yaml").unlink()
    if what == "link":
        (folder / "b/b.yaml").symlink_to(outside / "b.yaml")
    if what == "link to a folder":
        (folder / "b").rmdir()
        (folder / "b").symlink_to(outside)
    refused(folder)
    assert (folder / "a.yaml").read_bytes() == BEFORE["a.yaml"]
    assert (outside / "b.yaml").read_bytes() == BEFORE["b/b.yaml"]
    assert not list(folder.rglob(".sluice-*")) + list(outside.rglob(".sluice-*"))

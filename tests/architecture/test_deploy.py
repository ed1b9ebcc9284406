"""The folder deploy/ says what the code says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from deploy.generate import FOLDER, rendered

ROOT = FOLDER.parent


@pytest.mark.parametrize("path", sorted(rendered()), ids=lambda path: path.name)
def test_a_generated_manifest_is_current(path: Path) -> None:
    assert path.read_text() == rendered()[path], "run: python -m deploy.generate"


def test_no_crd_is_left_over() -> None:
    assert set((FOLDER / "crds").iterdir()) == {path for path in rendered() if path.parent.name == "crds"}


def pins(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==([^ ;\\]+)", lock.read_text(), re.MULTILINE))


def test_the_image_gets_the_versions_that_are_tested() -> None:
    tested, shipped = pins(ROOT / "requirements.lock"), pins(FOLDER / "requirements.lock")
    assert shipped.items() <= tested.items()


def test_the_image_gets_all_that_the_package_needs_and_no_tool() -> None:
    shipped = pins(FOLDER / "requirements.lock")
    dependencies = re.search(
        r"^dependencies = \[(.*?)\]", (ROOT / "pyproject.toml").read_text(), re.MULTILINE | re.DOTALL
    )
    assert dependencies is not None
    needed = {name.lower() for name in re.findall(r'"([A-Za-z0-9-]+)', dependencies[1])}
    assert needed <= set(shipped)
    assert not {"pytest", "mypy", "ruff", "hatchling", "uv"} & set(shipped)


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", (FOLDER / "Containerfile").read_text(), flags=re.MULTILINE))
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in text.splitlines() if line.strip()]


def test_the_image_runs_as_an_ordinary_user_with_git_ssh_and_gpg() -> None:
    last = instructions()
    last = last[max(index for index, (word, _) in enumerate(last) if word == "FROM") :]
    assert ("USER", "65532:65532") in last
    assert last[-2:] == [("ENTRYPOINT", '["/opt/sluice/bin/sluice"]'), ("CMD", '["run"]')]
    installed = next(text for word, text in last if word == "RUN")
    assert {"git", "openssh-client", "ca-certificates", "gpg", "gpg-agent"} <= set(installed.split())


def test_the_image_is_built_from_hashed_locks_and_from_files_that_exist() -> None:
    for word, text in instructions():
        if word == "RUN" and "pip install" in text:
            assert "--require-hashes" in text or "--no-index" in text
        if word == "COPY" and "--from" not in text:
            assert all((ROOT / source).exists() for source in text.split()[:-1])
        assert ":latest" not in text

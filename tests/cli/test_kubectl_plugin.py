"""`kubectl sluice` is the same program: the real kubectl finds it, hands arguments and exit codes on, and completes."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from devcluster.cluster import kubectl_path
from tests.cli.conftest import Ran, Sluice
from tests.operator_fixture import Bench, config_map

ROOT = Path(__file__).parents[2]
SCRIPTS: dict[str, str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder with the programs that an installation puts on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, target in SCRIPTS.items():
        module, _, function = target.partition(":")
        script = folder / name
        script.write_text(f"#!{sys.executable}\nfrom {module} import {function}\n{function}()\n")
        script.chmod(0o755)
    return folder


def kubectl(sluice: Sluice, programs: Path, *arguments: str) -> Ran:
    env = sluice.env(PATH=f"{programs}{os.pathsep}{os.environ['PATH']}")
    command = [str(kubectl_path()), *arguments]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False, cwd=sluice.home)
    return Ran(done.returncode, done.stdout, done.stderr)


def test_kubectl_runs_it_and_its_help_is_that_of_a_plugin(sluice: Sluice, programs: Path) -> None:
    ran = kubectl(sluice, programs, "sluice", "get", "--help")
    assert ran.code == 0, ran.err
    assert ran.out.startswith("Usage: kubectl sluice get ")
    assert kubectl(sluice, programs, "sluice", "nonsense").code == 2


@pytest.mark.cluster
def test_it_takes_kubectls_context_and_gives_its_own_exit_codes(cli: Sluice, bench: Bench, programs: Path) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    ran = kubectl(cli, programs, "sluice", "get", "ks", sync.name, "-n", sync.namespace, "-o", "name")
    assert (ran.code, ran.out) == (0, f"kustomization.kustomize.toolkit.fluxcd.io/{sync.name}\n"), ran.err
    assert kubectl(cli, programs, "sluice", "get", "ks", "absent", "-n", sync.namespace).code == 7


@pytest.mark.cluster
def test_kubectl_completes_its_verbs_and_live_names(cli: Sluice, bench: Bench, programs: Path) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    verbs = kubectl(cli, programs, "__complete", "sluice", "his")
    assert verbs.out.splitlines()[0].partition("\t")[0] == "history"
    names = kubectl(cli, programs, "__complete", "sluice", "get", "ks", sync.name[:4])
    assert f"{sync.name}\tready" in names.out.splitlines()
    assert names.out.splitlines()[-1] == ":4"

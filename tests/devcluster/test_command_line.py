"""`python -m devcluster` says what it did, in words and in its exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "XDG_STATE_HOME": str(tmp_path)}


def devcluster(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "devcluster", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)


def test_a_cluster_goes_up_is_seen_and_goes_down(environment: dict[str, str]) -> None:
    try:
        up = devcluster(environment, "up", "--name", "walk")
        assert up.returncode == 0, up.stderr
        kubeconfig = devcluster(environment, "kubeconfig", "--name", "walk").stdout.strip()
        assert up.stdout == f"export KUBECONFIG={kubeconfig}\n"
        assert Path(kubeconfig).is_file()

        again = devcluster(environment, "up", "--name", "walk")
        assert (again.returncode, "already up" in again.stderr) == (0, True)

        status = devcluster(environment, "status", "--name", "walk")
        assert status.returncode == 0
        assert status.stdout.count("running, pid") == 5

        logs = devcluster(environment, "logs", "--name", "walk", "kube-apiserver")
        assert logs.returncode == 0
        assert "Serving securely" in logs.stdout
    finally:
        down = devcluster(environment, "down", "--name", "walk")
    assert down.returncode == 0
    assert devcluster(environment, "status", "--name", "walk").returncode == 1


def test_a_cluster_that_is_not_up_is_said_so_with_the_way_to_start_it(environment: dict[str, str]) -> None:
    for verb in ("kubeconfig", "logs"):
        outcome = devcluster(environment, verb, "--name", "nobody")
        assert outcome.returncode == 1
        assert "python -m devcluster up --name nobody" in outcome.stderr


@pytest.mark.parametrize("name", ["../etc", "", "Upper", "-dash", "a" * 41])
def test_a_name_that_could_leave_the_state_directory_is_refused(environment: dict[str, str], name: str) -> None:
    outcome = devcluster(environment, "down", f"--name={name}")
    assert outcome.returncode == 1
    assert "can't be a cluster's name" in outcome.stderr
    assert "Traceback" not in outcome.stderr


@pytest.mark.parametrize("arguments", [[], ["fly"], ["up", "--nodes", "many"], ["logs", "kubelet"]])
def test_a_wrong_command_line_exits_with_2(environment: dict[str, str], arguments: list[str]) -> None:
    assert devcluster(environment, *arguments).returncode == 2


def test_an_image_that_can_not_be_pushed_is_said_so_and_a_name_that_is_none_is_refused(
    environment: dict[str, str],
) -> None:
    nobody = devcluster(environment, "push", "127.0.0.1:1/shop/web:1")
    assert (nobody.returncode, nobody.stdout) == (1, "")
    assert "127.0.0.1:1/shop/web:1 was not pushed" in nobody.stderr
    assert "Traceback" not in nobody.stderr
    for name in ("web", "shop/web:1", "127.0.0.1:1/web", "127.0.0.1:1/web:"):
        assert devcluster(environment, "push", name).returncode == 2

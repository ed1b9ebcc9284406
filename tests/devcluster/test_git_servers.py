"""The git servers of tests and demo leave nothing behind, whatever their clients and hooks do."""

from __future__ import annotations

import gc
import os
import shlex
import signal
import subprocess
import time
from pathlib import Path

import pytest

from devcluster.git_http import GitHttpServer
from devcluster.git_repository import WorkingRepo
from devcluster.git_ssh import GitSshServer
from tests.git_writing import hook


def is_running(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize("kind", [GitHttpServer, GitSshServer])
def test_a_server_that_stops_while_a_hook_runs_ends_the_hook_and_closes_all_pipes(
    tmp_path: Path, kind: type[GitHttpServer | GitSshServer]
) -> None:
    pid = tmp_path / "pid"
    with kind(tmp_path / "served") as server:
        bare = server.create("fleet")
        hook(bare, "pre-receive", f"echo $$ > {pid}.new && mv {pid}.new {pid}\nexec sleep 100")
        work = WorkingRepo(tmp_path / "work", server.url("fleet"))
        work.commit({"a.yaml": "a: 1\n"}, "first", push=False)
        env = dict(work.env)
        if isinstance(server, GitSshServer):
            key = tmp_path / "key"
            key.touch(mode=0o600)
            key.write_text(server.identity)
            known = tmp_path / "known"
            known.write_text(server.known_hosts)
            options = ["-F", "none", "-i", str(key), "-o", f"UserKnownHostsFile={known}"]
            env["GIT_SSH_COMMAND"] = shlex.join(["ssh", *options])
        push = subprocess.Popen(["git", "push", "-q", "origin", "main"], cwd=work.path, env=env, start_new_session=True)
        give_up = time.monotonic() + 60
        while not pid.exists():
            assert time.monotonic() < give_up, "the hook did not start"
            time.sleep(0.02)
        os.killpg(push.pid, signal.SIGKILL)
        push.wait()
    gc.collect()  # what is left open is a warning here, and so an error
    assert not is_running(int(pid.read_text()))

"""Commands of a `.flux.yaml` on this kernel: what they can do, what they can't, and that none outlives its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sluice.render import sandbox
from sluice.render.sandbox import MAX_ERRORS, MAX_PROCESSES, Ended, Task, confinement, run_confined
from tests.operator_fixture import poll

PATH = "/usr/bin:/bin"


async def ran(tmp_path: Path, command: str, seconds: float = 20.0, **variables: str) -> Ended:
    folder = tmp_path / "copy"
    folder.mkdir(exist_ok=True)
    environment = {"PATH": PATH, "HOME": str(folder), **variables}
    return await run_confined(Task(command, folder, environment, seconds, (folder,)), tmp_path)


def processes_with(word: str) -> list[str]:
    """The command lines of this machine's processes that hold a word."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                text = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            except OSError:
                continue
            if word in text and "pytest" not in text:
                found.append(text)
    return found


async def test_a_command_is_a_line_for_the_shell_and_gets_the_variables_that_are_given_and_no_others(
    tmp_path: Path,
) -> None:
    ended = await ran(tmp_path, "env | sort; exit 3", FLUX_TAG="1.2 'x'; $(rm -rf /)")
    assert ended.status == 3
    names = {line.partition(b"=")[0] for line in ended.output.splitlines()}
    assert names == {b"PATH", b"HOME", b"FLUX_TAG", b"PWD"}
    assert b"FLUX_TAG=1.2 'x'; $(rm -rf /)\n" in ended.output


async def test_stdout_and_stderr_are_kept_apart_and_only_the_end_of_stderr_is_kept(tmp_path: Path) -> None:
    ended = await ran(tmp_path, "echo out; yes x | head -c 100000 >&2; echo last >&2")
    assert (ended.status, ended.output) == (0, b"out\n")
    assert ended.errors.endswith("last\n")
    assert len(ended.errors) == MAX_ERRORS


async def test_a_command_that_sleeps_is_ended_with_its_time(tmp_path: Path) -> None:
    ended = await ran(tmp_path, "echo begun; sleep 4711", 1.0)
    assert (ended.status, ended.limit, ended.output) == (None, "1 s", b"")
    assert not processes_with("sleep 4711")


async def test_endless_output_is_ended_when_it_is_too_much(tmp_path: Path) -> None:
    ended = await ran(tmp_path, "yes manifest")
    assert (ended.status, ended.limit, ended.output) == (None, "16 MiB of output", b"")


async def test_what_is_left_in_the_background_ends_with_the_command_also_in_a_session_of_its_own(
    tmp_path: Path,
) -> None:
    ended = await ran(tmp_path, "sleep 4712 & setsid sleep 4712 & (setsid sh -c 'setsid sleep 4712 & wait' &) ; echo x")
    assert (ended.status, ended.output) == (0, b"x\n")
    assert not processes_with("sleep 4712")


async def test_processes_that_double_are_ended_before_they_fill_the_machine(tmp_path: Path) -> None:
    # Of itself this stops at 4,095 processes, so that a failing test leaves the machine alive.
    bomb = "f() { [ $1 -gt 0 ] && { f $(($1-1)) & f $(($1-1)) & }; sleep 4713; }; f 11"
    ended = await ran(tmp_path, bomb)
    assert (ended.status, ended.limit) == (None, f"{MAX_PROCESSES} processes")
    assert not processes_with("sleep 4713")


async def test_a_command_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys\nfrom pathlib import Path\nfrom sluice.render.sandbox import Task, run_confined\n"
        "where = Path(sys.argv[1])\n"
        "task = Task('echo > begun; setsid sleep 4714', where, {'PATH': '/usr/bin:/bin'}, 600.0, (where,))\n"
        "asyncio.run(run_confined(task, where.parent))\n"
    )
    folder = tmp_path / "copy"
    folder.mkdir()
    source = str(Path(sandbox.__file__).parent.parent.parent)
    arguments = [sys.executable, "-c", program, str(folder)]
    process = subprocess.Popen(arguments, env={"PYTHONPATH": source})  # noqa: ASYNC220  it is to be killed
    poll("the command runs", (folder / "begun").exists)
    process.kill()
    process.wait()
    poll("nothing is left", lambda: not processes_with("sleep 4714"))


async def test_memory_and_the_size_of_a_file_are_limited(tmp_path: Path) -> None:
    greedy = f"{sys.executable} -c 'bytearray(3 << 30)'"
    folder = tmp_path / "copy"
    folder.mkdir()
    readable = (Path(sys.executable).resolve().parent.parent, Path(sys.prefix))
    task = Task(greedy, folder, {"PATH": PATH}, 20.0, (folder,), readable)
    ended = await run_confined(task, tmp_path)
    assert ended.status == 1
    assert "MemoryError" in ended.errors
    ended = await ran(tmp_path, "exec head -c 100000000 /dev/zero > big")
    assert (ended.status, ended.limit) == (None, "64 MiB in one file")
    assert (tmp_path / "copy/big").stat().st_size == 64 << 20


async def test_many_files_are_ended_when_the_disk_loses_too_much_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "MAX_DISK", 200 << 20)
    # Of itself this stops at 2.4 GB.
    ended = await ran(tmp_path, "for n in $(seq 40); do head -c 60000000 /dev/urandom > $n; sync $n; done; sleep 20")
    assert (ended.status, ended.limit) == (None, "200 MiB of disk")


async def test_a_signal_that_ends_a_command_is_told(tmp_path: Path) -> None:
    ended = await ran(tmp_path, "kill -SEGV $$")
    assert (ended.status, ended.limit) == (-signal.SIGSEGV, "")


async def test_files_outside_can_neither_be_written_nor_read(tmp_path: Path) -> None:
    secret, target = tmp_path / "secret", tmp_path / "written"
    secret.write_text("token")
    link = f"ln -s {secret} link; cat link"
    ended = await ran(
        tmp_path, f"cat {secret}; {link}; echo x > {target}; echo x >> {secret}; cat /etc/shadow; echo end"
    )
    assert ended.output.endswith(b"end\n")
    # A kernel that can't do it is told of at the operator's start.
    assert ended.confined is not bool(confinement())
    if not ended.confined:
        return
    assert ended.errors.count("ermission denied") == 5
    assert not target.exists()
    assert secret.read_text() == "token"


async def test_processes_outside_can_neither_be_signalled_nor_looked_into(tmp_path: Path) -> None:
    if confinement():
        assert not (await ran(tmp_path, "true")).confined
        return
    ended = await ran(tmp_path, f"kill -9 {os.getpid()}; kill -9 $PPID; cat /proc/{os.getpid()}/environ; echo alive")
    assert (ended.status, ended.output) == (0, b"alive\n")
    assert "Permission denied" in ended.errors

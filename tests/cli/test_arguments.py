"""The bad-input rows of the command line (B139 to B149): each a clear error with its exit code, and no traceback."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import subprocess
import termios
from pathlib import Path

import pytest

from tests.cli.conftest import Sluice

NOWHERE = "https://127.0.0.1:1"


def kubeconfig(folder: Path, server: str = NOWHERE) -> str:
    path = folder / "config"
    path.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "here",
                "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "home"}}],
                "clusters": [{"name": "c", "cluster": {"server": server}}],
                "users": [{"name": "u", "user": {}}],
            }
        )
    )
    return str(path)


def test_b139_an_unknown_verb_names_the_nearest_one(sluice: Sluice) -> None:
    ran = sluice("statsu")
    assert ran.code == 2
    assert "there is no verb 'statsu'" in ran.err
    assert "did you mean status" in ran.err
    assert not ran.out


def test_b139_an_unknown_flag_names_the_nearest_one(sluice: Sluice) -> None:
    ran = sluice("get", "ks", "--all-namespace")
    assert ran.code == 2
    assert "--all-namespaces" in ran.err


def test_b139_an_unknown_kind_names_the_nearest_one(sluice: Sluice) -> None:
    ran = sluice("get", "kustomisation", KUBECONFIG=kubeconfig(sluice.home))
    assert ran.code == 2
    assert "did you mean kustomization" in ran.err


def test_b140_no_kubeconfig_at_all(sluice: Sluice) -> None:
    ran = sluice("get", "ks")
    assert ran.code == 4
    assert "error[E601]" in ran.err
    assert "--kubeconfig" in ran.err


def test_b140_a_kubeconfig_that_is_no_yaml(sluice: Sluice) -> None:
    path = sluice.home / "bad"
    path.write_text("clusters: [\n")
    ran = sluice("get", "ks", "--kubeconfig", str(path))
    assert ran.code == 4
    assert "error[E602]" in ran.err
    assert f"{path}:" in ran.err


@pytest.mark.parametrize(
    ("content", "code"),
    [(None, "E601"), (b"", "E601"), (b"\x00\xff\xfe", "E602"), (b"[]", "E601"), (b"a: &a [*a]", "E602")],
    ids=["a folder", "0 bytes", "no text", "a list", "an alias to itself"],
)
def test_b140_a_kubeconfig_that_can_not_be_read_is_named(sluice: Sluice, content: bytes | None, code: str) -> None:
    path = sluice.home / "odd"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    ran = sluice("get", "ks", KUBECONFIG=str(path))
    assert ran.code == 4
    assert f"error[{code}]" in ran.err
    assert str(path) in ran.err


def test_b140_a_context_that_does_not_exist_lists_those_that_do(sluice: Sluice) -> None:
    ran = sluice("--context", "prod", "get", "ks", KUBECONFIG=kubeconfig(sluice.home))
    assert ran.code == 4
    assert "no context 'prod'" in ran.err
    assert "use one of: here" in ran.err


@pytest.mark.parametrize("arguments", [("-n", "Bad_Name", "get", "ks"), ("get", "ks", "-n", "Bad_Name")])
def test_b141_a_namespace_that_can_not_be(sluice: Sluice, arguments: tuple[str, ...]) -> None:
    ran = sluice(*arguments)
    assert ran.code == 2
    assert "error[E217]" in ran.err
    assert "Bad_Name" in ran.err


@pytest.mark.parametrize("value", ["banana", "-5s", "5"])
def test_b141_a_timeout_that_is_no_duration(sluice: Sluice, value: str) -> None:
    ran = sluice("sync", f"--timeout={value}")
    assert ran.code == 2
    assert "--timeout" in ran.err


@pytest.mark.parametrize(
    ("arguments", "variables", "named"),
    [
        (("get", "ks", "--request-timeout", "banana"), {}, "--request-timeout"),
        (("get", "ks"), {"SLUICE_TIMEOUT": "banana"}, "SLUICE_TIMEOUT"),
        (("get", "ks"), {"SLUICE_NAMESPACE": "Bad_Name"}, "SLUICE_NAMESPACE"),
        (("get", "ks"), {"SLUICE_OUTPUT": "xml"}, "SLUICE_OUTPUT"),
        (("events", "--since", "yesterday"), {}, "--since"),
        (("history", "web", "--limit", "0"), {}, "--limit"),
        (("get", "ks", "Bad_Name"), {}, "Bad_Name"),
    ],
)
def test_b141_a_value_that_can_not_be_names_its_flag_or_variable(
    sluice: Sluice, arguments: tuple[str, ...], variables: dict[str, str], named: str
) -> None:
    ran = sluice(*arguments, KUBECONFIG=kubeconfig(sluice.home), **variables)
    assert (ran.code, ran.out) == (2, "")
    assert named in ran.err


def test_b142_a_file_of_0_bytes_holds_no_object_and_is_no_problem(sluice: Sluice) -> None:
    (sluice.home / "apps").mkdir()
    (sluice.home / "apps" / "empty.yaml").touch()
    ran = sluice("validate", "apps")
    assert ran.code == 0, ran.err
    assert "0 objects" in ran.out


def test_b142_a_folder_that_is_absent_a_file_a_pipe(sluice: Sluice) -> None:
    (sluice.home / "empty.yaml").touch()
    os.mkfifo(sluice.home / "pipe")
    for name, why in (("absent", "does not exist"), ("empty.yaml", "it is a file"), ("pipe", "it is no folder")):
        ran = sluice("validate", name)
        assert ran.code == 3
        assert "error[E704]" in ran.err
        assert name in ran.err
        assert why in ran.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("sync", "--token", "hunter2"),
        ("run", "--password=hunter2"),
        ("run", "--git-url", "https://ada:hunter2@git.example/fleet"),
        ("suspend", "ks", "ghp_hunter2hunter2hunter2hunter2"),
    ],
)
def test_b143_a_secret_given_as_an_argument_is_refused_and_not_repeated(
    sluice: Sluice, arguments: tuple[str, ...]
) -> None:
    ran = sluice(*arguments)
    assert ran.code == 2
    assert "error[E703]" in ran.err
    assert "hunter2" not in ran.out + ran.err


def test_b144_nothing_but_plain_text_leaves_when_there_is_no_terminal(sluice: Sluice) -> None:
    (sluice.home / "apps").mkdir()
    (sluice.home / "apps" / "a.yaml").write_text("a: [\n")
    ran = sluice("validate", "apps", COLUMNS="0")
    assert ran.code == 1
    assert "\x1b" not in ran.out + ran.err


def test_b144_no_color_and_ascii_are_honoured(sluice: Sluice) -> None:
    (sluice.home / "apps").mkdir()
    (sluice.home / "apps" / "a.yaml").write_text("a: [\n")
    assert "\x1b" in sluice("validate", "apps", "--color", "always").err
    ran = sluice("validate", "apps", "--ascii", NO_COLOR="1")
    assert (ran.out + ran.err).isascii()


@pytest.mark.parametrize("columns", [0, 1, 20])
def test_b144_a_terminal_without_room_gets_all_of_it_and_no_traceback(sluice: Sluice, columns: int) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (0, columns))
    with subprocess.Popen(
        sluice.command("explain", "ks.spec.sourceRef"), env=sluice.env(NO_COLOR="1"), stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        text = b""
        with contextlib.suppress(OSError):  # the terminal ends with the process
            while chunk := os.read(ours, 4096):
                text += chunk
    os.close(ours)
    assert process.returncode == 0
    assert b"\x1b" not in text
    assert b"Traceback" not in text
    assert b"namespace <string>" in text


def test_b145_a_reader_that_leaves_ends_the_command_quietly(sluice: Sluice) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as closed:
        done = subprocess.run(
            sluice.command("install", "--export"),
            env=sluice.env(),
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.stderr == ""
    assert done.returncode == 0


def test_b148_a_name_that_begins_with_a_dash_follows_two_dashes(sluice: Sluice) -> None:
    config = kubeconfig(sluice.home)
    taken_as_flag = sluice("get", "ks", "--odd", KUBECONFIG=config)
    assert "there is no flag --odd" in taken_as_flag.err
    taken_as_name = sluice("get", "ks", "--", "--odd", KUBECONFIG=config)
    assert "there is no flag" not in taken_as_name.err
    assert "'--odd' can't be an object's name" in taken_as_name.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("version", "--server", "--client"),
        ("plan", "apps", "--path", ".", "--branch", "main"),
        ("install", "--export", "--dry-run"),
        ("get", "ks", "web", "-A"),
        ("why", "web", "-A"),
        ("delete", "ks", "web", "-A"),
        ("suspend", "ks", "web", "--all"),
        ("events", "ks/web", "--for", "ks/web"),
        ("release", "--local", ".", "--all", "-i", "a:1", "--commit", "--dry-run"),
    ],
)
def test_b149_flags_that_exclude_each_other(sluice: Sluice, arguments: tuple[str, ...]) -> None:
    ran = sluice(*arguments, KUBECONFIG=kubeconfig(sluice.home))
    assert ran.code == 2
    assert "error[E246]" in ran.err
    assert "exclude each other" in ran.err


def test_a_cluster_that_does_not_answer_is_exit_6(sluice: Sluice) -> None:
    ran = sluice("get", "ks", KUBECONFIG=kubeconfig(sluice.home))
    assert ran.code == 6
    assert "error[E312]" in ran.err


def test_errors_for_programs_have_the_same_fields(sluice: Sluice) -> None:
    ran = sluice("get", "ks", "-o", "json")
    assert ran.code == 4
    [problem] = ran.json["items"]
    assert ran.json["kind"] == "ProblemList"
    assert problem["code"] == "E601"
    assert problem["fix"]
    assert not ran.err


def test_usage_errors_for_programs_are_json_wherever_the_flag_stands(sluice: Sluice) -> None:
    ran = sluice("statsu", "-o", "json")
    assert ran.code == 2
    assert ran.json["items"][0]["code"] == "E701"


def test_the_namespace_is_said_with_its_reason(sluice: Sluice) -> None:
    config = kubeconfig(sluice.home)
    assert "namespace home (from context here)" in sluice("-v", "get", "ks", KUBECONFIG=config).err
    environment = {"KUBECONFIG": config, "SLUICE_NAMESPACE": "env"}
    assert "namespace env (from SLUICE_NAMESPACE)" in sluice("-v", "get", "ks", **environment).err
    assert "namespace flag (from --namespace)" in sluice("get", "ks", "-v", "-n", "flag", **environment).err


def test_b146_an_interrupted_command_says_what_goes_on(sluice: Sluice, tmp_path: Path) -> None:
    # A server that accepts and never answers: the command is surely waiting when the signal comes.
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        config = kubeconfig(tmp_path, f"http://127.0.0.1:{server.getsockname()[1]}")
        process = subprocess.Popen(
            sluice.command("get", "ks"),
            env=sluice.env(KUBECONFIG=config),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        server.settimeout(20)
        connection, _ = server.accept()
        with connection:
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "goes on there" in err
    assert "Traceback" not in err


def test_help_names_every_exit_code(sluice: Sluice) -> None:
    ran = sluice("--help")
    assert ran.code == 0
    for code in (0, 1, 2, 3, 4, 5, 6, 7, 130):
        assert f"{code:>3}  " in ran.out


# What only some verbs need. A cluster that is not there is asked, so all that a verb imports at its start is imported.
SLOW = {"rich", "structlog", "cel", "prompt_toolkit", "cryptography", "prometheus_client", "aiohttp.web", "re2"}
OPERATOR = {"sluice.wiring", "sluice.git", "sluice.render", "sluice.registry", "sluice.notify", "sluice.server"}
CLIENT = {"aiohttp", "msgspec", "yaml", "asyncio", "ssl", "sluice.kube.client", "sluice.api.crds"}


@pytest.mark.parametrize(
    ("arguments", "never"),
    [
        (("--version",), SLOW | OPERATOR | CLIENT | {"sluice.cli.get"}),
        (("--help",), SLOW | OPERATOR | CLIENT | {"sluice.cli.get"}),
        (("version",), SLOW | OPERATOR | CLIENT),
        (("explain", "E204"), SLOW | OPERATOR | CLIENT),
        (("get", "ks", "-A"), SLOW | OPERATOR),
        (("status", "-A"), SLOW | OPERATOR),
        (("why", "web", "--no-git"), SLOW | OPERATOR),
        (("events",), SLOW | OPERATOR),
        (("suspend", "ks", "web"), SLOW | OPERATOR),
    ],
)
def test_a_verb_imports_nothing_that_it_does_not_use(
    sluice: Sluice, arguments: tuple[str, ...], never: set[str]
) -> None:
    command = [sluice.command()[0], "-X", "importtime", "-m", "sluice", *arguments]
    done = subprocess.run(
        command,
        env=sluice.env(KUBECONFIG=kubeconfig(sluice.home)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "sluice.cli.main" in imported
    assert not imported & never

"""Every answer of every verb is as the schema says that is published for it; also of what is not well."""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from sluice.api.kinds import POD_LABELS
from sluice.cli.answers import ANSWERS
from sluice.cli.error_output import API_VERSION
from sluice.cli.flags import WITHOUT_ANSWER
from sluice.cli.main import root
from tests.cli.answer_schemas import check_answer
from tests.cli.conftest import Sluice
from tests.kubelet_logs import KubeletLogs
from tests.operator_fixture import Bench, Sync, config_map, deployment

pytestmark = pytest.mark.cluster
# The exit code and the words of each; capitals stand for names and folders.
EDIT = ("--local", "FOLDER", "-w", "TARGET:deploy/web", "--dry-run")
ANSWERED: dict[str, tuple[int, tuple[str, ...]]] = {
    "status": (1, ("status",)),
    "why": (1, ("why", "BROKEN")),
    "tree": (0, ("tree", "NAME", "--git-allow-loopback")),
    "trace": (0, ("trace", "deploy/web", "-n", "TARGET", "--git-allow-loopback")),
    "events": (0, ("events", "NAME")),
    "export": (0, ("export", "ks", "NAME")),
    "check": (0, ("check",)),
    "explain": (0, ("explain", "E204")),
    "version": (0, ("version",)),
    "why all": (1, ("why", "--no-git")),
    "why a drift": (1, ("why", "DRIFTED", "--no-git")),
    "get all": (0, ("get", "all")),
    "explain a field of ours": (0, ("explain", "ks.spec")),
    "explain a field of others": (0, ("explain", "deployment.spec")),
    "explain all": (0, ("explain",)),
    "version of the server": (0, ("version", "--server")),
    "images": (0, ("images",)),
    "images why": (0, ("images", "why")),
    "history of a failure": (0, ("history", "BROKEN")),
    "validate": (0, ("validate", "FOLDER")),
    "validate what is broken": (1, ("validate", "OTHER")),
    "plan": (1, ("plan", "DRIFTED", "--git-allow-loopback")),
    "diff": (1, ("diff", "NAME", "--path", "FOLDER")),
    "a plan of what is broken": (3, ("plan", "BROKEN", "--git-allow-loopback")),
    "a name that is none": (7, ("get", "ks", "nobody")),
    "a wrong flag": (2, ("tree", "--nothing")),
    "debug": (0, ("debug", "--bundle", "bundle.tar.gz")),
    "logs": (0, ("logs", "NAME")),
    "logs of pods": (0, ("logs", "SOLO", "--pods", "-n", "TARGET")),
    "sync": (0, ("sync", "NAME")),
    "a sync of all, as flux calls it": (3, ("reconcile", "ks", "BROKEN")),
    "suspend": (0, ("suspend", "ks", "OTHERS", "--reason", "freeze")),
    "resume": (0, ("resume", "ks", "OTHERS")),
    "rollback": (0, ("rollback", "REWOUND", "--to", "FIRST")),
    "a rollback to nowhere": (3, ("rollback", "BROKEN")),
    "create": (0, ("create", "source", "git", "MADE", "--url", "URL", "--branch", "main")),
    "create, refused": (3, ("create", "source", "git", "MADE", "--url", "URL", "--branch", "mian")),
    "create, printed": (0, ("create", "source", "git", "x", "--url", "https://git.example/x.git", "--export")),
    "delete, dry": (0, ("delete", "ks", "NAME", "--dry-run")),
    "delete": (0, ("delete", "source", "git", "GONE", "--yes")),
    "release": (0, ("release", *EDIT, "--image", "nginx:2", "--unchecked")),
    "automate": (0, ("automate", *EDIT)),
    "automate, asked": (0, ("automate", "TARGET:deploy/web", "--dry-run")),
    "deautomate": (0, ("deautomate", *EDIT)),
    "lock": (0, ("lock", *EDIT, "-m", "freeze")),
    "unlock": (0, ("unlock", *EDIT)),
    "policy": (0, ("policy", *EDIT, "--tag", "main=glob:*")),
    "install": (0, ("install", "--dry-run", "-n", "nowhere")),
    "install, not confirmed": (2, ("install", "-n", "nowhere")),
    "install, printed": (0, ("install", "--export")),
    "uninstall": (0, ("uninstall", "--dry-run", "-n", "nowhere")),
}


@pytest.fixture(scope="module")
def sync(bench: Bench) -> Sync:
    """One app that is well."""
    return bench.synced({"a.yaml": config_map("a"), "web.yaml": deployment("web")}, wait=True)


@dataclass(frozen=True)
class Others:
    """A revision that is refused, one that was edited by hand and is left so, one to suspend, one to roll back."""

    broken: Sync
    drifted: Sync
    paused: Sync
    rewound: Sync


@pytest.fixture(scope="module")
def others(bench: Bench) -> Others:
    """Apps that are not well, each in another way: the shapes that a healthy one leaves empty."""
    broken, _ = bench.failing({"web.yaml": deployment("web").replace("replicas:", "replica:")}, "E204")
    drifted = bench.synced({"a.yaml": config_map("a")}, drift="Warn")
    bench.api.patch(drifted.at("configmaps", "a"), {"data": {"key": "edited"}}, manager="somebody")
    drifted.wait_condition("Drifted", "True")
    paused = bench.synced({"a.yaml": config_map("a")})
    paused.edit(suspend=True)
    rewound = bench.synced({"a.yaml": config_map("a")})
    rewound.wait_ready(rewound.push({"a.yaml": config_map("a", "2")}))
    return Others(broken, drifted, paused, rewound)


@pytest.fixture
def node(bench: Bench, sync: Sync, tmp_path: Path) -> Iterator[str]:
    """A node with logs: of a pod of the operator, and of another, whose name it gives."""
    told = {"ts": "2026-01-01T00:00:00Z", "level": "error", "msg": "not done", "error": "\x85", "deep": {"a": [1]}}
    about = {"controllerKind": "Kustomization", "name": sync.name, "namespace": sync.namespace}
    with KubeletLogs(bench.api, tmp_path, f"node-{secrets.token_hex(3)}") as made:
        operator, solo = (f"{name}-{secrets.token_hex(2)}" for name in ("sluice", "solo"))
        made.pod(sync.namespace, operator, {"manager": [json.dumps(told | about), "no JSON"]}, **POD_LABELS)
        made.pod(sync.target, solo, {"main": ["one: two", "\x85"]})
        yield solo
        for path in (f"{sync.namespace}/pods/{operator}", f"{sync.target}/pods/{solo}"):
            bench.api.delete(f"/api/v1/namespaces/{path}?gracePeriodSeconds=0")


@pytest.fixture
def gone(bench: Bench) -> str:
    """A source that is there to be deleted."""
    made = bench.source()
    made.commit({"a.yaml": config_map("a")})
    made.create_source()
    return made.name


def documents(text: str, output: str) -> list[Any]:
    """What a program reads: one JSON object, or one a line; YAML documents."""
    if output == "yaml":
        return [each for each in yaml.safe_load_all(text) if each is not None]
    try:
        return [json.loads(text)]
    except json.JSONDecodeError:
        return [json.loads(line) for line in text.split("\n") if line]


@pytest.mark.parametrize("output", ["json", "yaml"])
@pytest.mark.parametrize("name", ANSWERED)
def test_an_answer_is_as_a_schema_of_its_verb_says(
    request: pytest.FixtureRequest, cli: Sluice, sync: Sync, others: Others, name: str, output: str
) -> None:
    code, line = ANSWERED[name]
    solo = request.getfixturevalue("node") if line[0] == "logs" else ""
    gone = request.getfixturevalue("gone") if "GONE" in line else ""
    (sync.repo.path / "new.yaml").write_text(config_map("new").replace("$NS", sync.target))
    (others.broken.repo.path / "bad.yaml").write_text("a: b: c\n")
    words = {
        "NAME": sync.name,
        "BROKEN": others.broken.name,
        "DRIFTED": others.drifted.name,
        "OTHERS": others.paused.name,
        "REWOUND": others.rewound.name,
        "FIRST": f"main@sha1:{others.rewound.repo.git('rev-parse', 'HEAD~1').strip()}",
        "MADE": f"{sync.name}-{output}",
        "URL": sync.bench.git.url(sync.name),
        "TARGET": sync.target,
        "SOLO": f"pod/{solo}",
        "GONE": gone,
        "FOLDER": str(sync.repo.path),
        "OTHER": str(others.broken.repo.path),
    }
    target = {word: word.replace("TARGET", sync.target) for word in line}
    ran = cli(*(words.get(word, target[word]) for word in line), "-o", output)
    assert ran.code == code, ran.err
    answers = documents(ran.out, output)
    if output == "yaml" and line == ("install", "--export"):
        answers = [{"apiVersion": "v1", "kind": "List", "items": answers}]
    assert answers
    for answer in answers:
        check_answer(ran.verb, answer)
    if ran.verb not in {"logs", "create", "export", "install"}:
        assert [answer["apiVersion"] for answer in answers] == [API_VERSION]


def test_every_verb_is_held_against_its_schema() -> None:
    verbs = set(root.list_commands(root.make_context("sluice", ["version"], resilient_parsing=True)))
    held = {"sync" if line[0] == "reconcile" else line[0] for _, line in ANSWERED.values()}
    assert held == set(ANSWERS) == verbs - set(WITHOUT_ANSWER)


@pytest.mark.parametrize("verb", WITHOUT_ANSWER)
def test_a_verb_that_has_no_answer_for_programs_says_so_when_it_is_asked_for_one(sluice: Sluice, verb: str) -> None:
    ran = sluice(*((verb, "bash") if verb == "completion" else (verb,)), "-o", "json")
    assert ran.code == 2
    check_answer("version", json.loads(ran.out))
    assert "no answer for programs" in ran.out


def test_a_default_of_the_environment_keeps_no_shell_from_its_completion(sluice: Sluice) -> None:
    assert sluice("completion", "bash", SLUICE_OUTPUT="json").code == 0


def test_what_a_watch_tells_is_as_its_schema_says(cli: Sluice, sync: Sync) -> None:
    command = cli.command("get", "ks", sync.name, "-w", "-o", "json")
    with subprocess.Popen(command, env=cli.env(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            check_answer("get", json.loads(process.stdout.readline()))
        finally:
            process.terminate()

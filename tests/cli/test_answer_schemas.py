"""Every answer of a read verb is as the schema says that is published for it; also of what is not well."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass

import pytest

from sluice.cli.answers import ANSWERS
from sluice.cli.error_output import API_VERSION
from tests.cli.answer_schemas import check_answer
from tests.cli.conftest import Sluice
from tests.operator_fixture import Bench, Sync, config_map, deployment

pytestmark = pytest.mark.cluster
# The exit code and the words of each; capitals stand for names and folders.
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
}


@pytest.fixture(scope="module")
def sync(bench: Bench) -> Sync:
    """One app that is well."""
    return bench.synced({"a.yaml": config_map("a"), "web.yaml": deployment("web")}, wait=True)


@dataclass(frozen=True)
class Ill:
    """A revision that is refused, one that was edited by hand and is left so, and one that is suspended."""

    broken: Sync
    drifted: Sync


@pytest.fixture(scope="module")
def ill(bench: Bench) -> Ill:
    """Apps that are not well, each in another way: the shapes that a healthy one leaves empty."""
    broken, _ = bench.failing({"web.yaml": deployment("web").replace("replicas:", "replica:")}, "E204")
    drifted = bench.synced({"a.yaml": config_map("a")}, drift="Warn")
    bench.api.patch(drifted.at("configmaps", "a"), {"data": {"key": "edited"}}, manager="somebody")
    drifted.wait_condition("Drifted", "True")
    bench.synced({"a.yaml": config_map("a")}).edit(suspend=True)
    return Ill(broken, drifted)


@pytest.mark.parametrize("name", ANSWERED)
def test_an_answer_is_as_a_schema_of_its_verb_says(cli: Sluice, sync: Sync, ill: Ill, name: str) -> None:
    code, line = ANSWERED[name]
    (sync.repo.path / "new.yaml").write_text(config_map("new").replace("$NS", sync.target))
    (ill.broken.repo.path / "bad.yaml").write_text("a: b: c\n")
    places = {"NAME": sync.name, "TARGET": sync.target, "BROKEN": ill.broken.name, "DRIFTED": ill.drifted.name}
    folders = {"FOLDER": str(sync.repo.path), "OTHER": str(ill.broken.repo.path)}
    ran = cli(*((places | folders).get(word, word) for word in line), "-o", "json")
    assert ran.code == code, ran.err
    assert ran.json["apiVersion"] == API_VERSION


def test_every_read_verb_is_held_against_its_schema() -> None:
    assert {line[0] for _, line in ANSWERED.values()} == set(ANSWERS)


def test_what_a_watch_tells_is_as_its_schema_says(cli: Sluice, sync: Sync) -> None:
    command = cli.command("get", "ks", sync.name, "-w", "-o", "json")
    with subprocess.Popen(command, env=cli.env(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            check_answer("get", json.loads(process.stdout.readline()))
        finally:
            process.terminate()

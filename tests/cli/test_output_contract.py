"""What every read verb owes to programs: each output form, a stable envelope, and nothing but the answer on stdout."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from sluice.cli.error_output import API_VERSION
from tests.cli.conftest import Sluice
from tests.operator_fixture import Bench, Sync, config_map, deployment

pytestmark = pytest.mark.cluster
NAME = re.compile(r"^[a-z0-9.]+/[a-z0-9:.-]+$|^[a-zA-Z0-9@:/._-]+$")
GLYPHS = re.compile("[✓✗…◷‖≠]")
# Verb and arguments; NAME is the sync's, TARGET its namespace. `None`: the exit code of a healthy app.
READS: dict[str, tuple[str, ...]] = {
    "status": ("status",),
    "get": ("get", "all"),
    "get one": ("get", "ks", "NAME"),
    "history": ("history", "NAME"),
    "why": ("why", "NAME"),
    "tree": ("tree", "NAME", "--no-git"),
    "trace": ("trace", "deploy/web", "-n", "TARGET", "--no-git"),
    "events": ("events", "--for", "ks/NAME"),
    "export": ("export", "ks", "NAME"),
    "check": ("check",),
    "explain": ("explain", "E204"),
}


@pytest.fixture(scope="module")
def sync(bench: Bench) -> Sync:
    """One app that is well."""
    return bench.synced({"a.yaml": config_map("a"), "web.yaml": deployment("web")}, wait=True)


def words(verb: str, sync: Sync) -> list[str]:
    return [word.replace("NAME", sync.name).replace("TARGET", sync.target) for word in READS[verb]]


@pytest.mark.parametrize("verb", READS)
def test_every_read_verb_answers_programs_in_one_envelope(cli: Sluice, sync: Sync, verb: str) -> None:
    ran = cli(*words(verb, sync), "-o", "json")
    assert ran.code == 0, ran.err
    answer = ran.json
    assert answer["apiVersion"] == API_VERSION
    assert re.fullmatch(r"[A-Z][A-Za-z]+", answer["kind"])
    if verb != "export":  # YAML of an export is for git: the objects themselves
        same = yaml.safe_load(cli(*words(verb, sync), "-o", "yaml").out)
        assert without_times(same) == without_times(answer)


def without_times(value: Any) -> Any:
    """The answer without what a watch may change between two calls."""
    if isinstance(value, dict):
        volatile = {"lastSeen", "count", "requestedAt", "lastHandledReconcileAt"}
        return {key: without_times(each) for key, each in value.items() if key not in volatile}
    return [without_times(each) for each in value] if isinstance(value, list) else str(value)


@pytest.mark.parametrize("verb", [verb for verb in READS if verb not in {"check", "version"}])
def test_names_are_one_a_line_for_xargs(cli: Sluice, sync: Sync, verb: str) -> None:
    ran = cli(*words(verb, sync), "-o", "name")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines or verb == "why"  # nothing is wrong: nobody is named
    assert [line for line in lines if not NAME.match(line)] == []


@pytest.mark.parametrize("verb", READS)
@pytest.mark.parametrize("output", ["table", "wide"])
def test_a_pipe_gets_no_escape_codes_and_with_ascii_no_glyphs(cli: Sluice, sync: Sync, verb: str, output: str) -> None:
    ran = cli(*words(verb, sync), "-o", output, "--ascii")
    assert ran.code == 0, ran.err
    assert ran.out
    assert "\x1b" not in ran.out + ran.err
    assert not GLYPHS.search(ran.out)


@pytest.mark.parametrize("verb", [verb for verb in READS if verb not in {"explain", "version"}])
def test_without_a_cluster_every_verb_is_exit_4_and_tells_programs_why(sluice: Sluice, verb: str) -> None:
    ran = sluice(*[word.replace("NAME", "x").replace("TARGET", "y") for word in READS[verb]], "-o", "json")
    assert ran.code == 4
    answer = json.loads(ran.out)
    assert answer["kind"] == "ProblemList"
    assert answer["items"][0]["code"] == "E601"

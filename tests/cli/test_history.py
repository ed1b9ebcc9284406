"""`sluice history` and `sluice rollback` against a real API server, git server and operator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sluice.cli.past import merged
from sluice.core.history import Counts, Past
from tests.cli.conftest import Sluice
from tests.operator_fixture import Bench, Sync, config_map

pytestmark = pytest.mark.cluster


@pytest.fixture
def cli(bench: Bench, tmp_path: Path) -> Sluice:
    """The command with the cluster's kubeconfig, in the operator's namespace."""
    return Sluice(
        tmp_path,
        {
            "KUBECONFIG": str(bench.cluster.kubeconfig),
            "SLUICE_NAMESPACE": bench.namespace,
            "RUNTIME_NAMESPACE": bench.namespace,
        },
    )


@pytest.fixture
def sync(bench: Bench) -> Sync:
    """One sync that is ready."""
    return bench.synced({"a.yaml": config_map("a", "1")})


def bad(name: str) -> str:
    """A Service that the API server refuses."""
    where = f"metadata: {{name: {name}, namespace: $NS}}"
    return f"apiVersion: v1\nkind: Service\n{where}\nspec: {{ports: [{{port: 99999999}}]}}\n"


def items(cli: Sluice, sync: Sync) -> list[dict[str, Any]]:
    ran = cli("history", sync.name, "-o", "json")
    assert ran.code == 0, ran.err
    found: list[dict[str, Any]] = ran.json["items"]
    return found


def test_history_tells_revision_author_outcome_changes_and_subject_newest_first(cli: Sluice, sync: Sync) -> None:
    first = sync.status["lastAppliedRevision"]
    second = sync.push({"a.yaml": config_map("a", "2"), "b.yaml": config_map("b")}, "Bump a and add b")
    sync.wait_ready(second)
    third = sync.push({"c.yaml": bad("c")}, "Break c")
    sync.wait_failed(third)
    fourth = sync.push({"b.yaml": None, "c.yaml": None}, "Drop b")
    sync.wait_ready(fourth)
    found = items(cli, sync)
    assert [each["revision"]["text"] for each in found] == [fourth, third, second, first]
    assert [each["succeeded"] for each in found] == [True, False, True, True]
    assert [each["current"] for each in found] == [True, False, False, False]
    assert [each["commit"]["subject"] for each in found] == ["Drop b", "Break c", "Bump a and add b", "change"]
    assert found[0]["changes"] == {"created": 0, "changed": 0, "deleted": 1}
    assert found[2]["changes"] == {"created": 1, "changed": 1, "deleted": 0}
    assert all(each["commit"]["author"] and each["endedAt"] for each in found)
    ran = cli("history", sync.name)
    lines = ran.out.splitlines()
    assert len(lines) == 5
    assert "1+ 1~" in lines[3]
    assert "Bump a and add b" in lines[3]
    assert f"main@{fourth[-40:][:8]} *" in lines[1]
    assert cli("history", sync.name, "-o", "name", "--limit", "2").out.split() == [fourth, third]


def test_the_texts_of_a_commit_can_not_write_on_a_terminal_and_are_cut(cli: Sluice, sync: Sync) -> None:
    sync.repo.git("config", "user.name", "Eve\x1b[2J\u202e")
    revision = sync.push({"a.yaml": config_map("a", "2")}, "\x1b]0;owned\x07 " + "x" * 5000)
    sync.wait_ready(revision)
    told = sync.status["history"][0]["metadata"]
    assert all(text.isprintable() for text in told.values()), told
    assert len(told["subject"]) == 120
    ran = cli("history", sync.name)
    assert "\x1b" not in ran.out
    assert "\u202e" not in ran.out


def test_history_reaches_as_far_as_the_record_and_over_a_restart(cli: Sluice, bench: Bench, sync: Sync) -> None:
    revisions = [sync.status["lastAppliedRevision"]]
    for number in range(2, 9):
        revisions.append(sync.push({"a.yaml": config_map("a", str(number))}, f"Bump to {number}"))
        sync.wait_ready(revisions[-1])
    bench.operator.restart()
    assert [each["revision"]["text"] for each in items(cli, sync)] == revisions[::-1]
    assert len(sync.status["history"]) == 5


def test_telling_history_costs_no_write_and_no_request_of_the_operator(cli: Sluice, bench: Bench, sync: Sync) -> None:
    audit = bench.audit()
    revision = sync.push({"a.yaml": config_map("a", "2")})
    sync.wait_ready(revision)
    secrets = [w for w in audit.writes(bench.agent) if "/secrets/" in w.path]
    assert len(secrets) == 2, "the intent and the commit, as before"


def test_a_revision_that_could_not_be_built_is_told_while_it_is_the_newest(cli: Sluice, sync: Sync) -> None:
    revision = sync.push({"a.yaml": "a: [\n"})
    sync.wait_failed(revision)
    newest = items(cli, sync)[0]
    assert newest["revision"]["text"] == revision
    assert newest["outcome"] == "BuildFailed"


def test_an_unknown_app_and_several_are_refused(cli: Sluice, sync: Sync) -> None:
    assert cli("history", "no-such-app").code == 7
    assert cli("history").code == 2
    assert cli("history", sync.name, "other").code == 2


def test_status_and_record_are_told_as_one() -> None:
    recorded = (Past("r3", "d", ended="3", counts=Counts(1)), Past("r1", ended=""))
    told = (Past("r3", "d", ended="3"), Past("r2", "e", "BuildFailed", "2"), Past("r1", "f", ended="1"))
    assert merged(told, recorded) == (recorded[0], told[1], told[2])

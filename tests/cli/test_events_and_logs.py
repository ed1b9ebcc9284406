"""`sluice events` and `sluice logs`: what happened, and what was said of it."""

from __future__ import annotations

import json
import secrets
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice.api.kinds import POD_LABELS
from tests.cli.conftest import Sluice
from tests.kubelet_logs import KubeletLogs
from tests.operator_fixture import Bench, Sync, config_map, deployment, poll

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def sync(bench: Bench) -> Sync:
    """A sync with a good revision and a bad one behind it."""
    made = bench.synced({"a.yaml": config_map("a"), "web.yaml": deployment("web")})
    made.wait_failed(made.push({"a.yaml": "a: [\n"}), "E202")
    where = f"/api/v1/namespaces/{made.namespace}/events?fieldSelector=involvedObject.name={made.name}"
    poll("the failure is told", lambda: "BuildFailed" in str(bench.api.get(where)))
    there = f"/api/v1/namespaces/{made.target}/events"
    poll("its objects' controllers have told theirs", lambda: "ReplicaSet" in str(bench.api.get(there)))
    poll("its pods run", lambda: (made.live("apps/v1/deployments", "web") or {})["status"].get("availableReplicas"))
    return made


def test_events_are_those_of_our_objects_oldest_first_with_how_often(cli: Sluice, sync: Sync) -> None:
    ran = cli("events", "-o", "json")
    assert ran.code == 0, ran.err
    assert ran.json["kind"] == "EventList"
    items = [item for item in ran.json["items"] if item["ref"]["name"] == sync.name]
    assert {item["ref"]["kind"] for item in items} == {"GitRepository", "Kustomization"}
    assert [item["lastSeen"] for item in items] == sorted(item["lastSeen"] for item in items)
    assert [i["reason"] for i in items if i["ref"]["kind"] == "Kustomization"][-1] == "BuildFailed"
    assert all(item["count"] >= 1 for item in items)


def test_events_for_a_sync_have_its_sources_and_its_objects_too(cli: Sluice, sync: Sync) -> None:
    items = cli("events", "--for", f"ks/{sync.name}", "-o", "json").json["items"]
    kinds = {item["ref"]["kind"] for item in items}
    assert {"GitRepository", "Kustomization", "Deployment", "ReplicaSet"} <= kinds
    assert cli("events", f"ks/{sync.name}", "-o", "json").json["items"] == items
    warnings = cli("events", "--for", f"ks/{sync.name}", "--types", "warning", "-o", "json").json["items"]
    assert {item["type"] for item in warnings} == {"Warning"}
    assert cli("events", "--for", f"ks/{sync.name}", "--since", "1ms", "-o", "json").json["items"] == []
    names = cli("events", "--for", f"ks/{sync.name}", "-o", "name").out.split()
    assert len(names) == len(items)
    assert all(name.startswith("event/") for name in names)


def test_people_see_a_table_without_control_characters(cli: Sluice, sync: Sync) -> None:
    ran = cli("events", "--for", f"ks/{sync.name}")
    assert ran.out.splitlines()[0].split()[:3] == ["NAMESPACE", "LAST", "SEEN"]
    assert f"Kustomization/{sync.name}" in ran.out
    assert "\x1b" not in ran.out + ran.err


def test_a_flag_that_means_nothing_is_refused(cli: Sluice, sync: Sync) -> None:
    assert cli("events", "--types", "Loud").code == 2
    assert cli("events", "--for", f"ks/{sync.name}", f"ks/{sync.name}").code == 2
    assert cli("events", "--for", "ks/absent").code == 7
    assert cli("events", "--since", "never").code == 2


def test_events_are_told_as_they_happen(cli: Sluice, sync: Sync) -> None:
    command = cli.command("events", "--for", f"ks/{sync.name}", "-w", "-o", "json")
    with subprocess.Popen(command, env=cli.env(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        assert first["type"] == "ADDED"
        sync.push({"a.yaml": "b: [\n"})
        for line in process.stdout:
            told = json.loads(line)["object"]
            if told["reason"] == "BuildFailed" and sync.repo.head()[:7] in told["message"]:
                break
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130


@pytest.fixture
def kubelet(bench: Bench, tmp_path: Path) -> Iterator[KubeletLogs]:
    """A node with logs."""
    with KubeletLogs(bench.api, tmp_path, f"node-{secrets.token_hex(3)}") as node:
        yield node


def line(name: str, namespace: str, msg: str, level: str = "info", **more: str) -> str:
    return json.dumps(
        {"ts": "2026-01-01T00:00:00Z", "level": level, "msg": msg, "controllerKind": "Kustomization", "name": name,
         "namespace": namespace, **more}
    )  # fmt: skip


def test_the_operators_lines_about_one_object_are_printed(cli: Sluice, sync: Sync, kubelet: KubeletLogs) -> None:
    home = sync.namespace
    lines = [
        line("other", home, "reconciled"),
        line(sync.name, home, "reconciled"),
        line(sync.name, home, "not reconciled", "error", error="not valid\x1b YAML"),
        line(sync.name, "elsewhere", "reconciled"),
        "no JSON",
    ]
    kubelet.pod(home, f"sluice-{secrets.token_hex(2)}", {"manager": lines, "sidecar": ["noise"]}, **POD_LABELS)
    ran = cli("logs", f"ks/{sync.name}")
    assert ran.code == 0, ran.err
    assert ran.out.splitlines() == [
        f"2026-01-01T00:00:00Z info Kustomization/{sync.name}.{home} - reconciled",
        f"2026-01-01T00:00:00Z error Kustomization/{sync.name}.{home} - not reconciled: not valid\\x1b YAML",
    ]
    errors = cli("logs", sync.name, "--level", "error", "-o", "json")
    assert [json.loads(text)["level"] for text in errors.out.splitlines()] == ["error"]
    assert len(cli("logs", "-A").out.splitlines()) == 4
    assert cli("logs", "--tail", "1", "-A").out == ""
    assert any("tailLines=1" in asked for asked in kubelet.asked)


def test_lines_of_a_workloads_pods_are_printed_and_followed(cli: Sluice, sync: Sync, kubelet: KubeletLogs) -> None:
    said = ["one", "two\x07"]
    kubelet.pod(sync.target, "solo", {"main": said, "side": ["aside"]})
    ran = cli("logs", "pod/solo", "--pods", "-n", sync.target)
    assert ran.out.splitlines() == ["one", "two\\x07", "aside"], ran.err
    only = ("logs", "pod/solo", "--pods", "-n", sync.target, "-c", "main")
    assert cli(*only, "--tail", "1").out == "two\\x07\n"
    with subprocess.Popen(cli.command(*only, "-f"), env=cli.env(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "one\n"
        said.append("three")
        assert [process.stdout.readline() for _ in range(2)] == ["two\\x07\n", "three\n"]
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130


def test_logs_that_can_not_be_had_say_why(cli: Sluice, sync: Sync) -> None:
    ran = cli("logs", RUNTIME_NAMESPACE=sync.target)
    assert (ran.code, "has no pod" in ran.err) == (7, True)
    assert cli("logs", "--pods").code == 2
    assert cli("logs", "-c", "main").code == 2
    assert cli("logs", "cm/a", "--pods", "-n", sync.target).code == 7

"""What a Prometheus that scrapes the running operator gets, and what the shipped rules and dashboard read of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from devcluster.cluster import Cluster
from tests.operator_fixture import (
    Bench,
    LogCapture,
    bench_with,
    config_map,
    deployment,
    free_port,
    poll,
)

MONITORING = Path(__file__).parents[3] / "deploy" / "monitoring"
PAGE = Path(__file__).parents[3] / "docs" / "reference" / "metrics.md"
METRIC = re.compile(r"\b((?:gotk|controller_runtime|workqueue|rest_client|sluice|process)_[a-z_]+)\b")


@pytest.fixture(scope="module")
def bench(
    cluster: Cluster, crds: None, log_capture: LogCapture, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    """An operator that serves its probes and metrics."""
    ports = (f"127.0.0.1:{free_port()}" for _ in range(2))
    addresses = {"metrics_address": next(ports), "health_address": next(ports)}
    with bench_with(cluster, log_capture, tmp_path_factory, **addresses) as opened:
        yield opened


def scrape(bench: Bench) -> list[Sample]:
    with urlopen(f"http://{bench.operator.settings.metrics_address}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return [sample for family in text_string_to_metric_families(text) for sample in family.samples]


def value(bench: Bench, name: str, /, **labels: str) -> float:
    """The sum of the series of that name with those labels."""
    return sum(s.value for s in scrape(bench) if s.name == name and labels.items() <= s.labels.items())


def test_a_commit_is_followed_from_its_date_to_healthy(bench: Bench) -> None:
    def stages() -> list[float]:
        return [value(bench, "sluice_lead_time_seconds_count", stage=s) for s in ("fetched", "applied", "healthy")]

    before, done = stages(), value(bench, "sluice_transactions_total", outcome="succeeded")
    sync = bench.synced({"web.yaml": deployment("web", "app:1")}, wait=True)
    assert stages() == before, "how old a first revision is says nothing about delivery"
    sync.wait_ready(sync.push({"web.yaml": deployment("web", "app:2")}))
    poll("each stage once", lambda: stages() == [number + 1 for number in before])
    assert value(bench, "sluice_transactions_total", outcome="succeeded") == done + 2


def test_an_object_shows_its_revision_and_whether_it_is_ready(bench: Bench) -> None:
    sync = bench.source()
    revision = sync.commit({"a.yaml": config_map("a")})
    sync.create_source()
    sync.create()
    sync.wait_ready(revision)

    def told() -> bool:
        return value(bench, "gotk_resource_info", name=sync.name, revision=revision, ready="True") == 2

    poll("source and sync are told as ready", told)
    bad = sync.push({"a.yaml": "kind: ConfigMap"})
    sync.wait_failed(bad)
    labels = {"customresource_kind": "Kustomization", "name": sync.name, "ready": "False"}
    poll("it is told as not ready", lambda: value(bench, "gotk_resource_info", **labels) == 1)
    errors = {"controller": "kustomization", "result": "error"}
    poll("its turn is counted", lambda: value(bench, "controller_runtime_reconcile_total", **errors) >= 1)


def test_drift_that_was_set_right_is_counted_by_kind(bench: Bench) -> None:
    before = value(bench, "sluice_drift_corrections_total", kind="ConfigMap")
    sync = bench.synced({"a.yaml": config_map("a")})
    bench.api.patch(sync.at("configmaps", "a"), {"data": {"key": "edited"}})
    poll("one more", lambda: value(bench, "sluice_drift_corrections_total", kind="ConfigMap") == before + 1)


def test_every_answer_of_the_api_server_is_counted(bench: Bench) -> None:
    before = value(bench, "rest_client_requests_total", method="PATCH", code="201")
    bench.synced({"a.yaml": config_map("a"), "b.yaml": config_map("b")})
    # Each is dry-run, and then applied.
    assert value(bench, "rest_client_requests_total", method="PATCH", code="201") == before + 4


def test_a_ready_operator_says_so_check_by_check(bench: Bench) -> None:
    with urlopen(f"http://{bench.operator.settings.health_address}/readyz?verbose", timeout=10) as answer:
        assert answer.read().decode() == "[+]lease ok\n[+]turns ok\nreadyz check passed\n"


def test_no_histogram_has_a_series_for_each_object(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    named = {s.name for s in scrape(bench) if sync.name in s.labels.values()}
    assert named == {"gotk_resource_info"}


def expressions() -> list[str]:
    rules = yaml.safe_load((MONITORING / "alerts.yaml").read_text())
    board = json.loads((MONITORING / "dashboard.json").read_text())
    asked = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    asked += [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
    return asked + [v["query"]["query"] for v in board["templating"]["list"] if v["type"] == "query"]


def families(bench: Bench) -> set[str]:
    """Every name that a series can have, of those families too that have none yet."""
    with urlopen(f"http://{bench.operator.settings.metrics_address}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    found: set[str] = set()
    for line in lines:
        if line.startswith("# TYPE "):
            name, kind = line.split()[2:]
            found |= {f"{name}_{part}" for part in ("bucket", "sum", "count")} if kind == "histogram" else {name}
    return found


def test_every_metric_that_the_rules_and_the_dashboard_read_is_in_a_scrape(bench: Bench) -> None:
    read = {name for expression in expressions() for name in METRIC.findall(expression)}
    assert len(read) > 15
    assert read <= families(bench)


def test_what_fluxs_public_dashboards_read_is_in_a_scrape(bench: Bench) -> None:
    """Those of its monitoring example: every series but Go's own, the node's, and Helm's, with the labels asked for."""
    sync = bench.synced({"a.yaml": config_map("a")})
    # Status is seen by others a moment before the turn ends, and before the operator's own watch tells it.
    ours = {"customresource_kind": "Kustomization", "name": sync.name, "ready": "True"}
    poll("its object is told", lambda: value(bench, "gotk_resource_info", **ours) == 1)
    counted = {"controller_runtime_reconcile_total": "controller", "workqueue_work_duration_seconds_count": "name"}
    poll("its turn is counted", lambda: all(value(bench, n, **{by: "kustomization"}) for n, by in counted.items()))
    label_names: dict[str, set[str]] = {}
    for sample in scrape(bench):
        label_names.setdefault(sample.name, set()).update(sample.labels)
    asked = {
        "gotk_resource_info": {"exported_namespace", "customresource_kind", "ready", "suspended", "name"},
        "gotk_reconcile_duration_seconds_sum": {"kind"},
        "gotk_reconcile_duration_seconds_count": {"kind"},
        "controller_runtime_reconcile_total": {"controller", "result"},
        "workqueue_longest_running_processor_seconds": {"name"},
        "workqueue_work_duration_seconds_count": {"name", "controller"},
        "rest_client_requests_total": {"code", "method"},
        "process_cpu_seconds_total": set(),
    }
    assert set(asked) <= set(label_names)
    assert {name: labels - label_names[name] for name, labels in asked.items()} == {name: set() for name in asked}


def test_the_reference_lists_every_metric_of_a_scrape_and_no_other(bench: Bench) -> None:
    served = {re.sub(r"_(bucket|sum|count)$", "", name) for name in families(bench) if METRIC.fullmatch(name)}
    listed = {name for name in re.findall(r"^\| `([a-z_]+)`", PAGE.read_text(), re.MULTILINE) if METRIC.fullmatch(name)}
    assert listed == served

"""Each shipped alert fires on what our operator shows when that happens to it, and on nothing else.

An operator of its own process is brought into each state and scraped before and after; Prometheus' own engine judges
the shipped rules over hours in which that goes on, once a minute (`tests/differential/originals/promql.go`).
"""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import yaml

from devcluster.cluster import Cluster
from devcluster.git_http import GitHttpServer
from sluice.core.fight import Fight
from tests.differential.go_originals import Originals, running_originals
from tests.faults.fault_proxy import Asked, Fault, refuse
from tests.faults.lane import Lane, open_lane
from tests.image_objects import IMAGES
from tests.notification_objects import Notifications
from tests.notification_sink import Answer, NotificationSink
from tests.operator_fixture import FAILING_JOB, Sync, config_map, crds, free_port, log_capture, poll

__all__ = ["crds", "log_capture"]
# The fixture builds the Go program, if nobody has done so yet.
pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240, func_only=True)]

MONITORING = Path(__file__).parents[2] / "deploy" / "monitoring"
RULES = (MONITORING / "alerts.yaml").read_text()
# What a scrape of a pod adds.
TARGET = {"job": "sluice", "instance": "10.0.0.1:8080", "namespace": "flux-system", "pod": "sluice-0"}
LAG = "sluice_event_loop_lag_seconds"
HOUR, WEEK = 60, 7 * 24 * 60


@dataclass(frozen=True)
class Stretch:
    """`minutes` in each of which counters grow as from `before` to `after`; gauges are those of `after`."""

    minutes: int
    before: str
    after: str


def still(minutes: int, scrape: str) -> Stretch:
    """Nothing happens."""
    return Stretch(minutes, scrape, scrape)


@dataclass(frozen=True)
class Watched:
    """The operator, and who judges its scrapes."""

    lane: Lane
    address: str
    originals: Originals

    def scrape(self, *, lag: bool = False) -> str:
        """What a Prometheus gets now; without `lag` all but how late the machine of the tests lets anybody answer."""
        with urlopen(f"http://{self.address}/metrics", timeout=30) as answer:
            told = str(answer.read().decode())
        return told if lag else re.sub(rf"^{LAG}.*\n", "", told, flags=re.MULTILINE)

    def fired(self, *stretches: Stretch, rules: str = RULES) -> dict[str, list[Any]]:
        """What fired in the course of these, by the alert's name."""
        course = [{"Minutes": s.minutes, "Before": s.before, "After": s.after} for s in stretches]
        told: dict[str, list[Any]] = {}
        for alert in self.originals.ask("promql.alerts", rules, json.dumps(TARGET), json.dumps(course)):
            told.setdefault(alert["Alert"], []).append(alert)
        return told


@pytest.fixture(scope="module")
def watched(cluster: Cluster, crds: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A process that has counted nothing yet."""
    root, address = tmp_path_factory.mktemp("alerts"), f"127.0.0.1:{free_port()}"
    flags = (f"--metrics-addr={address}", "--egress-allow=127.0.0.0/8")
    patches = ("blocked-on-signal", "bug-in-policies")
    with (
        running_originals() as originals,
        GitHttpServer(root / "git") as git,
        open_lane(cluster, git, root, patches, flags) as lane,
    ):
        yield Watched(lane, address, originals)


def synced(watched: Watched) -> Sync:
    return watched.lane.bench.synced({"a.yaml": config_map("a")})


def well(watched: Watched) -> str:
    """A scrape that shows nobody as not ready: the operator's cache is a moment behind the status."""
    poll("everybody is ready", lambda: 'ready="False"' not in watched.scrape())
    return watched.scrape()


def counted(watched: Watched, name: str, labels: str) -> float:
    found = re.search(rf"^{name}{{{re.escape(labels)}}} (\S+)$", watched.scrape(), re.MULTILINE)
    return float(found[1]) if found is not None else 0.0


def test_nothing_fires_while_all_is_well(watched: Watched) -> None:
    before = watched.scrape()
    sync = synced(watched)
    sync.wait_ready(sync.push({"a.yaml": config_map("a", "2")}))
    poll("it is ready in a scrape", lambda: sync.name in watched.scrape())
    assert watched.fired(Stretch(8 * HOUR, before, watched.scrape())) == {}


def test_an_object_that_is_not_ready_is_named_after_a_quarter_of_an_hour(watched: Watched) -> None:
    sync = synced(watched)
    before = well(watched)
    sync.wait_failed(sync.push({"a.yaml": "kind: ConfigMap"}))
    shown = f'name="{sync.name}",ready="False"'
    poll("a scrape shows it", lambda: shown in watched.scrape())
    ill = watched.scrape()
    assert watched.fired(still(10, before), still(15, ill), still(HOUR, before)) == {}
    (alert,) = watched.fired(still(10, before), still(30, ill), still(HOUR, before)).pop("SluiceNotReady")
    assert (alert["From"], alert["To"]) == (25, 39)
    assert alert["Annotations"]["summary"] == f"Kustomization {sync.namespace}/{sync.name} is not ready"
    assert alert["Annotations"]["description"] == f"`sluice why -n {sync.namespace} {sync.name}` says why."
    sync.wait_ready(sync.push({"a.yaml": config_map("a", "2")}))


def test_an_object_that_is_suspended_is_named_after_a_week_and_never_as_not_ready(watched: Watched) -> None:
    sync = synced(watched)
    sync.wait_failed(sync.push({"a.yaml": "kind: ConfigMap"}))
    sync.edit(suspend=True)
    poll("a scrape shows it", lambda: f'name="{sync.name}",ready="False"' in watched.scrape())
    poll("a scrape shows it", lambda: 'suspended="true"' in watched.scrape())
    fired = watched.fired(still(WEEK + 2, watched.scrape()))
    assert set(fired) == {"SluiceSuspendedLong"}
    assert sync.name in fired["SluiceSuspendedLong"][0]["Annotations"]["summary"]
    watched.lane.bench.api.delete(sync.path)
    sync.wait_gone()


def test_an_operator_that_is_gone_is_missed_after_five_minutes(watched: Watched) -> None:
    scrape = watched.scrape()
    assert watched.fired(still(10, scrape), still(5, ""), still(10, scrape)) == {}
    (alert,) = watched.fired(still(10, scrape), still(20, ""), still(10, scrape)).pop("SluiceAbsent")
    assert (alert["From"], alert["To"], alert["Labels"]) == (
        15,
        29,
        {"controller": "kustomization", "severity": "critical"},
    )


def test_the_first_undo_that_fails_is_told_at_once(watched: Watched) -> None:
    sync = synced(watched)
    path, applied = sync.at("configmaps", "a"), []

    def refuse_the_undo(asked: Asked) -> Fault | None:
        if asked.path != path or asked.method != "PATCH" or asked.dry_run:
            return None
        applied.append(asked)
        return refuse(403, "Forbidden") if len(applied) > 1 else None

    before = watched.scrape()
    watched.lane.proxy.arm(refuse_the_undo)
    sync.edit(wait=True)
    sync.push({"a.yaml": config_map("a", "2"), "job.yaml": FAILING_JOB})
    sync.wait_condition("Ready", "False", "UndoFailed")
    after = watched.scrape()
    watched.lane.proxy.arm()
    sync.wait_ready(sync.push({"a.yaml": config_map("a", "3"), "job.yaml": None}))
    fired = watched.fired(still(HOUR, before), Stretch(1, before, after), still(HOUR, well(watched)))
    assert set(fired) == {"SluiceUndoFailed"}
    assert HOUR <= fired["SluiceUndoFailed"][0]["From"] <= HOUR + 1


def test_the_fourth_revision_within_an_hour_that_is_undone_is_told(watched: Watched) -> None:
    sync = synced(watched)
    before = watched.scrape()
    sync.edit(wait=True)
    sync.wait_failed(sync.push({"job.yaml": FAILING_JOB}), reason="Undone")
    sync.wait_ready(sync.push({"job.yaml": None}))
    once = Stretch(1, before, well(watched))
    pause = still(9, once.after)
    quiet = still(HOUR, before)
    assert watched.fired(quiet, once, pause, once, pause, once, pause) == {}
    assert set(watched.fired(quiet, once, pause, once, pause, once, pause, once, pause)) == {"SluiceRevisionsUndone"}


def test_the_eleventh_correction_within_an_hour_is_told_and_so_is_a_fight_over_one_object(watched: Watched) -> None:
    sync = synced(watched)
    before = watched.scrape()
    labels = 'kind="ConfigMap"'
    watched.lane.bench.api.patch(sync.at("configmaps", "a"), {"data": {"key": "edited"}})
    poll("it is set right", lambda: counted(watched, "sluice_drift_corrections_total", labels))
    once = Stretch(1, before, watched.scrape())
    known, pause = still(HOUR, once.after), still(4, once.after)
    assert watched.fired(known, *[once, pause] * 10, known) == {}
    assert set(watched.fired(known, *[once, pause] * 11, known)) == {"SluiceDriftFight"}
    # As often as one object of that kind is set right whose other owner never rests.
    course: list[Stretch] = []
    corrections = 0
    while sum(stretch.minutes for stretch in course) < 2 * HOUR:
        corrections += 1
        quiet = int(Fight(corrections, 0.0, None).pause // 60) - 1  # type: ignore[arg-type]
        course += [once, still(quiet, once.after)] if quiet > 0 else [once]
    fired = watched.fired(*course)
    assert set(fired) == {"SluiceDriftFight"}
    assert fired["SluiceDriftFight"][0]["Annotations"]["summary"].startswith("Drift of ConfigMap objects")


def test_turns_that_wait_long_are_told_by_controller(watched: Watched) -> None:
    line = 'sluice_queue_oldest_seconds{controller="kustomization"} '
    scrape = watched.scrape()
    assert scrape.count(f"\n{line}") == 1
    waiting = re.sub(rf"{re.escape(line)}\S+", f"{line}400.0", scrape)
    short = re.sub(rf"{re.escape(line)}\S+", f"{line}200.0", scrape)
    assert watched.fired(still(HOUR, short)) == {}
    fired = watched.fired(still(HOUR, waiting))
    assert set(fired) == {"SluiceQueueOld"}
    assert fired["SluiceQueueOld"][0]["Annotations"]["summary"] == (
        "Turns of kustomization wait for more than five minutes"
    )


def test_commits_that_are_applied_late_are_told(watched: Watched) -> None:
    sync = synced(watched)
    before = watched.scrape()

    def applied(value: str) -> str:
        name, labels = "sluice_lead_time_seconds_count", 'stage="applied"'
        known = counted(watched, name, labels)
        sync.wait_ready(sync.push({"a.yaml": config_map("a", value)}))
        poll("it is counted", lambda: counted(watched, name, labels) > known)
        return watched.scrape()

    soon = Stretch(1, before, applied("2"))
    sync.repo.env["GIT_COMMITTER_DATE"] = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    late = Stretch(1, soon.after, applied("3"))
    assert watched.fired(*[still(20, before), soon] * 12) == {}
    assert set(watched.fired(*[still(20, before), late] * 12)) == {"SluiceDeliverySlow"}


def test_a_blocked_event_loop_is_told(watched: Watched) -> None:
    before = watched.scrape(lag=True)
    watched.lane.operator.signal(signal.SIGUSR1)

    def answers(scrape: str, within: str) -> float:
        return next(
            float(line.split()[-1]) for line in scrape.splitlines() if line.startswith(f'{LAG}_bucket{{le="{within}"}}')
        )

    def late(scrape: str) -> float:
        return answers(scrape, "+Inf") - answers(scrape, "1.0")

    poll("a late answer is counted", lambda: late(watched.scrape(lag=True)) > late(before))
    blocked = Stretch(1, before, watched.scrape(lag=True))

    def punctual() -> Stretch | None:
        """A time in which it was asked, and answered soon."""
        begun = watched.scrape(lag=True)
        poll("it is asked", lambda: answers(watched.scrape(lag=True), "+Inf") > answers(begun, "+Inf"))
        ended = watched.scrape(lag=True)
        return Stretch(1, begun, ended) if late(ended) == late(begun) else None

    assert watched.fired(*[poll("it answers soon", punctual)] * HOUR) == {}
    assert set(watched.fired(*[blocked] * HOUR)) == {"SluiceLoopBlocked"}


@pytest.mark.parametrize("status", [500, 0])
def test_an_api_server_that_fails_is_told_whether_it_answers_or_not(watched: Watched, status: int) -> None:
    sync = synced(watched)
    before = watched.scrape()
    refused: list[Asked] = []

    def fail(asked: Asked) -> Fault | None:
        if not asked.path.startswith(sync.at("configmaps", "")) or len(refused) > 3:
            return None
        refused.append(asked)
        return refuse(500, "InternalError") if status else Fault(forward=False)

    watched.lane.proxy.arm(fail)
    revision = sync.push({"a.yaml": config_map("a", "2")})
    poll("it was refused", lambda: refused)
    watched.lane.proxy.arm()
    sync.reconcile()
    sync.wait_ready(revision)
    after = well(watched)
    assert watched.fired(still(HOUR, before), Stretch(3, before, after), still(HOUR, after)) == {}
    assert set(watched.fired(Stretch(HOUR, before, after))) == {"SluiceApiServerRefuses"}


def test_the_first_notification_that_is_given_up_is_told_with_its_type(watched: Watched) -> None:
    sync = synced(watched)
    with NotificationSink() as sink:
        sink.answer = lambda _: Answer(400, b"no")
        notifications = Notifications(sync.bench, sync)
        alert = notifications.alert(notifications.provider("discord", address=f"{sink.url}/hook"))
        poll("the provider is known", lambda: 'type="discord"' in watched.scrape())
        before = watched.scrape()
        sync.wait_ready(sync.push({"a.yaml": config_map("a", "2")}))
        poll("it is told that it was given up", lambda: notifications.complaints(alert))
    fired = watched.fired(still(HOUR, before), Stretch(1, before, watched.scrape()), still(10, watched.scrape()))
    assert set(fired) == {"SluiceNotificationsLost"}
    assert fired["SluiceNotificationsLost"][0]["Annotations"]["summary"] == (
        "Notifications to a provider of type discord were given up"
    )


def test_the_first_bug_is_told_with_its_controller(watched: Watched) -> None:
    before = watched.scrape()
    namespace = watched.lane.bench.namespace
    policy = {"imageRepositoryRef": {"name": "none"}, "policy": {"alphabetical": {}}}
    body = {"apiVersion": IMAGES.removeprefix("/apis/"), "kind": "ImagePolicy", "spec": policy}
    body["metadata"] = {"name": "bug"}
    path = f"{IMAGES}/namespaces/{namespace}/imagepolicies"
    watched.lane.bench.api.create(path, body)
    labels = 'controller="imagepolicy"'
    poll("it met a bug", lambda: counted(watched, "controller_runtime_reconcile_panics_total", labels))
    watched.lane.bench.api.delete(f"{path}/bug")
    poll("a scrape forgets it", lambda: 'name="bug"' not in watched.scrape())
    after = watched.scrape()
    fired = watched.fired(still(HOUR, before), Stretch(1, before, after), still(HOUR, after))
    assert set(fired) == {"SluiceBug"}
    assert fired["SluiceBug"][0]["Annotations"]["summary"] == "A turn of imagepolicy met a bug"


def test_every_shipped_rule_has_its_test() -> None:
    names = {rule["alert"] for group in yaml.safe_load(RULES)["groups"] for rule in group["rules"]}
    assert names == set(re.findall(r'"(Sluice[A-Z]\w+)"', Path(__file__).read_text()))


def panels() -> list[str]:
    """What the dashboard asks, as Grafana fills it in."""
    board = json.loads((MONITORING / "dashboard.json").read_text())
    asked = [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
    return [text.replace("$__rate_interval", "5m").replace("$namespace", ".*").replace("$job", ".*") for text in asked]


def test_every_expression_of_the_dashboard_is_one_to_prometheus(watched: Watched) -> None:
    asked = panels()
    assert len(asked) > 15
    assert not [text for text in asked if "$" in text]
    assert dict(zip(asked, watched.originals.ask("promql.parse", *asked), strict=True)) == dict.fromkeys(asked, "")


def test_every_panel_of_the_dashboard_shows_something_by_the_labels_that_it_asks_for(watched: Watched) -> None:
    sync = synced(watched)
    sync.wait_ready(sync.push({"a.yaml": config_map("a", "2")}))
    watched.lane.bench.api.patch(sync.at("configmaps", "a"), {"data": {"key": "edited"}})
    poll("it is set right", lambda: counted(watched, "sluice_drift_corrections_total", 'kind="ConfigMap"'))
    sync.wait_failed(sync.push({"a.yaml": "kind: ConfigMap"}))
    poll("a scrape shows it", lambda: f'name="{sync.name}",ready="False"' in watched.scrape())
    asked = {f"panel{number}": text for number, text in enumerate(panels())}
    rules = json.dumps({"groups": [{"name": "g", "rules": [{"alert": n, "expr": e} for n, e in asked.items()]}]})
    shown = watched.fired(still(10, watched.scrape(lag=True)), rules=rules)
    assert [text for name, text in asked.items() if name not in shown] == []
    for name, text in asked.items():
        wanted = {label for group in re.findall(r" by \(([^)]+)\)", text) for label in group.split(", ")} - {"le"}
        assert wanted <= set().union(*(series["Labels"] for series in shown[name])), text

"""The last good state goes on being kept while git's head is refused or was undone, and during a wait for health."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable

import pytest
import yaml

from sluice.core.plan import Batch, Owner
from sluice.core.transaction_messages import Answered
from sluice.runtime.executor import Executor
from tests.operator_fixture import Bench, Sync, config_map, deployment, poll

BROKEN = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bad, namespace: $NS}\nspec: {nonsense: 1}\n"
SYNTAX = "apiVersion: v1\nkind: [\n"


def edit(sync: Sync, name: str = "a") -> None:
    sync.bench.api.patch(sync.at("configmaps", name), {"data": {"key": "edited"}})


def kept(sync: Sync) -> None:
    """Everything that was good is set right: an edit and a deletion."""
    edit(sync)
    poll("a is right again", lambda: sync.config("a")["data"] == {"key": "1"})
    sync.bench.api.delete(sync.at("configmaps", "b"))
    poll("b is there again", lambda: sync.live("configmaps", "b"))


FILES = {"a.yaml": config_map("a"), "b.yaml": config_map("b")}


def test_a_head_that_is_refused_by_the_api_server_keeps_the_last_good_state(bench: Bench) -> None:
    sync = bench.synced(FILES)
    good = sync.status["lastAppliedRevision"]
    bad = sync.push({"a.yaml": config_map("a", "2"), "bad.yaml": BROKEN})
    sync.wait_failed(bad, "E204")
    kept(sync)
    assert sync.status["lastAppliedRevision"] == good
    assert sync.condition("Ready")["status"] == "False"
    sync.wait_condition("Drifted", "False", "DriftCorrected")
    assert sync.live("configmaps", "bad") is None


def test_a_head_that_can_not_be_rendered_keeps_the_last_good_state(bench: Bench) -> None:
    sync = bench.synced(FILES)
    sync.wait_failed(sync.push({"bad.yaml": SYNTAX}), "E202")
    kept(sync)


def test_a_head_that_was_undone_keeps_the_last_good_state_and_stays_undone(bench: Bench) -> None:
    sync = bench.synced(FILES, wait=True, timeout="30s")
    bad = sync.push({"a.yaml": config_map("a", "2"), "web.yaml": deployment("web", "app:crash")})
    sync.edit(timeout="30s")
    sync.wait_failed(bad, reason="Undone", seconds=90)
    assert sync.config("a")["data"] == {"key": "1"}
    kept(sync)
    sync.wait("it stays undone", lambda k: [c for c in k["status"]["conditions"] if c["type"] == "Stalled"])
    assert sync.live("apps/v1/deployments", "web") is None
    # It is not forgotten that this revision failed: a turn that a person asks for apart, nothing tries it again.
    audit = bench.audit()
    edit(sync, "b")
    poll("b is right again", lambda: sync.config("b")["data"] == {"key": "1"})
    assert not [w for w in sync.writes(audit) if "deployments" in w.path]


def test_what_was_made_again_beside_a_bad_head_is_pruned_when_it_leaves_git(bench: Bench) -> None:
    sync = bench.synced(FILES)
    sync.wait_failed(sync.push({"bad.yaml": SYNTAX}), "E202")
    kept(sync)
    sync.wait_ready(sync.push({"bad.yaml": None, "b.yaml": None}))
    assert sync.live("configmaps", "b") is None


def test_the_last_good_state_is_kept_after_a_restart_too(bench: Bench) -> None:
    sync = bench.synced(FILES)
    sync.wait_failed(sync.push({"bad.yaml": SYNTAX}), "E202")
    bench.operator.restart()
    kept(sync)
    assert sync.condition("Ready")["status"] == "False"


def test_a_bad_head_only_tells_with_warn(bench: Bench) -> None:
    sync = bench.synced(FILES, drift="Warn")
    sync.wait_failed(sync.push({"bad.yaml": SYNTAX}), "E202")
    edit(sync)
    sync.wait_condition("Drifted", "True", text="changed by kubectl-edit")
    assert sync.config("a")["data"] == {"key": "edited"}


def test_owner_labels_are_set_right_beside_a_bad_head(bench: Bench) -> None:
    label = "kustomize.toolkit.fluxcd.io/name"
    sync = bench.synced(FILES)
    sync.wait_failed(sync.push({"bad.yaml": SYNTAX}), "E202")
    for name, value in (("a", None), ("b", "other")):
        bench.api.patch(sync.at("configmaps", name), {"metadata": {"labels": {label: value}}})
    for name in ("a", "b"):
        path = sync.at("configmaps", name)
        poll(
            f"{name}'s label is right again",
            lambda path=path: (bench.api.get(path) or {})["metadata"]["labels"].get(label) == sync.name,  # type: ignore[misc]
        )


def test_drift_is_corrected_while_a_revision_waits_for_health(bench: Bench) -> None:
    sync = bench.synced({**FILES, "web.yaml": deployment("web")}, wait=True, timeout="5m")
    revision = sync.push({"a.yaml": config_map("a", "2"), "web.yaml": deployment("web", "app:unready")})
    poll("the revision is applied", lambda: sync.config("a")["data"] == {"key": "2"})
    sync.wait_condition("Reconciling", "True", text="Running health checks")
    audit = bench.audit()
    edit(sync)
    poll("a is as the new revision says", lambda: sync.config("a")["data"] == {"key": "2"})
    edit(sync, "b")
    poll("b, which it did not change, is right too", lambda: sync.config("b")["data"] == {"key": "1"})
    bench.api.delete(sync.at("configmaps", "b"))
    poll("b is there again", lambda: sync.live("configmaps", "b"))
    assert {w.path for w in sync.writes(audit)} == {sync.at("configmaps", "a"), sync.at("configmaps", "b")}
    assert sync.status["lastAppliedRevision"] != revision
    last = sync.push({"web.yaml": deployment("web")})
    sync.wait_ready(last)
    sync.wait_ready(sync.push({"b.yaml": None}))
    assert sync.live("configmaps", "b") is None


def test_drift_is_corrected_in_the_very_first_wait_for_health_too_also_of_a_kind_that_nobody_else_has(
    bench: Bench,
) -> None:
    sync = bench.source()
    limits = "apiVersion: v1\nkind: LimitRange\nmetadata: {name: limits, namespace: $NS}\nspec: {limits: []}\n"
    sync.commit({"limits.yaml": limits, "web.yaml": deployment("web", "app:unready")})
    sync.create_source()
    sync.create(wait=True, timeout="5m")
    sync.wait_condition("Reconciling", "True", text="Running health checks")
    bench.api.delete(sync.at("limitranges", "limits"))
    poll("it is there again", lambda: sync.live("limitranges", "limits"))
    sync.wait_condition("Reconciling", "True", text="Running health checks")


@pytest.mark.parametrize("ends", ["a newer revision", "the operator's end"])
def test_what_was_made_again_in_a_wait_that_ends_early_is_pruned_by_a_newer_revision(bench: Bench, ends: str) -> None:
    sync = bench.synced({**FILES, "web.yaml": deployment("web")}, wait=True, timeout="5m")
    sync.push({"web.yaml": deployment("web", "app:unready")})
    sync.wait_condition("Reconciling", "True", text="Running health checks")
    bench.api.delete(sync.at("configmaps", "b"))
    poll(
        "it is there again",
        lambda: [e for e in bench.operator.logged if e["event"] == "drift corrected" and e["name"] == sync.name],
    )
    assert sync.live("configmaps", "b") is not None
    if ends == "the operator's end":
        bench.operator.stop()
        revision = sync.commit({"web.yaml": deployment("web"), "b.yaml": None})
        bench.operator.start()
    else:
        revision = sync.push({"web.yaml": deployment("web"), "b.yaml": None})
    sync.wait_ready(revision)
    assert sync.live("configmaps", "b") is None


class SlowAnswer:
    """Holds what corrections have come to, as a slow API server would, until it is released."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.written, self.cut, self.released = threading.Event(), threading.Event(), threading.Event()
        correct = Executor.correct

        async def slow(executor: Executor, batches: Iterable[Batch], owner: Owner) -> Answered:
            answer = await correct(executor, batches, owner)
            self.written.set()
            try:
                await asyncio.to_thread(self.released.wait, 20)
            except asyncio.CancelledError:
                self.cut.set()
                raise
            return answer

        monkeypatch.setattr(Executor, "correct", slow)


def test_what_is_being_corrected_when_the_wait_for_health_ends_is_told_and_stays_our_own(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = bench.synced(FILES)
    gate = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "gate", "namespace": sync.target}
    sync.edit(healthChecks=[gate], timeout="5m")
    revision = sync.push({"a.yaml": config_map("a", "2")})
    sync.wait_condition("Reconciling", "True", text="Running health checks")
    before = sync.config("b")["metadata"]["uid"]
    slow = SlowAnswer(monkeypatch)
    bench.api.delete(sync.at("configmaps", "b"))
    assert slow.written.wait(20)
    manifest = deployment("gate").replace("$NS", sync.target)
    bench.api.apply(sync.at("apps/v1/deployments", "gate"), yaml.safe_load(manifest), manager="test")
    poll("it is healthy", lambda: (sync.live("apps/v1/deployments", "gate") or {})["status"].get("availableReplicas"))
    slow.cut.wait(1)
    slow.released.set()
    sync.wait_ready(revision)
    assert sync.config("b")["metadata"]["uid"] != before
    told = [entry for entry in bench.operator.logged if entry["event"] == "drift corrected"]
    assert [entry["drift"] for entry in told if entry["name"] == sync.name], "the correction is told"
    sync.wait_ready(sync.push({"b.yaml": None}))
    assert sync.live("configmaps", "b") is None


def test_the_last_good_state_is_kept_after_a_restart_though_git_does_not_answer(bench: Bench) -> None:
    sync = bench.synced(FILES)
    sync.wait_failed(sync.push({"bad.yaml": SYNTAX}), "E202")
    bench.operator.stop()
    repository = bench.root / "git" / f"{sync.name}.git"
    repository.rename(repository.with_suffix(".away"))
    bench.operator.start()
    kept(sync)

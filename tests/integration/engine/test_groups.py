"""Several Kustomizations of one source are one transaction: a revision takes effect in all of them, or in none."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from typing import Any

import pytest

from tests.integration.engine.groups import IN_GROUP, Group, group
from tests.integration.engine.test_prune import ADMISSION, undeletable
from tests.operator_fixture import FAILING_JOB, Bench, config_map, deployment, poll

__all__ = ["undeletable"]

BASE: dict[str, str | None] = {"a/a.yaml": config_map("a"), "b/b.yaml": config_map("b")}


POD = """apiVersion: v1
kind: Pod
metadata: {name: NAME, namespace: $NS}
spec:
  containers: [{name: main, image: "nginx:1"}]
"""


def under_way(bench: Bench) -> tuple[Group, str]:
    """A group in the middle of a revision: a's part is applied, b's does not become healthy."""
    made = group(bench, BASE, wait=True)
    revision = made.push({"a/a.yaml": config_map("a", "2"), "b/slow.yaml": deployment("slow", "app:unready")})
    poll("under way", lambda: made.source.live("apps/v1/deployments", "slow") and made.values["a"] == "2")
    return made, revision


def test_a_revision_takes_effect_in_all_members_and_each_tells_its_own_part(bench: Bench) -> None:
    made = group(bench, BASE)
    revision = made.push({"a/a.yaml": config_map("a", "2"), "b/c.yaml": config_map("c")})
    made.wait_ready(revision)
    assert made.values == {"a": "2", "b": "1", "c": "1"}
    target = made.source.target
    assert made["a"].inventory() == [f"{target}_a__ConfigMap"]
    assert made["b"].inventory() == [f"{target}_b__ConfigMap", f"{target}_c__ConfigMap"]
    labels = made["b"].config("c")["metadata"]["labels"]
    assert labels["kustomize.toolkit.fluxcd.io/name"] == made["b"].name


def test_a_member_that_fails_its_dry_run_keeps_the_others_from_being_written(bench: Bench) -> None:
    made = group(bench, BASE)
    audit = bench.audit()
    bad = deployment("web").replace("replicas", "replica")
    revision = made.push({"a/a.yaml": config_map("a", "2"), "b/web.yaml": bad})
    assert "[E204]" in made["b"].wait_failed(revision)
    echo = made["a"].wait_failed(revision, "[E365]", reason="GroupNotReady")
    assert made["b"].name in echo
    assert "unknown field spec.replica" in echo
    assert [w for w in made.source.writes(audit) if not w.dry_run] == []
    made.wait_ready(made.push({"b/web.yaml": None}))
    assert made.values == {"a": "2", "b": "1"}


def test_a_member_that_can_not_be_built_keeps_the_others_where_they_are(bench: Bench) -> None:
    made = group(bench, BASE)
    revision = made.push({"a/a.yaml": config_map("a", "2"), "b/b.yaml": "a: [\n"})
    assert "[E202]" in made["b"].wait_failed(revision, reason="BuildFailed")
    made["a"].wait_failed(revision, "[E365]", reason="GroupNotReady")
    assert made["a"].condition("Stalled")["status"] == "True"
    assert made.values == {"a": "1", "b": "1"}


def test_a_member_that_does_not_become_healthy_undoes_the_group_and_every_member_says_so(bench: Bench) -> None:
    made = group(bench, {**BASE, "a/gone.yaml": config_map("gone")}, wait=True)
    before = made["a"].config("a")
    good = made["a"].status["lastAppliedRevision"]
    revision = made.push(
        {
            "a/a.yaml": config_map("a", "2"),
            "a/new.yaml": config_map("new"),
            "a/gone.yaml": None,
            "b/b.yaml": config_map("b", "2"),
            "b/job.yaml": FAILING_JOB,
        }
    )
    assert "[E303]" in made["b"].wait_failed(revision, "migrate failed", reason="Undone")
    echo = made["a"].wait_failed(revision, "[E365]", reason="Undone")
    assert f"{made['b'].name} of group '{made.name}' failed" in echo
    assert "the cluster is as it was" in echo
    assert made.values == {"a": "1", "b": "1", "gone": "1"}
    assert made.source.live("batch/v1/jobs", "migrate") is None
    assert made["a"].config("a")["metadata"]["uid"] == before["metadata"]["uid"]
    for member in made.members.values():
        assert member.condition("Stalled")["status"] == "True"
        assert member.status["lastAppliedRevision"] == good
    assert made["a"].inventory() == [f"{made.source.target}_a__ConfigMap", f"{made.source.target}_gone__ConfigMap"]


def test_one_event_tells_of_a_failure_and_not_one_for_each_member(bench: Bench) -> None:
    made = group(bench, BASE, wait=True)
    revision = made.push({"a/a.yaml": config_map("a", "2"), "b/job.yaml": FAILING_JOB})
    for member in made.members.values():
        member.wait_failed(revision, reason="Undone")
    path = f"/api/v1/namespaces/{bench.namespace}/events?fieldSelector=reason=Undone,involvedObject.name="
    poll("the event of the member that failed", lambda: (bench.api.get(path + made["b"].name) or {})["items"])
    assert (bench.api.get(path + made["a"].name) or {})["items"] == []


def test_a_failed_revision_is_not_tried_again_until_somebody_asks_one_of_its_members(bench: Bench) -> None:
    made = group(bench, BASE, wait=True)
    bad = made.push({"a/a.yaml": config_map("a", "2"), "b/job.yaml": FAILING_JOB})
    made["b"].wait_failed(bad, reason="Undone")
    audit = bench.audit()
    same = made.push({"README.md": "no manifest of the group changes\n"})
    for member in made.members.values():
        member.wait_failed(same, reason="Undone")
    assert [w for w in made.source.writes(audit) if not w.dry_run] == []
    made["a"].reconcile()
    assert any(w.verb == "patch" and not w.dry_run for w in made.source.writes(audit)), "asked: it is tried again"


def test_nothing_of_any_member_is_pruned_before_every_member_is_healthy(bench: Bench) -> None:
    made = group(bench, {**BASE, "a/old.yaml": config_map("old")}, wait=True)
    slow = deployment("slow", "app:unready")
    revision = made.push({"a/old.yaml": None, "b/slow.yaml": slow})
    poll("b is being waited for", lambda: made.source.live("apps/v1/deployments", "slow"))
    made["b"].wait_condition("Reconciling", "True", text="health")
    assert "old" in made.values
    final = made.push({"b/slow.yaml": None})
    made.wait_ready(final)
    assert revision != final
    assert made.values == {"a": "1", "b": "1"}
    assert made.source.live("apps/v1/deployments", "slow") is None


@pytest.mark.usefixtures("undeletable")
def test_a_prune_that_is_denied_is_told_by_the_member_whose_object_it_is_and_the_others_are_ready(bench: Bench) -> None:
    stuck = config_map("stuck", extra='labels: {keep.example.com: "yes"}')
    made = group(bench, {**BASE, "b/stuck.yaml": stuck}, retryInterval="1s")
    revision = made.push({"a/a.yaml": config_map("a", "2"), "b/stuck.yaml": None})
    made["a"].wait_ready(revision)
    assert "this one stays" in made["b"].wait_failed(revision, "[E309]", "PruneFailed")
    assert f"{made.source.target}_stuck__ConfigMap" in made["b"].inventory()
    assert made.values["a"] == "2"
    bench.api.delete(f"{ADMISSION}/validatingadmissionpolicybindings/keep.example.com")
    made.wait_ready(revision)
    assert made.values == {"a": "2", "b": "1"}
    bench.api.delete(f"{ADMISSION}/validatingadmissionpolicies/keep.example.com")


def test_a_member_s_force_and_the_word_it_asks_for_are_about_its_own_objects(bench: Bench) -> None:
    job = FAILING_JOB.replace("migrate:fail", "IMAGE")
    made = group(bench, {f"{folder}/{folder}.yaml": config_map(folder) for folder in "ab"}, "a", force=True)
    made.join("b", irreversible="Ask")
    first = {"a/job.yaml": job.replace("IMAGE", "one").replace("name: migrate", "name: ja")}
    made.wait_ready(
        made.push({**first, "b/job.yaml": job.replace("IMAGE", "one").replace("name: migrate", "name: jb")})
    )
    second = job.replace("IMAGE", "two")
    made.wait_ready(made.push({"a/job.yaml": second.replace("name: migrate", "name: ja")}))
    revision = made.push({"b/job.yaml": second.replace("name: migrate", "name: jb")})
    assert "[E301]" in made["b"].wait_failed(revision)
    assert "[E365]" in made["a"].wait_failed(revision)


CRD = """apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: PLURAL.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: PLURAL, singular: PLURAL, kind: KIND}
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {n: {type: integer}}}}}}
"""


def custom(made_of: str, text: str) -> str:
    return text.replace("PLURAL", made_of).replace("KIND", made_of.capitalize())


def test_what_one_member_defines_another_may_use_in_the_same_revision(bench: Bench) -> None:
    made = group(bench, BASE)
    plural = f"w{made.name[2:]}"
    of_it = "apiVersion: example.com/v1\nkind: KIND\nmetadata: {name: one, namespace: $NS}\nspec: {n: 1}\n"
    revision = made.push({"b/crd.yaml": custom(plural, CRD), "a/one.yaml": custom(plural, of_it)})
    made.wait_ready(revision)
    assert made.source.live(f"example.com/v1/{plural}", "one") is not None


def test_an_object_that_moves_from_one_member_to_another_keeps_its_uid_and_goes_back_with_an_undo(
    bench: Bench,
) -> None:
    made = group(bench, {**BASE, "a/x.yaml": config_map("x")}, wait=True)
    uid = made["a"].config("x")["metadata"]["uid"]
    bad = made.push({"a/x.yaml": None, "b/x.yaml": config_map("x", "2"), "b/job.yaml": FAILING_JOB})
    made["a"].wait_failed(bad, reason="Undone")
    back = made["a"].config("x")
    assert (back["metadata"]["uid"], back["data"]) == (uid, {"key": "1"})
    assert back["metadata"]["labels"]["kustomize.toolkit.fluxcd.io/name"] == made["a"].name
    assert f"{made.source.target}_x__ConfigMap" in made["a"].inventory()
    made.wait_ready(made.push({"b/job.yaml": None}))
    moved = made["b"].config("x")
    assert (moved["metadata"]["uid"], moved["data"]) == (uid, {"key": "2"})
    assert moved["metadata"]["labels"]["kustomize.toolkit.fluxcd.io/name"] == made["b"].name
    assert f"{made.source.target}_x__ConfigMap" not in made["a"].inventory()
    assert f"{made.source.target}_x__ConfigMap" in made["b"].inventory()


def test_a_group_that_is_where_git_is_writes_nothing(bench: Bench) -> None:
    made = group(bench, BASE)
    audit = bench.audit()
    made["a"].reconcile()
    made["b"].reconcile()
    records = [w for w in audit.writes(bench.agent) if "/secrets" in w.path]
    assert made.source.writes(audit) == []
    assert records == []


def test_drift_of_a_member_is_set_right_and_told_by_that_member(bench: Bench) -> None:
    made = group(bench, BASE)
    bench.api.patch(made["b"].at("configmaps", "b"), {"data": {"key": "edited"}})
    poll("set right", lambda: made.values["b"] == "1")
    made["b"].wait_condition("Drifted", "False", text="ConfigMap")
    assert made["a"].condition("Drifted") == {}


def test_a_member_that_is_deleted_takes_its_own_objects_with_it_and_the_rest_goes_on(bench: Bench) -> None:
    made = group(bench, BASE)
    bench.api.delete(made["b"].path)
    made["b"].wait_gone()
    assert made.values == {"a": "1"}
    made.members.pop("b")
    assert made["a"].condition("Ready")["status"] == "True"
    made.wait_ready(made.push({"a/a.yaml": config_map("a", "2")}))
    assert made.values == {"a": "2"}
    bench.api.delete(made["a"].path)
    made["a"].wait_gone()
    secrets = f"/api/v1/namespaces/{bench.namespace}/secrets?labelSelector=sluice.dev/record=head"

    def owners() -> list[Any]:
        return [i["data"]["owner"] for i in (bench.api.get(secrets) or {})["items"]]

    encoded = base64.b64encode(f"{bench.namespace}/group:{made.name}".encode()).decode()
    poll("the group's record is gone", lambda: encoded not in owners())


def test_the_members_of_an_undone_group_can_be_deleted_one_after_the_other(bench: Bench) -> None:
    made = group(bench, {**BASE, "a/x.yaml": config_map("x"), "b/web.yaml": deployment("web")}, wait=True)
    bad = made.push({"a/x.yaml": None, "b/x.yaml": config_map("x", "2"), "b/job.yaml": FAILING_JOB})
    made["a"].wait_failed(bad, reason="Undone")
    for folder in "ba":
        bench.api.delete(made[folder].path)
        made[folder].wait_gone()
    assert made.values == {}


def test_a_member_that_leaves_goes_on_alone_and_one_that_joins_goes_with_the_others(bench: Bench) -> None:
    made = group(bench, BASE)
    made.annotate("b", None)
    revision = made.push({"a/a.yaml": "a: [\n", "b/b.yaml": config_map("b", "2")})
    made["b"].wait_ready(revision)
    made["a"].wait_failed(revision, "[E202]")
    assert made.values == {"a": "1", "b": "2"}
    made.annotate("b", made.name)
    made["b"].wait_failed(revision, "[E365]", reason="GroupNotReady")
    made.wait_ready(made.push({"a/a.yaml": config_map("a", "3"), "b/b.yaml": config_map("b", "3")}))
    assert made.values == {"a": "3", "b": "3"}


def test_a_member_that_leaves_in_the_middle_has_the_whole_group_undone_first(bench: Bench) -> None:
    made, revision = under_way(bench)
    audit = bench.audit()
    made.annotate("b", None)
    made["a"].wait_ready(revision)  # alone now, and well
    assert ("delete", "slow") in [(w.verb, w.path.rpartition("/")[2]) for w in made.source.writes(audit)]
    path = f"/api/v1/namespaces/{bench.namespace}/events?fieldSelector=reason=Undone,involvedObject.name="
    (told,) = poll("an event says so", lambda: (bench.api.get(path + made["b"].name) or {})["items"])
    assert f"{made['b'].name} left group '{made.name}'" in told["message"]
    assert made.values["a"] == "2"
    final = made.push({"b/slow.yaml": None})
    made.wait_ready(final)
    assert made.source.live("apps/v1/deployments", "slow") is None


def test_a_member_that_left_while_the_operator_was_away_has_the_whole_group_undone_first(bench: Bench) -> None:
    made, revision = under_way(bench)
    bench.operator.stop()
    made.annotate("b", None)
    audit = bench.audit()
    bench.operator.start()
    made["a"].wait_ready(revision)
    writes = [(w.verb, w.path.rpartition("/")[2]) for w in made.source.writes(audit) if not w.dry_run]
    assert ("delete", "slow") in writes
    assert writes.count(("patch", "a")) == 2, "back to what it was, and then forward, alone"
    made["b"].wait_condition("Reconciling", "True", text="health")
    made["b"].wait_ready(made.push({"b/slow.yaml": None}))


def test_a_group_that_is_suspended_in_the_middle_stays_as_it_is_and_so_does_who_leaves_it(bench: Bench) -> None:
    made, revision = under_way(bench)
    made["a"].edit(suspend=True)
    made["b"].wait_failed(revision, "[E364]", reason="GroupNotReady")
    made.annotate("b", None)
    made["b"].reconcile()
    assert "[E364]" in made["b"].message
    assert made.values["a"] == "2"
    assert made.source.live("apps/v1/deployments", "slow") is not None
    made["a"].edit(suspend=False)
    made["a"].wait_ready(revision)
    made["b"].wait_ready(made.push({"b/slow.yaml": None}))


def test_who_joins_in_the_middle_goes_on_with_the_others_and_back_with_them(bench: Bench) -> None:
    made, _ = under_way(bench)
    bench.operator.stop()
    bad = made.source.commit({"b/slow.yaml": None, "b/job.yaml": FAILING_JOB, "c/c.yaml": config_map("c")})
    made.join("c")
    bench.operator.start()
    made.source.request(made.source.source_path)
    for member in made.members.values():
        member.wait_failed(bad, reason="Undone")
    assert made.values == {"a": "1", "b": "1"}
    assert made.source.live("apps/v1/deployments", "slow") is None
    made.wait_ready(made.push({"b/job.yaml": None}))
    assert made.values == {"a": "2", "b": "1", "c": "1"}


def test_who_joins_in_the_middle_of_a_transaction_of_its_own_goes_back_to_before_that(bench: Bench) -> None:
    made = group(bench, BASE, "a", wait=True)
    made.join("b", grouped=False, wait=True)
    made.wait_ready(made["a"].status["lastAppliedRevision"])
    made.push({"b/b.yaml": config_map("b", "2"), "b/slow.yaml": deployment("slow", "app:unready")})
    poll("b is under way", lambda: made.source.live("apps/v1/deployments", "slow") and made.values["b"] == "2")
    made.annotate("b", made.name)
    bad = made.push({"a/job.yaml": FAILING_JOB, "b/slow.yaml": None})
    for member in made.members.values():
        member.wait_failed(bad, reason="Undone")
    assert made.values == {"a": "1", "b": "1"}
    assert made.source.live("apps/v1/deployments", "slow") is None


def test_a_group_that_is_deleted_while_the_operator_was_away_in_the_middle_leaves_nothing(bench: Bench) -> None:
    made = group(bench, BASE, wait=True)
    made.push({"a/c.yaml": config_map("c"), "b/slow.yaml": deployment("slow", "app:unready")})
    poll("under way", lambda: made.source.live("apps/v1/deployments", "slow") and "c" in made.values)
    bench.operator.stop()
    for member in made.members.values():
        bench.api.delete(member.path)
    bench.operator.start()
    for member in made.members.values():
        member.wait_gone()
    assert made.values == {}
    poll("the pods' owner is gone", lambda: made.source.live("apps/v1/deployments", "slow") is None)


def test_a_group_s_record_that_can_not_be_read_stops_all_members_until_it_is_gone(bench: Bench) -> None:
    made, revision = under_way(bench)
    bench.operator.stop()
    digest = hashlib.sha256(f"{bench.namespace}/group:{made.name}".encode()).hexdigest()
    secret = f"/api/v1/namespaces/{bench.namespace}/secrets/sluice-record-{digest[:24]}"
    bench.api.patch(secret, {"data": {"record": "AAAA"}})
    bench.operator.start()
    for member in made.members.values():
        member.wait_condition("Ready", "False", text="[E320]")
    assert made.values == {"a": "2", "b": "1"}
    bench.api.delete(secret)
    made.push({"b/slow.yaml": None})
    made["a"].wait("on again", lambda k: k["status"]["lastAppliedRevision"] not in {"", revision})
    assert made.source.live("apps/v1/deployments", "slow") is not None, "nobody can prove whose it is: it is left"


def test_objects_that_fit_a_quota_one_by_one_but_not_together_are_refused_before_any_write(bench: Bench) -> None:
    made = Group(bench.source(), "tight")
    hard = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": {"hard": {"pods": "1"}}}
    bench.api.create(made.source.at("resourcequotas", "q").rpartition("/")[0], hard)
    poll("it counts", lambda: (made.source.live("resourcequotas", "q") or {}).get("status", {}).get("used"))
    audit = bench.audit()
    revision = made.source.commit({"a/p.yaml": POD.replace("NAME", "one"), "b/p.yaml": POD.replace("NAME", "two")})
    made.join("a")
    made.join("b")
    made.source.create_source()
    assert "[E305] Pod" in made["b"].wait_failed(revision, "ResourceQuota q has no room")
    assert "[E365]" in made["a"].wait_failed(revision, reason="GroupNotReady")
    assert made.source.writes(audit) == []


def test_members_with_another_source_another_on_failure_or_a_dependency_inside_are_refused(bench: Bench) -> None:
    made = group(bench, BASE, "ab")
    good = made["a"].status["lastAppliedRevision"]
    made["b"].edit(onFailure="Stop")
    told = made["b"].wait_condition("Ready", "False", "GroupNotReady", "[E362]")["message"]
    assert f"in group '{made.name}'" in told
    made["a"].wait_condition("Ready", "False", "GroupNotReady", "[E365]")
    made["b"].edit(onFailure=None, dependsOn=[{"name": made["a"].name}])
    told = made["b"].wait_condition("Ready", "False", "GroupNotReady", "[E363]")["message"]
    assert f"{made['a'].name}, which is of group '{made.name}' like itself" in told
    made["b"].edit(dependsOn=None, sourceRef={"kind": "GitRepository", "name": "another"})
    told = made["b"].wait_condition("Ready", "False", "GroupNotReady", "[E361]")["message"]
    assert f"another, but {bench.namespace}/{made['a'].name} of group '{made.name}' reads GitRepository" in told
    assert f"Kustomization {bench.namespace}/{made['b'].name}" in told
    echo = made["a"].wait_condition("Ready", "False", "GroupNotReady", "[E365]")["message"]
    assert f"{made['b'].name} of group '{made.name}' failed" in echo
    made["b"].edit(sourceRef={"kind": "GitRepository", "name": made.source.name})
    made.wait_ready(good)


def test_a_dependency_that_is_not_there_holds_the_whole_group_and_every_member_names_who_waits(bench: Bench) -> None:
    made = group(bench, BASE, "ab")
    made["b"].edit(dependsOn=[{"name": f"{made.name}-later"}], retryInterval="1s")
    told = made["b"].wait_condition("Ready", "False", "DependencyNotReady", "[E306]")["message"]
    assert f"{made.name}-later" in told
    echo = made["a"].wait_condition("Ready", "False", "DependencyNotReady", "[E365]")["message"]
    assert f"Kustomization {bench.namespace}/{made['b'].name} of group '{made.name}' waits" in echo
    revision = made.push({"a/a.yaml": config_map("a", "2"), "later/l.yaml": config_map("later")})
    made["a"].wait("it has seen the commit", lambda k: k["status"]["lastAttemptedRevision"] == revision)
    assert made.values == {"a": "1", "b": "1"}
    later = replace(made.source, name=f"{made.name}-later")
    later.create(path="./later", sourceRef={"kind": "GitRepository", "name": made.source.name})
    made.wait_ready(revision)
    assert made.values == {"a": "2", "b": "1", "later": "1"}


def test_a_dependency_that_waits_for_a_member_is_named_as_a_circle_of_the_group(bench: Bench) -> None:
    made = group(bench, BASE, "ab")
    made.join("c", grouped=False, dependsOn=[{"name": made["b"].name}], path="./b", prune=False)
    made["a"].edit(dependsOn=[{"name": made["c"].name}])
    message = made["a"].wait_condition("Ready", "False", "GroupNotReady", "[E363]")["message"]
    assert made["b"].name in message


def test_a_name_that_no_group_can_have_is_refused(bench: Bench) -> None:
    made = group(bench, BASE, "a")
    made.annotate("a", "Not/A name")
    made["a"].wait_condition("Ready", "False", "BuildFailed", "[E360]")


def test_a_suspended_member_stops_the_group_and_the_others_say_why(bench: Bench) -> None:
    made = group(bench, BASE)
    good = made["a"].status["lastAppliedRevision"]
    made["b"].edit(suspend=True)
    made["a"].reconcile()
    assert made["a"].condition("Ready")["status"] == "True", "it is where git is"
    bench.api.patch(made["a"].at("configmaps", "a"), {"data": {"key": "edited"}})
    poll("set right all the same", lambda: made.values["a"] == "1")
    made["a"].wait_condition("Drifted", "False", text="ConfigMap")
    revision = made.push({"a/a.yaml": config_map("a", "2"), "b/b.yaml": config_map("b", "2")})
    told = made["a"].wait_failed(revision, "[E364]", reason="GroupNotReady")
    assert f"Kustomization {bench.namespace}/{made['b'].name} of group '{made.name}' is suspended" in told
    assert made["a"].status["lastAppliedRevision"] == good
    assert made.values == {"a": "1", "b": "1"}
    made["b"].edit(suspend=False)
    made.wait_ready(revision)
    assert made.values == {"a": "2", "b": "2"}


def test_the_last_good_state_is_kept_while_the_group_can_not_go_on(bench: Bench) -> None:
    made = group(bench, BASE)
    revision = made.push({"a/a.yaml": config_map("a", "2"), "b/b.yaml": "a: [\n"})
    made["b"].wait_failed(revision)
    bench.api.patch(made["a"].at("configmaps", "a"), {"data": {"key": "edited"}})
    poll("set right", lambda: made.values["a"] == "1")


def test_a_rollback_of_one_member_is_refused_and_of_all_taken(bench: Bench) -> None:
    made = group(bench, BASE)
    first = made["a"].status["lastAppliedRevision"]
    second = made.push({"a/a.yaml": config_map("a", "2"), "b/b.yaml": config_map("b", "2")})
    made.wait_ready(second)
    asked = {"metadata": {"annotations": {"sluice.dev/rollback-to": first, "sluice.dev/rollback-from": second}}}
    bench.api.patch(made["a"].path, asked)
    made["a"].reconcile()
    made["a"].wait_condition("Ready", "False", "GroupNotReady", "[E367]")
    assert made.values == {"a": "2", "b": "2"}
    bench.api.patch(made["b"].path, asked)
    made["b"].request()
    made.wait_ready(first)
    assert made.values == {"a": "1", "b": "1"}


def test_what_existed_alone_joins_with_what_it_has(bench: Bench) -> None:
    made = group(bench, BASE, "a")
    made.join("b", grouped=False)
    made["b"].wait_ready(made["a"].status["lastAppliedRevision"])
    uid = made["b"].config("b")["metadata"]["uid"]
    made.annotate("b", made.name)
    revision = made.push({"a/a.yaml": config_map("a", "2"), "b/b.yaml": config_map("b", "2")})
    made.wait_ready(revision)
    assert made["b"].config("b")["metadata"]["uid"] == uid
    assert made["b"].get()["metadata"]["annotations"][IN_GROUP] == made.name

"""What can't be undone is told before it is done; where a person wants to be asked, it waits for their word."""

from __future__ import annotations

from tests.operator_fixture import JOB, Bench, Json, Sync, config_map, poll

WORD = "sluice.dev/irreversible"


def claim(size: str = "1Gi", mode: str = "ReadWriteOnce", extra: str = "") -> str:
    return (
        f"apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {{name: data, namespace: $NS{extra}}}\n"
        f"spec: {{accessModes: [{mode}], resources: {{requests: {{storage: {size}}}}}}}\n"
    )


def uid(sync: Sync) -> str:
    found = sync.live("persistentvolumeclaims", "data")
    assert found is not None
    return str(found["metadata"]["uid"])


def events(bench: Bench, sync: Sync) -> list[Json]:
    where = f"/api/v1/namespaces/{bench.namespace}/events?fieldSelector=involvedObject.name={sync.name}"
    return list((bench.api.get(where) or {})["items"])


def test_a_pruned_claim_is_told_of_and_pruned_unless_somebody_wants_to_be_asked(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a"), "data.yaml": claim()})
    sync.wait_ready(sync.push({"data.yaml": None}))
    poll("it is going", lambda: (sync.live("persistentvolumeclaims", "data") or {"metadata": {"deletionTimestamp": 1}})
         ["metadata"].get("deletionTimestamp"))  # fmt: skip
    poll("it was told", lambda: [e for e in events(bench, sync) if "W406" in e["message"]])


def test_where_a_person_wants_to_be_asked_a_prune_of_a_claim_waits_for_their_word(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a"), "data.yaml": claim()}, irreversible="Ask")
    before, audit = uid(sync), bench.audit()
    revision = sync.push({"a.yaml": config_map("a", "2"), "data.yaml": None})
    message = sync.wait_failed(revision, "E373")
    assert f"{WORD}={revision}" in message
    assert [w for w in sync.writes(audit) if not w.dry_run] == []
    sync.wait_condition("Stalled", "True")
    # The word for another revision is none for this one.
    bench.api.patch(sync.path, {"metadata": {"annotations": {WORD: "main@sha1:" + "0" * 40}}})
    sync.reconcile()
    assert uid(sync) == before
    bench.api.patch(sync.path, {"metadata": {"annotations": {WORD: revision}}})
    sync.wait_ready(revision)
    assert sync.config("a")["data"] == {"key": "2"}


def test_a_job_is_not_asked_about(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")}, irreversible="Ask")
    sync.wait_ready(sync.push({"job.yaml": JOB}))


def test_a_wholesale_force_does_not_replace_a_claim_and_its_own_annotation_does(bench: Bench) -> None:
    sync = bench.synced({"data.yaml": claim()}, force=True)
    before = uid(sync)
    message = sync.wait_failed(sync.push({"data.yaml": claim(mode="ReadWriteMany")}), "E373")
    assert "deletes the data of the claim" in message
    assert uid(sync) == before
    extra = ', annotations: {kustomize.toolkit.fluxcd.io/force: "enabled"}'
    sync.wait_ready(sync.push({"data.yaml": claim(mode="ReadWriteMany", extra=extra)}))
    assert uid(sync) != before

"""Objects that exist before their sync: taken over only as spec.adopt allows, and given back when it fails."""

from __future__ import annotations

from typing import Any

import pytest

from tests.operator_fixture import FAILING_JOB, Bench, Json, Sync, config_map

HELM = {"meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "shop"}


def existing(sync: Sync, name: str = "a", **metadata: Any) -> Json:
    """Somebody's ConfigMap."""
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}, "data": {"key": "theirs"}}
    return sync.bench.api.create(sync.at("configmaps", name).rpartition("/")[0], body)


def begun(sync: Sync, files: dict[str, str | None], **spec: Any) -> str:
    """Commit and make the source and the Kustomization."""
    revision = sync.commit(files)
    sync.create_source()
    sync.create(**spec)
    return revision


@pytest.mark.parametrize(
    ("metadata", "who"),
    [
        ({"annotations": HELM}, "Helm release shop/web"),
        ({"annotations": {"argocd.argoproj.io/tracking-id": "books:/ConfigMap:x/a"}}, "Argo CD application books"),
        (
            {
                "labels": {
                    "kustomize.toolkit.fluxcd.io/name": "elsewhere",
                    "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
                }
            },
            "Kustomization flux-system/elsewhere",
        ),
    ],
    ids=["helm", "argo", "flux"],
)
def test_if_unowned_refuses_what_carries_the_mark_of_another_and_writes_nothing(
    bench: Bench, metadata: Json, who: str
) -> None:
    sync = bench.source()
    before = existing(sync, **metadata)
    audit = bench.audit()
    revision = begun(sync, {"a.yaml": config_map("a"), "b.yaml": config_map("b")}, adopt="IfUnowned")
    message = sync.wait_failed(revision, "E340")
    assert f"ConfigMap {sync.target}/a" in message
    assert "a.yaml:1@" in message
    assert who in message
    assert "spec.adopt: Always" in message
    assert [w for w in sync.writes(audit) if not w.dry_run] == []
    assert sync.config("a")["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    sync.edit(adopt="Always")
    sync.wait_ready(revision)
    assert sync.config("a")["metadata"]["uid"] == before["metadata"]["uid"]
    assert sync.config("a")["data"] == {"key": "1"}


def test_if_unowned_refuses_what_a_controller_made(bench: Bench) -> None:
    sync = bench.source()
    maker = existing(sync, "maker")["metadata"]["uid"]
    made_by = {"apiVersion": "v1", "kind": "ConfigMap", "name": "maker", "uid": maker, "controller": True}
    existing(sync, ownerReferences=[made_by])
    sync.wait_failed(begun(sync, {"a.yaml": config_map("a")}, adopt="IfUnowned"), "ConfigMap maker")


def test_if_unowned_takes_what_carries_nobodys_mark(bench: Bench) -> None:
    sync = bench.source()
    before = existing(sync)
    sync.wait_ready(begun(sync, {"a.yaml": config_map("a")}, adopt="IfUnowned"))
    assert sync.config("a")["metadata"]["uid"] == before["metadata"]["uid"]
    assert sync.config("a")["data"] == {"key": "1"}


def test_never_takes_nothing_until_the_object_is_out_of_the_way(bench: Bench) -> None:
    sync = bench.source()
    before = existing(sync)
    revision = begun(sync, {"a.yaml": config_map("a")}, adopt="Never", retryInterval="1s")
    message = sync.wait_failed(revision, "E340")
    assert "spec.adopt: IfUnowned" in message
    assert sync.config("a")["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    bench.api.delete(sync.at("configmaps", "a"))
    sync.wait_ready(revision)
    assert sync.config("a")["metadata"]["uid"] != before["metadata"]["uid"]


def test_never_keeps_objects_of_its_own_in_step_also_when_somebody_takes_their_labels_off(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")}, adopt="Never")
    bench.api.patch(sync.at("configmaps", "a"), {"metadata": {"labels": None}})
    sync.wait_ready(sync.push({"a.yaml": config_map("a", "2")}))
    assert sync.config("a")["data"] == {"key": "2"}
    assert sync.config("a")["metadata"]["labels"]["kustomize.toolkit.fluxcd.io/name"] == sync.name


def managers(found: Json) -> list[tuple[str, str, Any]]:
    return sorted((m["manager"], m["operation"], str(m["fieldsV1"])) for m in found["metadata"]["managedFields"])


@pytest.mark.parametrize("server_side", [False, True], ids=["kubectl apply", "kubectl apply --server-side"])
def test_an_adopted_object_of_a_revision_that_fails_is_given_back_with_values_and_managers(
    bench: Bench, server_side: bool
) -> None:
    sync = bench.source()
    theirs = bench.root / f"{sync.name}.yaml"
    theirs.write_text(
        f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a, namespace: {sync.target}, labels: {{team: shop}}}}\n"
        "data: {key: theirs, old: x}\n"
    )
    bench.cluster.kubectl("apply", *(["--server-side"] if server_side else []), "-f", str(theirs))
    before = sync.config("a")
    revision = begun(sync, {"a.yaml": config_map("a"), "job.yaml": FAILING_JOB}, wait=True)
    sync.wait_failed(revision, reason="Undone")
    after = sync.config("a")
    assert after["data"] == before["data"]
    assert after["metadata"].get("annotations") == before["metadata"].get("annotations")
    assert after["metadata"]["labels"] == {"team": "shop"}
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert managers(after) == managers(before)
    assert sync.inventory() == []

"""One object under several names: versions of its kind come and go, groups share it, its scope changes."""

from __future__ import annotations

import secrets

from tests.integration.engine.test_undo import owners
from tests.operator_fixture import FAILING_JOB, Bench, Json, Sync, config_map, poll

GROUP = "versions.example.com"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
EVENT = """apiVersion: GROUP
kind: Event
metadata: {name: e, namespace: $NS}
reason: Try
type: Normal
"""
ABOUT = "{kind: Pod, name: x, namespace: $NS, apiVersion: v1}"
OLD_EVENT = EVENT.replace("GROUP", "events.k8s.io/v1") + (
    f'regarding: {ABOUT}\nnote: hi\neventTime: "2026-01-01T00:00:00.000000Z"\n'
    "reportingController: a/b\nreportingInstance: c\naction: d\n"
)
NEW_EVENT = EVENT.replace("GROUP", "v1") + f"involvedObject: {ABOUT}\nmessage: hi\n"


class Kind:
    """A kind of a CRD with the versions that a test asks for."""

    def __init__(self) -> None:
        self.plural = f"w{secrets.token_hex(3)}s"
        self.name = self.plural.capitalize().removesuffix("s")

    def definition(self, *served: str, stored: str, scope: str = "Namespaced") -> str:
        """The CRD's YAML."""
        schema = "{openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}"
        versions = "".join(
            f"    - {{name: {v}, served: {str(v in served).lower()}, storage: {str(v == stored).lower()}, "
            f"schema: {schema}}}\n"
            for v in sorted({*served, stored})
        )
        return (
            "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n"
            f"metadata: {{name: {self.plural}.{GROUP}}}\nspec:\n  group: {GROUP}\n  scope: {scope}\n"
            f"  names: {{kind: {self.name}, plural: {self.plural}}}\n  versions:\n{versions}"
        )

    def object(self, version: str, size: str = "1", *, namespace: str = "$NS") -> str:
        """The YAML of the object `one`."""
        where = f", namespace: {namespace}" if namespace else ""
        return (
            f"apiVersion: {GROUP}/{version}\nkind: {self.name}\nmetadata: {{name: one{where}}}\n"
            f'spec: {{size: "{size}"}}\n'
        )

    def live(self, sync: Sync, version: str) -> Json | None:
        """The object `one`, as that version shows it."""
        return sync.live(f"{GROUP}/{version}/{self.plural}", "one")

    def install(self, bench: Bench, text: str) -> None:
        """Apply the CRD by hand, and return when the API server serves it."""
        path = bench.root / f"{self.plural}.yaml"
        path.write_text(text)
        bench.cluster.kubectl("apply", "--server-side", "-f", str(path))
        bench.cluster.kubectl("wait", "--for=condition=Established", "--timeout=60s", f"crd/{self.plural}.{GROUP}")


def test_what_left_git_is_pruned_though_its_version_is_not_served_any_more(bench: Bench) -> None:
    kind = Kind()
    kind.install(bench, kind.definition("v1", "v1beta1", stored="v1"))
    sync = bench.synced({"one.yaml": kind.object("v1beta1"), "a.yaml": config_map("a")})
    bench.operator.stop()
    kind.install(bench, kind.definition("v1", stored="v1"))
    poll("v1beta1 is not served", lambda: kind.live(sync, "v1beta1") is None)
    bench.operator.start()
    sync.wait_ready(sync.push({"one.yaml": None}))
    assert kind.live(sync, "v1") is None


def test_a_deleted_sync_takes_with_it_what_is_served_in_another_version_only(bench: Bench) -> None:
    kind = Kind()
    kind.install(bench, kind.definition("v1", "v1beta1", stored="v1"))
    sync = bench.synced({"one.yaml": kind.object("v1beta1")})
    bench.operator.stop()
    kind.install(bench, kind.definition("v1", stored="v1"))
    poll("v1beta1 is not served", lambda: kind.live(sync, "v1beta1") is None)
    bench.api.delete(sync.path)
    bench.operator.start()
    sync.wait_gone()
    assert kind.live(sync, "v1") is None


def test_an_object_moved_to_a_version_that_its_crd_gets_in_the_same_revision_keeps_its_uid(bench: Bench) -> None:
    kind = Kind()
    sync = bench.synced({"crd.yaml": kind.definition("v1", stored="v1"), "one.yaml": kind.object("v1")}, adopt="Never")
    before = kind.live(sync, "v1") or {}
    new = {"crd.yaml": kind.definition("v1", "v2", stored="v1"), "one.yaml": kind.object("v2", "2")}
    sync.wait_ready(sync.push(new))
    after = kind.live(sync, "v2") or {}
    assert after["spec"] == {"size": "2"}
    assert after["metadata"]["uid"] == before["metadata"]["uid"]


def test_such_a_revision_that_fails_is_taken_back(bench: Bench) -> None:
    kind = Kind()
    files = {"crd.yaml": kind.definition("v1", stored="v1"), "one.yaml": kind.object("v1")}
    sync = bench.synced(files, wait=True)
    before = kind.live(sync, "v1") or {}
    new = {"crd.yaml": kind.definition("v1", "v2", stored="v1"), "one.yaml": kind.object("v2", "2")}
    message = sync.wait_failed(sync.push({**new, "job.yaml": FAILING_JOB}), reason="Undone")
    assert "somebody" not in message
    after = kind.live(sync, "v1") or {}
    assert after["spec"] == before["spec"]
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert owners(after) == owners(before)


def test_an_object_that_moves_to_another_group_which_shows_it_too_is_not_deleted(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a"), "e.yaml": OLD_EVENT})
    before = sync.live("events", "e") or {}
    sync.wait_ready(sync.push({"e.yaml": NEW_EVENT}))
    after = sync.live("events", "e")
    assert after is not None
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert f"{sync.target}_e__Event" in sync.inventory()
    sync.wait_ready(sync.push({"e.yaml": None}))
    assert sync.live("events", "e") is None


def test_a_sync_goes_on_when_a_kind_of_its_has_become_cluster_scoped(bench: Bench) -> None:
    kind = Kind()
    kind.install(bench, kind.definition("v1", stored="v1"))
    sync = bench.synced({"one.yaml": kind.object("v1"), "a.yaml": config_map("a")})
    bench.operator.stop()
    bench.api.delete(f"{CRDS}/{kind.plural}.{GROUP}")
    poll("the CRD is gone", lambda: bench.api.get(f"{CRDS}/{kind.plural}.{GROUP}") is None)
    kind.install(bench, kind.definition("v1", stored="v1", scope="Cluster"))
    bench.operator.start()
    sync.wait_ready(sync.push({"one.yaml": kind.object("v1", namespace="")}))
    assert bench.api.get(f"/apis/{GROUP}/v1/{kind.plural}/one") is not None
    assert f"_one_{GROUP}_{kind.name}" in sync.inventory()

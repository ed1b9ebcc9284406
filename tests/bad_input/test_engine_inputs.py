"""Rows B016 to B043 that only a cluster can judge: refused by the running operator, with the place, without a write."""

from __future__ import annotations

import pytest

from tests.operator_fixture import Bench, Sync, config_map, deployment, poll

CRD = """apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gizmos.bad.example.com}
spec:
  group: bad.example.com
  scope: Namespaced
  names: {kind: Gizmo, plural: gizmos}
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, properties: {spec: {type: bogus}}}}
"""
GIZMO = "apiVersion: bad.example.com/v1\nkind: Gizmo\nmetadata: {name: one, namespace: $NS}\nspec: {}\n"
LEASE = """apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {name: sluice-leader-election, namespace: OPERATOR}
spec: {holderIdentity: mine}
"""
BIG = config_map("big", "x" * (1100 << 10))

ROWS = [
    (
        "B016 a namespace on a cluster-scoped object",
        {"ns.yaml": "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: b016\n  namespace: $NS\n"},
        "E219",
        "at ns.yaml:",
    ),
    ("B017 no namespace and no default", {"x/a.yaml": config_map("a", namespace="")}, "E220", "at x/a.yaml:"),
    (
        "B018 an unknown field",
        {"web.yaml": deployment("web").replace("replicas:", "replica:")},
        "E204",
        'did you mean "replicas"?',
    ),
    ("B019 an unknown kind", {"g.yaml": GIZMO}, "E207", "at g.yaml:1"),
    (
        "B020 a CRD that is invalid, with its object",
        {"crd.yaml": CRD, "g.yaml": GIZMO},
        "gizmos.bad.example.com",
        "at crd.yaml:",
    ),
    ("B032 a ConfigMap over 1 MiB", {"big.yaml": BIG}, "E225", "at big.yaml:"),
    ("B043 the operator's own lease", {"lease.yaml": LEASE}, "E316", "at lease.yaml:1"),
]


@pytest.mark.parametrize(("row", "files", "code", "place"), ROWS, ids=[r[0] for r in ROWS])
def test_it_is_refused_with_its_place_and_nothing_is_written(
    bench: Bench, row: str, files: dict[str, str], code: str, place: str
) -> None:
    sync = bench.source()
    audit = bench.audit()
    files = {k: v.replace("OPERATOR", bench.namespace) for k, v in files.items()}
    revision = sync.commit({**files, "good.yaml": config_map("good")})
    sync.create_source()
    sync.create()
    message = sync.wait_failed(revision, code)
    assert place in message, row
    assert f"@{revision.rpartition(':')[2][:7]}" in message
    assert "Traceback" not in message
    assert [w for w in sync.writes(audit) if not w.dry_run] == []
    assert sync.live("configmaps", "good") is None


def test_b020_the_object_of_an_invalid_crd_is_not_tried(bench: Bench) -> None:
    sync = bench.source()
    audit = bench.audit()
    revision = sync.commit({"crd.yaml": CRD, "g.yaml": GIZMO})
    sync.create_source()
    sync.create()
    message = sync.wait_failed(revision, "crd.yaml")
    assert "Gizmo" not in message.replace("gizmos", "")
    assert [w for w in audit.requests(bench.agent) if w.path.endswith("/gizmos/one") and w.verb == "patch"] == []


def test_b028_an_empty_source_is_refused_while_objects_are_owned(bench: Bench) -> None:
    sync = bench.synced({f"{n}.yaml": config_map(n) for n in "abcd"} | {"README.md": "hello"})
    audit = bench.audit()
    revision = sync.push(dict.fromkeys(f"{n}.yaml" for n in "abcd"))
    message = sync.wait_failed(revision, "E313")
    assert "4 are in the cluster" in message
    assert "spec.allowEmpty" in message
    assert sync.writes(audit) == []


def test_b029_a_prune_over_the_limit_lists_the_objects_and_how_to_allow_it(bench: Bench) -> None:
    sync = bench.synced({f"{n}.yaml": config_map(n) for n in "abcdefgh"}, pruneLimit=30)
    audit = bench.audit()
    revision = sync.push(dict.fromkeys(f"{n}.yaml" for n in "abc"))
    message = sync.wait_failed(revision, "E314")
    assert "3 of 8 objects" in message
    assert all(f"ConfigMap {sync.target}/{n}" in message for n in "abc")
    assert "spec.pruneLimit" in message
    assert sync.writes(audit) == []


def test_b039_an_immutable_field_says_how_to_replace_the_object(bench: Bench) -> None:
    sync = bench.synced({"web.yaml": deployment("web")})
    message = sync.wait_failed(sync.push({"web.yaml": deployment("web", app="other")}), "E301")
    assert "spec.selector" in message
    assert "kustomize.toolkit.fluxcd.io/force: enabled" in message


def test_b040_a_circle_of_three_is_named_in_order(bench: Bench) -> None:
    syncs = [bench.source() for _ in range(3)]
    for sync, following in zip(syncs, [*syncs[1:], syncs[0]], strict=True):
        sync.commit({"a.yaml": config_map("a")})
        sync.create_source()
        sync.create(dependsOn=[{"name": following.name}])
    message = syncs[0].wait_condition("Ready", "False", text="E317")["message"]
    circle = message.partition("circle [E317]")[2]
    names = [f"{bench.namespace}/{s.name}" for s in syncs]
    assert any(" → ".join([*names[n:], *names[:n], names[n]]) in circle for n in range(3)), message


def test_b041_an_absent_dependency_is_named_with_what_there_is(bench: Bench) -> None:
    there = bench.synced({"a.yaml": config_map("a")})
    sync = bench.source()
    sync.commit({"a.yaml": config_map("a")})
    sync.create_source()
    sync.create(dependsOn=[{"name": "absent"}])
    message = sync.wait_condition("Ready", "False", text="E306")["message"]
    assert f"{bench.namespace}/absent" in message
    assert there.name in message


def test_b158_b166_what_a_checkout_would_change_is_told_and_the_revision_is_applied_as_git_has_it(bench: Bench) -> None:
    files = {".gitattributes": "*.yaml filter=lfs ident\n", "App.yaml": config_map("a"), "app.yaml": config_map("b")}
    sync = bench.synced(files)
    where = f"/api/v1/namespaces/{bench.namespace}/events?fieldSelector=involvedObject.kind=GitRepository"
    own = f"{where},involvedObject.name={sync.name}"

    def warnings() -> dict[str, str] | None:
        listed = (bench.api.get(own) or {"items": []})["items"]
        found = {event["reason"]: event["message"] for event in listed if event["type"] == "Warning"}
        return found if len(found) == 2 else None

    told = poll("both warnings", warnings)
    assert told["AttributesIgnored"].startswith(".gitattributes asks git to change files on checkout")
    assert "'app.yaml' and 'App.yaml' differ only in case [W404] at app.yaml@" in told["CaseCollision"]
    assert sync.live("configmaps", "a")
    assert sync.live("configmaps", "b")


def test_after_every_refusal_a_good_commit_goes_through(bench: Bench) -> None:
    sync: Sync = bench.source()
    revision = sync.commit({"g.yaml": GIZMO})
    sync.create_source()
    sync.create()
    sync.wait_failed(revision, "E207")
    sync.wait_ready(sync.push({"g.yaml": config_map("a")}))

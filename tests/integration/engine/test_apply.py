"""What is sent to the API server, in which order, and what is not sent at all."""

from __future__ import annotations

from tests.operator_fixture import Bench, config_map, deployment, poll

GROUP = "engine.example.com"


def crd(kind: str, *fields: str) -> str:
    """A namespaced CRD whose spec has these string fields."""
    plural = f"{kind.lower()}s"
    properties = "\n".join(f"                {f}: {{type: string}}" for f in fields)
    return f"""apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: {plural}.{GROUP}}}
spec:
  group: {GROUP}
  scope: Namespaced
  names: {{kind: {kind}, plural: {plural}, singular: {kind.lower()}, listKind: {kind}List}}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              properties:
{properties}
"""


def custom(kind: str, name: str, namespace: str, **fields: str) -> str:
    """A custom resource of that kind."""
    spec = ", ".join(f'{k}: "{v}"' for k, v in fields.items())
    return (
        f"apiVersion: {GROUP}/v1\nkind: {kind}\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec: {{{spec}}}\n"
    )


def test_a_crd_its_object_and_a_namespace_with_content_apply_in_one_revision_in_order(bench: Bench) -> None:
    sync = bench.source()
    fresh = f"{sync.target}-new"
    revision = sync.commit(
        {
            "a-object.yaml": custom("Gadget", "one", fresh, size="big"),
            "b-content.yaml": config_map("inside", namespace=fresh),
            "c-namespace.yaml": f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {fresh}}}\n",
            "d-crd.yaml": crd("Gadget", "size"),
        }
    )
    audit = bench.audit()
    sync.create_source()
    sync.create()
    sync.wait_ready(revision)
    applies = [w for w in audit.writes(bench.agent) if not w.dry_run and w.verb == "patch" and w.status < 300]
    order = [w.path.rsplit("/", 2)[-2] for w in applies if fresh in w.path or "gadgets" in w.path]
    assert order[:2] == ["customresourcedefinitions", "namespaces"]
    assert sorted(order[2:]) == ["configmaps", "gadgets"]
    assert sync.inventory() == [
        f"{fresh}_inside__ConfigMap",
        f"_{fresh}__Namespace",
        f"_gadgets.{GROUP}_apiextensions.k8s.io_CustomResourceDefinition",
        f"{fresh}_one_{GROUP}_Gadget",
    ]


def test_a_changed_crd_and_an_object_that_uses_its_new_field_apply_in_one_revision(bench: Bench) -> None:
    sync = bench.source()
    files = {"crd.yaml": crd("Widget", "size"), "one.yaml": custom("Widget", "one", sync.target, size="big")}
    first = sync.commit(files)
    sync.create_source()
    sync.create()
    sync.wait_ready(first)
    for field in ("colour", "weight", "shape"):
        files["crd.yaml"] = files["crd.yaml"].replace("size: {", f"{field}: {{type: string}}\n                size: {{")
        files["one.yaml"] = custom("Widget", "one", sync.target, size="big", **{field: "new"})
        sync.wait_ready(sync.push(files))
        live = bench.api.get(f"/apis/{GROUP}/v1/namespaces/{sync.target}/widgets/one")
        assert live is not None
        assert live["spec"] == {"size": "big", field: "new"}


def test_a_crd_that_leaves_git_with_its_objects_is_pruned_and_the_operator_goes_on(bench: Bench) -> None:
    sync = bench.source()
    files = {
        "crd.yaml": crd("Trinket", "size"),
        "one.yaml": custom("Trinket", "one", sync.target, size="big"),
        "keep.yaml": config_map("keep", namespace=sync.target),
    }
    first = sync.commit(files)
    sync.create_source()
    sync.create()
    sync.wait_ready(first)
    sync.wait_ready(sync.push({"crd.yaml": None, "one.yaml": None}))
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/trinkets.{GROUP}"
    poll("the CRD is gone", lambda: bench.api.get(path) is None)
    sync.wait_ready(sync.push({"keep.yaml": config_map("keep", "2", namespace=sync.target)}))
    # And it comes back as if it had never been away.
    sync.wait_ready(sync.push({"crd.yaml": files["crd.yaml"], "one.yaml": files["one.yaml"]}))


def test_a_revision_that_takes_away_what_it_needs_itself_is_refused_and_deletes_nothing(bench: Bench) -> None:
    sync = bench.source()
    fresh = f"{sync.target}-kept"
    files: dict[str, str | None] = {
        "crd.yaml": crd("Gizmo", "size"),
        "one.yaml": custom("Gizmo", "one", fresh, size="big"),
        "namespace.yaml": f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {fresh}}}\n",
        "inside.yaml": config_map("inside", namespace=fresh),
    }
    first = sync.commit(files)
    sync.create_source()
    sync.create()
    sync.wait_ready(first)
    audit = bench.audit()
    broken = sync.push({"crd.yaml": None, "namespace.yaml": None})
    message = sync.wait_failed(broken, "[E440]", "BuildFailed")
    assert f"gizmos.{GROUP} has left git, and objects that are still there need it [E440]" in message
    assert f"pruning it would delete Gizmo {fresh}/one" in message
    assert f"Namespace {fresh} has left git" in message
    assert [w for w in sync.writes(audit) if not w.dry_run] == []

    # What is to stay without git says so in the cluster; what goes wholly may go.
    note = {"metadata": {"annotations": {"kustomize.toolkit.fluxcd.io/prune": "disabled"}}}
    bench.api.patch(f"/api/v1/namespaces/{fresh}", note)
    sync.wait_ready(sync.push({"one.yaml": None, "inside.yaml": config_map("inside", "2", namespace=fresh)}))
    gone = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gizmos.{GROUP}"
    poll("the CRD is gone", lambda: bench.api.get(gone) is None)
    assert bench.api.get(f"/api/v1/namespaces/{fresh}")["status"]["phase"] == "Active"  # type: ignore[index]
    assert f"_{fresh}__Namespace" not in sync.inventory()


def test_a_namespace_in_which_another_sync_has_objects_is_not_pruned_until_that_lets_go(bench: Bench) -> None:
    ground = bench.source()
    fresh = f"{ground.target}-ground"
    namespace = f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {fresh}}}\n"
    first = ground.commit({"namespace.yaml": namespace, "keep.yaml": config_map("keep")})
    ground.create_source()
    ground.create(retryInterval="1s")
    ground.wait_ready(first)
    above = bench.synced({"a.yaml": config_map("a", namespace=fresh), "keep.yaml": config_map("keep")})
    gone = ground.push({"namespace.yaml": None})
    message = ground.wait_failed(gone, "[E442]")
    assert f"pruning it would delete ConfigMap {fresh}/a of {above.namespace}/{above.name}" in message
    assert bench.api.get(f"/api/v1/namespaces/{fresh}/configmaps/a") is not None

    above.wait_ready(above.push({"a.yaml": None}))
    ground.wait_ready(gone)
    poll("the namespace goes", lambda: bench.api.get(f"/api/v1/namespaces/{fresh}") is None, 60)


def test_a_crd_that_somebody_deletes_comes_back_with_its_objects(bench: Bench) -> None:
    sync = bench.source()
    one = custom("Bauble", "one", sync.target, size="big")
    revision = sync.commit({"crd.yaml": crd("Bauble", "size"), "one.yaml": one})
    sync.create_source()
    sync.create(retryInterval="1s")
    sync.wait_ready(revision)
    path = f"/apis/{GROUP}/v1/namespaces/{sync.target}/baubles/one"
    before = bench.api.get(path)
    assert before is not None
    bench.api.delete(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/baubles.{GROUP}")

    def is_back() -> bool:
        found = bench.api.get(path)
        return found is not None and found["metadata"]["uid"] != before["metadata"]["uid"]

    poll("the CRD and its object are back", is_back)
    sync.wait_ready(revision)


RBAC = """apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: $NS}
rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: $NS}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: worker, namespace: $NS}]
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: worker, namespace: $NS}
"""


def test_a_role_binding_applies_together_with_the_role_that_it_binds(bench: Bench) -> None:
    sync = bench.synced({"rbac.yaml": RBAC})
    assert sync.live("rbac.authorization.k8s.io/v1/rolebindings", "reader") is not None


def test_an_unchanged_revision_sends_nothing_but_the_status_handshake(bench: Bench) -> None:
    sync = bench.synced({f"{n}.yaml": config_map(n) for n in "abc"})
    sync.reconcile()
    audit = bench.audit()
    sync.reconcile()
    assert [(w.verb, w.path.removeprefix(sync.path)) for w in audit.requests(bench.agent) if "lease" not in w.path] == [
        ("patch", "/status")
    ]


def test_a_commit_that_changes_no_object_sends_no_object(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    audit = bench.audit()
    sync.wait_ready(sync.push({"README.md": "hello"}))
    assert sync.writes(audit) == []


def test_one_changed_object_of_many_costs_one_dry_run_and_one_apply(bench: Bench) -> None:
    sync = bench.synced({f"{n}.yaml": config_map(n) for n in "abcdefgh"})
    audit = bench.audit()
    sync.wait_ready(sync.push({"c.yaml": config_map("c", "2")}))
    assert [(w.verb, w.path, w.dry_run) for w in sync.writes(audit)] == [
        ("patch", sync.at("configmaps", "c"), True),
        ("patch", sync.at("configmaps", "c"), False),
    ]
    assert sync.config("c")["data"] == {"key": "2"}


def test_every_object_carries_the_owner_labels_and_flux_field_manager(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    live = sync.config("a")
    assert live["metadata"]["labels"] == {
        "kustomize.toolkit.fluxcd.io/name": sync.name,
        "kustomize.toolkit.fluxcd.io/namespace": bench.namespace,
    }
    assert [(m["manager"], m["operation"]) for m in live["metadata"]["managedFields"]] == [
        ("kustomize-controller", "Apply")
    ]


def test_an_object_that_left_git_is_deleted_after_the_last_apply(bench: Bench) -> None:
    sync = bench.synced({f"{n}.yaml": config_map(n) for n in "abc"} | {"web.yaml": deployment("web")})
    audit = bench.audit()
    sync.wait_ready(
        sync.push({"a.yaml": None, "b.yaml": config_map("b", "2"), "web.yaml": None, "d.yaml": config_map("d")})
    )
    real = [w for w in sync.writes(audit) if not w.dry_run]
    verbs = [w.verb for w in real]
    assert verbs == ["patch", "patch", "delete", "delete"]
    assert [w.path for w in real[2:]] == [sync.at("apps/v1/deployments", "web"), sync.at("configmaps", "a")]
    assert sync.live("configmaps", "a") is None
    assert sync.inventory() == [f"{sync.target}_{n}__ConfigMap" for n in "bcd"]

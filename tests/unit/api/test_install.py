"""What an installation consists of."""

from __future__ import annotations

from typing import Any

import pytest

from sluice.api.install import InstallOptions, manifests

OPTIONS = InstallOptions(version="1.2.3")


def named(kind: str, name: str, options: InstallOptions = OPTIONS) -> dict[str, Any]:
    [found] = [each for each in manifests(options) if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    return found


def rules(kind: str, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = named(kind, name)["rules"]
    return found


def test_what_others_need_comes_first() -> None:
    kinds = [each["kind"] for each in manifests(OPTIONS)]
    assert kinds[0] == "Namespace"
    assert kinds.index("CustomResourceDefinition") < kinds.index("ServiceAccount") < kinds.index("Deployment")
    assert kinds.index("ClusterRole") < kinds.index("ClusterRoleBinding")


@pytest.mark.parametrize("each", manifests(OPTIONS), ids=lambda each: f"{each['kind']}-{each['metadata']['name']}")
def test_every_object_carries_the_labels_that_flux_looks_for(each: dict[str, Any]) -> None:
    labels = each["metadata"]["labels"]
    assert labels["app.kubernetes.io/part-of"] == "flux"
    assert labels["app.kubernetes.io/version"] == "1.2.3"
    assert labels["app.kubernetes.io/managed-by"] == "sluice"


def test_another_namespace_reaches_every_object() -> None:
    options = InstallOptions(version="1", namespace="gitops")
    assert "flux-system" not in str(manifests(options))
    assert named("Namespace", "gitops", options)
    assert named("Deployment", "sluice", options)["metadata"]["namespace"] == "gitops"


def test_the_pod_meets_the_restricted_standard_and_writes_only_to_its_volumes() -> None:
    pod = named("Deployment", "sluice")["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounts == {"/data", "/tmp"}
    assert {volume["name"] for volume in pod["volumes"]} == {mount["name"] for mount in container["volumeMounts"]}


def test_the_flux_client_finds_the_container_the_ports_and_a_tag() -> None:
    [container] = named("Deployment", "sluice")["spec"]["template"]["spec"]["containers"]
    assert container["name"] == "manager"
    assert {port["name"]: port["containerPort"] for port in container["ports"]} == {
        "http": 9090,
        "http-webhook": 9292,
        "http-fluxd": 3030,
        "http-prom": 8080,
        "healthz": 9440,
    }
    assert container["image"].rpartition(":")[2] == "v1.2.3"
    assert container["args"][0] == "run"


def test_options_reach_the_command_line() -> None:
    options = InstallOptions(version="1", image="registry.example.com/s:x", log_level="debug", extra_args=("--a=b",))
    [container] = named("Deployment", "sluice", options)["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "registry.example.com/s:x"
    assert "--log-level=debug" in container["args"]
    assert container["args"][-1] == "--a=b"


def test_no_rule_of_the_operators_own_has_a_wildcard() -> None:
    for each in manifests(OPTIONS):
        for rule in each.get("rules", []):
            assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]


def test_secrets_elsewhere_are_read_by_name_only() -> None:
    everywhere = [rule for rule in rules("ClusterRole", "sluice") if "secrets" in rule["resources"]]
    assert [rule["verbs"] for rule in everywhere] == [["get"]]
    at_home = [rule for rule in rules("Role", "sluice") if "secrets" in rule["resources"]]
    assert "watch" not in at_home[0]["verbs"]


def test_applying_everything_is_one_binding_that_can_be_left_out() -> None:
    applier = named("ClusterRoleBinding", "sluice-applier")
    assert applier["roleRef"]["name"] == "cluster-admin"
    narrow = InstallOptions(version="1", cluster_admin=False)
    assert "cluster-admin" not in str(manifests(narrow))
    assert len(manifests(narrow)) == len(manifests(InstallOptions(version="1"))) - 1


def test_only_metrics_and_receivers_can_be_reached_from_everywhere_and_artifacts_from_the_operators_namespace() -> None:
    policy = named("NetworkPolicy", "sluice")["spec"]
    let_in = {rule["ports"][0]["port"]: rule.get("from") for rule in policy["ingress"]}
    # Git hosts are outside of the cluster: theirs is the one port without a rule from where.
    assert let_in == {8080: [{"namespaceSelector": {}}], 9090: [{"podSelector": {}}], 9292: None}
    without = manifests(InstallOptions(version="1", network_policy=False))
    assert not [each for each in without if each["kind"] == "NetworkPolicy"]


def test_equal_options_give_equal_objects() -> None:
    assert manifests(OPTIONS) == manifests(InstallOptions(version="1.2.3"))


def test_the_rights_of_automation_by_annotations_are_installed_only_with_it() -> None:
    def rules(*arguments: str) -> str:
        return str([each for each in manifests(InstallOptions("1", extra_args=arguments)) if "rules" in each])

    assert "statefulsets" not in rules()
    assert "statefulsets" in rules("--workload-annotations")
    assert "helmreleases" in rules("--git-url=https://git.example/x")


def test_the_right_to_ask_who_calls_is_installed_only_where_callers_may_have_kubernetes_tokens() -> None:
    assert "tokenreviews" not in str(rules("ClusterRole", "sluice"))
    options = InstallOptions("1", extra_args=("--fluxd-api-kubernetes-tokens=true",))
    [role] = [
        each for each in manifests(options) if (each["kind"], each["metadata"]["name"]) == ("ClusterRole", "sluice")
    ]
    assert {"tokenreviews", "subjectaccessreviews"} <= {name for rule in role["rules"] for name in rule["resources"]}

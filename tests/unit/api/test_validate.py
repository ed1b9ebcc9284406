"""What is wrong with a spec is told at once, by field, with a fix; what is not acted on yet is refused by name."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.api.git_repository import GitRepository
from sluice.api.image_policy import ImagePolicy
from sluice.api.image_repository import ImageRepository
from sluice.api.image_update_automation import ImageUpdateAutomation
from sluice.api.kustomization import Kustomization
from sluice.api.validate import SpecRules
from sluice.api.validate_git_repository import validate_git_repository, warn_git_repository
from sluice.api.validate_image import (
    requirements_of,
    validate_image_policy,
    validate_image_repository,
    validate_image_update_automation,
)
from sluice.api.validate_kustomization import validate_kustomization, warn_kustomization
from sluice.core.problem import Problem

OPEN = SpecRules()


def sync(**spec: Any) -> Kustomization:
    base = {"interval": "10m", "prune": True, "sourceRef": {"kind": "GitRepository", "name": "apps"}}
    raw = {"metadata": {"name": "web", "namespace": "shop"}, "spec": base | spec}
    return msgspec.convert(raw, Kustomization)


def source(**spec: Any) -> GitRepository:
    raw = {
        "metadata": {"name": "apps", "namespace": "shop"},
        "spec": {"url": "https://git.example.com/apps", "interval": "10m"} | spec,
    }
    return msgspec.convert(raw, GitRepository)


def told(problems: tuple[Problem, ...]) -> list[tuple[str, str]]:
    for problem in problems:
        assert problem.fix
        assert problem.subject is not None
        assert problem.subject.namespace == "shop"
    return [(problem.code.name, problem.field) for problem in problems]


def test_a_spec_that_uses_everything_this_version_acts_on_is_fine() -> None:
    everything = sync(
        path="./apps",
        retryInterval="1m",
        timeout="5m",
        wait=True,
        force=True,
        targetNamespace="shop",
        namePrefix="a-",
        commonMetadata={"labels": {"a": "b"}},
        components=["../components/tls"],
        patches=[{"patch": "x"}],
        images=[{"name": "web"}],
        postBuild={"substitute": {"cluster_1": "x"}},
        dependsOn=[{"name": "infra"}, {"name": "web", "namespace": "other"}],
        healthChecks=[{"kind": "Deployment", "name": "web"}],
        deletionPolicy="Orphan",
        onFailure="Stop",
        allowEmpty=True,
    )
    assert validate_kustomization(everything, OPEN) == ()
    assert validate_git_repository(source(provider="generic", ref={"commit": "a" * 40})) == ()


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"healthCheckExprs": [{"apiVersion": "v1", "current": ""}]}, "spec.healthCheckExprs[0].current"),
        (
            {"healthCheckExprs": [{"apiVersion": "v1", "current": "true", "failed": "1+"}]},
            "spec.healthCheckExprs[0].failed",
        ),
        ({"dependsOn": [{"name": "a"}, {"name": "b", "readyExpr": "that.x"}]}, "spec.dependsOn[1].readyExpr"),
    ],
)
def test_an_expression_that_can_not_be_read_is_refused_at_its_field(spec: dict[str, Any], field: str) -> None:
    assert told(validate_kustomization(sync(**spec), OPEN)) == [("CelInvalid", field)]


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"decryption": {"provider": "sops"}}, "spec.decryption"),
        ({"kubeConfig": {"secretRef": {"name": "remote"}}}, "spec.kubeConfig"),
        ({"sourceRef": {"kind": "OCIRepository", "name": "x"}}, "spec.sourceRef.kind"),
        ({"sourceRef": {"kind": "Bucket", "name": "x"}}, "spec.sourceRef.kind"),
        ({"sourceRef": {"kind": "ExternalArtifact", "name": "x"}}, "spec.sourceRef.kind"),
    ],
)
def test_a_field_of_a_kustomization_that_is_not_acted_on_is_refused_by_name(spec: dict[str, Any], field: str) -> None:
    [problem] = validate_kustomization(sync(**spec), OPEN)
    assert told((problem,)) == [("NotHonoured", field)]
    assert field in problem.title


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"provider": "azure"}, "spec.provider"),
        ({"provider": "aws"}, "spec.provider"),
    ],
)
def test_a_field_of_a_git_repository_that_is_not_acted_on_is_refused_by_name(spec: dict[str, Any], field: str) -> None:
    assert told(validate_git_repository(source(**spec))) == [("NotHonoured", field)]


def test_a_workload_identity_is_refused_with_its_provider() -> None:
    problems = validate_git_repository(source(provider="aws", serviceAccountName="puller"))
    assert told(problems) == [("NotHonoured", "spec.provider"), ("NotHonoured", "spec.serviceAccountName")]


@pytest.mark.parametrize("value", ["1d", "-5m", "0s", "1ms", "999ms", "10", "1s" * 32_768, "900000h"])
@pytest.mark.parametrize("field", ["interval", "retryInterval", "timeout"])
def test_a_bad_duration_is_refused_with_the_accepted_forms(value: str, field: str) -> None:
    before = time.thread_time()
    [problem] = validate_kustomization(sync(**{field: value}), OPEN)
    assert told((problem,)) == [("SpecInvalid", f"spec.{field}")]
    assert "h" in problem.fix
    assert len(str(problem)) < 1100
    assert time.thread_time() - before < 1.0


@pytest.mark.parametrize("value", ["1d", "0s", "1ms"])
def test_a_source_has_the_same_rules_for_durations(value: str) -> None:
    assert told(validate_git_repository(source(interval=value, timeout=value))) == [
        ("SpecInvalid", "spec.interval"),
        ("SpecInvalid", "spec.timeout"),
    ]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("../other", "PathEscape"),
        ("a/../../b", "PathEscape"),
        ("a\0b", "PathNotAllowed"),
        ("a\u202eb", "PathNotAllowed"),
    ],
)
def test_a_path_out_of_the_source_or_with_hidden_characters_is_refused(path: str, code: str) -> None:
    assert told(validate_kustomization(sync(path=path), OPEN)) == [(code, "spec.path")]
    assert told(validate_git_repository(source(sparseCheckout=["ok", path]))) == [(code, "spec.sparseCheckout[1]")]
    include = [{"repository": {"name": "x"}, "toPath": path}]
    assert told(validate_git_repository(source(include=include))) == [(code, "spec.include[0].toPath")]


@pytest.mark.parametrize("path", ["", ".", "./", "/", "./apps", "a/../b"])
def test_every_way_to_write_a_path_in_the_source_is_fine(path: str) -> None:
    assert validate_kustomization(sync(path=path), OPEN) == ()


@pytest.mark.parametrize(
    ("component", "code"),
    [("/etc", "SpecInvalid"), ("https://example.com/x", "SpecInvalid"), ("../../x", "PathEscape")],
)
def test_a_component_is_a_relative_path_in_the_source(component: str, code: str) -> None:
    problems = validate_kustomization(sync(path="apps", components=[component]), OPEN)
    assert told(problems) == [(code, "spec.components[0]")]


def test_a_reference_to_another_namespace_is_refused_only_where_they_are_switched_off() -> None:
    other = sync(sourceRef={"kind": "GitRepository", "name": "x", "namespace": "infra"})
    assert validate_kustomization(other, OPEN) == ()
    closed = SpecRules(no_cross_namespace_refs=True)
    assert told(validate_kustomization(other, closed)) == [("CrossNamespace", "spec.sourceRef.namespace")]
    own = sync(sourceRef={"kind": "GitRepository", "name": "x", "namespace": "shop"})
    assert validate_kustomization(own, closed) == ()


def test_a_sync_that_depends_on_itself_is_refused() -> None:
    assert told(validate_kustomization(sync(dependsOn=[{"name": "web"}]), OPEN)) == [
        ("DependencyCycle", "spec.dependsOn[0]")
    ]


def test_a_variable_needs_a_shell_name() -> None:
    problems = validate_kustomization(sync(postBuild={"substitute": {"ok": "", "1x": "", "a-b": ""}}), OPEN)
    assert told(problems) == [("VariableInvalid", "spec.postBuild.substitute")] * 2


@pytest.mark.parametrize("commit", ["abc", "A" * 40, "a" * 41, "main", "a" * 39 + "g"])
def test_a_commit_is_written_in_full(commit: str) -> None:
    assert told(validate_git_repository(source(ref={"commit": commit}))) == [("BadCommit", "spec.ref.commit")]


def test_all_problems_are_told_at_once() -> None:
    problems = validate_kustomization(sync(interval="0s", path="..", decryption={"provider": "sops"}), OPEN)
    assert told(problems) == [
        ("NotHonoured", "spec.decryption"),
        ("SpecInvalid", "spec.interval"),
        ("PathEscape", "spec.path"),
    ]


def test_a_timeout_longer_than_the_interval_is_a_warning() -> None:
    assert validate_kustomization(sync(timeout="1h"), OPEN) == ()
    assert warn_kustomization(sync(timeout="1h")) == ("spec.timeout 1h is longer than spec.interval 10m",)
    assert warn_kustomization(sync(timeout="5m")) == ()
    assert warn_git_repository(source(timeout="11m")) == ("spec.timeout 11m is longer than spec.interval 10m",)


def test_two_references_are_accepted_and_the_one_that_counts_is_told() -> None:
    both = source(ref={"tag": "v1", "branch": "main"})
    assert validate_git_repository(both) == ()
    assert warn_git_repository(both) == ("spec.ref.tag is used, branch beside it is not",)
    assert warn_git_repository(source(ref={"commit": "a" * 40, "branch": "main"})) == ()


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=40))
def test_any_text_is_accepted_or_refused_with_a_short_problem(interval: str, path: str, namespace: str) -> None:
    spec = sync(interval=interval, path=path, targetNamespace=namespace, components=[path])
    problems = validate_kustomization(spec, SpecRules(no_cross_namespace_refs=True))
    assert all(str(problem).isprintable() for problem in problems)


def images(**spec: Any) -> ImageRepository:
    raw = {"metadata": {"name": "web", "namespace": "shop"}, "spec": {"image": "web", "interval": "10m"} | spec}
    return msgspec.convert(raw, ImageRepository)


def policy(**spec: Any) -> ImagePolicy:
    base = {"imageRepositoryRef": {"name": "web"}, "policy": {"semver": {"range": "*"}}}
    return msgspec.convert({"metadata": {"name": "web", "namespace": "shop"}, "spec": base | spec}, ImagePolicy)


def automation(**spec: Any) -> ImageUpdateAutomation:
    git = {"commit": {"author": {"email": "bot@example.com", "name": "Bot"}}}
    base = {"sourceRef": {"kind": "GitRepository", "name": "apps"}, "interval": "10m", "git": git}
    raw = {"metadata": {"name": "web", "namespace": "shop"}, "spec": base | spec}
    return msgspec.convert(raw, ImageUpdateAutomation)


def by(**author: str) -> dict[str, Any]:
    return {"commit": {"author": {"email": "bot@example.com"} | author}}


def test_specs_of_the_image_kinds_that_can_be_meant_are_fine() -> None:
    assert validate_image_repository(images(timeout="30s", provider="generic")) == ()
    assert validate_image_policy(policy(), OPEN) == ()
    assert validate_image_policy(policy(digestReflectionPolicy="Always", interval="10m"), OPEN) == ()
    assert validate_image_policy(policy(imageRepositoryRef={"name": "web", "namespace": "other"}), OPEN) == ()
    assert validate_image_update_automation(automation(), OPEN) == ()
    selector = {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "c", "operator": "Exists"}]}
    assert validate_image_update_automation(automation(policySelector=selector, update={"path": "./x"}), OPEN) == ()


@pytest.mark.parametrize(
    ("problems", "expected"),
    [
        (validate_image_repository(images(interval="0s")), [("SpecInvalid", "spec.interval")]),
        (validate_image_repository(images(timeout="1ms")), [("SpecInvalid", "spec.timeout")]),
        (validate_image_repository(images(provider="aws")), []),
        (validate_image_policy(policy(policy={}), OPEN), [("SpecInvalid", "spec.policy")]),
        (
            validate_image_policy(policy(policy={"semver": {"range": "*"}, "numerical": {}}), OPEN),
            [("FieldConflict", "spec.policy")],
        ),
        (
            validate_image_policy(policy(digestReflectionPolicy="Always"), OPEN),
            [("SpecInvalid", "spec.interval")],
        ),
        (validate_image_policy(policy(interval="10m"), OPEN), [("SpecInvalid", "spec.interval")]),
        (
            validate_image_policy(
                policy(imageRepositoryRef={"name": "web", "namespace": "other"}),
                SpecRules(no_cross_namespace_refs=True),
            ),
            [("CrossNamespace", "spec.imageRepositoryRef.namespace")],
        ),
        (validate_image_update_automation(automation(git=None), OPEN), [("SpecInvalid", "spec.git")]),
        (
            validate_image_update_automation(automation(git=by(name="Bot\nX-Header: 1")), OPEN),
            [("SpecInvalid", "spec.git.commit.author.name")],
        ),
        (
            validate_image_update_automation(automation(git=by(email="a@b> <c@d")), OPEN),
            [("SpecInvalid", "spec.git.commit.author.email")],
        ),
        (
            validate_image_update_automation(automation(git=by(email=" ")), OPEN),
            [("SpecInvalid", "spec.git.commit.author.email")],
        ),
        (
            validate_image_update_automation(automation(update={"path": "../x"}), OPEN),
            [("PathEscape", "spec.update.path")],
        ),
        *(
            (
                validate_image_update_automation(automation(policySelector={"matchExpressions": [term]}), OPEN),
                [("SpecInvalid", "spec.policySelector")],
            )
            for term in (
                {"key": "a", "operator": "in", "values": ["b"]},
                {"key": "a", "operator": "In"},
                {"key": "a", "operator": "Exists", "values": ["b"]},
            )
        ),
        (
            validate_image_update_automation(
                automation(sourceRef={"kind": "GitRepository", "name": "x", "namespace": "other"}),
                SpecRules(no_cross_namespace_refs=True),
            ),
            [("CrossNamespace", "spec.sourceRef.namespace")],
        ),
    ],
)
def test_what_the_image_kinds_can_not_mean_is_told_by_field(
    problems: tuple[Problem, ...], expected: list[tuple[str, str]]
) -> None:
    assert told(problems) == expected


@pytest.mark.parametrize(
    ("term", "labels", "holds"),
    [
        ({"operator": "In", "values": ["x", "y"]}, {"a": "x"}, True),
        ({"operator": "In", "values": ["x", "y"]}, {"a": "z"}, False),
        ({"operator": "In", "values": ["x"]}, {}, False),
        ({"operator": "NotIn", "values": ["x"]}, {"a": "x"}, False),
        ({"operator": "NotIn", "values": ["x"]}, {}, True),
        ({"operator": "Exists"}, {"a": ""}, True),
        ({"operator": "Exists"}, {"b": "x"}, False),
        ({"operator": "DoesNotExist"}, {"b": "x"}, True),
        ({"operator": "DoesNotExist"}, {"a": "x"}, False),
    ],
)
def test_a_policy_selector_matches_as_kubernetes_label_selectors_do(
    term: dict[str, Any], labels: dict[str, str], holds: bool
) -> None:
    found = automation(policySelector={"matchExpressions": [{"key": "a", **term}]}).spec.policySelector
    assert all(requirement.holds(labels) for requirement in requirements_of(found)) is holds

"""`sluice explain` answers without a cluster, by number and by name."""

from __future__ import annotations

import pytest

from sluice.core.codes import CODES
from tests.cli.conftest import Sluice


def test_a_code_is_explained_with_meaning_example_cause_and_fix(sluice: Sluice) -> None:
    ran = sluice("explain", "e204")
    assert ran.code == 0, ran.err
    assert ran.out.startswith("E204 UnknownField: ")
    assert [line for line in ran.out.splitlines() if line in {"example", "cause", "fix"}] == ["example", "cause", "fix"]
    assert max(map(len, ran.out.splitlines())) <= 100
    assert "\x1b" not in ran.out + ran.err


def test_a_code_is_found_by_its_name_and_with_the_brackets_of_a_message(sluice: Sluice) -> None:
    for text in ("UnknownField", "[E204]"):
        assert sluice("explain", text, "-o", "json").json["code"] == "E204"


def test_without_a_code_all_are_listed(sluice: Sluice) -> None:
    assert sluice("explain", "-o", "name").out.split() == [code.number for code in CODES]
    assert len(sluice("explain", "-o", "json").json["items"]) == len(CODES)
    assert len(sluice("explain", "--no-headers").out.splitlines()) == len(CODES)


def test_a_code_that_is_none_is_exit_2_with_the_nearest(sluice: Sluice) -> None:
    ran = sluice("explain", "E999")
    assert ran.code == 2
    assert "did you mean" in sluice("explain", "UnknwonField").err
    assert not ran.out


def test_a_field_of_our_kinds_is_explained_without_a_cluster(sluice: Sluice) -> None:
    ran = sluice("explain", "ks.spec.dependsOn")
    assert ran.code == 0, ran.err
    lines = ran.out.splitlines()
    assert lines[:4] == [
        "KIND:     Kustomization",
        "VERSION:  kustomize.toolkit.fluxcd.io/v1",
        "",
        "FIELD:    spec.dependsOn <[]Object>",
    ]
    assert "  name <string> (required)" in lines
    whole = sluice("explain", "kustomization.spec.postBuild", "--recursive").out.splitlines()
    assert "    optional <boolean>" in whole
    answer = sluice("explain", "gitrepository.spec.url", "-o", "json").json
    assert (answer["ofKind"], answer["path"], answer["type"]) == ("GitRepository", "spec.url", "string")
    assert answer["required"]
    assert "matches ^(http|https|ssh)://.*$" in answer["rules"]
    names = sluice("explain", "provider.spec", "-o", "name").out.splitlines()
    assert "provider.spec.secretRef" in names


def test_a_field_that_this_version_refuses_says_so(sluice: Sluice) -> None:
    assert "refused by name (E244)" in sluice("explain", "ks.spec.decryption").out


def test_a_field_that_is_none_is_exit_2_with_the_nearest(sluice: Sluice) -> None:
    ran = sluice("explain", "ks.spec.sorceRef.kind")
    assert ran.code == 2
    assert "Kustomization.spec has no field 'sorceRef'" in ran.err
    assert "did you mean sourceRef" in ran.err


def test_a_kind_of_others_needs_a_cluster(sluice: Sluice) -> None:
    assert sluice("explain", "deployment.spec").code == 4


@pytest.mark.cluster
def test_a_field_of_any_served_kind_is_explained_as_the_cluster_has_it(cli: Sluice) -> None:
    ran = cli("explain", "deploy.spec.template.spec.containers.imagePullPolicy")
    assert ran.code == 0, ran.err
    assert "FIELD:    spec.template.spec.containers.imagePullPolicy <string>" in ran.out
    assert "IfNotPresent" in ran.out
    whole = cli("explain", "crd.spec", "--recursive")  # a schema that contains itself
    assert whole.code == 0, whole.err
    assert "names <Object> (required)" in whole.out
    version = cli("explain", "hpa.spec", "--api-version", "autoscaling/v1", "-o", "json").json
    assert version["ofApiVersion"] == "autoscaling/v1"
    assert "targetCPUUtilizationPercentage" in {each["name"] for each in version["fields"]}
    for words in (("nonsense",), ("deploy.spec.replica",), ("hpa", "--api-version", "autoscaling/v9")):
        ran = cli("explain", *words)
        assert (ran.code, "error[E701]" in ran.err) == (2, True), ran

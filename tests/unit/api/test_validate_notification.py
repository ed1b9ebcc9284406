"""What is wrong with a Provider or an Alert is told at once, by field, with a fix."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sluice.api.alert import Alert
from sluice.api.provider import COMMIT_STATUS_TYPES, TYPES, Provider
from sluice.api.validate import SpecRules
from sluice.api.validate_notification import commit_status_name, rule_of, validate_alert, validate_provider
from sluice.core.alert_routing import EventSource
from sluice.core.errors import UserError
from sluice.core.event import Event, InvolvedObject

DEFAULT = SpecRules()
OPEN, CLOSED = (
    SpecRules(cross_namespace_alerts=True),
    SpecRules(no_cross_namespace_refs=True, cross_namespace_alerts=True),
)
META = {"name": "chat", "namespace": "shop", "uid": "0c9c2e41-d2f9"}
EVENT = Event(InvolvedObject("Kustomization", "shop", "apps"), "info", "", "", "Succeeded", {"revision": "sha1:1"})


def provider(**spec: Any) -> Provider:
    return msgspec.convert({"metadata": META, "spec": {"type": "slack"} | spec}, Provider)


def alert(**spec: Any) -> Alert:
    base = {"providerRef": {"name": "chat"}, "eventSources": [{"kind": "Kustomization", "name": "*"}]}
    return msgspec.convert({"metadata": META, "spec": base | spec}, Alert)


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ({}, []),
        ({"interval": "nonsense"}, []),  # not used, as in Flux
        ({"timeout": "30s", "username": "x", "suspend": True, "secretRef": {"name": "x"}}, []),
        ({"type": "nats"}, []),
        ({"type": "mastodon"}, [("E244", "spec.type")]),
        ({"type": "irc", "serviceAccountName": "x"}, [("E244", "spec.type"), ("E244", "spec.serviceAccountName")]),
        ({"timeout": "1ms"}, [("E245", "spec.timeout")]),
        ({"timeout": "1 s"}, [("E245", "spec.timeout")]),
        ({"commitStatusExpr": "'x'"}, [("E246", "spec.commitStatusExpr")]),
        ({"incidents": True}, []),
        ({"type": "github", "incidents": False}, []),
        ({"type": "github", "incidents": True}, [("E246", "spec.incidents")]),
        ({"type": "giteapullrequestcomment", "incidents": True}, [("E246", "spec.incidents")]),
        ({"type": "github", "commitStatusExpr": "event.metadata.summary"}, []),
        ({"type": "github", "commitStatusExpr": "event."}, [("E595", "spec.commitStatusExpr")]),
        ({"type": "github", "commitStatusExpr": "env.HOME"}, [("E595", "spec.commitStatusExpr")]),
    ],
)
def test_a_provider_says_what_it_can_not_use(spec: dict[str, Any], found: list[tuple[str, str]]) -> None:
    problems = validate_provider(provider(**spec))
    assert [(problem.code.number, problem.field) for problem in problems] == found
    assert all(problem.fix and str(problem.subject) == "Provider shop/chat" for problem in problems)


@pytest.mark.parametrize(
    ("spec", "rules", "found"),
    [
        ({}, OPEN, []),
        ({"eventSources": []}, OPEN, []),
        ({"eventSources": [{"kind": "Bucket", "name": "a", "namespace": "other"}]}, OPEN, []),
        (
            {"eventSources": [{"kind": "Bucket", "name": "a"}, {"kind": "Bucket", "name": "a", "namespace": "other"}]},
            CLOSED,
            [("E248", "spec.eventSources[1].namespace")],
        ),
        ({"eventSources": [{"kind": "Bucket", "name": "a", "namespace": "shop"}]}, CLOSED, []),
        (
            {"eventSources": [{"kind": "Bucket", "name": "a", "matchLabels": {"a": "b"}}]},
            OPEN,
            [("E246", "spec.eventSources[0].matchLabels")],
        ),
        (
            {"inclusionList": ["ok", "(?=x)"], "exclusionList": ["("]},
            OPEN,
            [("E503", "spec.inclusionList[1]"), ("E503", "spec.exclusionList[0]")],
        ),
    ],
)
def test_an_alert_says_what_it_can_not_use(
    spec: dict[str, Any], rules: SpecRules, found: list[tuple[str, str]]
) -> None:
    problems = validate_alert(alert(**spec), rules)
    assert [(problem.code.number, problem.field) for problem in problems] == found
    assert all(problem.fix for problem in problems)


def test_an_alert_on_another_namespace_is_refused_unless_a_flag_allows_it() -> None:
    sources = [
        {"kind": "Bucket", "name": "a", "namespace": "shop"},
        {"kind": "Bucket", "name": "a", "namespace": "pay"},
    ]
    (problem,) = validate_alert(alert(eventSources=sources), DEFAULT)
    assert (problem.code.number, problem.field) == ("E248", "spec.eventSources[1].namespace")
    assert "--allow-cross-namespace-alerts" in problem.fix
    assert validate_alert(alert(eventSources=sources), OPEN) == ()


def test_where_references_to_other_namespaces_are_switched_off_alerts_have_none_either() -> None:
    sources = [{"kind": "Bucket", "name": "a", "namespace": "pay"}]
    (problem,) = validate_alert(alert(eventSources=sources), CLOSED)
    assert "--no-cross-namespace-refs" in problem.cause
    assert "--allow-cross-namespace-alerts" not in problem.fix


def test_an_alert_is_a_rule_in_its_own_namespace() -> None:
    sources = [
        {"kind": "Kustomization", "name": "*", "matchLabels": {"b": "2", "a": "1"}},
        {"kind": "GitRepository", "name": "apps", "namespace": "flux-system"},
    ]
    rule = rule_of(alert(eventSources=sources, eventSeverity="error", summary="s", eventMetadata={"c": "d"}))
    assert rule.sources == (
        EventSource("Kustomization", "shop", "*", (("a", "1"), ("b", "2"))),
        EventSource("GitRepository", "flux-system", "apps"),
    )
    assert (str(rule.provider), rule.errors_only, rule.summary, rule.metadata) == (
        "shop/chat",
        True,
        "s",
        (("c", "d"),),
    )


@pytest.mark.parametrize(
    ("expression", "name"),
    [
        ("", ""),
        ("'fixed'", "fixed"),
        ("event.involvedObject.kind + '/' + event.involvedObject.name", "Kustomization/apps"),
        ("alert.metadata.name + provider.metadata.uid + provider.spec.type", "chat0c9c2e41-d2f9gitea"),
        ("has(event.metadata.team) ? event.metadata.team : 'nobody'", "nobody"),
    ],
)
def test_the_name_of_a_status_is_what_its_expression_makes(expression: str, name: str) -> None:
    assert commit_status_name(provider(type="gitea", commitStatusExpr=expression), alert(), EVENT) == name


@pytest.mark.parametrize("expression", ["event.metadata.team", "1 + 1", "event.reason == 'x'"])
def test_an_expression_without_a_text_for_the_event_says_so(expression: str) -> None:
    with pytest.raises(UserError) as refused:
        commit_status_name(provider(type="gitea", commitStatusExpr=expression), alert(), EVENT)
    assert refused.value.problems[0].code.number == "E595"


def test_the_types_are_fluxs() -> None:
    assert len(TYPES) == len(set(TYPES)) == 34
    assert set(COMMIT_STATUS_TYPES) < set(TYPES)

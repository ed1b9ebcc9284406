"""Which alerts want an event, and how they tell it: the rules of Flux's notification controller."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sluice.core.alert_routing import AlertRule, Audience, EventSource, told_by
from sluice.core.event import Event, InvolvedObject
from sluice.core.ids import NamespacedName
from sluice.core.regular_expression import parse_pattern

GROUP = "kustomize.toolkit.fluxcd.io"
ALERT, PROVIDER = NamespacedName("flux-system", "alert"), NamespacedName("flux-system", "slack")
APPS = InvolvedObject("Kustomization", "flux-system", "apps", "u-1", f"{GROUP}/v1", "12")
EVENT = Event(APPS, "info", "2026-01-02T03:04:05Z", "Deployment/shop/web configured", "ReconciliationSucceeded")
FAILED = msgspec.structs.replace(
    EVENT, severity="error", message="no", reason="HealthCheckFailed", metadata={"revision": "main@sha1:1"}
)
UNFETCHED = msgspec.structs.replace(FAILED, reason="GitOperationFailed", metadata={})
LABELS = {"team": "pay", "tier": "front"}


def source(**changes: Any) -> EventSource:
    base: dict[str, Any] = {"kind": "Kustomization", "namespace": "flux-system", "name": "apps"}
    return EventSource(**(base | changes))


def rule(**changes: Any) -> AlertRule:
    base: dict[str, Any] = {"alert": ALERT, "provider": PROVIDER, "sources": (source(),)}
    return AlertRule(**(base | changes))


@pytest.mark.parametrize(
    ("asked", "event", "wanted"),
    [
        (rule(), EVENT, True),
        (rule(), FAILED, True),
        (rule(errors_only=True), EVENT, False),
        (rule(errors_only=True), FAILED, True),
        (rule(sources=()), EVENT, False),
        (rule(sources=(source(name="web"),)), EVENT, False),
        (rule(sources=(source(name="web"), source())), EVENT, True),
        (rule(sources=(source(name="*"),)), EVENT, True),
        (rule(sources=(source(name="app*"),)), EVENT, False),
        (rule(sources=(source(kind="GitRepository"),)), EVENT, False),
        (rule(sources=(source(namespace="shop"),)), EVENT, False),
        (rule(sources=(source(name="*", labels=(("team", "pay"),)),)), EVENT, True),
        (rule(sources=(source(name="*", labels=(("team", "pay"), ("tier", "back"))),)), EVENT, False),
        (rule(sources=(source(name="*", labels=(("absent", ""),)),)), EVENT, False),
        (rule(included=(parse_pattern("shop/.*configured$"),)), EVENT, True),
        (rule(included=(parse_pattern("^nothing"), parse_pattern("web"))), EVENT, True),
        (rule(included=(parse_pattern("^nothing"),)), EVENT, False),
        (rule(excluded=(parse_pattern("^nothing"),)), EVENT, True),
        (rule(excluded=(parse_pattern("^nothing"), parse_pattern("web"))), EVENT, False),
        (rule(included=(parse_pattern("web"),), excluded=(parse_pattern("Deployment"),)), EVENT, False),
    ],
)
def test_an_alert_wants_what_its_lists_say(asked: AlertRule, event: Event, wanted: bool) -> None:
    assert asked.wants(event, LABELS) is wanted


@pytest.mark.parametrize(
    ("metadata", "asked", "told", "conflicts"),
    [
        ({}, rule(), {}, ()),
        ({f"{GROUP}/revision": "main@sha1:1"}, rule(), {"revision": "main@sha1:1"}, ()),
        ({f"{GROUP}/{key}": "x" for key in ("checksum", "digest", "token")}, rule(), {}, ()),
        ({"revision": "x", "other.group/revision": "y"}, rule(), {}, ()),
        ({"event.toolkit.fluxcd.io/team": "pay"}, rule(), {"team": "pay"}, ()),
        ({"event.toolkit.fluxcd.io/team": "a"}, rule(metadata=(("team", "b"),)), {"team": "b"}, ("team",)),
        ({}, rule(metadata=(("summary", "a"),), summary="b"), {"summary": "b"}, ("summary",)),
        ({f"{GROUP}/summary": "c"}, rule(summary="b"), {"summary": "c"}, ("summary",)),
        (
            {"event.toolkit.fluxcd.io/revision": "o", f"{GROUP}/revision": "c"},
            rule(metadata=(("revision", "a"),)),
            {"revision": "c"},
            ("revision",),
        ),
        ({}, rule(metadata=(("cluster", "prod"),), summary="s"), {"cluster": "prod", "summary": "s"}, ()),
    ],
)
def test_what_is_nearer_to_the_controller_goes_before(
    metadata: dict[str, str], asked: AlertRule, told: dict[str, str], conflicts: tuple[str, ...]
) -> None:
    found = told_by(asked, msgspec.structs.replace(EVENT, metadata=metadata))
    assert (found.event.metadata, found.conflicts) == (told, conflicts)
    assert msgspec.structs.replace(found.event, metadata={}) == EVENT


UPDATE = msgspec.structs.replace(EVENT, metadata={"commit_status": "update", "revision": "main@sha1:1"})
WITH_COMMIT = msgspec.structs.replace(EVENT, metadata={"commit": "sha1:1"})
WITH_REQUEST = msgspec.structs.replace(EVENT, metadata={"change_request": "7"})
PROGRESSING = msgspec.structs.replace(UPDATE, reason="Progressing")
EVERYTHING = (EVENT, FAILED, UNFETCHED, UPDATE, WITH_COMMIT, WITH_REQUEST)


@pytest.mark.parametrize(
    ("audience", "heard"),
    [
        (Audience(), (EVENT, FAILED, UNFETCHED, WITH_COMMIT, WITH_REQUEST)),
        (Audience(everything=True), EVERYTHING),
        (Audience(commit_status=True), (FAILED, UPDATE, WITH_COMMIT)),
        (Audience(change_request=True), (WITH_REQUEST,)),
    ],
)
def test_a_type_of_provider_hears_what_is_for_it(audience: Audience, heard: tuple[Event, ...]) -> None:
    assert tuple(event for event in EVERYTHING if audience.hears(event)) == heard
    assert not Audience(commit_status=True).hears(PROGRESSING)

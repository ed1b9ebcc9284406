"""Who is told of incidents, and what is remembered of them between events."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sluice.api.alert import Alert
from sluice.api.provider import CHAT_TYPES, GIT_HOST_TYPES, PAGER_TYPES, TYPES, Provider
from sluice.core import codes
from sluice.core.alert_routing import AlertRule, EventSource
from sluice.core.event import Event, InvolvedObject, Occurrence
from sluice.core.ids import NamespacedName, ResourceId
from sluice.core.problem import Origin, Problem, cause_of
from sluice.reconcilers.incident_book import IncidentBook, about
from sluice.reconcilers.notification_routing import tells_incidents

META = {"name": "x", "namespace": "flux-system"}
RULE = AlertRule(
    NamespacedName("flux-system", "all"),
    NamespacedName("flux-system", "chat"),
    (EventSource("Kustomization", "flux-system", "*"),),
    errors_only=True,
)
FAILED = Event(
    InvolvedObject("Kustomization", "flux-system", "apps", "u-1"), "error", "2026-01-02T03:04:05Z", "no", "BuildFailed"
)
WELL = msgspec.structs.replace(FAILED, severity="info", reason="ReconciliationSucceeded")


def provider(type_: str, **spec: Any) -> Provider:
    """A Provider of that type."""
    return msgspec.convert({"metadata": META, "spec": {"type": type_, **spec}}, Provider)


def alert(**spec: Any) -> Alert:
    """An Alert."""
    base = {"providerRef": {"name": "x"}, "eventSources": []}
    return msgspec.convert({"metadata": META, "spec": base | spec}, Alert)


@pytest.mark.parametrize("type_", TYPES)
def test_chats_and_pagers_are_told_of_incidents_and_the_other_types_of_events(type_: str) -> None:
    assert tells_incidents(alert(), provider(type_)) is (type_ in CHAT_TYPES | PAGER_TYPES)


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize("word", [True, False])
def test_the_alerts_word_goes_before_the_providers_but_for_git_hosts(type_: str, *, word: bool) -> None:
    expected = word and type_ not in GIT_HOST_TYPES
    assert tells_incidents(alert(), provider(type_, incidents=word)) is expected
    assert tells_incidents(alert(incidents=word), provider(type_, incidents=not word)) is expected


def test_only_the_end_of_an_incident_that_was_told_goes_past_what_the_alert_wants() -> None:
    book, failed, well = IncidentBook(), Occurrence(FAILED), Occurrence(WELL)
    assert not book.ends(RULE, well)
    book.step(RULE, failed)
    assert book.ends(RULE, well)
    assert not book.ends(RULE, failed)
    told = book.step(RULE, well)
    assert told.incident is not None
    assert book.ends(RULE, well)  # asked again after a crash
    book.settle(about(RULE, well), told.incident.id)
    assert not book.ends(RULE, well)
    assert book.all() == {}


def test_a_thread_belongs_to_its_incident_and_to_none_that_follows() -> None:
    book = IncidentBook()
    first = book.step(RULE, Occurrence(FAILED)).incident
    assert first is not None
    key = about(RULE, Occurrence(FAILED))
    book.note_thread(key, first.id, "t-1")
    book.note_thread(key, first.id, "t-2")
    book.note_thread(key, "another", "t-3")
    assert (book.thread_of(key, first.id), book.thread_of(key, "another")) == ("t-1", "")
    book.step(RULE, Occurrence(WELL))
    later = msgspec.structs.replace(FAILED, timestamp="2026-01-02T04:04:05Z")
    second = book.step(RULE, Occurrence(later)).incident
    assert second is not None
    assert (second.id != first.id, book.thread_of(key, second.id)) == (True, "")
    book.settle(key, first.id)  # its end arrives late, and takes nothing of the second with it
    assert book.has_open("u-1")


def test_what_an_earlier_process_knew_goes_on_and_what_an_alert_knew_goes_with_it() -> None:
    before, after = IncidentBook(), IncidentBook()
    before.step(RULE, Occurrence(FAILED))
    after.take(before.all())
    assert not after.step(RULE, Occurrence(msgspec.structs.replace(FAILED, message="again"))).told
    after.forget_alert("flux-system/al")
    assert after.has_open("u-1")
    after.forget_alert("flux-system/all")
    assert after.all() == {}


def test_the_book_is_bounded() -> None:
    book = IncidentBook(most=3)
    for number in range(10):
        subject = InvolvedObject("Kustomization", "flux-system", f"app-{number}", f"u-{number}")
        book.step(RULE, Occurrence(msgspec.structs.replace(FAILED, involved_object=subject)))
    assert [uid for uid in (f"u-{number}" for number in range(10)) if book.has_open(uid)] == ["u-7", "u-8", "u-9"]


def test_a_cause_is_the_code_and_the_object_or_the_file_whatever_line_or_commit_says_so() -> None:
    web = ResourceId("apps", "Deployment", "shop", "web")
    here, there = Origin("a.yaml", 3, commit="1" * 40), Origin("a.yaml", 9, commit="2" * 40)
    assert cause_of(()) == ""
    for first, second in (
        (Problem(codes.YAML_SYNTAX, "x", None, here), Problem(codes.YAML_SYNTAX, "y", None, there)),
        (Problem(codes.HEALTH_FAILED, "x", web, here), Problem(codes.HEALTH_FAILED, "y", web, there)),
    ):
        assert cause_of((first,)) == cause_of((second, first))
    assert cause_of((Problem(codes.HEALTH_FAILED, "x", web),)) == f"E303 {web}"

"""What an event says of itself."""

from __future__ import annotations

import msgspec
import pytest

from sluice.core.event import MAX_MESSAGE, Event, InvolvedObject, clipped, object_metadata

SHA1, SHA256 = "a" * 40, "b" * 64


def event(**metadata: str) -> Event:
    return Event(InvolvedObject(), "info", "", "", "", {key.replace("_", "-"): v for key, v in metadata.items()})


@pytest.mark.parametrize(
    ("metadata", "commit"),
    [
        ({"revision": f"main@sha1:{SHA1}"}, SHA1),
        ({"revision": f"v1.0.0@sha256:{SHA256}"}, SHA256),
        ({"revision": f"sha1:{SHA1}"}, SHA1),
        ({"revision": f"main/{SHA1}"}, SHA1),
        ({"revision": SHA1}, SHA1),
        ({"revision": "6.2.1"}, ""),
        ({"revision": f"main@sha1:{SHA1}x"}, ""),
        ({}, ""),
        ({"revision": f"x@sha256:{SHA256}", "originRevision": f"main@sha1:{SHA1}"}, SHA1),
        ({"revision": f"x@sha256:{SHA256}", "commit": f"main@sha1:{SHA1}"}, SHA1),
    ],
)
def test_the_commit_is_what_the_event_names_most_directly(metadata: dict[str, str], commit: str) -> None:
    assert event(**metadata).commit == commit


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("ReconciliationSucceeded", "reconciliation succeeded"),
        ("PDFLoader", "pdf loader"),
        ("GitOperationFailed", "git operation failed"),
        ("", ""),
        ("info", "info"),
        ("Base64Failed", "base 64 failed"),
    ],
)
def test_a_reason_is_told_in_small_words(reason: str, words: str) -> None:
    assert msgspec.structs.replace(event(), reason=reason).description == words


def test_only_annotations_of_the_events_group_ride_along() -> None:
    annotations = {"event.toolkit.fluxcd.io/team": "pay", "team": "x", "event.toolkit.fluxcd.iox/team": "y"}
    assert object_metadata(annotations) == {"event.toolkit.fluxcd.io/team": "pay"}


def test_a_message_has_no_more_than_flux_lets_it_have() -> None:
    assert len(clipped("x" * 50_000)) == MAX_MESSAGE == 39_000

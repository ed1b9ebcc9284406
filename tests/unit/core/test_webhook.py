"""Whose a call is, and what it tells: each type of receiver by the headers and bodies that its callers send."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.api.honoured import RECEIVER_TYPES
from sluice.core.webhook import Call, Refused, Told, check_call, counts

TOKEN = "a token of some length"
PUSH = b'{"ref":"refs/heads/main"}'
DOCKERHUB: dict[str, Any] = {"push_data": {"tag": "1.2"}, "repository": {"repo_name": "org/app"}}
QUAY: dict[str, Any] = {"docker_url": "quay.example.com/org/app", "updated_tags": ["1.2"]}
ACR: dict[str, Any] = {"id": "d1", "action": "push", "target": {"repository": "app", "tag": "1.2"}}
NEXUS: dict[str, Any] = {"timestamp": "2026-01-02T03:04:05Z", "action": "CREATED"}
CDEVENT: dict[str, Any] = {"context": {"type": "dev.cdevents.change.merged", "id": "d1"}, "subject": {"id": "x"}}
JSON_TYPES = {"dockerhub": DOCKERHUB, "quay": QUAY, "acr": ACR, "nexus": NEXUS, "cdevents": CDEVENT}


def mac(body: bytes, algorithm: str = "sha256", token: str = TOKEN) -> str:
    return hmac.new(token.encode(), body, algorithm).hexdigest()


def call(body: bytes, **headers: str) -> Call:
    return Call({name.replace("_", "-").lower(): (value,) for name, value in headers.items()}, body)


def call_of(type_: str, body: bytes) -> Call:
    """As its caller sends it, with what proves it."""
    match type_:
        case "generic-hmac":
            return call(body, X_Signature=f"sha512={mac(body, 'sha512')}")
        case "github":
            signature = f"sha256={mac(body)}"
            return call(body, X_Hub_Signature_256=signature, X_GitHub_Event="push", X_GitHub_Delivery="d1")
        case "gitlab":
            return call(body, X_Gitlab_Token=TOKEN, X_Gitlab_Event="Push Hook", X_Gitlab_Event_UUID="d1")
        case "bitbucket":
            signature = f"sha256={mac(body)}"
            return call(body, X_Hub_Signature=signature, X_Event_Key="repo:refs_changed", X_Request_UUID="d1")
        case "harbor":
            return call(body, Authorization=TOKEN)
        case "nexus":
            return call(body, X_Nexus_Webhook_Signature=mac(body, "sha1"), X_Nexus_Webhook_Delivery="d1")
        case "cdevents":
            return call(body, Ce_Type="dev.cdevents.change.merged")
    return call(body)


def body_of(type_: str) -> bytes:
    return msgspec.json.encode(JSON_TYPES[type_]) if type_ in JSON_TYPES else PUSH


TOLD = {
    "github": Told("push", "d1"),
    "gitlab": Told("Push Hook", "d1"),
    "bitbucket": Told("repo:refs_changed", "d1"),
    "nexus": Told("", "d1"),
    "acr": Told("push", "d1"),
    "cdevents": Told("dev.cdevents.change.merged", "d1"),
}


@pytest.mark.parametrize("type_", sorted(RECEIVER_TYPES["type"]))
def test_what_a_caller_of_that_type_sends_is_accepted(type_: str) -> None:
    assert check_call(type_, TOKEN, call_of(type_, body_of(type_))) == TOLD.get(type_, Told())


SIGNED = ("generic-hmac", "github", "gitlab", "bitbucket", "harbor", "nexus")
PROOF = {
    "generic-hmac": "x-signature",
    "github": "x-hub-signature-256",
    "gitlab": "x-gitlab-token",
    "bitbucket": "x-hub-signature",
    "harbor": "authorization",
    "nexus": "x-nexus-webhook-signature",
}


@pytest.mark.parametrize("type_", SIGNED)
def test_a_proof_that_is_missing_doubled_wrong_or_anothers_is_refused(type_: str) -> None:
    good = call_of(type_, body_of(type_))
    header = PROOF[type_]
    value = good.one(header)
    bad: list[tuple[str, ...]] = [(), (value, value), ("",), (value[:-1],), (f"{value} ",), ("é",), ("x" * 10_000,)]
    for values in bad:
        with pytest.raises(Refused):
            check_call(type_, TOKEN, Call({**good.headers, header: values}, good.body))
    with pytest.raises(Refused):
        check_call(type_, "another token", good)


@pytest.mark.parametrize("type_", ["generic-hmac", "github", "bitbucket", "nexus"])
def test_a_signature_over_other_bytes_is_refused(type_: str) -> None:
    good = call_of(type_, body_of(type_))
    with pytest.raises(Refused):
        check_call(type_, TOKEN, Call(good.headers, good.body + b" "))


@pytest.mark.parametrize("type_", ["generic-hmac", "github", "bitbucket"])
def test_sha1_and_digits_in_upper_case_are_no_signature(type_: str) -> None:
    good = call_of(type_, PUSH)
    for value in (f"sha1={mac(PUSH, 'sha1')}", f"sha256={mac(PUSH).upper()}", mac(PUSH), f"sha256:{mac(PUSH)}"):
        with pytest.raises(Refused):
            check_call(type_, TOKEN, Call({**good.headers, PROOF[type_]: (value,)}, PUSH))


VALUES: list[Any] = [None, 1, [], {}, "", [{}], True]


def broken(value: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    """The body with each of its values replaced by each other sort of value, or left out."""
    found: list[tuple[tuple[str, ...], Any]] = [((*path, repr(other)), other) for other in VALUES]
    if isinstance(value, dict):
        for key, below in value.items():
            found.append(((*path, key, "left out"), {k: v for k, v in value.items() if k != key}))
            found += [(where, {**value, key: other}) for where, other in broken(below, (*path, key))]
    return found


@pytest.mark.parametrize("type_", sorted(JSON_TYPES))
def test_a_body_of_any_other_shape_is_refused_or_accepted_and_nothing_else_happens(type_: str) -> None:
    for _, body in broken(JSON_TYPES[type_]):
        text = msgspec.json.encode(body)
        try:
            check_call(type_, TOKEN, call_of(type_, text))
        except Refused:
            continue


@pytest.mark.parametrize("type_", sorted(JSON_TYPES))
@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"1e999999", b"[" * 100_000, b"null", b'"text"'], ids=repr)
def test_a_body_that_is_no_such_json_is_refused(type_: str, body: bytes) -> None:
    with pytest.raises(Refused):
        check_call(type_, TOKEN, call_of(type_, body))


@given(
    st.sampled_from(sorted(RECEIVER_TYPES["type"])),
    st.binary(max_size=200),
    st.dictionaries(
        st.sampled_from([*PROOF.values(), "ce-type", "x-github-event", "x-gitlab-event"]),
        st.lists(st.text(max_size=20)).map(tuple),
    ),
)
def test_any_bytes_and_headers_are_refused_or_accepted(
    type_: str, body: bytes, headers: dict[str, tuple[str, ...]]
) -> None:
    try:
        check_call(type_, TOKEN, Call(headers, body))
    except Refused:
        return
    assert type_ not in SIGNED or headers[PROOF[type_]]


def test_events_are_compared_without_case_and_none_means_all() -> None:
    assert counts((), Told("push"))
    assert counts(("Push", "ping"), Told("push"))
    assert not counts(("ping",), Told("push"))


def test_a_nexus_signature_is_the_only_one_by_sha1() -> None:
    assert hashlib.sha1(b"", usedforsecurity=False).digest_size == 20
    body = body_of("nexus")
    signature = mac(body)
    with pytest.raises(Refused):
        check_call("nexus", TOKEN, call(body, X_Nexus_Webhook_Signature=signature))

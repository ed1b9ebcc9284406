"""Whose a call is, and what it tells: each type of receiver by the headers and bodies that its callers send."""

from __future__ import annotations

import hashlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.api.receiver import TYPES
from sluice.core.webhook import Call, Refused, Told, check_call, content_of, counts
from tests.webhook_calls import JSON_TYPES, PROOF, PUSH, PUSHED, SIGNED, TOKEN, body_of, broken, call, call_of, mac

TOLD = {
    "github": Told("push", "d1"),
    "gitlab": Told("Push Hook", "d1"),
    "bitbucket": Told("repo:refs_changed", "d1"),
    "nexus": Told("", "d1"),
    "acr": Told("push", "d1"),
    "gcr": Told("", "d1"),
    "cdevents": Told("dev.cdevents.change.merged", "d1"),
}


@pytest.mark.parametrize("type_", TYPES)
def test_what_a_caller_of_that_type_sends_is_accepted(type_: str) -> None:
    assert check_call(type_, TOKEN, call_of(type_, body_of(type_))) == TOLD.get(type_, Told())


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
    st.sampled_from(TYPES),
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


def test_a_filter_sees_the_message_of_a_pub_sub_call_and_the_body_of_any_other() -> None:
    assert content_of("gcr", call(body_of("gcr"))) == PUSHED
    assert content_of("quay", call(body_of("quay"))) == JSON_TYPES["quay"]


@pytest.mark.parametrize("data", ["", "!", "é", "bm90IGpzb24=", "W10="])
def test_a_pub_sub_message_that_holds_no_map_is_refused(data: str) -> None:
    body = msgspec.json.encode({"message": {"data": data, "messageId": "d1"}})
    with pytest.raises(Refused):
        check_call("gcr", TOKEN, call(body))

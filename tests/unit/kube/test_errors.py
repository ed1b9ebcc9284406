"""Whatever a server answers, it becomes an error that can be shown; the real answers are in the contract tests."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.core import codes
from sluice.core.errors import AuthenticationFailed, ClusterError
from sluice.core.ids import ResourceId
from sluice.kube.errors import Asked, refusal, retry_after, unreachable

ASKED = Asked("https://k8s.example", ResourceId("", "ConfigMap", "shop", "c"))
words = st.sampled_from(
    [
        'unknown field "',
        "strict decoding error: ",
        "failed to create typed patch object (/d; v1, Kind=X): .",
        ": field not declared in schema",
        "exceeded quota: ",
        ' is forbidden: User "',
        "field is immutable",
        'admission webhook "x" denied the request: ',
        "\n",
        "\x1b[31m",
        '"',
        "(",
    ]
)
messages = st.lists(st.one_of(words, st.text(max_size=20)), max_size=12).map("".join)
causes = st.lists(
    st.fixed_dictionaries({}, optional={"reason": messages, "message": messages, "field": messages}), max_size=4
)
statuses = st.fixed_dictionaries(
    {"kind": st.just("Status"), "message": messages},
    optional={"reason": messages, "details": st.fixed_dictionaries({}, optional={"causes": causes, "name": messages})},
)


@given(status=st.integers(300, 599), answer=statuses)
def test_any_status_becomes_an_error_with_a_printable_problem(status: int, answer: dict[str, object]) -> None:
    error = refusal(ASKED, status, {}, msgspec.json.encode(answer))
    assert isinstance(error, ClusterError | AuthenticationFailed)
    assert error.problems
    for problem in error.problems:
        assert problem.subject == ASKED.subject
        assert str(problem).isprintable()


@given(status=st.integers(300, 599), body=st.binary(max_size=200))
def test_any_bytes_become_an_error(status: int, body: bytes) -> None:
    error = refusal(ASKED, status, {}, body)
    assert error.problems
    assert str(error.problems[0]).isprintable()


def test_a_long_hostile_message_is_judged_quickly() -> None:
    text = 'user "' * 200_000 + "updates to " * 100_000 + "(groups=" * 100_000
    error = refusal(ASKED, 403, {}, msgspec.json.encode({"kind": "Status", "message": text}))
    assert len(str(error)) < 10_000


@pytest.mark.parametrize(
    ("value", "seconds"), [("5", 5.0), ("0", 0.0), ("", None), ("-1", None), ("Wed, 21 Oct", None), ("9" * 30, None)]
)
def test_retry_after_is_seconds_or_nothing(value: str, seconds: float | None) -> None:
    assert retry_after({"Retry-After": value}) == seconds


def test_typed_patch_errors_of_several_lines_are_all_told() -> None:
    message = (
        "failed to create typed patch object (/d; apps/v1, Kind=Deployment): errors:\n"
        "  .spec.replica: field not declared in schema\n  .spec.paused: expected boolean, got string"
    )
    error = refusal(ASKED, 500, {}, msgspec.json.encode({"kind": "Status", "message": message, "code": 500}))
    assert [(p.code, p.field) for p in error.problems] == [
        (codes.UNKNOWN_FIELD, "spec.replica"),
        (codes.BAD_TYPE, "spec.paused"),
    ]


def test_a_time_out_and_a_refused_connection_pass() -> None:
    for cause in (TimeoutError(), ConnectionRefusedError(111, "Connect call failed")):
        error = unreachable(ASKED, cause)
        assert isinstance(error, ClusterError)
        assert error.is_temporary
        assert "https://k8s.example" in error.problems[0].title

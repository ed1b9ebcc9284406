"""`sluice run --feature-gates`: Flux's form, and only the gates that there are."""

from __future__ import annotations

import pytest

from sluice.cli.feature_gates import OBJECT_IDENTITIES, gates_of
from sluice.core.errors import UserError


@pytest.mark.parametrize(
    ("given", "is_open"),
    [
        ((), False),
        (("ObjectLevelWorkloadIdentity=true",), True),
        (("ObjectLevelWorkloadIdentity=false",), False),
        (("ObjectLevelWorkloadIdentity=true,ObjectLevelWorkloadIdentity=false",), False),
        (("ObjectLevelWorkloadIdentity=false", " ObjectLevelWorkloadIdentity=true,"), True),
    ],
)
def test_a_gate_is_as_the_last_word_on_it_says(given: tuple[str, ...], is_open: bool) -> None:
    assert (OBJECT_IDENTITIES in gates_of(given)) is is_open


@pytest.mark.parametrize(
    "text", ["ObjectLevelWorkloadIdentity", "ObjectLevelWorkloadIdentity=yes", "Other=true", "=true"]
)
def test_what_is_no_gate_is_refused_by_name(text: str) -> None:
    with pytest.raises(UserError) as caught:
        gates_of((text,))
    assert text in caught.value.problems[0].title
    assert caught.value.problems[0].field == "--feature-gates"

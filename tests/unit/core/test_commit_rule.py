"""Every case in which a commit may or may not be made."""

from __future__ import annotations

import itertools

import pytest

from sluice.core.codes import GIT_READ_ONLY, SIGNATURE_REQUIRED
from sluice.core.commit_rule import CommitFacts, commit_refusal

HEAD = "a" * 40


@pytest.mark.parametrize("facts", list(itertools.product([False, True], repeat=4)))
def test_nothing_is_committed_read_only_unsigned_or_on_an_unverified_head(facts: tuple[bool, ...]) -> None:
    read_only, required, verified, signed = facts
    problem = commit_refusal(CommitFacts(HEAD, read_only, required, verified, signed))
    if read_only:
        assert problem is not None
        assert problem.code is GIT_READ_ONLY
    elif required and not (verified and signed):
        assert problem is not None
        assert problem.code is SIGNATURE_REQUIRED
        assert problem.fix
    else:
        assert problem is None


def test_an_unverified_head_is_named() -> None:
    problem = commit_refusal(CommitFacts(HEAD, signatures_required=True, will_be_signed=True))
    assert problem is not None
    assert HEAD[:12] in problem.title
    assert problem.origin is not None
    assert problem.origin.commit == HEAD

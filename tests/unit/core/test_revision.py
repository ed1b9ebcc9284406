"""What a source points at, as text."""

from __future__ import annotations

import pytest

from sluice.core.revision import Revision

SHA1 = "0123456789abcdef0123456789abcdef01234567"
SHA256 = SHA1 + "0123456789abcdef01234567"


@pytest.mark.parametrize(
    "text",
    [
        f"main@sha1:{SHA1}",
        f"v1.2.0@sha1:{SHA1}",
        f"sha1:{SHA1}",
        f"refs/pull/420/head@sha1:{SHA1}",
        f"main@sha256:{SHA256}",
        f"user@host/branch@sha1:{SHA1}",
    ],
)
def test_a_revision_is_read_and_written_as_it_was(text: str) -> None:
    assert str(Revision.parse(text)) == text


@pytest.mark.parametrize("text", ["", "main", "main@", "main@sha1:", "main@sha1:XYZ", "@sha1:00", "main/abc"])
def test_text_that_is_no_revision_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a revision"):
        Revision.parse(text)


def test_the_length_of_a_commit_names_its_algorithm() -> None:
    assert str(Revision.of_commit("main", SHA1)) == f"main@sha1:{SHA1}"
    assert str(Revision.of_commit("", SHA256)) == f"sha256:{SHA256}"


def test_people_read_seven_digits() -> None:
    assert Revision.of_commit("main", SHA1).short == "main@0123456"
    assert Revision.of_commit("", SHA1).short == "0123456"

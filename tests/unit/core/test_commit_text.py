"""What goes into a commit can't lie about it, and what we wrote is known again."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.core.codes import COMMIT_TEXT
from sluice.core.commit_text import (
    MAX_MESSAGE,
    CommitRead,
    Identity,
    UpdateMark,
    clean_message,
    identity,
    is_ours,
    mark_of,
    read_commit,
    with_mark,
)
from sluice.core.errors import UserError

BOT = Identity("Sluice", "sluice@example.com")
ADA = Identity("Ada", "ada@example.com")
MARK = UpdateMark("ImageUpdateAutomation/apps/web", "sha256:7f3a")

words = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60)


@pytest.mark.parametrize(
    ("name", "email", "expected"),
    [
        ("Sluice", "sluice@example.com", BOT),
        ("", "bot@example.com", Identity("bot", "bot@example.com")),
        ("  Ada \n Lovelace ", "ada@example.com\n", Identity("Ada Lovelace", "ada@example.com")),
        ("Eve <root@host>", "<eve@example.com>", Identity("Eve root@host", "eve@example.com")),
        ("E\x1b[31mve\u202e", "eve@example.com", Identity("E[31mve", "eve@example.com")),
        ('."Bot".', "bot@example.com", Identity("Bot", "bot@example.com")),
        ("...", "x", Identity("x", "x")),
    ],
)
def test_an_identity_is_one_line_that_git_can_store(name: str, email: str, expected: Identity) -> None:
    assert identity(name, email, field="f") == expected


@pytest.mark.parametrize("email", ["", " \n", "<>", "..."])
def test_an_author_without_an_address_is_refused_by_the_field(email: str) -> None:
    with pytest.raises(UserError) as caught:
        identity("Ada", email, field="spec.git.commit.author")
    (problem,) = caught.value.problems
    assert (problem.code, problem.field) == (COMMIT_TEXT, "spec.git.commit.author.email")


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Update\n", "Update"),
        ("\n\nUpdate  \r\n\r\n- web\t1 \n\n\n", "Update\n\n- web\t1"),
        ("a\x00b\x1b[2Jc\u202ed\x7f\x85e", "ab[2Jcde"),
        ("👩\u200d🚀 \u0645\u06cc\u200c", "👩\u200d🚀 \u0645\u06cc\u200c"),
        ("  indented\n  kept", "  indented\n  kept"),
    ],
)
def test_a_message_keeps_its_lines_and_loses_what_could_draw_on_a_terminal(text: str, cleaned: str) -> None:
    assert clean_message(text) == cleaned


@pytest.mark.parametrize("text", ["", " \n\t\n", "\x00\x1b"])
def test_an_empty_message_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="the commit message is empty"):
        clean_message(text)


@settings(deadline=None)  # a message over the limit takes a moment
@given(st.text(min_size=1), st.integers(1, 60_000))
def test_a_cleaned_message_is_bounded_and_cleaning_it_again_changes_nothing(text: str, times: int) -> None:
    try:
        cleaned = clean_message((text + "\n") * times)
    except UserError:
        return
    assert len(cleaned.encode()) <= MAX_MESSAGE
    assert clean_message(cleaned) == cleaned
    assert not [c for c in cleaned if unicodedata.category(c) in {"Cc", "Cs"} and c not in "\n\t"]


@given(st.text(), words, words)
def test_a_mark_is_found_again_in_whatever_message_it_was_added_to(text: str, owner: str, digest: str) -> None:
    try:
        message = clean_message(text)
    except UserError:
        return
    mark = UpdateMark(owner, digest)
    assert mark_of(with_mark(message, mark)) == mark
    assert mark_of(with_mark(message, mark) + "\n") == mark


def test_a_mark_joins_the_trailers_that_are_there() -> None:
    message = "Update web\n\nBody.\n\nCo-authored-by: Ada <ada@example.com>"
    assert with_mark(message, MARK) == f"{message}\n{MARK}"
    assert with_mark("Update: web", MARK) == f"Update: web\n\n{MARK}"
    assert with_mark(message, None) == message


@pytest.mark.parametrize(
    "message",
    [
        "Sluice-Update: a b\n\nquoted above the last paragraph",
        "x\n\n Sluice-Update: a b",
        "x\n\nSluice-Update: a",
        "x\n\nSluice-Update: ä b",
    ],
)
def test_what_only_looks_like_a_mark_is_none(message: str) -> None:
    assert mark_of(message) is None


@pytest.mark.parametrize(("owner", "digest"), [("", "x"), ("a b", "x"), ("a", "x\ny"), ("a", "x" * 301), ("ü", "x")])
def test_a_mark_is_made_of_two_words(owner: str, digest: str) -> None:
    with pytest.raises(ValueError, match="words"):
        UpdateMark(owner, digest)


def commit(
    author: Identity = BOT, committer: Identity = BOT, mark: UpdateMark | None = None, parents: int = 1
) -> bytes:
    lines = ["tree " + "0" * 40, *("parent " + str(n) * 40 for n in range(1, parents + 1))]
    lines += [f"{role} {who.name} <{who.email}> 1700000000 +0000" for role, who in
              (("author", author), ("committer", committer))]  # fmt: skip
    lines += ["gpgsig -----BEGIN PGP SIGNATURE-----", " author Eve <eve@example.com> 1 +0000", ""]
    return "\n".join([*lines, with_mark("Update web", mark)]).encode()


def test_a_commit_is_read_as_git_stores_it() -> None:
    assert read_commit("a" * 40, commit(ADA, BOT, MARK)) == CommitRead("a" * 40, ("1" * 40,), ADA, BOT, MARK)


@pytest.mark.parametrize(
    ("raw", "ours"),
    [
        (commit(), True),
        (commit(mark=MARK), True),
        (commit(author=ADA, mark=MARK), True),
        (commit(author=ADA), False),
        (commit(committer=ADA, mark=MARK), False),
        (commit(committer=Identity("other name", "SLUICE@example.com")), True),
        (commit(mark=MARK, parents=2), False),
        (commit(mark=MARK, parents=0), False),
        (commit().replace(b"author Sluice", b"author Ada <ada@example.com> 1 +0000\nauthor Sluice"), False),
        (b"", False),
        (b"tree x\nauthor \xff\ncommitter\n\n", False),
    ],
)
def test_a_commit_is_ours_when_we_committed_it_and_nobody_amended_it(raw: bytes, ours: bool) -> None:
    assert is_ours(read_commit("a" * 40, raw), BOT) is ours

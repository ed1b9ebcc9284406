"""Who writes a commit and what it says; and what of a commit that is read tells us that we wrote it.

A name, an address or a message may come from a template that a tenant wrote over image names that a registry chose:
nothing of it can end a header early, add one, or draw on a reader's terminal.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime

from sluice.core.codes import COMMIT_TEXT
from sluice.core.errors import UserError
from sluice.core.problem import Problem

MAX_MESSAGE = 64 * 1024
MAX_NAME = 200
TRAILER = "Sluice-Update"
# Begins the owner of a mark where a person asked for the commit: it counts as theirs, not as an automation's.
REQUEST_OWNER = "Request/"

_DIRECTION = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_TRAILER_LINE = re.compile(r"^[A-Za-z0-9-]+: \S")
_MARK = re.compile(rf"^{TRAILER}: (\S+) (\S+)$")
_PERSON = re.compile(r"^(?P<name>.*?) ?<(?P<email>[^<>]*)> (?P<time>-?\d+)(?: [+-]\d+)?$")


@dataclass(frozen=True, slots=True)
class Identity:
    """An author or a committer, as git can store it. Make it with `identity`."""

    name: str
    email: str


@dataclass(frozen=True, slots=True)
class UpdateMark:
    """Which decision a commit carries out: who decided (`ImageUpdateAutomation/apps/web`) and the decision's own name.

    Both are single words. Two decisions never share a mark: what is found in the history under a mark is not written
    again.
    """

    owner: str
    digest: str

    def __post_init__(self) -> None:
        if not all(re.fullmatch(r"[!-~]{1,300}", word) for word in (self.owner, self.digest)):
            raise ValueError("owner and digest of a mark are words of printable ASCII")

    def __str__(self) -> str:
        return f"{TRAILER}: {self.owner} {self.digest}"


@dataclass(frozen=True, slots=True)
class CommitText:
    """All of a commit but its tree and its parent. `at` has a time zone; `message` is as `clean_message` leaves it."""

    message: str
    author: Identity
    committer: Identity
    at: datetime


@dataclass(frozen=True, slots=True)
class CommitRead:
    """What a commit of the repository says of itself: its writer chose all of it but `commit` and `parents`."""

    commit: str
    parents: tuple[str, ...]
    author: Identity
    committer: Identity
    mark: UpdateMark | None


def identity(name: str, email: str, *, field: str) -> Identity:
    """Read an author as a spec gives one. Without a name it is the part of the address before the `@`.

    Raises UserError (CommitText) when no address is left once what git can't store is taken away.

    >>> identity("", "bot@example.com", field="spec.git.commit.author")
    Identity(name='bot', email='bot@example.com')
    """
    address = _plain(email).replace(" ", "")
    if not address:
        title = "a commit's author needs an email address"
        raise UserError(Problem(COMMIT_TEXT, title, field=f"{field}.email", fix="write one, such as bot@example.com"))
    return Identity(_plain(name) or _plain(address.partition("@")[0]) or address, address)


def _plain(text: str) -> str:
    """One line without what git refuses in a name: angle brackets, and punctuation at either end."""
    kept = "".join(c for c in _DIRECTION.sub("", text) if c not in "<>" and not _is_control(c))
    return " ".join(kept.split())[:MAX_NAME].strip(" .,:;\"\\'")


def clean_message(text: str) -> str:
    """A message without control characters (but line breaks and tabs), trailing blanks and blank ends.

    Cut to MAX_MESSAGE bytes at a line's end. Raises UserError (CommitText) when nothing is left.

    >>> clean_message("Update\\x1b[31m web \\r\\n\\n")
    'Update[31m web'
    """
    lines = ("".join(c for c in line if c == "\t" or not _is_control(c)) for line in _lines(text))
    cleaned = "\n".join(line.rstrip() for line in lines).strip("\n")
    cut = cleaned.encode()
    if len(cut) > MAX_MESSAGE:
        cleaned = cut[: MAX_MESSAGE - 8].decode(errors="ignore").rpartition("\n")[0].rstrip() + "\n…"
    if not cleaned.strip(" \t…\n"):
        title = "the commit message is empty"
        field = "spec.git.commit.messageTemplate"
        raise UserError(Problem(COMMIT_TEXT, title, field=field, fix="leave the field out to get the default message"))
    return cleaned


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cs"}


def _lines(text: str) -> list[str]:
    return _DIRECTION.sub("", text).replace("\r\n", "\n").split("\n")


def with_mark(message: str, mark: UpdateMark | None) -> str:
    """Add the mark as a trailer: after the trailers that end the message, or as a paragraph of its own.

    >>> print(with_mark("Update web", UpdateMark("release/apps/web", "7f3a")))
    Update web
    <BLANKLINE>
    Sluice-Update: release/apps/web 7f3a
    """
    if mark is None:
        return message
    head, _, last = message.rpartition("\n\n")
    joined = head and all(_TRAILER_LINE.match(line) for line in last.split("\n"))
    return f"{message}{chr(10) if joined else chr(10) * 2}{mark}"


def mark_of(message: str) -> UpdateMark | None:
    """The mark in the last paragraph of a commit's message, if it has one."""
    for line in reversed(message.rstrip("\n").rpartition("\n\n")[2].split("\n")):
        found = _MARK.match(line)
        if found is not None:
            try:
                return UpdateMark(found[1], found[2])
            except ValueError:
                return None
    return None


def read_commit(commit: str, raw: bytes) -> CommitRead:
    """Read a commit object. What is missing or malformed in it reads as empty, and so as somebody else's."""
    header, _, message = raw.decode("utf-8", "replace").partition("\n\n")
    fields: dict[str, list[str]] = {}
    for line in header.split("\n"):
        key, _, value = line.partition(" ")
        fields.setdefault(key, []).append(value)
    author, committer = (_person(fields.get(key, [])) for key in ("author", "committer"))
    return CommitRead(commit, tuple(fields.get("parent", [])), author, committer, mark_of(message))


def _person(values: list[str]) -> Identity:
    found = _PERSON.match(values[0]) if len(values) == 1 else None
    return Identity(found["name"], found["email"]) if found else Identity("", "")


def is_ours(commit: CommitRead, committer: Identity) -> bool:
    """True for a commit that we made and nobody has amended: our committer, and our mark or our name as the author.

    A merge is never ours: we make none.
    """
    us = committer.email.casefold()
    if len(commit.parents) != 1 or commit.committer.email.casefold() != us:
        return False
    return commit.mark is not None or commit.author.email.casefold() == us

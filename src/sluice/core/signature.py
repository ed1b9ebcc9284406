"""Signed commits and tags as bytes, and what gpg and ssh-keygen say of a signature → a key that is good, or why not.

Nothing here decides by an exit code alone: the one line of the program's machine status that says "good" must be
there, and none that says anything else. Whoever can push chooses every byte of a commit, so one that could be read in
two ways is refused before anybody looks at its signature.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

Fault = Literal["missing", "unknown", "expired", "invalid", "malformed"]

MODES = {"": "HEAD", "head": "HEAD", "HEAD": "HEAD", "Tag": "Tag", "TagAndHEAD": "TagAndHEAD"}
_SIGNATURE_HEADERS = frozenset({b"gpgsig", b"gpgsig-sha256"})
_ONCE = frozenset({b"tree", b"author", b"committer", b"encoding", b"object", b"type", b"tag", b"tagger"})
_TAG_SIGNATURE = re.compile(rb"^-----BEGIN (PGP|SSH) (SIGNATURE|MESSAGE)-----$", re.MULTILINE)
_STATUS = re.compile(r"^\[GNUPG:\] (\w+) ?(.*)$", re.MULTILINE)
_SSH_GOOD = re.compile(r'^Good "git" signature for (\S+) with \S+ key (SHA256:[A-Za-z0-9+/]+)$', re.MULTILINE)
_SSH_STRANGER = re.compile(r'^Good "git" signature with \S+ key (SHA256:[A-Za-z0-9+/]+)$', re.MULTILINE)
# gpg's words for a signature that can't count, whatever else it says of it.
_GPG_FAULTS: dict[str, Fault] = {
    "BADSIG": "invalid",
    "EXPSIG": "expired",
    "EXPKEYSIG": "expired",
    "REVKEYSIG": "expired",
    "ERRSIG": "invalid",
    "NO_PUBKEY": "unknown",
    "NODATA": "invalid",
}
_KEY_TYPES = re.compile(r"(?:ssh|ecdsa|sk-ssh|sk-ecdsa)-[a-z0-9@.-]+\Z")
_VALID_BEFORE = re.compile(r'valid-before="?(\d{8}|\d{12}|\d{14})(Z?)"?(?:,|\Z)', re.IGNORECASE)
ANYBODY = "anybody"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of a signature: the key that made it, as people name it, and what is wrong; empty when it holds."""

    key: str = ""
    fault: Fault | Literal[""] = ""
    why: str = ""

    @property
    def holds(self) -> bool:
        """True for a good signature by a trusted key that is in force."""
        return not self.fault


@dataclass(frozen=True, slots=True)
class TagFacts:
    """What a tag object says of itself."""

    target: str
    type: str
    name: str


def commit_fault(raw: bytes) -> Verdict | None:
    """What is wrong with a commit object before its signature is looked at: none there, or it has two readings."""
    headers, fault = _headers(raw)
    if fault:
        return Verdict(fault="malformed", why=fault)
    if not _SIGNATURE_HEADERS & headers.keys():
        return Verdict(fault="missing", why="it carries no signature")
    return None


def tag_fault(raw: bytes, name: str, commit: str) -> Verdict | None:
    """The same of a tag object, which must name that tag and that very commit: a signature is no good for another."""
    headers, fault = _headers(raw)
    if fault:
        return Verdict(fault="malformed", why=fault)
    said = TagFacts(*(headers.get(key, b"").decode("utf-8", "replace") for key in (b"object", b"type", b"tag")))
    if (said.target, said.type) != (commit, "commit"):
        return Verdict(fault="invalid", why=f"it is a tag of {said.type or 'nothing'} {said.target[:12]}")
    if said.name != name:
        return Verdict(fault="invalid", why=f"it was made for another tag, {said.name[:100]!r}")
    if not _TAG_SIGNATURE.search(raw):
        return Verdict(fault="missing", why="it carries no signature")
    return None


def _headers(raw: bytes) -> tuple[dict[bytes, bytes], str]:
    """The headers of a commit or tag, and why they can't be trusted to mean one thing; continuation lines are dropped.

    A header that must be there once is there once; `parent` and others of git's may come more often.
    """
    if b"\0" in raw:
        return {}, "it holds a NUL byte"
    head, separator, _ = raw.partition(b"\n\n")
    found: dict[bytes, bytes] = {}
    for line in head.split(b"\n"):
        name, _, value = line.partition(b" ")
        if not name:
            continue  # the next line of a header that goes on
        if name in found and name in _ONCE | _SIGNATURE_HEADERS:
            return {}, f"it has the header {name.decode('ascii', 'replace')!r} twice"
        found.setdefault(name, value)
    if not separator and not raw.endswith(b"\n"):
        return {}, "its headers do not end"
    return found, ""


def gpg_verdict(status: str, *, ok: bool) -> Verdict:
    """Judge by gpg's status lines, as `git verify-commit --raw` passes them on; `ok` is that the programs said yes."""
    lines = [(match[1], match[2]) for match in _STATUS.finditer(status)]
    for word, rest in lines:
        if word in _GPG_FAULTS and not (word == "ERRSIG" and ("NO_PUBKEY" in dict(lines))):
            return Verdict(rest.split(" ")[0], _GPG_FAULTS[word], _gpg_words(word))
    good = [rest for word, rest in lines if word == "GOODSIG"]
    valid = [rest.split(" ")[-1] for word, rest in lines if word == "VALIDSIG"]
    if ok and len(good) == len(valid) == 1:
        return Verdict(valid[0][-16:])
    if len(valid) > 1:
        return Verdict(fault="invalid", why="it is made of several signatures")
    return Verdict(fault="invalid", why="gpg can't read it")


def _gpg_words(word: str) -> str:
    return {
        "BADSIG": "it is over other content than this",
        "EXPSIG": "the signature has run out",
        "EXPKEYSIG": "the key has run out",
        "REVKEYSIG": "the key is revoked",
        "NO_PUBKEY": "the key is not among those that are trusted",
    }.get(word, "gpg can't check it")


def ssh_verdict(said: str, *, ok: bool, expired: frozenset[str] = frozenset()) -> Verdict:
    """Judge by ssh-keygen's words as git passes them on. `expired` are fingerprints of keys that are out of force."""
    good = _SSH_GOOD.findall(said)
    if ok and len(good) == 1:
        return Verdict(good[0][1])
    stranger = _SSH_STRANGER.findall(said)
    if not stranger:
        return Verdict(fault="invalid", why="it is over other content than this, or can't be read")
    key = stranger[0]
    if key in expired or "key has expired" in said or "key is not yet valid" in said:
        return Verdict(key, "expired", "the key was not in force")
    return Verdict(key, "unknown", "the key is not among those that are trusted")


@dataclass(frozen=True, slots=True)
class AllowedSigner:
    """One line of trusted SSH keys: as ssh-keygen reads it, its key in base64, and when it runs out, if it does."""

    line: str
    key: str
    until: datetime | None = None


def allowed_signer(text: str) -> AllowedSigner | None:
    """Read a line: a public key as in `id_ed25519.pub`, or one of ssh-keygen's allowed signers. None for no key at all.

    Raises ValueError for a line that is neither.
    """
    line = text.strip()
    if not line or line.startswith("#"):
        return None
    if not line.isprintable():
        raise ValueError("it holds control characters")
    words = line.split()
    at = next((n for n, word in enumerate(words[:-1]) if _KEY_TYPES.match(word)), None)
    if at is None:
        raise ValueError("it holds no SSH public key")
    if at == 0:
        return AllowedSigner(f'{ANYBODY} namespaces="git" {words[0]} {words[1]}', words[1])
    options = " ".join(words[1:at])
    until = None
    if "valid-before" in options.lower():
        found = _VALID_BEFORE.search(options)
        if found is None:
            raise ValueError("its valid-before can't be read")
        until = _moment(found[1])
    return AllowedSigner(line, words[at + 1], until)


def _moment(digits: str) -> datetime:
    """Local time means UTC here: an operator's clock is kept in UTC."""
    form = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}[len(digits)]
    return datetime.strptime(digits, form).replace(tzinfo=UTC)

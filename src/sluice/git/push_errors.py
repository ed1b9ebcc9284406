"""What a git host says when it does not take a push → one of our errors; beside `errors`, which knows all the rest.

Only the words that people read are chosen here. Whether somebody else was faster is never read from them: the remote
is asked where its ref stands.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sluice.core.codes import (
    NO_ATOMIC_PUSH,
    PROTECTED_BRANCH,
    PUSH_DECLINED,
    PUSH_DENIED,
    PUSH_OPTION,
    SIGNATURE_REQUIRED,
)
from sluice.core.errors import AuthenticationFailed, RemoteError, SluiceError, UserError
from sluice.core.problem import Code, Problem, clip, printable
from sluice.git.errors import redact, remote_error
from sluice.git.push import PushAnswer
from sluice.git.remote import Remote

MAX_CAUSE = 400
_MAX_WORDS = 4


@dataclass(frozen=True, slots=True)
class _Rule:
    pattern: re.Pattern[str]
    error: type[SluiceError]
    code: Code
    title: str
    field: str
    fix: str


def _rule(pattern: str, error: type[SluiceError], code: Code, title: str, field: str, fix: str) -> _Rule:
    return _Rule(re.compile(pattern, re.IGNORECASE), error, code, title, field, fix)


_CAN_NOT_WRITE = _rule(
    r"marked as read only|does not have write access|Write access to repository not granted|Permission to \S+ denied"
    r"|not allowed to push code to this project|archived|read-only|insufficient permission|The requested URL returned "
    r"error: 40[13]\b|could not read (?:Username|Password)|Authentication failed|access denied",
    AuthenticationFailed,
    PUSH_DENIED,
    "the git host does not let these credentials write to the repository",
    "spec.secretRef",
    "give the user, token or deploy key of the Secret the right to write",
)
# Refusals that may come before any ref is named, in this order.
_RULES = (
    _rule(
        r"does not support push options",
        UserError,
        PUSH_OPTION,
        "the git host takes no push options",
        "spec.git.push.options",
        "leave them out",
    ),
    _rule(
        r"does not support --atomic",
        UserError,
        NO_ATOMIC_PUSH,
        "the git host can't move two refs together",
        "spec.git.push",
        "set only one of branch and refspec",
    ),
    _rule(
        r"verified signature|unsigned|not signed|must be (?:GPG[- ]?)?signed",
        RemoteError,
        SIGNATURE_REQUIRED,
        "the git host wants signed commits",
        "spec.git.commit.signingKey",
        "name a Secret with a key that the host knows",
    ),
    _rule(
        r"protected|GH006|GH013|TF402455|rule violations",
        RemoteError,
        PROTECTED_BRANCH,
        "the git host protects the branch",
        "spec.git.push.branch",
        "let the user of the Secret push to it, or push to another branch and open a pull request",
    ),
    _CAN_NOT_WRITE,
)
_DECLINED = _rule(
    "",
    RemoteError,
    PUSH_DECLINED,
    "the git host refused the commit",
    "spec.git.push",
    "do what the host says; until then the push is tried again ever more rarely",
)
_REMOTE_LINE = re.compile(r"^(?:remote|error|fatal|ERROR): ?(.*?)\s*$")
_NOISE = re.compile(r"^(?:[-=*#\s]*|Resolving deltas.*|Create a pull request.*|failed to push some refs.*)$")


def push_error(answer: PushAnswer, remote: Remote, seconds: float) -> SluiceError:
    """The error that a push stands for which moved nothing, and which nobody else's push explains."""
    stderr = redact(answer.output.stderr, remote.auth)
    refused = [result for result in answer.results if result.flag == "!"]
    said = "\n".join([stderr, *(result.summary for result in refused)])
    rule = next((rule for rule in _RULES if rule.pattern.search(said)), _DECLINED if refused else None)
    if rule is None or answer.output.timed_out:
        return remote_error(answer.output, remote.url, remote.auth, timeout=seconds)
    parts = [f"{result.ref.removeprefix('refs/heads/')}: {_reason(result.summary)}" for result in refused[:1]]
    words = _words(stderr)
    if words:
        parts.append(f"it says: {words}")
    if rule is _CAN_NOT_WRITE and not remote.auth.has_credentials:
        parts.append("no credentials were sent")
    if rule is _CAN_NOT_WRITE and remote.auth.fingerprint:
        parts.append(f"the key used is {remote.auth.fingerprint}")
    cause = clip(printable(f"{remote.url}: " + "; ".join(parts)), MAX_CAUSE)
    return rule.error(Problem(rule.code, rule.title, field=rule.field, cause=cause, fix=rule.fix))


def _reason(summary: str) -> str:
    """`[remote rejected] (pre-receive hook declined)` → `pre-receive hook declined`."""
    inner = re.search(r"\((.*)\)$", summary)
    return inner[1] if inner else summary


def _words(stderr: str) -> str:
    """The host's own sentences, without rules and progress."""
    found = (_REMOTE_LINE.match(line) for line in stderr.splitlines())
    lines = [match[1] for match in found if match and not _NOISE.match(match[1])]
    return " / ".join(dict.fromkeys(lines[:_MAX_WORDS]))

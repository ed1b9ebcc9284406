"""Secrets on the command line: everyone on the machine can read them there, so they are refused at once."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sluice.cli.exit_codes import UsageRefused
from sluice.core import codes
from sluice.core.problem import Problem

_FLAGS = ("--token", "--password", "--bearer-token", "--git-token", "--git-password", "--private-key")
# What the hosts' tokens and JSON Web Tokens begin with.
_LOOKS_SECRET = re.compile(
    r"(?:^|[=:/])(?:gh[pousr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{16,}|glpat-[A-Za-z0-9_-]{16,}"
    r"|xox[abprs]-[A-Za-z0-9-]{10,}|eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{4,}\.|AKIA[A-Z0-9]{16}\b"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY|AGE-SECRET-KEY-1)"
)
_PASSWORD_IN_URL = re.compile(r"[a-z+]+://[^/@\s:]*:[^/@\s]+@")


def refuse_secrets(arguments: Sequence[str]) -> None:
    """Raise UsageRefused when an argument is, or is about to be, a secret. The secret itself is not repeated."""
    for number, argument in enumerate(arguments, 1):
        if argument == "--":
            return
        flag = argument.partition("=")[0]
        if flag in _FLAGS:
            raise _refused(f"{flag} would put a secret on the command line")
        if _LOOKS_SECRET.search(argument) or _PASSWORD_IN_URL.search(argument):
            raise _refused(f"argument {number} looks like a secret")


def _refused(title: str) -> UsageRefused:
    return UsageRefused(
        Problem(
            codes.SECRET_ARGUMENT,
            title,
            cause="other users of this machine and its shell history can read arguments",
            fix="put it into a Secret of the cluster and name that, or give it on standard input or in a file; "
            "and replace this one: it has been exposed",
        )
    )

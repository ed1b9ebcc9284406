"""The exit codes, one table for all verbs, and the one place where an error becomes one of them."""

from __future__ import annotations

from enum import IntEnum

from sluice.core import codes
from sluice.core.errors import AuthenticationFailed, ClusterError, SluiceError, UserError
from sluice.core.problem import Code


class ExitCode(IntEnum):
    """What a verb's exit says."""

    DONE = 0
    NO = 1
    USAGE = 2
    FAILED = 3
    NOT_PERMITTED = 4
    TIMED_OUT = 5
    UNREACHABLE = 6
    NOT_FOUND = 7
    INTERRUPTED = 130


MEANINGS: dict[ExitCode, str] = {
    ExitCode.DONE: "done; true; no difference",
    ExitCode.NO: "the answer is no: differences, not ready, suspended, problems found",
    ExitCode.USAGE: "the command line can't be used so",
    ExitCode.FAILED: "it ran and failed",
    ExitCode.NOT_PERMITTED: "not authenticated or not permitted",
    ExitCode.TIMED_OUT: "timed out waiting; the outcome is not known",
    ExitCode.UNREACHABLE: "cluster, git host or registry can't be reached",
    ExitCode.NOT_FOUND: "the named object does not exist",
    ExitCode.INTERRUPTED: "interrupted",
}

_BY_CODE: dict[Code, ExitCode] = {
    codes.USAGE: ExitCode.USAGE,
    codes.SECRET_ARGUMENT: ExitCode.USAGE,
    codes.SUSPENDED: ExitCode.NO,
    codes.UNMANAGED: ExitCode.NO,
    codes.KUBECONFIG_MISSING: ExitCode.NOT_PERMITTED,
    codes.KUBECONFIG_INVALID: ExitCode.NOT_PERMITTED,
    codes.UNAUTHENTICATED: ExitCode.NOT_PERMITTED,
    codes.FORBIDDEN: ExitCode.NOT_PERMITTED,
    codes.AUTH_REFUSED: ExitCode.NOT_PERMITTED,
    codes.HOST_UNVERIFIED: ExitCode.NOT_PERMITTED,
    codes.WAIT_TIMEOUT: ExitCode.TIMED_OUT,
    codes.HEALTH_TIMEOUT: ExitCode.TIMED_OUT,
    codes.API_UNAVAILABLE: ExitCode.UNREACHABLE,
    codes.REMOTE_UNREACHABLE: ExitCode.UNREACHABLE,
    codes.REGISTRY_UNREACHABLE: ExitCode.UNREACHABLE,
    codes.REGISTRY_AUTH: ExitCode.NOT_PERMITTED,
    codes.TARGET_MISSING: ExitCode.NOT_FOUND,
    codes.WORKLOAD_MISSING: ExitCode.NOT_FOUND,
    codes.CONTAINER_MISSING: ExitCode.NOT_FOUND,
    codes.MANIFEST_MISSING: ExitCode.NOT_FOUND,
    codes.RELEASE_HELD: ExitCode.NO,
}


class UsageRefused(UserError):
    """The command line can't be used so, whatever the problem's code: exit 2."""


def exit_code_of(error: SluiceError) -> ExitCode:
    """The exit code of an error: its class where that decides, else the code of its first problem."""
    if isinstance(error, UsageRefused):
        return ExitCode.USAGE
    first = error.problems[0].code if error.problems else None
    if first is not None and first in _BY_CODE:
        return _BY_CODE[first]
    if isinstance(error, AuthenticationFailed):
        return ExitCode.NOT_PERMITTED
    if isinstance(error, ClusterError) and error.status == 0:
        return ExitCode.UNREACHABLE
    return ExitCode.FAILED


def table() -> str:
    """The table as `--help` prints it."""
    return "\n".join(f"  {code.value:>3}  {text}" for code, text in MEANINGS.items())

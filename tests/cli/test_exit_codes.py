"""Errors to exit codes: one table, each row held here."""

from __future__ import annotations

import pytest

from sluice import __version__
from sluice.cli.exit_codes import MEANINGS, ExitCode, UsageRefused, exit_code_of, table
from sluice.cli.version import version_skew
from sluice.core import codes
from sluice.core.errors import AuthenticationFailed, ClusterError, NotReady, RemoteError, SluiceError, UserError
from sluice.core.problem import Code, Problem


def problem(code: Code) -> Problem:
    return Problem(code, "x")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UserError(problem(codes.SUSPENDED)), 1),
        (UserError(problem(codes.UNMANAGED)), 1),
        (UserError(problem(codes.USAGE)), 2),
        (UsageRefused(problem(codes.BAD_NAME)), 2),
        (UserError(problem(codes.SECRET_ARGUMENT)), 2),
        (UserError(problem(codes.BAD_NAME)), 3),
        (UserError(problem(codes.ALREADY_INSTALLED)), 3),
        (UserError(problem(codes.FILE_MISSING)), 3),
        (UserError(problem(codes.KUBECONFIG_MISSING)), 4),
        (UserError(problem(codes.KUBECONFIG_INVALID)), 4),
        (ClusterError(problem(codes.FORBIDDEN), status=403, reason="Forbidden"), 4),
        (AuthenticationFailed(problem(codes.SOURCE_MISSING)), 4),
        (NotReady(problem(codes.WAIT_TIMEOUT)), 5),
        (ClusterError(problem(codes.API_UNAVAILABLE), status=0, reason="Unreachable"), 6),
        (RemoteError(problem(codes.REMOTE_UNREACHABLE)), 6),
        (RemoteError(problem(codes.REGISTRY_UNREACHABLE)), 6),
        (RemoteError(problem(codes.REGISTRY_AUTH)), 4),
        (RemoteError(problem(codes.MANIFEST_MISSING)), 7),
        (UserError(problem(codes.TARGET_MISSING)), 7),
        (UserError(problem(codes.WORKLOAD_MISSING)), 7),
        (UserError(problem(codes.CONTAINER_MISSING)), 7),
        (UsageRefused(problem(codes.LOCAL_ONLY)), 2),
        (UserError(problem(codes.RELEASE_HELD)), 1),
        (UserError(problem(codes.EDIT_RACE)), 3),
        (ClusterError(problem(codes.INVALID_OBJECT), status=422, reason="Invalid"), 3),
    ],
)
def test_an_error_has_the_exit_code_of_the_table(error: SluiceError, code: int) -> None:
    assert exit_code_of(error) == code


def test_every_exit_code_has_a_meaning_and_is_printed() -> None:
    assert set(MEANINGS) == set(ExitCode)
    assert all(meaning in table() for meaning in MEANINGS.values())


@pytest.mark.parametrize(
    ("operator", "minor", "warns"),
    [("", "37", 0), (__version__, "31", 0), (f"{__version__}-rc.1", "37", 0), ("99.0.0", "37", 1), ("99.0.0", "20", 2)],
)
def test_b147_versions_that_do_not_go_together_are_warned_about(operator: str, minor: str, warns: int) -> None:
    found = version_skew(operator, "1", minor)
    assert len(found) == warns
    assert all(warning.startswith("VersionSkew: ") for warning in found)

"""The one error of the package: what could not be done, why, and what the person at the keyboard can do."""

from __future__ import annotations


class DevclusterError(Exception):
    """The cluster could not be built, booted or found; `str()` is complete and fit to print as it is."""

    def __init__(self, what: str, cause: str, fix: str) -> None:
        super().__init__(f"{what}\n  cause: {cause}\n  fix:   {fix}")
        self.what = what
        self.cause = cause
        self.fix = fix

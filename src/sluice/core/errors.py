"""Errors, grouped by who can fix them. Each carries `Problem`s; libraries' exceptions are translated once, at the edge.

Expected states (health, refusals, "no such object") are values. An exception means that the function could not do
its job, and its class says what happens next: a `UserError` waits for new input, the others are tried again.
"""

from __future__ import annotations

from dataclasses import dataclass

from sluice.core.problem import Problem, summarize


class SluiceError(Exception):
    """The root; never raised itself."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__(*problems)
        self.problems: tuple[Problem, ...] = problems

    def __str__(self) -> str:
        return summarize(self.problems)


class UserError(SluiceError):
    """The repository or the spec must change first: no retry until the input does."""


class NotReady(SluiceError):
    """Something else must happen first (a source, a dependency): quiet retry, or woken by it."""


class RemoteError(SluiceError):
    """A git host, a registry or a webhook answered wrongly or not at all: retried with backoff."""


class AuthenticationFailed(RemoteError):
    """The remote refused the credentials or could not be trusted (host key, certificate)."""


class StateError(SluiceError):
    """Our own record or store can't be read: this owner stops, and the message says how to recover."""


class Bug(SluiceError):
    """An invariant broke: this item stops, the stack is kept, it is counted."""


@dataclass(frozen=True, slots=True)
class StatusCause:
    """One structured cause of an API server's refusal: the field, the machine-readable reason, the sentence."""

    field: str
    reason: str
    message: str


class ClusterError(SluiceError):
    """The API server answered with an error, or not at all (`status` 0).

    `reason` is the API's own (`NotFound`, `Conflict`, `Invalid`, …); `retry_after` is seconds, when it said so.
    """

    def __init__(
        self,
        *problems: Problem,
        status: int,
        reason: str,
        message: str = "",
        causes: tuple[StatusCause, ...] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(*problems)
        self.status = status
        self.reason = reason
        self.message = message
        self.causes = causes
        self.retry_after = retry_after

    @property
    def is_temporary(self) -> bool:
        """True when the same request may succeed later without anyone changing anything."""
        return self.status in {0, 408, 429} or self.status >= 500

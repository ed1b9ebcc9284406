"""What one notification may use."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NotifyLimits:
    """Seconds, bytes and counts. `attempt_seconds` is for providers without a timeout, as in Flux."""

    attempt_seconds: float = 15.0
    connect_seconds: float = 10.0
    answer_bytes: int = 256 << 10
    redirects: int = 3
    connections: int = 64


DEFAULT_LIMITS = NotifyLimits()

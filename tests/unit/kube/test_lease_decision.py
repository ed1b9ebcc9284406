"""What a candidate does is a function of what it saw."""

from __future__ import annotations

import pytest

from sluice.kube.lease import Decision, Lease, LeaseMeta, LeaseSpec, LeaseTiming, Seen, decide


def lease(holder: str | None, duration: int | None = 10) -> Lease:
    return Lease(LeaseMeta("leader", "apps"), LeaseSpec(holder, duration))


@pytest.mark.parametrize(
    ("seen", "now", "decision"),
    [
        (Seen(None, 0.0), 0.0, Decision.CREATE),
        (Seen(lease("me"), 0.0), 99.0, Decision.RENEW),
        (Seen(lease("other"), 0.0), 9.9, Decision.WAIT),
        (Seen(lease("other"), 0.0), 10.0, Decision.TAKE),
        (Seen(lease("other"), 5.0), 10.0, Decision.WAIT),
        (Seen(lease(""), 0.0), 0.0, Decision.TAKE),
        (Seen(lease(None), 0.0), 0.0, Decision.TAKE),
        (Seen(lease("other", None), 0.0), 0.0, Decision.TAKE),
    ],
)
def test_a_candidate_decides(seen: Seen, now: float, decision: Decision) -> None:
    assert decide(seen, "me", now) is decision


@pytest.mark.parametrize("timing", [(10, 10, 1), (10, 5, 5), (10, 5, 0), (5, 10, 1)])
def test_a_timing_that_could_let_two_hold_is_refused(timing: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="renew deadline"):
        LeaseTiming(*timing)

"""What alerts made for fluxd read of flag mode."""

from __future__ import annotations

from prometheus_client import REGISTRY

from sluice.runtime.fluxd_metrics import FluxdMetrics


def read(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_the_manifests_of_the_last_sync_of_every_path_are_added_up() -> None:
    told = FluxdMetrics()
    told.synced("flag-1", 1.0, 7, 0, succeeded=True)
    told.synced("flag-2", 1.0, 0, 3, succeeded=False)
    assert [read("flux_daemon_sync_manifests", success=s) for s in ("true", "false")] == [7, 3]
    told.synced("flag-2", 1.0, 5, 0, succeeded=True)
    assert [read("flux_daemon_sync_manifests", success=s) for s in ("true", "false")] == [12, 0]


def test_a_failed_sync_does_not_count_as_a_successful_one() -> None:
    before = [read("flux_daemon_sync_duration_seconds_count", success=s) for s in ("true", "false")]
    FluxdMetrics().synced("flag", 1.0, 0, 1, succeeded=False)
    after = [read("flux_daemon_sync_duration_seconds_count", success=s) for s in ("true", "false")]
    assert after == [before[0], before[1] + 1]


def test_the_repository_is_ready_from_the_first_fetch_to_the_first_failure() -> None:
    told = FluxdMetrics()
    assert read("flux_git_ready") == 0
    told.fetched(succeeded=True)
    assert read("flux_git_ready") == 1
    told.fetched(succeeded=False)
    assert read("flux_git_ready") == 0

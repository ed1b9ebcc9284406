"""Tests of notifications share one operator per module; each gets a server of its own that takes them."""

from collections.abc import Iterator

import pytest

from tests.notification_sink import NotificationSink
from tests.operator_fixture import bench, crds, log_capture

__all__ = ["bench", "crds", "log_capture"]


@pytest.fixture
def sink() -> Iterator[NotificationSink]:
    """A receiver of notifications."""
    with NotificationSink() as opened:
        yield opened

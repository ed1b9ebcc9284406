"""Tests of the image kinds share one operator per module; the registry is the session's."""

from tests.operator_fixture import bench, crds, log_capture

__all__ = ["bench", "crds", "log_capture"]

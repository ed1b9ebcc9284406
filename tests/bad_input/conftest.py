"""Rows that need a running operator share one per module."""

from tests.operator_fixture import bench, crds, log_capture

__all__ = ["bench", "crds", "log_capture"]

"""Tests of updates that are asked of the operator: one operator per module, which may reach the session's registry."""

from tests.operator_fixture import crds, log_capture
from tests.registry_bench import bench

__all__ = ["bench", "crds", "log_capture"]

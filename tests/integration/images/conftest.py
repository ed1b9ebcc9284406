"""Tests of the image kinds share one operator per module, and each gets a registry and a git server of its own."""

from devcluster.fixture import registry
from tests.operator_fixture import bench, crds, log_capture

__all__ = ["bench", "crds", "log_capture", "registry"]

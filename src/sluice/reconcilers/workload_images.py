"""The images of running workloads, known from watches, and the tags that their registries list.

What automated workloads use is scanned in the background, each repository once a minute (one request while nothing is
new) and single tags by fluxd's rule; other images are scanned when somebody looks.
"""

from __future__ import annotations

from collections.abc import Sequence

from sluice.core.image import ImageRef
from sluice.core.running_workload import RunningWorkload
from sluice.registry.scanner import ScanResult


class WorkloadImages:
    """What runs, and what could run."""

    def workloads(self, namespace: str = "") -> Sequence[RunningWorkload]:
        """The workloads of a namespace (empty: all), in the order of their names."""
        raise NotImplementedError

    def tags(self, image: ImageRef, namespace: str = "") -> ScanResult | None:
        """What is known of the tags of an image's repository; None while it has not been scanned.

        `namespace` matters with CRDs alone, where what one namespace's logins see is kept apart.
        """
        raise NotImplementedError

    async def look(self, image: ImageRef, namespace: str = "") -> ScanResult:
        """Scan now, unless that was done a minute ago or less. Build times are looked up for all tags."""
        raise NotImplementedError

    def notified(self, image: ImageRef) -> bool:
        """Somebody says that the repository has another tag: it is scanned at once, if its image is automated."""
        raise NotImplementedError

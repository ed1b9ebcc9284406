"""What an old fluxctl sends: a release as query parameters, policies as a bare body. Both become an UpdateSpec."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sluice.core.fluxd_api.fault import malformed

MAX_NAMES = 1000


def update_images(services: Sequence[str], image: str, kind: str, excludes: Sequence[str]) -> dict[str, Any]:
    """The `spec` of POST /v6/update-images. Raises ApiFault when there are too many names."""
    if len(services) + len(excludes) > MAX_NAMES:
        raise malformed(f"more than {MAX_NAMES} workloads are named")
    return {"ServiceSpecs": list(services), "ImageSpec": image, "Kind": kind, "Excludes": list(excludes) or None}


def update_spec(kind: str, spec: Any, user: str, message: str) -> dict[str, Any]:
    """The whole body, as POST /v9/update-manifests takes it."""
    return {"type": kind, "cause": {"User": user, "Message": message}, "spec": spec}

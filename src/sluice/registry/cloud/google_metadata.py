"""The metadata server of Google's machines and of GKE's pods."""

from __future__ import annotations

from collections.abc import Mapping

from sluice.registry.cloud.exchange import CloudClient

HOST = "metadata.google.internal"


async def metadata(client: CloudClient, environment: Mapping[str, str], path: str) -> bytes:
    """What it says at a path. GCE_METADATA_HOST replaces its name. Raises RegistryError (CloudToken)."""
    host = environment.get("GCE_METADATA_HOST") or HOST
    url = f"http://{host}/computeMetadata/v1/{path}"
    return await client.send("the Google metadata server", "GET", url, headers={"Metadata-Flavor": "Google"})

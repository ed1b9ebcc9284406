"""Tiny images for a registry: a configuration with a creation time and labels, one small layer, a manifest.

Equal arguments give equal bytes, and so equal digests.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


@dataclass(frozen=True, slots=True)
class Blob:
    """Some bytes under their digest."""

    media_type: str
    content: bytes

    @property
    def digest(self) -> str:
        """The digest by which a registry knows it."""
        return digest_of(self.content)

    def descriptor(self) -> dict[str, Any]:
        """How a manifest names it."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.content)}


@dataclass(frozen=True, slots=True)
class Image:
    """A manifest with what it names."""

    manifest: bytes
    media_type: str
    blobs: tuple[Blob, ...]
    platform: Mapping[str, str]

    @property
    def digest(self) -> str:
        """The manifest's digest."""
        return digest_of(self.manifest)


@dataclass(frozen=True, slots=True)
class Index:
    """An image for several platforms."""

    manifest: bytes
    media_type: str
    images: tuple[Image, ...]

    @property
    def digest(self) -> str:
        """The index's digest."""
        return digest_of(self.manifest)


def make_image(
    *,
    created: str = "2026-01-02T03:04:05Z",
    labels: Mapping[str, str] | None = None,
    platform: str = "linux/amd64",
    content: str = "",
    docker: bool = False,
    config: bytes | None = None,
    config_type: str = "",
) -> Image:
    """An image; `created` may be empty. `content` goes into the layer, and makes images differ that else would not.

    `docker` uses Docker's media types instead of OCI's. `config` replaces the whole configuration, `config_type` its
    media type.
    """
    system, _, architecture = platform.partition("/")
    layer = Blob(DOCKER_LAYER if docker else OCI_LAYER, _layer(content))
    body: dict[str, Any] = {
        "architecture": architecture,
        "os": system,
        "config": {"Labels": dict(labels)} if labels else {},
        "rootfs": {"type": "layers", "diff_ids": [digest_of(gzip.decompress(layer.content))]},
    }
    if created:
        body["created"] = created
    described = Blob(config_type or (DOCKER_CONFIG if docker else OCI_CONFIG), config or _json(body))
    media_type = DOCKER_MANIFEST if docker else OCI_MANIFEST
    manifest = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": described.descriptor(),
        "layers": [layer.descriptor()],
    }
    return Image(_json(manifest), media_type, (described, layer), {"os": system, "architecture": architecture})


def make_index(images: Sequence[Image], *, docker: bool = False) -> Index:
    """An index (with `docker`, a manifest list) of images for different platforms."""
    media_type = DOCKER_LIST if docker else OCI_INDEX
    entries = [
        {
            "mediaType": image.media_type,
            "digest": image.digest,
            "size": len(image.manifest),
            "platform": dict(image.platform),
        }
        for image in images
    ]
    body = {"schemaVersion": 2, "mediaType": media_type, "manifests": entries}
    return Index(_json(body), media_type, tuple(images))


def digest_of(content: bytes) -> str:
    """The sha256 digest as registries write it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _layer(content: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo("content")
        entry.size = len(content.encode())
        archive.addfile(entry, io.BytesIO(content.encode()))
    return gzip.compress(buffer.getvalue(), mtime=0)


def _json(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()

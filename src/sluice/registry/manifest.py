"""Manifests, indexes and image configurations, as bytes, to what is known of an image. Pure.

OCI image specification 1.1, Docker image manifest version 2 schema 2 and its list, and schema 1 as far as old
registries still serve it. Digests are computed, never believed.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from sluice.core.timestamp import parse_rfc3339

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
SCHEMA1_SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws"
SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+json"
ACCEPT = ", ".join((OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST, SCHEMA1_SIGNED, SCHEMA1))
IMAGE_CONFIGS = {"application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"}

MAX_ENTRIES = 1_000
MAX_LABELS = 64
MAX_LABEL_KEY = 256
MAX_LABEL_VALUE = 1024
CREATED_LABELS = ("org.opencontainers.image.created", "org.label-schema.build-date")
NEVER = "0001-01-01T00:00:00Z"

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}", re.ASCII)


class ManifestError(ValueError):
    """Bytes that are not what their media type says; the text says why."""


@dataclass(frozen=True, slots=True)
class Platform:
    """What a node runs. An empty variant takes any."""

    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return f"{self.os} {self.architecture}" + (f" {self.variant}" if self.variant else "")


LINUX_AMD64 = (Platform("linux", "amd64"),)


@dataclass(frozen=True, slots=True)
class Reference:
    """Some bytes of a registry that something else names: a configuration, or another manifest. `size` 0: unknown."""

    digest: str
    size: int = 0
    is_config: bool = False


@dataclass(frozen=True, slots=True)
class Description:
    """What is known of an image: when it was made, its labels, or why it is none for these platforms (`excluded`)."""

    created: datetime | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    excluded: str = ""


class _Platform(msgspec.Struct):
    os: str = ""
    architecture: str = ""
    variant: str = ""


class _Descriptor(msgspec.Struct, rename="camel"):
    digest: str = ""
    media_type: str = ""
    size: int = 0
    platform: _Platform | None = None


class _History(msgspec.Struct, rename="camel"):
    v1_compatibility: str = ""


class _Manifest(msgspec.Struct, rename="camel"):
    schema_version: int = 0
    media_type: str = ""
    config: _Descriptor | None = None
    manifests: list[_Descriptor] | None = None
    layers: list[msgspec.Raw] | None = None
    history: list[_History] | None = None


class _ImageConfig(msgspec.Struct):
    # Of any type: an odd label must not hide the creation time.
    labels: Any = msgspec.field(name="Labels", default=None)


class _Image(msgspec.Struct):
    created: Any = None
    config: _ImageConfig | None = None
    container_config: _ImageConfig | None = None


_MANIFEST = msgspec.json.Decoder(_Manifest)
_IMAGE = msgspec.json.Decoder(_Image)


def digest_of(content: bytes, algorithm: str = "sha256") -> str:
    """The digest of some bytes; the algorithm is sha256, sha384 or sha512."""
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def manifest_digest(content: bytes, media_type: str, algorithm: str = "sha256") -> str:
    """The digest by which a registry knows a manifest: for a signed schema 1, of what was signed alone.

    Raises ManifestError when that can't be told.
    """
    if media_type == SCHEMA1_SIGNED:
        content = _signed_payload(content)
    return digest_of(content, algorithm)


def read_manifest(
    content: bytes, media_type: str, platforms: Sequence[Platform] = LINUX_AMD64
) -> Reference | Description:
    """What to read next of an image (the entry of an index, a configuration), or its description if that is all.

    `platforms` are in order of preference. Raises ManifestError.
    """
    body = _decode(content)
    kind = media_type if media_type not in {"", "application/json", "text/plain"} else body.media_type
    if body.media_type and body.media_type != kind:
        raise ManifestError(f"it is served as {kind} and says that it is {body.media_type}")
    if body.manifests is not None and (body.config is not None or body.layers is not None):
        # What one reader takes for an index and another for a manifest (CVE-2021-41190).
        raise ManifestError("it is an index and a manifest at once")
    if kind in {OCI_INDEX, DOCKER_LIST} or (not kind and body.manifests is not None):
        return _choose(body.manifests or [], platforms, "manifestlist" if kind == DOCKER_LIST else "index")
    if kind in {SCHEMA1, SCHEMA1_SIGNED} or body.schema_version == 1:
        return _schema1(body)
    if body.config is None:
        raise ManifestError(f"a manifest without a configuration ({kind or 'of no media type'})")
    if body.config.media_type not in IMAGE_CONFIGS:
        return Description(excluded=f"it is not a container image but {body.config.media_type or 'something unnamed'}")
    return _reference(body.config, is_config=True)


def read_config(content: bytes) -> Description:
    """Creation time and labels of an image's configuration. Raises ManifestError."""
    try:
        image = _IMAGE.decode(content)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ManifestError(f"no image configuration: {error}") from error
    labels: dict[str, str] = {}
    for config in (image.config, image.container_config):
        for name, value in _labels(config).items():
            if len(labels) < MAX_LABELS:
                labels.setdefault(name, value)
    return Description(_moment(image.created), labels)


def created_by_label(labels: Mapping[str, str]) -> tuple[datetime | None, str]:
    """The creation time that labels give, and the name of a label whose time can't be read (empty: none).

    `org.opencontainers.image.created` counts before `org.label-schema.build-date`, as for fluxd.
    """
    for name in CREATED_LABELS:
        if name in labels:
            moment = parse_rfc3339(labels[name])
            return (moment, "") if moment is not None else (None, name)
    return None, ""


def _decode(content: bytes) -> _Manifest:
    try:
        return _MANIFEST.decode(content)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ManifestError(f"no manifest: {error}") from error


def _choose(entries: list[_Descriptor], platforms: Sequence[Platform], word: str) -> Reference | Description:
    if len(entries) > MAX_ENTRIES:
        raise ManifestError(f"an index of {len(entries)} entries, limit {MAX_ENTRIES}")
    for wanted in platforms:
        for entry in entries:
            if entry.platform is not None and _runs(entry.platform, wanted):
                return _reference(entry)
    if len(entries) == 1 and entries[0].platform is None:
        return _reference(entries[0])
    names = ", ".join(map(str, platforms))
    return Description(excluded=f"no suitable manifest ({names}) in {word}")


def _runs(offered: _Platform, wanted: Platform) -> bool:
    return (
        offered.os == wanted.os
        and offered.architecture == wanted.architecture
        and wanted.variant in {"", offered.variant}
    )


def _reference(descriptor: _Descriptor, *, is_config: bool = False) -> Reference:
    if not _DIGEST.fullmatch(descriptor.digest):
        raise ManifestError("it names something by what is no digest")
    return Reference(descriptor.digest, max(descriptor.size, 0), is_config)


def _schema1(body: _Manifest) -> Description:
    """The newest layer's own description is the image's."""
    if not body.history:
        raise ManifestError("schema 1 without history")
    return read_config(body.history[0].v1_compatibility.encode("utf-8", "surrogatepass"))


class _Signature(msgspec.Struct):
    protected: str = ""


class _Signed(msgspec.Struct):
    signatures: list[_Signature] = []


class _Protected(msgspec.Struct, rename="camel"):
    format_length: int
    format_tail: str


def _signed_payload(content: bytes) -> bytes:
    """What a signed schema 1 manifest was before its signatures were put in, as the signature itself tells."""
    try:
        signatures = msgspec.json.decode(content, type=_Signed).signatures
        if not signatures:
            return content
        protected = msgspec.json.decode(_base64url(signatures[0].protected), type=_Protected)
        tail = _base64url(protected.format_tail)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ManifestError("its signature can't be read") from error
    if not 0 <= protected.format_length <= len(content):
        raise ManifestError("its signature is of other bytes")
    return content[: protected.format_length] + tail


def _base64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _labels(config: _ImageConfig | None) -> dict[str, str]:
    found = config.labels if config is not None else None
    if not isinstance(found, dict):
        return {}
    return {
        name: value
        for name, value in found.items()
        if isinstance(name, str) and isinstance(value, str) and len(name) <= MAX_LABEL_KEY
        and len(value) <= MAX_LABEL_VALUE
    }  # fmt: skip


def _moment(value: object) -> datetime | None:
    """None for a time that was never set, which Go writes as the year 1."""
    if not isinstance(value, str) or value == NEVER:
        return None
    return parse_rfc3339(value)

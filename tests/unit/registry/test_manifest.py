"""Manifests as bytes: schema 1 as old registries serve it, choice of a platform, odd configurations."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devcluster.images import DOCKER_LIST, OCI_INDEX, OCI_MANIFEST, make_image, make_index
from sluice.registry.manifest import (
    MAX_LABELS,
    SCHEMA1,
    SCHEMA1_SIGNED,
    Description,
    ManifestError,
    Platform,
    Reference,
    created_by_label,
    manifest_digest,
    read_config,
    read_manifest,
)

AMD64, ARM, ARM_V7 = Platform("linux", "amd64"), Platform("linux", "arm"), Platform("linux", "arm", "v7")


def schema1(*created: str) -> bytes:
    """An unsigned schema 1 manifest, its layers newest first."""
    history = [{"v1Compatibility": json.dumps({"created": c, "config": {"Labels": {"n": str(i)}}})}
               for i, c in enumerate(created)]  # fmt: skip
    body = {"schemaVersion": 1, "name": "web", "tag": "v1", "fsLayers": [{"blobSum": "x"}], "history": history}
    return json.dumps(body, indent=3).encode()


def signed(payload: bytes) -> bytes:
    """The same as registries served it: the signatures stand inside of what they sign."""
    head, tail = payload[:-2], payload[-2:]
    protected = {"formatLength": len(head), "formatTail": base64.urlsafe_b64encode(tail).decode().rstrip("=")}
    text = base64.urlsafe_b64encode(json.dumps(protected).encode()).decode().rstrip("=")
    return head + b',\n   "signatures": ' + json.dumps([{"protected": text, "signature": "s"}]).encode() + tail


@pytest.mark.parametrize("media_type", [SCHEMA1, SCHEMA1_SIGNED, "", "application/json"])
def test_schema_1_tells_the_newest_layers_time_and_labels(media_type: str) -> None:
    content = schema1("2019-03-04T05:06:07.123456789Z", "2018-01-01T00:00:00Z")
    content = signed(content) if media_type == SCHEMA1_SIGNED else content
    assert read_manifest(content, media_type) == Description(
        datetime(2019, 3, 4, 5, 6, 7, 123456, tzinfo=UTC), {"n": "0"}
    )


def test_the_digest_of_a_signed_schema_1_manifest_is_of_what_was_signed() -> None:
    payload = schema1("2019-01-01T00:00:00Z")
    assert manifest_digest(signed(payload), SCHEMA1_SIGNED) == f"sha256:{hashlib.sha256(payload).hexdigest()}"


OTHER_BYTES = base64.urlsafe_b64encode(b'{"formatLength":999999,"formatTail":""}').decode()


@pytest.mark.parametrize("protected", ["", "!", "e30", OTHER_BYTES])
def test_a_signature_that_can_not_be_read_is_an_error(protected: str) -> None:
    content = json.dumps({"signatures": [{"protected": protected}]}).encode()
    with pytest.raises(ManifestError):
        manifest_digest(content, SCHEMA1_SIGNED)


def index(*platforms: dict[str, str] | None, media_type: str = OCI_INDEX) -> bytes:
    entries: list[dict[str, Any]] = [
        {"digest": f"sha256:{number:064x}", **({"platform": platform} if platform is not None else {})}
        for number, platform in enumerate(platforms)
    ]
    return json.dumps({"mediaType": media_type, "manifests": entries}).encode()


LINUX_ARM_V6 = {"os": "linux", "architecture": "arm", "variant": "v6"}
LINUX_ARM_V7 = {"os": "linux", "architecture": "arm", "variant": "v7"}
LINUX_AMD64 = {"os": "linux", "architecture": "amd64"}
ATTESTATION = {"os": "unknown", "architecture": "unknown"}


@pytest.mark.parametrize(
    ("entries", "wanted", "chosen"),
    [
        ([ATTESTATION, LINUX_AMD64], (AMD64,), 1),
        ([LINUX_AMD64, LINUX_AMD64], (AMD64,), 0),
        ([LINUX_ARM_V6, LINUX_ARM_V7], (ARM,), 0),
        ([LINUX_ARM_V6, LINUX_ARM_V7], (ARM_V7,), 1),
        ([LINUX_ARM_V7, LINUX_AMD64], (AMD64, ARM), 1),
        ([LINUX_ARM_V7], (AMD64, ARM), 0),
        ([None], (AMD64,), 0),
        ([None, LINUX_ARM_V7], (AMD64,), None),
        ([LINUX_ARM_V7], (AMD64,), None),
        ([], (AMD64,), None),
    ],
)
def test_the_first_entry_of_the_first_platform_that_has_one_is_chosen(
    entries: list[dict[str, str] | None], wanted: tuple[Platform, ...], chosen: int | None
) -> None:
    found = read_manifest(index(*entries), OCI_INDEX, wanted)
    if chosen is None:
        assert isinstance(found, Description)
        assert found.excluded.startswith(f"no suitable manifest ({', '.join(map(str, wanted))}) in index")
    else:
        assert found == Reference(f"sha256:{chosen:064x}")


def test_fluxds_words_for_a_manifest_list_without_linux_amd64_are_kept() -> None:
    found = read_manifest(index(LINUX_ARM_V7, media_type=DOCKER_LIST), DOCKER_LIST)
    assert found == Description(excluded="no suitable manifest (linux amd64) in manifestlist")


def test_a_manifest_leads_to_its_configuration() -> None:
    image = make_image()
    expected = Reference(image.blobs[0].digest, len(image.blobs[0].content), is_config=True)
    assert read_manifest(image.manifest, OCI_MANIFEST) == read_manifest(image.manifest, "text/plain") == expected
    assert read_manifest(make_index([image]).manifest, "") == Reference(image.digest, len(image.manifest))


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"created": "2026-01-01T00:00:00Z"}, Description(datetime(2026, 1, 1, tzinfo=UTC))),
        ({"created": 5, "config": {"Labels": None}}, Description()),
        ({"created": "0001-01-01T00:00:00Z"}, Description()),
        ({"config": {"Labels": {"a": 1, "b": "x", "c": None}}}, Description(labels={"b": "x"})),
        ({"config": {"Labels": [1]}}, Description()),
        ({"config": None, "container_config": {"Labels": {"a": "x"}}}, Description(labels={"a": "x"})),
        (
            {"config": {"Labels": {"a": "new"}}, "container_config": {"Labels": {"a": "old", "b": "x"}}},
            Description(labels={"a": "new", "b": "x"}),
        ),
        ({"config": {"Labels": {"a" * 300: "x", "b": "y" * 2000, "c": "z"}}}, Description(labels={"c": "z"})),
    ],
)
def test_a_configuration_tells_what_it_can(config: dict[str, Any], expected: Description) -> None:
    assert read_config(json.dumps(config).encode()) == expected


def test_labels_are_limited_in_number() -> None:
    labels = {f"l{number}": "x" for number in range(10_000)}
    assert len(read_config(json.dumps({"config": {"Labels": labels}}).encode()).labels) == MAX_LABELS


OCI, SCHEMA = "org.opencontainers.image.created", "org.label-schema.build-date"


@pytest.mark.parametrize(
    ("labels", "day", "fault"),
    [
        ({}, None, ""),
        ({OCI: "2026-01-01T00:00:00Z", SCHEMA: "2026-01-02T00:00:00Z"}, 1, ""),
        ({SCHEMA: "2026-01-02T00:00:00+00:00"}, 2, ""),
        ({OCI: "1 January", SCHEMA: "2026-01-02T00:00:00Z"}, None, OCI),
    ],
)
def test_a_time_in_labels_is_read_in_fluxds_order(labels: dict[str, str], day: int | None, fault: str) -> None:
    created, bad = created_by_label(labels)
    assert (created and created.day, bad) == (day, fault)


KEYS = ["config", "manifests", "layers", "history", "digest", "mediaType", "platform", "schemaVersion", "created"]
LEAVES = st.none() | st.booleans() | st.integers() | st.text()
VALUES = st.recursive(LEAVES, lambda v: st.lists(v) | st.dictionaries(st.sampled_from(KEYS), v), max_leaves=12)
TYPES = ["", OCI_MANIFEST, OCI_INDEX, DOCKER_LIST, SCHEMA1, SCHEMA1_SIGNED]


@given(st.binary(max_size=300) | VALUES.map(lambda value: json.dumps(value).encode()), st.sampled_from(TYPES))
def test_any_bytes_are_read_or_refused(content: bytes, media_type: str) -> None:
    for read in (lambda: read_manifest(content, media_type), lambda: read_config(content),
                 lambda: manifest_digest(content, media_type)):  # fmt: skip
        try:
            read()
        except ManifestError:
            continue

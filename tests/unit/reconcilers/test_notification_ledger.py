"""The Secret of what was delivered: it fits in one however full it is, and a damaged one is begun anew."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib

import msgspec
import pytest

from sluice.core.incident import Incident
from sluice.reconcilers.incident_book import MAX_OPEN
from sluice.reconcilers.notification_ledger import (
    ID_DIGITS,
    MAX_BYTES,
    MAX_DELIVERED,
    LedgerPage,
    read_page,
    write_page,
)

SECRET_LIMIT = 1 << 20


def digest(number: int) -> str:
    """Something that does not compress."""
    return hashlib.sha256(str(number).encode()).hexdigest()


def full_page() -> LedgerPage:
    """As much as is ever kept, with long names."""
    delivered = {digest(number)[:ID_DIGITS]: 1_767_323_045 + number for number in range(MAX_DELIVERED)}
    who = "flux-system/alert flux-system/slack Kustomization/flux-system"
    incidents = {
        f"{who}/app-{number} {digest(number)[:36]}": Incident(
            digest(number)[:32],
            f"E303 Deployment shop/web-{number}",
            f"main@sha1:{digest(-number)[:40]}",
            "2026-01-02T03:04:05Z",
            digest(number + 1)[:32],
            "opened",
            digest(number)[:40],
        )
        for number in range(MAX_OPEN)
    }
    return LedgerPage(b"k" * 32, delivered, incidents)


def test_a_full_ledger_fits_into_one_secret_and_reads_back_as_it_was() -> None:
    page = full_page()
    written = write_page(page)
    assert len(base64.b64decode(json.loads(written)["data"]["ledger"])) < SECRET_LIMIT * 9 // 10
    assert read_page(written) == page


def secret(data: bytes) -> bytes:
    """A Secret with these bytes."""
    return json.dumps({"data": {"ledger": base64.b64encode(data).decode()}}).encode()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b'{"data":{"ledger":"!"}}',
        secret(b"not compressed"),
        secret(zlib.compress(b"not json")),
        secret(zlib.compress(b'{"delivered":[]}')),
        secret(zlib.compress(b'{"incidents":{"x":{"id":1}}}')),
        secret(zlib.compress(b" " * (MAX_BYTES + 1))),
    ],
)
def test_a_damaged_ledger_is_an_error_of_its_own_kind_and_no_flood_of_memory(raw: bytes) -> None:
    with pytest.raises((ValueError, zlib.error, msgspec.MsgspecError)):
        read_page(raw)


def test_an_empty_secret_is_an_empty_ledger() -> None:
    assert read_page(b'{"data":{}}') == LedgerPage()

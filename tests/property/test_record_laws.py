"""Laws of the record: what is written is read, and what was not written is refused."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from hypothesis import example, given
from hypothesis import strategies as st

from sluice.core.errors import StateError
from sluice.core.history import Counts, Past
from sluice.core.ids import ResourceId
from sluice.core.inventory import Entry, Inventory
from sluice.core.record import Record, decode_record, encode_record
from sluice.core.transaction_messages import (
    Phase,
)

# The API server's strings are UTF-8: no lone surrogates.
TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
ENTRIES = st.builds(Entry, st.builds(ResourceId, TEXT, TEXT, TEXT, TEXT), TEXT, TEXT, st.binary(max_size=16), TEXT)
PAST = st.builds(
    Past,
    TEXT,
    TEXT,
    TEXT,
    TEXT,
    st.floats(0, 1e6),
    st.builds(Counts, *[st.integers(0, 9)] * 3),
    TEXT,
    TEXT,
)
RECORDS = st.builds(
    Record,
    TEXT,
    st.integers(0, 2**53),
    st.sampled_from(Phase),
    TEXT,
    st.builds(Inventory, st.lists(ENTRIES, max_size=6)),
    history=st.lists(PAST, max_size=3).map(tuple),
)


@given(RECORDS)
def test_a_record_is_read_back_as_it_was(record: Record) -> None:
    assert decode_record(encode_record(record)) == record


@given(RECORDS)
def test_equal_records_are_equal_bytes(record: Record) -> None:
    again = replace(record, inventory=Inventory(reversed(list(record.inventory))))
    assert encode_record(again) == encode_record(record)


@given(RECORDS, st.data())
def test_a_record_that_was_cut_or_edited_is_refused_and_never_read_as_another(
    record: Record, data: st.DataObject
) -> None:
    whole = encode_record(record)
    where = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.integers(0, 255))
    for broken in (whole[:where], whole[:where] + bytes([byte]) + whole[where + 1 :], whole + bytes([byte])):
        if broken == whole:
            continue
        with contextlib.suppress(StateError):
            assert decode_record(broken) == record


@given(st.binary(max_size=200))
@example(b"\x78\x9c")
def test_any_bytes_are_a_record_or_refused(data: bytes) -> None:
    with contextlib.suppress(StateError):
        decode_record(data)

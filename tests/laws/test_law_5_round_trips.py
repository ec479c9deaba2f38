"""Law 5: decoding then encoding gives the same Ion; KPL framing and de-framing are inverse."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings, strategies as st

from qldb_stream.events import BlockSummary, ControlRecord, RevisionDetails
from qldb_stream.ion import dumps, ion_hash, load_slice, loads, to_slice
from qldb_stream.parsers.kpl import deaggregate
from qldb_stream.parsers.record import parse_record
from qldb_stream.testing import Journal, aggregate, reframe
from qldb_stream.testing._records import details_record, summary_record
from qldb_stream.testing.strategies import ion_values, journals

user_records = st.lists(st.binary(max_size=300), min_size=1, max_size=30)


@settings(max_examples=60)
@given(ion_values())
def test_decoding_and_encoding_keep_the_value(value: Any) -> None:
    """Hash and value survive the way through Python values, any number of times."""
    written = dumps(value)
    again = dumps(loads(written))
    assert ion_hash(written) == ion_hash(again) == ion_hash(value)
    assert load_slice(written) == load_slice(again) == to_slice(value)


@settings(max_examples=60)
@given(ion_values())
def test_slices_are_copied_without_loss(value: Any) -> None:
    """A slice keeps its hash wherever it is written, deep inside other values too."""
    inner = to_slice(value)
    outer = load_slice(dumps({"before": "name", "inner": [inner, {"deep": inner}]}))
    assert inner.hash() == load_slice(inner.to_bytes()).hash()
    assert to_slice({"before": "name", "inner": [value, {"deep": value}]}) == outer


@given(user_records)
def test_framing_and_deframing_are_inverse(records: list[bytes]) -> None:
    """What was framed comes out in order, byte by byte."""
    assert records == deaggregate(aggregate(records))


@given(user_records, st.data())
def test_deframing_and_framing_are_inverse(records: list[bytes], data: st.DataObject) -> None:
    """A frame is made again from its records and keys, shared keys included."""
    names = st.sampled_from(["a", "b", "c" * 64])
    keys = data.draw(st.lists(names, min_size=len(records), max_size=len(records), unique=False))
    frame = aggregate(records, keys)
    assert records == deaggregate(frame)
    if len(set(keys)) == len(keys):
        assert frame == reframe(frame, deaggregate(frame))


@settings(max_examples=20)
@given(journals(most_blocks=8, any_documents=True))
def test_events_are_written_again_as_they_were_read(journal: Journal) -> None:
    """A record's event, written as a record, is the same Ion value."""
    for record in journal.iter_records():
        event = parse_record(record)
        if isinstance(event, BlockSummary):
            again = summary_record(event, event.stream_arn or "")
        elif isinstance(event, RevisionDetails):
            again = details_record(event.revision, event.stream_arn or "")
        else:
            assert ControlRecord(journal.stream_arn, "CREATED") == event
            continue
        assert load_slice(record) == load_slice(again)

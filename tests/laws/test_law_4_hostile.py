"""Law 4: random bytes raise our own errors and nothing else, print nothing, hide nothing."""

from __future__ import annotations

import contextlib
import io
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from qldb_stream.errors import QldbStreamError
from qldb_stream.events import BlockSummary, RevisionDetails, Undecodable
from qldb_stream.ion import ion_hash, loads
from qldb_stream.parsers.carrier import UserRecord, iter_user_records
from qldb_stream.parsers.export import parse_export
from qldb_stream.parsers.export_walk import iter_export_blocks
from qldb_stream.parsers.firehose import parse_firehose_object
from qldb_stream.parsers.json_export import parse_json_block
from qldb_stream.parsers.kinds import kind_of
from qldb_stream.parsers.kinesis import parse_kinesis_event
from qldb_stream.parsers.kpl import deaggregate
from qldb_stream.parsers.manifest import parse_manifest
from qldb_stream.parsers.record import parse_record
from qldb_stream.parsers.window import BytesReadable
from qldb_stream.testing import (
    aggregate,
    aggregated,
    firehose_object,
    flip_bit,
    get_records_answer,
    lambda_event,
    make_journal,
    resign,
)

RECORDS = list(make_journal(9, blocks=12).iter_records())
FRAMES = list(aggregated(RECORDS, 9, most=4))
SOUND = [*RECORDS, *FRAMES, aggregate(RECORDS), firehose_object(RECORDS)]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Draw something sound that was cut, flipped, joined or overwritten somewhere."""
    data = draw(st.sampled_from(SOUND))
    for _ in range(draw(st.integers(1, 3))):
        change = draw(st.sampled_from(["flip", "cut", "insert", "join", "resign"]))
        place = draw(st.integers(0, max(0, len(data) - 1)))
        if change == "flip" and data:
            data = flip_bit(data, 8 * place + draw(st.integers(0, 7)))
        elif change == "cut":
            data = data[:place]
        elif change == "insert":
            data = data[:place] + draw(st.binary(min_size=1, max_size=8)) + data[place:]
        elif change == "join":
            data += draw(st.sampled_from(SOUND))
        elif data[:1] == b"\xf3" and len(data) > 20:
            data = resign(data)
    return data


hostile = (
    st.binary(max_size=200)
    | st.binary(max_size=60).map(lambda raw: b"\xe0\x01\x00\xea" + raw)
    | st.binary(min_size=20, max_size=80).map(lambda raw: resign(b"\xf3\x89\x9a\xc2" + raw))
    | damaged()
)


def decode_all(data: bytes) -> None:
    """Read a record, and whatever in it decodes late."""
    event = parse_record(data)
    if isinstance(event, BlockSummary) and event.transaction_info is not None:
        _ = event.transaction_info.documents, event.transaction_info.statements
        event.transaction_info.ion.hash()
    if isinstance(event, RevisionDetails):
        _ = event.revision.data


def drain(found: Iterator[Any]) -> None:
    """Iterate to the end."""
    for _ in found:
        pass


READERS: dict[str, Callable[[bytes], object]] = {
    "loads": loads,
    "ion_hash": ion_hash,
    "deaggregate": deaggregate,
    "parse_record": decode_all,
    "parse_export": lambda data: drain(parse_export(data)),
    "parse_firehose_object": lambda data: drain(parse_firehose_object(data)),
    "get_records": lambda data: drain(parse_kinesis_event(get_records_answer([data]))),
    "Lambda": lambda data: drain(parse_kinesis_event(lambda_event([data]))),
    "carrier": lambda data: drain(iter_user_records(BytesReadable(data, "test"))),
    "an export's object": lambda data: drain(iter_export_blocks(BytesReadable(data, "test"))),
    "a JSON export": parse_json_block,
    "a manifest": parse_manifest,
    "kind_of": kind_of,
}


@pytest.mark.parametrize("reader", READERS)
@settings(max_examples=60)
@given(data=hostile)
def test_hostile_bytes_raise_our_own_errors_only(reader: str, data: bytes) -> None:
    """Every reader answers or raises a QldbStreamError that can be shown; nothing is printed."""
    printed = io.StringIO()
    shown = "nothing was refused"
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            READERS[reader](data)
        except QldbStreamError as exc:
            shown = str(exc)
    assert "" == printed.getvalue()
    assert shown


@given(
    st.recursive(
        st.none() | st.integers() | st.binary(max_size=9) | st.text(max_size=9),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["Records", "Data", "kinesis", "data"]) | st.text(max_size=3), inner
            )
        ),
        max_leaves=6,
    )
)
def test_hostile_events_raise_our_own_errors_only(event: Any) -> None:
    """Whatever stands where a batch should be, the errors are ours."""
    with contextlib.suppress(QldbStreamError):
        drain(parse_kinesis_event(event))


@given(hostile)
def test_a_carrier_accounts_for_every_byte(data: bytes) -> None:
    """User records and damage, put side by side, cover the carrier but for delimiters."""
    covered = bytearray(len(data))
    passed = b" \t\r\n,[]"
    for found in iter_user_records(BytesReadable(data, "test")):
        assert isinstance(found, UserRecord | Undecodable)
        if isinstance(found, Undecodable) and "times between records" in str(found.error):
            passed += data[found.offset : found.offset + found.length]
        covered[found.offset : found.offset + found.length] = b"\x01" * found.length
    left = bytes(itertools.compress(data, (not byte for byte in covered)))
    assert b"" == left.strip(passed)


@given(st.lists(damaged(), max_size=5))
def test_a_batch_hands_over_what_it_cannot_read(datas: list[bytes]) -> None:
    """Each Kinesis record gives events, or an Undecodable that names it, or both."""
    seen: list[Undecodable] = []
    events = list(parse_kinesis_event(get_records_answer(datas), on_error=seen.append))
    assert len(events) + len(seen) >= len(datas)
    numbers = {f"Kinesis record {number}" for number in range(len(datas))}
    assert {undecodable.source for undecodable in seen} <= numbers

"""Firehose objects: every packing, compressed or not, and what damage costs."""

from __future__ import annotations

import gzip
from typing import Final

import pytest
from hypothesis import given, settings, strategies as st

from qldb_stream.errors import CarrierError, DecodeError, IonDecodeError
from qldb_stream.events import Undecodable
from qldb_stream.parsers import firehose
from qldb_stream.parsers.firehose import parse_firehose_object
from qldb_stream.parsers.record import parse_record
from qldb_stream.testing import Journal, firehose_object, make_journal
from qldb_stream.testing.strategies import deliveries, journals

RECORDS: Final = list(make_journal(3, blocks=5).iter_records())
EVENTS: Final = [parse_record(record) for record in RECORDS]
PACKED: Final = firehose_object(RECORDS, gzipped=True)


@settings(max_examples=30)
@given(st.data(), journals(most_blocks=5))
def test_every_packing_gives_the_same_events(data: st.DataObject, journal: Journal) -> None:
    """Delimiters and gzip change nothing."""
    datas = data.draw(deliveries(list(journal.iter_records())))
    plain = list(parse_firehose_object(firehose_object(datas)))
    expected = {repr(parse_record(record)) for record in journal.iter_records()}
    assert expected == {repr(event) for event in plain}
    for newlines in (False, True):
        for gzipped in (False, True):
            packed = firehose_object(datas, newlines=newlines, gzipped=gzipped)
            assert plain == list(parse_firehose_object(packed))


def test_several_gzip_members_are_one_object() -> None:
    """Members back to back, padded with zeros, are undone one after the other."""
    halves = [b"".join(RECORDS[:4]), b"".join(RECORDS[4:])]
    packed = b"\0\0".join(gzip.compress(half) for half in halves) + b"\0" * 7
    assert EVENTS == list(parse_firehose_object(packed))


@pytest.mark.parametrize("bad", [b"hello", RECORDS[1][:-3], b"{}"])
def test_a_bad_part_costs_only_itself(bad: bytes) -> None:
    """With on_error the rest goes on; without it the part raises when it is reached."""
    data = RECORDS[0] + bad + RECORDS[2]
    handed: list[Undecodable] = []
    found = parse_firehose_object(data, name="an-object", on_error=handed.append)
    assert [EVENTS[0], EVENTS[2]] == list(found)
    assert [("an-object", len(RECORDS[0]), len(bad), bad)] == [
        (one.source, one.offset, one.length, one.data) for one in handed
    ]
    plain = parse_firehose_object(data)
    assert EVENTS[0] == next(plain)
    with pytest.raises(DecodeError):
        next(plain)


def test_damage_inside_a_record_is_named_with_its_place() -> None:
    """A record whose lengths are right and whose contents are not is one part."""
    place = RECORDS[1].index(b"BLOCK_SUMMARY")
    damaged = RECORDS[1][:place] + b"\xff" + RECORDS[1][place + 1 :]
    handed: list[Undecodable] = []
    data = RECORDS[0] + damaged + RECORDS[2]
    assert [EVENTS[0], EVENTS[2]] == list(parse_firehose_object(data, on_error=handed.append))
    assert [IonDecodeError] == [type(one.error) for one in handed]


@pytest.mark.parametrize(
    "data",
    [PACKED[:-3], PACKED[:-1] + b"\xff", PACKED[:-8] + bytes(8), PACKED + b"junk"],
    ids=["cut off", "length", "both checksums", "more"],
)
def test_what_is_whole_in_damaged_gzip_is_read(data: bytes) -> None:
    """A trailer that does not fit costs no record, and is told in its place, at the end."""
    handed: list[Undecodable] = []
    assert EVENTS == list(parse_firehose_object(data, on_error=handed.append))
    plain = len(gzip.decompress(PACKED))
    assert [("object", plain, CarrierError)] == [
        (one.source, one.offset, type(one.error)) for one in handed
    ]
    events = parse_firehose_object(data)
    assert EVENTS == [next(events) for _ in EVENTS]
    with pytest.raises(CarrierError):
        next(events)


def test_a_damaged_member_costs_its_own_records() -> None:
    """Records before and after it are read, and the damage is told between them."""
    members = [gzip.compress(record) for record in RECORDS[:3]]
    middle = members[1][: len(members[1]) // 2] + b"\xff" * 22
    handed: list[Undecodable] = []
    read = parse_firehose_object(members[0] + middle + members[2], on_error=handed.append)
    assert EVENTS[0] == next(read)
    assert [] == handed
    assert EVENTS[2] == next(read)
    assert CarrierError in [type(one.error) for one in handed]


def test_a_decompression_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes out of gzip is bounded."""
    monkeypatch.setattr(firehose, "MAX_OBJECT_BYTES", 1000)
    with pytest.raises(CarrierError, match="more than 1000 bytes"):
        list(parse_firehose_object(gzip.compress(bytes(1001))))
    assert [] == list(parse_firehose_object(gzip.compress(b"\n" * 1000)))


def test_many_empty_gzip_members_cost_their_length() -> None:
    """A member more does not copy the whole rest once more."""
    packed = gzip.compress(b"") * 30_000 + gzip.compress(RECORDS[0])
    assert EVENTS[:1] == list(parse_firehose_object(packed))

"""Carriers of unknown layout: nothing is lost, and damage costs only what it touches."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

import pytest
from hypothesis import given, settings, strategies as st

from qldb_stream.errors import (
    AggregationError,
    CarrierError,
    DecodeError,
    EnvelopeError,
    IonDecodeError,
)
from qldb_stream.events import Undecodable
from qldb_stream.ion import dumps, load_slice, to_text
from qldb_stream.parsers.carrier import UserRecord, iter_user_records, read_again
from qldb_stream.parsers.window import BytesReadable
from qldb_stream.testing import (
    Journal,
    aggregate,
    aggregated,
    edit_field,
    firehose_object,
    flip_bit,
    get_records_answer,
    lambda_event,
    make_journal,
)
from qldb_stream.testing.strategies import journals

RECORDS: Final = list(make_journal(3, blocks=12).iter_records())
MARKER: Final = b"\xe0\x01\x00\xea"
JUNK: Final = st.binary(min_size=1, max_size=60).filter(
    lambda junk: not junk.startswith((b" ", b"\t", b"\r", b"\n", b"{", b"[", b"$", b"/"))
)


def walk(data: bytes, start: int = 0) -> list[UserRecord | Undecodable]:
    """Walk a carrier, and check what holds for every one (law 4: nothing is dropped)."""
    readable = BytesReadable(data, "object")
    found = list(iter_user_records(readable, start=start))
    place = start
    passed = b" \t\r\n" + b"".join(one.data or b"" for one in found if is_summed(one))
    for one in sorted(found, key=lambda one: one.offset):
        assert one.offset >= place or isinstance(one, UserRecord)
        assert not data[place : one.offset].strip(passed)
        place = max(place, one.offset + one.length)
        if isinstance(one, UserRecord):
            assert one.data == read_again(readable, one.offset, one.length, one.index)
        else:
            assert "object" == one.source
            assert data[one.offset : one.offset + one.length] == one.data
    assert not data[place:].strip(passed)
    return found


def is_summed(one: UserRecord | Undecodable) -> bool:
    """Tell whether an Undecodable stands for all places of a byte between records."""
    return isinstance(one, Undecodable) and "times between records" in str(one.error)


def walk_batch(data: bytes) -> list[UserRecord | Undecodable]:
    """Walk a carrier with batches as JSON, whose records stand where their base64 stands."""
    readable = BytesReadable(data, "object")
    found = list(iter_user_records(readable))
    for one in found:
        if isinstance(one, UserRecord):
            assert one.data == read_again(readable, one.offset, one.length, one.index)
    assert sorted(one.offset for one in found) == [one.offset for one in found]
    return found


def records_of(found: list[UserRecord | Undecodable]) -> list[bytes]:
    """Give the user records among what was found."""
    return [one.data for one in found if isinstance(one, UserRecord)]


def damage_of(found: list[UserRecord | Undecodable]) -> list[tuple[int, int, type[DecodeError]]]:
    """Give place, length and kind of the damage among what was found."""
    return [
        (one.offset, one.length, type(one.error)) for one in found if isinstance(one, Undecodable)
    ]


# --- layouts ---


def layouts(records: list[bytes], seed: int) -> Iterator[bytes]:
    """Pack records in every layout that carriers come in."""
    frames = list(aggregated(records, seed, most=7))
    for datas in (records, frames):
        yield b"".join(datas)
        yield firehose_object(datas, newlines=True)
        yield b"\r\n\r\n".join(datas)
    yield " ".join(to_text(load_slice(record)) for record in records).encode()
    yield "\n".join(to_text(load_slice(record), indent="  ") for record in records).encode()


@settings(max_examples=20)
@given(journals(most_blocks=6), st.integers(0, 99))
def test_every_layout_gives_the_records_in_order(journal: Journal, seed: int) -> None:
    """Back to back, with delimiters, as frames, as text: the records are the same."""
    records = list(journal.iter_records())
    *binary, flat, indented = layouts(records, seed)
    for data in binary:
        assert records == records_of(walk(data))
    for data in (flat, indented):
        texts = records_of(walk(data))
        assert len(records) == len(texts)


def test_a_carrier_may_hold_everything_at_once() -> None:
    """Frames, records and text may stand side by side."""
    text = to_text(load_slice(RECORDS[0])).encode()
    batch = json.dumps(lambda_event(RECORDS[3:5])).encode()
    data = aggregate(RECORDS[:2]) + RECORDS[2] + text + b"\n" + batch + RECORDS[5]
    found = records_of(walk_batch(data))
    assert [*RECORDS[:3], text, *RECORDS[3:6]] == found


def test_an_empty_carrier_has_no_records() -> None:
    """Nothing, or delimiters alone, is no damage."""
    for data in (b"", b"\n", b" \r\n" * 400_000):
        assert [] == walk(data)


def test_a_carrier_can_be_walked_from_any_item() -> None:
    """A walk that starts where an item ended gives the rest."""
    data = b"".join(RECORDS)
    whole = walk(data)
    for one in whole[::5]:
        assert whole[whole.index(one) + 1 :] == walk(data, one.offset + one.length)


def test_positions_name_frame_and_index() -> None:
    """A record of a frame is found again by its frame and its number there."""
    frame = aggregate(RECORDS[:3])
    expected = [UserRecord(RECORDS[n], 5, len(frame), n) for n in range(3)]
    assert expected == walk(b"\n" * 5 + frame)
    assert [UserRecord(RECORDS[0], 1, len(RECORDS[0]))] == walk(b"\n" + RECORDS[0])


def test_records_longer_than_a_window_are_read() -> None:
    """What is held grows to the longest item, and no further."""
    details = next(record for record in RECORDS if b"REVISION_DETAILS" in record)
    long = edit_field(details, "payload.revision.data.filler", "x" * 3_000_000)
    for data in (long + details, aggregate([long, details])):
        found = list(iter_user_records(BytesReadable(RECORDS[0] + data, "object")))
        assert [RECORDS[0], long, details] == records_of(found)


def test_many_windows_are_walked() -> None:
    """Items that lie across the ends of windows are whole."""
    data = b"".join(RECORDS) * 150
    assert len(data) > 3_000_000
    assert RECORDS * 150 == records_of(list(iter_user_records(BytesReadable(data, "object"))))


class Shrinking:
    """A readable that is shorter than it said."""

    name = "object"
    size = 5_000_000

    def read_at(self, offset: int, size: int) -> bytes:
        """Give what is there: a megabyte and a half of delimiters."""
        return b"\n" * max(0, min(size, 1_500_000 - offset))


def test_a_carrier_that_became_shorter_ends() -> None:
    """The walk ends where the bytes end; whoever owns the file notices the change."""
    assert [] == list(iter_user_records(Shrinking()))


# --- Kinesis batches as JSON ---


def as_json(datas: list[bytes], indent: int | None = None) -> Iterator[bytes]:
    """Write batches as files hold them."""
    event = lambda_event(datas)
    answer = get_records_answer([])
    answer["Records"] = [{"Data": record["kinesis"]["data"]} for record in event["Records"]]
    for batch in (event, event["Records"], answer, answer["Records"]):
        yield json.dumps(batch, indent=indent).encode()


@pytest.mark.parametrize("indent", [None, 2])
def test_a_batch_as_json_gives_its_records(indent: int | None) -> None:
    """A Lambda event or an answer of get_records in a file is opened."""
    frames = list(aggregated(RECORDS, 1, most=5))
    for datas in (RECORDS, frames):
        for data in as_json(datas, indent):
            assert RECORDS == records_of(walk_batch(data))
            assert RECORDS == records_of(walk_batch(data.replace(b"/", b"\\/")))
            assert RECORDS * 2 == records_of(walk_batch(data + b"\n" + data))


def test_a_bad_record_of_a_batch_costs_only_itself() -> None:
    """Base64 that is none, a damaged frame and a missing data are each named."""
    damaged = flip_bit(aggregate(RECORDS[:2]), 99)
    event = lambda_event([RECORDS[0], damaged, RECORDS[1], RECORDS[2], RECORDS[3]])
    event["Records"][2]["kinesis"]["data"] = "no base64!"
    event["Records"][3]["kinesis"]["data"] = None
    data = json.dumps(event).encode()
    found = walk_batch(data)
    assert [RECORDS[0], RECORDS[3]] == records_of(found)
    kinds = [kind for _, _, kind in damage_of(found)]
    assert [AggregationError, CarrierError, CarrierError] == kinds


@pytest.mark.parametrize(
    "text",
    [b'{"Records":1}', b'{"Data":"x"}', b'["Records"]', b'{"Records" :}', b'{"x":1}', b"[1,2]"],
)
def test_other_json_is_a_record_that_nothing_reads(text: bytes) -> None:
    """What is no batch stays one record; that it is none of QLDB's is its reader's to say."""
    assert [text] == records_of(walk(text))


def test_a_batch_of_nothing_is_empty() -> None:
    """A batch without records has none, and one of strange values names each."""
    assert [] == walk_batch(b'{"Records":[]}')
    found = walk_batch(b'{"Records":[1,{"Data":[]},{"kinesis":{}},{"Data":"\\u00e4"}]}')
    assert [CarrierError] * 4 == [type(one.error) for one in found if isinstance(one, Undecodable)]


def test_data_may_be_written_with_escapes() -> None:
    """Key and text are what JSON makes of them; each stands where it is written."""
    assert [b"\0\x10\x83"] == records_of(walk_batch(b'{"Records":[{"Data":"\\u0041BCD"}]}'))
    key = b'"' + b"".join(b"\\u%04x" % ord(letter) for letter in "Data") + b'"'
    (found,) = walk_batch(b'{"Data" :"QQ==","Records":[{' + key + b' : "\\u0041BCD"}]}')
    assert isinstance(found, UserRecord)
    assert b"\0\x10\x83" == found.data
    assert len(b"\\u0041BCD") == found.length


def test_only_data_of_the_records_is_paired() -> None:
    """What looks like data inside a text or elsewhere is passed."""
    batch = (
        b'{"Data":"QkFE","note":"\\"Data\\":\\"QUJD","Records":[{"x":"Data","Data":"QUJD"},'
        b'{"kinesis":{"note":"data","data":"REVG"},"x":{"Data":"QkFE"}}]}'
    )
    found = walk_batch(batch)
    assert [b"ABC", b"DEF"] == records_of(found)
    assert 2 == len(found)


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        (b'{"Data":"QkFE","Data":"QkFF"}', "it gives a key more than once"),
        (b'{"kinesis":{"data":"QkFE","d\\u0061ta":"QkFF"}}', "it gives a key more than once"),
        (b'{"kinesis":{"data":"QkFE"},"Data":"QkFF"}', "it has both `Data` and `kinesis.data`"),
    ],
)
def test_a_record_with_two_datas_is_refused(record: bytes, problem: str) -> None:
    """Which of them counts no one can say, so neither is taken; the others are read."""
    sound = b'{"Data":"QUJD"}'
    data = b'{"Records":[' + b",".join((sound, record, sound)) + b"]}"
    first, second, third = walk_batch(data)
    assert [b"ABC", b"ABC"] == records_of([first, third])
    assert isinstance(second, Undecodable)
    place = data.index(b'QUJD"') + 4
    assert CarrierError("Kinesis record 1", place, problem) == second.error


def test_a_batch_with_two_lists_of_records_is_refused() -> None:
    """Whole: neither list is dropped in silence."""
    data = b'{"Records":[{"Data":"QUJD"}],"Records":[{"Data":"REVG"}]}'
    (found,) = walk_batch(data)
    assert isinstance(found, Undecodable)
    assert (0, len(data), data) == (found.offset, found.length, found.data)
    assert CarrierError("Kinesis batch", 0, "it gives a key more than once") == found.error


def test_a_batch_is_utf_8() -> None:
    """JSON in UTF-16 whose bytes look like a batch is a record that nothing reads."""
    text = '{"' + b'"Data":x'.decode("utf-16-le") + '":[]}'
    assert 1 == len(records_of(walk(text.encode("utf-16-le"))))


def test_a_batch_is_walked_once_whatever_its_texts_are() -> None:
    """Texts that are not written as they mean cost no search of the whole batch each."""
    count = 16_000
    batch = b'{"Records":[' + b",".join([b'{"Data":"\\u0041Az"}'] * count) + b"]}"
    found = list(iter_user_records(BytesReadable(batch, "object")))
    assert count == len(found)
    assert [CarrierError] == list(
        {type(one.error) for one in found if isinstance(one, Undecodable)}
    )


def test_escapes_that_are_none_are_refused_when_read_again() -> None:
    """A text whose bytes changed since is a carrier that cannot be opened."""
    with pytest.raises(CarrierError, match="no text of JSON"):
        read_again(BytesReadable(b"AB\\xCD", "object"), 0, 6, None)


def test_reading_again_tells_that_something_else_is_there() -> None:
    """A record whose place holds something else now is refused."""
    with pytest.raises(CarrierError):
        read_again(BytesReadable(aggregate(RECORDS[:1]), "object"), 0, 10**6, 1)
    with pytest.raises(CarrierError):
        read_again(BytesReadable(b"\xff\xfe\xfd", "object"), 0, 3, None)


# --- damage ---


@settings(max_examples=60)
@given(st.lists(st.sampled_from(RECORDS) | JUNK, max_size=8))
def test_junk_between_records_costs_no_record(parts: list[bytes]) -> None:
    """Whatever stands between sound records, each of them is found."""
    found = walk(b"".join(parts))
    expected = [part for part in parts if part in RECORDS]
    assert expected == [data for data in records_of(found) if data in RECORDS]


@settings(max_examples=60)
@given(st.lists(st.sampled_from([aggregate(RECORDS[n : n + 3]) for n in range(9)]) | JUNK))
def test_junk_between_frames_costs_no_frame(parts: list[bytes]) -> None:
    """Whatever stands between sound frames, each of their records is found."""
    found = records_of(walk(b"".join(parts)))
    expected = [
        RECORDS.index(r) for part in parts if part[:2] == b"\xf3\x89" for r in RECORDS if r in part
    ]
    assert expected == [RECORDS.index(data) for data in found if data in RECORDS]


def test_a_flip_in_a_frame_costs_only_that_frame() -> None:
    """Every bit: both neighbours are whole, and the damage is named as what it is."""
    small = [edit_field(RECORDS[0], "payload.controlRecordType", kind) for kind in ("A", "BB")]
    frame = aggregate(small, keys=["k", "l"])
    for bit in range(8 * len(frame)):
        data = frame + flip_bit(frame, bit) + frame
        found = walk(data)
        records = records_of(found)
        assert small == records[:2] == records[-2:], bit
        damage = damage_of(found)
        assert (len(frame), AggregationError) == (damage[0][0], damage[0][2]), bit
        if len(damage) == 1 and len(records) == 4:
            assert len(frame) == damage[0][1], bit


def test_a_flip_in_a_records_frame_is_told_with_its_place() -> None:
    """The error of a damaged frame counts from the start of the carrier."""
    frame = aggregate([b"one", b"two"])
    place = frame.index(b"one")
    data = RECORDS[0] + flip_bit(frame, 8 * place) + RECORDS[1]
    (undecodable,) = [one for one in walk(data) if isinstance(one, Undecodable)]
    start = len(RECORDS[0])
    trailer = len(frame) - 16
    problem = f"this MD5 is not that of the {trailer - 4} bytes before it"
    assert AggregationError(start + trailer, problem) == undecodable.error
    assert (start, len(frame)) == (undecodable.offset, undecodable.length)


def test_a_frame_with_a_damaged_magic_is_one_undecodable() -> None:
    """Its MD5 tells where it ends."""
    frame = aggregate(RECORDS[:3])
    found = walk(RECORDS[0] + flip_bit(frame, 0) + RECORDS[1])
    assert [(len(RECORDS[0]), len(frame), AggregationError)] == damage_of(found)
    assert RECORDS[:2] == records_of(found)


def test_a_flip_in_a_record_costs_no_other_record() -> None:
    """Every bit of a record among others: the others are found, where they stand."""
    middle = edit_field(RECORDS[0], "payload.controlRecordType", "MIDDLE")
    first, last = RECORDS[1], RECORDS[2]
    for bit in range(8 * len(middle)):
        data = first + flip_bit(middle, bit) + last
        found = [one for one in walk(data) if isinstance(one, UserRecord)]
        assert UserRecord(first, 0, len(first)) == found[0], bit
        assert UserRecord(last, len(data) - len(last), len(last)) == found[-1], bit


@pytest.mark.parametrize("packed", [b"".join(RECORDS[:3]), aggregate(RECORDS[:3])])
def test_a_carrier_cut_anywhere_keeps_what_is_whole(packed: bytes) -> None:
    """Truncation loses what was cut and names it."""
    whole = walk(packed)
    for end in range(1, len(packed)):
        found = walk(packed[:end])
        kept = [one for one in whole if one.offset + one.length <= end]
        assert kept == found[: len(kept)], end
        if not kept or kept[-1].offset + kept[-1].length < end:
            assert damage_of(found), end


@pytest.mark.parametrize("after", [b"\n", b"junk", MARKER, b"\xf3\x89\x9a\xc2", b"{", b"\x00" * 50])
def test_something_trailing_costs_no_record(after: bytes) -> None:
    """What follows the last record is a delimiter, or damage with its place."""
    for data in (b"".join(RECORDS[:3]), aggregate(RECORDS[:3])):
        found = walk(data + after)
        assert RECORDS[:3] == records_of(found)[:3]
        assert bool(after.strip()) == bool(damage_of(found))


def test_a_text_that_is_not_closed_costs_only_itself() -> None:
    """The records after it are found by the field that each of them has."""
    texts = [to_text(load_slice(record)).encode() for record in RECORDS[:3]]
    for spoiled in (texts[0][:-1], texts[0].replace(b'"', b"", 1), b'{"a":', b"{"):
        for delimiter in (b"\n", b""):
            found = walk(delimiter.join([spoiled, texts[1], texts[2]]))
            assert texts[1:] == records_of(found)[-2:]
            assert [0] == [place for place, _, _ in damage_of(found)]


def test_a_record_may_hold_records() -> None:
    """Markers and records inside a document are no place to split."""
    details = next(record for record in RECORDS if b"REVISION_DETAILS" in record)
    outer = edit_field(details, "payload.revision.data.attachment", RECORDS[0] + RECORDS[1])
    assert [outer, RECORDS[2], outer] == records_of(walk(outer + RECORDS[2] + outer))


def test_a_length_that_swallows_the_next_record_is_noticed() -> None:
    """Two records under one length are damage and the second record, not one record."""
    details = [record for record in RECORDS if b"REVISION_DETAILS" in record]
    first, second = details[0], details[1]
    start = load_slice(first).start
    body = first[start + 3 :]
    longer = len(body) + len(second)
    swallowing = first[: start + 1] + bytes([longer >> 7, 0x80 | longer & 0x7F]) + body
    found = walk(swallowing + second)
    assert [second] == records_of(found)
    assert 1 == len(damage_of(found))


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"hello", CarrierError),
        (MARKER, IonDecodeError),
        (MARKER + b"\x21\x01", IonDecodeError),
        (MARKER + b"\xde", IonDecodeError),
        (MARKER + b"\xde" + b"\x00" * 30, IonDecodeError),
        (MARKER + b"\xde\x7f\xff", IonDecodeError),
        (MARKER + b"\xe3\x81\x84\x20", IonDecodeError),
        (MARKER + dumps({})[4:] + b"junk", EnvelopeError),
        (MARKER + b"\xe3\x81\x83\xd0" * 40 + dumps({})[4:], IonDecodeError),
        (b"\xf3\x89\x9a\xc2", AggregationError),
        (b"{", IonDecodeError),
    ],
)
def test_what_is_no_item_is_named(data: bytes, kind: type[DecodeError]) -> None:
    """Damage with nothing behind it reaches to the end."""
    assert [(0, len(data), kind)] == damage_of(walk(data))


def test_much_damage_is_named_and_not_held() -> None:
    """Long stretches of damage are given by place and length alone."""
    junk = b"\xaa" * 3_000_000
    found = list(iter_user_records(BytesReadable(RECORDS[0] + junk + RECORDS[1], "object")))
    assert RECORDS[:2] == records_of(found)
    assert [(len(RECORDS[0]), len(junk), CarrierError)] == damage_of(found)
    assert [None] == [one.data for one in found if isinstance(one, Undecodable)]


def test_an_item_beyond_every_bound_is_damage() -> None:
    """A text or frame that never ends is given up, and what follows is found."""
    for start in (b"{" * 2, b"\xf3\x89\x9a\xc2" + b"\x0a\x00" * 2):
        data = start + (b"\x0a\x00" * 9_000_000 if start[0] != 0x7B else b"[" * 18_000_000)
        found = list(iter_user_records(BytesReadable(data + RECORDS[0], "object")))
        assert RECORDS[:1] == records_of(found)
        assert 0 == damage_of(found)[0][0]


def test_hostile_beginnings_cost_time_in_proportion() -> None:
    """Thousands of record beginnings, each claiming the rest, is passed in one go."""
    head = MARKER + b"\xee\x83\x81\x83\xd0" + b"\xde\x01\x00\x80"
    data = b"x" + head * 30_000
    found = list(iter_user_records(BytesReadable(data + RECORDS[0], "object")))
    assert RECORDS[:1] == records_of(found)


@given(st.binary(max_size=300))
def test_random_bytes_raise_nothing(data: bytes) -> None:
    """Law 4: a walk ends, accounts for every byte, and raises nothing."""
    for start in (b"", MARKER, b"\xf3\x89\x9a\xc2", b"{", b'{"Records":'):
        walk(start + data)


@pytest.mark.parametrize("following", [RECORDS[2], aggregate(RECORDS[2:4])])
def test_a_record_that_lost_its_end_costs_only_itself(following: bytes) -> None:
    """Its lengths reach into what follows, which is found nevertheless."""
    for lost in range(1, len(RECORDS[1])):
        cut_short = RECORDS[1][:-lost]
        found = walk(RECORDS[0] + cut_short + following)
        assert [RECORDS[0], RECORDS[2]] == records_of(found)[:2], lost
        assert 1 == len(damage_of(found)), lost
        assert (len(RECORDS[0]), len(cut_short)) == damage_of(found)[0][:2], lost


def test_a_text_longer_than_any_item_is_damage() -> None:
    """A string that goes on beyond the bound is given up, and what follows is found."""
    data = b"{a:'" + b"x" * 36_000_000 + RECORDS[0]
    found = list(iter_user_records(BytesReadable(data, "object")))
    assert RECORDS[:1] == records_of(found)
    (damage,) = [one for one in found if isinstance(one, Undecodable)]
    assert CarrierError("carrier", 0, f"an item of more than {1 << 24} bytes") == damage.error

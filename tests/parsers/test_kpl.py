"""KPL frames: what is read, what is refused, and where the refusal says it broke."""

from __future__ import annotations

from base64 import b64decode
from contextlib import suppress
from hashlib import md5
from pathlib import Path

import pytest
from aws_kinesis_agg.deaggregator import iter_deaggregate_records
from hypothesis import given, strategies as st

from qldb_stream.errors import AggregationError
from qldb_stream.parsers.kpl import MAGIC, deaggregate, frame_end, read_frame
from qldb_stream.testing import aggregate, flip_bit, iter_flips, resign

RECORDS = st.lists(st.binary(max_size=300), min_size=1, max_size=200)


def frame_of(body: bytes) -> bytes:
    """Put any protobuf body into a frame whose checksum fits."""
    return MAGIC + body + md5(body, usedforsecurity=False).digest()


def peer(frame: bytes) -> list[bytes]:
    """Let the official package take a frame apart."""
    record = {"Data": frame, "SequenceNumber": "1", "PartitionKey": "a"}
    record["ApproximateArrivalTimestamp"] = "0"
    found = iter_deaggregate_records([record], data_format="Boto3")
    # It hands data over in base64, as Lambda would.
    return [b64decode(user["kinesis"]["data"]) for user in found]


@pytest.fixture
def frame(vectors: Path) -> bytes:
    """A Kinesis record that the service wrote: block 14 and its revision."""
    return (vectors / "kpl-14" / "aggregated.kpl").read_bytes()


def test_a_genuine_frame_gives_its_user_records(frame: bytes, vectors: Path) -> None:
    """The service's frame holds the summary that stands beside it, then the revision."""
    summary, revision = deaggregate(frame)
    assert (vectors / "kpl-14" / "00.BLOCK_SUMMARY.10n").read_bytes() == summary
    assert b"REVISION_DETAILS" in revision


@given(RECORDS)
def test_framing_and_deframing_are_inverse(records: list[bytes]) -> None:
    """Law 5: what was put into a frame comes out of it, in its order."""
    assert records == deaggregate(aggregate(records))


@given(RECORDS)
def test_the_official_package_reads_the_same(records: list[bytes]) -> None:
    """Our reader and aws-kinesis-agg agree on every frame."""
    frame = aggregate(records)
    assert peer(frame) == deaggregate(frame)


@pytest.mark.parametrize("size", [0, 1, 127, 128, 16_383, 16_384, 140_000, 2_200_000])
def test_records_of_any_length_come_out(size: int) -> None:
    """Lengths of one to four varint bytes are read alike."""
    records = [bytes(size), b"after"]
    assert records == deaggregate(aggregate(records))


def test_data_that_is_no_frame_comes_back() -> None:
    """What does not start like a frame is one user record."""
    for data in (b"", b"\xe0\x01\x00\xea\x0f", b"{}", b"x" * 100, MAGIC[:3]):
        assert [data] == deaggregate(data)


def test_an_empty_frame_has_no_records() -> None:
    """A frame without records, or with keys alone, is sound and empty."""
    assert [] == deaggregate(frame_of(b""))
    assert [] == deaggregate(frame_of(b"\x0a\x01k\x12\x01h"))


def test_tags_and_hash_key_indexes_are_passed_over() -> None:
    """A record may carry an explicit hash key index and tags beside its data."""
    record = b"\x08\x00\x10\x01\x1a\x03abc\x22\x02\x0a\x00"
    assert [b"abc"] == deaggregate(frame_of(b"\x0a\x01k\x1a" + bytes([len(record)]) + record))


def test_every_bit_flip_of_a_frame_is_an_aggregation_error(frame: bytes) -> None:
    """Law 4: no bit of a frame, its magic included, can change without being noticed."""
    for bit, flipped in iter_flips(frame):
        with pytest.raises(AggregationError) as caught:
            deaggregate(flipped)
        assert 0 <= caught.value.offset <= len(frame), bit
        assert AggregationError is type(caught.value)


def test_the_error_says_where() -> None:
    """A flip shows where the structure breaks, else at the checksum, else at the magic."""
    frame = aggregate([b"first", b"second"], keys=["k", "k"])
    trailer = len(frame) - 16
    places = {
        0: AggregationError(0, "starts with f2899ac2, not f3899ac2, though its MD5 fits"),
        4: AggregationError(4, "no field of a frame has the key 0x0b"),
        len(frame) - 1: AggregationError(
            trailer, f"this MD5 is not that of the {trailer - 4} bytes before it"
        ),
    }
    for place, expected in places.items():
        with pytest.raises(AggregationError) as caught:
            deaggregate(flip_bit(frame, 8 * place))
        assert expected == caught.value


def test_a_frame_cut_anywhere_is_refused(frame: bytes) -> None:
    """No beginning of a frame passes for a frame."""
    for end in range(4, len(frame)):
        with pytest.raises(AggregationError):
            deaggregate(frame[:end])


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"\x0a\x05ab", "a field of 5 bytes ends after the message"),
        (b"\x1a\x02\x08\x00", "a record without data"),
        (b"\x1a\x03\x1a\x05a", "a field of 5 bytes ends after its record"),
        (b"\x1a\x06\x1a\x01a\x1a\x01b", "a record has no place for the key 0x1a here"),
        (b"\x1a\x04\x1a\x00\x2a\x00", "a record has no place for the key 0x2a here"),
        (b"\x0d\x00\x00\x00\x00", "no field of a frame has the key 0x0d"),
        (b"\x0a" + b"\x80" * 10 + b"\x01", "a number of more than 10 bytes"),
        (b"\x1a\x80", "a number ends after the message"),
        (b"\x0a", "a number ends after the message"),
    ],
)
def test_a_broken_message_under_a_right_checksum_is_refused(body: bytes, problem: str) -> None:
    """The checksum alone proves nothing about the message's structure."""
    with pytest.raises(AggregationError) as caught:
        deaggregate(frame_of(body))
    assert problem == caught.value.problem


@given(st.binary(max_size=200))
def test_random_bytes_in_a_frame_raise_nothing_else(body: bytes) -> None:
    """Law 4 for a frame whose checksum fits whatever it holds."""
    with suppress(AggregationError):
        assert all(record in body for record in deaggregate(frame_of(body)))


# --- frames of unknown length ---


@given(RECORDS, st.binary(max_size=40), st.binary(max_size=40))
def test_a_frame_is_found_inside_longer_data(
    records: list[bytes], before: bytes, after: bytes
) -> None:
    """The end of a frame is where the MD5 of what was walked stands."""
    frame = aggregate(records)
    found = read_frame(before + frame + after, len(before))
    assert (records, len(before) + len(frame)) == found


def test_a_checksum_that_looks_like_fields_ends_a_frame() -> None:
    """A trailer that starts like one more field is still the trailer."""
    looks = [n for n in range(3000) if aggregate([b"%d" % n])[-16] in (0x0A, 0x12, 0x1A)]
    assert len(looks) > 10
    for number in looks:
        frame = aggregate([b"%d" % number])
        for after in (b"", b"\x0a\x00" * 200, frame):
            assert ([b"%d" % number], len(frame)) == read_frame(frame + after, 0)


def test_a_cut_frame_asks_for_longer_data(frame: bytes) -> None:
    """A frame that the data cuts off is told apart from one that is broken."""
    for end in range(4, len(frame)):
        assert (None, end) == read_frame(frame[:end], 0), end


def test_a_broken_frame_tells_where_the_walk_stopped() -> None:
    """A damaged key or record inside is where the walk stops."""
    frame = aggregate([b"first", b"second"], keys=["k", "k"])
    assert (None, 4) == read_frame(flip_bit(frame, 8 * 4), 0)
    inner = frame.index(b"\x08\x00\x1a")
    records, place = read_frame(flip_bit(frame, 8 * inner + 5) + b"\xff" * 99, 0)
    assert records is None
    assert inner < place < len(frame)
    assert (None, 15) == read_frame(MAGIC + b"\x0a" + b"\x80" * 10 + b"\x01" * 30, 0)


def test_a_damaged_frame_ends_where_something_starts() -> None:
    """The fields of a frame with a wrong checksum lead to its end all the same."""
    frame = aggregate([b"first", b"second"])
    damaged = flip_bit(frame, 8 * frame.index(b"first"))
    data = damaged + frame
    both = (len(frame), len(frame))
    assert both == frame_end(data, 0, lambda place: data.startswith(MAGIC, place))
    assert both == frame_end(damaged, 0, lambda place: place == len(damaged))
    assert (None, len(frame) - 16) == frame_end(damaged, 0, lambda _: False)
    assert (None, 4) == frame_end(flip_bit(frame, 8 * 4), 0, lambda place: place > 20)
    for end in range(5, len(frame) - 16):
        assert (None, end) == frame_end(damaged[:end], 0, lambda _: False)


def test_resigned_frames_are_sound(frame: bytes) -> None:
    """A frame whose contents and checksum were altered together is read."""
    place = frame.index(b"INSERT")
    altered = resign(flip_bit(frame, 8 * place))
    assert b"HNSERT" in deaggregate(altered)[0]

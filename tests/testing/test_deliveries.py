"""Deliveries: nothing is lost, and what is written is what the carriers write."""

from __future__ import annotations

import base64
import gzip
import itertools
from collections import Counter
from pathlib import Path

import aws_kinesis_agg.deaggregator
import pytest
from hypothesis import given, strategies as st

from qldb_stream.errors import UsageError
from qldb_stream.testing import (
    aggregate,
    aggregated,
    cut,
    firehose_object,
    get_records_answer,
    lambda_event,
    make_delivery,
    repeated,
    shuffled,
    write_archive,
)
from qldb_stream.testing.strategies import batches, deliveries

lists = st.lists(st.binary(min_size=1, max_size=300), max_size=60)
seeds = st.integers(0, 1000)


def unframed(frame: bytes) -> list[bytes]:
    """Read a frame with AWS's own package."""
    found = aws_kinesis_agg.deaggregator.deaggregate_records(lambda_event([frame])["Records"])
    return [base64.b64decode(each["kinesis"]["data"]) for each in found]


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=20))
def test_aws_reads_our_frames(records: list[bytes]) -> None:
    """Frames of ours are read by the package of AWS, checksum included."""
    assert records == unframed(aggregate(records))


def test_equal_keys_stand_in_the_table_once() -> None:
    """Records may share a partition key."""
    frame = aggregate([b"a", b"b", b"c"], ["k", "other", "k"])
    assert 1 == frame.count(b"\x0a\x01k")
    assert [b"a", b"b", b"c"] == unframed(frame)


@pytest.mark.parametrize(("records", "keys"), [([], None), ([b"a"], ["k", "l"])])
def test_a_frame_needs_records_and_their_keys(records: list[bytes], keys: list[str] | None) -> None:
    """An empty frame, or keys for other records, make no sense."""
    with pytest.raises(UsageError, match="a key for each"):
        aggregate(records, keys)


@given(lists, seeds, st.integers(1, 10))
def test_aggregating_keeps_records_and_order(records: list[bytes], seed: int, most: int) -> None:
    """Frames and single records give back what went in."""
    datas = list(aggregated(records, seed, most=most))
    found = [r for data in datas for r in (unframed(data) if data[:1] == b"\xf3" else [data])]
    assert records == found or any(record[:1] == b"\xf3" for record in records)


@given(lists, seeds, st.integers(1, 80))
def test_shuffling_loses_nothing_and_moves_nothing_far(
    records: list[bytes], seed: int, window: int
) -> None:
    """Each window holds afterwards what it held before."""
    found = list(shuffled(records, seed, window=window))
    for start in range(0, len(records), window):
        end = start + window
        assert Counter(records[start:end]) == Counter(found[start:end])


@given(lists, seeds, st.sampled_from([0.0, 0.3, 1.0]))
def test_repeating_adds_copies_and_keeps_the_order_of_the_first(
    records: list[bytes], seed: int, share: float
) -> None:
    """Everything comes once in order, and copies come later."""
    numbered = list(enumerate(records))
    found = list(repeated(numbered, seed, share=share))
    assert numbered == list(dict.fromkeys(found))
    assert len(records) * (2 if share == 1 else 1) <= len(found) <= 2 * len(records)


def test_repeats_are_held_in_bounds() -> None:
    """A stream of any length is repeated while it runs."""
    endless = repeated(itertools.count(), 1, share=0.9)
    assert 3000 == len(list(itertools.islice(endless, 3000)))


@given(lists, seeds, st.integers(1, 10))
def test_batches_put_together_are_the_whole(records: list[bytes], seed: int, most: int) -> None:
    """No batch is empty or too long, and nothing is lost between them."""
    found = list(cut(records, seed, most=most))
    assert records == [record for batch in found for record in batch]
    assert all(1 <= len(batch) <= most for batch in found)


@given(st.data())
def test_the_strategies_lose_nothing(data: st.DataObject) -> None:
    """A drawn delivery holds every record; drawn batches hold every item."""
    records = [bytes([1, n]) for n in range(30)]
    delivery = data.draw(deliveries(records))
    found = {r for d in delivery for r in (unframed(d) if d[:1] == b"\xf3" else [d])}
    assert set(records) == found
    assert delivery == [d for batch in data.draw(batches(delivery)) for d in batch]


def test_a_delivery_of_frames_leaves_them_alone() -> None:
    """Data that is aggregated already is only shuffled and repeated."""
    frames = [aggregate([bytes([n])]) for n in range(20)]
    delivery = list(make_delivery(frames, seed=1))
    assert set(frames) == set(delivery)
    assert frames != delivery


def test_the_carriers_hold_the_data() -> None:
    """get_records has bytes, Lambda base64, Firehose everything back to back."""
    datas = [b"one", b"two"]
    assert datas == [r["Data"] for r in get_records_answer(datas)["Records"]]
    encoded = [r["kinesis"]["data"] for r in lambda_event(datas)["Records"]]
    assert datas == [base64.b64decode(data) for data in encoded]
    assert b"onetwo" == firehose_object(datas)
    assert b"one\ntwo\n" == firehose_object(datas, newlines=True)
    assert b"onetwo" == gzip.decompress(firehose_object(datas, gzipped=True))


@pytest.mark.parametrize("gzipped", [False, True])
def test_an_archive_is_cut_into_files(tmp_path: Path, *, gzipped: bool) -> None:
    """Files are closed when they have grown to the size asked for, and hold it all in order."""
    datas = [bytes([n]) * 10 for n in range(25)]
    files = write_archive(datas, tmp_path / "a" / "b", file_bytes=100, gzipped=gzipped)
    contents = [gzip.decompress(f.read_bytes()) if gzipped else f.read_bytes() for f in files]
    assert [100, 100, 50] == [len(content) for content in contents]
    assert b"".join(datas) == b"".join(contents)
    assert files == sorted((tmp_path / "a" / "b").iterdir())


def test_an_archive_of_nothing_has_no_files(tmp_path: Path) -> None:
    """No data, no files."""
    assert [] == write_archive([], tmp_path)

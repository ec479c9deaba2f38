"""Names of streams, places, what may be read when, and what was given and is not safe."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, strategies as st

from qldb_stream.errors import InboxFileError, UsageError
from qldb_stream.sources.kinesis import (
    KinesisSettings,
    StreamUrl,
    is_stream_url,
    parse_stream_url,
)
from qldb_stream.sources.kinesis._flight import Flight, Progress
from qldb_stream.sources.kinesis._values import (
    Checkpoint,
    Group,
    Shard,
    readable_shards,
)


def test_urls() -> None:
    """A name, with or without slashes, and where it is."""
    url = "kinesis://cars?region=eu-west-1&endpoint_url=http://127.0.0.1:5000"
    assert StreamUrl("cars", "eu-west-1", "http://127.0.0.1:5000") == parse_stream_url(url)
    assert StreamUrl("a.b-c_D") == parse_stream_url("kinesis:a.b-c_D")
    assert "kinesis://cars" == str(parse_stream_url(url))
    assert [True, False] == [is_stream_url(text) for text in ("kinesis:a", "archive/")]


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("kinesis://", "write kinesis://STREAM"),
        ("kinesis://a b", "write kinesis://STREAM"),
        ("other://cars", "write kinesis://STREAM"),
        ("kinesis://" + "a" * 129, "write kinesis://STREAM"),
        ("kinesis://cars?regions=x", "region and endpoint_url"),
        ("kinesis://cars?region=", "region and endpoint_url"),
        ("kinesis://cars?region=a&region=b", "region and endpoint_url"),
    ],
)
def test_urls_that_are_none(url: str, problem: str) -> None:
    """What is wrong is refused with what to write."""
    with pytest.raises(UsageError, match=problem):
        parse_stream_url(url)


@pytest.mark.parametrize("name", ["poll_s", "lease_s", "most_records"])
def test_settings_are_above_nothing(name: str) -> None:
    """A time or number that makes no sense is named."""
    with pytest.raises(UsageError, match=f"{name} is 0"):
        KinesisSettings(**{name: 0})


@pytest.mark.parametrize("value", [Checkpoint("495", 12.5, is_ended=True), Checkpoint()])
def test_checkpoints_are_kept(value: Checkpoint) -> None:
    """What is written is read again."""
    assert value == Checkpoint.from_text(value.to_text(), "key")


def test_beginnings_are_kept() -> None:
    """`latest` becomes the time at which it was said; the oldest record has none."""
    moment = datetime(2024, 5, 6, tzinfo=UTC)
    for begin, expected in (
        (moment, Group(moment.timestamp())),
        ("latest", Group(7.0)),
        ("trim_horizon", Group()),
    ):
        group = Group.begun(begin, 7.0)  # type: ignore[arg-type]  # the words are literals
        assert (expected, expected) == (group, Group.from_text(group.to_text(), "key"))
    assert (moment, None) == (Group(moment.timestamp()).time, Group().time)


@pytest.mark.parametrize("text", ["", "7", "[]", '{"sequence_number": 7}', '{"at_s": "x"}'])
def test_texts_that_are_none_of_ours(text: str) -> None:
    """What something else has stored there is refused, with its key."""
    if "at_s" not in text:
        with pytest.raises(InboxFileError, match="the checkpoint a/b is none of ours"):
            Checkpoint.from_text(text, "a/b")
    if "sequence" not in text:
        with pytest.raises(InboxFileError, match="the checkpoint a/b is none of ours"):
            Group.from_text(text, "a/b")


def test_parents_come_first() -> None:
    """A shard waits for both its parents, but not for one that is gone."""
    shards = {
        shard.shard_id: shard
        for shard in (
            Shard("a", (), is_closed=True),
            Shard("b", (), is_closed=True),
            Shard("c", ("a", "b")),
            Shard("d", ("gone",)),
        )
    }

    def readable(*ended: str) -> str:
        return "".join(shard.shard_id for shard in readable_shards(shards, ended))

    assert ["abd", "bd", "cd", "d"] == [readable(*ended) for ended in ((), "a", "ab", "abc")]


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), max_size=30),
    st.lists(st.integers(1, 4), max_size=40),
)
def test_a_place_is_safe_when_all_before_it_is(
    steps: list[tuple[int, int]], counts: list[int]
) -> None:
    """After any acknowledgements each shard stands at its last step that is wholly covered."""
    flight, progress = Flight(1000), [Progress(Checkpoint("0"), Checkpoint("0")) for _ in range(3)]
    for number, (shard, items) in enumerate(steps, 1):
        flight.add(progress[shard], items, Checkpoint(str(number)))
    total = sum(items for _, items in steps)
    done = 0
    for count in counts:
        if done + count > total:
            with pytest.raises(UsageError, match="so many were not given"):
                flight.acknowledge(count)
            continue
        flight.acknowledge(count)
        done += count
    safe, given_items = ["0"] * 3, 0
    for number, (shard, items) in enumerate(steps, 1):
        given_items += items
        if given_items <= done:
            safe[shard] = str(number)
        else:
            break

    assert safe == [each.safe.sequence_number for each in progress]
    assert (given_items <= done) == flight.is_empty


def test_the_end_of_a_shard_is_told() -> None:
    """Whoever acknowledges hears whether that ended a shard."""
    flight, progress = Flight(2), Progress(Checkpoint(), Checkpoint())
    flight.add(progress, 2, Checkpoint("1"))
    assert not flight.is_full
    flight.add(progress, 0, Checkpoint("1", is_ended=True))
    assert (True, False) == (flight.is_full, progress.is_settled)
    assert [False, True] == [flight.acknowledge(1), flight.acknowledge(1)]
    assert (True, True) == (flight.is_empty, progress.is_settled)
    with pytest.raises(UsageError, match="-1 items"):
        flight.acknowledge(-1)

"""Kinesis batches in their three forms, and what a bad record costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pytest
from hypothesis import given, settings, strategies as st

from qldb_stream.errors import AggregationError, CarrierError, DecodeError, UsageError
from qldb_stream.events import Undecodable
from qldb_stream.parsers.kinesis import parse_kinesis_event
from qldb_stream.parsers.record import parse_record
from qldb_stream.testing import (
    Journal,
    aggregate,
    flip_bit,
    get_records_answer,
    lambda_event,
    make_journal,
)
from qldb_stream.testing.strategies import deliveries, journals

RECORDS: Final = list(make_journal(3, blocks=5).iter_records())
EVENTS: Final = [parse_record(record) for record in RECORDS]


def all_forms(datas: list[bytes]) -> list[Any]:
    """Give every form in which a batch may come."""
    in_base64 = lambda_event(datas)
    as_json = [{"Data": record["kinesis"]["data"]} for record in in_base64["Records"]]
    return [
        get_records_answer(datas),
        in_base64,
        get_records_answer(datas)["Records"],
        tuple(in_base64["Records"]),
        {"Records": as_json},
        [{"Data": bytearray(data)} for data in datas],
        [{"Data": memoryview(data)} for data in datas],
    ]


@settings(max_examples=25)
@given(st.data(), journals(most_blocks=5))
def test_every_form_gives_the_events_in_order(data: st.DataObject, journal: Journal) -> None:
    """A batch's events are those of its user records, whatever carries them."""
    expected = [parse_record(record) for record in journal.iter_records()]
    datas = data.draw(deliveries(list(journal.iter_records())))
    first = list(parse_kinesis_event(get_records_answer(datas)))
    assert {repr(event) for event in expected} == {repr(event) for event in first}
    for event in all_forms(datas):
        assert first == list(parse_kinesis_event(event))


def test_an_empty_batch_has_no_events() -> None:
    """Kinesis answers with no records most of the time."""
    for event in all_forms([]):
        assert [] == list(parse_kinesis_event(event))


@pytest.mark.parametrize("event", [{}, {"Records": None}, {"Records": "text"}, b"bytes", 7, "{}"])
def test_what_is_no_batch_is_wrong_usage(event: Any) -> None:
    """Another value is refused by naming the forms."""
    with pytest.raises(UsageError, match="get_records answer"):
        list(parse_kinesis_event(event))


BAD: Final[Mapping[str, tuple[Any, DecodeError | type[DecodeError]]]] = {
    "no data": ({"kinesis": {}}, CarrierError("Kinesis record 1", 0, "it has no data")),
    "no mapping": ("record", CarrierError("Kinesis record 1", 0, "it has no data")),
    "not base64": ({"kinesis": {"data": "$$$$"}}, CarrierError),
    "not ascii": ({"kinesis": {"data": "\xe4"}}, CarrierError),
    "a damaged frame": ({"Data": flip_bit(aggregate(RECORDS[1:3]), 99)}, AggregationError),
    "no record": ({"Data": b"hello"}, DecodeError),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_record_raises_when_it_is_reached(name: str) -> None:
    """What came before it was given out."""
    bad, expected = BAD[name]
    found = parse_kinesis_event([{"Data": RECORDS[0]}, bad, {"Data": RECORDS[1]}])
    assert EVENTS[0] == next(found)
    with pytest.raises(DecodeError) as caught:
        next(found)
    if isinstance(expected, DecodeError):
        assert expected == caught.value
    else:
        assert isinstance(caught.value, expected)


@pytest.mark.parametrize("name", BAD)
def test_a_bad_record_costs_only_itself(name: str) -> None:
    """With on_error the rest goes on, and the bad part is handed over."""
    bad, _ = BAD[name]
    handed: list[Undecodable] = []
    batch = [{"Data": RECORDS[0]}, bad, {"Data": RECORDS[1]}]
    assert EVENTS[:2] == list(parse_kinesis_event(batch, on_error=handed.append))
    assert ["Kinesis record 1"] == [undecodable.source for undecodable in handed]


def test_a_bad_user_record_costs_only_itself() -> None:
    """Inside a sound frame the user records around a bad one are read."""
    frame = aggregate([RECORDS[0], b"hello", RECORDS[1], RECORDS[1]])
    handed: list[Undecodable] = []
    found = parse_kinesis_event([{"Data": frame}], on_error=handed.append)
    assert [EVENTS[0], EVENTS[1], EVENTS[1]] == list(found)
    (undecodable,) = handed
    assert (frame.index(b"hello"), 5, b"hello") == (
        undecodable.offset,
        undecodable.length,
        undecodable.data,
    )


def test_a_record_with_the_data_of_both_forms_is_refused() -> None:
    """Which of them counts no one can say, so neither is dropped in silence."""
    seen: list[Undecodable] = []
    both = {"kinesis": {"data": "QUJD"}, "Data": b"ABC"}
    assert [] == list(parse_kinesis_event([both], on_error=seen.append))
    problem = "it has both `Data` and `kinesis.data`"
    assert [CarrierError("Kinesis record 0", 0, problem)] == [one.error for one in seen]

"""Functions of timestamps: every example of facts 5.5, and the edges around them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, strategies as st

from qldb_stream import ion
from qldb_stream.errors import PartiqlEvaluationError
from qldb_stream.testing.strategies.ion_values import ion_timestamps, ion_values
from tests.partiql.tables import value_of


def ion_of(expression: str) -> ion.IonSlice:
    """Evaluate an expression; its value in bytes, so that a timestamp's precision counts."""
    return ion.to_slice(value_of(expression))


def literal(text: str) -> ion.IonSlice:
    """Read Ion text."""
    return next(ion.iter_text(text))


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("DATE_ADD(year, 5, `2010-01-01T`)", "2015-01-01T"),
        ("DATE_ADD(month, 1, `2010T`)", "2010-02T"),
        ("DATE_ADD(month, 13, `2010T`)", "2011-02T"),
        ("DATE_ADD(day, -1, `2017-01-10T`)", "2017-01-09T"),
        ("DATE_ADD(day, 1, `2010T`)", "2010-01-02T"),
        ("DATE_ADD(hour, 1, `2017T`)", "2017-01-01T01:00Z"),
        ("DATE_ADD(minute, 1, `2017-01-02T`)", "2017-01-02T00:01Z"),
        ("DATE_ADD(hour, 1, `2017-01-02T03:04Z`)", "2017-01-02T04:04Z"),
        ("DATE_ADD(second, 1, `2017-01-02T03:04Z`)", "2017-01-02T03:04:01Z"),
        ("DATE_ADD(minute, 1, `2017-01-02T03:04:05.006Z`)", "2017-01-02T03:05:05.006Z"),
        ("DATE_ADD(second, 1, `2017-01-02T03:04:05.0060Z`)", "2017-01-02T03:04:06.0060Z"),
        ("DATE_ADD(month, 1, `2017-01-31T`)", "2017-02-28T"),
        ("DATE_ADD(year, 1, `2016-02-29T`)", "2017-02-28T"),
        ("DATE_ADD(month, -1, `2017-01-31T23:00-08:00`)", "2016-12-31T23:00-08:00"),
        ("DATE_ADD(hour, 2, `2017-01-01T23:00-00:00`)", "2017-01-02T01:00-00:00"),
        ("DATE_ADD(day, null, `2017T`)", "null"),
        ("DATE_ADD(day, 1, missing)", "null"),
    ],
)
def test_date_add(expression: str, expected: str) -> None:
    """A timestamp moves on in its own offset, and gets the precision that the part needs."""
    assert literal(expected) == ion_of(expression)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("DATE_DIFF(year, `2010-01-01T`, `2011-01-01T`)", 1),
        ("DATE_DIFF(year, `2010-12T`, `2011-01T`)", 0),
        ("DATE_DIFF(month, `2010T`, `2011T`)", 12),
        ("DATE_DIFF(month, `2010T`, `2010-05T`)", 4),
        ("DATE_DIFF(month, `2011T`, `2010T`)", -12),
        ("DATE_DIFF(month, `2010-12T`, `2011-01T`)", 1),
        ("DATE_DIFF(month, `2010-01-31T`, `2010-02-28T`)", 0),
        ("DATE_DIFF(day, `2010-01-01T23:00Z`, `2010-01-02T01:00Z`)", 0),
        ("DATE_DIFF(hour, `2010-01-01T23:00Z`, `2010-01-02T01:00Z`)", 2),
        ("DATE_DIFF(hour, `2010-01-01T00:00+01:00`, `2010-01-01T00:00Z`)", 1),
        ("DATE_DIFF(second, `2010-01-01T00:00:00.5Z`, `2010-01-01T00:00:01.4Z`)", 0),
        ("DATE_DIFF(second, `2010-01-01T00:00:01.4Z`, `2010-01-01T00:00:00.3Z`)", -1),
        ("DATE_DIFF(minute, `2010-01-01T00:00:00.123456Z`, `2010-01-01T00:01:00.2Z`)", 1),
        ("EXTRACT(YEAR FROM `2010-01-01T`)", 2010),
        ("EXTRACT(MONTH FROM `2010T`)", 1),
        ("EXTRACT(MONTH FROM `2010-10T`)", 10),
        ("EXTRACT(DAY FROM `2010-10-09T`)", 9),
        ("EXTRACT(HOUR FROM `2017-01-02T03:04:05+07:08`)", 3),
        ("EXTRACT(MINUTE FROM `2017-01-02T03:04:05+07:08`)", 4),
        ("EXTRACT(SECOND FROM `2017-01-02T03:04:05.678+07:08`)", 5),
        ("EXTRACT(TIMEZONE_HOUR FROM `2017-01-02T03:04:05+07:08`)", 7),
        ("EXTRACT(TIMEZONE_MINUTE FROM `2017-01-02T03:04:05+07:08`)", 8),
        ("EXTRACT(TIMEZONE_MINUTE FROM `2017-01-02T03:04:05-07:08`)", -8),
        ("EXTRACT(TIMEZONE_HOUR FROM `2017T`)", 0),
        ("EXTRACT(YEAR FROM null)", None),
    ],
)
def test_differences_and_fields(expression: str, expected: Any) -> None:
    """Whole elapsed units, cut towards zero; fields as the timestamp's own offset has them."""
    assert expected == value_of(expression)


@pytest.mark.parametrize(
    ("timestamp", "pattern", "expected"),
    [
        ("1969-07-20T20:18Z", "MMMM d, y", "July 20, 1969"),
        ("1969-07-20T20:18Z", "MMM d, yyyy", "Jul 20, 1969"),
        ("1969-07-20T20:18Z", "M-d-yy", "7-20-69"),
        ("1969-07-20T20:18Z", "MM-d-y", "07-20-1969"),
        ("1969-07-20T20:18Z", "MMMM d, y h:m a", "July 20, 1969 8:18 PM"),
        ("1969-07-20T20:18Z", "y-MM-dd''T''H:m:ssX", "1969-07-20T20:18:00Z"),
        ("1969-07-20T20:18+08:00", "y-MM-dd''T''H:m:ssX", "1969-07-20T20:18:00+08"),
        ("1969-07-20T20:18+08:00", "y-MM-dd''T''H:m:ssXXXX", "1969-07-20T20:18:00+0800"),
        ("1969-07-20T20:18+08:00", "y-MM-dd''T''H:m:ssXXXXX", "1969-07-20T20:18:00+08:00"),
        ("1969-07-20T20:18-08:30", "X XX XXX", "-0830 -0830 -08:30"),
        ("1969-07-20T20:18Z", "X x xx xxx", "Z +00 +0000 +00:00"),
        ("1969-07-20T20:18-00:00", "XX", "Z"),
        ("0099-01-02T00:03:04Z", "yyyy dd hh HH mm ss h H", "0099 02 12 00 03 04 12 0"),
        ("2017-01-02T13:04:05.987654Z", "S SS SSS SSSSSSSSS", "9 98 987 987654000"),
        ("2017-01-02T13:04:05Z", "SSS a", "000 PM"),
        ("2017-01-02T13:04:05.0001Z", "SSS", "000"),
        ("2017T", "''''d''''MM''it''''s''", "'1'01it's"),
        ("2017T", "d (y) / %", "1 (2017) / %"),
    ],
)
def test_to_string(timestamp: str, pattern: str, expected: str) -> None:
    """Every symbol of facts 5.5 is written, text in quotes and other characters as they are."""
    assert expected == value_of(f"TO_STRING(`{timestamp}`, '{pattern}')")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("'2007T'", "2007T"),
        ("'2007-02-23T12:14:33.079-08:00'", "2007-02-23T12:14:33.079-08:00"),
        ("'2016', 'y'", "2016T"),
        ("'2016', 'yyyy'", "2016T"),
        ("'02-2016', 'MM-yyyy'", "2016-02T"),
        ("'Feb 2016', 'MMM yyyy'", "2016-02T"),
        ("'February 2016', 'MMMM yyyy'", "2016-02T"),
        ("'fEBRUARY 3, 70', 'MMMM d, yy'", "1970-02-03T"),
        ("'1/2/69', 'd/M/yy'", "2069-02-01T"),
        ("'20160203 04', 'yyyyMMdd HH'", "2016-02-03T04:00-00:00"),
        ("'2016-2-3 12:05 aM', 'y-M-d h:m a'", "2016-02-03T00:05-00:00"),
        ("'2016-2-3 12:05PM Z', 'y-M-d hh:mma X'", "2016-02-03T12:05Z"),
        (
            "'1969-07-20T20:18:1.123+0730', 'y-MM-dd''T''H:m:s.SSSxx'",
            "1969-07-20T20:18:01.123+07:30",
        ),
        ("'1969-07-20T20:18:13-07', 'y-MM-dd''T''H:m:ssX'", "1969-07-20T20:18:13-07:00"),
        ("'1969-07-20T20:18:13-07:30', 'y-MM-dd''T''H:m:ssXXX'", "1969-07-20T20:18:13-07:30"),
        ("null, 'y'", "null"),
    ],
)
def test_to_timestamp(arguments: str, expected: str) -> None:
    """A timestamp has the precision that its format supplies; without one, Ion's syntax is read."""
    assert literal(expected) == ion_of(f"TO_TIMESTAMP({arguments})")


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("DATE_ADD(year, 1.5, `2010T`)", "DATE_ADD expects a whole number"),
        ("DATE_ADD(year, 1, '2010')", "expected a timestamp, found string"),
        ("DATE_ADD(year, 8000, `2010T`)", "timestamp out of range"),
        ("DATE_ADD(day, -800000, `2010T`)", "timestamp out of range"),
        ("DATE_ADD(second, 999999999999999999999, `2010T`)", "timestamp out of range"),
        ("DATE_ADD(hour, 1, `9999-12-31T23:30-00:00`)", "timestamp out of range"),
        ("DATE_ADD(hour, -1, `0001-01-01T00:30+00:00`)", "timestamp out of range"),
        ("DATE_ADD(hour, 10, `9999-12-31T13:00-10:00`)", "timestamp out of range"),
        ("DATE_DIFF(day, `2010T`, 1)", "expected a timestamp, found int"),
        ("EXTRACT(YEAR FROM 'x')", "expected a timestamp, found string"),
        ("TO_STRING('x', 'y')", "expected a timestamp, found string"),
        ("TO_STRING(`2010T`, 5)", "a timestamp format must be text, found int"),
        ("TO_STRING(`2010T`, 'yyy')", "unknown symbol yyy in a timestamp format"),
        ("TO_STRING(`2010T`, 'Q')", "unknown symbol Q in a timestamp format"),
        ("TO_STRING(`2010T`, 'SSSSSSSSSS')", "unknown symbol SSSSSSSSSS"),
        ("TO_STRING(`2010T`, 'y''T')", "a quote in a timestamp format is not closed"),
        ("TO_STRING(`2010T`, ?)", "a timestamp format of more than 256 characters"),
        ("TO_TIMESTAMP(5)", "expected text, found int"),
        ("TO_TIMESTAMP('2017')", "the text is no timestamp in Ion's syntax"),
        ("TO_TIMESTAMP('2017-02-30T')", "the text is no timestamp in Ion's syntax"),
        ("TO_TIMESTAMP('hello')", "the text is no timestamp in Ion's syntax"),
        ("TO_TIMESTAMP('2017.5')", "the text is no timestamp in Ion's syntax"),
        ("TO_TIMESTAMP('2017-13', 'y-M')", "the text names a date or time that does not exist"),
        ("TO_TIMESTAMP('1-1-1 13:00AM', 'y-M-d h:ma')", "the text names a date or time"),
        ("TO_TIMESTAMP('1-1-1 1:0 +24', 'y-M-d H:m X')", "the text names an offset"),
        ("TO_TIMESTAMP('0001-01-01 00:00+01', 'yyyy-MM-dd HH:mmX')", "timestamp out of range"),
        ("TO_TIMESTAMP('x', 'y')", "the text does not fit the timestamp format"),
        ("TO_TIMESTAMP('5', 'M')", "a timestamp format lacks its year"),
        ("TO_TIMESTAMP('', '')", "a timestamp format lacks its year"),
        ("TO_TIMESTAMP('2017 5', 'y d')", "a timestamp format lacks its month"),
        ("TO_TIMESTAMP('2017 5', 'y yy')", "a timestamp format names a field twice"),
        ("TO_TIMESTAMP('x', 'y-M-d h')", "a timestamp format has h without a, or a without h"),
        ("TO_TIMESTAMP('x', 'y-M-d a')", "a timestamp format has h without a, or a without h"),
        ("TO_TIMESTAMP('x', 'yX')", "a timestamp format has an offset without a time"),
    ],
)
def test_what_fails(expression: str, problem: str) -> None:
    """What is no timestamp, no format, or leaves the calendar is a located error."""
    parameters = ["y" * 257] * expression.count("?")
    with pytest.raises(PartiqlEvaluationError) as caught:
        value_of(expression, *parameters)
    assert caught.value.problem.startswith(problem)
    assert (1, 15) == (caught.value.line, caught.value.column)


def test_an_offset_with_seconds_is_refused() -> None:
    """Ion's offsets are whole minutes; Python's need not be."""
    moment = datetime(2017, 1, 1, tzinfo=timezone(timedelta(seconds=90)))
    with pytest.raises(PartiqlEvaluationError, match="not in whole minutes"):
        value_of("EXTRACT(YEAR FROM ?)", moment)


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_that_was_written_is_read_again(moment: datetime) -> None:
    """TO_TIMESTAMP with a format undoes TO_STRING with it."""
    pattern = "yyyy-MM-dd HH:mm:ss.SSSSSS XXX"
    text = value_of("TO_STRING(?, ?)", moment, pattern)
    assert ion.to_slice(moment) == ion.to_slice(value_of("TO_TIMESTAMP(?, ?)", text, pattern))


@given(ion_timestamps())
def test_a_timestamp_cast_to_text_and_back_is_itself(moment: datetime) -> None:
    """CAST to STRING writes Ion's syntax, whatever precision and offset there are."""
    bare = ion.to_slice(ion.timestamp_from(ion.instant_of(moment)))
    assert bare == ion.to_slice(value_of("CAST(CAST(? AS STRING) AS TIMESTAMP)", moment))


@given(ion_values(), st.text(max_size=8))
def test_any_value_and_format_give_a_value_or_our_error(value: Any, pattern: str) -> None:
    """Whatever they are given, the functions raise nothing but located errors."""
    for call in ("TO_STRING(?, ?)", "TO_TIMESTAMP(?, ?)"):
        try:
            ion.dumps(value_of(call, value, pattern))
        except PartiqlEvaluationError as exc:
            assert exc.problem  # noqa: PT017 - either outcome will do

"""Taking containers apart, and reading single values by type."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from qldb_stream.errors import IonDecodeError
from qldb_stream.ion import (
    IVM,
    IonSlice,
    blob_of,
    dumps,
    int_of,
    iter_elements,
    iter_fields,
    iter_text,
    load_slice,
    parse_blob,
    parse_fields,
    parse_int,
    parse_string,
    parse_timestamp,
    read_struct,
    text_of,
    timestamp_of,
)


def one(text: str) -> IonSlice:
    """Read one value of Ion text."""
    (value,) = iter_text(text)
    return value


def raw(form: str) -> IonSlice:
    """Read one value of binary Ion in hex."""
    return load_slice(IVM + bytes.fromhex(form))


LONG = "x" * 200


def test_fields_in_order() -> None:
    """iter_fields yields each field in the order it is written, repeated ones too."""
    struct = raw("da 85 21 01 84 b2 21 02 85 21 03")
    found = [(name, value.decode()) for name, value in iter_fields(struct)]
    assert [("version", 1), ("name", [2]), ("version", 3)] == found


def test_fields_by_name() -> None:
    """read_struct answers each field's slice by its name."""
    found = read_struct(one(f'{{b: 1, a: "{LONG}", c: null}}'))
    assert {"b": 1, "a": LONG, "c": None} == {name: found[name].decode() for name in found}


def test_padding_and_unknown_names() -> None:
    """Padding is no field; a name without text is None in order, and left out by name."""
    struct = raw("d8 80 02 ff ff 84 11 80 10")
    assert [("name", True), (None, False)] == [(n, v.decode()) for n, v in iter_fields(struct)]
    assert ["name"] == list(read_struct(struct))
    assert ["name"] == list(read_struct(raw("d9 80 10 84 11 80 10 80 01 00")))


def test_a_repeated_name_is_refused_by_name() -> None:
    """read_struct never lets the last of two fields win in silence."""
    with pytest.raises(IonDecodeError, match="'b' is given twice"):
        read_struct(one("{b:1, a:2, b:1}"))


def test_elements() -> None:
    """Lists and sexps yield their elements in order, without padding."""
    assert [1, None, "x"] == [value.decode() for value in iter_elements(one('[1, null, "x"]'))]
    assert [1, 2] == [int_of(value) for value in iter_elements(one("(1 2)"))]
    assert [True] == [value.decode() for value in iter_elements(raw("b4 00 11 01 ff"))]
    assert [] == list(iter_elements(one("[]")))


def test_readers_look_through_annotations() -> None:
    """An annotated value is read as what it is."""
    assert "x" == text_of(one('a::"x"'))
    assert 1 == int_of(one("a::1"))
    assert b"blob" == blob_of(one("a::{{YmxvYg==}}"))
    assert datetime(2020, 1, 1, tzinfo=UTC) == timestamp_of(one("a::2020T"))
    assert ["x"] == list(read_struct(one("a::{x:1}")))
    assert ["x"] == [name for name, _ in iter_fields(one("a::{x:1}"))]
    assert 1 == len(list(iter_elements(one("a::[1]"))))


STRINGS = ["", "a", "x" * 13, "x" * 14, "x" * 127, "x" * 128, "x" * 20_000, "é𝄞"]


@pytest.mark.parametrize("text", STRINGS, ids=len)
def test_strings(text: str) -> None:
    """Strings of every length are read, alone and as a field."""
    assert text == text_of(load_slice(dumps(text)))
    assert text == text_of(read_struct(load_slice(dumps({"a": text, "b": 1})))["a"])


@pytest.mark.parametrize("number", [0, 1, -1, 255, -256, 2**63, -(2**64), 1 << 1000])
def test_ints(number: int) -> None:
    """Ints of every size and sign are read."""
    assert number == int_of(load_slice(dumps(number)))


def test_ints_in_odd_forms() -> None:
    """Leading zeros and long lengths change nothing."""
    assert [5, 5, -5] == [int_of(raw(form)) for form in ("22 00 05", "2e 81 05", "3e 82 00 05")]


@pytest.mark.parametrize("length", [0, 13, 14, 32, 127, 128, 20_000])
def test_blobs(length: int) -> None:
    """Blobs of every length are read."""
    assert b"\x0b" * length == blob_of(load_slice(dumps(b"\x0b" * length)))


TIMES = {
    "2021T": datetime(2021, 1, 1, tzinfo=UTC),
    "2021-02T": datetime(2021, 2, 1, tzinfo=UTC),
    "2021-02-09": datetime(2021, 2, 9, tzinfo=UTC),
    "2021-02-09T02:16Z": datetime(2021, 2, 9, 2, 16, tzinfo=UTC),
    "2021-02-09T02:16-00:00": datetime(2021, 2, 9, 2, 16, tzinfo=UTC),
    "2021-02-09T02:16:06+01:00": datetime(2021, 2, 9, 1, 16, 6, tzinfo=UTC),
    "2021-02-09T02:16:06.242Z": datetime(2021, 2, 9, 2, 16, 6, 242000, tzinfo=UTC),
    "2021-02-09T02:16:06.000Z": datetime(2021, 2, 9, 2, 16, 6, tzinfo=UTC),
    "2021-02-09T02:16:06.127Z": datetime(2021, 2, 9, 2, 16, 6, 127000, tzinfo=UTC),
    "2021-02-09T02:16:06.128Z": datetime(2021, 2, 9, 2, 16, 6, 128000, tzinfo=UTC),
    "2021-02-09T02:16:06.2421239Z": datetime(2021, 2, 9, 2, 16, 6, 242123, tzinfo=UTC),
    "0128-02-09T02:16:06.242Z": datetime(128, 2, 9, 2, 16, 6, 242000, tzinfo=UTC),
    "0127-02-09T02:16:06.242Z": datetime(127, 2, 9, 2, 16, 6, 242000, tzinfo=UTC),
}


@pytest.mark.parametrize("text", TIMES)
def test_timestamps(text: str) -> None:
    """A timestamp is read as the aware UTC datetime of its beginning, cut to microseconds."""
    actual = timestamp_of(one(text))
    assert TIMES[text] == actual
    assert UTC is actual.tzinfo


@pytest.mark.parametrize("form", ["8e 81 61", "8e 00 81 61"])
def test_strings_with_long_lengths(form: str) -> None:
    """A short string may say its length the long way, padded too."""
    assert "a" == text_of(raw(form))


WRONG: list[tuple[Any, str, str]] = [
    (text_of, "1", "expected string, found int"),
    (text_of, "sym", "expected string, found symbol"),
    (text_of, "null.string", "expected string, found null.string"),
    (text_of, "a::null", "expected string, found null"),
    (int_of, '"1"', "expected int, found string"),
    (int_of, "null.int", "expected int, found null.int"),
    (int_of, "1.0", "expected int, found decimal"),
    (blob_of, '{{"clob"}}', "expected blob, found clob"),
    (blob_of, "null.blob", "expected blob, found null.blob"),
    (timestamp_of, '"2021T"', "expected timestamp, found string"),
    (timestamp_of, "null.timestamp", "expected timestamp, found null.timestamp"),
    (read_struct, "[]", "expected struct, found list"),
    (read_struct, "null.struct", "expected struct, found null.struct"),
    (lambda s: list(iter_fields(s)), "1", "expected struct, found int"),
    (lambda s: list(iter_fields(s)), "null", "expected struct, found null"),
    (lambda s: list(iter_elements(s)), "{}", "expected list or sexp, found struct"),
    (lambda s: list(iter_elements(s)), "null.list", "expected list or sexp, found null.list"),
    (lambda s: list(iter_elements(s)), "null.sexp", "expected list or sexp, found null.sexp"),
]


@pytest.mark.parametrize(("read", "text", "problem"), WRONG)
def test_another_type_is_refused(read: Any, text: str, problem: str) -> None:
    """Another type, or null, is an IonDecodeError with what was expected, found, and where."""
    value = one(text)
    with pytest.raises(IonDecodeError) as caught:
        read(value)
    assert IonDecodeError(value.value_start(), problem) == caught.value


def test_an_annotated_value_is_no_string_to_the_hot_readers() -> None:
    """The parse_ functions do not look through annotations: QLDB writes none (facts 1.1)."""
    value = one('a::"x"')
    for parse in (parse_string, parse_int, parse_blob, parse_timestamp):
        with pytest.raises(IonDecodeError, match="found an annotated value"):
            parse(value.buf, value.start, value.end)
    with pytest.raises(IonDecodeError, match="found an annotated value"):
        parse_fields(value.buf, value.start, value.end, value.symbols)


def test_hot_readers_work_on_bounds() -> None:
    """parse_fields answers bounds; the other parse_ functions read what is in them."""
    moment = datetime(2021, 2, 9, 2, 16, 6, 242000, tzinfo=UTC)
    value = one('{s: "text", i: 7, b: {{YmxvYg==}}, t: 2021-02-09T02:16:06.242Z}')
    fields = parse_fields(value.buf, value.start, value.end, value.symbols)
    assert ["s", "i", "b", "t"] == list(fields)
    assert "text" == parse_string(value.buf, *fields["s"])
    assert 7 == parse_int(value.buf, *fields["i"])
    assert b"blob" == parse_blob(value.buf, *fields["b"])
    assert moment == parse_timestamp(value.buf, *fields["t"])


BROKEN = {
    "d2 84 21": "beyond",
    "d3 84 10 85": "missing",
    "d2 8a 10": "symbol id 10",
    "d3 84 10 04": "cut off",
    "d2 84 f0": "0xf0",
    "d4 84 8e 85 61": "beyond",
    "d3 84 8e 81": "beyond",
    "d2 84 8e": "cut off",
    "d1 80": "empty",
    "d1 84 85 10 84 11": "order",
    "de 84 8a 10 84 11": "symbol id 10",
}


@pytest.mark.parametrize("form", BROKEN)
def test_broken_structs_are_refused(form: str) -> None:
    """A struct that does not hold whole fields is an IonDecodeError, whichever way it is read."""
    value = raw(form)
    for use in (read_struct, lambda s: list(iter_fields(s))):
        with pytest.raises(IonDecodeError, match=BROKEN[form]):
            use(value)


def test_broken_values_are_refused_by_the_typed_readers() -> None:
    """A string that is not UTF-8 and an int that is minus zero are refused when they are read."""
    with pytest.raises(IonDecodeError, match="UTF-8") as caught:
        text_of(raw("82 61 ff"))
    assert 6 == caught.value.offset
    with pytest.raises(IonDecodeError, match="minus zero"):
        int_of(raw("31 00"))
    with pytest.raises(IonDecodeError, match="does not exist"):
        timestamp_of(raw("6b 80 0f e5 8d 89 82 90 86 c3 00 f2"))


def test_a_field_of_a_record_at_its_end_is_bounded() -> None:
    """A broken last field does not read into the record that follows."""
    record = IVM + bytes.fromhex("d2 84 21")
    value = next(iter([load_slice(record)]))
    with pytest.raises(IonDecodeError):
        read_struct(IonSlice(record + dumps(1), value.start, value.end, value.symbols))

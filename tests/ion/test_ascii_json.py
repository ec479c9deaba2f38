"""Ion as JSON: what every reader of JSON can take, and what is left out."""

from __future__ import annotations

import json

import pytest

from qldb_stream.errors import IonDecodeError
from qldb_stream.ion import IonSlice, iter_text, load_slice, to_ascii_json


def shown(text: str) -> str:
    """Write the value of some Ion text as JSON."""
    (value,) = iter_text(text)
    return to_ascii_json(value)


@pytest.mark.parametrize(
    ("ion", "expected"),
    [
        ("null", "null"),
        ("null.timestamp", "null"),
        ("null.struct", "null"),
        ("true", "true"),
        ("false", "false"),
        ("-17", "-17"),
        ("17 ", "17"),
        ("1.50", "1.50"),
        ("-0.0", "-0.0"),
        ("12d3", "1.2E+4"),
        ("2.5e0", "2.5"),
        ("nan", "null"),
        ("-inf", "null"),
        ('"a\\"b\\u00e9"', '"a\\"b\\u00e9"'),
        ('""', '""'),
        ("symbol", '"symbol"'),
        ("''", '""'),
        ("$0", '"$0"'),
        ("{{aGk=}}", '"aGk="'),
        ('{{"h\\xe9"}}', '"h\\u00e9"'),
        ("2024T", '"2024T"'),
        ("2024-05T", '"2024-05T"'),
        ("0001-05-06T", '"0001-05-06"'),
        ("2024-05-06T07:08Z", '"2024-05-06T07:08Z"'),
        ("2024-05-06T07:08:09+05:30", '"2024-05-06T07:08:09+05:30"'),
        ("2024-05-06T07:08:09.120-00:30", '"2024-05-06T07:08:09.120-00:30"'),
        ("2024-05-06T07:08:09.123456Z", '"2024-05-06T07:08:09.123456Z"'),
        ("2024-05-06T07:08:09.123456789-00:00", '"2024-05-06T07:08:09.123456-00:00"'),
        ("degrees::21", "21"),
        ("[1, [], {}]", "[1,[],{}]"),
        ("(a 1)", '["a",1]'),
        ("{a:1, 'b c':{d:null}}", '{"a":1,"b c":{"d":null}}'),
        ("{a:1, a:2}", '{"a":1,"a":2}'),
        ("{$0:1}", '{"$0":1}'),
    ],
)
def test_each_type_has_its_json(ion: str, expected: str) -> None:
    """What JSON can say it says, the rest comes as the nearest thing."""
    assert expected == shown(ion)
    json.loads(expected)


def test_huge_integers_are_text() -> None:
    """An integer that readers of JSON choke on is a string in hexadecimal."""
    assert "9" * 3000 == shown("9" * 3000)
    assert f'"{10**5000:#x}"' == shown(hex(10**5000))


def test_a_line_is_a_line() -> None:
    """No character that some reader takes for the end of a line is left as it is."""
    text = "".join(map(chr, (10, 13, 0x85, 0x2028, 0x2029)))
    written = shown(json.dumps(text))
    assert 1 == len(written.splitlines())
    assert text == json.loads(written)


def test_unsound_ion_is_a_decode_error() -> None:
    """Bytes that are no Ion are refused as such."""
    sound = load_slice(b"\xe0\x01\x00\xea\xdb\x84\x89abcdefghi")
    with pytest.raises(IonDecodeError):
        to_ascii_json(IonSlice(sound.buf, 4, 15, sound.symbols))

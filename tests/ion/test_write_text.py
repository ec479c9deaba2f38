"""Ion text written straight from the bytes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from qldb_stream.errors import IonEncodeError
from qldb_stream.ion import IonSlice, iter_elements, iter_text, to_slice, to_text, write_text
from qldb_stream.testing.strategies import ion_values


@pytest.mark.parametrize(
    "text",
    [
        "null",
        "null.struct",
        "x::'a b'::null.int",
        "true",
        "-17",
        "12.50",
        "0.05",
        "-0.",
        "1d30",
        "1d-30",
        "2.5e0",
        "1e+16",
        "nan",
        "+inf",
        "-inf",
        "2019-09-16T19:37:05.360Z",
        "plain",
        "'null'",
        "'$10'",
        "'it\\'s'",
        '"text é \\" \\n\\u0001"',
        '{{"ab\\x80\\x22\\x5c"}}',
        "{{aGk=}}",
        "(a '+' [1,{}])",
        "{a:1,a:2,'b c':u::[1,2]}",
        "'$ion_2_7'",
        "$ion_1_0x",
        "a::'$ion_1_0'",
        "'$ion_1_0'::a",
        "['$ion_1_0',('$ion_1_0' '$3')]",
        "{'$ion_1_0':'$ion_1_0','$1':'$1'}",
        "$0",
        "{$0:$0::1}",
    ],
)
def test_each_type(text: str) -> None:
    """These spellings are its own."""
    assert text == write_text(next(iter_text(text)))


@pytest.mark.parametrize("number", [*range(12), 4711])
def test_symbols_that_look_like_numbers_are_themselves(number: int) -> None:
    """`$1` is the symbol of that text, not the first of the system's; nor is any other."""
    for ion in (_symbol(f"${number}"), _symbol(f"$ion_{number}_1"), _symbol(f"$ion_1_{number}0")):
        text = write_text(ion)
        assert text.startswith("'$")
        assert [ion] == list(iter_text(text))


def test_the_version_marker_is_no_value_of_its_own() -> None:
    """Readers drop it, quoted or not; so it is refused there, and written anywhere else."""
    marker = _symbol("$ion_1_0")
    assert [] == list(iter_text("'$ion_1_0'"))
    for write in (write_text, to_text, lambda ion: to_text(ion, indent="  ")):
        with pytest.raises(IonEncodeError, match="put it into a list"):
            write(marker)
    assert "'$ion_1_0'" == to_text(marker, is_part=True)
    assert "null.symbol" == write_text(next(iter_text("null.symbol")))


def _symbol(text: str) -> IonSlice:
    return next(iter_elements(next(iter_text(f"['{text}']"))))


def test_a_long_int() -> None:
    """No number is too long, whatever the interpreter's limit for text."""
    assert "1" + "0" * 8999 + "7" == write_text(to_slice(10**9000 + 7))


@given(ion_values())
def test_what_is_written_is_read(value: Any) -> None:
    """Every Ion value gives one line that says it."""
    ion = value if isinstance(value, IonSlice) else to_slice(value)
    text = write_text(ion)
    assert "\n" not in text
    assert [ion] == list(iter_text(text))

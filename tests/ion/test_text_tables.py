"""Symbol tables in Ion text: a few bytes that ask for any amount of memory."""

from __future__ import annotations

import pytest

from qldb_stream.errors import IonDecodeError
from qldb_stream.ion import iter_text, loads

NAMES = [
    "$ion_symbol_table",
    "'$ion_symbol_table'",
    "'$ion\\x5fsymbol_table'",
    "'$ion\\x5Fsymbol_table'",
    "'\\u0024ion_symbol_table'",
    "'\\U00000024ion_symbol_table'",
    "'$ion_\\\nsymbol_table'",
    "'$ion_\\\r\nsymbol_table'",
    "$3",
    "$003",
]
BEFORE = ["", "1 ", "{a: [1]} ", "(a b) ", '"{" ', "'''{''' ", "'{' ", "{{eyI=}} ", '{{"}{"}} ']
BEFORE += ["// {\n", "/* { */ ", "// {\r ", "$ion_1_0 ", "a::b::{} ", "'\\x7b' "]
BETWEEN = ["::", " :: ", "/* :: { */::// {\n", "\v::\f", "::a::'b' /**/ :: "]


def values_of(text: str) -> tuple[int, IonDecodeError | None]:
    """Count the values that come before the end or an error, and give that."""
    count = 0
    try:
        for _ in iter_text(text):
            count += 1
    except IonDecodeError as exc:
        return count, exc
    return count, None


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("between", BETWEEN)
@pytest.mark.parametrize("before", BEFORE)
def test_a_table_in_text_is_refused_where_it_stands(before: str, between: str, name: str) -> None:
    """However it is written and whatever is before it; a thousand million symbols are not made."""
    table = name + between + '{imports:[{name:"x",version:1,max_id:1000000000}]}'
    expected = IonDecodeError(len(before), "a symbol table in Ion text, which has no use for one")
    assert (values_of(before)[0], expected) == values_of(before + table + " {}")


@pytest.mark.parametrize("zeros", ["\0", "\0 \0"])
def test_what_one_reader_alone_takes_for_space_hides_no_table(zeros: str) -> None:
    """amazon.ion's C reader passes over zero bytes."""
    for name in NAMES:
        with pytest.raises(IonDecodeError, match="symbol table"):
            list(iter_text(f"{name}{zeros}::{zeros}{{symbols:[]}}"))


def test_thousands_of_appending_tables_end_at_the_first() -> None:
    """Each of them would copy all before it."""
    table = '$ion_symbol_table::{imports:$ion_symbol_table,symbols:["a"]} '
    assert 0 == values_of(table * 3000 + "{}")[0]


@pytest.mark.parametrize(
    "text",
    [
        "[$ion_symbol_table::{a: 1}]",
        "($ion_symbol_table::{a: 1})",
        "{a: '$ion\\x5fsymbol_table'::{a: 1}}",
        "[$3::{a: 1}]",
        "a::$ion_symbol_table::{a: 1}",
        "$ion_symbol_table::[1]",
        "$ion_symbol_table::(1)",
        '$ion_symbol_table::{{"a"}}',
        "$ion_symbol_table::{{QQ==}}",
        "$ion_symbol_table::'a'",
        "'$3 ion'::{a: 1}",
        "'\\xe9\\uffff\\U0010ffff\\n\\?'::{a: 1}",
        "$ion_symbol_table {a: 1}",
        '"$ion_symbol_table::{a: 1}" a::{}',
        "'''$3::{a: 1} \\''' ''' a::{}",
        "// $3::{}\n a::{}",
        "/* $3::{} */ a::{}",
        '["a::b", "\\"c\'", "$ion_symbol_table::{"]',
    ],
)
def test_what_is_no_table_is_read(text: str) -> None:
    """Inside a value, behind another annotation or on another type it is a user's own."""
    count, error = values_of(text)
    assert error is None
    assert count >= 1


def test_text_that_is_not_closed_hides_nothing() -> None:
    """Every cut of a text with a table in it is read or refused as such."""
    text = "'\\x5f'::{a: \"b\\\"\", c: '''d''', e: {{\"f\"}}} $3::{symbols: [\"a\"]} $10"
    for end in range(len(text)):
        values_of(text[:end])
    assert 1 == values_of(text)[0]


def test_numbers_in_strings_are_no_ids() -> None:
    """A text that looks suspicious is read as before."""
    (value,) = iter_text('{price: "$3", note: a::"$ion_symbol_table"}')
    assert "$3" == loads(value.to_bytes())["price"]

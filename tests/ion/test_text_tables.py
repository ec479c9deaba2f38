"""Symbol tables in Ion text, read as amazon.ion reads them, but within bounds."""

from __future__ import annotations

import io
from itertools import pairwise

import pytest
from amazon.ion import simpleion
from hypothesis import given, strategies as st

from qldb_stream.errors import IonDecodeError
from qldb_stream.ion import MAX_COPIED_SYMBOLS, iter_text, loads, read_text, to_slice

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


def hashes(text: str) -> list[str]:
    """Hash each value of a text."""
    return [value.hash().hex() for value in iter_text(text)]


def peers(text: str) -> list[str]:
    """Hash each value as amazon.ion's own reader finds it."""
    values = simpleion.load_python(io.StringIO(text), single_value=False, parse_eagerly=False)
    return [to_slice(value).hash().hex() for value in values]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("between", BETWEEN)
@pytest.mark.parametrize("before", BEFORE)
def test_a_table_is_found_however_it_is_written(before: str, between: str, name: str) -> None:
    """Whatever is before it: ids behind it are its symbols'; thousand millions are not made."""
    table = f'{before}{name}{between}{{symbols:["x","y z"]}} '
    assert hashes(f"{before}{{x:['y z',a::x]}}") == hashes(f"{table}{{$10:[$11,a::$10]}}")
    huge = name + between + '{imports:[{name:"x",version:1,max_id:1000000000}]}'
    expected = IonDecodeError(len(before), "a symbol table imports more than 16384 symbols")
    assert (values_of(before)[0], expected) == values_of(before + huge + " {}")


@pytest.mark.parametrize(
    "text",
    [
        '$ion_symbol_table::{symbols:["a","b"]} $10 {$11:$10} $10::1 [$11] ($10 $11)',
        '$ion_symbol_table::{symbols:["a"]} $10 $ion_symbol_table::{symbols:["b"]} $10',
        '$3::{symbols:["a"]} $3::{imports:$ion_symbol_table,symbols:["b"]} {$10:$11}',
        '$3::{$7:["a"]} $3::{$6:$3,$7:["b"]} {$10:$11}',
        '$3::{symbols:["a","$ion_symbol_table"]} $10 {$4:$5,$6:[$7,$8,$9]}',
        '$3::{symbols:["a"]} $10 $ion_1_0 $3::{symbols:["b"]} $10 $ion_1_0 {a:b}',
        '$3::{symbols:["$ion_1_0","null","","\'","$10","a b"]} {a:[$11,$12,$13,$14,$15]}',
        '$3::{symbols:["a"], a:open, max_id:3} {$10:"$10", b:\'$10\', c:{{"$10"}}, d:1e0} // $10\n',
        "$3::{symbols:[]} {} $3::{} {}",
        '$3::{symbols:["a"]} ($10 + $10 -$10) {$0010:1} $0',
    ],
)
def test_it_is_read_as_amazon_ion_reads_it(text: str) -> None:
    """Symbols as names, values and annotations; tables anew and added to; version markers."""
    assert peers(text) == hashes(text)
    assert len(hashes(text)) >= 1


NAMES_OF_SYMBOLS = st.text(st.characters(codec="utf-8"), max_size=3) | st.sampled_from(
    ["null", "$10", "a b", "'", '"', "\\", "name", "{", "//"]
)


@given(st.lists(NAMES_OF_SYMBOLS, min_size=4, max_size=4), st.randoms(use_true_random=False))
def test_names_and_ids_are_the_same(names: list[str], random: object) -> None:
    """A value with ids is the value with names, whatever the names are."""
    quoted = [to_text_of(name) for name in names]
    ids = [f"${10 + number}" for number in range(4)]
    table = "$ion_symbol_table::{symbols:[" + ",".join(quoted) + "]}"
    form = "{{ {0}:{1}, x:[{2}::{3}, ({0} {1})], {2}:{{ {3}:{0}::{{}} }} }}"
    symbols = [f"'{text[1:-1].replace(chr(39), chr(92) + chr(39))}'" for text in quoted]
    assert hashes(form.format(*symbols)) == hashes(table + form.format(*ids))


def to_text_of(name: str) -> str:
    """Write a string with every character escaped."""
    return '"' + "".join(f"\\U{ord(character):08x}" for character in name) + '"'


@pytest.mark.parametrize("zeros", ["\0", "\0 \0"])
def test_what_one_reader_alone_takes_for_space_hides_no_table(zeros: str) -> None:
    """amazon.ion's C reader passes over zero bytes."""
    for name in NAMES:
        with pytest.raises(IonDecodeError, match="symbol table"):
            list(iter_text(f"{name}{zeros}::{zeros}{{symbols:[]}}"))


def test_appending_tables_copy_so_much_and_no_more() -> None:
    """Each of them copies all before it."""
    first = "$3::{symbols:[" + ",".join(['"a"'] * 4000) + "]} "
    table = '$ion_symbol_table::{imports:$ion_symbol_table,symbols:["a"]} '
    count, error = values_of(first + f"{table} 1 " * 3000)
    assert error is not None
    assert f"appending tables copy more than {MAX_COPIED_SYMBOLS} symbols" == error.problem
    assert MAX_COPIED_SYMBOLS // 6000 < count < MAX_COPIED_SYMBOLS // 4000


def test_long_symbols_do_not_make_a_text_any_longer() -> None:
    """Some bytes of ids for a symbol of a million would be a bomb."""
    table = f'$ion_symbol_table::{{symbols:["{"x" * 100_000}", "y"]}} '
    problem = "symbols of a table would make Ion text many times as long"
    assert (0, IonDecodeError(len(table) + 6, problem)) == values_of(table + "[$11, $10]")
    assert (1, None) == values_of(table + "[$11, $11]")


def test_an_id_that_no_table_gives_is_an_error() -> None:
    """It stands for nothing."""
    text = '$ion_symbol_table::{symbols:["a","b"]} [$11] '
    problem = "symbol id 12 is not in a symbol table of 11 symbols"
    assert (1, IonDecodeError(len(text), problem)) == values_of(f"{text}$12")
    problem = "a symbol id of 5000 digits is in no symbol table"
    assert (1, IonDecodeError(len(text), problem)) == values_of(f"{text}${'9' * 5000}")
    assert "not Ion text" in str(values_of("$12")[1])


def test_what_is_no_string_in_a_table_has_an_id() -> None:
    """It is a symbol of unknown text (Ion 1.0 symbols specification); amazon.ion counts it not."""
    assert hashes("[a,$0,b]") == hashes('$3::{symbols:["a",null,3,"b"]} [$10,$12,$13]')


def test_symbols_of_shared_tables_are_of_unknown_text() -> None:
    """Nobody here has such a table; its ids are counted."""
    text = '$ion_symbol_table::{imports:[{name:"t",version:1,max_id:2}],symbols:["a"]} [$10,$12]'
    assert hashes("[$0, a]") == hashes(text)


def test_a_text_is_read_in_parts() -> None:
    """The table in force is carried on from one to the next."""
    text = '$ion_symbol_table::{symbols:["a"]} $10 $3::{imports:$3,symbols:["b"]} {$11:$10} $10 '
    cuts = [0, *[place + 1 for place, character in enumerate(text) if character == "}"], len(text)]
    values, table = read_text("")
    for start, end in pairwise(cuts):
        found, table = read_text(text[start:end], table)
        values += found
    assert peers(text) == [value.hash().hex() for value in values]
    assert ("a", "b") == table.texts[10:]


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
    assert (2, None) == values_of(text)
    expected = IonDecodeError(text.index("$3"), "a symbol table in Ion text is cut off")
    assert (1, expected) == values_of(text[: text.index("]")])


def test_numbers_in_strings_are_no_ids() -> None:
    """A text that looks suspicious is read as before."""
    (value,) = iter_text('{price: "$3", note: a::"$ion_symbol_table"}')
    assert "$3" == loads(value.to_bytes())["price"]

"""Plain Ion text: what is read by itself is what amazon.ion reads, and the rest is left to it."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from amazon.ion import simpleion
from hypothesis import given, settings, strategies as st

from qldb_stream.errors import IonDecodeError
from qldb_stream.ion import MAX_DEPTH, IonSlice, _plain_text, dumps, iter_text, to_slice, to_text
from qldb_stream.ion._plain_text import maybe_plain
from qldb_stream.ion._text import _iter_python
from qldb_stream.testing.strategies.ion_values import ion_documents, ion_values

BLOCK = (
    '{blockAddress:{strandId:"JdxjkR9bSYB5jMHWcI464T",sequenceNo:5},'
    "blockTimestamp:2020-06-01T00:00:07.429000Z,"
    "blockHash:{{NJfOWRMPsCfBrspYvCrz9+jBludAig/iTWMuCk/odtQ=}},previousBlockHash:{{}},"
    "entriesHashList:[{{aGVsbG8=}},{{aGVsbA==}}],"
    "documents:{'48r2UtVMGK2CPvZ1x0eGIZ':{tableName:\"Products\",statements:[0]},"
    "ADI66akw8USfWgtuliKYc1:{}},revisions:[{data:{number:null,price:-993.10,"
    'weight_kg:0.9219e0,sold:true,at:2020-06-01T02:00:07+02:00,remark:"Caf\u00e9 \\"x\\" \\u00fc",'
    "kind:gift,'two words':'so so',tags:[],rate:1d-3,gone:null.string,big:-12345678901234567890},"
    'metadata:{id:"4",version:0,txTime:2020-06-01T00:00:07.413Z}}]}'
)


def _by_amazon(text: str) -> list[IonSlice] | None:
    """Read with amazon.ion's Python part; None when it refuses the text."""
    try:
        return [to_slice(value) for value in _iter_python(text)]
    except IonDecodeError:
        return None


def _check_same(text: str) -> bool:
    """Check that what is plain is one value, the one that amazon.ion reads; say whether it is."""
    plain = maybe_plain(text)
    if plain is None:
        return False
    expected = _by_amazon(text)
    assert expected == [plain]
    # Fields of one name stand together in what amazon.ion makes, so only decoded they are the same.
    assert expected[0].to_bytes() == dumps(plain.decode())
    return True


def test_a_block_is_read_to_the_very_bytes() -> None:
    """Bytes, symbol ids and table are those of our writer over amazon.ion's values."""
    (expected,) = _iter_python(BLOCK)
    plain = maybe_plain(BLOCK)
    assert plain is not None
    assert to_slice(expected).buf == plain.buf
    assert to_slice(expected).symbols.texts == plain.symbols.texts
    assert [plain] == list(iter_text(BLOCK.encode()))
    assert plain == maybe_plain(f"\r\n {BLOCK}\t\n")


PLAIN = {
    "[1, -1, 0, -0, 255, 256]": [1, -1, 0, 0, 255, 256],
    "[1., 1.50, -0.5, 2d3, 15D-2]": [Decimal(x) for x in ("1", "1.50", "-0.5", "2E3", "0.15")],
    "[0e0, 1.5e0, -1.E-3, 1e-400]": [0.0, 1.5, -0.001, 0.0],
    "[null, null.null, true, false]": [None, None, True, False],
    '["", "a\\tb", "\\x41\\u00e9\\U0001F600", "\u20ac"]': [
        "",
        "a\tb",
        "A\u00e9\U0001f600",
        "\u20ac",
    ],
    "[{{}}, {{ aGVsbG8= }}, {{aGVsbA==}}]": [b"", b"hello", b"hell"],
    "[2020-02-29T12:30:01.250000Z]": [datetime(2020, 2, 29, 12, 30, 1, 250_000, UTC)],
    "{ \"a\" : 1 ,\n b : [ ] , 'c d':{ } }\r\n": {"a": 1, "b": [], "c d": {}},
    "{'':\"\"}": {"": ""},
    '["$10"]': ["$10"],
}


@pytest.mark.parametrize("text", PLAIN)
def test_plain_text(text: str) -> None:
    """Each kind of scalar, as str or UTF-8, laid out or not."""
    plain = maybe_plain(text)
    assert plain is not None
    assert PLAIN[text] == plain.decode()
    assert plain == maybe_plain(text.encode())
    assert _check_same(text)


TIMES = [
    "2020T",
    "2020-02T",
    "2020-02-29",
    "2020-02-29T",
    "2020-02-29T23:59Z",
    "2020-02-29T23:59-00:00",
    "2020-02-29T23:59+00:00",
    "2020-02-29T00:00:00.000+23:59",
    "2020-02-29T00:00:01.5-05:30",
    "2020-02-29T00:00:01.12345678901Z",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999Z",
]


@pytest.mark.parametrize("time", TIMES)
def test_timestamps(time: str) -> None:
    """Every precision and offset."""
    assert _check_same(f"[{time}]")


NOT_PLAIN = [
    "",
    "1",
    '"a"',
    "$ion_1_0 {a:1}",
    "{a:1} {b:2}",
    "{a:1},",
    "[1,]",
    "{a:1,}",
    "{a:1}}",
    "[1",
    "[1}",
    "{a:1]",
    "{a 1}",
    "{a:}",
    "{1:2}",
    "{null:1}",
    "[a:1]",
    '["a" "b"]',
    "[1 2]",
    "[,1]",
    "[a::1]",
    "['a'::1]",
    "{'$ion_symbol_table':1}",
    "[$10]",
    "{$10:1}",
    "['$10']",
    '{"$10":1}',
    "{'a\\'b':1}",
    "[(1)]",
    "['''a''']",
    "[1 /* one */]",
    "[1] // one",
    '[{{"clob"}}]',
    "[{{ }}]",
    "[{{aGVsbG8}}]",
    "[{{aaaa=}}]",
    "[{{aGVs bG8=}}]",
    "[0x10]",
    "[1_0]",
    "[007]",
    "[+1]",
    "[1d10000]",
    "[1e400]",
    "[nan]",
    "[+inf]",
    "[1" + "0" * 300 + "]",
    '["a\tb"]',
    '["a\nb"]',
    '["\\q"]',
    '["\\x4"]',
    '["\\ud83d\\ude00"]',
    '["\\U00110000"]',
    "[2020-02-30]",
    "[2020-13T]",
    "[0000T]",
    "[2020-02-29T24:00Z]",
    "[2020-02-29T23:60Z]",
    "[2020-02-29T23:59:60Z]",
    "[2020-02-29T23:59]",
    "[2020-02-29T23:59+24:00]",
    "[2020-02-29T23:59+01:60]",
    "[2020-02-29T23:59:01." + "0" * 60 + "Z]",
    "[0001-01-01T00:00+01:00]",
    "[9999-12-31T23:59-01:00]",
    "\ud800",
    '["\ud800"]',
]


@pytest.mark.parametrize("text", NOT_PLAIN)
def test_what_is_not_plain(text: str) -> None:
    """What is rare or wrong is left to who reads all of Ion."""
    assert None is maybe_plain(text)


@pytest.mark.parametrize(
    "data", [b'["\xff"]', b'["\xc3"]', b'["\xed\xa0\x80"]', b"\xe0\x01\x00\xea"]
)
def test_bytes_that_are_no_text(data: bytes) -> None:
    """What is not UTF-8 is not read."""
    assert None is maybe_plain(data)


def test_depth_is_bounded() -> None:
    """As deep as Ion is read anywhere, and no deeper."""
    assert None is not maybe_plain("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    assert None is maybe_plain("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))


def test_long_text_is_read_item_by_item(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound on what is taken apart at once changes nothing but memory."""
    expected = maybe_plain(BLOCK)
    monkeypatch.setattr(_plain_text, "_MAX_AT_ONCE_BYTES", 10)
    plain = maybe_plain(BLOCK)
    assert plain is not None
    assert expected == plain


def test_long_names_and_values() -> None:
    """Lengths of more than one byte, and more names than one byte numbers."""
    names = ",".join(f"n{number}:s{number}" for number in range(300))
    text = f'{{{names},{"x" * 100}:"{"y" * 300}",z:{{{{{"aaaa" * 100}}}}}}}'
    assert _check_same(text)


@settings(max_examples=40)
@given(ion_documents(), st.sampled_from([None, "", "  "]))
def test_documents_are_read_as_amazon_ion_reads_them(
    document: dict[str, Any], indent: str | None
) -> None:
    """What our writer writes, one line or many, is one value to both readers."""
    _check_same(to_text(to_slice(document), indent=indent))


@settings(max_examples=60)
@given(ion_values(unknown_symbols=False).map(lambda value: to_slice([value])))
def test_values_are_read_as_amazon_ion_reads_them(value: IonSlice) -> None:
    """What is plain of any value in text is the value."""
    text = to_text(value)
    if _check_same(text):
        assert value == maybe_plain(text)


@settings(max_examples=40)
@given(ion_documents())
def test_what_amazon_ion_writes(document: dict[str, Any]) -> None:
    """The text of amazon.ion's own writer, its Python part, is read alike."""
    written = io.BytesIO()
    simpleion.dump_python(
        to_slice(document).decode(), written, binary=False, omit_version_marker=True
    )
    _check_same(written.getvalue().decode())


_PATCHES = st.text(st.sampled_from("{}[]()\"'\\:,.0123456789-+TZdeEDxanu$_ /*\n\té"), max_size=2)


@settings(max_examples=200)
@given(st.data())
def test_damaged_text_is_refused_or_read_alike(data: st.DataObject) -> None:
    """Text with a character changed, removed or added is what amazon.ion makes of it, or None."""
    text = BLOCK
    for _ in range(data.draw(st.integers(1, 2))):
        at = data.draw(st.integers(0, len(text)))
        text = text[:at] + data.draw(_PATCHES) + text[at + data.draw(st.integers(0, 2)) :]
    _check_same(text)

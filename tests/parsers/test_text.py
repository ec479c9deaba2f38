"""Where a piece of text ends: brackets that count, and brackets that do not."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from hypothesis import example, given, settings, strategies as st

from qldb_stream.errors import IonDecodeError
from qldb_stream.ion import iter_text, load_slice, to_text
from qldb_stream.parsers import text as text_module
from qldb_stream.parsers.text import find_end, is_start, iter_chunked_text, look_for_end
from qldb_stream.testing import make_journal

JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize(
    "text",
    [
        b"{}",
        b"[]",
        b"{a:{b:[1,(2 3)]}}",
        b'{a:"}"}',
        rb'{a:"\"}"}',
        b"{'}':1}",
        rb"{'\'}':1}",
        b"{a:'''}''' '''it's }'''}",
        rb"{a:'''\'''}'''}",
        b"{a:{{aGVsbG8=}}}",
        b'{a:{{a//bG8=}},b:{{"}"}}}',
        b"{a:1 // }\n}",
        b"{a:1 /* } */}",
        b"$ion_1_0 {a:1}",
        b"// {\n{a:1}",
    ],
)
def test_a_text_ends_at_its_last_bracket(text: bytes) -> None:
    """Brackets in strings, symbols, blobs and comments mean nothing."""
    assert is_start(text, 0)
    for after in (b"", b"{}", b"}", b'"', b"\n{"):
        assert len(text) == find_end(text + after, 0)


@settings(max_examples=400)
@example(["{", "}"])
@given(
    st.lists(st.sampled_from([*"{}[]\"'\\/*a \n", "{{", "}}", "//", "''", "{{aa==}}"]), max_size=30)
)
def test_shallow_text_ends_where_counting_ends_it(parts: list[str]) -> None:
    """What is found at once is what counting bracket by bracket finds."""
    text = b"{" + "".join(parts).encode() + b"}"
    is_closed, place, _ = look_for_end(text, 0, len(text))
    # What begins with a space is counted.
    counted = look_for_end(b" " + text, 0, len(text) + 1)
    assert (is_closed, place + 1) == counted[:2]


def test_deep_text_is_counted() -> None:
    """How deep a text nests changes nothing but who finds its end."""
    for depth in (1, 8, 9, 100):
        text = b"[" * depth + b"1" + b"]" * depth
        assert len(text) == find_end(text + b"]", 0)
        assert find_end(text[:-1], 0) is None


@given(st.dictionaries(st.text(max_size=8), JSON, max_size=4), st.booleans(), st.binary(max_size=9))
def test_json_ends_where_it_ends(value: dict[str, Any], indent: bool, after: bytes) -> None:  # noqa: FBT001 - drawn
    """Every JSON object is found whole, whatever stands behind it."""
    text = json.dumps(value, indent=1 if indent else None).encode()
    assert len(text) == find_end(text + after, 0)


def test_ion_text_ends_where_it_ends() -> None:
    """Records as Ion text are found whole, and none of their beginnings is."""
    for record in list(make_journal(2, blocks=6).iter_records())[:12]:
        text = to_text(load_slice(record)).encode()
        assert len(text) == find_end(text, 0)
        assert {None} == {find_end(text[:end], 0) for end in range(0, len(text), 7)}


@pytest.mark.parametrize("text", [b"", b"plain", b'{a:"', b"{'", b"{/*", b"{a:'''x", b"$ion_1_0"])
def test_text_without_an_end(text: bytes) -> None:
    """What is not closed has no end."""
    assert find_end(text, 0) is None


def test_long_hostile_text_costs_one_pass() -> None:
    """A megabyte of what looks like beginnings is answered at once."""
    for unit in (b'"\\', b"'''a", b"{{a", b"/*", b"{{ ", b"'a"):
        find_end(b"{" + unit * (1_000_000 // len(unit)), 0)


def test_starts_are_told_by_their_first_bytes() -> None:
    """Struct, list, marker and comments start text; nothing else does."""
    for text in (b"{", b"[", b"$ion_1_0", b"//", b"/*"):
        assert is_start(b"x" + text, 1)
    for text in (b"", b"$ion", b"/", b'"', b"x", b"}", b"\xe0\x01\x00\xea"):
        assert not is_start(text, 0)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b" {a:1} // comment }",
        b"{a:'''x'}'''}[1, 2] /* { */ {}",
        b'$ion_1_0 {a:"}"}',
        b"x::{a:1} y::[2]",
        b"\xef\xbb\xbf{a:1}",
        b"5 {} null",
    ],
)
@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_text_in_pieces_is_the_same_text(text: bytes, size: int) -> None:
    """However it is cut: long strings that look ended, comments, annotations, scalars."""
    chunks = [text[pos : pos + size] for pos in range(0, len(text), size)]
    assert list(iter_text(text)) == list(iter_chunked_text(chunks))


def test_small_pieces_cost_little() -> None:
    """A value is not looked at again for each piece of it."""
    text = b'{a:"' + b"x" * 300_000 + b'"}'
    (value,) = iter_chunked_text(text[pos : pos + 1] for pos in range(len(text)))
    assert 300_000 == len(value.decode()["a"])


def test_a_value_without_end_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Text that never ends is refused when it is longer than any value."""
    monkeypatch.setattr(text_module, "MAX_VALUE_BYTES", 1000)
    with pytest.raises(IonDecodeError, match="longer than 1000 bytes"):
        list(iter_chunked_text(b'{a:"' for _ in range(1000)))

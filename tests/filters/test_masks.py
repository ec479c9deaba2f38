"""Masked fields: paths, methods, and what stays of a document."""

from __future__ import annotations

import hmac
from typing import Any

import pytest
from hypothesis import given, strategies as st

from qldb_stream.errors import UsageError
from qldb_stream.filters import Filter, Mask, MaskMethod, format_path, parse_mask, parse_path
from qldb_stream.ion import ion_hash, iter_text, to_slice
from tests.filters.support import PERSON, SALT, SECRET, by_number, given_block
from tests.replay.blocks import block, revision

BLOCK = given_block()


def masked(*texts: str, document: Any = PERSON) -> tuple[Any, tuple[str, ...]]:
    """A document of Things as it is after masks such as `ssn=drop`, and its masked paths."""
    masks = [parse_mask("Things", *text.split("=")) for text in texts]
    given_ = block(0, revision(0, 1, 0, document))
    (found,) = Filter(masks=masks, salt=SALT).apply(given_).revisions
    return found.data, found.masked


def test_a_dropped_field() -> None:
    """A dropped field is not there, and the rest is."""
    found, paths = masked("ssn=drop")

    assert {name: PERSON[name] for name in ("name", "home", "phones")} == found
    assert ("ssn",) == paths


def test_a_fixed_text() -> None:
    """A text stands in the place of a value of any type, at the end of a path."""
    found, paths = masked("home.street=text:(street)", "home.city=text:")

    assert {**PERSON, "home": {"street": "(street)", "city": ""}} == found
    assert ("home.street", "home.city") == paths


def test_a_hash_is_keyed() -> None:
    """A hash is HMAC-SHA-256 of the value's Ion Hash with the salt as key, in hex."""
    found, _ = masked("ssn=hash")

    expected = hmac.digest(SALT, ion_hash(SECRET), "sha256").hex()
    assert {**PERSON, "ssn": f"hmac-sha256:{expected}"} == found


def test_equal_values_have_equal_hashes() -> None:
    """Equal Ion values have one mask, whatever the document; others have others."""
    values = [1, 1.0, "1", None, [1], {"a": 1}]
    found = [masked("v=hash", document={"v": value})[0]["v"] for value in [*values, *values]]

    assert found[: len(values)] == found[len(values) :]
    assert len(values) == len(set(found))


def test_another_salt() -> None:
    """Another salt gives other hashes."""
    mask = Mask("People", ("ssn",), MaskMethod.HASH)
    found = {
        by_number(Filter(masks=[mask], salt=salt).apply(BLOCK), 1).data["ssn"]
        for salt in (SALT, SALT + b"!")
    }

    assert 2 == len(found)


def test_lists_on_the_way() -> None:
    """A path goes through lists, nested ones too, to each of their elements."""
    found, paths = masked("phones.number=drop")

    assert [{"kind": "work"}, [{}]] == found["phones"]
    assert ("phones.number",) == paths


def test_a_list_at_the_end_is_one_value() -> None:
    """A list at the end of a path is masked as one value, so that its length is hidden."""
    assert "x" == masked("phones=text:x")[0]["phones"]


def test_paths_that_meet_nothing() -> None:
    """A path that leads nowhere in a document masks nothing, and is not named."""
    found, paths = masked("ssn.x=drop", "name.first=drop", "phones.none=drop", "nothing=hash")

    assert (PERSON, ()) == (found, paths)


def test_one_mask_inside_another() -> None:
    """What is inside a masked value is gone with it; only the outer field is named."""
    found, paths = masked("home.city=drop", "home=text:gone")

    assert ("gone", ("home",)) == (found["home"], paths)


@pytest.mark.parametrize("value", ["null", "null.string", "note::'secret'", "{{aGk=}}", "(a b)"])
def test_any_value_is_masked(value: str) -> None:
    """Nulls, annotated values, blobs and s-expressions are masked like all others."""
    (ion,) = iter_text(f"{{a: {value}, b: 1}}")

    assert ({"a": "x", "b": 1}, ("a",)) == masked("a=text:x", document=to_slice(ion))


def test_repeated_names_are_all_masked() -> None:
    """Of a repeated field each is masked."""
    (ion,) = iter_text("{a: 'one', b: 1, a: 'two'}")

    assert ({"b": 1}, ("a",)) == masked("a=drop", document=to_slice(ion))


@pytest.mark.parametrize("document", ["5", "[1, 2]", "null.struct", "[{a: 1}]"])
def test_documents_that_are_no_structs(document: str) -> None:
    """A document of another type has fields only inside lists."""
    (ion,) = iter_text(document)

    expected = ("a",) if "a" in document else ()
    assert expected == masked("a=drop", document=to_slice(ion))[1]


def test_hashes_stay_the_sources() -> None:
    """A masked revision keeps its hash, and has the Ion Hash of the source's document."""
    source = by_number(BLOCK, 1)
    found = by_number(Filter(masks=[parse_mask("*", "ssn", "drop")]).apply(BLOCK), 1)

    assert source.data_ion is not None
    assert (source.hash, source.data_ion.hash()) == (found.hash, found.data_hash)
    assert source.kind is found.kind


def test_a_mask_for_every_table() -> None:
    """A mask for every table applies where a table has none of its own for that field."""
    masks = [
        parse_mask("*", "ssn", "text:every"),
        parse_mask("People", "ssn", "text:own"),
        parse_mask("*", "vin", "drop"),
    ]
    found = Filter(masks=masks).apply(BLOCK)

    assert "own" == by_number(found, 1).data["ssn"]
    assert "vin" not in by_number(found, 2).data


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a", ("a",)),
        ("a.b c", ("a", "b c")),
        ('"a.b".c', ("a.b", "c")),
        ('a."say ""hi"""', ("a", 'say "hi"')),
        ('"".""', ("", "")),
    ],
)
def test_paths(text: str, path: tuple[str, ...]) -> None:
    """Names stand between dots, in double quotes where they need them."""
    assert path == parse_path(text)
    assert path == parse_path(format_path(path))


@given(st.lists(st.text(), min_size=1, max_size=4).map(tuple))
def test_every_path_can_be_written(path: tuple[str, ...]) -> None:
    """What `format_path` writes is read as the same path."""
    assert path == parse_path(format_path(path))


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a..b", 'a"b', '"a', '"a"b'])
def test_what_is_no_path(text: str) -> None:
    """Empty parts and quotes that are not closed are refused."""
    with pytest.raises(UsageError, match="is no path"):
        parse_path(text)

"""The constructed vectors of facts 2.9, and what of Ion Hash the suite leaves out."""

from __future__ import annotations

from decimal import Decimal
from hashlib import sha256
from math import nan

import pytest

from qldb_stream.ion import IVM, ion_hash, iter_text, load_slice, timestamp_ms, to_slice

S1 = "INSERT INTO Items ?"
S2 = "SELECT * FROM Items AS i WHERE i.sku = ?"

FACTS_2_9 = {
    "H of an empty string": (
        "",
        "37b6e5aef22429d44339e2786f9ccdab715bf4fac80f6e860d4e79b964621dd4",
    ),
    "H(null)": (None, "0fb06b6183c21379529fdd45d6af4aba731ac6f081ef9e6c1c94b1fb26177304"),
    "H({})": ({}, "dc3ff8e550c833236bbee92d163762698b7b0b7b68a1af1b060243580741b7a6"),
    "S1": (S1, "ad3f1581ebc3bfb5e4c5b713f7db19a826abc7cc5c4fc4037d7375312a051461"),
    "D": (
        {"sku": "A-1", "qty": 7, "price": Decimal("12.50")},
        "9653dad1aea928455209647ceecb55eb28562daecb407166e47a48d45e964ca2",
    ),
    "T": (
        "7mNoPqRsTuVwXyZaBcDeF4",
        "4c61f9e12c6b9c1e4f2435e11fd0070c40b103a4d22d97d8bd9fa01de1519b33",
    ),
    "M": (
        {
            "id": "1xYzAbCdEfGhIjKlMnOpQ3",
            "version": 0,
            "txTime": timestamp_ms(1714979289123),
            "txId": "7mNoPqRsTuVwXyZaBcDeF4",
        },
        "2f8eeddb9c8faa0bbc866c0aff110c31099468317749dfd13e8a6bd6a87ac295",
    ),
    "TI": (
        {
            "statements": [
                {
                    "statement": S1,
                    "startTime": timestamp_ms(1714979289001),
                    "statementDigest": bytes.fromhex(
                        "d16eef833cc12541e30c6fd42b76cb386e50f34a149c1614fd5c848091a3a6d0"
                    ),
                },
                {
                    "statement": S2,
                    "startTime": timestamp_ms(1714979289040),
                    "statementDigest": bytes.fromhex(
                        "cd596d11f00a89451c58824d39388344af5811784ccd10e44146868ff0669042"
                    ),
                },
            ],
            "documents": {
                "1xYzAbCdEfGhIjKlMnOpQ3": {
                    "tableName": "Items",
                    "tableId": "4bCdEfGhIjKlMnOpQrStU2",
                    "statements": [0],
                }
            },
        },
        "d822c1ff66313e2a0bd81052787000a0ed795d09bc0cd9993b002ea6676b56fe",
    ),
}


@pytest.mark.parametrize("name", FACTS_2_9)
def test_constructed_vectors(name: str) -> None:
    """The hashes of facts 2.9 come out of values, of their streams and of their text."""
    value, expected = FACTS_2_9[name]
    assert expected == ion_hash(value).hex()
    assert expected == to_slice(value).hash().hex()
    assert expected == ion_hash(to_slice(value).to_bytes()).hex()


def test_hash_is_sha256_of_begin_type_representation_end() -> None:
    """A string hashes as 0B 80, its UTF-8 with 0B, 0C and 0E escaped by 0C, and 0E (facts 2.4)."""
    expected = sha256(b"\x0b\x80a\x0c\x0b\x0c\x0c\x0c\x0e\x0e").digest()
    assert expected == ion_hash("a\x0b\x0c\x0e")


SAME = {
    "ints with leading zeros": ["21 05", "22 00 05", "2e 82 00 05", "2e 00 82 00 05"],
    "negative ints with leading zeros": ["31 05", "32 00 05"],
    "zero": ["20", "21 00", "2e 82 00 00"],
    "nulls of both int types": ["2f", "3f"],
    "floats of 32 and 64 bits": ["44 3f c0 00 00", "48 3f f8 00 00 00 00 00 00"],
    "float zero": ["40", "44 00 00 00 00", "48 00 00 00 00 00 00 00 00"],
    "nan of any kind": [
        "44 7f c0 00 00",
        "48 7f f8 00 00 00 00 00 00",
        "48 ff f0 00 00 00 00 00 01",
    ],
    "decimal zero": ["50", "51 80", "52 80 00", "51 c0", "53 00 80 00"],
    "decimals with padded parts": ["52 c1 05", "53 c1 00 05", "54 40 81 00 05"],
    "decimal minus zero": ["52 80 80", "53 80 80 00", "53 00 80 80"],
    "timestamps with padded years": ["63 c0 0f e5", "64 c0 00 0f e5"],
    "years with an offset": ["63 c0 0f e5", "63 80 0f e5", "63 81 0f e5", "63 c4 0f e5"],
    "the first year with an offset": ["62 c0 81", "62 81 81", "62 c4 81"],
    "seconds with no fraction": [
        "68 80 0f d0 81 81 80 80 80",
        "69 80 0f d0 81 81 80 80 80 80",
        "69 80 0f d0 81 81 80 80 80 81",
        "69 80 0f d0 81 81 80 80 80 c0",
        "6a 80 0f d0 81 81 80 80 80 80 00",
    ],
    "a fraction of minus zero": [
        "69 80 0f d0 81 81 80 80 80 c3",
        "6a 80 0f d0 81 81 80 80 80 c3 80",
        "6a 80 0f d0 81 81 80 80 80 c3 00",
    ],
    "milliseconds with padding": [
        "6b 80 0f d0 81 81 80 80 80 c3 00 f2",
        "6c 80 0f d0 81 81 80 80 80 c3 00 00 f2",
        "6e 8c 00 80 0f d0 81 81 80 80 80 c3 00 f2",
    ],
    "struct fields in any order": ["d4 84 10 85 11", "d4 85 11 84 10", "d1 84 84 10 85 11"],
    "structs with padding": ["d2 84 10", "d4 84 10 80 00", "d7 87 01 ff 84 10 85 00"],
    "lists with padding": ["b1 10", "b2 00 10", "b4 10 02 ff ff"],
    "symbols with leading zeros": ["71 04", "72 00 04"],
    "unknown symbols": ["70", "71 00"],
}


@pytest.mark.parametrize("name", SAME)
def test_equal_values_have_one_hash(name: str) -> None:
    """Hashing normalises what binary Ion lets be written in several ways."""
    values = [load_slice(IVM + bytes.fromhex(form)) for form in SAME[name]]
    assert 1 == len({value.hash() for value in values})
    assert [values[0]] * len(values) == values


DIFFERENT = {
    "numbers of different types": ["21 01", "52 80 01", "48 3f f0 00 00 00 00 00 00", "31 01"],
    "texts of different types": ["81 61", "91 61", "a1 61"],
    "nulls of different types": [f"{nibble}f" for nibble in "012456789abcd"],
    "decimals of different precision": ["52 c1 0a", "53 c2 64 64", "52 80 01"],
    "zeros of different exponents and signs": ["50", "52 80 80", "51 c1", "51 81", "40", "20"],
    "floats of different sign": ["40", "48 80 00 00 00 00 00 00 00"],
    "timestamps of different precision": [
        "63 c0 0f e5",
        "64 c0 0f e5 81",
        "65 c0 0f e5 81 81",
        "67 c0 0f e5 81 81 80 80",
        "68 c0 0f e5 81 81 80 80 80",
        "69 c0 0f e5 81 81 80 80 80 c1",
        "69 c0 0f e5 81 81 80 80 80 c3",
    ],
    "offsets": ["67 c0 0f e5 81 81 80 80", "67 80 0f e5 81 81 80 80", "67 81 0f e5 81 81 80 80"],
    "repeated fields": ["d2 84 10", "d4 84 10 84 10", "d4 84 10 84 11"],
    "containers": ["b0", "c0", "d0"],
    "annotations and their order": ["20", "e3 81 84 20", "e4 82 84 85 20", "e4 82 85 84 20"],
    "sequences": ["b2 10 11", "b2 11 10", "c2 10 11", "b3 b2 10 11"],
    "symbols": ["71 04", "70", "71 05"],
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_different_values_have_different_hashes(name: str) -> None:
    """What Ion tells apart, the hash tells apart."""
    values = [load_slice(IVM + bytes.fromhex(form)) for form in DIFFERENT[name]]
    assert len(values) == len({value.hash() for value in values})
    assert len(values) == len(set(values))


def test_nan_is_canonical() -> None:
    """The hash of nan is that of the quiet nan without payload, as amazon.ion writes it."""
    expected = sha256(b"\x0b\x40\x7f\xf8\x00\x00\x00\x00\x00\x00\x0e").digest()
    assert expected == ion_hash(nan)


def test_an_annotation_is_hashed_as_a_symbol_around_the_value() -> None:
    """An annotated value is 0B E0, its annotations as symbols, the bare value, 0E (facts 2.4)."""
    (value,) = iter_text("name::1")
    assert sha256(b"\x0b\xe0\x0b\x70name\x0e\x0b\x20\x01\x0e\x0e").digest() == value.hash()


def test_a_struct_hashes_its_fields_and_sorts_the_digests() -> None:
    """A struct is 0B D0, the digests of its fields, sorted and escaped, 0E (facts 2.4)."""
    fields = [
        sha256(b"\x0b\x70a\x0e\x0b\x20\x01\x0e").digest(),
        sha256(b"\x0b\x70b\x0e\x0b\x20\x02\x0e").digest(),
    ]
    body = b"".join(sorted(fields))
    for byte in (b"\x0c", b"\x0b", b"\x0e"):
        body = body.replace(byte, b"\x0c" + byte)
    assert sha256(b"\x0b\xd0" + body + b"\x0e").digest() == ion_hash({"b": 2, "a": 1})

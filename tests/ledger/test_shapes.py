"""The journal's fixed shapes, written and hashed by hand, are what the general code says."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, strategies as st

from qldb_stream.ion import IVM, IonSlice, dumps, ion_hash, load_slice, timestamp_ms
from qldb_stream.ledger import _hashes, _ion
from qldb_stream.ledger._catalog import Table
from qldb_stream.ledger._pending import ExecutedStatement, PendingDocument
from qldb_stream.ledger._prepared import bind_parameter, prepare, statement_digest
from qldb_stream.ledger._transaction_info import write_transaction_info

TIMES_MS = st.integers(0, 253_402_300_799_999)  # from 1970 to the end of 9999
IDS = st.text(st.sampled_from("09AZaz"), min_size=22, max_size=22)


def decoded(data: bytes) -> Any:
    """Decode a value that stands alone, without symbols."""
    return load_slice(IVM + data).decode()


@given(st.integers(0, 2**40))
def test_a_var_uint_is_what_ion_reads(number: int) -> None:
    """A blob whose length it is can be read."""
    text = _ion.var_uint(number)
    value = 0
    for byte in text:
        value = value << 7 | byte & 0x7F
    assert number == value
    assert [False] * (len(text) - 1) + [True] == [byte > 127 for byte in text]


@given(st.integers(0, 2**80))
def test_ints(number: int) -> None:
    """An int is written and hashed as everywhere."""
    assert number == decoded(_ion.ion_int(number))
    assert ion_hash(number) == _hashes.int_hash(number)


@given(st.text())
def test_strings(text: str) -> None:
    """A string is written and hashed as everywhere."""
    assert text == decoded(_ion.ion_string(text))
    assert ion_hash(text) == _hashes.string_hash(text)


@given(st.binary(min_size=32, max_size=32))
def test_digests(digest: bytes) -> None:
    """A digest is written and hashed as a blob."""
    assert digest == decoded(_ion.ion_digest(digest))
    blob = b"".join([IVM, _ion.ion_digest(digest)])
    assert ion_hash(blob) == _hashes.blob_hash(digest)


def test_an_absent_digest_is_an_empty_blob() -> None:
    """Block 0 has no hash before it."""
    assert b"" == decoded(_ion.ion_digest(b""))


@given(TIMES_MS)
def test_times(unix_ms: int) -> None:
    """A time is written and hashed as an Ion timestamp of three decimal places, UTC."""
    assert dumps(timestamp_ms(unix_ms)) == IVM + _ion.ion_timestamp(unix_ms)
    part = _hashes.field_digest(_hashes.name_part("t"), _hashes.timestamp_part(unix_ms))
    struct = _hashes.struct_part([part])
    assert ion_hash({"t": timestamp_ms(unix_ms)}) == sha256(struct).digest()


@given(IDS, st.integers(0, 2000), TIMES_MS, IDS)
def test_metadata(document_id: str, version: int, tx_time_ms: int, tx_id: str) -> None:
    """H(metadata) is the hash of the struct of its four fields."""
    struct = {
        "id": document_id,
        "version": version,
        "txTime": timestamp_ms(tx_time_ms),
        "txId": tx_id,
    }
    assert ion_hash(struct) == _hashes.metadata_hash(document_id, version, tx_time_ms, tx_id)


def test_the_revision_hash_of_the_facts() -> None:
    """The constructed vectors of facts 2.9 hold."""
    metadata = _hashes.metadata_hash(
        "1xYzAbCdEfGhIjKlMnOpQ3", 0, 1_714_979_289_123, "7mNoPqRsTuVwXyZaBcDeF4"
    )
    assert "2f8eeddb9c8faa0bbc866c0aff110c31099468317749dfd13e8a6bd6a87ac295" == metadata.hex()
    data = bytes.fromhex("9653dad1aea928455209647ceecb55eb28562daecb407166e47a48d45e964ca2")
    revision = "63ec7f8eb510af8a209b514b34e5982436370c355bd7c900311352bee53b5997"
    assert revision == _hashes.revision_hash(metadata, data).hex()


def test_a_deletes_hash_is_that_of_its_metadata() -> None:
    """Without data there is nothing to join (facts 1.4)."""
    assert b"m" * 32 == _hashes.revision_hash(b"m" * 32, b"")


@pytest.mark.parametrize(
    "value",
    ["", "abc", "\x0b\x0c\x0e", "ä", 0, 5, -5, 2**70, b"", b"\x0e", True, None, 1.5, [1], {"a": 1}],
)
def test_a_parameters_hash(value: Any) -> None:
    """H(parameter) is the same whichever way it is computed."""
    bound, hashed = bind_parameter(value)
    assert ion_hash({"p": value}) == ion_hash({"p": bound})
    assert load_slice(dumps(value)).hash() == hashed


def test_a_slice_is_passed_on() -> None:
    """A parameter in its bytes stays the very object."""
    document = load_slice(dumps({"a": 1}))
    assert document is bind_parameter(document)[0]


def test_a_container_is_taken_over() -> None:
    """What its owner does to a dict later does not reach the ledger."""
    document = {"a": [1]}
    bound, _ = bind_parameter(document)
    document["a"].append(2)
    assert isinstance(bound, IonSlice)
    assert {"a": [1]} == bound.decode()


def test_the_statement_digest_of_the_facts() -> None:
    """H(statement) is folded with H(parameter) (facts 2.9)."""
    _, hashed = bind_parameter("A-1")
    text_hash = _hashes.string_hash("SELECT * FROM Items AS i WHERE i.sku = ?")
    digest = statement_digest(text_hash, [hashed])
    assert "cd596d11f00a89451c58824d39388344af5811784ccd10e44146868ff0669042" == digest.hex()


@given(
    st.lists(st.tuples(TIMES_MS, st.binary(min_size=32, max_size=32)), max_size=3),
    st.dictionaries(IDS, st.lists(st.integers(0, 300), max_size=4), max_size=3),
)
def test_transaction_info(
    statements: list[tuple[int, bytes]], documents: dict[str, list[int]]
) -> None:
    """It is encoded and hashed as the struct that it is (facts 2.3)."""
    text = "SELECT * FROM Items AS i WHERE i.sku = ?"
    table = Table(1, "4bCdEfGhIjKlMnOpQrStU2", "Items")
    ion, hashed = write_transaction_info(
        [ExecutedStatement(prepare(text), start_ms, digest) for start_ms, digest in statements],
        [
            PendingDocument(table, document_id, None, None, statements=indexes)
            for document_id, indexes in documents.items()
        ],
    )
    expected: dict[str, Any] = {
        "statements": [
            {"statement": text, "startTime": timestamp_ms(start_ms), "statementDigest": digest}
            for start_ms, digest in statements
        ]
    }
    if documents:
        expected["documents"] = {
            document_id: {"tableName": "Items", "tableId": table.id, "statements": indexes}
            for document_id, indexes in documents.items()
        }
    found = load_slice(_ion.symbol_table(documents) + ion)
    assert expected == found.decode()
    assert ion_hash(expected) == hashed == found.hash()


def test_the_transaction_info_of_the_facts() -> None:
    """The constructed vector of facts 2.9 holds."""
    first, second = "INSERT INTO Items ?", "SELECT * FROM Items AS i WHERE i.sku = ?"
    digests = [
        "d16eef833cc12541e30c6fd42b76cb386e50f34a149c1614fd5c848091a3a6d0",
        "cd596d11f00a89451c58824d39388344af5811784ccd10e44146868ff0669042",
    ]
    statements = [
        ExecutedStatement(prepare(first), 1_714_979_289_001, bytes.fromhex(digests[0])),
        ExecutedStatement(prepare(second), 1_714_979_289_040, bytes.fromhex(digests[1])),
    ]
    document = PendingDocument(
        Table(1, "4bCdEfGhIjKlMnOpQrStU2", "Items"),
        "1xYzAbCdEfGhIjKlMnOpQ3",
        None,
        None,
        statements=[0],
    )
    _, hashed = write_transaction_info(statements, [document])
    assert "d822c1ff66313e2a0bd81052787000a0ed795d09bc0cd9993b002ea6676b56fe" == hashed.hex()

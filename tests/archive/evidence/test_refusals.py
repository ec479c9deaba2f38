"""What verify.py finds wrong in a revision, a block or a place, whoever made index and text fit."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from qldb_stream.archive.evidence import verify
from qldb_stream.events import RevisionKind
from qldb_stream.ion import IonSlice, iter_elements, iter_text, load_slice, read_struct, to_slice
from tests.archive.evidence.support import JOURNAL, bundle, saved

DIGEST = saved(JOURNAL).digest
Fields = dict[str, Any]


def fields(name: str, kind: RevisionKind = RevisionKind.UPDATE) -> Fields:
    """The fields of a bundle's revision or block."""
    return dict(read_struct(load_slice(bundle(kind).files[f"{name}.10n"])))


def node(value: object) -> verify.Node:
    """A value as verify.py reads it."""
    return verify.read_ion(to_slice(value).to_bytes())


def forged(name: str, value: object) -> dict[str, bytes]:
    """A bundle with another revision or block, whose text and index fit."""
    binary = to_slice(value).to_bytes()
    text = (verify.ion_text(verify.read_ion(binary)) + "\n").encode()
    files = {**bundle().files, f"{name}.10n": binary, f"{name}.ion": text}
    return {**files, verify.INDEX: verify.index_of(files)}


def text(ion: str) -> IonSlice:
    """A value from Ion text."""
    (value,) = iter_text(ion)
    return value


def test_the_fields_make_the_same_bundle() -> None:
    """What these tests change is, unchanged, what is accepted."""
    for name in ("revision", "block"):
        assert verify.check_bundle(forged(name, fields(name)), DIGEST)["ok"]


@pytest.mark.parametrize(
    "change",
    [
        {"data": None},
        {"data": {"other": 1}},
        {"dataHash": bytes(32)},
        {"data": None, "dataHash": b""},
        {"data": None, "dataHash": bytes(32)},
        {"hash": bytes(32)},
        {"hash": bytes(31)},
        {"hash": "text"},
        {"metadata": None},
        {"blockAddress": None},
        {"unknown": 1},
        {"metadata": text("a::{id:1}")},
    ],
)
def test_revisions(change: Fields) -> None:
    """A part that is missing, another or unknown is refused; None takes a field away."""
    changed = {k: v for k, v in (fields("revision") | change).items() if v is not None}
    with pytest.raises(verify.RefusedError):
        verify.check_revision(node(changed))
    with pytest.raises(verify.RefusedError):
        verify.check_bundle(forged("revision", changed), DIGEST)


def test_a_bare_hash_is_no_evidence() -> None:
    """A revision of which only the hash is there may stand in a block, and proves nothing."""
    bare = {"hash": fields("revision")["hash"]}
    assert "hash only" == verify.check_revision(node(bare))[1]
    with pytest.raises(verify.RefusedError, match="metadata"):
        verify.check_bundle(forged("revision", bare), DIGEST)


def test_data_and_its_hash_may_both_be_there() -> None:
    """`dataHash` beside the data that it is of is no contradiction."""
    both = fields("revision")
    both["dataHash"] = both["data"].hash()

    assert "document" == verify.check_revision(node(both))[1]


@pytest.mark.parametrize(
    "change",
    [
        {"entriesHash": bytes(32)},
        {"entriesHash": b""},
        {"entriesHashList": []},
        {"entriesHashList": 1},
        {"previousBlockHash": bytes(32)},
        {"blockHash": bytes(32)},
        {"transactionInfo": {"statements": []}},
        {"redactionInfo": {"revisions": []}},
        {"revisions": []},
        {"revisions": None},
        {"transactionId": None},
        {"transactionId": "another"},
        {"transactionId": 1},
        {"blockAddress": {"strandId": "x", "sequenceNo": 1}},
        {"blockAddress": {"strandId": "x"}},
        {"blockAddress": 1},
        {"unknown": 1},
    ],
)
def test_blocks(change: Fields) -> None:
    """A block with a part that is missing, another or unknown is refused."""
    changed = {k: v for k, v in (fields("block") | change).items() if v is not None}
    with pytest.raises(verify.RefusedError):
        verify.check_bundle(forged("block", changed), DIGEST)


def test_a_part_has_an_entry_of_its_own() -> None:
    """One entry cannot stand for two parts of a block."""
    block = fields("block")
    block["redactionInfo"] = block["transactionInfo"]
    with pytest.raises(verify.RefusedError, match="redactionInfo"):
        verify.check_block(node(block))


def test_a_revision_twice_in_its_block() -> None:
    """A block that lists the revision twice is not the block of the path."""
    block = fields("block")
    listed = list(iter_elements(block["revisions"]))
    with pytest.raises(verify.RefusedError):
        verify.check_bundle(forged("block", block | {"revisions": listed * 2}), DIGEST)


def test_numbers_of_any_length() -> None:
    """Long ints are written in hexadecimal, long coefficients in decimal; both read back."""
    for value in (7**9000, -(7**9000), Decimal(7**3000).scaleb(-5), Decimal("1E+40")):
        written = verify.ion_text(node(value))
        (back,) = iter_text(written)
        assert to_slice(value) == back


@pytest.mark.parametrize(
    "hexadecimal",
    [
        "69 80 0f d0 81 81 80 80 80 83",  # fraction 0d3: none, which is read
        "6b 80 0f d0 81 81 80 80 80 c3 87 d0",  # a coefficient of 2000 thousandths
        "6a 80 0f d0 81 81 80 80 80 83 01",  # 1d3 seconds
        "6b 80 0f d0 81 81 80 80 80 47 e9 01",  # a thousand places
        "66 80 0f d0 81 81 80",  # an hour without minutes
        "67 80 0f d0 8e 81 80 80",  # the fourteenth month
        "61 80",  # no year
        "5e 83 c1 01 01",  # a decimal in a long form
    ],
)
def test_odd_numbers_are_read_or_refused(hexadecimal: str) -> None:
    """A timestamp that cannot be is refused, never shown as another."""
    stream = b"\xe0\x01\x00\xea" + bytes.fromhex(hexadecimal)
    try:
        written = verify.ion_text(verify.read_ion(stream))
    except verify.RefusedError:
        return
    (back,) = iter_text(written)
    assert load_slice(stream) == back

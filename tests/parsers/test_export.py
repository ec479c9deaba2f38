"""Whole blocks, as exports and GetBlock give them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from amazon.ion import simpleion
from hypothesis import given, settings

from qldb_stream.errors import DecodeError, EnvelopeError, IonDecodeError, UsageError
from qldb_stream.events import Block, BlockAddress, RevisionKind, RevisionSummary, TableInfo
from qldb_stream.ion import dumps, load_slice, loads, to_text
from qldb_stream.ledger import Ledger
from qldb_stream.parsers.export import parse_export
from qldb_stream.parsers.window import BytesReadable
from qldb_stream.testing import Journal, JournalShape, make_journal
from qldb_stream.testing.exports import exported_block
from qldb_stream.testing.strategies import journals
from qldb_stream.verification import ChainVerifier
from tests.ledger.support import make_cars, run

MARKER: Final = b"\xe0\x01\x00\xea"


def as_export(block: Block) -> bytes:
    """Write a block in the form of exports, from what a stream said about it."""
    return exported_block(block).to_bytes()


def essence(block: Block) -> Any:
    """Give what a block says in either form: the stream's name is not in an export."""
    summary = block.summary
    return (
        summary.address,
        summary.block_timestamp,
        summary.entries_hash_list,
        summary.transaction_info,
        summary.redaction_info,
        summary.revision_summaries,
        block.revisions,
    )


@pytest.fixture
def block_100(vectors: Path) -> Block:
    """The block that AWS's own documentation shows."""
    (block,) = parse_export((vectors / "block-100" / "block.ion").read_bytes())
    return block


def test_a_genuine_block_is_read(block_100: Block) -> None:
    """Every fixed part becomes a value; the table comes from transactionInfo."""
    summary = block_100.summary
    assert BlockAddress("KmA3ZZca7vAIiJAK9S5Iwl", 100) == block_100.address
    assert summary.stream_arn is None
    assert datetime(2019, 9, 16, 19, 37, 5, 360_000, UTC) == summary.block_timestamp
    (revision,) = block_100.revisions
    assert TableInfo("VehicleRegistration", "BFJKdXgzt9oF4wjMbuxy4G") == revision.table
    assert RevisionKind.UPDATE is revision.kind
    assert "1N4AL11D75C109151" == revision.data["VIN"]
    assert (RevisionSummary(revision.hash, "JUJgkIcNbhS2goq8RqLuZ4"),) == summary.revision_summaries


@settings(max_examples=30)
@given(journals(most_blocks=8))
def test_an_export_says_what_the_stream_said(journal: Journal) -> None:
    """Blocks of an export equal those that a stream's records make."""
    blocks = list(journal)
    exported = [as_export(block) for block in blocks]
    datagram = b"".join(exported)
    assert [essence(block) for block in blocks] == [
        essence(block) for block in parse_export(datagram)
    ]
    assert list(parse_export(datagram)) == list(parse_export(BytesReadable(datagram, "object")))


def test_text_with_many_blocks_is_read() -> None:
    """Blocks of Ion text stand one after the other, not one to a line."""
    exported = [as_export(block) for block in make_journal(4, blocks=12)]
    texts = [to_text(load_slice(block)) for block in exported]
    binary = list(parse_export(b"".join(exported)))
    assert binary == list(parse_export(" ".join(texts).encode()))
    assert binary == list(parse_export("\n\n".join(texts).encode()))


def pieces(data: bytes, size: int) -> list[bytes]:
    """Cut bytes into pieces of a size."""
    return [data[pos : pos + size] for pos in range(0, len(data), size)]


@pytest.mark.parametrize("output_format", ["ion-text", "ion-binary"])
def test_what_a_ledger_exports_is_read(tmp_path: Path, output_format: str) -> None:
    """Whole, as a readable, in pieces and byte by byte it is the ledger's blocks, verified."""
    with Ledger.open(":memory:") as ledger:
        make_cars(ledger, "A", "B")
        run(ledger, "UPDATE Car SET note = ? WHERE vin = 'A'", "}'''{\"}\\ \u00e9 {{ // /*")
        run(ledger, "DELETE FROM Car WHERE vin = 'B'")
        ledger.export(tmp_path, output_format=output_format)
        (path,) = tmp_path.rglob("*.ion")
        data = path.read_bytes()
        expected = list(ledger.blocks())
        assert expected == list(parse_export(data))
        assert expected == list(parse_export(BytesReadable(data, "object")))
        for size in (1, 7, 1000, len(data)):
            assert expected == list(parse_export(pieces(data, size)))
        verifier = ChainVerifier()
        for block in parse_export(pieces(data, 100)):
            assert verifier.feed(block).ok
        assert ledger.digest().digest == verifier.digest(ledger.strand_id)


@pytest.mark.parametrize("size", [1, 64, 1 << 20])
@pytest.mark.parametrize("binary", [True, False])
def test_what_follows_the_last_block_is_told(*, binary: bool, size: int) -> None:
    """Every block is given out first; then the error says about where the rest is wrong."""
    exported = [as_export(block) for block in make_journal(4, blocks=3)]
    texts = [to_text(load_slice(block)) for block in exported]
    data = b"".join(exported) if binary else "\n".join(texts).encode()
    wrong = (b"\xe0\x01\x00\xea\xde", b"\xff", b"\x8e") if binary else (b" {a:", b" ]", b" {{")
    for rest in wrong:
        found = parse_export(pieces(data + rest, size))
        assert [0, 1, 2] == [next(found).address.sequence_no for _ in range(3)]
        with pytest.raises(IonDecodeError) as info:
            next(found)
        assert len(data) <= info.value.offset <= len(data) + len(rest)


def test_one_symbol_table_may_serve_all_blocks() -> None:
    """What a table at the start says is known in later pieces."""
    blocks = [loads(as_export(block)) for block in make_journal(4, blocks=6)]
    data = simpleion.dumps(blocks, binary=True, sequence_as_stream=True)
    expected = list(parse_export(data))
    assert 6 == len(expected)
    assert expected == list(parse_export(pieces(data, 3)))


def test_an_empty_object_has_no_blocks() -> None:
    """An export of an empty range is no error."""
    assert [] == list(parse_export(b""))
    assert [] == list(parse_export(MARKER))
    assert [] == list(parse_export([]))
    assert [] == list(parse_export([MARKER[:2], MARKER[2:]]))
    assert [] == list(parse_export([b" ", b"// nothing"]))


def test_blocks_before_damage_are_given_out() -> None:
    """The error is raised when the damaged block is reached."""
    exported = [as_export(block) for block in make_journal(4, blocks=3)]
    found = parse_export(exported[0] + exported[1] + exported[2][:-1])
    assert [0, 1] == [next(found).address.sequence_no for _ in range(2)]
    with pytest.raises(DecodeError):
        next(found)


BUSY: Final = JournalShape(least_revisions=1, system=1.0, redactions=0.0, deletes=0.0, empty=0.0)


def edited(change: Any) -> list[Block]:
    """Change a decoded block that has revisions, and read it again."""
    block = next(b for b in make_journal(4, blocks=20, shape=BUSY) if len(b.revisions) > 1)
    fields = loads(as_export(block))
    change(fields)
    return list(parse_export(dumps(fields)))


def test_a_hash_alone_is_the_systems() -> None:
    """Only a revision without address, metadata, data and data hash is the system's."""
    (block,) = edited(lambda fields: fields["revisions"].append({"hash": bytes(32)}))
    last = block.revisions[-1]
    assert (RevisionKind.SYSTEM, block.address) == (last.kind, last.address)
    assert RevisionSummary(bytes(32)) == block.summary.revision_summaries[-1]


@pytest.mark.parametrize("name", ["metadata", "blockAddress", "hash"])
def test_a_revision_is_whole_or_the_systems(name: str) -> None:
    """A revision that lacks one of its parts is refused by its path."""

    def without(fields: Any) -> None:
        revision = next(r for r in fields["revisions"] if "metadata" in r)
        fields["revisions"] = [revision]
        del revision[name]

    with pytest.raises(EnvelopeError) as caught:
        edited(without)
    assert f"revisions[0].{name}" == caught.value.path


def test_optional_and_unknown_parts() -> None:
    """Null is absent, and what the facts do not know is named."""

    def change(fields: Any) -> None:
        fields |= {"revisions": None, "extra": 1, "redactionInfo": None}

    (block,) = edited(change)
    assert () == block.revisions
    assert ("extra",) == block.summary.unknown_fields


def test_tables_are_none_where_nothing_names_them() -> None:
    """No transactionInfo, no documents, a damaged part: the revision is read all the same."""
    infos: list[Any] = [None, {}, {"documents": {}}, {"documents": "damaged"}]
    for info in infos:
        (block,) = edited(lambda fields, info=info: fields.update(transactionInfo=info))
        assert {None} == {revision.table for revision in block.revisions}


def test_text_is_what_getblock_answers() -> None:
    """`["Block"]["IonText"]` is a str, and read as its UTF-8 bytes are."""
    text = "{blockAddress: 5}"
    with pytest.raises(EnvelopeError) as from_text:
        list(parse_export(text))
    with pytest.raises(EnvelopeError) as from_bytes:
        list(parse_export(text.encode()))
    assert from_bytes.value == from_text.value
    assert [] == list(parse_export(""))


@pytest.mark.parametrize("data", [5, None, {"Block": {"IonText": "{}"}}])
def test_what_is_no_export_is_refused(data: Any) -> None:
    """Anything but Ion is the caller's mistake, and the message says what to pass."""
    with pytest.raises(UsageError, match=r'pass \["Block"\]\["IonText"\]'):
        list(parse_export(data))

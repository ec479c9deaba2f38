"""Mirrored journals: the very blocks, the same digest, and a chain that goes on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import attrs
import pytest
from hypothesis import given, settings, strategies as st

from qldb_stream import deaggregate, parse_export, parse_record
from qldb_stream.errors import (
    ChainBreakError,
    ConflictError,
    HashMismatchError,
    LedgerFileError,
    OccConflictError,
    ReplayRefusedError,
    StaleTokenError,
)
from qldb_stream.events import (
    Block,
    BlockAddress,
    BlockSummary,
    Event,
    Revision,
    RevisionDetails,
    RevisionKind,
    TransactionInfo,
)
from qldb_stream.hashing import fold_proof, merkle_root
from qldb_stream.ion import SymbolTable, to_slice
from qldb_stream.ion._slice import IonSlice
from qldb_stream.ledger import Ledger, MirroredBlock
from qldb_stream.report import DeleteRule, Outcome
from qldb_stream.testing import JournalShape, make_journal
from qldb_stream.testing.vehicle_registration import tell_story
from qldb_stream.verification import ChainVerifier, verify_block
from tests.ledger import published
from tests.ledger.chains import chain, ddl, fill, linked, moved, tables, written
from tests.ledger.support import ask, check_journal, make_cars, memory, run
from tests.replay.blocks import STRAND, block, digest, document_id

CREATED = ddl(0, "CREATE TABLE Things")
OTHER_ID = "9zYxWvUtSrQpOnMlKjIhG8"


@pytest.fixture
def mirror() -> Iterator[Ledger]:
    """An empty ledger in memory, to be mirrored into."""
    with memory() as opened:
        yield opened


@pytest.fixture(scope="module")
def story() -> Iterator[Ledger]:
    """A ledger of this package with everything in it."""
    with Ledger.open(":memory:", name="story") as source:
        list(tell_story(source.driver(), seed=2, vehicles=8))
        run(source, "CREATE TABLE Empty")
        run(source, "DELETE FROM Person AS p WHERE p.GovId LIKE '%1%'")
        run(source, "DROP TABLE DriversLicense")
        yield source


def events(ledger: Ledger) -> list[Event]:
    """The events of a ledger's stream, the stream's own name left out."""
    found = [parse_record(data) for data in ledger.stream_records(aggregated=False)]
    return [attrs.evolve(event, stream_arn="arn") for event in found]


# --- a mirror is its source ------------------------------------------------------------------


def test_a_mirror_of_a_ledger_equals_it(story: Ledger, mirror: Ledger) -> None:
    """Digest, blocks, stream records and history are the same."""
    fill(mirror, story.blocks())
    assert story.digest() == mirror.digest()
    assert list(story.blocks()) == list(mirror.blocks())
    assert events(story) == events(mirror)
    for table in ("Person", "Vehicle", "VehicleRegistration"):
        for view in (f"_ql_committed_{table}", f"history({table})"):
            statement = f"SELECT * FROM {view}"
            expected, found = run(story, statement), run(mirror, statement)
            assert sorted(map(repr, expected)) == sorted(map(repr, found))
    assert story.digest().tip.sequence_no + 1 == mirror.mirrored_blocks
    assert 0 == story.mirrored_blocks


def test_tables_and_indexes_are_the_sources(story: Ledger, mirror: Ledger) -> None:
    """Tables with documents have their ids, dropped ones are dropped; indexes are used."""
    fill(mirror, story.blocks())
    ours = [row for row in tables(story) if row[0] != "Empty"]
    assert ours == [row for row in tables(mirror) if row[0] != "Empty"]
    statement = "SELECT i FROM information_schema.user_tables AS t, t.indexes AS i"
    fields = [
        sorted(row["i"]["expr"] for row in run(ledger, statement)) for ledger in (story, mirror)
    ]
    assert fields[0] == fields[1]
    (vin,) = run(mirror, "SELECT VALUE v.VIN FROM Vehicle AS v")[:1]
    with_index = run(mirror, "SELECT VALUE v.VIN FROM Vehicle AS v WHERE v.VIN = ?", vin)
    assert [vin] == with_index


def test_a_mirror_is_there_when_it_is_opened_again(story: Ledger, tmp_path: Path) -> None:
    """What was mirrored is in the file, its strand's id and how many blocks too."""
    path = tmp_path / "mirror.ledger"
    blocks = list(story.blocks())
    with Ledger.open(path) as mirror:
        fill(mirror, blocks[:20])
    with Ledger.open(path) as mirror:
        assert (20, story.strand_id) == (mirror.mirrored_blocks, mirror.strand_id)
        fill(mirror, blocks[10:])
    with Ledger.open(path, read_only=True) as mirror:
        assert story.digest() == mirror.digest()
        assert (len(blocks), story.strand_id) == (mirror.mirrored_blocks, mirror.strand_id)
        with pytest.raises(LedgerFileError, match="read-only"):
            mirror.mirror(blocks[0])


def test_transactions_continue_the_chain(story: Ledger, mirror: Ledger) -> None:
    """A local block links to the last mirrored one; both verifiers accept all."""
    fill(mirror, story.blocks())
    before = story.digest()
    run(mirror, "CREATE TABLE New")
    run(mirror, "INSERT INTO New ?", {"a": 1})
    (vin,) = run(mirror, "SELECT VALUE v.VIN FROM Vehicle AS v")[:1]
    run(mirror, "UPDATE Vehicle AS v SET v.Color = 'x' WHERE v.VIN = ?", vin)
    assert before.tip.sequence_no + 4 == check_journal(mirror)
    hashes = [each.block_hash for each in mirror.blocks()]
    assert before.digest == merkle_root(hashes[: before.tip.sequence_no + 1])
    stream = mirror.stream_records(aggregated=False)
    assert mirror.digest().digest == published.check_journal(stream)


def test_a_mirror_of_a_mirror_with_blocks_of_its_own(story: Ledger, mirror: Ledger) -> None:
    """What continues the chain is mirrored like the rest."""
    fill(mirror, story.blocks())
    run(mirror, "INSERT INTO Vehicle ?", {"VIN": "new"})
    with memory() as second:
        fill(second, mirror.blocks())
        assert mirror.digest() == second.digest()
        assert events(mirror) == events(second)


def test_old_proofs_verify_against_the_mirror(story: Ledger, mirror: Ledger) -> None:
    """Whatever the source proved, the mirror proves with the same hashes, also later on."""
    fill(mirror, story.blocks())
    tip = story.digest().tip.sequence_no
    run(mirror, "INSERT INTO Vehicle ?", {"VIN": "new"})
    assert story.digest() == mirror.digest(tip)
    for each in story.blocks():
        number = each.address.sequence_no
        assert story.block(number, tip=tip) == mirror.block(number, tip=tip)
        for one in each.revisions:
            assert one.document_id is not None
            proven = mirror.revision(number, one.document_id, tip=tip)
            assert story.revision(number, one.document_id, tip=tip) == proven
            assert proven.proof is not None
            assert story.digest().digest == fold_proof(one.hash, proven.proof)


def test_exported_blocks_make_the_same_mirror(story: Ledger, mirror: Ledger) -> None:
    """A whole block says of tables what its transactionInfo does, which is enough."""
    tip = story.digest().tip.sequence_no
    exported = b"".join(story.block(n).block.to_bytes() for n in range(tip + 1))
    fill(mirror, parse_export(exported))
    assert story.digest() == mirror.digest()
    assert events(story) == events(mirror)
    ours = [row for row in tables(story) if row[0] != "Empty"]
    assert ours == [row for row in tables(mirror) if row[0] != "Empty"]


def test_documents_beside_hash_only_leaves_are_proven(mirror: Ledger) -> None:
    """A leaf of which only the hash is known has its place in block and proof."""
    journal = make_journal(7, blocks=40, shape=JournalShape(system=0.7))
    fill(mirror, journal)
    for each in journal:
        number = each.address.sequence_no
        found = mirror.block(number, tip=39)
        assert found.proof is not None
        assert journal.digest() == fold_proof(each.block_hash, found.proof)
        (again,) = parse_export(found.block.to_bytes())
        hashes = [one.hash for one in each.revisions]
        assert hashes == [one.hash for one in again.revisions]
        assert verify_block(again).ok
        for one in each.revisions:
            if one.document_id is not None:
                proof = mirror.revision(number, one.document_id, tip=39).proof
                assert proof is not None
                assert journal.digest() == fold_proof(one.hash, proof)


@pytest.mark.parametrize("erased", [False, True])
@pytest.mark.parametrize("rule", list(DeleteRule))
def test_a_journal_with_all_kinds_of_blocks(mirror: Ledger, rule: DeleteRule, erased: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Hash-only leaves, deletes by each rule, redactions before and after: all is kept."""
    shape = JournalShape(redactions=0.3, deletes=0.3, system=0.3, delete_rule=rule, erased=erased)
    journal = make_journal(7, blocks=60, shape=shape)
    fill(mirror, journal)
    assert journal.digest() == mirror.digest().digest
    verifier = ChainVerifier()
    kinds = set()
    for expected, found in zip(journal.with_erased(), mirror.blocks(), strict=True):
        assert verifier.feed(found).ok
        assert expected.revisions == found.revisions
        assert attrs.evolve(expected.summary, stream_arn=None) == found.summary
        kinds |= {each.kind for each in found.revisions}
    assert set(RevisionKind) - {RevisionKind.WITHHELD} == kinds  # which only filters make
    assert journal.digest() == verifier.digest(journal.strand_id)


@settings(max_examples=15)
@given(st.integers(0, 1000), st.lists(st.integers(1, 9), max_size=6))
def test_current_documents_are_those_that_the_journal_last_said(seed: int, runs: list[int]) -> None:
    """In groups of any size, the user view is the newest revision of each document."""
    journal = list(make_journal(seed, blocks=30, shape=JournalShape(deletes=0.3)))
    newest = {
        each.document_id: each
        for one in journal
        for each in one.revisions
        if each.document_id is not None
    }
    expected = {name: one.data for name, one in newest.items() if one.data is not None}
    with memory() as mirror:
        rest = list(journal)
        for size in [*runs, len(journal)]:
            fill(mirror, rest[:size])
            rest = rest[size:]
        found: dict[str, Any] = {}
        for name, _, _ in tables(mirror):
            statement = f"SELECT i, d FROM {name} AS d BY i"
            found |= {row["i"]: row["d"] for row in run(mirror, statement)}
        assert expected == found


def test_a_genuine_block_is_stored_as_it_was(mirror: Ledger, vectors: Path) -> None:
    """Block 14 of a real ledger, told to be the first, verifies in every check afterwards."""
    summary, details = map(
        parse_record, deaggregate((vectors / "kpl-14/aggregated.kpl").read_bytes())
    )
    assert isinstance(summary, BlockSummary)
    assert isinstance(details, RevisionDetails)
    genuine = Block(summary, (details.revision,))
    mirror.mirror(moved(genuine, 0))
    (found,) = mirror.blocks()
    assert {Outcome.VERIFIED} == {check.outcome for check in verify_block(found).checks}
    assert genuine.block_hash == mirror.digest().digest
    assert genuine.revisions[0].data == found.revisions[0].data
    assert summary.transaction_info == found.summary.transaction_info


# --- what a mirror refuses -------------------------------------------------------------------


def test_genuine_blocks_that_are_not_the_first_are_refused(mirror: Ledger, vectors: Path) -> None:
    """A mirror begins at block 0 or not at all, because its digest is over all blocks."""
    (genuine,) = parse_export((vectors / "block-100/block.ion").read_bytes())
    with pytest.raises(ReplayRefusedError, match="a mirror begins at block 0"):
        mirror.mirror(genuine)
    assert 0 == mirror.mirrored_blocks
    assert not list(mirror.blocks())


def test_a_gap_is_refused(mirror: Ledger) -> None:
    """The block that is needed is named."""
    blocks = chain(CREATED, block(1), block(2))
    mirror.mirror(blocks[0])
    with pytest.raises(ReplayRefusedError, match="needs block 1 next"):
        mirror.mirror(blocks[2])


def test_another_strand_is_refused(mirror: Ledger) -> None:
    """One ledger has one strand, its source's; until then it may take on any of 22 characters."""
    first, second = chain(CREATED, block(1))
    short = BlockAddress("short", 0)
    with pytest.raises(ReplayRefusedError, match="22 characters"):
        mirror.mirror(Block(attrs.evolve(first.summary, address=short)))
    mirror.mirror(first)
    assert STRAND == mirror.strand_id
    strange = BlockAddress(OTHER_ID, 1)
    with pytest.raises(ReplayRefusedError, match=f"mirrors strand {STRAND}"):
        mirror.mirror(Block(attrs.evolve(second.summary, address=strange)))


def test_a_broken_link_is_refused(mirror: Ledger) -> None:
    """The previousBlockHash is the last block's hash, and blockHash is made of it."""
    first, second = chain(CREATED, block(1))
    mirror.mirror(first)
    strange = digest("strange")
    broken = attrs.evolve(second.summary, previous_block_hash=strange)
    expected = ChainBreakError(STRAND, 1, first.block_hash.hex(), strange.hex())
    with pytest.raises(ChainBreakError) as caught:
        mirror.mirror(Block(broken))
    assert expected == caught.value
    with pytest.raises(HashMismatchError) as found:
        mirror.mirror(Block(attrs.evolve(second.summary, block_hash=strange)))
    assert HashMismatchError(STRAND, 1, "BLOCK_HASH") == found.value


def test_a_block_that_is_there_is_passed_over_and_another_one_is_a_conflict(
    mirror: Ledger,
) -> None:
    """The number is the position, the hash says whether it is the same block."""
    first, second = chain(CREATED, block(1))
    assert MirroredBlock(0, 0) == mirror.mirror(first)
    mirror.mirror(second)
    assert mirror.mirror(first) is None
    assert mirror.mirror(second) is None
    other = attrs.evolve(first.summary, block_hash=digest("other"))
    with pytest.raises(ConflictError) as caught:
        mirror.mirror(Block(other))
    assert ConflictError(STRAND, 0, "blockHash") == caught.value


def test_a_mirror_with_blocks_of_its_own_takes_no_more(mirror: Ledger) -> None:
    """The chain has gone on elsewhere; what was mirrored is still known."""
    first, second, third = chain(CREATED, block(1), block(2))
    fill(mirror, [first, second])
    run(mirror, "INSERT INTO Things ?", {"a": 1})
    assert mirror.mirror(second) is None
    with pytest.raises(ReplayRefusedError, match="blocks of its own from block 2 on"):
        mirror.mirror(third)
    assert 2 == mirror.mirrored_blocks
    assert 2 == mirror.digest().tip.sequence_no


def test_a_ledger_that_is_no_mirror_takes_no_block(mirror: Ledger) -> None:
    """Whoever has begun alone goes on alone."""
    make_cars(mirror, "A")
    with pytest.raises(ReplayRefusedError, match="blocks of its own from block 0 on"):
        mirror.mirror(linked(None, CREATED))


def test_versions_follow_each_other(mirror: Ledger) -> None:
    """A version that is left out or comes again is refused, and which one is next is said."""
    first = chain(CREATED, block(1, written(1, 1, 0, {"a": 1})))
    fill(mirror, first)
    with pytest.raises(ReplayRefusedError, match="version 2, and version 1 is its next"):
        mirror.mirror(linked(first[1], block(2, written(2, 1, 2, {"a": 2}))))
    with pytest.raises(ReplayRefusedError, match="version 1, and version 0 is its next"):
        mirror.mirror(linked(first[1], block(2, written(2, 2, 1, {"a": 2}))))


def test_metadata_that_cannot_be_rebuilt_are_refused(mirror: Ledger) -> None:
    """A fifth field, a time before 1970, another transaction or address: none is kept silently."""
    first = linked(None, CREATED)
    mirror.mirror(first)
    sound = written(1, 1, 0, {"a": 1})
    assert sound.metadata is not None
    odd = attrs.evolve(sound.metadata, ion=to_slice({"id": document_id(1), "more": 1}))
    fields = sound.metadata.ion.decode() | {"txTime": datetime(1969, 12, 31, tzinfo=UTC)}
    early = attrs.evolve(sound.metadata, tx_time=fields["txTime"], ion=to_slice(fields))
    for strange in (
        attrs.evolve(sound, metadata=early),
        attrs.evolve(sound, metadata=odd),
        attrs.evolve(sound, address=BlockAddress(STRAND, 7)),
    ):
        with pytest.raises(ReplayRefusedError, match="metadata or a block address"):
            mirror.mirror(linked(first, block(1, strange)))
    other_transaction = linked(first, block(1, sound))
    summary = attrs.evolve(other_transaction.summary, transaction_id=OTHER_ID)
    with pytest.raises(ReplayRefusedError, match="metadata or a block address"):
        mirror.mirror(Block(summary, other_transaction.revisions))


def test_revisions_that_are_not_the_summarys_are_refused(mirror: Ledger) -> None:
    """Leaves and revisions are the same, in the same order."""
    first, second = chain(CREATED, block(1, written(1, 1, 0, {"a": 1}), written(1, 2, 0, {})))
    mirror.mirror(first)
    with pytest.raises(ReplayRefusedError, match="not those of its revisionSummaries"):
        mirror.mirror(Block(second.summary, second.revisions[::-1]))


def test_bytes_that_cannot_be_read_are_refused(mirror: Ledger) -> None:
    """A transactionInfo or a document that is no sound Ion leaves nothing behind."""
    first, second = chain(CREATED, block(1, written(1, 1, 0, {"a": 1})))
    mirror.mirror(first)
    broken = IonSlice(b"\xd9\x8a", 0, 2, SymbolTable(()))
    with pytest.raises(ReplayRefusedError, match="cannot be read"):
        mirror.mirror(Block(attrs.evolve(second.summary, transaction_info=TransactionInfo(broken))))
    damaged = attrs.evolve(second.revisions[0], data_ion=broken)
    with pytest.raises(ReplayRefusedError, match="cannot be stored"):
        mirror.mirror(Block(second.summary, (damaged,)))
    assert 1 == mirror.mirrored_blocks
    mirror.mirror(second)


def test_a_stale_token_is_refused(mirror: Ledger) -> None:
    """Whoever held the strand before may not write any more, nor pass over."""
    first, second = chain(CREATED, block(1))
    mirror.mirror(first, token=5)
    for each in (first, second):
        with pytest.raises(StaleTokenError) as caught:
            mirror.mirror(each, token=4)
        assert StaleTokenError(STRAND, 5, 4) == caught.value
    mirror.mirror(second, token=5)


# --- time, transactions, crashes -------------------------------------------------------------


def test_a_time_that_falls_stays_in_the_journal_and_is_never_gone_below(mirror: Ledger) -> None:
    """The source's time is kept as it is; blocks of our own are not earlier than any before."""
    first, second = chain(CREATED, block(1))
    early = second.summary.block_timestamp.replace(year=2023, microsecond=123456)
    mirror.mirror(first)
    mirror.mirror(Block(attrs.evolve(second.summary, block_timestamp=early)))
    run(mirror, "INSERT INTO Things ?", {"a": 1})
    times = [each.summary.block_timestamp for each in mirror.blocks()]
    assert early == times[1]
    assert first.summary.block_timestamp <= times[2]


def test_an_open_transaction_keeps_its_snapshot_and_conflicts(mirror: Ledger) -> None:
    """Mirrored blocks are to open transactions what others' commits are."""
    blocks = chain(CREATED, block(1, written(1, 1, 0, {"a": 1})), block(2))
    mirror.mirror(blocks[0])
    transaction = mirror.start_transaction()
    assert [] == ask(transaction, "SELECT * FROM Things")
    mirror.mirror(blocks[1])
    assert [] == ask(transaction, "SELECT * FROM Things")
    ask(transaction, "INSERT INTO Things ?", {"a": 2})
    with pytest.raises(OccConflictError):
        transaction.commit()
    mirror.mirror(blocks[2])


def test_a_group_that_fails_leaves_the_ledger_its_own(mirror: Ledger) -> None:
    """Strand and blocks are what they were; the next transaction is block 0 of its strand."""
    own = mirror.strand_id
    connection = mirror._journal.store.connection  # noqa: SLF001 - SQLite is made to fail

    def fail() -> None:
        with mirror.group_commit():
            first, second = chain(CREATED, block(1))
            mirror.mirror(first)
            assert (STRAND, 1) == (mirror.strand_id, mirror.mirrored_blocks)
            connection.execute("PRAGMA query_only = ON")
            mirror.mirror(second)

    with pytest.raises(LedgerFileError):
        fail()
    connection.execute("PRAGMA query_only = OFF")
    assert (own, 0) == (mirror.strand_id, mirror.mirrored_blocks)
    make_cars(mirror, "A")
    assert 3 == check_journal(mirror)


@pytest.mark.parametrize("number", [-1, 2**70])
def test_impossible_numbers_are_refused(mirror: Ledger, number: int) -> None:
    """A number that no block has is not the next one."""
    (first,) = chain(CREATED)
    mirror.mirror(first)
    with pytest.raises(ReplayRefusedError, match="needs block 1 next"):
        mirror.mirror(moved(first, number))


def test_documents_of_any_shape_are_kept(mirror: Ledger) -> None:
    """Values that Python would flatten come back with the same hashes."""
    shape = JournalShape(document=_odd_document, redactions=0)
    journal = make_journal(1, blocks=20, shape=shape)
    fill(mirror, journal)
    found: list[Revision] = [one for each in mirror.blocks() for one in each.revisions]
    assert [one for each in journal for one in each.revisions] == found


def _odd_document(random: Random, table: str, ids: Any) -> Any:
    """Give a document with annotations and typed nulls."""
    from amazon.ion.simpleion import loads

    text = f"{{a: x::{random.random()}, b: null.timestamp, c: 1.50, d: 'symbol', e: {{{{aGk=}}}}}}"
    return loads(text, single_value=True)


def test_symbols_of_shared_tables_are_refused(mirror: Ledger) -> None:
    """No journal has them, and records are not made around them."""
    table = SymbolTable((*[None] * 4, "name", *[None] * 6), ((10, "shared", 1, 1),))
    info = TransactionInfo(IonSlice(b"\xd3\x84\x71\x0a", 0, 4, table))  # {name: $10}
    (first,) = chain(CREATED)
    with pytest.raises(ReplayRefusedError, match="symbols of shared tables"):
        mirror.mirror(Block(attrs.evolve(first.summary, transaction_info=info)))


@pytest.mark.parametrize("erased", [False, True])
def test_a_mirror_passes_its_own_check(mirror: Ledger, erased: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """What `Ledger.check` can prove of a mirror, with blocks of its own too, it proves."""
    shape = JournalShape(redactions=0.3, deletes=0.3, system=0.3, erased=erased)
    fill(mirror, make_journal(3, blocks=60, shape=shape))
    assert () == mirror.check().problems
    run(mirror, "CREATE TABLE More")
    run(mirror, "INSERT INTO More ?", {"a": 1})
    report = mirror.check()
    assert (True, 62) == (report.ok, report.blocks)

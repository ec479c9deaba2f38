"""The journal is a QLDB journal: shapes, hashes, and who accepts them."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import pytest

from qldb_stream import parse_record
from qldb_stream.errors import IonDecodeError, StatementError
from qldb_stream.events import BlockSummary, RevisionDetails, RevisionKind
from qldb_stream.hashing import merkle_root
from qldb_stream.ion import IonSlice, dumps, ion_hash, load_slice, read_struct, timestamp_ms
from qldb_stream.ledger import Ledger
from qldb_stream.testing.vehicle_registration import tell_story
from tests.ledger import published
from tests.ledger.support import (
    NOON_MS,
    Clock,
    ask,
    check_journal,
    make_cars,
    memory,
    run,
    versions,
)


def summaries(ledger: Ledger) -> list[dict[str, Any]]:
    """The payloads of the block summaries, decoded."""
    found = []
    for record in ledger.stream_records(aggregated=False):
        fields = read_struct(load_slice(record))
        if fields["recordType"].decode() == "BLOCK_SUMMARY":
            found.append(fields["payload"].decode())
    return found


def test_both_verifiers_accept_a_story() -> None:
    """Our verifier and AWS's published one agree on every block of a ledger with everything."""
    with Ledger.open(":memory:") as ledger:
        list(tell_story(ledger.driver(), seed=3, vehicles=12))
        assert 40 < check_journal(ledger)
        digest = published.check_journal(ledger.stream_records(aggregated=False))
        assert digest == ledger.digest().digest


def test_an_unchanged_ledger_has_one_digest() -> None:
    """The digest is over all blocks; its tip is the last one."""
    with memory() as ledger:
        make_cars(ledger, "A")
        digest = ledger.digest()
        assert digest == ledger.digest()
        assert 2 == digest.tip.sequence_no
        assert merkle_root([block.block_hash for block in ledger.blocks()]) == digest.digest


def test_an_empty_ledger_has_no_digest() -> None:
    """Before the first block there is nothing to hash."""
    with memory() as ledger, pytest.raises(StatementError, match="no block yet"):
        ledger.digest()


def test_a_block_has_the_services_fields_in_its_order() -> None:
    """Fields stand as the service wrote them (facts 1.3)."""
    with memory() as ledger:
        make_cars(ledger, "A")
        assert [
            "blockAddress",
            "transactionId",
            "blockTimestamp",
            "blockHash",
            "entriesHash",
            "previousBlockHash",
            "entriesHashList",
            "transactionInfo",
            "revisionSummaries",
        ] == list(summaries(ledger)[-1])
        assert "revisionSummaries" not in summaries(ledger)[0]


def test_block_0_has_no_block_before_it() -> None:
    """Its previousBlockHash is an empty blob and its hash its entriesHash (facts 9.2)."""
    with memory() as ledger:
        run(ledger, "CREATE TABLE Car")
        (block,) = summaries(ledger)
        assert b"" == block["previousBlockHash"]
        assert block["entriesHash"] == block["blockHash"]
        assert {"strandId": ledger.strand_id, "sequenceNo": 0} == block["blockAddress"]


def test_an_entries_list_has_four_members_that_can_be_proven() -> None:
    """Address and time, revisions, changed tables, transactionInfo: each is a known hash."""
    with memory() as ledger:
        make_cars(ledger, "A")
        tables, _index, insert = summaries(ledger)
        for block in (tables, insert):
            header = {
                name: block[name] for name in ("blockAddress", "transactionId", "blockTimestamp")
            }
            assert 4 == len(block["entriesHashList"])
            assert ion_hash(header) == block["entriesHashList"][0]
            assert ion_hash(block["transactionInfo"]) == block["entriesHashList"][3]
        table_id = run(ledger, "SELECT VALUE tableId FROM information_schema.user_tables")[0]
        row = {"tableId": table_id, "name": "Car", "indexes": [], "status": "ACTIVE"}
        assert ion_hash({"tables": [row]}) == tables["entriesHashList"][2]
        assert ion_hash({"revisions": []}) == tables["entriesHashList"][1]
        assert ion_hash({"tables": []}) == insert["entriesHashList"][2]
        assert insert["revisionSummaries"][0]["hash"] == insert["entriesHashList"][1]


def test_transaction_info_says_what_ran() -> None:
    """All statements, SELECTs too, verbatim; an index for each assignment (facts 2.3)."""
    texts = [
        "SELECT * FROM Car AS c\n WHERE c.vin = ?",
        "INSERT INTO Car ?",
        "UPDATE Car AS c SET c.miles = ?, c.color = ? WHERE c.vin = ?",
    ]
    clock = Clock(step_ms=1)
    with memory(clock) as ledger:
        make_cars(ledger)
        transaction = ledger.start_transaction()
        ask(transaction, texts[0], "B")
        (inserted,) = ask(transaction, texts[1], {"vin": "B"})
        ask(transaction, texts[2], 5, "red", "B")
        transaction.commit()
        info = summaries(ledger)[-1]["transactionInfo"]
        assert texts == [statement["statement"] for statement in info["statements"]]
        assert {"statement", "startTime", "statementDigest"} == set(info["statements"][0])
        table_id = run(ledger, "SELECT VALUE tableId FROM information_schema.user_tables")[0]
        document = {"tableName": "Car", "tableId": table_id, "statements": [1, 2, 2]}
        assert {inserted["documentId"]: document} == info["documents"]
        times = [statement["startTime"] for statement in info["statements"]]
        assert sorted(times) == times
        assert 3 == len(set(times))


def test_a_failed_statement_is_not_journaled() -> None:
    """What did not run stands nowhere (facts 5.10)."""
    with memory() as ledger:
        make_cars(ledger)
        transaction = ledger.start_transaction()
        with pytest.raises(StatementError):
            ask(transaction, "CREATE TABLE Car")
        ask(transaction, "INSERT INTO Car ?", {"vin": "B"})
        transaction.commit()
        (statement,) = summaries(ledger)[-1]["transactionInfo"]["statements"]
        assert "INSERT INTO Car ?" == statement["statement"]


def test_a_document_has_one_revision_in_a_transaction() -> None:
    """INSERT, then UPDATE twice, is version 0 with the final data (facts 0.2)."""
    with memory() as ledger:
        make_cars(ledger)
        transaction = ledger.start_transaction()
        ask(transaction, "INSERT INTO Car ?", {"vin": "B", "miles": 1})
        ask(transaction, "UPDATE Car SET miles = 2 WHERE vin = 'B'")
        ask(transaction, "UPDATE Car SET miles = 3 WHERE vin = 'B'")
        transaction.commit()
        (revision,) = [one for block in ledger.blocks(2) for one in block.revisions]
        assert {"vin": "B", "miles": 3} == revision.data
        assert RevisionKind.INSERT is revision.kind


def test_a_delete_is_a_revision_without_data() -> None:
    """Its hash is that of its metadata; its version goes on (facts 1.4)."""
    with memory() as ledger:
        (car,) = make_cars(ledger, "A")
        run(ledger, "DELETE FROM Car AS c WHERE c.vin = 'A'")
        *_, block = ledger.blocks()
        (revision,) = block.revisions
        assert RevisionKind.DELETE is revision.kind
        assert [(car, 0), (car, 1)] == list(versions(ledger))
        assert revision.metadata is not None
        assert revision.metadata.ion.hash() == revision.hash


def test_what_vanished_within_a_transaction_leaves_no_trace() -> None:
    """A document that was inserted and deleted is neither a revision nor in `documents`."""
    with memory() as ledger:
        make_cars(ledger)
        transaction = ledger.start_transaction()
        ask(transaction, "INSERT INTO Car ?", {"vin": "B"})
        ask(transaction, "INSERT INTO Car ?", {"vin": "C"})
        ask(transaction, "DELETE FROM Car AS c WHERE c.vin = 'B'")
        transaction.commit()
        block = summaries(ledger)[-1]
        assert 1 == len(block["revisionSummaries"]) == len(block["transactionInfo"]["documents"])
        assert 3 == len(block["transactionInfo"]["statements"])
        check_journal(ledger)


def test_reading_is_not_journaled() -> None:
    """A transaction that changed nothing makes no block."""
    with memory() as ledger:
        make_cars(ledger, "A")
        before = ledger.digest()
        transaction = ledger.start_transaction()
        ask(transaction, "SELECT * FROM Car")
        ask(transaction, "UPDATE Car SET miles = 2 WHERE vin = 'no such'")
        assert transaction.commit() is None
        assert before == ledger.digest()


def test_a_commit_answers_the_blocks_address() -> None:
    """The address is where the block stands."""
    with memory() as ledger:
        make_cars(ledger)
        transaction = ledger.start_transaction()
        ask(transaction, "INSERT INTO Car ?", {"vin": "B"})
        assert ledger.digest().tip.sequence_no == 1
        assert transaction.commit() == ledger.digest().tip


def test_times_never_fall() -> None:
    """When the clock is set back, blocks keep the last time (milliseconds, UTC)."""
    clock = Clock()
    with memory(clock) as ledger:
        make_cars(ledger, "A")
        clock.now_ms -= 5000
        run(ledger, "UPDATE Car SET miles = 1 WHERE vin = 'A'")
        clock.now_ms += 6000
        run(ledger, "UPDATE Car SET miles = 2 WHERE vin = 'A'")
        times = [block["blockTimestamp"] for block in summaries(ledger)]
        expected = [timestamp_ms(NOON_MS + later) for later in (0, 0, 0, 0, 1000)]
        assert expected == times
        history = run(ledger, "SELECT VALUE h.metadata.txTime FROM history(Car) AS h")
        assert expected[2:] == history


def test_tx_time_is_taken_before_the_block_is_closed() -> None:
    """TxTime and blockTimestamp are two readings of the clock (facts 0.2)."""
    with memory(Clock(step_ms=7)) as ledger:
        make_cars(ledger, "A")
        *_, block = ledger.blocks()
        (revision,) = block.revisions
        assert revision.metadata is not None
        assert 7 == (block.summary.block_timestamp - revision.metadata.tx_time).microseconds / 1000


def wrapped(document: Any) -> IonSlice:
    """A document inside a record, as a replay has it in hand."""
    record = load_slice(dumps({"secret": 1, "payload": {"data": document}}))
    return read_struct(read_struct(record)["payload"])["data"]


@pytest.mark.parametrize(
    "document",
    [
        load_slice(dumps({"vin": "A", "n": [1.5, None, {"x": b"y"}]})),
        wrapped({"vin": "A", "n": [1.5, None, {"x": b"y"}]}),
        load_slice(dumps({})),
        wrapped({}),
    ],
    ids=["alone", "in a record", "empty alone", "empty in a record"],
)
def test_a_slice_is_stored_as_it_is(document: IonSlice) -> None:
    """A document given in its bytes is hashed and kept without another's symbols."""
    with memory() as ledger:
        make_cars(ledger)
        run(ledger, "INSERT INTO Car ?", document)
        *_, block = ledger.blocks()
        (revision,) = block.revisions
        assert revision.data_ion is not None
        assert document == revision.data_ion
        assert "secret" not in revision.data_ion.symbols.texts
        check_journal(ledger)


def test_a_value_before_the_document_in_its_stream_is_not_stored() -> None:
    """A document that is the last of several values is copied out of their stream."""
    stream = dumps("annotated") + dumps({"a": 1})[4:]
    document = load_slice(dumps({"a": 1}))
    moved = IonSlice(
        stream, len(stream) - (document.end - document.start), len(stream), document.symbols
    )
    with memory() as ledger:
        make_cars(ledger)
        run(ledger, "INSERT INTO Car ?", moved)
        *_, block = ledger.blocks()
        (revision,) = block.revisions
        assert revision.data_ion is not None
        assert b"annotated" not in revision.data_ion.buf
        assert {"a": 1} == revision.data


@pytest.mark.parametrize("fields", [{}, {"a": 1}, {"b": 0, "a": "x" * 200}])
def test_a_value_without_its_stream_is_given_one(fields: dict[str, Any]) -> None:
    """A slice whose buffer is the value alone is stored as a stream that can be read."""
    document = load_slice(dumps(fields))
    bare = document.buf[document.start : document.end]
    with memory() as ledger:
        make_cars(ledger)
        run(ledger, "INSERT INTO Car ?", IonSlice(bare, 0, len(bare), document.symbols))
        assert [fields] == run(ledger, "SELECT VALUE c FROM Car AS c")
        check_journal(ledger)


def test_a_large_document_keeps_its_long_symbol_table() -> None:
    """A symbol table of more than 13 bytes, and one of more than 127, are found the same."""
    documents = [{f"field{number}": number for number in range(count)} for count in (1, 40)]
    with memory() as ledger:
        make_cars(ledger)
        for document in documents:
            run(ledger, "INSERT INTO Car ?", document)
        assert documents == [one.data for block in ledger.blocks(2) for one in block.revisions]


def test_a_broken_slice_is_refused_when_it_comes() -> None:
    """Bytes that are no Ion never reach the journal."""
    good = load_slice(dumps({"vin": "A", "n": 1}))
    broken = IonSlice(good.buf[:-2] + b"\x8f\xff", good.start, good.end, good.symbols)
    with memory() as ledger:
        make_cars(ledger)
        before = ledger.digest()
        with pytest.raises(IonDecodeError):
            run(ledger, "INSERT INTO Car ?", broken)
        assert before == ledger.digest()


def details(records: Iterable[bytes]) -> list[BlockSummary | RevisionDetails]:
    """The events of un-aggregated records, the control record left out."""
    events = list(map(parse_record, records))[1:]
    return [event for event in events if isinstance(event, BlockSummary | RevisionDetails)]


def test_blocks_and_stream_say_the_same() -> None:
    """What `blocks()` gives is what our parsers read from the stream, its ARN apart."""
    with memory() as ledger:
        make_cars(ledger, "A", "B")
        run(ledger, "DELETE FROM Car AS c WHERE c.vin = 'A'")
        events = iter(details(ledger.stream_records(aggregated=False)))
        for block in ledger.blocks():
            summary = next(events)
            assert isinstance(summary, BlockSummary)
            assert summary.stream_arn is not None
            assert block.summary.revision_summaries == summary.revision_summaries
            assert block.summary.transaction_info == summary.transaction_info
            assert block.summary.block_timestamp == summary.block_timestamp
            assert block.summary.entries_hash_list == summary.entries_hash_list
            for revision in block.revisions:
                event = next(events)
                assert isinstance(event, RevisionDetails)
                assert revision == event.revision
        assert [] == list(events)


def test_random_documents_of_random_size_verify() -> None:
    """Documents and statement lists of many sizes cross every length that Ion writes anew."""
    chance = random.Random(5)
    with memory() as ledger:
        make_cars(ledger)
        for _ in range(12):
            transaction = ledger.start_transaction()
            for _ in range(chance.choice([1, 2, 9, 30])):
                ask(transaction, "INSERT INTO Car ?", {"pad": "x" * chance.randrange(300)})
            ask(transaction, "SELECT 1 FROM << 0 >>" + " " * chance.randrange(300))
            transaction.commit()
        check_journal(ledger)
        published.check_journal(ledger.stream_records(aggregated=False))

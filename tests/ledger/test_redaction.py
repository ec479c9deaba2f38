"""EXEC REDACT_REVISION: what it journals, and that nothing of the data is left anywhere."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from amazon.ion import simpleion

from qldb_stream.errors import (
    LedgerError,
    LedgerFileError,
    OccConflictError,
    PartiqlSemanticError,
    StatementError,
    UnsupportedPartiqlError,
)
from qldb_stream.events import BlockAddress, RedactedRevision, RevisionKind
from qldb_stream.ion import ion_hash
from qldb_stream.ledger import Ledger
from tests.ledger import published
from tests.ledger.support import ask, check_journal, make_cars, memory, run

REDACT = "EXEC REDACT_REVISION ?, ?, ?"


def table_id_of(ledger: Ledger, name: str = "Car") -> str:
    """The id of a table."""
    text = "SELECT VALUE tableId FROM information_schema.user_tables WHERE name = ?"
    (table_id,) = run(ledger, text, name)
    assert isinstance(table_id, str)
    return table_id


def address(ledger: Ledger, sequence_no: int) -> dict[str, Any]:
    """A block's address as the statement takes it."""
    return {"strandId": ledger.strand_id, "sequenceNo": sequence_no}


def redact(ledger: Ledger, sequence_no: int, document_id: str) -> list[Any]:
    """Redact what a block made of a car."""
    return run(ledger, REDACT, address(ledger, sequence_no), table_id_of(ledger), document_id)


def make_versions(ledger: Ledger) -> str:
    """A car with a version 0 in block 2 that says SECRET, and a version 1 in block 3."""
    (document_id,) = make_cars(ledger, "SECRET")
    run(ledger, "UPDATE Car SET vin = 'PUBLIC'")
    return document_id


def files(path: Path) -> bytes:
    """All that the ledger has on disk."""
    beside = [path.with_name(path.name + end) for end in ("-wal", "-shm", "-writer")]
    return b"".join(file.read_bytes() for file in (path, *beside) if file.exists())


def left(path: Path, secrets: Iterable[str]) -> list[str]:
    """Those of some texts that are in any of the files."""
    held = files(path)
    return [secret for secret in secrets if secret.encode() in held]


def test_the_row_names_the_revision() -> None:
    """The statement gives address, table, document and version; literals do as parameters do."""
    with memory() as ledger:
        document_id = make_versions(ledger)
        run(ledger, "UPDATE Car SET miles = 7 WHERE vin = 'PUBLIC'")
        row = {
            "blockAddress": address(ledger, 2),
            "tableId": table_id_of(ledger),
            "documentId": document_id,
            "version": 0,
        }
        assert [row] == redact(ledger, 2, document_id)
        text = (
            f'exec redact_revision `{{strandId: "{ledger.strand_id}", sequenceNo: 3}}`, '
            f"'{table_id_of(ledger)}', '{document_id}'"
        )
        assert [{**row, "blockAddress": address(ledger, 3), "version": 1}] == run(ledger, text)


def test_the_block_says_what_was_redacted() -> None:
    """The new block has redactionInfo, its hash among five entries, and no revisions."""
    with memory() as ledger:
        document_id = make_versions(ledger)
        redact(ledger, 2, document_id)
        block = list(ledger.blocks())[-1]
        assert block.summary.redaction_info is not None
        named = RedactedRevision(
            BlockAddress(ledger.strand_id, 2), table_id_of(ledger), document_id, 0
        )
        assert (named,) == block.summary.redaction_info.revisions
        assert 5 == len(block.summary.entries_hash_list)
        assert block.summary.redaction_info.ion.hash() in block.summary.entries_hash_list
        assert () == block.revisions
        assert 5 == check_journal(ledger)
        published.check_journal(ledger.stream_records(aggregated=False))


def test_the_hash_stays_everywhere_and_the_data_nowhere() -> None:
    """History, stream, blocks and block show dataHash in the data's place."""
    with memory() as ledger:
        document_id = make_versions(ledger)
        data_hash = ion_hash({"vin": "SECRET", "miles": 0})
        redact(ledger, 2, document_id)
        text = "SELECT h.data, h.dataHash FROM history(Car) AS h WHERE h.metadata.version = 0"
        assert [{"dataHash": data_hash}] == run(ledger, text)
        revision = list(ledger.blocks())[2].revisions[0]
        assert (RevisionKind.REDACTED, data_hash) == (revision.kind, revision.data_hash)
        streamed = [
            simpleion.loads(one)["payload"] for one in ledger.stream_records(2, aggregated=False)
        ][2]["revision"]
        for found in (
            streamed,
            simpleion.loads(ledger.block(2).block.to_bytes())["revisions"][0],
            simpleion.loads(ledger.revision(2, document_id).revision.to_bytes()),
        ):
            assert ["blockAddress", "hash", "dataHash", "metadata"] == list(found)
            assert data_hash == bytes(found["dataHash"])
        assert ["PUBLIC"] == run(ledger, "SELECT VALUE vin FROM Car")


def test_older_digests_and_proofs_hold() -> None:
    """What was proven before the redaction is proven after it, with the same proofs."""
    with memory() as ledger:
        document_id = make_versions(ledger)
        digest = ledger.digest()
        before = ledger.revision(2, document_id, tip=3), ledger.block(2, tip=3)
        redact(ledger, 2, document_id)
        after = ledger.revision(2, document_id, tip=3), ledger.block(2, tip=3)
        assert [one.proof for one in before] == [one.proof for one in after]
        assert digest == ledger.digest(3)
        revision = simpleion.loads(after[0].revision.to_bytes())
        assert after[0].proof is not None
        leaf = published.revision_hash(revision)
        assert digest.digest == published.fold(leaf, after[0].proof)


def test_what_may_not_be_redacted() -> None:
    """The newest revision, a delete, a redacted one, and what is not there are refused."""
    with memory() as ledger:
        document_id = make_versions(ledger)
        table_id = table_id_of(ledger)
        run(ledger, "DELETE FROM Car")
        run(ledger, "INSERT INTO Car ?", {"vin": "C"})
        redact(ledger, 2, document_id)
        there = address(ledger, 3)
        cases: list[tuple[type[LedgerError], str, tuple[Any, ...]]] = [
            (StatementError, "revision 0 .* is redacted already", (address(ledger, 2), table_id)),
            (StatementError, "is a delete; it has no data", (address(ledger, 4), table_id)),
            (StatementError, "block 5 has no revision", (address(ledger, 5), table_id)),
            (StatementError, "block 99 has no revision", (address(ledger, 99), table_id)),
            (StatementError, "block -1 has no revision", (address(ledger, -1), table_id)),
            (StatementError, "the journal's strand is", ({**there, "strandId": "x"}, table_id)),
            (StatementError, "a block address is", ({"sequenceNo": 3}, table_id)),
            (PartiqlSemanticError, "takes a block address", ("3", table_id)),
            (PartiqlSemanticError, "No such variable", (there, "Car")),
        ]
        for error, problem, arguments in cases:
            with pytest.raises(error, match=problem):
                run(ledger, REDACT, *arguments, document_id)
        with pytest.raises(PartiqlSemanticError, match="takes a block address"):
            run(ledger, "EXEC REDACT_REVISION ?", there)
        with pytest.raises(UnsupportedPartiqlError, match="EXEC REDACT_ALL is not supported"):
            run(ledger, "EXEC REDACT_ALL")
        assert 7 == check_journal(ledger)


def test_the_newest_revision_is_refused() -> None:
    """Also when the transaction itself has written a newer one that is not committed."""
    with memory() as ledger:
        document_id = make_versions(ledger)
        transaction = ledger.start_transaction()
        ask(transaction, "UPDATE Car SET miles = 8")
        with pytest.raises(StatementError, match="is the document's newest"):
            ask(transaction, REDACT, address(ledger, 3), table_id_of(ledger), document_id)
        transaction.commit()


def test_one_redaction_in_a_transaction() -> None:
    """A second one is refused, the transaction goes on, and may write documents besides."""
    with memory() as ledger:
        document_id = make_versions(ledger)
        run(ledger, "UPDATE Car SET miles = 7")
        table_id = table_id_of(ledger)
        transaction = ledger.start_transaction()
        ask(transaction, REDACT, address(ledger, 2), table_id, document_id)
        with pytest.raises(StatementError, match="a transaction redacts one revision"):
            ask(transaction, REDACT, address(ledger, 3), table_id, document_id)
        ask(transaction, "INSERT INTO Car ?", {"vin": "B"})
        transaction.commit()
        kinds = [[one.kind for one in block.revisions] for block in ledger.blocks(2)]
        assert [RevisionKind.REDACTED] == kinds[0]
        assert [RevisionKind.UPDATE] == kinds[1]
        assert [RevisionKind.INSERT] == kinds[-1]
        check_journal(ledger)


def test_an_aborted_redaction_removes_nothing() -> None:
    """Until the commit the data is there."""
    with memory() as ledger:
        document_id = make_versions(ledger)
        transaction = ledger.start_transaction()
        ask(transaction, REDACT, address(ledger, 2), table_id_of(ledger), document_id)
        transaction.abort()
        assert {"vin": "SECRET", "miles": 0} == list(ledger.blocks())[2].revisions[0].data


def test_two_redactions_in_one_block_conflict() -> None:
    """The second to commit is told to try again; it then finds the data gone."""
    with memory() as ledger:
        document_id = make_versions(ledger)
        table_id = table_id_of(ledger)
        first, second = ledger.start_transaction(), ledger.start_transaction()
        for transaction in (first, second):
            ask(transaction, REDACT, address(ledger, 2), table_id, document_id)
        first.commit()
        with pytest.raises(OccConflictError):
            second.commit()
        with pytest.raises(StatementError, match="redacted already"):
            redact(ledger, 2, document_id)


HISTORY = "SELECT h.metadata.version, h.data.vin FROM history(Car) AS h"


@pytest.mark.parametrize(
    ("statement", "conflicts"),
    [
        (HISTORY, True),
        (HISTORY + " WHERE h.metadata.id = '{id}'", True),
        (HISTORY + " WHERE h.metadata.id = 'AAAAAAAAAAAAAAAAAAAAAA'", False),
        ("SELECT * FROM history(Van) AS h", False),
        ("SELECT * FROM Car", False),
        ("SELECT * FROM _ql_committed_Car", False),
    ],
)
def test_readers_of_history_conflict_with_its_redaction(
    statement: str,
    conflicts: bool,  # noqa: FBT001 - an outcome
) -> None:
    """What they read is there no more; readers of other documents, or of newest ones, go on."""
    with memory() as ledger:
        document_id = make_versions(ledger)
        run(ledger, "CREATE TABLE Van")
        text = statement.format(id=document_id)
        reader = ledger.start_transaction()
        before = ask(reader, text)
        redact(ledger, 2, document_id)
        assert conflicts is (before != ask(reader, text))
        if conflicts:
            with pytest.raises(OccConflictError):
                reader.commit()
        else:
            reader.commit()
        again = ledger.start_transaction()
        ask(again, text)
        again.commit()


def test_a_table_that_was_dropped_can_be_redacted() -> None:
    """Its id still names it."""
    with memory() as ledger:
        document_id = make_versions(ledger)
        table_id = table_id_of(ledger)
        run(ledger, "DROP TABLE Car")
        assert run(ledger, REDACT, address(ledger, 2), table_id, document_id)
        assert 6 == check_journal(ledger)


def test_nothing_is_left_in_any_file(tmp_path: Path) -> None:
    """Indexed values, long and short documents, in pages that were split and merged: all gone."""
    path = tmp_path / "l.ledger"
    dice = random.Random(7)
    secrets: dict[str, str] = {}
    with Ledger.open(path) as ledger:
        run(ledger, "CREATE TABLE Car")
        run(ledger, "CREATE INDEX ON Car (vin)")
        run(ledger, "CREATE INDEX ON Car (note)")
        with ledger.group_commit():
            for number in range(1500):
                secret = f"SECRET-{dice.randrange(10**12):012d}"
                text = secret * dice.choice([1, 1, 2, 30, 800 if number % 50 == 0 else 1])
                car = {"vin": secret, "note": text, "n": number}
                (row,) = run(ledger, "INSERT INTO Car ?", car)
                secrets[row["documentId"]] = secret
        assert list(secrets.values()) == left(path, secrets.values())
        run(ledger, "UPDATE Car SET vin = 'gone', note = 'gone'")
        table_id = table_id_of(ledger)
        places = [
            (block.address.sequence_no, revision.document_id)
            for block in ledger.blocks()
            for revision in block.revisions
            if revision.kind is RevisionKind.INSERT
        ]
        dice.shuffle(places)
        with ledger.group_commit():
            for sequence_no, document_id in places[1:]:
                run(ledger, REDACT, address(ledger, sequence_no), table_id, document_id)
            assert len(secrets) - 1 == ledger.redactions_pending
        assert 0 == ledger.redactions_pending
        assert places[0][1] is not None
        assert [secrets[places[0][1]]] == left(path, secrets.values())
        redact(ledger, places[0][0], places[0][1])
        assert [] == left(path, secrets.values())
    assert [] == left(path, secrets.values())
    with Ledger.open(path) as ledger:
        assert 3 + 1500 + 1 + 1500 == check_journal(ledger)


def test_a_reader_delays_what_the_log_holds(tmp_path: Path) -> None:
    """While somebody reads an older state the log keeps it; the next commit clears it away."""
    path = tmp_path / "l.ledger"
    with Ledger.open(path) as ledger:
        document_id = make_versions(ledger)
        with Ledger.open(path, read_only=True) as reader:
            transaction = reader.start_transaction()
            text = "SELECT VALUE h.data.vin FROM history(Car) AS h WHERE h.metadata.version = 0"
            assert ["SECRET"] == ask(transaction, text)
            redact(ledger, 2, document_id)
            assert 1 == ledger.redactions_pending
            assert ["SECRET"] == left(path, ["SECRET"])
            run(ledger, "INSERT INTO Car ?", {"vin": "X"})
            assert 1 == ledger.redactions_pending
            transaction.abort()
            assert 1 == reader.redactions_pending
            run(ledger, "INSERT INTO Car ?", {"vin": "Y"})
            assert (0, 0) == (ledger.redactions_pending, reader.redactions_pending)
            assert [] == left(path, ["SECRET"])


def test_a_crash_before_the_log_is_cleared(tmp_path: Path) -> None:
    """Whoever opens the ledger to write next finds the redaction pending and completes it."""
    path, copy = tmp_path / "l.ledger", tmp_path / "copy.ledger"
    with Ledger.open(path) as ledger:
        document_id = make_versions(ledger)
        with Ledger.open(path, read_only=True) as reader:
            transaction = reader.start_transaction()
            redact(ledger, 2, document_id)
            for end in ("", "-wal"):
                shutil.copyfile(f"{path}{end}", f"{copy}{end}")
            transaction.abort()
    assert ["SECRET"] == left(copy, ["SECRET"])
    with Ledger.open(copy, read_only=True) as reader:
        assert 1 == reader.redactions_pending
    with Ledger.open(copy) as ledger:
        assert 0 == ledger.redactions_pending
        assert [] == left(copy, ["SECRET"])
        assert 5 == check_journal(ledger)


def test_a_group_that_fails_redacts_nothing(tmp_path: Path) -> None:
    """Its redactions are neither done nor pending."""
    with Ledger.open(tmp_path / "l.ledger") as ledger:
        document_id = make_versions(ledger)
        connection = ledger._journal.store.connection  # noqa: SLF001 - to make SQLite fail
        with pytest.raises(LedgerFileError, match="rolled back"), ledger.group_commit():  # noqa: PT012 - see above
            redact(ledger, 2, document_id)
            assert 1 == ledger.redactions_pending
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            connection.execute(f"PRAGMA max_page_count = {pages}")
            with pytest.raises(LedgerFileError, match="full"):
                run(ledger, "INSERT INTO Car ?", {"pad": "x" * 200_000})
        connection.execute("PRAGMA max_page_count = 1000000")
        assert 0 == ledger.redactions_pending
        assert {"vin": "SECRET", "miles": 0} == list(ledger.blocks())[2].revisions[0].data
        redact(ledger, 2, document_id)
        assert 5 == check_journal(ledger)


def test_a_reader_may_not_redact(tmp_path: Path) -> None:
    """A ledger that is open to read only refuses."""
    path = tmp_path / "l.ledger"
    with Ledger.open(path) as ledger:
        document_id = make_versions(ledger)
    with (
        Ledger.open(path, read_only=True) as ledger,
        pytest.raises(LedgerFileError, match="read-only"),
    ):
        redact(ledger, 2, document_id)


def test_data_that_is_gone_already_is_not_redacted() -> None:
    """Should somebody have changed the file meanwhile, the commit fails, and says so."""
    with memory() as ledger:
        document_id = make_versions(ledger)
        transaction = ledger.start_transaction()
        ask(transaction, REDACT, address(ledger, 2), table_id_of(ledger), document_id)
        ledger._journal.store.query("UPDATE revision SET data = NULL WHERE no = 1")  # noqa: SLF001 - to tamper
        with pytest.raises(LedgerFileError, match="has no data any more"):
            transaction.commit()
        assert 0 == ledger.redactions_pending


def test_a_log_that_cannot_be_cleared_fails_no_commit(tmp_path: Path) -> None:
    """The redaction is durable; clearing is tried again on closing."""
    path = tmp_path / "l.ledger"
    with Ledger.open(path) as ledger:
        document_id = make_versions(ledger)
        connection = ledger._journal.store.connection  # noqa: SLF001 - to make SQLite fail

        def deny(action: int, name: str | None, *_: object) -> int:
            is_checkpoint = action == sqlite3.SQLITE_PRAGMA and name == "wal_checkpoint"
            return sqlite3.SQLITE_DENY if is_checkpoint else sqlite3.SQLITE_OK

        connection.set_authorizer(deny)
        redact(ledger, 2, document_id)
        assert 1 == ledger.redactions_pending
        connection.set_authorizer(None)
    assert [] == left(path, ["SECRET"])
    with Ledger.open(path) as ledger:
        assert 0 == ledger.redactions_pending
        assert () == ledger.check().problems

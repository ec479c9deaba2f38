"""The ledger's check of its own file: whatever is changed behind its back is found and named."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from qldb_stream.errors import LedgerFileError
from qldb_stream.events import RevisionKind
from qldb_stream.ion import dumps, load_slice, read_struct
from qldb_stream.ledger import Ledger
from qldb_stream.report import LedgerProblem, LedgerReport
from qldb_stream.testing import JournalShape, make_journal
from tests.ledger.support import make_cars, memory, run

Change = Callable[[dict[str, Any]], object]

REDACT = "EXEC REDACT_REVISION ?, ?, ?"


def fill(ledger: Ledger) -> None:
    """Every kind of thing that a ledger stores: 11 blocks, 8 revisions, 4 documents, 3 entries."""
    first, *_ = make_cars(ledger, "A", "B", "C")  # blocks 0 to 4
    run(ledger, "UPDATE Car SET miles = 7 WHERE vin = 'A'")
    run(ledger, "UPDATE Car SET vin = 'D' WHERE vin = 'B'")
    run(ledger, "DELETE FROM Car WHERE vin = 'C'")
    run(ledger, "CREATE TABLE Old")
    run(ledger, "DROP TABLE Old")
    run(ledger, "INSERT INTO Car ?", {"vin": "E", "owner": {"name": "x"}})
    text = "SELECT VALUE tableId FROM information_schema.user_tables WHERE name = 'Car'"
    (table_id,) = run(ledger, text)
    run(ledger, REDACT, {"strandId": ledger.strand_id, "sequenceNo": 2}, table_id, first)


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A ledger's file, closed."""
    path = tmp_path_factory.mktemp("check") / "l.ledger"
    with Ledger.open(path) as ledger:
        fill(ledger)
    return path.read_bytes()


@pytest.fixture
def path(tmp_path: Path, original: bytes) -> Path:
    """A copy of it, to be tampered with."""
    copy = tmp_path / "l.ledger"
    copy.write_bytes(original)
    return copy


def tamper(path: Path, *statements: str) -> None:
    """Change the file behind the ledger's back."""
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


def check(path: Path) -> LedgerReport:
    """What the ledger says of itself, opened to read."""
    with Ledger.open(path, read_only=True) as ledger:
        return ledger.check()


def places(report: LedgerReport) -> set[tuple[str, str | None]]:
    """Where the problems are."""
    return {(problem.place, problem.field) for problem in report.problems}


def test_a_sound_ledger_is_sound(path: Path) -> None:
    """Open to read, open to write, or in memory: no problem, and everything was counted."""
    expected = LedgerReport(blocks=12, revisions=7, documents=4, entries=3)
    assert expected == check(path)
    with Ledger.open(path) as ledger:
        assert expected == ledger.check()
    with memory() as ledger:
        fill(ledger)
        assert (expected, expected) == (ledger.check(), ledger.check())
    assert {
        "ok": True,
        "blocks": 12,
        "revisions": 7,
        "documents": 4,
        "entries": 3,
        "not_checkable": {},
        "problems": [],
        "more_problems": 0,
    } == expected.as_json()


def test_an_empty_ledger_is_sound() -> None:
    """Nothing is wrong where nothing is."""
    with memory() as ledger:
        assert LedgerReport() == ledger.check()


def test_it_tells_how_far_it_is(path: Path) -> None:
    """Blocks, documents, entries: each up to their number."""
    calls: list[tuple[int, int, str]] = []
    with Ledger.open(path) as ledger:
        ledger.check(progress=lambda *call: calls.append(call))
    assert [(n, 12, "blocks") for n in range(1, 13)] == calls[:12]
    assert [(n, 4, "documents") for n in range(1, 5)] == calls[12:16]
    assert [(n, 3, "entries") for n in range(1, 4)] == calls[16:]


def test_it_reads_one_state(path: Path) -> None:
    """What is written while it runs is not looked at, and nobody waits."""
    with Ledger.open(path) as ledger:

        def write(done: int, _total: int, what: str) -> None:
            if done == 1:
                run(ledger, "INSERT INTO Car ?", {"vin": what})
                run(ledger, "UPDATE Car SET miles = 1 WHERE vin = 'A'")

        assert LedgerReport(blocks=12, revisions=7, documents=4, entries=3) == ledger.check(
            progress=write
        )
        assert LedgerReport(blocks=18, revisions=13, documents=7, entries=6) == ledger.check()


RENAMED = "UPDATE setting SET name = 'nome' WHERE name = 'stream_id'"

# One row for each column of each table, and more; what must be among the problems' places.
CASES: list[tuple[str, tuple[str, str | None]]] = [
    ("INSERT INTO setting VALUES ('nome', 'x')", ("setting", "nome")),
    ("UPDATE setting SET value = 'x' WHERE name = 'stream_id'", ("setting", "stream_id")),
    ("UPDATE setting SET value = '?' WHERE name = 'name'", ("setting", "name")),
    ("UPDATE setting SET value = 'x' WHERE name = 'strand_id'", ("block", "blockAddress")),
    ("INSERT INTO setting VALUES ('mirrored', '99')", ("setting", "mirrored")),
    ("UPDATE block SET sequence_no = 99 WHERE sequence_no = 11", ("block", "sequence_no")),
    ("DELETE FROM block WHERE sequence_no = 5", ("block", "sequence_no")),
    ("UPDATE block SET transaction_id = 'x' WHERE sequence_no = 3", ("block", "transaction_id")),
    (
        "UPDATE block SET timestamp_ms = timestamp_ms + 1 WHERE sequence_no = 11",
        ("block", "timestamp_ms"),
    ),
    (
        "UPDATE block SET first_revision_no = 4 WHERE sequence_no = 3",
        ("block", "first_revision_no"),
    ),
    (
        "UPDATE block SET nodes = CAST(x'0102' || substr(nodes, 3) AS BLOB) WHERE sequence_no = 3",
        ("block", "nodes"),
    ),
    ("UPDATE block SET nodes = 5 WHERE sequence_no = 3", ("block", "nodes")),
    ("UPDATE block SET summary = x'e00100ea' WHERE sequence_no = 3", ("block", "summary")),
    (
        (
            "UPDATE block SET summary = (SELECT summary FROM block WHERE sequence_no = 4) "
            "WHERE sequence_no = 3"
        ),
        ("block", "blockAddress"),
    ),
    ("UPDATE block SET catalog = NULL WHERE sequence_no = 0", ("block", "catalog")),
    ("UPDATE block SET catalog = x'e00100ea20' WHERE sequence_no = 0", ("block", "catalog")),
    ("UPDATE block SET catalog = x'00' WHERE sequence_no = 3", ("block", "catalog")),
    ("UPDATE revision SET no = 99 WHERE no = 7", ("revision", "no")),
    ("DELETE FROM revision WHERE no = 3", ("revision", "no")),
    (
        (
            "INSERT INTO revision SELECT 8, sequence_no, table_no, document_id, version, "
            "tx_time_ms, previous_no, hash, data_hash, data FROM revision WHERE no = 7"
        ),
        ("revision", "no"),
    ),
    ("UPDATE revision SET sequence_no = 4 WHERE no = 2", ("revision", "sequence_no")),
    ("UPDATE revision SET table_no = 2 WHERE no = 2", ("revision", "tableInfo.tableId")),
    ("UPDATE revision SET table_no = 77 WHERE no = 2", ("revision", "table_no")),
    ("UPDATE revision SET document_id = 'x' WHERE no = 2", ("revision", "documentId")),
    ("UPDATE revision SET version = 3 WHERE no = 4", ("revision", "REVISION_HASH")),
    ("UPDATE revision SET tx_time_ms = tx_time_ms - 1 WHERE no = 4", ("revision", "REVISION_HASH")),
    ("UPDATE revision SET tx_time_ms = 1 << 60 WHERE no = 4", ("revision", "tx_time_ms")),
    ("UPDATE revision SET previous_no = 2 WHERE no = 4", ("revision", "previous_no")),
    ("UPDATE revision SET previous_no = NULL WHERE no = 4", ("revision", "previous_no")),
    ("UPDATE revision SET previous_no = 99 WHERE no = 4", ("revision", "previous_no")),
    ("UPDATE revision SET hash = zeroblob(32) WHERE no = 2", ("revision", "hash")),
    ("UPDATE revision SET data_hash = zeroblob(32) WHERE no = 1", ("revision", "data")),
    ("UPDATE revision SET data_hash = zeroblob(32) WHERE no = 2", ("revision", "data_hash")),
    ("UPDATE revision SET data = NULL WHERE no = 2", ("revision", "REVISION_HASH")),
    ("UPDATE revision SET data = 'text' WHERE no = 2", ("revision", "data")),
    ("UPDATE revision SET data = x'e0' WHERE no = 2", ("block", "summary")),
    ("UPDATE revision SET data = x'e0' WHERE no = 7", ("entry", "key")),
    ("UPDATE revision SET tx_time_ms = tx_time_ms + 99999999", ("revision", "tx_time_ms")),
    (
        "UPDATE revision SET data = (SELECT data FROM revision WHERE no = 4) WHERE no = 2",
        ("revision", "data"),
    ),
    ("UPDATE document SET table_no = 2 WHERE revision_no = 7", ("revision", "document.id")),
    ("UPDATE document SET id = 'x' WHERE revision_no = 7", ("revision", "document.id")),
    (
        "UPDATE document SET revision_no = 1 WHERE revision_no = 4",
        ("revision", "document.revision_no"),
    ),
    ("UPDATE document SET revision_no = 99 WHERE revision_no = 4", ("document", "revision_no")),
    ("UPDATE document SET revision_no = 7 WHERE revision_no = 4", ("document", "revision_no")),
    ("DELETE FROM document WHERE revision_no = 7", ("document", "revision_no")),
    ("INSERT INTO document VALUES (1, 'new', 2)", ("document", "revision_no")),
    (
        "UPDATE entry SET index_no = 9 WHERE document_id = (SELECT max(document_id) FROM entry)",
        ("entry", "index_no"),
    ),
    (
        (
            "UPDATE entry SET key = zeroblob(16) "
            "WHERE document_id = (SELECT max(document_id) FROM entry)"
        ),
        ("entry", "key"),
    ),
    (
        (
            "UPDATE entry SET document_id = 'x' "
            "WHERE document_id = (SELECT max(document_id) FROM entry)"
        ),
        ("entry", "document_id"),
    ),
    ("DELETE FROM entry", ("entry", "key")),
    ("INSERT INTO entry SELECT index_no, x'00', document_id FROM entry", ("entry", "key")),
    ("UPDATE catalog_table SET no = 77 WHERE no = 1", ("revision", "table_no")),
    ("UPDATE catalog_table SET id = 'x' WHERE no = 2", ("catalog_table", "id")),
    ("UPDATE catalog_table SET name = 'New' WHERE no = 2", ("catalog_table", "name")),
    ("UPDATE catalog_table SET active = 1 WHERE no = 2", ("catalog_table", "active")),
    ("DELETE FROM catalog_table WHERE no = 2", ("catalog_table", "id")),
    ("INSERT INTO catalog_table VALUES (3, 'x', 'X', 1)", ("catalog_table", "id")),
    ("UPDATE catalog_index SET no = 5", ("entry", "index_no")),
    ("UPDATE catalog_index SET id = 'x'", ("catalog_index", None)),
    ("UPDATE catalog_index SET table_no = 2", ("catalog_index", None)),
    ("UPDATE catalog_index SET field = 'miles'", ("catalog_index", None)),
    ("DELETE FROM catalog_index", ("catalog_index", None)),
]


@pytest.mark.parametrize(("statement", "expected"), CASES)
def test_what_is_tampered_with_is_found(
    path: Path, statement: str, expected: tuple[str, str | None]
) -> None:
    """A change to any column of any table is found where it was made."""
    tamper(path, statement)
    report = check(path)
    assert not report.ok
    assert expected in places(report)


def test_every_column_is_among_the_cases(path: Path) -> None:
    """No column was forgotten."""
    connection = sqlite3.connect(path)
    columns = connection.execute(
        "SELECT m.name, c.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c "
        "WHERE m.type = 'table'"
    ).fetchall()
    connection.close()
    changed = {tuple(statement.split()[1:4:2]) for statement, _ in CASES if "SET" in statement}
    assert set(columns) == changed | {tuple(RENAMED.split()[1:4:2])}


def test_a_problem_names_block_document_table_and_index(path: Path) -> None:
    """As far as they are known."""
    tamper(path, "DELETE FROM entry")
    first = check(path).problems[0]
    assert ("Car", "vin", None) == (first.table, first.index, first.sequence_no)
    assert first.document_id is not None
    tamper(path, "UPDATE revision SET data = (SELECT data FROM revision WHERE no = 4) WHERE no = 2")
    named = [one for one in check(path).problems if one.place == "revision"]
    assert [("Car", 3)] == [(one.table, one.sequence_no) for one in named]
    assert "DELETE" not in str(named[0].as_json())


def test_a_time_that_no_client_can_verify_is_found(path: Path) -> None:
    """The first entry proves blockTimestamp, which AWS's verification does not cover."""
    connection = sqlite3.connect(path)
    (summary,) = connection.execute("SELECT summary FROM block WHERE sequence_no = 11").fetchone()
    (other,) = connection.execute("SELECT summary FROM block WHERE sequence_no = 10").fetchone()
    fields = {**read_struct(load_slice(summary))}
    fields["blockTimestamp"] = read_struct(load_slice(other))["blockTimestamp"]
    fields["transactionId"] = read_struct(load_slice(other))["transactionId"]
    connection.execute(
        (
            "UPDATE block SET summary = ?, timestamp_ms = (SELECT timestamp_ms FROM block WHERE "
            "sequence_no = 10), transaction_id = (SELECT transaction_id FROM block WHERE "
            "sequence_no = 10) WHERE sequence_no = 11"
        ),
        (dumps(fields),),
    )
    connection.commit()
    connection.close()
    assert {("block", "entriesHashList[0]")} == places(check(path))


def test_an_erasure_without_a_block_is_found(path: Path) -> None:
    """Data that was exchanged for its true hash verifies, but no block asks for that."""
    connection = sqlite3.connect(path)
    (data,) = connection.execute("SELECT data FROM revision WHERE no = 2").fetchone()
    row = (load_slice(data).hash(),)
    connection.execute("UPDATE revision SET data = NULL, data_hash = ? WHERE no = 2", row)
    connection.commit()
    connection.close()
    (problem,) = check(path).problems
    assert ("revision", "data_hash", 3, "Car") == (
        problem.place,
        problem.field,
        problem.sequence_no,
        problem.table,
    )


def test_an_erasure_that_was_undone_is_found(path: Path, original: bytes) -> None:
    """Redacted data that somebody has kept and puts back verifies, but a block redacts it."""
    connection = sqlite3.connect(path)
    data = dumps({"vin": "A", "miles": 0})
    connection.execute("UPDATE revision SET data = ?, data_hash = NULL WHERE no = 1", (data,))
    connection.commit()
    connection.close()
    assert {("revision", "data")} == places(check(path))


def change_summary(path: Path, sequence_no: int, change: Change) -> None:
    """Change the fields of a block's summary."""
    connection = sqlite3.connect(path)
    where = (sequence_no,)
    (summary,) = connection.execute(
        "SELECT summary FROM block WHERE sequence_no = ?", where
    ).fetchone()
    fields = {**read_struct(load_slice(summary))}
    change(fields)
    row = (dumps(fields), sequence_no)
    connection.execute("UPDATE block SET summary = ? WHERE sequence_no = ?", row)
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    ("expected", "change"),
    [
        ("summary", lambda fields: fields.pop("transactionInfo")),
        ("summary", lambda fields: fields.update(more=1)),
        ("entriesHashList", lambda fields: fields.update(entriesHashList=[bytes(32)])),
        ("nodes", lambda fields: fields.update(blockHash=bytes(32))),
        ("BLOCK_HASH", lambda fields: fields.update(blockHash=b"short")),
        ("entriesHashList", lambda fields: fields.pop("redactionInfo")),
    ],
)
def test_a_summary_that_was_changed_is_found(path: Path, expected: str, change: Change) -> None:
    """Fields that are missing, new or of other values."""
    change_summary(path, 11, change)
    assert ("block", expected) in places(check(path))


def test_what_sqlite_finds_is_told(path: Path) -> None:
    """Its own check of the file comes first."""
    tamper(
        path,
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_schema SET sql = replace(sql, 'catalog BLOB', 'catalog BLOB NOT NULL') "
        "WHERE name = 'block'",
        "PRAGMA schema_version = 99",
    )
    first = check(path).problems[0]
    assert ("file", "SQLite says: NULL value in block.catalog") == (
        first.place,
        first.message,
    )


def test_revisions_that_were_stripped_are_found(tmp_path: Path) -> None:
    """Without revisionSummaries the second entry does not fit, whatever else was rewritten."""
    path = tmp_path / "l.ledger"
    with Ledger.open(path) as ledger:
        run(ledger, "CREATE TABLE T")
        run(ledger, "INSERT INTO T ?", {"a": 1})
    connection = sqlite3.connect(path)
    (summary,) = connection.execute("SELECT summary FROM block WHERE sequence_no = 1").fetchone()
    fields = {**read_struct(load_slice(summary))}
    del fields["revisionSummaries"]
    connection.execute("UPDATE block SET summary = ? WHERE sequence_no = 1", (dumps(fields),))
    connection.execute("DELETE FROM revision")
    connection.execute("DELETE FROM document")
    connection.commit()
    connection.close()
    assert ("block", "revisionSummaries") in places(check(path))


def test_problems_are_bounded(tmp_path: Path) -> None:
    """The first thousand are named, the others counted."""
    path = tmp_path / "l.ledger"
    with Ledger.open(path) as ledger:
        run(ledger, "CREATE TABLE T")
        with ledger.group_commit():
            for _ in range(30):
                run(ledger, "INSERT INTO T ?", [{"a": n} for n in range(40)])
    tamper(path, "UPDATE revision SET tx_time_ms = -1")
    report = check(path)
    assert (1000, True) == (len(report.problems), report.more_problems > 200)


def test_a_file_that_sqlite_cannot_read(path: Path) -> None:
    """Damaged pages are told by SQLite, as a problem or as an error, never as a crash."""
    data = bytearray(path.read_bytes())
    at = data.index(b"CREATE TABLE revision")
    data[at : at + 6] = b"CRAATE"
    path.write_bytes(bytes(data))
    with pytest.raises(LedgerFileError):
        check(path)
    tamper_page = bytearray(data)
    tamper_page[at : at + 6] = b"CREATE"
    tamper_page[4096 * 2 : 4096 * 2 + 64] = bytes(64)
    path.write_bytes(bytes(tamper_page))
    with suppress(LedgerFileError):  # where the page is one that opening needs
        assert ("file", None) in places(check(path))


def test_settings_that_are_missing(path: Path) -> None:
    """The ledger says so when it is opened."""
    tamper(path, RENAMED)
    with pytest.raises(LedgerFileError, match="damaged: it has no stream_id"):
        Ledger.open(path)


def test_a_report_names_what_it_knows() -> None:
    """As a JSON object, with null for the rest."""
    problem = LedgerProblem("block", "wrong", "nodes", sequence_no=3)
    assert {
        "place": "block",
        "message": "wrong",
        "field": "nodes",
        "sequence_no": 3,
        "document_id": None,
        "table": None,
        "index": None,
    } == problem.as_json()


def test_a_mirror_is_checked_as_far_as_it_can_be() -> None:
    """Its source's opaque entries and table definitions are not checkable, all else is."""
    journal = make_journal(3, blocks=20)
    with memory() as ledger:
        for block in journal:
            ledger.mirror(block)
        make_cars(ledger, "A")
        report = ledger.check()
    assert () == report.problems
    assert 23 == report.blocks
    reasons = " ".join(report.not_checkable)
    assert "opaque entries of a mirrored block" in reasons
    assert "a table of a mirror" in reasons


def test_a_mirror_accounts_for_its_redactions() -> None:
    """What its source redacted is asked for by a block, or cannot be checked."""
    journal = list(make_journal(3, blocks=30, shape=JournalShape(redactions=0.5, erased=True)))
    asking = [one.address.sequence_no for one in journal if one.summary.redaction_info is not None]
    redacted = sum(r.kind is RevisionKind.REDACTED for block in journal for r in block.revisions)
    with memory() as ledger:
        for block in journal[: asking[-1]]:
            ledger.mirror(block)
        before = ledger.check()
        for block in journal[asking[-1] :]:
            ledger.mirror(block)
        after = ledger.check()
    assert 1 < redacted
    assert (True, True) == (before.ok, after.ok)
    assert [1] == [n for reason, n in before.not_checkable.items() if "redacted" in reason]
    assert "redacted" not in " ".join(after.not_checkable)


def test_a_mirror_of_a_ledger_proves_its_headers() -> None:
    """A mirrored block that one of our ledgers made has the entries that we can recompute."""
    with memory() as source, memory() as ledger:
        fill(source)
        for block in source.blocks():
            ledger.mirror(block)
        assert () == ledger.check().problems
        assert "opaque" not in " ".join(ledger.check().not_checkable)

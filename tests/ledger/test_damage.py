"""A damaged ledger file: every way in answers with errors of this package, which name it."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from qldb_stream.errors import LedgerFileError, QldbStreamError
from qldb_stream.ledger import Ledger
from qldb_stream.reconcile import compare_ledgers
from tests.ledger.support import run
from tests.ledger.test_check import fill, tamper

Way = Callable[[Ledger], object]


class Nowhere:
    """A bucket that keeps nothing."""

    bucket = "nowhere"

    def put(self, key: str, data: bytes) -> None:
        """Forget the object."""


def read_blocks(ledger: Ledger) -> None:
    """Read every block, every revision and every document in it."""
    for block in ledger.blocks():
        for revision in block.revisions:
            with suppress(QldbStreamError):
                assert revision.data is not revision


def prove(ledger: Ledger) -> None:
    """Ask for digest, block and revision with their proofs."""
    tip = ledger.digest().tip.sequence_no
    for number in range(min(tip + 1, 14)):
        with suppress(QldbStreamError):
            ledger.block(number, tip=tip)
            ledger.digest(number)
        for row in run(ledger, "SELECT VALUE metadata.id FROM history(Car)"):
            with suppress(QldbStreamError):
                ledger.revision(number, row, tip=tip)


def ask(*texts: str) -> Way:
    """Run statements, one after another, each alone."""

    def way(ledger: Ledger) -> None:
        for text in texts:
            with suppress(QldbStreamError):
                run(ledger, text)

    return way


READING: list[Way] = [
    read_blocks,
    lambda ledger: list(ledger.stream_records()),
    lambda ledger: list(ledger.stream_records(aggregated=False)),
    lambda ledger: ledger.export(Nowhere()),
    lambda ledger: ledger.export(Nowhere(), output_format="json"),
    prove,
    lambda ledger: compare_ledgers(ledger.blocks(), ledger),
    ask(
        "SELECT * FROM Car",
        "SELECT vin FROM Car WHERE miles >= 0",
        "SELECT * FROM Car WHERE vin = 'A'",
        "SELECT * FROM _ql_committed_Car",
        "SELECT * FROM history(Car)",
        "SELECT * FROM history(Car, `2000-01-01T`) AS h WHERE h.metadata.version = 0",
        "SELECT a.vin FROM Car AS a, Car AS b WHERE a.vin = b.vin",
        "SELECT COUNT(*) FROM Car AS c WHERE c.owner.name = 'x'",
        "SELECT * FROM information_schema.user_tables",
    ),
]
WRITING: list[Way] = [
    ask(
        "UPDATE Car SET miles = 9",
        "UPDATE Car SET vin = 'Z' WHERE vin = 'A'",
        "INSERT INTO Car {'vin': 'N'}",
        "DELETE FROM Car WHERE vin = 'A'",
        "CREATE TABLE Another",
        "CREATE INDEX ON Car (miles)",
        "INSERT INTO Car {'vin': 'N'}",
        "DROP TABLE Car",
    ),
]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a ledger with everything in it."""
    path = tmp_path_factory.mktemp("damage") / "l.ledger"
    with Ledger.open(path) as ledger:
        fill(ledger)
    return path.read_bytes()


def try_everything(path: Path) -> list[QldbStreamError]:
    """Go every way into a file; give what was raised."""
    raised: list[QldbStreamError] = []
    for way in [*READING, Ledger.check]:
        try:
            with Ledger.open(path, read_only=True) as ledger:
                way(ledger)
        except QldbStreamError as exc:
            raised.append(exc)
    for way in [*WRITING, *READING]:
        try:
            with Ledger.open(path) as ledger:
                way(ledger)
        except QldbStreamError as exc:
            raised.append(exc)
    for error in raised:
        if isinstance(error, LedgerFileError):
            assert str(path) in str(error)
    return raised


def flip(data: bytearray, chance: random.Random) -> None:
    """Turn a few bits."""
    for _ in range(chance.randint(1, 8)):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def zero(data: bytearray, chance: random.Random) -> None:
    """Zero a run of bytes."""
    start = chance.randrange(len(data))
    length = min(chance.choice([4, 60, 700, 4096]), len(data) - start)
    data[start : start + length] = bytes(length)


def cut(data: bytearray, chance: random.Random) -> None:
    """Cut the end off."""
    del data[chance.randrange(len(data)) :]


@pytest.mark.parametrize("damage", [flip, zero, cut])
@pytest.mark.parametrize("seed", range(3))
def test_damaged_bytes(
    tmp_path: Path, sound: bytes, damage: Callable[[bytearray, random.Random], None], seed: int
) -> None:
    """Whatever happened to the file's bytes, nothing but this package's errors is raised."""
    chance = random.Random(f"{damage.__name__} {seed}")
    data = bytearray(sound)
    damage(data, chance)
    path = tmp_path / "l.ledger"
    path.write_bytes(data)
    try_everything(path)


COLUMNS = [
    *("block.sequence_no", "block.transaction_id", "block.timestamp_ms", "block.nodes"),
    *("block.first_revision_no", "block.summary", "block.catalog", "setting.value"),
    *("revision.sequence_no", "revision.table_no", "revision.document_id", "revision.version"),
    *("revision.tx_time_ms", "revision.previous_no", "revision.hash", "revision.data_hash"),
    *("revision.data", "document.table_no", "document.id", "document.revision_no"),
    *("entry.index_no", "entry.key", "entry.document_id", "catalog_table.id"),
    *("catalog_table.name", "catalog_table.active", "catalog_index.id", "catalog_index.field"),
    *("catalog_index.table_no", "revision.no", "catalog_table.no", "catalog_index.no"),
    "setting.name",
]
VALUES = [
    *("-1", "0", "3", "9223372036854775807", "-9223372036854775808", "1.5", "''", "x''"),
    *("'text'", "x'00ff'", "x'e00100ea'", "x'e00100ea0f'", "x'e00100ead0'", "x'e00100eade8a81'"),
    *("CAST(x'ff' AS TEXT)", "NULL", "zeroblob(32)", "x'e00100eabe9f'"),
]


def edits() -> Iterator[str]:
    """Give statements that put each value where each column has its own."""
    for column in COLUMNS:
        table, _, name = column.partition(".")
        for value in VALUES:
            one = f"SELECT min({name}) FROM {table}"
            yield f"UPDATE OR REPLACE {table} SET {name} = {value} WHERE {name} = ({one})"
    for table in ("block", "revision", "document", "entry", "setting", "catalog_table"):
        yield f"DELETE FROM {table}"
        yield f"DROP TABLE {table}"
    yield "DELETE FROM block WHERE sequence_no = 3"
    yield "DELETE FROM revision WHERE no = 2"
    yield "UPDATE revision SET previous_no = no"
    yield "UPDATE block SET summary = (SELECT data FROM revision WHERE data IS NOT NULL LIMIT 1)"


@pytest.mark.parametrize("part", range(4))
def test_edited_columns(tmp_path: Path, sound: bytes, part: int) -> None:
    """Whatever somebody wrote into a column, nothing but this package's errors is raised."""
    path = tmp_path / "l.ledger"
    chance = random.Random(part)
    for statement in chance.sample(sorted(edits()), 12):
        path.write_bytes(sound)
        with suppress(sqlite3.Error):
            tamper(path, statement)
        try:
            try_everything(path)
        except Exception as exc:
            exc.add_note(statement)
            raise


@pytest.mark.parametrize(
    ("edit", "way", "place"),
    [
        ("UPDATE block SET summary = x'e00100ead0' WHERE sequence_no = 3", read_blocks, "block 3"),
        ("UPDATE block SET summary = x'00' WHERE sequence_no = 3", READING[1], "block 3"),
        ("UPDATE block SET summary = 7 WHERE sequence_no = 3", READING[3], "block 3"),
        ("DELETE FROM block WHERE sequence_no = 3", read_blocks, "block 3"),
        ("UPDATE block SET nodes = 'text' WHERE sequence_no = 11", Ledger.digest, "block 11"),
        ("UPDATE revision SET data = x'00' WHERE no = 2", read_blocks, "block 3"),
        ("UPDATE revision SET version = -1 WHERE no = 2", READING[1], "revision 2"),
        ("DELETE FROM setting WHERE name = 'name'", read_blocks, "no name"),
        ("UPDATE catalog_table SET name = x'ff'", read_blocks, "table 1"),
        ("DROP TABLE revision", read_blocks, "damaged"),
    ],
)
def test_the_place_is_named(tmp_path: Path, sound: bytes, edit: str, way: Way, place: str) -> None:
    """The error says which file and where in it, what to run and what to do."""
    path = tmp_path / "l.ledger"
    path.write_bytes(sound)
    tamper(path, edit)
    with pytest.raises(LedgerFileError) as caught, Ledger.open(path, read_only=True) as ledger:
        way(ledger)
    assert str(path) == caught.value.path
    assert place in caught.value.problem


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM Car",
        "SELECT vin FROM Car WHERE miles >= 0",
        "SELECT * FROM history(Car)",
        "UPDATE Car SET miles = 9",
    ],
)
def test_the_document_is_named(tmp_path: Path, sound: bytes, statement: str) -> None:
    """A statement that meets a damaged document names it, and the block that wrote it."""
    path = tmp_path / "l.ledger"
    path.write_bytes(sound)
    with Ledger.open(path) as ledger:
        ((document_id, block),) = [
            (row["id"], row["block"])
            for row in run(
                ledger,
                "SELECT metadata.id AS id, blockAddress.sequenceNo AS block "
                "FROM _ql_committed_Car WHERE data.vin = 'A'",
            )
        ]
    # A struct that says it goes on beyond the end of what is stored.
    where = f"document_id = '{document_id}' AND data IS NOT NULL"
    tamper(path, f"UPDATE revision SET data = x'e00100ead48a81' WHERE {where}")
    with Ledger.open(path) as ledger, pytest.raises(LedgerFileError) as caught:
        run(ledger, statement)
    assert f"document {document_id} of block {block} is damaged" in caught.value.problem
    assert "ledger check" in caught.value.problem


def test_ids_that_do_not_rise_end(tmp_path: Path) -> None:
    """A walk over documents whose ids lead back ends with an error, not never."""
    path = tmp_path / "l.ledger"
    with Ledger.open(path) as ledger:
        run(ledger, "CREATE TABLE T")
        run(ledger, "INSERT INTO T ?", [{"n": n} for n in range(500)])
    tamper(path, "UPDATE revision SET document_id = '0'", "UPDATE revision SET previous_no = no")
    with Ledger.open(path, read_only=True) as ledger:
        with pytest.raises(LedgerFileError, match="is damaged"):
            run(ledger, "SELECT * FROM T")
        assert [] != run(ledger, "SELECT * FROM history(T)")


@pytest.mark.parametrize("read_only", [False, True])
def test_a_closed_ledger_says_so(tmp_path: Path, sound: bytes, *, read_only: bool) -> None:
    """Whatever was begun before a ledger was closed ends with the ledger's own error."""
    path = tmp_path / "l.ledger"
    path.write_bytes(sound)
    ledger = Ledger.open(path, read_only=read_only)
    begun = [ledger.blocks(), ledger.stream_records(), ledger.stream_parts(), ledger.blocks(3)]
    for iterator in begun[:3]:
        next(iterator)
    transaction = ledger.start_transaction()
    ledger.close()
    for iterator in begun:
        with pytest.raises(LedgerFileError, match="it is closed"):
            list(iterator)
    with pytest.raises(LedgerFileError, match="it is closed"):
        transaction.execute_statement("SELECT * FROM Car")
    with pytest.raises(LedgerFileError, match="it is closed"):
        next(ledger.blocks())

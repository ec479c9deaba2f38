"""A ledger file of version 1 is brought up to date when it is opened to write."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from qldb_stream.errors import LedgerFileError
from qldb_stream.ledger import Ledger
from qldb_stream.partiql import index_key
from tests.ledger.support import check_journal, make_cars, run

# Of version 1, what was different: the key of an entry was the key itself.
ENTRY_1 = """
DROP TABLE entry;
CREATE TABLE entry (
    index_no INTEGER NOT NULL,
    key BLOB NOT NULL,
    document_id TEXT NOT NULL,
    PRIMARY KEY (index_no, key, document_id)
) WITHOUT ROWID;
"""

VINS = [f"VALUE-{number:04d}" for number in range(300)]


def make_version_1(path: Path) -> None:
    """A ledger as version 1 left it: the same tables, its own user_version, plain keys."""
    with Ledger.open(path) as ledger:
        ids = make_cars(ledger, *VINS)
    connection = sqlite3.connect(path)
    connection.executescript(ENTRY_1)
    rows = [(1, index_key(vin), document_id) for vin, document_id in zip(VINS, ids, strict=True)]
    connection.executemany("INSERT INTO entry VALUES (?, ?, ?)", rows)
    connection.execute("PRAGMA user_version = 1")
    connection.commit()
    connection.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of version 1."""
    made = tmp_path / "old.ledger"
    make_version_1(made)
    return made


def test_an_old_file_is_brought_up_to_date(path: Path) -> None:
    """Its index finds what it found, is kept up, and holds no value any more."""
    with Ledger.open(path) as ledger:
        for vin in (VINS[0], VINS[299]):
            assert [vin] == run(ledger, "SELECT VALUE vin FROM Car WHERE vin = ?", vin)
        run(ledger, "UPDATE Car SET vin = 'new' WHERE vin = ?", VINS[7])
        assert [] == run(ledger, "SELECT VALUE vin FROM Car WHERE vin = ?", VINS[7])
        assert [0] == run(ledger, "SELECT VALUE miles FROM Car WHERE vin = 'new'")
        assert 303 == check_journal(ledger)
    assert 1 == path.read_bytes().count(VINS[8].encode())  # in the document, not in the index
    connection = sqlite3.connect(path)
    assert [(2,)] == connection.execute("PRAGMA user_version").fetchall()
    assert [(16,)] == connection.execute("SELECT DISTINCT length(key) FROM entry").fetchall()
    connection.close()


def test_a_reader_does_not_migrate(path: Path) -> None:
    """It says what to do; afterwards it reads."""
    with pytest.raises(
        LedgerFileError, match="version 1, this package reads 2; open it to write once"
    ):
        Ledger.open(path, read_only=True)
    Ledger.open(path).close()
    with Ledger.open(path, read_only=True) as ledger:
        assert [VINS[0]] == run(ledger, "SELECT VALUE vin FROM Car WHERE vin = ?", VINS[0])


def test_a_migration_that_fails_leaves_the_file(path: Path) -> None:
    """Nothing has changed, and it can be tried again."""
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE entry_2 (x)")  # in the migration's way
    with pytest.raises(LedgerFileError, match="already exists"):
        Ledger.open(path)
    assert [(1,)] == connection.execute("PRAGMA user_version").fetchall()
    assert [(300,)] == connection.execute("SELECT count(*) FROM entry").fetchall()
    connection.execute("DROP TABLE entry_2")
    connection.close()
    with Ledger.open(path) as ledger:
        assert 302 == check_journal(ledger)

"""What is wrong with a ledger file is said in the ledger's words, SQLite's are the cause."""

from __future__ import annotations

import re
import shutil
import sqlite3
from pathlib import Path

import pytest

from qldb_stream.errors import LedgerFileError
from qldb_stream.ledger import Ledger
from qldb_stream.ledger._problems import file_error, translated
from tests.ledger.support import make_cars, run

JARGON = re.compile(
    "database|SQLite|malformed|constraint|I/O|readonly|NOTADB|_[A-Z]", re.IGNORECASE
)
CODES = [
    value
    for name, value in sorted(vars(sqlite3).items())
    if re.fullmatch(r"SQLITE_(CORRUPT|BUSY|LOCKED|IOERR|FULL|CANTOPEN|READONLY|NOTADB).*", name)
]


def error_of(code: int, text: str = "disk I/O error") -> sqlite3.Error:
    """An error as SQLite's module raises it."""
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize("code", [*CODES, sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_TOOBIG])
def test_no_jargon(code: int) -> None:
    """Whatever SQLite answers, the sentence has none of its words, and says what to do."""
    said = file_error("my.ledger", error_of(code))

    assert str(said).startswith("ledger my.ledger: ")
    assert None is JARGON.search(said.problem)
    assert ";" in said.problem


def test_an_unknown_code_is_not_hidden() -> None:
    """What nobody foresaw is told in SQLite's own words, for whoever has to look it up."""
    said = file_error("my.ledger", error_of(sqlite3.SQLITE_NOLFS, "large file support"))

    assert "large file support" in said.problem


def test_a_moved_file_is_told_from_one_that_may_not_be_written() -> None:
    """Where a code says more than its kind, so does the sentence."""
    moved = file_error("x", error_of(sqlite3.SQLITE_READONLY_DBMOVED))
    read_only = file_error("x", error_of(sqlite3.SQLITE_READONLY))

    assert "moved or removed" in moved.problem
    assert "may be written" in read_only.problem


def test_a_closed_connection() -> None:
    """A connection that somebody closed is a ledger that is closed."""
    connection = sqlite3.connect(":memory:")
    connection.close()
    with pytest.raises(LedgerFileError) as caught, translated("x"):
        connection.execute("SELECT 1")
    assert LedgerFileError("x", "it is closed") == caught.value


@pytest.mark.parametrize("read_only", [False, True])
def test_another_kind_of_file(tmp_path: Path, *, read_only: bool) -> None:
    """A file that is no ledger is told so, where and what was expected; the cause is kept."""
    path = tmp_path / "photo"
    path.write_bytes(b"\x89PNG" * 1000)
    with pytest.raises(LedgerFileError) as caught:
        Ledger.open(path, read_only=read_only)

    assert f"ledger {path}: expected a ledger file, found a file of another kind; " in (
        f"{caught.value}"
    )
    assert isinstance(caught.value.__cause__, sqlite3.DatabaseError)


def test_a_file_that_another_program_locks(tmp_path: Path) -> None:
    """A lock that another program took on the file itself is told as one."""
    path = tmp_path / "cars.ledger"
    with Ledger.open(path) as ledger:
        make_cars(ledger, "A")
        ledger._journal.store.connection.execute("PRAGMA busy_timeout = 0")  # noqa: SLF001 - no waiting
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerFileError, match="another program keeps the file locked"):
            run(ledger, "CREATE TABLE Van")
        other.close()
        run(ledger, "CREATE TABLE Van")


def test_a_truncated_file(tmp_path: Path) -> None:
    """A file that was cut off is damaged, and what to do is said."""
    path = tmp_path / "cars.ledger"
    with Ledger.open(path) as ledger:
        make_cars(ledger, *(f"V{number}" for number in range(200)))
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    with pytest.raises(LedgerFileError, match="take up a copy of it"), Ledger.open(path) as ledger:
        list(ledger.blocks())


@pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_CANTOPEN])
def test_a_full_disk_is_called_so(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """Where SQLite only says that a file could not be made or lengthened, the disk is asked."""
    full = shutil.disk_usage("/")._replace(free=4096)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    assert "the disk is full" in file_error("x", error_of(code)).problem
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full._replace(free=1 << 30))
    assert "the disk is full" not in file_error("x", error_of(code)).problem


def test_text_that_is_stored_is_not_quoted() -> None:
    """What Python's module says of text that is no UTF-8 has the text in it; ours has not."""
    error = sqlite3.OperationalError("Could not decode to UTF-8 column 'data' with text 'secret'")
    assert "damaged" in file_error("x", error).problem
    assert "secret" not in str(file_error("x", error))

"""The file: made, reopened, refused, read beside its writer."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from qldb_stream.errors import LedgerFileError, UsageError
from qldb_stream.ledger import Ledger
from tests.ledger import published
from tests.ledger.support import ask, check_journal, make_cars, run

READER = """
import sys
from qldb_stream.ledger import Ledger
with Ledger.open(sys.argv[1], read_only=True) as ledger:
    rows = ledger.driver().execute_lambda(lambda txn: txn.execute_statement(sys.argv[2]))
    print(ledger.digest().tip.sequence_no, sorted(rows))
"""


def read_elsewhere(path: Path, text: str) -> str:
    """What another process reads."""
    command = [sys.executable, "-c", READER, str(path), text]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a ledger may be made; its name has what a URI would mistake."""
    return tmp_path / "my 100% ?ledger#.ledger"


def test_a_ledger_goes_on_where_it_ended(path: Path) -> None:
    """Reopened, it has its tables, documents, ids, digest, and continues its chain."""
    with Ledger.open(path, name="cars") as ledger:
        make_cars(ledger, "A", "B", "C")
        digest, strand_id = ledger.digest(), ledger.strand_id
    with Ledger.open(path) as ledger:
        assert (digest, strand_id, "cars") == (ledger.digest(), ledger.strand_id, ledger.name)
        run(ledger, "UPDATE Car SET miles = 5 WHERE vin = 'B'")
        run(ledger, "CREATE TABLE Bike")
        run(ledger, "CREATE INDEX ON Bike (x)")
        run(ledger, "INSERT INTO Bike ?", {"x": 1})
        assert [5] == run(ledger, "SELECT VALUE c.miles FROM Car AS c WHERE c.vin = 'B'")
        assert 9 == check_journal(ledger)
        published.check_journal(ledger.stream_records(aggregated=False))


def test_every_number_of_blocks_reopens(path: Path) -> None:
    """Whatever the Merkle tree's shape, the digest is the same before and after."""
    for count in range(1, 20):
        with Ledger.open(path) as ledger:
            run(ledger, f"CREATE TABLE t{count}")
            digest = ledger.digest()
        with Ledger.open(path, read_only=True) as ledger:
            assert digest == ledger.digest()
            assert count == check_journal(ledger)


def test_a_name_is_checked(path: Path) -> None:
    """A ledger opened under another's name is refused."""
    Ledger.open(path, name="cars").close()
    Ledger.open(path, name="cars").close()
    with pytest.raises(UsageError, match="holds the ledger 'cars', not 'bikes'"):
        Ledger.open(path, name="bikes")
    Ledger.open(path).close()


def test_a_second_writer_is_refused(path: Path) -> None:
    """In this process or another; after closing it may come."""
    with Ledger.open(path):
        with pytest.raises(LedgerFileError, match="another writer has it open"):
            Ledger.open(path)
        code = "import sys; from qldb_stream.ledger import Ledger; Ledger.open(sys.argv[1])"
        command = [sys.executable, "-c", code, str(path)]
        other = subprocess.run(command, check=False, capture_output=True, text=True)
        assert "another writer has it open" in other.stderr
    Ledger.open(path).close()


def test_a_second_writer_is_refused_under_every_name(path: Path) -> None:
    """Through a symlink it is the same file, whichever name came first."""
    link = path.with_name("link.ledger")
    link.symlink_to(path.name)
    for first, second in ((link, path), (path, link)):
        with Ledger.open(first) as ledger:
            with pytest.raises(LedgerFileError, match="another writer has it open"):
                Ledger.open(second)
            run(ledger, "CREATE TABLE T" if first == link else "DROP TABLE T")
    assert not link.with_name("link.ledger-writer").exists()


def test_a_closed_ledger_is_one_file(path: Path) -> None:
    """What stands beside a ledger is there while it is open alone, killed writers' too."""
    code = (
        "import os, signal, sys; from qldb_stream.ledger import Ledger; "
        "ledger = Ledger.open(sys.argv[1]); os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert -9 == killed.returncode
    with Ledger.open(path) as ledger:
        make_cars(ledger, "A")
        assert path.with_name(f"{path.name}-writer").exists()
    assert [path.name] == list(contents_of(path.parent))


@pytest.mark.parametrize("is_there", [False, True])
def test_a_new_ledger_can_be_discarded(path: Path, *, is_there: bool) -> None:
    """Then its path holds what it held before: nothing, or an empty file."""
    if is_there:
        path.touch()
    before = contents_of(path.parent)
    ledger = Ledger.open(path)
    make_cars(ledger, "A")
    assert ledger.is_new
    ledger.discard()
    ledger.close()
    assert before == contents_of(path.parent)


def test_a_new_ledger_that_somebody_reads_stays(path: Path) -> None:
    """A reader loses nothing when the writer discards the ledger."""
    ledger = Ledger.open(path)
    make_cars(ledger, "A")
    with Ledger.open(path, read_only=True) as reader:
        ledger.discard()
        assert ["A"] == run(reader, "SELECT VALUE vin FROM Car")
    assert path.exists()


def test_an_old_ledger_cannot_be_discarded(path: Path) -> None:
    """What was there before it was opened is not thrown away."""
    Ledger.open(path).close()
    with Ledger.open(path) as ledger:
        assert not ledger.is_new
        with pytest.raises(UsageError, match="was there before it was opened"):
            ledger.discard()
        make_cars(ledger, "A")


def test_a_refusal_leaves_no_trace(tmp_path: Path) -> None:
    """Whatever cannot be opened to write, nothing is made beside it or changed in it."""
    (tmp_path / "text").write_text("no ledger " * 500)
    database = sqlite3.connect(tmp_path / "other")
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("CREATE TABLE t (x)")
    database.close()
    Ledger.open(tmp_path / "named", name="cars").close()
    before = contents_of(tmp_path)
    for name in before:
        with pytest.raises((LedgerFileError, UsageError)):
            Ledger.open(tmp_path / name, name="bikes")
    with pytest.raises(LedgerFileError, match=r"nothing can be made in its folder \(No such"):
        Ledger.open(tmp_path / "no" / "such")
    assert before == contents_of(tmp_path)


def test_a_stale_writer_overwrites_no_table(path: Path) -> None:
    """A writer that came past the lock fails; what the other wrote stays, and verifies."""
    with Ledger.open(path) as ledger:
        path.with_name(f"{path.name}-writer").unlink()  # the lock is lost with its file
        with Ledger.open(path) as stale:
            make_cars(ledger, "A")
            run(ledger, "CREATE TABLE Van")
            # First the block's number is taken; then, with the file read again, the table's.
            for _ in range(2):
                with pytest.raises(LedgerFileError, match="another writer has written"):
                    run(stale, "CREATE TABLE Bike")
    with Ledger.open(path) as ledger:
        names = run(ledger, "SELECT VALUE name FROM information_schema.user_tables")
        assert ["Car", "Van"] == sorted(names)
        assert ["A"] == run(ledger, "SELECT VALUE vin FROM Car")
        assert 4 == check_journal(ledger)


def test_another_process_reads_what_is_committed(path: Path) -> None:
    """While the writer has it open, and after."""
    text = "SELECT VALUE c.vin FROM Car AS c WHERE c.vin IN ('A', 'B')"
    with Ledger.open(path) as ledger:
        make_cars(ledger, "A")
        assert "2 ['A']" == read_elsewhere(path, text)
        run(ledger, "INSERT INTO Car ?", {"vin": "B"})
        assert "3 ['A', 'B']" == read_elsewhere(path, text)
    assert "3 ['A', 'B']" == read_elsewhere(path, text)


def contents_of(folder: Path) -> dict[str, bytes]:
    """Give every file's bytes; SQLite's shared memory is no file's contents."""
    return {
        file.name: b"" if file.name.endswith("-shm") else file.read_bytes()
        for file in folder.iterdir()
    }


def test_reading_leaves_no_trace(path: Path) -> None:
    """A closed ledger's folder is the same after it was read, by one reader or by two."""
    with Ledger.open(path) as ledger:
        make_cars(ledger, "A")
    before = contents_of(path.parent)
    assert [path.name] == list(before)
    with Ledger.open(path, read_only=True) as first:
        assert not path.with_name(f"{path.name}-writer").exists()
        with Ledger.open(path, read_only=True) as second:
            for reader in (first, second):
                assert ["A"] == run(reader, "SELECT VALUE vin FROM Car")
                assert 3 == check_journal(reader)
        assert ["A"] == run(first, "SELECT VALUE vin FROM Car")
    assert before == contents_of(path.parent)


def test_readers_that_are_refused_leave_no_trace(path: Path) -> None:
    """Absent, empty, half-made: neither is there anything after, nor is a byte changed."""
    with pytest.raises(LedgerFileError):
        Ledger.open(path, read_only=True)
    assert {} == contents_of(path.parent)
    path.touch()
    with pytest.raises(LedgerFileError, match="it is empty"):
        Ledger.open(path, read_only=True)
    assert {path.name: b""} == contents_of(path.parent)
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode = WAL")
    database.close()
    before = contents_of(path.parent)
    with pytest.raises(LedgerFileError, match="it is empty"):
        Ledger.open(path, read_only=True)
    assert before == contents_of(path.parent)


def test_a_reader_that_closes_takes_nothing_from_the_writer(path: Path) -> None:
    """A writer that came after the reader goes on when that is closed, with all it wrote."""
    Ledger.open(path).close()
    reader = Ledger.open(path, read_only=True)
    with Ledger.open(path) as ledger:
        reader.close()
        make_cars(ledger, "A")
        with Ledger.open(path, read_only=True) as another:
            assert ["A"] == run(another, "SELECT VALUE vin FROM Car")
        assert "2 ['A']" == read_elsewhere(path, "SELECT VALUE vin FROM Car")
        run(ledger, "INSERT INTO Car ?", {"vin": "B"})
    with Ledger.open(path) as ledger:
        assert 4 == check_journal(ledger)


def test_a_reader_cannot_write(path: Path) -> None:
    """Statements that would are refused, and so is a group of commits."""
    with Ledger.open(path) as ledger:
        make_cars(ledger, "A")
    with Ledger.open(path, read_only=True) as reader:
        assert reader.read_only
        for text in ("INSERT INTO Car {'a': 1}", "UPDATE Car SET a = 1", "CREATE TABLE Van"):
            with pytest.raises(LedgerFileError, match="read-only"):
                run(reader, text)
        with pytest.raises(LedgerFileError, match="read-only"), reader.group_commit():
            pass
        assert ["A"] == run(reader, "SELECT VALUE vin FROM Car")


def test_readers_transactions_have_a_snapshot(path: Path) -> None:
    """What a reader's open transaction sees stays; a new one sees what is new."""
    with Ledger.open(path) as ledger, Ledger.open(path, read_only=True) as reader:
        make_cars(ledger, "A")
        first = reader.start_transaction()
        count = "SELECT VALUE c.vin FROM Car AS c"
        assert ["A"] == ask(first, count)
        run(ledger, "INSERT INTO Car ?", {"vin": "B"})
        second = reader.start_transaction()
        assert ["A"] == ask(first, count) == ask(second, count)
        assert 2 == reader.digest().tip.sequence_no
        first.commit()
        second.abort()
        assert 3 == reader.digest().tip.sequence_no
        assert 2 == len(run(reader, count))
        reader.start_transaction()  # nobody keeps it
        assert 2 == len(run(reader, count))


def test_a_file_that_is_no_ledger_is_refused(tmp_path: Path) -> None:
    """Text, another SQLite database, a folder, a folder that is not there."""
    text = tmp_path / "text"
    text.write_text("not a database, but long enough to be looked at " * 50)
    other = tmp_path / "other"
    database = sqlite3.connect(other)
    database.execute("CREATE TABLE t (x)")
    database.close()
    for path in (text, other, tmp_path, tmp_path / "no" / "such"):
        with pytest.raises(LedgerFileError) as caught:
            Ledger.open(path)
        assert str(path) in str(caught.value)
    with pytest.raises(LedgerFileError, match="not a ledger of this package"):
        Ledger.open(other, read_only=True)


def test_paths_that_can_be_no_file_are_refused(tmp_path: Path) -> None:
    """A folder and a path with a NUL are refused, and no lock is left beside the folder."""
    folder = tmp_path / "folder"
    folder.mkdir()
    for path, read_only in ((folder, False), (folder, True), ("a\0b", False), ("a\0b", True)):
        with pytest.raises(LedgerFileError):
            Ledger.open(path, read_only=read_only)
    assert [folder] == list(tmp_path.iterdir())


def test_a_reader_needs_a_ledger(tmp_path: Path) -> None:
    """A file that is not there, or empty, is not made by reading."""
    with pytest.raises(LedgerFileError, match="no such file"):
        Ledger.open(tmp_path / "absent", read_only=True)
    empty = tmp_path / "empty"
    empty.touch()
    with pytest.raises(LedgerFileError, match="it is empty"):
        Ledger.open(empty, read_only=True)
    Ledger.open(empty).close()
    Ledger.open(empty, read_only=True).close()


def test_a_newer_format_is_refused(path: Path) -> None:
    """Never guessed at: the message says what to do."""
    Ledger.open(path).close()
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(LedgerFileError, match=r"version 99.*install a newer"):
        Ledger.open(path)


def test_a_ledger_in_memory_is_gone_when_closed() -> None:
    """It has no file, and any number of them are open at once."""
    with Ledger.open(":memory:") as first, Ledger.open(":memory:") as second:
        make_cars(first, "A")
        assert [] == second.driver().list_tables()
    assert not Path(":memory:").exists()


def test_a_closed_ledger_says_so(path: Path) -> None:
    """Every call on it is a LedgerFileError; closing again is none."""
    ledger = Ledger.open(path)
    make_cars(ledger, "A")
    transaction = ledger.start_transaction()
    ledger.close()
    ledger.close()
    for call in (ledger.digest, ledger.start_transaction, lambda: list(ledger.blocks())):
        with pytest.raises(LedgerFileError, match="closed"):
            call()
    with pytest.raises(LedgerFileError, match="closed"):
        ask(transaction, "SELECT * FROM Car")
    transaction.abort()


def test_a_file_that_cannot_be_read_says_so(path: Path) -> None:
    """Damage that SQLite finds comes out as a LedgerFileError."""
    with Ledger.open(path) as ledger:
        make_cars(ledger)
        run(ledger, "INSERT INTO Car ?", [{"pad": "x" * 500} for _ in range(500)])
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(os.urandom(size - 8192))
    with pytest.raises(LedgerFileError):
        read_all(path)


def read_all(path: Path) -> None:
    """Read journal and documents."""
    with Ledger.open(path) as ledger:
        list(ledger.blocks())
        run(ledger, "SELECT * FROM Car")


def test_a_block_that_cannot_be_written_changes_nothing(path: Path) -> None:
    """When the file may not grow, the commit fails; afterwards everything is as before."""
    with Ledger.open(path) as ledger:
        make_cars(ledger, "A")
        before = ledger.digest()
        connection = ledger._journal.store.connection  # noqa: SLF001 - to make SQLite fail
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
        big = {"pad": "x" * 100_000}
        with pytest.raises(LedgerFileError, match="full"):
            run(ledger, "INSERT INTO Car ?", big)
        assert before == ledger.digest()
        assert 3 == check_journal(ledger)
        connection.execute("PRAGMA max_page_count = 1000000")
        run(ledger, "INSERT INTO Car ?", big)
        assert 4 == check_journal(ledger)


@pytest.fixture
def frozen(tmp_path: Path) -> Path:
    """A closed ledger beside which SQLite can make nothing: a link to nowhere has the name."""
    path = tmp_path / "l.ledger"
    with Ledger.open(path) as ledger:
        make_cars(ledger, "A", "B")
    Path(f"{path}-shm").symlink_to(tmp_path / "absent" / "shm")
    return path


def test_a_file_is_read_where_nothing_can_be_made_beside_it(frozen: Path) -> None:
    """On read-only media a closed ledger is read as it is, its own check included."""
    log, before = Path(f"{frozen}-wal"), frozen.read_bytes()
    for change in (log.touch, log.unlink):  # an empty log is none
        change()
        with Ledger.open(frozen, read_only=True) as ledger:
            assert {"A", "B"} == set(run(ledger, "SELECT VALUE c.vin FROM Car AS c"))
            assert 4 == len(list(ledger.blocks()))
            assert ledger.check().ok
    assert before == frozen.read_bytes()


def test_a_log_that_cannot_be_read_is_not_passed_over(frozen: Path) -> None:
    """With commits in the log the reader says what to copy, and never that it must write."""
    Path(f"{frozen}-wal").write_bytes(b"x")
    with pytest.raises(LedgerFileError, match="copy the file together with its -wal") as caught:
        Ledger.open(frozen, read_only=True)
    assert "expected a file that may be written" not in str(caught.value)


def test_a_frozen_file_that_somebody_begins_to_write(frozen: Path) -> None:
    """Its reader stops: without locks it could read pages while they change."""
    with Ledger.open(frozen, read_only=True) as ledger:
        assert 2 == len(run(ledger, "SELECT * FROM Car"))
        Path(f"{frozen}-wal").write_bytes(b"x")
        with pytest.raises(LedgerFileError, match="begun to write it"):
            run(ledger, "SELECT * FROM Car")


@pytest.mark.parametrize("most", [0, 4096, 20_000, 40_000])
@pytest.mark.parametrize("found", [None, b""])
def test_a_ledger_that_has_no_room_leaves_nothing(
    tmp_path: Path, most: int, found: bytes | None
) -> None:
    """Where files may not grow, what was there before a ledger was made is there after."""
    path = tmp_path / "l.ledger"
    if found is not None:
        path.write_bytes(found)
    # The limit counts for this process alone: the system then refuses to let files grow.
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        with pytest.raises(LedgerFileError):
            fill_until_full(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    expected = [] if found is None else [("l.ledger", 0)]
    assert expected == [(file.name, file.stat().st_size) for file in tmp_path.iterdir()]


def fill_until_full(path: Path) -> None:
    """Make a ledger, and give it up when it cannot be written."""
    ledger = Ledger.open(path)
    try:
        with ledger.group_commit():
            make_cars(ledger, *map(str, range(300)))
    except LedgerFileError:
        ledger.discard()
        raise

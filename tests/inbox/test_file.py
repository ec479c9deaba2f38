"""Files: whose they are, which version, damaged, full, locked, closed; and inboxes' names."""

from __future__ import annotations

import os
import resource
import sqlite3
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from qldb_stream.errors import EnvelopeError, InboxFileError, InboxUnavailableError, UsageError
from qldb_stream.events import Undecodable
from qldb_stream.inbox import MemoryInbox, SqliteInbox, open_inbox
from qldb_stream.inbox._file import Database
from qldb_stream.inbox._raw import RawFile
from qldb_stream.report import Position
from tests.inbox.support import EVENTS, REDACTIONS, STRAND


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where there is an inbox with some records."""
    path = tmp_path / "a.inbox"
    inbox = SqliteInbox(path)
    inbox.put(EVENTS, 1.0)
    inbox.store_position("a", Position(STRAND, 1, bytes(32)), 1)
    inbox.close()
    return path


def change(path: Path, sql: str) -> None:
    """Change the file behind its inbox's back."""
    connection = sqlite3.connect(path)
    connection.executescript(sql)
    connection.close()


@pytest.mark.parametrize("prefix", ["", "sqlite:"])
def test_names_of_files(tmp_path: Path, prefix: str) -> None:
    """A path is the name of a file with or without its scheme."""
    inbox = open_inbox(f"{prefix}{tmp_path / 'a:b.inbox'}")
    inbox.close()

    assert isinstance(inbox, SqliteInbox)
    assert (tmp_path / "a:b.inbox").is_file()


def test_name_of_memory() -> None:
    """`memory:` is new each time, and can be no inbox that must be there."""
    inbox = open_inbox("memory:")
    assert isinstance(inbox, MemoryInbox)
    assert "memory:" == inbox.name
    inbox.close()
    with pytest.raises(UsageError, match="always new"):
        open_inbox("memory:", must_exist=True)


@pytest.mark.parametrize("name", ["redis:table", "sqlite:", ""])
def test_other_names(name: str) -> None:
    """Another scheme, or no path, is refused with what to write."""
    with pytest.raises(UsageError, match="write sqlite:PATH"):
        open_inbox(name)


def test_a_new_file_is_its_owners_alone(path: Path) -> None:
    """Documents are in it, so that others cannot read it."""
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)


def test_an_empty_file_becomes_an_inbox(tmp_path: Path) -> None:
    """A file that somebody touched is used, with the rights that it has."""
    path = tmp_path / "a.inbox"
    path.touch(mode=0o640)
    SqliteInbox(path).close()

    assert 0o640 == stat.S_IMODE(path.stat().st_mode)
    assert path.stat().st_size


def refused(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """Paths that can be no inbox, and what is said of them."""
    text, other, pipe = tmp_path / "text", tmp_path / "other", tmp_path / "pipe"
    text.write_text("no database at all, but long enough to be asked what it is " * 20)
    change(other, "CREATE TABLE t (a)")
    os.mkfifo(pipe)
    yield tmp_path, "folder or device"
    yield pipe, "folder or device"
    yield text, "file of another kind"
    yield other, "another SQLite database"
    yield Path("a\0b"), "NUL"


def test_files_that_are_no_inbox(tmp_path: Path) -> None:
    """What is something else is named, and stays as it is."""
    for path, sentence in refused(tmp_path):
        with pytest.raises(InboxFileError, match=sentence):
            SqliteInbox(path)


def test_a_newer_format(path: Path) -> None:
    """A file that a newer version wrote is not guessed at."""
    change(path, "PRAGMA user_version = 99")
    with pytest.raises(InboxFileError, match="version 99, this package reads up to 2; install"):
        SqliteInbox(path)


def test_a_file_of_the_first_version(path: Path) -> None:
    """It is brought up to this one, with all that it holds, and keeps checkpoints then."""
    change(path, "DROP TABLE checkpoint; PRAGMA user_version = 1")
    for _ in range(2):
        inbox = SqliteInbox(path)
        inbox.store_checkpoint("shard", "here", 1)
        assert ("here", len(EVENTS)) == (
            inbox.checkpoint("shard"),
            sum(strand.records for strand in inbox.status().strands),
        )
        inbox.close()


def test_it_must_be_there(tmp_path: Path) -> None:
    """Who only looks makes no file."""
    with pytest.raises(InboxFileError, match="no such file"):
        SqliteInbox(tmp_path / "a.inbox", must_exist=True)
    assert [] == list(tmp_path.iterdir())


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """A file that cannot be made may be later."""
    with pytest.raises(InboxUnavailableError, match="cannot be opened or made"):
        SqliteInbox(tmp_path / "none" / "a.inbox")


def test_closed(path: Path) -> None:
    """A closed inbox says so; closing it again does nothing."""
    inbox = SqliteInbox(path)
    inbox.close()
    inbox.close()
    with pytest.raises(UsageError, match="is closed"):
        inbox.strands()


def test_locked(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that somebody keeps locked can be tried again, and can be read meanwhile."""
    monkeypatch.setattr("qldb_stream.inbox._file._BUSY_TIMEOUT_S", 0.05)
    inbox = SqliteInbox(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(InboxUnavailableError, match="locked; repeat"):
        inbox.put(EVENTS, 1.0)
    assert inbox.block(STRAND, 0)
    other.close()

    assert 0 == inbox.put(EVENTS, 1.0)
    inbox.close()


def test_full_disk(tmp_path: Path) -> None:
    """Where the file may not grow nothing is stored, and it can be tried again."""
    inbox = SqliteInbox(tmp_path / "a.inbox")
    noise = [Undecodable("s", n, 4000, _error(), os.urandom(4000)) for n in range(100)]
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, before[1]))
    try:
        with pytest.raises(InboxUnavailableError, match="room"):
            inbox.put(noise, 1.0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert len(EVENTS) == inbox.put(EVENTS, 1.0)
    inbox.close()


def _error() -> EnvelopeError:
    return EnvelopeError("field", "this", "that")


def test_names_that_are_no_text(path: Path) -> None:
    """A sink's name that cannot be stored is refused."""
    inbox = SqliteInbox(path)
    with pytest.raises(UsageError, match="no Unicode text"):
        inbox.register("ledger:\udc80")
    inbox.close()


def test_a_damaged_record_is_unreadable_in_its_place(path: Path) -> None:
    """Of a record that somebody changed the bytes and the place are told."""
    change(path, "UPDATE record SET data = x'00' WHERE sequence_no = 0")
    inbox = SqliteInbox(path)
    found = inbox.block(STRAND, 0)
    inbox.close()

    assert found
    assert all(isinstance(item, Undecodable) and item.data == b"\0" for item in found)


DAMAGE: dict[str, Callable[[SqliteInbox], object]] = {
    "UPDATE record SET data = 'text'": lambda inbox: inbox.block(STRAND, 0),
    "UPDATE position SET value = '{}'": lambda inbox: inbox.position("a", STRAND),
    "DROP TABLE lease": lambda inbox: inbox.lease("a", 1.0, 1.0),
    "INSERT INTO quarantined VALUES (1, x'00', 1.0, '{}', NULL)": lambda i: list(i.quarantined()),
    'INSERT INTO quarantined VALUES (1, x\'00\', 1.0, \'{"error": ["UsageError", "a"]}\', NULL)': (
        lambda inbox: list(inbox.quarantined())
    ),
    "INSERT INTO parked VALUES (1, 'a', 's', 0, '{}', x'00')": lambda i: list(i.parked("a", "s")),
}


@pytest.mark.parametrize("sql", DAMAGE)
def test_damage(path: Path, sql: str) -> None:
    """What cannot be what an inbox wrote is called damaged, not guessed at."""
    change(path, sql)
    inbox = SqliteInbox(path)
    with pytest.raises(InboxFileError, match="damaged"):
        DAMAGE[sql](inbox)
    inbox.close()


def test_a_page_of_noise(path: Path) -> None:
    """A file with overwritten pages is damaged."""
    content = bytearray(path.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(InboxFileError, match="damaged"):
        SqliteInbox(path).strands()


def test_searching_takes_nobodys_lock_away(path: Path) -> None:
    """After one of two inboxes has searched the file and closed, the other still holds it."""
    first, second = SqliteInbox(path), SqliteInbox(path)
    first.erase(REDACTIONS)
    second.put([], 1.0)
    first.close()
    first.close()
    assert second.status().strands
    second.close()


def test_what_was_made_for_nothing_goes(tmp_path: Path) -> None:
    """A new file in which nothing was stored, its log with it; and nothing else."""
    path = tmp_path / "a"
    inbox = SqliteInbox(path)
    inbox.register("a")
    lease = inbox.lease("a", 1.0, 1.0)
    assert lease is not None
    inbox.release(lease)

    assert inbox.remove_unused()
    assert [] == list(tmp_path.iterdir())
    assert not inbox.remove_unused()
    assert not MemoryInbox().remove_unused()


@pytest.mark.parametrize(
    "use",
    [
        lambda inbox: inbox.put(EVENTS[:1], 1.0),
        lambda inbox: inbox.store_position("a", Position(STRAND, 1, bytes(32)), 1),
        lambda inbox: inbox.erase(REDACTIONS[:1]),
        lambda inbox: inbox.store_checkpoint("a", "b", 1),
        lambda inbox: inbox.lease("a", 1.0, 1.0),
    ],
)
def test_what_is_used_stays(tmp_path: Path, use: Callable[[SqliteInbox], object]) -> None:
    """As it was, and an inbox as before."""
    path = tmp_path / "a"
    inbox = SqliteInbox(path)
    use(inbox)
    before = inbox.status()
    assert not inbox.remove_unused()
    again = SqliteInbox(path, must_exist=True)
    assert before == again.status()
    assert not again.remove_unused()  # it was there before
    assert path.exists()


def test_what_others_have_open_stays(tmp_path: Path) -> None:
    """They may store something in it the next moment."""
    first, second = SqliteInbox(tmp_path / "a"), SqliteInbox(tmp_path / "a")
    assert not first.remove_unused()
    assert second.put(EVENTS, 1.0)
    second.close()
    assert open_inbox(str(tmp_path / "a"), must_exist=True).strands()


def test_a_file_that_goes_while_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is given an inbox whose file is gone; asking again makes a new one."""
    set_up = Database._set_up  # noqa: SLF001 - what stands between opening and using it

    def set_up_and_remove(database: Database) -> None:
        set_up(database)
        Path(database.path).unlink()

    monkeypatch.setattr(Database, "_set_up", set_up_and_remove)
    with pytest.raises(InboxUnavailableError, match="removed by others"):
        SqliteInbox(tmp_path / "a")
    monkeypatch.undo()
    SqliteInbox(tmp_path / "a").close()


def test_raw_search(tmp_path: Path) -> None:
    """Bytes are found wherever they are, across the borders of what is read at once too."""
    path = tmp_path / "raw"
    for offset in (0, (1 << 20) - 2, (2 << 20) - 5):
        path.write_bytes(bytes(offset) + b"needle" + bytes(10))
        raw = RawFile(str(path))
        assert raw.holds_any([b"absent, absent", b"needle"])
        assert not raw.holds_any([b"needless"])
        raw.close()

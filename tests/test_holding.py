"""Who may write a file: one at a time, and nothing is left beside it."""

from __future__ import annotations

import fcntl
import os
import stat
import threading
from pathlib import Path

import pytest

from qldb_stream.holding import Found, HeldFile, is_special, maybe_hold


def hold(path: Path) -> HeldFile:
    """Take hold of a path that nobody holds."""
    held = maybe_hold(path, ".lock")
    assert held is not None
    return held


def test_one_holder(tmp_path: Path) -> None:
    """While somebody holds a file nobody else does; when it is let go, the next one may."""
    path = tmp_path / "file"
    first = hold(path)
    assert None is maybe_hold(path, ".lock")
    assert [path.with_name("file.lock")] == list(tmp_path.iterdir())
    first.release()
    first.release()
    assert [] == list(tmp_path.iterdir())
    hold(path).release()


def test_all_names_of_a_file_are_one(tmp_path: Path) -> None:
    """Through a symlink the same file is held, and its lock stands beside it."""
    link = tmp_path / "link"
    link.symlink_to("file")
    held = hold(link)
    assert (tmp_path / "file").resolve() == held.path
    assert None is maybe_hold(tmp_path / "file", ".lock")
    held.release()
    assert [link] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("before", "found", "after"),
    [
        (None, Found.ABSENT, None),
        (b"", Found.EMPTY, b""),
        (b"mine", Found.CONTENT, b"written"),
    ],
)
def test_put_back(tmp_path: Path, before: bytes | None, found: Found, after: bytes | None) -> None:
    """What was absent or empty is so again; what had content stays as it was left."""
    path = tmp_path / "file"
    if before is not None:
        path.write_bytes(before)
    held = hold(path)
    path.write_bytes(b"written")
    held.put_back()
    held.release()
    assert found is held.found
    assert after == (path.read_bytes() if path.exists() else None)


def test_a_lock_that_was_removed_is_not_anothers(tmp_path: Path) -> None:
    """Whoever lost its lock file leaves that of the next holder alone."""
    path = tmp_path / "file"
    first = hold(path)
    path.with_name("file.lock").unlink()
    second = hold(path)
    first.release()
    assert None is maybe_hold(path, ".lock")
    second.release()
    assert [] == list(tmp_path.iterdir())


def test_a_lock_file_that_is_removed_while_it_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who locks a file that has lost its name in between takes the lock anew."""
    path, lock = tmp_path / "file", tmp_path / "file.lock"
    flock, taken = fcntl.flock, list[int]()

    def slow(descriptor: int, operation: int) -> None:
        if not taken:  # whoever held it lets go between our opening and our locking
            lock.unlink()
        flock(descriptor, operation)
        taken.append(descriptor)

    monkeypatch.setattr(fcntl, "flock", slow)
    held = hold(path)
    assert 2 == len(taken)
    assert None is maybe_hold(path, ".lock")
    held.release()
    assert [] == list(tmp_path.iterdir())


def test_many_who_come_and_go(tmp_path: Path) -> None:
    """However the removal of a lock file and its taking fall together, one holds at a time."""
    path = tmp_path / "file"
    inside: list[int] = []
    most: list[int] = []

    def work(me: int) -> None:
        for _ in range(300):
            held = maybe_hold(path, ".lock")
            if held is not None:
                inside.append(me)
                most.append(len(inside))
                inside.remove(me)
                held.release()

    threads = [threading.Thread(target=work, args=(me,)) for me in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {1} == set(most)
    assert [] == list(tmp_path.iterdir())


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """The system's own error says why no lock can be made."""
    with pytest.raises(FileNotFoundError):
        maybe_hold(tmp_path / "no" / "such", ".lock")


def test_what_is_special(tmp_path: Path) -> None:
    """A pipe or device is, also behind a symlink; files, folders and nothing at all are not."""
    assert is_special(os.devnull)  # only looked at
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    (tmp_path / "file").touch()
    paths = [tmp_path / name for name in ("pipe", "link", "file", ".", "none")]
    assert [True, True, False, False, False] == [is_special(path) for path in paths]


def test_a_pipe_is_never_put_back(tmp_path: Path) -> None:
    """What has no length counts as content that is there, so nobody fills or empties it."""
    os.mkfifo(tmp_path / "pipe")
    held = hold(tmp_path / "pipe")
    assert Found.CONTENT is held.found
    held.put_back()
    held.release()
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)

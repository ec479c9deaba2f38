"""Finding files, and reading them at any place while they stay what they were."""

from __future__ import annotations

import io
import os
import socket
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from qldb_stream.errors import SourceError, UnreadableFileError, UsageError
from qldb_stream.sources._files import FilePool, FileReadable, _read_whole, find_files
from qldb_stream.typing import Readable
from tests.rights import no_rights

DEPTH = 1100  # more than Python's usual limit of recursion


def write(folder: Path, *names: str) -> None:
    """Write files whose content is their name."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def names_in(folder: Path, *paths: str) -> list[str]:
    """Name what is found under some paths of a folder, relative to it."""
    found = find_files([folder / path for path in paths]).files
    return [str(file.path.relative_to(folder)) for file in found]


def test_folders_are_walked_in_order_of_name(tmp_path: Path) -> None:
    """Firehose's keys sort by time, so the order of names is that of arrival."""
    write(tmp_path, "2020/11/b", "2020/02/a", "2020/02/c", "2019", "2020.gz")
    assert ["2019", "2020/02/a", "2020/02/c", "2020/11/b", "2020.gz"] == names_in(tmp_path, ".")


def test_named_files_keep_the_callers_order_and_come_once(tmp_path: Path) -> None:
    """A file that is met again, under whatever name, is not read twice."""
    write(tmp_path, "a/x", "b")
    (tmp_path / "link").symlink_to(tmp_path / "b")
    assert ["b", "a/x"] == names_in(tmp_path, "b", "a", "link", ".")


def test_hidden_names_and_special_files_are_passed_over_and_counted(tmp_path: Path) -> None:
    """What no service wrote is not read unless it is named itself."""
    write(tmp_path, ".DS_Store", ".git/config", "sub/.hidden", "seen")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        found = find_files([tmp_path])
    assert (1, 4) == (len(found.files), found.passed_over)
    assert [".DS_Store", ".git/config"] == names_in(tmp_path, ".DS_Store", ".git")


def test_links_that_lead_back_up_end_the_walk(tmp_path: Path) -> None:
    """A folder that contains itself is entered once."""
    write(tmp_path, "a/x")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    assert ["a/x"] == names_in(tmp_path, ".")


def test_folders_may_nest_more_deeply_than_python_recurses(tmp_path: Path) -> None:
    """Depth costs nothing but a longer list of what is still to be looked at."""
    here = Path.cwd()
    os.chdir(tmp_path)
    try:
        for _ in range(DEPTH):
            Path("d").mkdir()
            os.chdir("d")
        Path("x").write_text("x")
        assert 1 == len(find_files([tmp_path]).files)
        Path("x").unlink()
    finally:
        # pytest's own clean-up recurses, and would not survive what is tested here.
        while not Path.cwd().samefile(tmp_path):
            os.chdir("..")
            Path("d").rmdir()
        os.chdir(here)


def test_a_data_stream_is_no_file() -> None:
    """Who names one is told which commands read it, and not that a file is missing."""
    with pytest.raises(UsageError, match=r"kinesis://cars is a data stream.*`tap` and `replay`"):
        find_files(["kinesis://cars"])


@pytest.mark.parametrize("name", ["absent", "dangling"])
def test_what_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    """A path that leads nowhere is the caller's mistake; below a folder it is a problem."""
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UsageError, match=f"cannot read .*{name}: No such file or directory"):
        find_files([tmp_path / name])
    (tmp_path / "x").touch()
    found = find_files([tmp_path])
    assert ["x"] == [file.path.name for file in found.files]
    (unreadable,) = found.unreadable
    assert (str(tmp_path / "dangling"), 0) == (unreadable.source, unreadable.length)
    assert UnreadableFileError("No such file or directory") == unreadable.error


def test_what_is_neither_file_nor_folder_is_named(tmp_path: Path) -> None:
    """A pipe cannot be read twice, and is not waited for."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="pipe: neither a file nor a folder"):
        find_files([tmp_path / "pipe"])


def test_names_that_are_no_text_can_be_printed(tmp_path: Path) -> None:
    """A name of bytes that are no UTF-8 is shown with escapes."""
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff")).write_bytes(b"x")
    (file,) = find_files([tmp_path]).files
    assert file.name.endswith("/\\xff")
    file.name.encode()


def test_bytes_are_read_at_any_place(tmp_path: Path) -> None:
    """Fewer bytes than asked for come only at the end."""
    (tmp_path / "f").write_bytes(b"0123456789")
    pool = FilePool()
    readable = FileReadable(pool, find_files([tmp_path]).files[0])
    assert isinstance(readable, Readable)
    assert (str(tmp_path / "f"), 10) == (readable.name, readable.size)
    expected = [b"0123", b"89", b"", b"", b"0123456789"]
    asked = [(0, 4), (8, 100), (10, 1), (11, 5), (0, 10)]
    assert expected == [readable.read_at(offset, size) for offset, size in asked]
    pool.close()


class Stingy(io.RawIOBase):
    """A file that gives at most three bytes at a time, as some file systems may."""

    def __init__(self, data: bytes) -> None:
        self._bytes = io.BytesIO(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go where it is told."""
        return self._bytes.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        """Give three bytes."""
        return self._bytes.read(min(size, 3))


def test_short_reads_are_repeated() -> None:
    """A read that gives less than it could is not the end of the file."""
    stingy = cast("BinaryIO", Stingy(b"0123456789"))
    assert [b"12345678", b"89"] == [_read_whole(stingy, 1, 8), _read_whole(stingy, 8, 8)]


def test_more_files_are_read_than_may_be_open(tmp_path: Path) -> None:
    """Files are closed and opened again as they are needed."""
    write(tmp_path, *(f"{n:03}" for n in range(200)))
    files = find_files([tmp_path]).files
    pool = FilePool()
    for _ in range(2):
        assert [f.path.name.encode() for f in files] == [pool.read_at(f, 0, 9) for f in files]
    pool.check_unchanged(files)
    pool.close()


def test_a_file_that_changes_is_an_error(tmp_path: Path) -> None:
    """Longer, shorter, replaced or gone: nothing is read from two versions of a file."""
    path = tmp_path / "f"
    path.write_bytes(b"0123456789")
    files = find_files([path]).files
    pool = FilePool()
    assert b"01" == pool.read_at(files[0], 0, 2)
    path.write_bytes(b"01")
    with pytest.raises(SourceError, match="became shorter while it was read"):
        pool.read_at(files[0], 0, 10)
    with pytest.raises(SourceError, match="changed while it was read"):
        pool.check_unchanged(files)
    pool.close()
    with pytest.raises(SourceError, match="changed while it was read"):
        pool.read_at(files[0], 0, 10)
    pool.close()
    path.unlink()
    with pytest.raises(SourceError, match="cannot be read: No such file"):
        pool.read_at(files[0], 0, 10)
    with pytest.raises(SourceError, match="cannot be read: No such file"):
        pool.check_unchanged(files)
    pool.close()


def test_what_may_not_be_read_is_named(tmp_path: Path) -> None:
    """A file or folder without permission is the caller's to open."""
    shut = tmp_path / "shut"
    write(tmp_path, "shut/x")
    files = find_files([shut]).files
    pool = FilePool()
    with no_rights(shut):
        with pytest.raises(UsageError, match=r"cannot read .*shut.*: Permission denied"):
            find_files([shut])
        with pytest.raises(UnreadableFileError, match="cannot be read: Permission denied"):
            pool.read_at(files[0], 0, 1)
    assert b"shut" == pool.read_at(files[0], 0, 4)
    pool.close()

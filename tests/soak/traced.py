"""What a process asks the kernel to do with the files of a folder, as strace tells it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import attrs

__all__ = ["Call", "trace"]

# All that can change a file or its name; what SQLite does not use is refused below.
_CALLS: Final = (
    "openat,open,creat,unlink,unlinkat,rename,renameat,renameat2,link,linkat,write,pwrite64,"
    "writev,pwritev,pwritev2,ftruncate,truncate,fallocate,fsync,fdatasync,sync_file_range,"
    "sendfile,copy_file_range"
)
# Process, name, arguments, result; strings and paths are printed in hexadecimal (-xx), and a
# descriptor is followed by its path (-y).
_LINE: Final = re.compile(rb"\d+ +(\w+)\((.*)\) += (\d+).*")
_HEX: Final = rb"((?:\\x[0-9a-f]{2})*)"
_ON_FILE: Final = re.compile(rb"(\d+)<" + _HEX + rb">")
_ON_PATH: Final = re.compile(rb"(?:AT_FDCWD<[^>]*>, )?\"" + _HEX + rb"\"")
_DATA: Final = re.compile(rb"\"" + _HEX + rb"\"")
_LAST_NUMBER: Final = re.compile(rb".*\b(\d+)", re.DOTALL)

# Beside the ledger: a lock in which nothing stands, and memory that recovery makes anew.
_NOT_KEPT: Final = ("-writer", "-writer-journal", "-shm")


@attrs.frozen
class Call:
    """
    One call on a file of the traced folder, or an answer.

    Attributes:
        kind: "write", "truncate", "sync", "make", "unlink", or "answer".
        name: the file's in the folder; empty for the folder itself, and for an answer.
        offset: where it writes, or the length that it cuts to.
        data: what it writes, or answers.
    """

    kind: str
    name: str = ""
    offset: int = 0
    data: bytes = b""


def trace(command: Sequence[str], cwd: Path, folder: Path, log: Path) -> list[Call]:
    """
    Run a command and give what it did with the files of a folder, in order.

    Args:
        command: what it writes to standard output are its answers.
        cwd: where it runs.
        folder: whose files are followed.
        log: where strace writes.

    Raises:
        AssertionError: threads overlapped, or a call is not understood here.
    """
    strace = ["strace", "-f", "-y", "-xx", "-s", "1000000", "-e", f"trace={_CALLS}", "-o", str(log)]
    subprocess.run([*strace, *command], cwd=cwd, check=True, stdout=subprocess.PIPE)
    with log.open("rb") as lines:
        return list(_iter_calls(lines, folder))


def _iter_calls(lines: Iterable[bytes], folder: Path) -> Iterator[Call]:
    for line in lines:
        assert b"unfinished" not in line, "calls of several threads overlap"
        found = _LINE.fullmatch(line.rstrip())
        if found is None:
            continue  # the process ends, or a call failed
        name, arguments = found[1].decode(), found[2]
        if name == "write" and arguments.startswith(b"1<"):
            yield Call("answer", data=_data(arguments))
            continue
        path = _path(arguments)
        if path is None or not path.is_relative_to(folder) or path.name.endswith(_NOT_KEPT):
            continue
        call = _call(name, "" if path == folder else path.name, arguments)
        if call is not None:
            yield call


def _path(arguments: bytes) -> Path | None:
    on_file = _ON_FILE.match(arguments)
    if on_file is not None:
        return Path(_unescape(on_file[2]).decode())
    on_path = _ON_PATH.match(arguments)
    return None if on_path is None else Path(_unescape(on_path[1]).decode())


def _call(name: str, file: str, arguments: bytes) -> Call | None:
    """Read a call on a file of the folder; None when it changes nothing."""
    match name:
        case "openat":
            assert b"O_TRUNC" not in arguments
            return Call("make", file) if b"O_CREAT" in arguments else None
        case "unlink":
            return Call("unlink", file)
        case "fsync" | "fdatasync":
            return Call("sync", file)
        case "ftruncate":
            return Call("truncate", file, int(arguments.rpartition(b", ")[2], 0))
        case "pwrite64":
            last = _LAST_NUMBER.match(arguments)
            assert last is not None
            return Call("write", file, int(last[1]), _data(arguments))
    raise AssertionError(f"{name} of {file} is not understood here")


def _data(arguments: bytes) -> bytes:
    found = _DATA.search(arguments)
    assert found is not None
    return _unescape(found[1])


def _unescape(printed: bytes) -> bytes:
    return bytes.fromhex(printed.replace(b"\\x", b"").decode())

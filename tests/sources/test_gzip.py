"""Decompressing once: damage costs what comes after it, and bombs cost nothing."""

from __future__ import annotations

import gzip
import resource
import signal
import zlib
from pathlib import Path
from random import Random

import pytest

from qldb_stream.errors import CarrierError, SourceError
from qldb_stream.events import Undecodable
from qldb_stream.parsers.gunzip import MAX_BYTES_AT_ANY_RATIO
from qldb_stream.pipeline import verify_source
from qldb_stream.sources import open_source
from qldb_stream.sources._files import FilePool, FileReadable, find_files
from qldb_stream.sources._gzip import Spool
from qldb_stream.testing import make_journal, records

TEXT = Random(5).randbytes(600_000)


def gunzip(folder: Path, *contents: bytes) -> list[tuple[bytes, Undecodable | None]]:
    """Decompress some files into one spool, then read each back; one problem each at most."""
    for number, content in enumerate(contents):
        (folder / f"{number:02}").write_bytes(content)
    pool, spool = FilePool(), Spool()
    results = [spool.gunzip(FileReadable(pool, file)) for file in find_files([folder]).files]
    read = []
    for found in results:
        (problem,) = found.problems or (None,)
        read.append((found.readable.read_at(0, found.readable.size + 1), problem))
    spool.close()
    pool.close()
    return read


def test_files_share_a_spool_and_come_back_whole(tmp_path: Path) -> None:
    """What was decompressed last does not show through what was before."""
    expected = [(TEXT, None), (b"", None), (TEXT[:9], None)]
    assert expected == gunzip(tmp_path, *(gzip.compress(data) for data, _ in expected))


def test_members_follow_each_other_with_padding_between(tmp_path: Path) -> None:
    """Objects that were joined, and zeros between or after them, are one stream."""
    parts = [gzip.compress(TEXT[i : i + 1000]) for i in range(0, 5000, 1000)]
    joined = b"\0\0".join(parts) + bytes(300)
    assert [(TEXT[:5000], None)] == gunzip(tmp_path, joined)


def test_what_was_whole_before_the_damage_is_kept(tmp_path: Path) -> None:
    """A truncated file gives what can be had, and says where it ends."""
    ((data, problem),) = gunzip(tmp_path, gzip.compress(TEXT)[:-100_000])
    assert 400_000 < len(data) < 600_000
    assert TEXT.startswith(data)
    assert problem is not None
    name = str(tmp_path / "00")
    at = len(gzip.compress(TEXT)) - 100_000
    text = (
        f"damaged gzip: gzip ends in the middle, at compressed byte {at}; "
        "no gzip member is found after it"
    )
    assert Undecodable(name, len(data), 0, CarrierError("gzip", len(data), text)) == problem


@pytest.mark.parametrize("position", [3, 100, 300_000, -5])
def test_a_damaged_byte_is_reported(tmp_path: Path, position: int) -> None:
    """Header, data or checksum: damage is told, with what zlib says of it."""
    damaged = bytearray(gzip.compress(TEXT, mtime=0))
    damaged[position] ^= 0xFF
    ((data, problem),) = gunzip(tmp_path, bytes(damaged))
    assert problem is not None
    assert isinstance(problem.error, CarrierError)
    assert ("gzip", len(data)) == (problem.error.carrier, problem.offset)


def test_something_else_behind_it_is_reported(tmp_path: Path) -> None:
    """Bytes after the end that are no gzip are not dropped in silence."""
    ((data, problem),) = gunzip(tmp_path, gzip.compress(TEXT) + b"more")
    assert TEXT == data
    assert problem is not None
    assert "incorrect header check" in str(problem.error)


def test_a_bomb_is_refused_and_costs_no_space(tmp_path: Path) -> None:
    """What decompresses beyond every journal's ratio is given up whole."""
    packer = zlib.compressobj(wbits=31)
    zeros = bytes(2**20)
    count = MAX_BYTES_AT_ANY_RATIO // len(zeros) + 2
    bomb = b"".join(packer.compress(zeros) for _ in range(count)) + packer.flush()
    (first, second) = gunzip(tmp_path, bomb, gzip.compress(TEXT))
    assert b"" == first[0]
    assert first[1] is not None
    assert "a decompression bomb, refused" in str(first[1].error)
    assert (TEXT, None) == second


def test_a_full_disk_is_an_error_of_the_source(tmp_path: Path) -> None:
    """When the temporary file cannot grow, that is what is told."""
    (tmp_path / "a").write_bytes(gzip.compress(TEXT))
    pool, spool = FilePool(), Spool()
    # The limit counts for this process alone: the system then refuses to let files grow.
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(SourceError, match=r"takes no more temporary data: File too large"):
            spool.gunzip(FileReadable(pool, find_files([tmp_path]).files[0]))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    spool.close()
    pool.close()


def test_a_spool_without_data_needs_no_file() -> None:
    """Nothing is made before there is something to keep."""
    spool = Spool()
    assert b"" == spool.read_at(0, 10)
    spool.close()


def test_a_file_whose_first_byte_is_hit_is_known_for_gzip(tmp_path: Path) -> None:
    """Its records are read from the second member on, and the damage is one problem."""
    parts = [part for block in make_journal(3, blocks=4) for part in records(block)]
    members = [gzip.compress(part, mtime=0) for part in parts]
    members[0] = b"\x1e" + members[0][1:]
    (tmp_path / "one.gz").write_bytes(b"".join(members))
    report = verify_source(open_source(tmp_path / "one.gz"))
    assert len(parts) - 1 == report.records
    assert "damaged gzip" in report.problems[0].message

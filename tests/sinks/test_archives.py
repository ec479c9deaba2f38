"""`ion:` and `jsonl:` read back whole, once, in order, and without what was redacted."""

from __future__ import annotations

import base64
import itertools
import resource
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import attrs
import pytest

from qldb_stream.errors import (
    SinkRefusedError,
    SinkUnavailableError,
    StaleTokenError,
    UsageError,
)
from qldb_stream.events import Block, Filtered, RedactionInfo, RevisionKind, Undecodable
from qldb_stream.ion import to_slice
from qldb_stream.pipeline import Pipeline, verify_source
from qldb_stream.plugins import load_plugins, open_sink
from qldb_stream.report import Position, VerifyReport
from qldb_stream.sinks._archive import FileArchive
from qldb_stream.sinks.ion import IonSink
from qldb_stream.sinks.jsonl import JsonlSink
from qldb_stream.sources import open_source
from qldb_stream.testing import write_archive
from qldb_stream.testing.journals import JournalShape, make_journal
from qldb_stream.typing import ErasingSink, Sink
from tests.sinks.steps import is_killed, write_to_the_end

REPOSITORY = Path(__file__).resolve().parents[2]
JOURNAL = make_journal(11, blocks=40, shape=JournalShape(redactions=0.2, deletes=0.1))
BLOCKS = list(JOURNAL)
ERASED = list(JOURNAL.with_erased())
STRAND = JOURNAL.strand_id
SINKS: dict[str, type[FileArchive]] = {"ion": IonSink, "jsonl": JsonlSink}

pytestmark = pytest.mark.parametrize("scheme", list(SINKS))


@pytest.fixture
def path(tmp_path: Path, scheme: str) -> Path:
    """A file that is not there yet."""
    return tmp_path / f"journal.{scheme}"


def position_at(block: Block) -> Position:
    """Give the position that a block leads to."""
    return Position(block.address.strand_id, block.address.sequence_no, block.block_hash, start=0)


def write(path: Path, *runs: Sequence[Block], token: int = 0) -> None:
    """Write runs of blocks, each by a sink of its own."""
    for run in runs:
        sink = SINKS[path.suffix[1:]](path)
        sink.apply(run, position_at(run[-1]), token)
        sink.close()


def verify(path: Path) -> VerifyReport:
    """Verify a file as `qldb-stream verify` does."""
    return verify_source(open_source(path))


def blocks_of(path: Path) -> list[Block]:
    """Read a file back through a pipeline into memory."""
    with_sink = open_sink("memory:")
    report = Pipeline(with_sink).run(open_source(path))
    assert report.ok
    return list(with_sink.blocks)  # type: ignore[attr-defined]  # it is a MemorySink


def test_an_archive_says_what_it_takes(scheme: str) -> None:
    """Neither parked nor filtered blocks: an archive must verify whole."""
    found = load_plugins().sink_types[scheme]
    assert (False, False) == (found.can_park, found.takes_filtered)
    with pytest.raises(UsageError, match=f"write {scheme}:PATH"):
        open_sink(f"{scheme}:")


def test_it_reads_back_as_it_was(path: Path) -> None:
    """All blocks are there once and proven; redacted documents are the hashes that are left."""
    write(path, BLOCKS)
    found = verify(path)
    assert found.ok
    details = sum(r.metadata is not None for block in BLOCKS for r in block.revisions)
    assert (40, 40 + details) == (found.blocks, found.records)
    assert [] == list(found.problems)
    assert ERASED == blocks_of(path)


def test_several_runs_are_one_archive(path: Path) -> None:
    """What was appended later is behind what was there, once."""
    write(path, BLOCKS[:10], BLOCKS[5:20], BLOCKS[:3], BLOCKS[20:])
    assert ERASED == blocks_of(path)
    sink = open_sink(f"{path.suffix[1:]}:{path}")
    assert isinstance(sink, Sink)
    assert isinstance(sink, ErasingSink)
    assert position_at(BLOCKS[-1]) == sink.position(STRAND)
    sink.close()


def test_an_empty_run_moves_the_position(path: Path) -> None:
    """Only the position changes: a declared gap, or a token that is higher."""
    write(path, BLOCKS[:2])
    sink = SINKS[path.suffix[1:]](path)
    position = attrs.evolve(position_at(BLOCKS[4]), sequence_no=4)
    assert position == sink.apply([], position, 3)
    sink.close()
    sink = SINKS[path.suffix[1:]](path)
    assert position == sink.position(STRAND)
    with pytest.raises(StaleTokenError):
        sink.apply(BLOCKS[5:6], position_at(BLOCKS[5]), 2)
    sink.close()
    assert BLOCKS[:2] == blocks_of(path)


def test_a_higher_token_counts_from_when_it_is_seen(path: Path) -> None:
    """Also where it brought nothing new."""
    sink = SINKS[path.suffix[1:]](path)
    sink.apply(BLOCKS[:2], position_at(BLOCKS[1]), 1)
    sink.apply(BLOCKS[:2], position_at(BLOCKS[1]), 5)
    with pytest.raises(StaleTokenError):
        sink.apply(BLOCKS[2:3], position_at(BLOCKS[2]), 4)
    sink.close()


def test_a_cut_anywhere_is_taken_up(path: Path) -> None:
    """Cut at any byte of the last run, it goes on as if that run had not been."""
    write(path, BLOCKS[:2])
    first = path.stat().st_size
    write(path, BLOCKS[2:4])
    whole = path.read_bytes()
    for cut in (*range(first, len(whole), 13), *range(len(whole) - 30, len(whole))):
        path.write_bytes(whole[:cut])
        sink = SINKS[path.suffix[1:]](path)
        assert position_at(BLOCKS[1]) == sink.position(STRAND)
        sink.apply(BLOCKS[2:4], position_at(BLOCKS[3]), 0)
        sink.close()
        assert whole == path.read_bytes()


def test_a_half_record_is_told(path: Path) -> None:
    """What a crash left is reported by who reads the file before its sink takes it up."""
    write(path, BLOCKS[:2])
    whole = path.read_bytes()
    write(path, BLOCKS[2:3])
    path.write_bytes(path.read_bytes()[: len(whole) + 50])
    found = [item for item in open_source(path).items() if isinstance(item, Undecodable)]
    assert [len(whole)] == [item.offset for item in found]
    assert not verify(path).ok


@pytest.mark.parametrize("is_later", [False, True])
def test_a_redaction_takes_the_data_out(path: Path, *, is_later: bool) -> None:
    """Whether it comes with what it redacts or later, the bytes are gone and all is proven."""
    runs = [[block] for block in BLOCKS] if is_later else [BLOCKS]
    write(path, *runs)
    data = path.read_bytes()
    erased = 0
    for before, after in zip(BLOCKS, ERASED, strict=True):
        for full, left in zip(before.revisions, after.revisions, strict=True):
            if full.data_ion is None or left.data_ion is not None:
                continue
            erased += 1
            ion = full.data_ion.to_bytes()
            assert ion[-40:] not in data
            assert base64.b64encode(ion)[20:-20] not in data
    assert erased
    assert verify(path).ok
    assert ERASED == blocks_of(path)
    assert [path] == list(path.parent.iterdir())


def test_redacted_copies_erase(path: Path) -> None:
    """A redacted copy that comes after its block takes the data out of the file."""
    last = next(i for i, b in enumerate(BLOCKS) if b.summary.redaction_info is not None)
    write(path, BLOCKS[:last])
    sink = SINKS[path.suffix[1:]](path)
    assert BLOCKS[:last] == blocks_of(path)
    before = path.stat()
    sink.erase(BLOCKS[:last], 0)  # nothing in these copies is redacted
    assert before.st_ino == path.stat().st_ino
    sink.erase(ERASED[:last], 0)
    assert ERASED[:last] == blocks_of(path)
    sink.apply(BLOCKS[last:], position_at(BLOCKS[-1]), 1)
    with pytest.raises(StaleTokenError):
        sink.erase(ERASED, 0)
    sink.close()
    assert ERASED == blocks_of(path)


def test_a_redaction_keeps_the_files_mode_and_symlink(path: Path) -> None:
    """The file that takes the other's place can be read by the same people, by the same names."""
    write(path, BLOCKS[:-1])
    path.chmod(0o640)
    link = path.with_name(f"link.{path.suffix[1:]}")
    link.symlink_to(path.name)
    write(link, BLOCKS)
    sink = SINKS[path.suffix[1:]](link)
    sink.erase(ERASED, 0)
    sink.close()
    assert link.is_symlink()
    assert 0o640 == path.stat().st_mode & 0o777


def test_a_redaction_launders_no_damage(path: Path) -> None:
    """A file of which older parts are damaged is not written anew as if it were sound."""
    last = next(i for i, b in enumerate(BLOCKS) if b.summary.redaction_info is not None)
    write(path, *([block] for block in BLOCKS[:last]))
    data = bytearray(path.read_bytes())
    data[data.index(b"Id") + 9] ^= 1
    path.write_bytes(data)
    sink = SINKS[path.suffix[1:]](path)
    with pytest.raises(SinkUnavailableError, match="is damaged: what stands before byte"):
        sink.apply(BLOCKS[last:], position_at(BLOCKS[-1]), 0)
    assert position_at(BLOCKS[last - 1]) == sink.position(STRAND)
    sink.close()
    assert data == path.read_bytes()


def test_filtered_blocks_are_refused(path: Path) -> None:
    """What a filter changed would not verify, so it is named and not archived."""
    block = next(b for b in BLOCKS if any(r.kind is RevisionKind.INSERT for r in b.revisions))
    masked = tuple(attrs.evolve(r, masked=("a.b",)) for r in block.revisions)
    withheld = tuple(attrs.evolve(r, is_withheld=True, data_ion=None) for r in block.revisions)
    sink = SINKS[path.suffix[1:]](path)
    for changed in (
        attrs.evolve(block, filtered=Filtered({})),
        attrs.evolve(block, revisions=masked),
        attrs.evolve(block, revisions=withheld),
    ):
        with pytest.raises(SinkRefusedError, match="a filter changed it"):
            sink.apply([changed], position_at(changed), 0)
    sink.close()
    assert not path.exists()


def test_a_redaction_that_cannot_be_read_is_refused_by_block(path: Path) -> None:
    """The block is named, and nothing of its run is kept."""
    broken = attrs.evolve(BLOCKS[1].summary, redaction_info=RedactionInfo(to_slice({"x": 1})))
    sink = SINKS[path.suffix[1:]](path)
    with pytest.raises(SinkRefusedError) as caught:
        sink.apply([BLOCKS[0], Block(broken)], position_at(BLOCKS[1]), 0)
    assert (STRAND, 1) == (caught.value.strand_id, caught.value.sequence_no)
    assert None is sink.position(STRAND)
    sink.close()


def test_a_disk_that_is_full_changes_nothing(path: Path) -> None:
    """Neither appending nor writing anew for a redaction leaves anything half done."""
    last = next(i for i, b in enumerate(BLOCKS) if b.summary.redaction_info is not None)
    write(path, BLOCKS[:last])
    before = path.read_bytes()
    sink = SINKS[path.suffix[1:]](path)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, hard))
    try:
        with pytest.raises(SinkUnavailableError, match="File too large"):
            sink.apply(BLOCKS[last:], position_at(BLOCKS[-1]), 0)
        with pytest.raises(SinkUnavailableError, match="File too large"):
            sink.erase(ERASED, 0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert position_at(BLOCKS[last - 1]) == sink.position(STRAND)
    assert before == path.read_bytes()
    assert {path.name, f"{path.name}.lock"} == {x.name for x in path.parent.iterdir()}
    sink.apply(BLOCKS[last:], position_at(BLOCKS[-1]), 0)
    sink.close()
    assert ERASED == blocks_of(path)


DURABLE_BY = ("fsync", "replace", "unlink")  # what makes things durable, and what comes after


def test_a_kill_at_any_step_loses_nothing_and_repeats_nothing(path: Path) -> None:
    """Killed at each system call that matters, and started again, it ends like a clean run."""
    for step in itertools.count(0, 3):
        fresh = path.with_name(f"{step}{path.suffix}")
        url = f"{path.suffix[1:]}:{fresh}"
        was_killed = is_killed(url, step, DURABLE_BY, 5)
        write_to_the_end(url, DURABLE_BY, 5)
        assert ERASED == blocks_of(fresh)
        if not was_killed:
            break
    assert step > 3  # it was killed somewhere
    assert {path.suffix} == {x.suffix for x in path.parent.iterdir()}


def test_the_documented_commands_read_an_archive_back(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What docs/sinks-files.md shows works as it stands there."""
    monkeypatch.chdir(tmp_path)
    write_archive(JOURNAL.iter_records(), tmp_path / "archive")
    text = (REPOSITORY / "docs" / "sinks-files.md").read_text(encoding="utf-8")
    commands = [line for line in text.splitlines() if line.startswith("qldb-stream ")]
    mine = [shlex.split(line, comments=True)[1:] for line in commands if path.name in line]
    assert 2 == len(mine)
    for arguments in mine:
        done = subprocess.run([sys.executable, "-m", "qldb_stream", *arguments], check=False)
        assert 0 == done.returncode

"""`jsonl:` holds every block once, whatever cut it off, and everything can be proven from it."""

from __future__ import annotations

import base64
import json
import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import attrs
import pytest

from qldb_stream.errors import (
    LedgerFileError,
    SinkRefusedError,
    SinkUnavailableError,
    StaleTokenError,
    UsageError,
)
from qldb_stream.events import Block, BlockSummary, RevisionDetails
from qldb_stream.parsers.record import parse_record
from qldb_stream.plugins import open_sink
from qldb_stream.report import Gap, Position
from qldb_stream.sinks.jsonl import JsonlSink
from qldb_stream.testing.journals import JournalShape, make_journal
from qldb_stream.typing import Sink
from tests.sinks.steps import with_broken_document

JOURNAL = make_journal(11, blocks=40)
BLOCKS = list(JOURNAL)
ERASED = list(JOURNAL.with_erased())  # as they are when all is applied: the redactions too
STRAND = JOURNAL.strand_id


def position_at(block: Block) -> Position:
    """Give the position that a block leads to."""
    return Position(block.address.strand_id, block.address.sequence_no, block.block_hash)


def apply(sink: JsonlSink, blocks: Sequence[Block], token: int = 0) -> Position:
    """Apply a run of blocks, to the position of its last."""
    return sink.apply(blocks, position_at(blocks[-1]), token)


def write(path: Path, *runs: Sequence[Block]) -> bytes:
    """Write runs of blocks, each by a sink of its own; answer the file's bytes."""
    for run in runs:
        sink = JsonlSink(path)
        apply(sink, run)
        sink.close()
    return path.read_bytes()


def lines_of(data: bytes) -> list[dict[str, Any]]:
    """Read all lines as JSON."""
    assert data.endswith(b"\n")
    return [json.loads(line) for line in data.decode("ascii").split("\n")[:-1]]


def records_of(data: bytes) -> Iterator[bytes]:
    """Give the Ion of each record line."""
    for line in lines_of(data):
        if "ion" in line:
            yield base64.b64decode(line["ion"])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that is not there yet."""
    return tmp_path / "journal.jsonl"


def test_it_is_a_sink_that_a_url_opens(path: Path) -> None:
    """The URL's path is the file; without one there is nothing to write."""
    sink = open_sink(f"jsonl:{path}")
    assert isinstance(sink, Sink)
    sink.close()
    with pytest.raises(UsageError, match="write jsonl:PATH"):
        open_sink("jsonl:")


def test_the_ion_of_a_line_is_the_record_whole(path: Path) -> None:
    """From the lines come the same events as from the stream, hashes of data included."""
    expected: list[object] = []
    for block in ERASED:
        expected.append(block.summary)
        expected += [
            RevisionDetails(JOURNAL.stream_arn, revision)
            for revision in block.revisions
            if revision.metadata is not None
        ]
    assert expected == [parse_record(record) for record in records_of(write(path, BLOCKS))]


def test_redacted_revisions_and_unknown_tables_are_archived(path: Path) -> None:
    """A dataHash takes the place of data, and what is not known is left out."""
    shape = JournalShape(redactions=1, least_revisions=1, most_revisions=1)
    blocks = list(make_journal(13, blocks=30, shape=shape).with_erased())
    erased = next(b for b in blocks if any(r.data_hash is not None for r in b.revisions))
    revisions = tuple(attrs.evolve(revision, table=None) for revision in erased.revisions)
    written = write(path, [attrs.evolve(erased, revisions=revisions)])
    events = [parse_record(record) for record in records_of(written)]
    assert list(revisions) == [e.revision for e in events if isinstance(e, RevisionDetails)]


def test_the_rest_of_a_line_is_readable(path: Path) -> None:
    """Names are QLDB's own, and documents stand there as JSON."""
    lines = lines_of(write(path, BLOCKS))
    assert ("HEADER", 1) == (lines[0]["recordType"], lines[0]["version"])
    assert "POSITION" == lines[-1]["recordType"]
    assert BLOCKS[0].summary.transaction_id == lines[1]["payload"]["transactionId"]
    moment = BLOCKS[0].summary.block_timestamp.isoformat(timespec="milliseconds")
    assert moment.replace("+00:00", "Z") == lines[1]["payload"]["blockTimestamp"]
    details = [line for line in lines if line["recordType"] == "REVISION_DETAILS"]
    with_data = [r for b in ERASED for r in b.revisions if r.data_ion is not None]
    shown = [
        d["payload"]["revision"]["data"] for d in details if "data" in d["payload"]["revision"]
    ]
    assert [set(revision.data) for revision in with_data] == [set(data) for data in shown]


def test_a_repeat_changes_no_byte(path: Path) -> None:
    """The same run again, a prefix, and an overlap leave what one run wrote."""
    once = write(path, BLOCKS[:10])
    assert once == write(path, BLOCKS[:10], BLOCKS[:3])
    overlapping = write(path, BLOCKS[5:20])
    clean = write(path.with_name("clean"), BLOCKS[:10], BLOCKS[10:20])
    assert clean == overlapping


def test_the_position_outlives_the_sink(path: Path) -> None:
    """Whoever opens the file next finds parked numbers, gaps and token again."""
    position = attrs.evolve(
        position_at(BLOCKS[3]), parked=frozenset({1, 2}), gaps=(Gap(0, 0, "lost\n"),)
    )
    sink = JsonlSink(path)
    sink.apply(BLOCKS[1:4], position, 7)
    sink.close()
    sink = JsonlSink(path)
    assert position == sink.position(STRAND)
    assert None is sink.position("another")
    with pytest.raises(StaleTokenError) as caught:
        apply(sink, BLOCKS[4:5], 6)
    assert StaleTokenError(STRAND, 7, 6) == caught.value
    sink.close()


def test_strands_share_a_file(path: Path) -> None:
    """Each strand has its own position, and the last line knows both."""
    other = list(make_journal(12, blocks=5))
    write(path, BLOCKS[:4], other, BLOCKS[4:6])
    sink = JsonlSink(path)
    assert position_at(BLOCKS[5]) == sink.position(STRAND)
    assert position_at(other[-1]) == sink.position(other[-1].address.strand_id)
    sink.close()


def test_a_crash_at_any_byte_loses_nothing_and_repeats_nothing(path: Path) -> None:
    """A file that is cut anywhere is taken up where its last whole run ended."""
    first = len(write(path, BLOCKS[:2]))
    whole = write(path, BLOCKS[2:4])
    for cut in (*range(first, len(whole), 7), *range(len(whole) - 40, len(whole))):
        path.write_bytes(whole[:cut])
        sink = JsonlSink(path)
        assert position_at(BLOCKS[1]) == sink.position(STRAND)
        if cut % 10 == 0:
            apply(sink, BLOCKS[2:4])
        sink.close()
        assert (whole if cut % 10 == 0 else whole[:cut]) == path.read_bytes()


def test_pages_that_the_disk_lost_are_written_again(path: Path) -> None:
    """A POSITION line whose lines did not reach the disk is not believed."""
    first = len(write(path, BLOCKS[:2]))
    whole = write(path, BLOCKS[2:4])
    hole = bytearray(whole)
    hole[first + 100 : first + 200] = bytes(100)
    path.write_bytes(hole)
    assert whole == write(path, BLOCKS[2:4])


@pytest.mark.parametrize(
    "line",
    [
        b'{"recordType":"POSITION","bytes":0}\n',
        b'{"recordType":"POSITION","bytes":"x"}\n',
        b'{"recordType":"POSITION",\n',
        b'{"recordType":"POSITION","bytes":99999999,"sha256":"","positions":[]}\n',
        b'{"recordType":"POSITION","bytes":1e999,"sha256":"","positions":[]}\n',
        b'{"recordType":"POSITION","bytes":-1,"sha256":"","positions":[]}\n',
        b'{"recordType":"POSITION","bytes":true,"sha256":"","positions":[]}\n',
        b'{"recordType":"POSITION","a":' + b"[" * 100_000 + b"\n",
    ],
)
def test_a_position_line_that_makes_no_sense_is_not_believed(path: Path, line: bytes) -> None:
    """What only looks like the end of a run is cut off."""
    whole = write(path, BLOCKS[:2])
    path.write_bytes(whole + line)
    sink = JsonlSink(path)
    assert position_at(BLOCKS[1]) == sink.position(STRAND)
    apply(sink, BLOCKS[2:3])
    sink.close()
    assert write(path.with_name("clean"), BLOCKS[:2], BLOCKS[2:3]) == path.read_bytes()


def test_a_negative_length_closes_nothing(path: Path) -> None:
    """A POSITION line over less than nothing is not believed, whatever hash it gives."""
    whole = write(path, BLOCKS[:2])
    found = lines_of(whole)[-1]
    # A place behind the file's end, from which nothing can be read: the hash fits that.
    forged = {**found, "bytes": -10_000, "sha256": sha256(b"").hexdigest()}
    path.write_bytes(whole + json.dumps(forged, separators=(",", ":")).encode() + b"\n")
    sink = JsonlSink(path)
    assert position_at(BLOCKS[1]) == sink.position(STRAND)
    apply(sink, BLOCKS[2:3])
    sink.close()
    assert write(path.with_name("clean"), BLOCKS[:2], BLOCKS[2:3]) == path.read_bytes()


def test_damage_of_the_only_run_is_refused(path: Path) -> None:
    """Nothing before it would tell that its blocks are gone, so nothing is cut off."""
    whole = write(path, BLOCKS[:2])
    for bit in (8 * (len(whole) // 2), 8 * len(whole) - 300):
        data = bytearray(whole)
        data[bit // 8] ^= 1
        path.write_bytes(data)
        with pytest.raises(UsageError, match="is damaged"):
            write(path, BLOCKS[2:4])
        assert bytes(data) == path.read_bytes()


def test_a_first_run_that_was_cut_off_is_written_again(path: Path) -> None:
    """A crash within the first apply left less than a whole POSITION line."""
    whole = write(path, BLOCKS[:2])
    path.unlink()
    for cut in range(len(whole) - 400, len(whole) - 1, 7):
        path.write_bytes(whole[:cut])
        assert whole == write(path, BLOCKS[:2])
        path.unlink()


def test_damage_before_the_last_run_is_refused(path: Path) -> None:
    """What no crash can have done is told, and the file is left as it is."""
    ends = [len(write(path, BLOCKS[start : start + 2])) for start in (0, 2, 4)]
    data = bytearray(path.read_bytes())
    for end in ends[:2]:
        data[end + 50] ^= 1
    path.write_bytes(data)
    with pytest.raises(UsageError, match="is damaged: what stands before byte"):
        JsonlSink(path)
    assert data == path.read_bytes()


def test_a_run_longer_than_a_window_is_found_from_behind(path: Path) -> None:
    """The last POSITION line is found through many windows of lines that do not count."""
    whole = write(path, BLOCKS[:2])
    path.write_bytes(whole + (b"x" * 100_000 + b"\n") * 3 + b"y" * 200_000)
    sink = JsonlSink(path)
    assert position_at(BLOCKS[1]) == sink.position(STRAND)
    sink.close()


def test_a_file_with_nothing_but_its_header_has_no_position(path: Path) -> None:
    """A crash before the first run leaves a file that is taken up from the start."""
    path.touch()
    JsonlSink(path).close()
    sink = JsonlSink(path)
    assert None is sink.position(STRAND)
    sink.close()


@pytest.mark.parametrize(
    "content", [b"hello\n", b"[1]\n", b'{"format":"x"}\n', b"\xff\x00", b"1", b"[" * 1024]
)
def test_a_stranger_is_left_as_it_is(path: Path, content: bytes) -> None:
    """A file that is not ours is refused and not touched."""
    path.write_bytes(content)
    with pytest.raises(UsageError, match="is not a file of jsonl:"):
        JsonlSink(path)
    assert content == path.read_bytes()


def test_a_newer_version_is_refused(path: Path) -> None:
    """A file of a later format says what is needed to read it."""
    write(path, BLOCKS[:1])
    path.write_bytes(path.read_bytes().replace(b'"version":1', b'"version":2', 1))
    with pytest.raises(UsageError, match=r"has version 2 of the format, .* knows 1"):
        JsonlSink(path)


def test_a_file_has_one_writer(path: Path) -> None:
    """The lock keeps a second sink out, and a killed process does not hold it."""
    sink = JsonlSink(path)
    with pytest.raises(SinkUnavailableError, match="another process or sink is writing it"):
        JsonlSink(path)
    sink.close()
    JsonlSink(path).close()


def test_a_file_has_one_writer_under_all_its_names(path: Path) -> None:
    """A symlink is the file that it leads to, also before that file is made."""
    link = path.with_name("link")
    link.symlink_to(path.name)
    for first, second in ((link, path), (path, link)):
        sink = JsonlSink(first)
        with pytest.raises(SinkUnavailableError, match="another process or sink is writing it"):
            JsonlSink(second)
        sink.close()
    once = write(link, BLOCKS[:2])
    assert once == path.read_bytes()
    assert link.is_symlink()
    assert not link.with_name("link.lock").exists()


def test_opening_and_closing_change_no_byte(path: Path) -> None:
    """What a crash left behind the end is cut off by the next apply that writes, not before."""
    whole = write(path, BLOCKS[:2])
    torn = whole + b'{"recordType":"BLOCK_SUM'
    path.write_bytes(torn)
    sink = JsonlSink(path)
    apply(sink, BLOCKS[:1])  # already there
    sink.close()
    assert torn == path.read_bytes()
    assert write(path.with_name("clean"), BLOCKS[:2], BLOCKS[2:3]) == write(path, BLOCKS[2:3])


def test_a_killed_writer_leaves_no_lock(path: Path) -> None:
    """After SIGKILL the next one opens the file at once."""
    code = (
        "import os, sys, signal; from qldb_stream.sinks.jsonl import JsonlSink; "
        "sink = JsonlSink(sys.argv[1]); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert -9 == done.returncode
    JsonlSink(path).close()


def test_a_path_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A folder that does not exist, or one in the file's place, is the caller's mistake."""
    with pytest.raises(UsageError, match=r"cannot write .*nowhere.* No such file"):
        JsonlSink(tmp_path / "nowhere" / "x.jsonl")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "x").touch()
    with pytest.raises(UsageError, match="Is a directory"):
        JsonlSink(tmp_path / "folder")
    assert {"folder"} == {x.name for x in tmp_path.iterdir()}
    for name in (".", "..", "/", f"{tmp_path}/folder/"):
        with pytest.raises(UsageError, match=r"cannot write .*: Is a directory; write jsonl:PATH"):
            open_sink(f"jsonl:{name}")
    with pytest.raises(UsageError, match="it is no path"):
        open_sink("jsonl:a\0b")


@pytest.mark.parametrize("scheme", ["jsonl", "ledger"])
@pytest.mark.parametrize("is_link", [False, True])
def test_no_file_takes_the_place_of_a_pipe(tmp_path: Path, scheme: str, *, is_link: bool) -> None:
    """What is neither a file nor nothing is refused, and left as it is."""
    pipe = named = tmp_path / "pipe"
    os.mkfifo(pipe)
    if is_link:
        named = tmp_path / "link"
        named.symlink_to(pipe)
    before = {x.name for x in tmp_path.iterdir()}
    with pytest.raises((UsageError, LedgerFileError), match="found a device, pipe or socket"):
        open_sink(f"{scheme}:{named}")
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert before == {x.name for x in tmp_path.iterdir()}


def test_a_disk_that_refuses_leaves_the_position_where_it_was(path: Path) -> None:
    """What could not be written is not there, and the run can be repeated."""
    sink = JsonlSink(path)
    apply(sink, BLOCKS[:2])
    # The limit counts for this process alone: the system then refuses to let files grow.
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 100, hard))
    try:
        with pytest.raises(SinkUnavailableError, match="File too large"):
            apply(sink, BLOCKS[2:4])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert position_at(BLOCKS[1]) == sink.position(STRAND)
    apply(sink, BLOCKS[2:4])
    sink.close()
    assert write(path.with_name("clean"), BLOCKS[:2], BLOCKS[2:4]) == path.read_bytes()


def test_a_document_that_is_no_ion_is_refused_by_block(path: Path) -> None:
    """A block that cannot be shown is named, and nothing of its run is kept."""
    block = with_broken_document(BLOCKS)
    sink = JsonlSink(path)
    with pytest.raises(SinkRefusedError) as caught:
        apply(sink, [block])
    assert block.address.sequence_no == caught.value.sequence_no
    assert None is sink.position(STRAND)
    sink.close()


def test_a_block_without_stream_is_read_back_as_it_was(path: Path) -> None:
    """Blocks that came from an export can be archived too."""
    summary = attrs.evolve(BLOCKS[0].summary, stream_arn=None)
    (record,) = records_of(write(path, [Block(summary)]))
    read = parse_record(record)
    assert isinstance(read, BlockSummary)
    assert summary == read


def test_nothing_but_the_file_is_left(path: Path) -> None:
    """What helped to make the file is gone when it is closed."""
    write(path, BLOCKS[:1])
    assert ["journal.jsonl"] == [x.name for x in path.parent.iterdir()]


@pytest.mark.parametrize("is_there", [False, True])
def test_a_file_that_took_nothing_is_not_left(path: Path, *, is_there: bool) -> None:
    """Closed before anything was applied, the path holds what it held before."""
    if is_there:
        path.touch()
    sink = JsonlSink(path)
    assert path.stat().st_size
    sink.close()
    sink.close()
    assert [path] * is_there == list(path.parent.iterdir())
    assert not is_there or b"" == path.read_bytes()


def test_a_refused_file_has_no_lock_left(path: Path) -> None:
    """A file of another kind stays as it is, alone."""
    path.write_text("mine")
    with pytest.raises(UsageError):
        JsonlSink(path)
    assert [(path, "mine")] == [(x, x.read_text()) for x in path.parent.iterdir()]


@pytest.mark.parametrize("start", [None, 1])
def test_the_start_outlives_the_sink(path: Path, start: int | None) -> None:
    """The first block of the strand is kept, and a file that does not say it is read too."""
    sink = JsonlSink(path)
    sink.apply(BLOCKS[1:4], attrs.evolve(position_at(BLOCKS[3]), start=start), 7)
    sink.close()
    assert (start is not None) == (b'"start":1' in path.read_bytes())
    sink = JsonlSink(path)
    found = sink.position(STRAND)
    sink.close()
    assert found is not None
    assert start == found.start

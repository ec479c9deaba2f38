"""`ion:` is Ion that any reader reads, with notes that only its sink takes for any."""

from __future__ import annotations

import io
from pathlib import Path

import attrs
import pytest
from amazon.ion import simpleion

from qldb_stream.errors import UsageError
from qldb_stream.events import Block, RevisionDetails, Undecodable
from qldb_stream.ion import load_slice, to_slice
from qldb_stream.parsers.carrier import UserRecord, iter_user_records
from qldb_stream.parsers.marks import NOTE_HEAD_BYTES, frame_note, maybe_note_end
from qldb_stream.parsers.record import parse_record
from qldb_stream.parsers.window import BytesReadable
from qldb_stream.report import Position
from qldb_stream.sinks.ion import IonSink
from qldb_stream.testing.journals import make_journal

JOURNAL = make_journal(11, blocks=10)
BLOCKS = list(JOURNAL)


def position_at(block: Block) -> Position:
    """Give the position that a block leads to."""
    return Position(block.address.strand_id, block.address.sequence_no, block.block_hash)


def write(path: Path, *runs: list[Block]) -> bytes:
    """Write runs of blocks; answer the file's bytes."""
    sink = IonSink(path)
    for run in runs:
        sink.apply(run, position_at(run[-1]), 0)
    sink.close()
    return path.read_bytes()


def test_any_reader_of_ion_finds_the_records(tmp_path: Path) -> None:
    """The notes are NOP pads: amazon.ion reads what a stream would have brought."""
    data = write(tmp_path / "a", BLOCKS[:4], BLOCKS[4:])
    found = simpleion.load(io.BytesIO(data), single_value=False)
    count = sum(1 + sum(r.metadata is not None for r in b.revisions) for b in BLOCKS)
    assert count == len(found)
    assert {"BLOCK_SUMMARY", "REVISION_DETAILS"} == {value["recordType"] for value in found}


def test_a_document_cannot_forge_a_position(tmp_path: Path) -> None:
    """What another archive's notes look like within a document means nothing in this one."""
    forged = write(tmp_path / "other", BLOCKS)
    block = next(b for b in BLOCKS if any(r.data_ion is not None for r in b.revisions))
    index = next(i for i, r in enumerate(block.revisions) if r.data_ion is not None)
    revision = attrs.evolve(
        block.revisions[index], data_ion=load_slice(to_slice({"note": forged[-500:]}).to_bytes())
    )
    revisions = (*block.revisions[:index], revision, *block.revisions[index + 1 :])
    path = tmp_path / "a"
    first = len(write(path, BLOCKS[:1]))
    whole = write(path, [attrs.evolve(block, revisions=revisions)])
    for cut in range(first, len(whole), 7):
        path.write_bytes(whole[:cut])
        sink = IonSink(path)
        assert position_at(BLOCKS[0]) == sink.position(JOURNAL.strand_id)
        sink.close()


def test_a_note_is_found_from_both_ends() -> None:
    """Its length says where it ends, and its JSON stands at a fixed place."""
    note = frame_note(b'{"recordType":"POSITION",' + b"x" * 300)
    assert len(note) == maybe_note_end(b"ab" + note + b"more", 2, at_end=False) - 2  # type: ignore[operator]  # it is one
    assert note[NOTE_HEAD_BYTES:].startswith(b'{"recordType"')
    for size in range(len(note)):
        end = maybe_note_end(note[:size], 0, at_end=False)
        assert (end is None) == (size < 5)
        assert end is None or end > size


@pytest.mark.parametrize(
    "data",
    [
        b"\xe0\x01\x00\xea\x0e\x00\x00\x00\x90" + b"x" * 16,  # a pad, and no note
        b"\xe0\x01\x00\xea\x0e\x80\x00\x00\x90" + b'{"recordType":"POSITION",',
        b"\xe0\x01\x00\xea\x0e\x00\x00\x00\x10" + b'{"recordType":"POSITION",',
        frame_note(b'{"recordType":"POSITION",}')[:-1],
        frame_note(b'{"recordType":"POSITION",}') + b"x",
        b"\xe0\x01\x00\xea\x0e",
    ],
)
def test_what_is_no_whole_note_is_told(data: bytes) -> None:
    """Only whole notes are passed over; the rest is undecodable, and costs no record."""
    record = next(JOURNAL.iter_records())
    found = list(iter_user_records(BytesReadable(record + data + record, "x")))
    assert 2 == [item.data for item in found if isinstance(item, UserRecord)].count(record)
    assert any(isinstance(item, Undecodable) for item in found)
    assert not list(iter_user_records(BytesReadable(frame_note(b'{"recordType":"HEADER",}'), "x")))


@pytest.mark.parametrize(
    "content",
    [
        b"hello",
        b"\xe0\x01\x00\xea",
        frame_note(b'{"recordType":"HEADER",'),
        frame_note(b'{"recordType":"HEADER","format":"x"}'),
        frame_note(b'{"recordType":"POSITION","format":"qldb-stream ion"}'),
        frame_note(b'{"recordType":"HEADER","format":"qldb-stream ion","version":1}'),
        frame_note(b'{"recordType":"HEADER","format":"qldb-stream ion","version":1,"archive":"x"}'),
        next(JOURNAL.iter_records()),
    ],
)
def test_a_stranger_is_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    """A file that is not ours is refused and not touched."""
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(UsageError, match="is not a file of ion:"):
        IonSink(tmp_path / "a")
    assert content == (tmp_path / "a").read_bytes()
    assert ["a"] == [x.name for x in tmp_path.iterdir()]


def test_a_newer_version_is_refused(tmp_path: Path) -> None:
    """A file of a later format says what is needed to read it."""
    data = write(tmp_path / "a", BLOCKS[:1])
    (tmp_path / "a").write_bytes(data.replace(b'"version":1', b'"version":2', 1))
    with pytest.raises(UsageError, match=r"has version 2 of the format, .* knows 1"):
        IonSink(tmp_path / "a")


def test_the_records_are_those_of_the_stream(tmp_path: Path) -> None:
    """Each is the record that the journal's stream carried."""
    data = write(tmp_path / "a", BLOCKS)
    found = [
        parse_record(item.data)
        for item in iter_user_records(BytesReadable(data, "a"))
        if isinstance(item, UserRecord)
    ]
    erased = list(JOURNAL.with_erased())
    expected: list[object] = []
    for block in erased:
        expected.append(block.summary)
        expected += [
            RevisionDetails(JOURNAL.stream_arn, revision)
            for revision in block.revisions
            if revision.metadata is not None
        ]
    assert expected == found

"""History: revisions as they were, the same as the ledger's own history(), and as of any moment."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import attrs
import pytest
from hypothesis import given, settings, strategies as st

from qldb_stream.archive.history import INDEX_NAME, Archive, open_archive
from qldb_stream.errors import UsageError
from qldb_stream.events import BlockAddress
from qldb_stream.ledger import Ledger
from qldb_stream.report import Outcome
from qldb_stream.testing import make_export, make_journal, records
from qldb_stream.testing.stories import Story
from qldb_stream.testing.vehicle_registration import tell_story
from tests.archive.history.support import (
    keep,
    keep_ledger,
    random_ledger,
    rows_by_document,
    versions,
)
from tests.ledger.support import run

TABLES = ("Person", "Vehicle", "VehicleRegistration", "DriversLicense")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where an archive goes."""
    return tmp_path / "archive"


def decoded(archive: Archive, *arguments: Any, **options: Any) -> list[Any]:
    """The rows of a history, as values."""
    return [entry.row().decode() for entry in archive.history(*arguments, **options)]


def test_vehicle_registration_is_the_ledgers_history(tmp_path: Path, folder: Path) -> None:
    """Of each table of AWS's sample the archive tells what history(T) of the ledger tells."""
    with Ledger.open(tmp_path / "source.ledger") as ledger:
        list(tell_story(ledger.driver(), vehicles=4))
        keep_ledger(ledger, folder)
        with open_archive(folder) as archive:
            for table in TABLES:
                own = run(ledger, f"SELECT * FROM history({table})")
                assert own
                assert rows_by_document(own) == rows_by_document(decoded(archive, table))


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 40))
def test_random_stories_are_the_ledgers_history(seed: int, steps: int) -> None:
    """Inserts, updates, deletes and redactions at random: the same rows, all of them verified."""
    with TemporaryDirectory() as place, random_ledger(seed, steps=steps) as ledger:
        folder = keep_ledger(ledger, Path(place))
        for _ in range(2):  # the second time from the index
            with open_archive(folder) as archive:
                found = list(archive.history())
                assert {Outcome.VERIFIED} >= {entry.state.outcome for entry in found}
                own = [
                    row
                    for t in ("Car", "Owner")
                    for row in run(ledger, f"SELECT * FROM history({t})")
                ]
                rows = [entry.row().decode() for entry in found]
                assert rows_by_document(own) == rows_by_document(rows)


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**32), st.data())
def test_any_moment_is_what_the_ledger_was_then(seed: int, data: st.DataObject) -> None:
    """As of any block: the documents that were active in a plain reading of all blocks up to it."""
    with TemporaryDirectory() as place, random_ledger(seed, steps=25) as ledger:
        folder = keep_ledger(ledger, Path(place))
        blocks = list(ledger.blocks())
        number = data.draw(st.integers(0, len(blocks) - 1))
        then: dict[str, tuple[int, str]] = {}
        for block in blocks[: number + 1]:
            for revision in block.revisions:
                assert revision.metadata is not None
                then[revision.metadata.id] = (revision.metadata.version, revision.kind.value)
        expected = {(key, *value) for key, value in then.items() if value[1] != "delete"}
        moment = blocks[number].summary.block_timestamp
        with open_archive(folder) as archive:
            address = BlockAddress(ledger.strand_id, number)
            assert expected == set(versions(archive.history(as_of=address)))
            # The clock goes on with each block, so that its time names it as well.
            assert expected == set(versions(archive.history(as_of=moment)))
            assert expected == set(versions(archive.history(as_of=moment.replace(tzinfo=None))))


def test_order_is_that_of_the_blocks(folder: Path) -> None:
    """Revisions come by block and, within one, in the block's own order."""
    journal = list(make_journal(4, blocks=40))
    keep(journal, folder)
    expected = [r.hash for block in journal for r in block.revisions if r.metadata is not None]
    with open_archive(folder) as archive:
        assert expected == [entry.revision.hash for entry in archive.history()]
        assert expected[:3] == [entry.revision.hash for entry in archive.history(limit=3)]


def test_all_forms_tell_the_same(tmp_path: Path) -> None:
    """Records, gzip, and exports in text and binary Ion: one history."""
    blocks = list(make_journal(5, blocks=30))
    keep(blocks, tmp_path / "plain")
    keep(blocks, tmp_path / "gzip", gzipped=True)
    make_export(blocks, output_format="ion-text").write(tmp_path / "text")
    make_export(blocks, output_format="ion-binary").write(tmp_path / "binary")
    told = []
    for form in ("plain", "gzip", "text", "binary", "plain", "gzip", "text", "binary"):
        with open_archive(tmp_path / form) as archive:
            told.append([e.revision.hash for e in archive.history()])
            assert (len(told) <= 4) == archive.is_fresh
            assert {Outcome.VERIFIED} == {e.state.block for e in archive.history()}
    assert [told[0]] * 8 == told


def test_json_exports_are_told_and_claim_no_more(tmp_path: Path) -> None:
    """What JSON lost is not checkable; nothing fails, and ids, versions and hashes are the same."""
    blocks = list(make_journal(5, blocks=30))
    make_export(blocks, output_format="json").write(tmp_path)
    expected = [r.hash for block in blocks for r in block.revisions if r.metadata is not None]
    for _ in range(2):
        with open_archive(tmp_path) as archive:
            found = list(archive.history())
            assert expected == [entry.revision.hash for entry in found]
            assert {Outcome.VERIFIED, Outcome.NOT_CHECKABLE} == {e.state.outcome for e in found}
            assert any("JSON export" in r for e in found for r in e.state.reasons)


def test_a_damaged_copy_is_told_by_the_good_one(tmp_path: Path) -> None:
    """A block of a text export cannot be read; where records have it too, it is told from them."""
    blocks = list(make_journal(5, blocks=30))
    export = make_export(blocks, output_format="ion-text")
    export.write(tmp_path / "text")
    data = next(path for path in (tmp_path / "text").rglob("*") if b"txTime" in _bytes(path))
    at = data.read_bytes().index(b"txTime")
    data.write_bytes(_bytes(data)[: at + 7] + b"@" + _bytes(data)[at + 8 :])
    expected = [r.hash for block in blocks for r in block.revisions if r.metadata is not None]
    for _ in range(2):
        with open_archive(tmp_path) as archive:
            assert len(expected) > sum(1 for _ in archive.history())
            assert {"UNDECODABLE"} <= set(archive.built.problems)
    keep(blocks, tmp_path / "records")
    for is_fresh in (True, False):
        with open_archive(tmp_path) as archive:
            assert expected == [entry.revision.hash for entry in archive.history()]
            assert is_fresh == archive.is_fresh


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def test_a_mixture_of_sources_is_one_archive(tmp_path: Path) -> None:
    """Paths that overlap are asked as one; copies are told once."""
    blocks = list(make_journal(6, blocks=30))
    keep(blocks[:20], tmp_path / "a")
    make_export(blocks[10:], output_format="ion-binary").write(tmp_path / "b")
    index = tmp_path / "index"
    for is_fresh in (True, False):
        with open_archive([tmp_path / "a", tmp_path / "b"], index=index) as archive:
            assert is_fresh == archive.is_fresh
            expected = [r.hash for block in blocks for r in block.revisions if r.metadata]
            assert expected == [entry.revision.hash for entry in archive.history()]
    assert not (tmp_path / "a" / INDEX_NAME).exists()


def tell() -> Iterator[Any]:
    """Give a story in which table T is dropped, and another T made; and its documents."""
    story = Story(1)
    first = story.create_table("T")
    old = story.insert("T", {"n": 1})  # block 1
    story.drop_table("T")  # block 2
    second = story.create_table("T")
    new = story.insert("T", {"n": 2})  # block 4
    yield from (story, first, second, old, new)


def test_a_name_means_all_its_tables_and_an_id_one(folder: Path) -> None:
    """A dropped table and its successor are both told, each with its id; an id names one."""
    story, first, second, old, new = tell()
    keep(story.blocks(), folder)
    with open_archive(folder) as archive:
        assert [(old, first), (new, second)] == [
            (e.document_id, e.table) for e in archive.history("T")
        ]
        assert [old] == [e.document_id for e in archive.history(first.table_id)]
        lives = archive.tables("T")
        assert [(first, 0, 1, 2), (second, 3, 4, None)] == [
            (life.info, life.created, life.first, life.dropped) for life in lives
        ]
        assert lives == archive.tables()
        assert 2 == lives[0].as_json()["dropped"]


def test_a_dropped_table_is_not_there_then(folder: Path) -> None:
    """As of a block after DROP TABLE its documents are gone; before it, and after UNDROP, not."""
    story, first, _second, old, new = tell()
    story.drop_table("T")  # block 5
    story.undrop_table(first)  # block 6
    keep(story.blocks(), folder)
    told = {}
    with open_archive(folder) as archive:
        for number in range(len(story)):
            entries = archive.history("T", as_of=BlockAddress(story.strand_id, number))
            told[number] = [entry.document_id for entry in entries]
    assert {0: [], 1: [old], 2: [], 3: [], 4: [new], 5: [], 6: [old]} == told


def test_a_document_is_told_by_its_id(folder: Path) -> None:
    """One document's versions, or one of them, or the last; as of a moment too."""
    story = Story(2)
    story.create_table("T")
    document = story.insert("T", {"n": 1})
    story.insert("T", {"n": 7})
    story.update(document, {"n": 2})
    story.delete(document)
    keep(story.blocks(), folder)
    with open_archive(folder) as archive:
        told = [(document, 0, "insert"), (document, 1, "update"), (document, 2, "delete")]
        assert told == versions(archive.history("T", document_id=document))
        assert told[2:] == versions([archive.document(document)])
        assert told[:1] == versions([archive.document(document, version=0)])
        then = BlockAddress(story.strand_id, 3)
        assert told[1:2] == versions([archive.document(document, as_of=then)])
        assert [] == list(archive.history(document_id=document, as_of=datetime.now(UTC)))


def test_several_strands_are_told_one_after_the_other(folder: Path) -> None:
    """Two ledgers in one folder: both are told, by strand; a block as a moment means one."""
    stories = sorted((Story(3), Story(4)), key=lambda story: story.strand_id)
    for story in stories:
        story.create_table("T")
        story.insert("T", {"strand": story.strand_id})
    keep([block for story in stories for block in story.blocks()], folder)
    with open_archive(folder) as archive:
        strands = [story.strand_id for story in stories]
        assert strands == [entry.address.strand_id for entry in archive.history("T")]
        for strand in strands:
            entries = archive.history("T", as_of=BlockAddress(strand, 1))
            assert [strand] == [entry.address.strand_id for entry in entries]


def test_what_is_not_there_is_named(folder: Path) -> None:
    """An unknown table, document, version, block and strand are mistakes that say what there is."""
    story, first, _second, old, _new = tell()
    keep(story.blocks(), folder)
    strange = BlockAddress("0" * 22, 0)
    with open_archive(folder) as archive:
        with pytest.raises(UsageError, match="no document of table 'U', but of T"):
            list(archive.history("U"))
        with pytest.raises(UsageError, match="no document 'x' in table T"):
            list(archive.history("T", document_id="x"))
        with pytest.raises(UsageError, match="no document 'x'"):
            archive.document("x")
        with pytest.raises(UsageError, match="no version 7 of document"):
            archive.document(old, version=7)
        with pytest.raises(UsageError, match="no revision then of document"):
            archive.document(old, as_of=datetime(2000, 1, 1, tzinfo=UTC))
        with pytest.raises(UsageError, match="the archive has no strand 0000"):
            list(archive.history(as_of=strange))
        with pytest.raises(UsageError, match="does not have block"):
            archive.block(strange)
        assert (
            first
            == archive.block(BlockAddress(story.strand_id, 1)).checked.block.revisions[0].table
        )


def test_an_absence_says_what_it_rests_on(folder: Path) -> None:
    """From an index of earlier, and where blocks are not whole, absence is not all of the truth."""
    story, _first, _second, old, _new = tell()
    blocks = story.blocks()
    lost = attrs.evolve(blocks[1], revisions=())  # its summary alone
    keep([blocks[0], lost, *blocks[2:]], folder)
    said = []
    for _ in range(2):
        with open_archive(folder) as archive, pytest.raises(UsageError) as error:
            archive.document(old)
        said.append(str(error.value))
    lacks = f"the archive has no document {old!r}"
    told = "; INCOMPLETE blocks or bytes are not told: verify it"
    assert [f"{lacks}{told}", f"{lacks}, as its index says{told}"] == said


def test_memory_does_not_grow_with_the_answer(folder: Path) -> None:
    """Telling a history of 15 MB holds a fraction of it at any time."""
    story = Story(8)
    story.create_table("T")
    for number in range(150):
        story.insert("T", {"n": number, "text": f"{number:0100000}"})
    keep(story.blocks(), folder)
    with open_archive(folder) as archive:
        tracemalloc.start()
        assert 150 == sum(1 for _ in archive.history())
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 6_000_000


def test_times_are_to_the_millisecond(folder: Path) -> None:
    """One millisecond before a revision's txTime it is not there yet."""
    story = Story(5)
    story.create_table("T")
    story.insert("T", {"n": 1})
    keep(story.blocks(), folder)
    with open_archive(folder) as archive:
        (entry,) = archive.history("T")
        assert entry.revision.metadata is not None
        moment = entry.revision.metadata.tx_time
        assert [entry] == list(archive.history("T", as_of=moment))
        assert [] == list(archive.history("T", as_of=moment - timedelta(milliseconds=1)))


def test_records_without_a_table_are_told_by_their_blocks(folder: Path) -> None:
    """Where a record names no table, what its block's transactionInfo says counts."""
    story = Story(6)
    table = story.create_table("T")
    story.insert("T", {"n": 1})
    blocks = [
        attrs.evolve(b, revisions=tuple(attrs.evolve(r, table=None) for r in b.revisions))
        for b in story.blocks()
    ]
    make_export(blocks, output_format="ion-text").write(folder)
    with open_archive(folder) as archive:
        assert [table] == [entry.table for entry in archive.history("T")]


def test_an_empty_archive_has_no_history(folder: Path) -> None:
    """Where nothing can be read, nothing is told, and the count says so."""
    folder.mkdir()
    (folder / "noise").write_bytes(gzip.compress(b"nothing", mtime=0))
    with open_archive(folder) as archive:
        assert 0 == archive.built.blocks
        assert [] == list(archive.history())


def test_a_state_after_the_last_block_is_not_known(folder: Path) -> None:
    """A block that the archive does not reach has no state in it; nor has one of a part alone."""
    story = Story(3)
    story.create_table("T")
    story.insert("T", {"n": 1})
    other = Story(4)
    other.create_table("T")
    other.insert("T", {"n": 1})
    keep(story.blocks(), folder)
    whole = other.blocks()[1]
    part = attrs.evolve(whole, revisions=())
    (folder / "part").write_bytes(next(iter(records(part))))
    with open_archive(folder) as archive:
        assert 1 == len(list(archive.history(as_of=BlockAddress(story.strand_id, 1))))
        with pytest.raises(
            UsageError, match=r"ends with block .*/1: what was as of block 2 is not"
        ):
            list(archive.history(as_of=BlockAddress(story.strand_id, 2)))
        with pytest.raises(UsageError, match="has no strand"):
            list(archive.history(as_of=BlockAddress(other.strand_id, 1)))

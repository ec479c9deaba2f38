"""The index beside the archive: fast, rebuilt when need be, and never believed."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from qldb_stream.archive.history import INDEX_NAME, Archive, open_archive
from qldb_stream.archive.history._place import default_place
from qldb_stream.archive.history._schema import SHAPES
from qldb_stream.errors import ArchiveIndexError, SourceError, UsageError
from qldb_stream.report import Outcome
from qldb_stream.sources import open_source
from qldb_stream.testing import JournalShape, make_export, make_journal
from qldb_stream.testing.stories import Story
from tests.archive.history.support import keep, keep_ledger, random_ledger

BLOCKS = list(make_journal(31, blocks=30, shape=JournalShape(redactions=0.3, erased=True)))
HASHES = [r.hash for block in BLOCKS for r in block.revisions if r.metadata is not None]
SECRET = "Wintergreen-7531"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An archive with its index."""
    place = keep(BLOCKS, tmp_path / "archive")
    with open_archive(place) as archive:
        assert archive.is_fresh
    return place


def hashes(archive: Archive) -> list[bytes]:
    """The hashes of all revisions."""
    return [entry.revision.hash for entry in archive.history()]


def rewrite(path: Path, *statements: str) -> None:
    """Change an index behind everyone's back."""
    with closing(sqlite3.connect(path)) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()


def test_the_second_question_uses_it(folder: Path) -> None:
    """It is kept in the folder, says that it rests on it, and gives the same answers."""
    with open_archive(folder) as archive:
        assert not archive.is_fresh
        assert [] == archive.notes
        assert HASHES == hashes(archive)
        built = archive.built
    assert (30, len(HASHES), True) == (built.blocks, built.revisions, built.ok)
    assert 29 == built.as_json()["strands"][0]["last"]
    with open_archive(folder, keep_index=False) as archive:
        assert archive.is_fresh
        assert built == archive.built


def test_no_source_counts_it_as_passed_over(folder: Path) -> None:
    """Our own index is no hidden file that somebody may miss."""
    (folder / ".hidden").touch()
    assert 1 == open_source(folder).passed_over


def test_problems_are_counted_and_not_told(tmp_path: Path) -> None:
    """What verification found when the index was built is in it as counts by code."""
    keep(BLOCKS[:10] + BLOCKS[12:], tmp_path)
    for _ in range(2):
        with open_archive(tmp_path) as archive:
            assert {"GAP": 1} == archive.built.problems
            assert not archive.built.ok
            assert 2 == archive.built.strands[0][3]


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "more").write_bytes(b""),
        lambda folder: min(folder.glob("s*")).rename(folder / "renamed"),
        lambda folder: os.utime(min(folder.glob("s*")), ns=(1, 1)),
        lambda folder: max(folder.glob("s*")).unlink(),
    ],
    ids=["added", "renamed", "touched", "removed"],
)
def test_a_changed_archive_is_read_anew(folder: Path, change: Callable[[Path], object]) -> None:
    """Names, sizes and times of change say whether an index is still of these files."""
    change(folder)
    with open_archive(folder) as archive:
        assert archive.is_fresh
        assert "the archive has changed since it was built; it is built anew" in archive.notes[0]
        found = hashes(archive)
    with open_archive(folder) as archive:
        assert not archive.is_fresh
        assert found == hashes(archive)


def test_a_copy_with_its_times_keeps_the_index(folder: Path, tmp_path: Path) -> None:
    """A folder that was moved, or copied with its times, is the same archive."""
    shutil.copytree(folder, tmp_path / "copy")
    with open_archive(tmp_path / "copy") as archive:
        assert not archive.is_fresh
        assert HASHES == hashes(archive)


def test_no_contents_are_in_it(tmp_path: Path) -> None:
    """Neither documents nor statements: a redaction has nothing to erase there."""
    story = Story(32)
    story.create_table("T")
    document = story.insert("T", {"password": SECRET, SECRET: [SECRET]})
    story.update(document, {"password": SECRET + "2"})
    keep(story.blocks(), tmp_path)
    with open_archive(tmp_path) as archive:
        list(archive.history())
    data = (tmp_path / INDEX_NAME).read_bytes()
    assert SECRET.encode() not in data
    assert b"password" not in data
    assert b"UPDATE" not in data
    assert document.encode() in data


@pytest.mark.parametrize(
    ("expected", "statement"),
    [
        ("its version is 2, this release reads 1", "PRAGMA user_version = 2"),
        ("it is no index of an archive", "PRAGMA application_id = 1"),
        ("its tables are not an index's", "CREATE VIEW evil AS SELECT 1"),
        ("its tables are not an index's", "DROP TABLE redaction"),
        ("it is damaged", "DELETE FROM meta"),
        ("it is damaged", "UPDATE meta SET value = 'x' WHERE key = 'blocks'"),
        ("it is damaged", "UPDATE meta SET value = '[[1]]' WHERE key = 'strands'"),
        ("has changed", "UPDATE meta SET value = 'x' WHERE key = 'fingerprint'"),
    ],
)
def test_what_is_no_index_is_replaced(folder: Path, expected: str, statement: str) -> None:
    """Another version, another file, damage: one clear sentence, and it is built anew."""
    rewrite(folder / INDEX_NAME, statement)
    with open_archive(folder) as archive:
        assert archive.is_fresh
        assert [True] == [expected in note and "built anew" in note for note in archive.notes]
        assert HASHES == hashes(archive)


@pytest.mark.parametrize("data", [b"", b"noise", b"SQLite format 3\0" + bytes(200)])
def test_bytes_that_are_no_database_are_replaced(folder: Path, data: bytes) -> None:
    """So is whatever else has its name."""
    (folder / INDEX_NAME).write_bytes(data)
    with open_archive(folder) as archive:
        assert archive.is_fresh
        assert 1 == len(archive.notes)
        assert HASHES == hashes(archive)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE part SET start = start + 1",
        "UPDATE part SET length = 4000000000",
        "UPDATE part SET start = -1",
        "UPDATE part SET file = 99",
        "UPDATE part SET number = number + 100",
        "DELETE FROM part",
        "UPDATE revision SET version = version + 7",
        "UPDATE revision SET number = 29 - number",
        "UPDATE strand SET id = '0000000000000000000000'",
    ],
)
def test_what_leads_astray_is_replaced_when_that_shows(folder: Path, statement: str) -> None:
    """Places that something else stands at are noticed as they are read; then it is built anew."""
    rewrite(folder / INDEX_NAME, statement)
    with open_archive(folder) as archive:
        assert HASHES == hashes(archive)
        assert archive.is_fresh
        assert [True] == ["built anew" in note for note in archive.notes]
    with open_archive(folder) as archive:
        assert not archive.is_fresh


def test_what_was_told_already_is_not_told_twice(folder: Path) -> None:
    """Found out in the middle of an answer, it is built anew and the question is to be repeated."""
    rewrite(folder / INDEX_NAME, "UPDATE part SET start = start + 1 WHERE number > 15")
    with open_archive(folder) as archive:
        with pytest.raises(ArchiveIndexError, match="leads astray"):
            hashes(archive)
        assert HASHES == hashes(archive)


def test_a_wrong_index_cannot_vouch(tmp_path: Path) -> None:
    """An archive changed under an index that calls it sound: what is read from it fails."""
    story = Story(33)
    story.create_table("T")
    story.insert("T", {"name": SECRET})
    keep(story.blocks(), tmp_path)
    with open_archive(tmp_path):
        pass
    file = next(path for path in tmp_path.glob("s*") if SECRET.encode() in path.read_bytes())
    data, status = file.read_bytes(), file.stat()
    file.write_bytes(data.replace(SECRET.encode(), SECRET.lower().encode()))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    with open_archive(tmp_path) as archive:
        (entry,) = archive.history()
        assert not archive.is_fresh  # same name, size and time: it passes
        assert archive.built.ok  # and says so
        assert Outcome.FAILED is entry.state.revision
        assert Outcome.FAILED is archive.blame(entry.document_id).outcome


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_any_damage_is_an_answer_or_one_error(folder: Path, data: st.DataObject) -> None:
    """Bytes of it changed at random: nothing but our own errors, and mostly the right answer."""
    index = folder / INDEX_NAME
    sound = index.read_bytes()
    damaged = bytearray(sound)
    for _ in range(data.draw(st.integers(1, 20))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    index.write_bytes(damaged)
    try:
        with open_archive(folder) as archive:
            found = hashes(archive)
            assert set(found) <= set(HASHES)
            document = next(archive.history()).document_id if found else None
            if document is not None:
                archive.blame(document)
    except (ArchiveIndexError, UsageError):
        pass
    finally:
        index.write_bytes(sound)


def test_chains_of_symbol_tables_end(tmp_path: Path) -> None:
    """An index whose symbol tables go round in a circle is damaged, and nobody waits."""
    make_export(BLOCKS, output_format="ion-binary", tables="appending").write(tmp_path)
    with open_archive(tmp_path) as archive:
        assert HASHES == hashes(archive)
    rewrite(tmp_path / INDEX_NAME, "UPDATE symbols SET parent = number")
    with open_archive(tmp_path) as archive:
        assert HASHES == hashes(archive)
        assert archive.is_fresh


def test_two_who_build_at_once_both_answer(tmp_path: Path) -> None:
    """Each builds its own, the later one stays; no draft is left."""
    folder = keep(BLOCKS, tmp_path / "archive")
    code = (
        "import sys\nfrom qldb_stream.archive.history import open_archive\n"
        "for _ in range(2):\n"
        "    with open_archive(sys.argv[1]) as archive:\n"
        "        print(sum(1 for _ in archive.history()))\n"
    )
    command = [sys.executable, "-c", code, str(folder)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for process in processes:
        assert f"{len(HASHES)}\n" * 2 == process.communicate(timeout=60)[0]
    assert [INDEX_NAME] == [path.name for path in folder.glob(".*")]


def test_a_reader_goes_on_while_another_builds(folder: Path) -> None:
    """Whoever has the old index open reads on, also when it is replaced in between."""
    with open_archive(folder) as archive:
        told = archive.history()
        first = next(told).revision.hash
        (folder / INDEX_NAME).unlink()
        with open_archive(folder) as other:
            assert other.is_fresh
        assert HASHES == [first, *(entry.revision.hash for entry in told)]


def test_where_it_cannot_be_kept_it_goes_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that may not be written: one sentence, an index of this process, no trace."""
    folder = keep(BLOCKS, tmp_path / "archive")

    def refuse(*_arguments: object, **_options: object) -> int:
        raise PermissionError(13, "Permission denied")

    # Rights do not bind root, so the system's refusal is played.
    monkeypatch.setattr("qldb_stream.archive.history._place.os.open", refuse)
    for _ in range(2):
        with open_archive(folder) as archive:
            assert archive.is_fresh
            assert [True] == ["is not kept" in note for note in archive.notes]
            assert HASHES == hashes(archive)
    assert [] == list(folder.glob(".*"))


def test_a_place_that_is_a_folder_by_now_is_named(tmp_path: Path) -> None:
    """What stands in the index's place and cannot be replaced is an error that names it."""
    folder = keep(BLOCKS, tmp_path / "archive")

    def put_folder(_done: int, _total: int, _stage: str) -> None:
        (folder / INDEX_NAME).mkdir(exist_ok=True)

    with (
        pytest.raises(SourceError, match="cannot be written"),
        open_archive(folder, progress=put_folder),
    ):
        pass
    assert [INDEX_NAME] == [path.name for path in folder.glob(".*")]
    with pytest.raises(UsageError, match="is a folder"), open_archive(folder):
        pass


def test_a_source_that_fails_leaves_nothing(folder: Path) -> None:
    """An archive that changes while the index is built is an error, and leaves no draft."""
    (folder / INDEX_NAME).unlink()
    file = min(folder.glob("s*"))

    def change(_done: int, _total: int, stage: str) -> None:
        if stage == "read":
            file.write_bytes(b"")

    with (
        pytest.raises(SourceError),
        open_archive(folder, progress=change) as archive,
    ):
        hashes(archive)
    assert [] == list(folder.glob(".*"))


def test_an_archive_that_changes_under_its_index_is_named(folder: Path) -> None:
    """With an index of this very run, what does not fit any more is the archive's fault."""
    with open_archive(folder, keep_index=False) as archive:
        hashes(archive)
        for file in folder.glob("s*"):
            file.write_bytes(b"x")
        with pytest.raises(SourceError):
            hashes(archive)


def test_other_files_are_not_overwritten(folder: Path, tmp_path: Path) -> None:
    """--index names a new file or an index; a folder or a document of somebody's is refused."""
    precious = tmp_path / "thesis.txt"
    precious.write_text("years of work")
    for place, problem in ((precious, "is no index"), (tmp_path, "is a folder")):
        with pytest.raises(UsageError, match=problem), open_archive(folder, index=place):
            pass
    assert "years of work" == precious.read_text()
    database = tmp_path / "app.sqlite"
    rewrite(database, "CREATE TABLE mine (a)")
    with pytest.raises(UsageError, match="is no index"), open_archive(folder, index=database):
        pass


def test_one_folder_has_it_by_itself_and_nothing_else(tmp_path: Path) -> None:
    """A file, several paths, or objects of S3 have none unless one is named."""
    (tmp_path / "file").touch()
    assert tmp_path / INDEX_NAME == default_place([tmp_path])
    assert None is default_place([tmp_path, tmp_path])
    assert None is default_place([tmp_path / "file"])
    assert None is default_place(["s3://bucket/"])


def test_the_schema_is_what_is_checked(folder: Path) -> None:
    """The file has exactly the tables that its reader knows."""
    with closing(sqlite3.connect(folder / INDEX_NAME)) as database:
        rows = database.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
        assert SHAPES == dict(rows)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE revision SET tx_ms = 0",
        "UPDATE revision SET tab = (SELECT count(*) FROM tab) - 1 - tab",
    ],
    ids=["times", "tables"],
)
def test_no_index_puts_a_revision_into_another_time_or_table(
    tmp_path: Path, statement: str
) -> None:
    """What stands in the revision is compared with what was asked for."""
    keep_ledger(random_ledger(5, steps=60), tmp_path)
    with open_archive(tmp_path) as archive:
        entries = list(archive.history())
        moment = next(e for e in entries if not e.version).revision.metadata
        assert moment is not None
        expected = list(archive.history("Car", as_of=moment.tx_time))
        document = archive.document(moment.id, as_of=moment.tx_time)
    rewrite(tmp_path / INDEX_NAME, statement)
    with open_archive(tmp_path) as archive:
        assert document == archive.document(moment.id, as_of=moment.tx_time)
        assert expected == list(archive.history("Car", as_of=moment.tx_time))
        assert archive.is_fresh
        assert "leads astray" in archive.notes[0]


def test_an_id_that_is_no_text_is_not_there(folder: Path) -> None:
    """A surrogate, as a command line's bytes become, damages no index."""
    with open_archive(folder) as archive, pytest.raises(UsageError, match="no document"):
        archive.document("\udcff")
    with open_archive(folder) as archive:
        assert not archive.notes


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' names are text")
def test_a_folder_whose_name_is_no_text(tmp_path: Path) -> None:
    """What a name's bytes are is the system's business; the index is found again."""
    folder = tmp_path / os.fsdecode(b"\xff")
    story = Story(5)
    story.create_table("T")
    keep(story.blocks(), folder)
    for is_fresh in (True, False):
        with open_archive(folder) as archive:
            assert is_fresh is archive.is_fresh
    rewrite(folder / INDEX_NAME, "UPDATE meta SET value = 'x' WHERE key = 'blocks'")
    with open_archive(folder) as archive:
        assert "\\xff" in archive.notes[0]

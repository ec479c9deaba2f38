"""`qldb-stream history`: what it prints, its exit codes, and its index."""

from __future__ import annotations

import io
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import pytest

from qldb_stream.archive.history import INDEX_NAME
from qldb_stream.ion import iter_text, to_slice, to_text
from qldb_stream.testing.stories import Story
from tests.archive.history.support import keep
from tests.cli.conftest import Answer, Run


@attrs.frozen
class Told:
    """A story in a folder, and a document of it."""

    story: Story
    folder: Path
    document: str


@pytest.fixture
def told(tmp_path: Path) -> Told:
    """A document with a number that JSON readers would round, changed, redacted and deleted."""
    story = Story(41)
    story.create_table("Person")
    (number,) = iter_text("12345678901234567890.1234567890")
    document = story.insert("Person", {"name": "Ada\x1b[31m", "n": number.decode()})
    story.update(document, {"name": "Ada", "n": number.decode()})
    story.insert("Person", {"name": "Björn"})
    story.redact(document, 0)
    story.delete(document)
    folder = keep(story.blocks(erased=True), tmp_path / "archive")
    return Told(story, folder, document)


def lines(answer: Answer) -> list[dict[str, Any]]:
    """Read standard output as one JSON object a line."""
    return [json.loads(line) for line in answer.out.splitlines()]


def test_people_see_each_revision_with_its_state(run: Run, told: Told) -> None:
    """Table, document, version, kind, block, time and state on a line; the document on the next."""
    answer = run("history", told.folder, "--table", "Person")
    assert (0, "") == (answer.code, answer.err)
    strand = told.story.strand_id
    assert f"Person {told.document}  version 0 redacted  {strand}/1  2020-06-01T" in answer.out
    assert f"Person {told.document}  version 2 delete  {strand}/5  " in answer.out
    assert '{name:"Björn"}' in answer.out
    assert "The archive was verified as a whole for this answer (6 blocks" in answer.out
    assert "4 revisions: 4 verified" in answer.out
    assert (told.folder / INDEX_NAME).exists()


def test_the_second_time_it_says_what_rests_on_the_index(run: Run, told: Told) -> None:
    """What was recomputed and what was not is told in words."""
    run("history", told.folder)
    answer = run("history", told.folder, "--limit", "1")
    assert "On the index alone rests that nothing is left out" in answer.out
    assert "1 revision: 1 verified" in answer.out
    assert "verified as a whole for this answer" in run("history", told.folder, "--no-index").out


def test_programs_get_a_line_each_and_a_summary(run: Run, told: Told) -> None:
    """QLDB's history() row as JSON and as Ion, every digit of a number there, then the counts."""
    answer = run("history", told.folder, "--document", told.document, "--json")
    *revisions, summary = lines(answer)
    assert ["redacted", "update", "delete"] == [each["kind"] for each in revisions]
    assert [{"blockAddress", "hash", "dataHash", "metadata"}] == [set(revisions[0]["revision"])]
    assert "12345678901234567890.1234567890" in answer.out
    (row,) = iter_text(revisions[1]["ion"])
    assert revisions[1]["ion"] == to_text(to_slice(row.decode()))
    assert 1 == revisions[1]["revision"]["metadata"]["version"]
    assert {"verified": 3, "failed": 0, "not checkable": 0} == summary["outcomes"]
    assert (True, 3, True) == (summary["ok"], summary["revisions"], summary["verified_now"])
    assert {1} == {each["version"] for each in (*revisions, summary)}


def test_versions_that_are_not_shown_are_named(run: Run, told: Told) -> None:
    """Those in a hole are; a wrong index that hides one is contradicted by the others."""
    asked = ("history", told.folder, "--document", told.document)
    assert [] == lines(run(*asked, "--json"))[-1]["missing_versions"]
    assert lines(run(*asked, "--json", "--as-of", "2030-01-01"))[-1]["missing_versions"] is None
    with closing(sqlite3.connect(told.folder / INDEX_NAME)) as index, index:
        index.execute("DELETE FROM revision WHERE document = ? AND version < 2", (told.document,))
    hidden = run(*asked)
    assert (0, "") == (hidden.code, hidden.err)
    assert "as its index says: 0-1; --no-index asks the archive itself" in hidden.out
    assert "no whole block" not in run(*asked, "--no-index").out
    keep(told.story.blocks(erased=True)[2:], told.folder.parent / "late")
    late = run("history", told.folder.parent / "late", "--document", told.document)
    assert "versions that no whole block of the archive has: 0" in late.out


def test_a_moment_is_a_time_or_a_block(run: Run, told: Told) -> None:
    """--as-of shows the state then, and refuses what is neither."""
    then = run("history", told.folder, "--as-of", f"{told.story.strand_id}:1", "--json")
    assert [(told.document, 0)] == [
        (each["revision"]["metadata"]["id"], each["revision"]["metadata"]["version"])
        for each in lines(then)[:-1]
    ]
    assert 1 == len(lines(run("history", told.folder, "--as-of", "2020-01-01", "--json")))
    assert 2 == len(lines(run("history", told.folder, "--as-of", "2030-01-01T00:00Z", "--json")))
    assert (
        "The state as of 2020-01-01T00:00:00.000Z."
        in run("history", told.folder, "--as-of", "2020-01-01").out
    )
    answer = run("history", told.folder, "--as-of", "yesterday")
    assert 2 == answer.code
    assert "is no time such as" in answer.err


def test_blame_names_statements(run: Run, told: Told) -> None:
    """For each field the block, the transaction and the statement; what is open is said."""
    answer = run("history", told.folder, "--document", told.document, "--blame")
    assert 0 == answer.code
    assert 'name: "Ada"' in answer.out
    assert "UPDATE Person AS d BY id SET d = ? WHERE id = ?" in answer.out
    assert "or already with version 0, whose contents are not known" in answer.out
    assert "the document was deleted in block" in answer.out
    found = run("history", told.folder, "--document", told.document, "--blame", "--json").json()
    assert ["name", "n"] == [each["path"] for each in found["fields"]]
    assert [[0, 0]] * 2 == [each["open_versions"] for each in found["fields"]]
    assert (2, 1, "delete") == (found["last_version"], found["shown_version"], found["last_kind"])


def test_dropped_tables_are_named(run: Run, tmp_path: Path) -> None:
    """That a table is gone by now is said below its history."""
    story = Story(42)
    table = story.create_table("T")
    story.insert("T", {"n": 1})
    story.drop_table("T")
    answer = run("history", keep(story.blocks(), tmp_path), "--table", "T")
    assert f"table T ({table.table_id}) was dropped in block {story.strand_id}/2" in answer.out


def test_a_changed_document_is_a_problem(run: Run, told: Told) -> None:
    """What is shown and fails verification ends the command with 1, and says why."""
    blocks = told.story.blocks(erased=True)
    changed = attrs.evolve(blocks[3].revisions[0], data_ion=to_slice({"name": "Eve"}))
    blocks[3] = attrs.evolve(blocks[3], revisions=(changed,))
    keep(blocks, told.folder)
    answer = run("history", told.folder)
    assert 1 == answer.code
    assert "4 revisions: 3 verified, 1 failed" in answer.out
    *_, summary = lines(run("history", told.folder, "--json"))
    assert not summary["ok"]
    document = changed.document_id
    answer = run("history", told.folder, "--document", document, "--blame", "--json")
    assert (1, False) == (answer.code, answer.json()["ok"])


def test_nothing_of_a_document_is_for_a_terminal_to_obey(run: Run, tmp_path: Path) -> None:
    """Escape sequences in documents, names and statements are shown, not sent."""
    story = Story(43)
    story.create_table("T")
    document = story.insert("T", {"a\x1b[0m": "b\x1b[31m\nc"})
    keep(story.blocks(), tmp_path)
    for more in ((), ("--blame",), ("--json",)):
        assert "\x1b" not in run("history", tmp_path, "--document", document, *more).out


def test_standard_input_is_asked_without_an_index(
    run: Run, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What can be read once only is answered all the same, and no index of it can be kept."""
    data = b"".join(path.read_bytes() for path in sorted(told.folder.glob("s*")))

    @attrs.frozen
    class Input:
        buffer: io.BytesIO
        closed: bool = False

        def isatty(self) -> bool:
            return False

    monkeypatch.setattr("sys.stdin", Input(io.BytesIO(data)))
    assert "4 revisions: 4 verified" in run("history", "-").out
    answer = run("history", "-", "--index", "somewhere")
    assert (2, True) == (answer.code, "no index is kept of standard input" in answer.err)


def test_the_index_can_be_put_elsewhere(run: Run, told: Told, tmp_path: Path) -> None:
    """--index names the file, --no-index leaves none, both together make no sense."""
    place = tmp_path / "elsewhere"
    assert 0 == run("history", told.folder, "--index", place).code
    assert place.exists()
    assert 0 == run("history", told.folder, "--no-index").code
    assert not (told.folder / INDEX_NAME).exists()
    answer = run("history", told.folder, "--index", place, "--no-index")
    assert (2, True) == (answer.code, "exclude each other" in answer.err)


def test_a_damaged_index_is_one_sentence(run: Run, told: Told) -> None:
    """It is said on standard error, in the summary's notes, and the answer is right."""
    (told.folder / INDEX_NAME).write_bytes(b"noise")
    answer = run("history", told.folder, "--json")
    assert 0 == answer.code
    assert 1 == answer.err.count("built anew")
    assert ["built anew" in note for note in lines(answer)[-1]["notes"]] == [True]


def test_wrong_questions_are_usage(run: Run, told: Told, tmp_path: Path) -> None:
    """No such table, document or archive; blame of everything."""
    (tmp_path / "noise").write_bytes(b"neither Ion nor KPL")
    cases = [
        (("history", told.folder, "--table", "Persons"), "but of Person"),
        (("history", told.folder, "--document", "x"), "no document 'x'"),
        (("history", told.folder, "--blame"), "--blame needs --document"),
        (("history", told.folder, "--document", "x", "--blame", "--limit", "2"), "give one"),
        (("history", tmp_path / "noise"), "noise"),
    ]
    for arguments, problem in cases:
        answer = run(*arguments)
        assert (2, True) == (answer.code, problem in answer.err), answer
    (error,) = lines(run(*cases[0][0], "--json"))
    assert not error["ok"]

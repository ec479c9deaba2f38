"""Blame: for each field the block, time and statements that last changed it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given, strategies as st

from qldb_stream.archive.history import Blame, BlamedField, open_archive
from qldb_stream.archive.history._fields import blame_tree, leaves_of, tree_of
from qldb_stream.errors import UsageError
from qldb_stream.events import Block, BlockAddress
from qldb_stream.ion import IonSlice, iter_text, to_slice
from qldb_stream.report import Outcome
from qldb_stream.testing import make_export
from qldb_stream.testing.stories import Story
from tests.archive.history.support import keep, keep_ledger
from tests.ledger.support import memory, run


def tell(*documents: Any, delete: bool = False) -> tuple[Story, str]:
    """A document that is inserted in block 1 and changed in each block after that."""
    story = Story(21)
    story.create_table("T")
    document = story.insert("T", documents[0])
    for later in documents[1:]:
        story.update(document, later)
    if delete:
        story.delete(document)
    return story, document


def blame(
    story: Story, document: str, folder: Path, *, first: int = 0, erased: bool = False
) -> Blame:
    """Blame a document of a story whose first blocks may be missing."""
    keep(story.blocks(erased=erased)[first:], folder)
    with open_archive(folder) as archive:
        return archive.blame(document, table="T")


def by_path(found: Blame) -> dict[str, int]:
    """The version that each field comes from."""
    return {field.path: field.entry.version for field in found.fields}


def field(found: Blame, path: str) -> BlamedField:
    """The field with a path."""
    return next(each for each in found.fields if each.path == path)


def test_each_field_names_what_changed_it_last(tmp_path: Path) -> None:
    """Fields, nested ones and lists' too: what did not change keeps its first block."""
    story, document = tell(
        {"name": "a", "at": {"city": "Cork", "no": 1}, "tags": ["x", "y"]},
        {"name": "a", "at": {"city": "Cork", "no": 2}, "tags": ["x", "y"]},
        {"name": "a", "at": {"city": "Cork", "no": 2}, "tags": ["x", "z", "y"], "new": 1},
    )
    found = blame(story, document, tmp_path)
    assert {
        "name": 0,
        "at.city": 0,
        "at.no": 1,
        "tags[0]": 0,
        "tags[1]": 2,
        "tags[2]": 0,
        "new": 2,
    } == by_path(found)
    number = field(found, "at.no")
    assert 2 == number.entry.address.sequence_no
    assert ("UPDATE T AS d BY id SET d = ? WHERE id = ?",) == number.statements
    assert ("INSERT INTO T ?",) == field(found, "name").statements
    assert None is number.open_versions
    assert () == found.notes
    assert Outcome.VERIFIED is found.outcome


def test_statements_are_those_that_touched_the_document(tmp_path: Path) -> None:
    """Of a transaction with several statements only the document's own are named, each once."""
    with memory() as ledger:
        run(ledger, "CREATE TABLE T")

        def change(txn: Any) -> str:
            rows = txn.execute_statement("INSERT INTO T ?", {"a": 1, "b": 2})
            document = str(next(iter(rows))["documentId"])
            txn.execute_statement("INSERT INTO T ?", {"other": 1})
            txn.execute_statement("UPDATE T AS t BY id SET t.a = 5, t.b = 6 WHERE id = ?", document)
            return document

        document = ledger.driver().execute_lambda(change)
        keep_ledger(ledger, tmp_path)
    with open_archive(tmp_path) as archive:
        found = archive.blame(document)
    expected = ("INSERT INTO T ?", "UPDATE T AS t BY id SET t.a = 5, t.b = 6 WHERE id = ?")
    assert [expected] * 2 == [each.statements for each in found.fields]
    assert 0 == found.as_json()["fields"][0]["version"]


def test_a_deleted_document_says_so(tmp_path: Path) -> None:
    """The fields are those before the delete, and the delete's block is named."""
    story, document = tell({"a": 1}, {"a": 2}, delete=True)
    found = blame(story, document, tmp_path)
    assert {"a": 1} == by_path(found)
    assert found.last.is_delete
    assert found.shown is not None
    assert 1 == found.shown.version
    assert f"deleted in block {story.strand_id}/3" in found.notes[0]


def test_a_document_that_begins_later_says_so(tmp_path: Path) -> None:
    """What the first revision at hand has may be older; what came after it is certain."""
    story, document = tell({"a": 1, "b": 1}, {"a": 2, "b": 1}, {"a": 2, "b": 3})
    found = blame(story, document, tmp_path, first=2)
    assert {"a": 1, "b": 2} == by_path(found)
    assert (0, 0) == field(found, "a").open_versions
    assert None is field(found, "b").open_versions
    assert "from version 1 on" in found.notes[0]


def test_versions_in_a_hole_leave_it_open(tmp_path: Path) -> None:
    """A change may have come with any of the versions that the archive lacks."""
    story, document = tell({"a": 1}, {"a": 2}, {"a": 3}, {"a": 4})
    blocks = story.blocks()
    keep([*blocks[:2], *blocks[4:]], tmp_path)
    with open_archive(tmp_path) as archive:
        found = archive.blame(document)
    assert (1, 2) == field(found, "a").open_versions
    assert ((1, 2),) == found.missing
    assert "versions that the archive lacks: 1 to 2" in found.notes


def test_redacted_versions_leave_it_open(tmp_path: Path) -> None:
    """Where a version is redacted, the next one's changes may have come with it."""
    story, document = tell({"a": 1, "b": 1}, {"a": 2, "b": 1}, {"a": 2, "b": 1})
    story.redact(document, 1)
    found = blame(story, document, tmp_path, erased=True)
    assert {"a": 2, "b": 0} == by_path(found)
    assert (1, 1) == field(found, "a").open_versions
    assert None is field(found, "b").open_versions
    assert "versions that are redacted: 1" in found.notes


def test_a_document_of_which_nothing_is_left_has_no_fields(tmp_path: Path) -> None:
    """Where each revision at hand is redacted or a delete, that is said."""
    story, document = tell({"a": 1}, delete=True)
    story.redact(document, 0)
    found = blame(story, document, tmp_path, erased=True)
    assert ((), None) == (found.fields, found.shown)
    assert any("no revision at hand has contents" in note for note in found.notes)
    assert None is found.as_json()["shown_version"]


def test_as_of_a_block_later_changes_do_not_count(tmp_path: Path) -> None:
    """A document is blamed as it was then."""
    story, document = tell({"a": 1, "b": 1}, {"a": 2, "b": 1}, {"a": 2, "b": 3})
    keep(story.blocks(), tmp_path)
    with open_archive(tmp_path) as archive:
        found = archive.blame(document, as_of=BlockAddress(story.strand_id, 2))
        assert {"a": 1, "b": 0} == by_path(found)
        moment = found.last.summary.block_timestamp
        assert found == archive.blame(document, as_of=moment)
        with pytest.raises(UsageError, match="no revision of document"):
            archive.blame(document, as_of=BlockAddress(story.strand_id, 0))
        with pytest.raises(UsageError, match="no document 'x'"):
            archive.blame("x")


def test_a_document_of_two_strands_is_two(tmp_path: Path) -> None:
    """Where an archive mixes ledgers that share a document's id, one of them must be named."""
    story, document = tell({"a": 1})
    blocks = story.blocks()
    strand = "0" * 22
    moved = [
        attrs.evolve(
            block,
            summary=attrs.evolve(
                block.summary, address=attrs.evolve(block.address, strand_id=strand)
            ),
            revisions=tuple(
                attrs.evolve(r, address=attrs.evolve(r.address, strand_id=strand))
                for r in block.revisions
            ),
        )
        for block in blocks
    ]
    make_export(blocks).write(tmp_path / "one")
    make_export(moved).write(tmp_path / "other")
    with open_archive(tmp_path) as archive:
        with pytest.raises(UsageError, match="is in two strands"):
            archive.blame(document)
        for strand_id in (strand, story.strand_id):
            found = archive.blame(document, as_of=BlockAddress(strand_id, 1))
            assert strand_id == found.last.address.strand_id


def test_a_last_version_that_is_redacted_says_so(tmp_path: Path) -> None:
    """Where the archive ends with a redacted version, the one before it is shown."""
    story, document = tell({"a": 1}, {"a": 2}, {"a": 3})
    story.redact(document, 1)
    keep(story.blocks(erased=True)[:3], tmp_path)
    with open_archive(tmp_path) as archive:
        found = archive.blame(document)
    assert {"a": 0} == by_path(found)
    assert "version 1 is redacted; fields are shown as of version 0" in found.notes


def test_many_revisions_are_let_go(tmp_path: Path) -> None:
    """After more revisions than are held, the first one is still named for what it set."""
    story, document = tell({"kept": 1, "n": 0}, *({"kept": 1, "n": n} for n in range(1, 530)))
    found = blame(story, document, tmp_path)
    assert {"kept": 0, "n": 529} == by_path(found)


# --- fields --------------------------------------------------------------------------------------


def value(text: str) -> IonSlice:
    """Read Ion text."""
    (found,) = iter_text(text)
    return found


def origins(*documents: Any) -> dict[str, int]:
    """Blame a run of documents, all Ion text."""
    tree = tree_of(value(documents[0]), 0)
    for origin, text in enumerate(documents[1:], 1):
        after = tree_of(value(text), origin)
        blame_tree(tree, after)
        tree = after
    return {leaf.path: leaf.origin for leaf in leaves_of(tree)}


@pytest.mark.parametrize(
    ("expected", "documents"),
    [
        ({"a": 1}, ("{a: 1}", "{a: 1.}")),
        ({"a": 1}, ("{a: '1'}", '{a: "1"}')),
        ({"a": 1}, ("{a: 1.0}", "{a: 1.00}")),
        ({"a": 0}, ("{a: 1e0}", "{a: 1.0e0}")),
        ({"a": 1}, ("{a: x::1}", "{a: y::1}")),
        ({"a": 1}, ("{a: {}}", "{a: []}")),
        ({"a": 0}, ("{a: {}}", "{a: {}}")),
        ({"a.b": 1}, ("{a: 1}", "{a: {b: 1}}")),
        ({"a": 1}, ("{a: {b: 1}}", "{a: 1}")),
        ({"a": 1}, ("{a: (x y)}", "{a: (x z)}")),
        ({"a[0]": 0, "a[1]": 1, "a[2]": 0}, ("{a: [1, 2]}", "{a: [1, 5, 2]}")),
        ({"a[0]": 0, "a[1]": 0}, ("{a: [1, 5, 2]}", "{a: [1, 2]}")),
        ({"a[0].b": 0, "a[0].c": 1}, ("{a: [{b: 1, c: 1}]}", "{a: [{b: 1, c: 2}]}")),
        ({"a[0]": 1, "a[1]": 0}, ("{a: [2]}", "{a: [1, 2]}")),
        ({"a": 0, "a#2": 1}, ("{a: 1, a: 2}", "{a: 1, a: 3}")),
        ({'"a.b"': 0, '"c d"."\\"\\\\"': 0}, ("{'a.b': 1, 'c d': {'\"\\\\': 1}}",)),
        ({"": 1}, ("1", "2")),
    ],
)
def test_fields_are_compared_as_ion(expected: dict[str, int], documents: tuple[str, ...]) -> None:
    """Types, precision and annotations count, spelling does not; lists are aligned at both ends."""
    assert expected == origins(*documents)


VALUES = st.recursive(
    st.integers(0, 3),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(st.lists(VALUES, min_size=1, max_size=4))
def test_blame_never_lies(documents: list[Any]) -> None:
    """A leaf that is blamed on a version was not there, at any path, in the version before it."""
    trees = [tree_of(to_slice(document), origin) for origin, document in enumerate(documents)]
    for before, after in pairwise(trees):
        blame_tree(before, after)
    for leaf in leaves_of(trees[-1]):
        was = {each.value.hash() for each in leaves_of(trees[leaf.origin])}
        assert leaf.value.hash() in was
    same = tree_of(to_slice(documents[-1]), len(documents))
    blame_tree(trees[-1], same)
    assert leaves_of(trees[-1]) == leaves_of(same)


def with_data(blocks: list[Block], number: int, data: object) -> list[Block]:
    """Blocks in one of which a document was altered, or taken out."""
    block = blocks[number]
    (revision,) = block.revisions
    ion = None if data is None else to_slice(data)
    altered = attrs.evolve(revision, data_ion=ion)
    blocks[number] = attrs.evolve(block, revisions=(altered,))
    return blocks


@pytest.mark.parametrize("forged", [{"a": 7, "b": 1}, None], ids=["altered", "taken out"])
def test_what_was_altered_in_one_version_is_not_blamed_on_the_next(
    tmp_path: Path, forged: object
) -> None:
    """A version that failed is not compared: what came after it may have come with it."""
    story, document = tell({"a": 1, "b": 1}, {"a": 1, "b": 1}, {"a": 1, "b": 2})
    keep(with_data(list(story.blocks()), 2, forged), tmp_path)
    with open_archive(tmp_path) as archive:
        found = archive.blame(document)
    assert {"a": 0, "b": 2} == by_path(found)
    assert (1, 1) == field(found, "b").open_versions
    assert ("versions that failed verification, whose contents are not compared: 1",) == found.notes
    assert Outcome.FAILED is found.outcome
    assert {Outcome.VERIFIED: 2, Outcome.FAILED: 1} == found.outcomes


@pytest.mark.parametrize("forged", [{"a": 7}, None], ids=["altered", "taken out"])
def test_a_last_version_that_failed_is_not_shown(tmp_path: Path, forged: object) -> None:
    """Neither its fields nor, where its document was taken out, a delete."""
    story, document = tell({"a": 1}, {"a": 2})
    keep(with_data(list(story.blocks()), 2, forged), tmp_path)
    with open_archive(tmp_path) as archive:
        found = archive.blame(document)
    assert {"a": 0} == by_path(found)
    assert "version 1 failed verification; fields are shown as of version 0" == found.notes[0]
    assert Outcome.FAILED is found.outcome

"""Statements are told by their keywords, in linear time."""

from __future__ import annotations

import attrs
import pytest

from qldb_stream.events import RedactionInfo, TransactionInfo
from qldb_stream.ion import to_slice
from qldb_stream.statements import (
    deletes_documents,
    first_keyword,
    readable_redactions,
    readable_statements,
)
from qldb_stream.testing import JournalShape, make_journal


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("DELETE FROM T", "DELETE"),
        ("-- DROP\n /* CREATE\n */\tinsert INTO T ?", "INSERT"),
        ("/***/--/*\nselect 1", "SELECT"),
        ("/* * / **/DROP TABLE T", "DROP"),
        ("dropped", "DROPPED"),
        ("(SELECT 1)", ""),
        ("'DELETE'", ""),
        ("/* DELETE", ""),
        ("-- DELETE", ""),
        ("", ""),
    ],
)
def test_the_first_keyword_comes_after_blanks_and_comments(text: str, word: str) -> None:
    """Comments are passed over, closed or not, and nothing else is."""
    assert word == first_keyword(text)


@pytest.mark.parametrize(
    "text",
    [
        "DELETE FROM T",
        "/* gone */ delete from T AS t BY id WHERE id = ?",
        "FROM T AS t WHERE t.a = 1 REMOVE t",
        "from T as t by id where id = ? remove T;",
        'FROM "T" t REMOVE "t"',
        "FROM T REMOVE T",
        "FROM T AS t REMOVE (t)",
        "UPDATE T AS t REMOVE t WHERE t.a = 1",
        "FROM T AS t WHERE t.b = 'it''s' AND t.c = `{d: 1}` /* all */ REMOVE t -- now",
    ],
)
def test_delete_and_remove_of_a_whole_document_delete(text: str) -> None:
    """QLDB deletes by DELETE, and by REMOVE of what the table is called (facts 5.1)."""
    assert deletes_documents(text)


@pytest.mark.parametrize(
    "text",
    [
        "UPDATE T AS t SET t.isDeleted = ? WHERE t.a = 1",
        "UPDATE T AS t SET t.a = 'REMOVE t'",
        "UPDATE T AS t SET t.a = 1 -- REMOVE t",
        "UPDATE T AS t SET t.remove = t",
        "FROM T AS t REMOVE t.a",
        "FROM T AS t REMOVE t[0]",
        "FROM T AS t REMOVE (t).a",
        "FROM T AS t, t.list AS l WHERE l.a = 1 REMOVE l",
        "FROM T AS t SET t.a = 1",
        "FROM T REMOVE",
        "INSERT INTO deleted ?",
        "SELECT a FROM T -- DELETE",
        "FROM",
        "",
    ],
)
def test_no_other_statement_deletes(text: str) -> None:
    """The word inside a name, a string, a comment or a path is no delete."""
    assert not deletes_documents(text)


@pytest.mark.parametrize("part", ["/**/", "/*", "--", "--\n", "*/", '"', "'", "`", "REMOVE ", " "])
@pytest.mark.parametrize("before", ["", "FROM T "])
def test_texts_take_linear_time(before: str, part: str) -> None:
    """Nothing is read twice, however often it is begun."""
    text = before + part * 20_000 + "!"
    assert first_keyword(text) in ("", "FROM", "REMOVE")
    assert not deletes_documents(text)


def test_what_a_block_says_of_itself_is_read_where_it_can_be() -> None:
    """Statements and redactions of a block; none of one that has none, or damaged ones."""
    journal = make_journal(7, blocks=40, shape=JournalShape(redactions=0.5))
    asking = next(block.summary for block in journal if block.summary.redaction_info)
    assert asking.transaction_info is not None
    assert asking.redaction_info is not None
    damaged = attrs.evolve(
        asking,
        transaction_info=TransactionInfo(to_slice({"statements": 1})),
        redaction_info=RedactionInfo(to_slice(1)),
    )
    without = attrs.evolve(asking, transaction_info=None, redaction_info=None)

    assert asking.transaction_info.statements == readable_statements(asking)
    assert asking.redaction_info.revisions == readable_redactions(asking)
    for summary in (damaged, without):
        assert [(), ()] == [readable_statements(summary), readable_redactions(summary)]

"""Statement mode's plan: which statements are sent again, and which are refused, and why."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from qldb_stream.errors import ReplayRefusedError
from qldb_stream.events import Block, TransactionInfo
from qldb_stream.filters import Filter
from qldb_stream.hashing import dot
from qldb_stream.ion import ion_hash, to_slice
from qldb_stream.replay import SentStatement, plan_statements
from tests.replay.blocks import NOW, THINGS, block, document_id, revision

INSERT = "INSERT INTO Things ?"
FIRST = {"a": 1}
SECOND = {"b": [1, 2]}


def given(
    *statements: tuple[str, Any], documents: dict[int, tuple[Any, list[int]]] | None = None
) -> Block:
    """A block of statements with their parameters (None for none), and documents by number."""
    written = documents or {}
    made = block(
        1,
        *(revision(1, number, 0, data) for number, (data, _) in written.items()),
        statements=[],
        documents={number: (THINGS, indexes) for number, (_, indexes) in written.items()},
    )
    assert made.summary.transaction_info is not None
    info = made.summary.transaction_info.ion.decode()
    info["statements"] = [
        {"statement": text, "startTime": NOW, "statementDigest": digest_of(text, parameter)}
        for text, parameter in statements
    ]
    summary = attrs.evolve(made.summary, transaction_info=TransactionInfo(to_slice(info)))
    return attrs.evolve(made, summary=summary)


def digest_of(text: str, parameter: Any) -> bytes:
    """A statement's digest with one parameter, or none."""
    digest = ion_hash(text)
    return digest if parameter is None else dot(digest, to_slice(parameter).hash())


@pytest.mark.parametrize(
    "parameter", [[FIRST, SECOND], [SECOND, FIRST]], ids=["revision order", "documents order"]
)
def test_lists_of_documents(parameter: list[Any]) -> None:
    """A list of what was inserted is proven in the order of the revisions, or of `documents`."""
    made = given((INSERT, parameter), documents={1: (FIRST, [0]), 2: (SECOND, [0])})
    assert made.summary.transaction_info is not None
    info = made.summary.transaction_info.ion.decode()
    info["documents"] = dict(reversed(info["documents"].items()))
    turned = TransactionInfo(to_slice(info))
    made = attrs.evolve(made, summary=attrs.evolve(made.summary, transaction_info=turned))

    expected = SentStatement(INSERT, (to_slice(parameter),), 2)
    assert (expected,) == plan_statements(made).statements


@pytest.mark.parametrize("parameter", [FIRST, [FIRST]], ids=["document", "list of it"])
def test_one_document(parameter: Any) -> None:
    """The parameter of one inserted document is it, or a list of it: the digest says which."""
    made = given((INSERT, parameter), documents={1: (FIRST, [0])})

    expected = SentStatement(INSERT, (to_slice(parameter),), 1)
    assert (expected,) == plan_statements(made).statements


def test_each_statement_has_its_own_documents() -> None:
    """Of several inserts each is proven by its own documents."""
    made = given((INSERT, FIRST), (INSERT, SECOND), documents={1: (FIRST, [0]), 2: (SECOND, [1])})
    plan = plan_statements(made)

    assert [(to_slice(FIRST),), (to_slice(SECOND),)] == [s.parameters for s in plan.statements]


def test_what_needs_no_parameters() -> None:
    """Texts that say all by themselves are sent as they are; SELECTs are not."""
    texts = [
        "CREATE TABLE Things",
        "SELECT * FROM Things WHERE a = ?",
        "INSERT INTO Things VALUE {'a': 1}",
        "UPDATE Things AS t SET t.a = 2 WHERE t.a = 1",
        "DELETE FROM Things AS t WHERE t.customerShippingStreet = 1",
    ]
    made = given(*((text, None) for text in texts), documents={1: ({"a": 2}, [2, 3])})
    plan = plan_statements(made)

    changed = [None, 1, 1, 0]
    texts.pop(1)
    assert [*zip(texts, changed, strict=True)] == [(s.text, s.documents) for s in plan.statements]
    assert () == plan.operations


def test_tables_of_ours_are_left_out() -> None:
    """Statements on the source's own `qldb_stream_*` tables are counted, not sent."""
    texts = [
        "CREATE TABLE qldb_stream_ids",
        "CREATE INDEX ON qldb_stream_ids (source_id)",
        "INSERT INTO qldb_stream_ids ?",
        "UPDATE qldb_stream_ids AS i SET i.a = ? WHERE i.b = ?",
        "DELETE FROM qldb_stream_ids AS i WHERE i.b = ?",
    ]
    plan = plan_statements(given(*((text, None) for text in texts)))

    assert ((), {"qldb_stream_ids": 5}) == (plan.statements, plan.left_out)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("UPDATE Things AS t SET t.a = ?", "has parameters, and their values are not"),
        ("INSERT INTO Things VALUE ?", "has parameters"),
        ("INSERT INTO Things << ? >>", "has parameters"),
        (INSERT, "inserts a parameter that cannot be proven"),
        ("UPDATE Things AS t SET t.a = UTCNOW()", r"calls UTCNOW\(\)"),
        ("INSERT INTO Things VALUE {'a': txid()}", r"calls TXID\(\)"),
        ("INSERT INTO Things VALUE {'a': '" + document_id(1) + "'}", "looks like an id"),
        ("DELETE FROM Things AS t WHERE t.a = 'abcdefghijklmnopqrstuv'", "looks like an id"),
        (f'UNDROP TABLE "{THINGS.table_id}"', "an index or a table by its id"),
        (f'DROP INDEX "{THINGS.table_id}" ON Things WITH (purge = true)', "by its id"),
        ("FROM Things AS t BY i SET t.self = i", r"binds document ids \(BY\)"),
        ("FROM Things AS t, history(Things) AS h SET t.a = 1", r"reads history\(\)"),
        ("FROM Things AS t, _ql_committed_Things AS c SET t.a = c.hash", "a committed view"),
        ("EXEC REDACT_REVISION ?, ?, ?", "runs a stored procedure"),
        ("CREATE TABEL Things", "cannot be read"),
    ],
)
def test_what_is_refused(text: str, problem: str) -> None:
    """What the destination cannot be told, or would make something else of, is named."""
    with pytest.raises(ReplayRefusedError, match=f"/1 .*statement 1 .*{problem}"):
        plan_statements(given(("SELECT 1 FROM Things", None), (text, None)))


@pytest.mark.parametrize(
    "documents",
    [
        {1: ({"a": 2}, [0, 1])},  # changed later
        {1: (None, [0])},  # redacted
        {},  # gone
    ],
)
def test_documents_that_are_not_what_was_inserted(
    documents: dict[int, tuple[Any, list[int]]],
) -> None:
    """A document that was changed later, is redacted or gone proves no parameter."""
    made = given((INSERT, FIRST), ("UPDATE Things AS t SET t.a = 2", None), documents=documents)
    with pytest.raises(ReplayRefusedError, match="cannot be proven"):
        plan_statements(made)


def test_blocks_without_info() -> None:
    """A block without transactionInfo has no statements: with documents it is refused."""
    assert () == plan_statements(block(0)).statements

    with pytest.raises(ReplayRefusedError, match="no transactionInfo"):
        plan_statements(block(0, revision(0, 1, 0, FIRST)))


def test_blocks_that_cannot_be_read() -> None:
    """A transactionInfo that cannot be read is the block's refusal."""
    info = TransactionInfo(to_slice({"statements": [{"statement": 5}]}))
    made = block(0)
    made = attrs.evolve(made, summary=attrs.evolve(made.summary, transaction_info=info))

    with pytest.raises(ReplayRefusedError, match="cannot be read"):
        plan_statements(made)


def test_filtered_blocks() -> None:
    """A filtered block is refused: its statements would write what the filter took out."""
    with pytest.raises(ReplayRefusedError, match="a filter changed it"):
        plan_statements(Filter(tables={"Things"}).apply(block(0)))

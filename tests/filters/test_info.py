"""What is left of a transactionInfo when something is hidden."""

from __future__ import annotations

import attrs

from qldb_stream.events import RedactionInfo, TransactionInfo
from qldb_stream.filters import Filter
from qldb_stream.ion import to_slice
from tests.filters.support import PEOPLE, SECRET, given_block
from tests.replay.blocks import NOW, block, digest, document_id

BLOCK = given_block()


def info_of(rules: Filter) -> TransactionInfo:
    """The transactionInfo that is delivered."""
    found = rules.apply(BLOCK).summary.transaction_info
    assert found is not None
    return found


def test_texts() -> None:
    """Only DDL on delivered tables keeps its text; others keep their first word, or DELETE."""
    expected = [
        "SELECT -- left out by a filter",
        "CREATE TABLE People",
        "INSERT -- left out by a filter",
        "-- left out by a filter",
        "INSERT -- left out by a filter",
        "DELETE -- left out by a filter",
        'UNDROP TABLE "5undropIdOfATableXXXXX"',
    ]
    assert expected == [s.statement for s in info_of(Filter(tables={"People"})).statements]


def test_times_and_digests_stay() -> None:
    """Times, digests and the number of statements stay the source's."""
    source = BLOCK.summary.transaction_info
    assert source is not None
    found = info_of(Filter(where={"People": "true"}))

    assert [(s.start_time, s.statement_digest) for s in source.statements] == [
        (s.start_time, s.statement_digest) for s in found.statements
    ]


def test_documents_of_delivered_tables() -> None:
    """Documents of tables that are left out are not named; the others are as before."""
    source = BLOCK.summary.transaction_info
    assert source is not None

    expected = {key: d for key, d in source.documents.items() if d.table == PEOPLE}
    assert expected == info_of(Filter(tables={"People"})).documents
    assert document_id(2) not in expected


def test_ddl_that_cannot_be_read() -> None:
    """DDL that nobody can read is left out: it may be about any table."""
    given = block(0, statements=["CREATE TABLE People WITH nonsense", "DROP INDEX"])
    info = Filter(tables={"People"}).apply(given).summary.transaction_info
    assert info is not None

    assert ["-- left out by a filter"] * 2 == [s.statement for s in info.statements]


def test_unknown_parts_are_left_out() -> None:
    """Fields that the facts do not know may hold anything: they do not pass."""
    statement = {"statement": "x", "startTime": NOW, "statementDigest": digest(1), "new": SECRET}
    info = {"statements": [statement], "documents": None, "later": SECRET}
    summary = attrs.evolve(
        BLOCK.summary,
        transaction_info=TransactionInfo(to_slice(info)),
        redaction_info=RedactionInfo(to_slice({"revisions": []})),
    )
    found = Filter(tables={"Nothing"}).apply(attrs.evolve(BLOCK, summary=summary, revisions=()))
    delivered = found.summary.transaction_info
    assert delivered is not None

    left = {key: value for key, value in statement.items() if key != "new"}
    left["statement"] = "-- left out by a filter"
    assert to_slice({"statements": [left], "documents": None}) == delivered.ion
    assert found.summary.redaction_info == summary.redaction_info


def test_without_info() -> None:
    """A block that has no transactionInfo has none afterwards."""
    assert Filter(tables={"People"}).apply(block(0)).summary.transaction_info is None

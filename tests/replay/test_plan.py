"""A block becomes the operations that repeat it, in order."""

from __future__ import annotations

import pytest

from qldb_stream.errors import ReplayRefusedError
from qldb_stream.events import Block, BlockAddress, Revision, TableInfo, TransactionInfo
from qldb_stream.ion import to_slice
from qldb_stream.partiql.ast import CreateIndex, CreateTable, DropIndex, DropTable, UndropTable
from qldb_stream.replay import ChangeKind, DocumentChange, plan_block
from tests.replay.blocks import REDACTED, STRAND, THINGS, block, digest, document_id, revision

OTHER = TableInfo("Others", "9zYxWvUtSrQpOnMlKjIhG8")
OWN = TableInfo("qldb_stream_ids", "0000000000000000000001")


def refusal(problem: str, sequence_no: int = 5) -> ReplayRefusedError:
    """The error that says why block 5 cannot be repeated."""
    return ReplayRefusedError(STRAND, sequence_no, problem)


def change(kind: ChangeKind, number: int, version: int, data: object = None) -> DocumentChange:
    """A change of a document in Things."""
    document = None if data is None else to_slice(data)
    return DocumentChange(kind, THINGS, document_id(number), version, document)


def kinds(planned: Block) -> list[str]:
    """What the operations of a plan are about, in short."""
    return [
        operation.source_id[-1]
        if isinstance(operation, DocumentChange)
        else type(operation).__name__
        for operation in plan_block(planned).operations
    ]


def test_a_plan_knows_its_block() -> None:
    """Address and both hashes are the block's."""
    plan = plan_block(block(5))
    assert BlockAddress(STRAND, 5) == plan.address
    assert (digest("block", 5), digest("block", 4)) == (plan.block_hash, plan.previous_block_hash)
    assert ((), (), {}) == (plan.operations, plan.redactions, dict(plan.left_out))


def test_revisions_become_changes_by_their_kind() -> None:
    """Version 0 is an insert, a later one an update, a delete a delete."""
    plan = plan_block(
        block(5, revision(5, 1, 0, {"a": 1}), revision(5, 2, 3, {"a": 2}), revision(5, 3, 1))
    )
    expected = (
        change(ChangeKind.INSERT, 1, 0, {"a": 1}),
        change(ChangeKind.UPDATE, 2, 3, {"a": 2}),
        change(ChangeKind.DELETE, 3, 1),
    )
    assert expected == plan.operations


def test_documents_are_the_very_slices() -> None:
    """A document is passed on in its bytes, never written again."""
    written = revision(5, 1, 0, {"a": 1})
    (operation,) = plan_block(block(5, written)).operations
    assert isinstance(operation, DocumentChange)
    assert written.data_ion is operation.document


@pytest.mark.parametrize(("version", "kind"), [(0, ChangeKind.INSERT), (2, ChangeKind.UPDATE)])
def test_a_redacted_revision_becomes_a_placeholder(version: int, kind: ChangeKind) -> None:
    """A placeholder keeps the version in step and holds both hashes."""
    redacted = revision(5, 1, version, data_hash=digest("data"))
    placeholder = {"qldb_stream_redacted": {"hash": redacted.hash, "data_hash": digest("data")}}
    assert (change(kind, 1, version, placeholder),) == plan_block(block(5, redacted)).operations


def test_system_revisions_are_left_out() -> None:
    """A hash-only revision is nothing that could be repeated."""
    assert () == plan_block(block(5, Revision(BlockAddress(STRAND, 5), digest(1)))).operations


def test_ddl_comes_from_statements() -> None:
    """Each DDL statement becomes an operation; the others are not looked at."""
    texts = [
        'CREATE TABLE Things WITH (aws_tags = `{a: "b"}`)',
        "-- the index\n /* for us */ create index ON Things (Name)",
        "SELECT nonsense ORDER BY whatever",
        'DROP INDEX "9zYxWvUtSrQpOnMlKjIhG8" ON Things WITH (purge = true)',
        "DROP TABLE Things;",
        'UNDROP TABLE "4bCdEfGhIjKlMnOpQrStU2"',
    ]
    plan = plan_block(block(5, statements=texts))
    assert ["CreateTable", "CreateIndex", "DropIndex", "DropTable", "UndropTable"] == [
        type(operation).__name__ for operation in plan.operations
    ]
    assert CreateIndex("Things", "Name") == plan.operations[1]
    assert DropIndex("9zYxWvUtSrQpOnMlKjIhG8", "Things") == plan.operations[2]
    assert DropTable("Things") == plan.operations[3]
    assert UndropTable("4bCdEfGhIjKlMnOpQrStU2") == plan.operations[4]


def test_operations_take_the_place_of_their_last_statement() -> None:
    """A document that two statements changed comes where the later one stood."""
    planned = block(
        5,
        revision(5, 1, 0, {}),
        revision(5, 2, 0, {}),
        revision(5, 3, 0, {}),
        statements=["INSERT", "CREATE TABLE Others", "INSERT", "UPDATE"],
        documents={1: (THINGS, [0, 3, 3]), 2: (THINGS, [2]), 3: (THINGS, [0])},
    )
    assert ["3", "CreateTable", "2", "1"] == kinds(planned)


def test_documents_of_one_statement_keep_the_order_of_leaves() -> None:
    """One INSERT of several documents keeps the revisions' order."""
    planned = block(
        5,
        *(revision(5, number, 0, {}) for number in (2, 3, 1)),
        statements=["INSERT INTO Things ?"],
        documents={number: (THINGS, [0]) for number in (1, 2, 3)},
    )
    assert ["2", "3", "1"] == kinds(planned)


def test_a_revision_without_a_statement_comes_last() -> None:
    """Unknown documents and indexes that no statement has come after all statements."""
    planned = block(
        5,
        revision(5, 1, 0, {}),
        revision(5, 2, 0, {}),
        revision(5, 3, 0, {}),
        statements=["CREATE TABLE Things", "INSERT"],
        documents={2: (THINGS, [7]), 3: (THINGS, [])},
    )
    assert ["CreateTable", "1", "2", "3"] == kinds(planned)


def test_a_revision_without_a_statement_comes_before_its_table_is_dropped() -> None:
    """Where the block drops the table for good, the document was there before."""
    texts = ["DROP TABLE Things", "CREATE TABLE Things", "DROP TABLE Things", "DROP TABLE Others"]
    planned = block(5, revision(5, 1, 0, {}), statements=texts)
    assert ["DropTable", "CreateTable", "1", "DropTable", "DropTable"] == kinds(planned)
    assert ["DropTable", "CreateTable", "1"] == kinds(
        block(5, revision(5, 1, 0, {}), statements=texts[:2])
    )


def test_a_table_comes_from_the_transaction_when_the_record_has_none() -> None:
    """Blocks of an export name tables in transactionInfo.documents only."""
    plan = plan_block(
        block(
            5,
            revision(5, 1, 0, {}, table=None),
            statements=["INSERT"],
            documents={1: (OTHER, [0])},
        )
    )
    (operation,) = plan.operations
    assert isinstance(operation, DocumentChange)
    assert OTHER == operation.table


def test_a_revision_without_a_table_is_refused() -> None:
    """Where nothing names the table, the block cannot be repeated."""
    with pytest.raises(ReplayRefusedError) as caught:
        plan_block(block(5, revision(5, 1, 0, {}, table=None)))
    expected = f"nothing says in which table document {document_id(1)} is"
    assert refusal(expected) == caught.value


def test_tables_of_a_destination_are_left_out_and_counted() -> None:
    """A source that was a destination itself has tables that are never replayed."""
    plan = plan_block(
        block(
            5,
            revision(5, 1, 0, {}, table=OWN),
            revision(5, 2, 0, {}),
            statements=[
                "CREATE TABLE qldb_stream_ids",
                "CREATE INDEX ON qldb_stream_position (strand_id)",
            ],
        )
    )
    assert 1 == len(plan.operations)
    assert {"qldb_stream_ids": 2, "qldb_stream_position": 1} == dict(plan.left_out)


@pytest.mark.parametrize(
    "stripped", [(), (Revision(BlockAddress(STRAND, 5), digest(1)),)], ids=["left out", "hash-only"]
)
def test_a_document_without_its_revision_is_refused(stripped: tuple[Revision, ...]) -> None:
    """What transactionInfo names must not vanish from the repeated journal."""
    planned = block(
        5,
        revision(5, 2, 0, {}),
        *stripped,
        statements=["INSERT INTO Things ?", "UPDATE Things AS t SET t.isDeleted = true"],
        documents={1: (THINGS, [0, 1]), 2: (THINGS, [0])},
    )
    with pytest.raises(ReplayRefusedError) as caught:
        plan_block(planned)
    expected = f"transactionInfo names document {document_id(1)}, but there is no revision of it"
    assert refusal(expected) == caught.value


def test_a_document_that_came_and_went_has_nothing_to_repeat() -> None:
    """One created and deleted in its transaction may have no revision (facts 2.3)."""
    planned = block(
        5,
        revision(5, 2, 0, {}),
        statements=["INSERT INTO Things ?", "DELETE FROM Things"],
        documents={1: (THINGS, [0, 1]), 2: (THINGS, [0])},
    )
    assert ["2"] == kinds(planned)


def test_comments_before_a_statement_are_passed_in_linear_time() -> None:
    """However many stand there, the first word is found at once."""
    comments = "/**/" * 200
    texts = [f"{comments}SELECT 'create'", f"{comments}CREATE TABLE Things"]
    assert ["CreateTable"] == kinds(block(5, statements=texts))


def test_a_redaction_is_told() -> None:
    """A block with redactionInfo says so, and its other changes are still planned."""
    assert (REDACTED,) == plan_block(block(5, redacts=True)).redactions
    assert 1 == len(plan_block(block(5, revision(5, 1, 0, {}), redacts=True)).operations)


def test_a_delete_of_version_zero_is_refused() -> None:
    """A document cannot be deleted before it was inserted."""
    with pytest.raises(ReplayRefusedError) as caught:
        plan_block(block(5, revision(5, 1, 0)))
    expected = f"document {document_id(1)} is deleted before it was inserted"
    assert refusal(expected) == caught.value


@pytest.mark.parametrize("name", ["has space", "1st", "x" * 129, 'a"b'])
def test_a_name_that_is_no_table_name_is_refused(name: str) -> None:
    """What is sent quoted must be a table name by facts 5.1."""
    with pytest.raises(ReplayRefusedError, match="is not a table name"):
        plan_block(block(5, revision(5, 1, 0, {}, table=TableInfo(name, THINGS.table_id))))
    quoted = name.replace('"', '""')
    with pytest.raises(ReplayRefusedError, match=r"not a table name|cannot be read"):
        plan_block(block(5, statements=[f'CREATE TABLE "{quoted}"']))


def test_a_reserved_word_is_a_table_name_when_quoted() -> None:
    """Names are quoted when they are sent, so reserved words pass."""
    plan = plan_block(block(5, statements=['CREATE TABLE "Order"']))
    assert (CreateTable("Order"),) == plan.operations


def test_ddl_that_cannot_be_read_is_refused() -> None:
    """A CREATE that does not parse must not be passed over."""
    with pytest.raises(ReplayRefusedError, match="statement 1 is DDL that cannot be read"):
        plan_block(block(5, statements=["SELECT 1", "CREATE NOTHING"]))


def test_an_index_on_an_overlong_field_is_refused() -> None:
    """A field name has at most 128 letters (facts 5.1)."""
    with pytest.raises(ReplayRefusedError, match="indexes a field of 129 letters"):
        plan_block(block(5, statements=[f'CREATE INDEX ON Things ("{"f" * 129}")']))


@pytest.mark.parametrize(
    "info",
    [{"x": "drop"}, {"x": "drop", "statements": None}],
)
def test_a_transaction_without_statements_has_no_ddl(info: dict[str, object]) -> None:
    """Statements that are absent or null are none."""
    planned = block(5, statements=[])
    object.__setattr__(planned.summary, "transaction_info", TransactionInfo(to_slice(info)))
    assert () == plan_block(planned).operations


def test_a_statement_without_a_text_is_refused() -> None:
    """Whether it was DDL cannot be known, so the block is not repeated."""
    damaged = block(5, statements=[])
    info = TransactionInfo(to_slice({"statements": [{"x": "drop"}]}))
    object.__setattr__(damaged.summary, "transaction_info", info)
    with pytest.raises(ReplayRefusedError, match="a statement's text, found nothing"):
        plan_block(damaged)


def test_a_transaction_info_that_cannot_be_read_is_refused() -> None:
    """A damaged transactionInfo is a refusal that names the block, not a crash."""
    damaged = block(5, statements=[])
    info = TransactionInfo(to_slice({"statements": "DROP"}))
    object.__setattr__(damaged.summary, "transaction_info", info)
    with pytest.raises(ReplayRefusedError, match="it cannot be read"):
        plan_block(damaged)

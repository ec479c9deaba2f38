"""Filters on blocks: which tables and documents pass, under which names."""

from __future__ import annotations

import pickle
from typing import Any

import attrs
import pytest

from qldb_stream.errors import Disposition, FilterError, UsageError
from qldb_stream.events import Block, Filtered, Revision, RevisionKind, TransactionInfo
from qldb_stream.filters import Filter, Mask, MaskMethod
from qldb_stream.ion import IonSlice, SymbolTable, to_slice
from tests.filters.support import (
    CARS,
    PEOPLE,
    PERSON,
    SALT,
    SECRET,
    all_bytes,
    by_number,
    given_block,
)
from tests.replay.blocks import STRAND, block, document_id, revision

BLOCK = given_block()


def ids(block_: Block) -> list[str | None]:
    """The documents of a block's revisions, in order."""
    return [r.document_id for r in block_.revisions]


# --- tables ----------------------------------------------------------------------------------


@pytest.mark.parametrize("rules", [Filter(tables={"People"}), Filter(exclude_tables={"Cars"})])
def test_tables_left_out(rules: Filter) -> None:
    """Revisions of tables that are left out are not there, and the block says which."""
    found = rules.apply(BLOCK)

    assert [document_id(n) for n in (1, 3, 4)] == ids(found)
    assert Filtered({"Cars": None, "People": "People"}) == found.filtered
    assert "vin" not in str([r.data for r in found.revisions])
    assert b"1HGBH41JXMN109186" not in all_bytes(found)


def test_delivered_names() -> None:
    """The names of tables that only DDL names are known too; others are left out."""
    found = Filter(rename={"People": "Persons"}).apply(block(0, statements=["CREATE TABLE People"]))

    assert "Persons" == found.delivered_name("People")
    assert found.delivered_name("Cars") is None


def test_renamed_tables() -> None:
    """Documents are in the new table, with the id of the old one."""
    found = Filter(rename={"People": "Cars", "Cars": "People"}).apply(BLOCK)

    assert attrs.evolve(PEOPLE, table_name="Cars") == by_number(found, 1).table
    assert attrs.evolve(CARS, table_name="People") == by_number(found, 2).table
    assert {"People": "Cars", "Cars": "People"} == found.filtered.names  # type: ignore[union-attr]  # it is filtered


def test_new_names_hide_nothing() -> None:
    """A filter that only renames leaves summary, documents and bytes as they are."""
    found = Filter(rename={"People": "Persons"}).apply(BLOCK)

    assert found.summary is BLOCK.summary
    assert [r.data_ion for r in found.revisions] == [r.data_ion for r in BLOCK.revisions]


def test_a_name_for_two_tables() -> None:
    """A table that has the name another is renamed to stops the strand."""
    with pytest.raises(FilterError, match="table Cars has the name"):
        Filter(rename={"People": "Cars"}).apply(BLOCK)

    found = Filter(rename={"People": "Cars"}, exclude_tables={"Cars"}).apply(BLOCK)
    assert {"People": "Cars", "Cars": None} == found.filtered.names  # type: ignore[union-attr]  # it is filtered


def test_hashed_info_decides_on_the_table() -> None:
    """A record that claims another table than transactionInfo, which is hashed, fools nobody."""
    forged = revision(0, 1, 0, PERSON, table=CARS)
    given = block(0, forged, statements=["x"], documents={1: (PEOPLE, [0])})

    assert () == Filter(exclude_tables={"People"}).apply(given).revisions


def test_a_table_from_the_record() -> None:
    """Where transactionInfo does not name a document, its record does."""
    given = block(0, revision(0, 1, 0, PERSON, table=PEOPLE))

    assert () == Filter(exclude_tables={"People"}).apply(given).revisions


def test_a_document_of_no_table() -> None:
    """A document of which nothing says in which table it is stops the strand."""
    given = block(0, revision(0, 1, 0, PERSON, table=None))

    with pytest.raises(FilterError) as caught:
        Filter(exclude_tables={"Cars"}).apply(given)

    problem = f"nothing says in which table document {document_id(1)} is"
    assert FilterError(STRAND, 0, problem) == caught.value
    assert Disposition.HALT is caught.value.disposition
    assert f"block {STRAND}/0 cannot be filtered: {problem}" == str(caught.value)


def test_hashes_of_the_system_stay() -> None:
    """A revision of which there is only a hash stays, whatever is left out."""
    system = Revision(BLOCK.address, b"s" * 32)
    given = attrs.evolve(BLOCK, revisions=(*BLOCK.revisions, system))

    assert (system,) == Filter(tables={"Nothing"}).apply(given).revisions


def test_a_block_is_filtered_once() -> None:
    """A second filter on the same block is refused, since names and hashes would be lost."""
    rules = Filter(tables={"People"})

    with pytest.raises(UsageError, match="filtered once"):
        rules.apply(rules.apply(BLOCK))


def test_what_cannot_be_read() -> None:
    """A transactionInfo that cannot be read stops the strand."""
    info = TransactionInfo(to_slice({"statements": [{"statement": 5}]}))
    given = attrs.evolve(BLOCK, summary=attrs.evolve(BLOCK.summary, transaction_info=info))

    with pytest.raises(FilterError, match="transactionInfo"):
        Filter(tables={"People"}).apply(given)


# --- documents -------------------------------------------------------------------------------


def test_withheld_documents() -> None:
    """A document that its condition does not admit is withheld, with the proof that it is there."""
    source = by_number(BLOCK, 1)
    found = by_number(Filter(where={"People": "home.city = 'Oslo'"}).apply(BLOCK), 1)

    assert RevisionKind.WITHHELD is found.kind
    assert source.data_ion is not None
    assert (None, source.data_ion.hash()) == (found.data, found.data_hash)
    assert (source.hash, source.document_id) == (found.hash, found.document_id)


def test_admitted_documents() -> None:
    """A document that its condition admits passes as it is, and other tables are not asked."""
    found = Filter(where={"People": "home.city = 'Lund'"}).apply(BLOCK)

    for number in (1, 2):
        assert by_number(BLOCK, number).data_ion == by_number(found, number).data_ion
        assert by_number(BLOCK, number).kind is by_number(found, number).kind
        assert by_number(found, number).data_hash is None


def test_deletes_and_redactions_stay() -> None:
    """A condition is not asked of what has no data: deletes and redactions pass as such."""
    found = Filter(where={"People": "false"}).apply(BLOCK)

    assert RevisionKind.DELETE is by_number(found, 3).kind
    assert RevisionKind.REDACTED is by_number(found, 4).kind
    assert b"h" * 32 == by_number(found, 4).data_hash


def test_conditions_see_what_masks_hide() -> None:
    """A condition is asked about the source's document, before masks."""
    mask = Mask("People", ("ssn",), MaskMethod.DROP)
    found = Filter(where={"People": f"ssn = '{SECRET}'"}, masks=[mask]).apply(BLOCK)

    assert {name: PERSON[name] for name in ("name", "home", "phones")} == by_number(found, 1).data


def test_a_condition_that_fails() -> None:
    """A condition that fails on a document stops the strand, and quotes nothing of it."""
    rules = Filter(where={"People": "name = 'x' OR CAST(ssn AS INT) = 1"})

    with pytest.raises(FilterError) as caught:
        rules.apply(BLOCK)

    assert f"fails at line 1, column 15 on document {document_id(1)}" in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("condition", "problem"),
    [
        ("EXISTS(SELECT * FROM t.n a, t.n b, t.n c WHERE a + b + c < 0)", "100,000 rows"),
        ("EXISTS(SELECT c FROM t.few a, t.few b, t.long c ORDER BY a)", "64 MiB"),
    ],
)
def test_work_is_bounded(condition: str, problem: str) -> None:
    """A condition that costs too much work or memory stops the strand."""
    lists = {"n": list(range(60)), "few": [1, 2, 3], "long": ["x" * 8_000_000]}
    rules = Filter(where={"Things": condition})

    with pytest.raises(FilterError, match=f"more than {problem} on document"):
        rules.apply(block(0, revision(0, 1, 0, {"t": lists})))


def test_broken_documents() -> None:
    """A document that is no sound Ion stops the strand."""
    whole = to_slice({"a": "a long enough text"})
    broken = IonSlice(whole.buf[:-3], whole.start, whole.end - 3, SymbolTable(whole.symbols.texts))
    given = block(0, attrs.evolve(revision(0, 1, 0, {}), data_ion=broken))

    with pytest.raises(FilterError):
        Filter(tables={"Things"}).apply(given)


# --- what is hidden --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rules",
    [
        Filter(
            masks=[Mask("*", ("ssn",), MaskMethod.DROP), Mask("Cars", ("owner",), MaskMethod.DROP)]
        ),
        Filter(
            masks=[
                Mask("People", ("ssn",), MaskMethod.HASH),
                Mask("Cars", ("owner", "ssn"), MaskMethod.TEXT, "(secret)"),
            ],
            salt=SALT,
        ),
        Filter(where={"People": "false"}, exclude_tables={"Cars"}),
        Filter(tables={"Nothing"}),
    ],
)
def test_nothing_of_a_secret_is_left(rules: Filter) -> None:
    """No record, buffer, symbol table or statement of the delivered block has the secret."""
    assert SECRET.encode() in all_bytes(BLOCK)
    assert SECRET.encode() not in all_bytes(rules.apply(BLOCK))


def test_the_configuration_is_a_value() -> None:
    """A filter is equal to its pickled copy, which does the same."""
    rules = Filter(where={"People": "false"}, masks=[Mask("*", ("a",), MaskMethod.HASH)], salt=SALT)
    copy = pickle.loads(pickle.dumps(rules))  # noqa: S301 - our own bytes

    assert rules == copy
    assert rules.apply(BLOCK) == copy.apply(BLOCK)


def test_the_salt_is_not_shown() -> None:
    """The salt of a filter is not in its representation."""
    assert SALT.decode() not in repr(Filter(salt=SALT))


# --- configurations that make no sense -------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"tables": []}, "deliver nothing"),
        ({"tables": ["a-b"]}, "'a-b' is not a table name"),
        ({"tables": ["A"], "exclude_tables": ["B"]}, "not both"),
        ({"tables": ["A"], "where": {"B": "true"}}, "rule for table B, which is left out"),
        ({"exclude_tables": ["B"], "rename": {"B": "C"}}, "rule for table B"),
        ({"rename": {"A": "C", "B": "C"}}, "two tables are renamed to C"),
        ({"rename": {"A": "1"}}, "not a table name"),
        ({"rename": {"A": "qldb_stream_ids"}}, "sinks keep such names"),
        ({"masks": [Mask("A", (), MaskMethod.DROP)]}, "names no field"),
        ({"masks": [Mask("A", ("b",), MaskMethod.DROP)] * 2}, "A.b is masked twice"),
        ({"masks": [Mask("A", ("b",), MaskMethod.HASH)]}, "needs a salt"),
        ({"salt": b"short"}, "a salt of 5 bytes can be guessed"),
        ({"where": {"A": "b = ?"}}, "the condition on A: Semantic Error"),
        ({"where": {"A": " " * 100_001}}, "longer than 100,000"),
    ],
)
def test_rules_that_make_no_sense(given: dict[str, Any], problem: str) -> None:
    """Rules that make no sense are refused when the filter is made."""
    with pytest.raises(UsageError, match=problem):
        Filter(**given)

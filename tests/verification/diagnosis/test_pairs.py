"""Two accidents in one document, and accidents in all copies of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given, settings, strategies as st

from qldb_stream.assembly import BlockAssembler
from qldb_stream.events import Block, Revision, RevisionDetails
from qldb_stream.hashing import dot
from qldb_stream.ion import (
    HashTree,
    IonSlice,
    form_with_field,
    hash_form,
    ion_hash,
    iter_text,
    to_slice,
)
from qldb_stream.report import FieldChange, ProblemCode
from qldb_stream.testing.strategies import ion_values
from qldb_stream.verification import Effort, Efforts, verify_block
from qldb_stream.verification._evidence import BlockEvidence
from qldb_stream.verification.diagnosis import diagnose_revision
from tests.verification.blocks import INSERT

DOCUMENT = """{
  sku: "A-1", amount: 12.50, weight: 1.5e0, count: 5., since: 2020-01-01T00:00:00.000Z,
  day: 2020-02-29T, kind: new, seal: {{aGVsbG8gd29ybGQ=}}, words: {{"clob"}}, ok: true,
  note: "a text of its own", items: [{price: 3.10, n: 1}, {price: 4.20, n: 2}]
}"""
(WHOLE,) = iter_text(DOCUMENT)
LOST: dict[str, Any] = {
    "amount": 12.5,
    "weight": Decimal("1.5"),
    "count": 5,
    "since": "2020-01-01T00:00:00.000Z",
    "day": "2020-02-29",
    "kind": "new",
    "seal": "aGVsbG8gd29ybGQ=",
    "words": "clob",
    "ok": 1,
    "note": "a text of its own ",
    "more": "put in",
}
PAIRS = [
    ("amount", "kind"),
    ("amount", "note"),
    ("weight", "ok"),
    ("count", "words"),
    ("since", "amount"),
    ("day", "seal"),
    ("kind", "more"),
    ("words", "weight"),
]


def edited(**fields: Any) -> IonSlice:
    """The document with other values of some fields; None takes one out."""
    document = dict(WHOLE.decode().items()) | fields
    return to_slice({name: value for name, value in document.items() if value is not None})


def revision_of(data: IonSlice, *rivals: IonSlice) -> Revision:
    """A revision whose hash is that of the document, and that holds another."""
    like = INSERT.revisions[0]
    assert like.metadata is not None
    digest = dot(like.metadata.ion.hash(), WHOLE.hash())
    return attrs.evolve(like, data_ion=data, hash=digest, rivals=rivals)


def changes(revision: Revision) -> tuple[FieldChange, ...]:
    """What is found, with what there is for one revision in a run."""
    found = diagnose_revision(revision, BlockEvidence(INSERT.summary), Effort(1 << 30))
    return () if found is None else found.changes


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_two_fields(first: str, second: str) -> None:
    """Any two fields that lost their types, or one of them otherwise, are both named."""
    found = changes(revision_of(edited(**{name: LOST[name] for name in (first, second)})))

    assert {f"data.{first}", f"data.{second}"} == {change.path for change in found}


def test_two_elements_of_a_list() -> None:
    """Elements are values by themselves: one lost its places, another its type."""
    items = [{"price": Decimal("3.1"), "n": 1}, {"price": Decimal("4.20"), "n": Decimal(2)}]

    assert {"data.items[0].price", "data.items[1].n"} == {
        change.path for change in changes(revision_of(edited(items=items)))
    }


def test_a_value_and_what_it_is_in() -> None:
    """A list that was a sexp, and a value in it: what is inside counts with its container."""
    (hashed,) = iter_text("{formula: (1.50 2), other: 1}")
    like = revision_of(to_slice({"formula": [1.5, 2], "other": 1}))
    assert like.metadata is not None
    digest = dot(like.metadata.ion.hash(), hashed.hash())
    found = changes(attrs.evolve(like, hash=digest))

    assert ["data.formula", "data.formula[0]"] == [change.path for change in found]


def with_texts(*exchanged: tuple[str, str]) -> IonSlice:
    """The document with some of its text exchanged."""
    text = DOCUMENT
    for before, after in exchanged:
        assert 1 == text.count(before)
        text = text.replace(before, after)
    (found,) = iter_text(text)
    return found


@pytest.mark.parametrize(
    ("changed", "paths"),
    [
        ([("12.50", "12.60"), ("count: 5.", "count: 7.")], {"amount", "count"}),
        ([("count: 5.", "count: 7."), ("2020-02-29T", "2020-02-19T")], {"count", "day"}),
        ([("3.10, n: 1", "3.90, n: 1"), ("4.20, n: 2", "4.20, n: 3")], {"price", "n"}),
    ],
)
def test_a_digit_of_two_numbers(changed: list[tuple[str, str]], paths: set[str]) -> None:
    """Who changes an amount often changes another one with it: both are named as they were."""
    found = changes(revision_of(with_texts(*changed)))

    assert paths == {change.path.rpartition(".")[2] for change in found}
    assert {"ONE_DIGIT"} == {change.loss for change in found}


def test_digits_beyond_the_bound() -> None:
    """Of very many numbers not all pairs are tried, which is told; nothing is made of the rest."""
    like = revision_of(to_slice({f"n{number:02}": number for number in range(80)}))
    effort = Effort(1 << 30)

    assert None is diagnose_revision(like, BlockEvidence(INSERT.summary), effort)
    assert 1 == effort.stops


def test_what_is_beyond_is_not_told() -> None:
    """Three accidents of three kinds are not found, and that the search stopped is known."""
    lost = {name: LOST[name] for name in ("amount", "kind", "note", "words")}
    effort = Effort(1 << 30)
    found = diagnose_revision(revision_of(edited(**lost)), BlockEvidence(INSERT.summary), effort)

    assert None is found
    assert effort.stops == 1


def test_a_field_that_one_copy_has_lost() -> None:
    """A field that another copy has, which is damaged elsewhere, is named with its value."""
    found = changes(revision_of(edited(kind=None), edited(note="another")))

    assert [("data.kind", "REMOVED", "symbol", "new")] == [
        (change.path, change.loss, change.ion_type, change.value) for change in found
    ]
    inside = [{"n": 1}, {"price": Decimal("4.20"), "n": 2}]
    found = changes(revision_of(edited(items=inside), edited(note="another")))
    assert ["data.items[0].price"] == [change.path for change in found]


def test_a_value_that_another_copy_has() -> None:
    """A value that no rule leads to is the other copy's."""
    found = changes(revision_of(edited(note="something else"), edited(sku="lost as well")))

    assert [("data.note", "OTHER_COPY")] == [(change.path, change.loss) for change in found]


def test_two_accidents_that_other_copies_tell() -> None:
    """Two fields of one copy, each from another one, or both from the same."""
    damaged = edited(note="something else", kind=None)
    for rivals in (
        (edited(sku="lost"),),
        (edited(sku="lost", note="lost"), edited(kind=None, words=None)),
    ):
        paths = {change.path for change in changes(revision_of(damaged, *rivals))}
        assert {"data.note", "data.kind"} == paths


def test_copies_that_help_nobody() -> None:
    """Copies of other kinds, null ones and tables are passed over."""
    rivals = (to_slice(1), to_slice(None), to_slice({str(n): n for n in range(6000)}))

    assert () == changes(revision_of(to_slice({"a": 1}), *rivals))


def test_from_two_sources_to_the_report() -> None:
    """Where both copies of a revision are damaged, verification names what each other has."""
    block = attrs.evolve(INSERT, revisions=(revision_of(WHOLE),))
    copies = [revision_of(edited(kind=None)), revision_of(edited(note="another"))]
    for order in (copies, copies[::-1]):
        found = assembled(block, order)
        (revision,) = found.revisions
        (check,) = [
            check
            for check in verify_block(found, efforts=Efforts()).checks
            if check.name is ProblemCode.REVISION_HASH
        ]

        assert 1 == len(revision.rivals)
        assert check.diagnosis is not None
        assert check.field in ("data.kind", "data.note")
        assert "copy" in check.message


def assembled(block: Block, copies: list[Revision]) -> Block:
    """The block as it is put together from its summary and copies of its revision."""
    (leaf,) = block.summary.revision_summaries
    leaves = (attrs.evolve(leaf, hash=copies[0].hash),)
    assembler = BlockAssembler(hold=True)
    assembler.feed(attrs.evolve(block.summary, revision_summaries=leaves))
    for copy in copies:
        assembler.feed(RevisionDetails(None, copy))
    assembler.close()
    found = assembler.next_block()
    assert isinstance(found, Block)
    return found


@settings(deadline=None)
@given(st.dictionaries(st.text(), ion_values(), max_size=5), st.text(), ion_values())
def test_a_field_put_into_a_form(fields: dict[str, Any], name: str, value: Any) -> None:
    """A struct with one more field has the hash that it has when it is written with it."""
    fields.pop(name, None)
    tree = HashTree(to_slice(fields), limit=10_000)
    put_in = tree.digest({0: lambda form: form_with_field(form, name, hash_form(value))})

    assert ion_hash({**fields, name: value}) == put_in

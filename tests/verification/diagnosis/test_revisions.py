"""What is found out about a revision that fails: which field, and what it was."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given, settings, strategies as st

from qldb_stream.errors import DecodeError
from qldb_stream.events import Block, Revision, TransactionInfo
from qldb_stream.formulas import revision_recomputes
from qldb_stream.hashing import dot
from qldb_stream.ion import IonSlice, iter_text, load_slice, to_json, to_slice
from qldb_stream.report import Evidence, FieldChange, Outcome, ProblemCode
from qldb_stream.testing import flip_bit
from qldb_stream.verification import Effort, Efforts, verify_block
from qldb_stream.verification._evidence import BlockEvidence
from qldb_stream.verification.diagnosis import diagnose_revision, rebuild_revision
from tests.verification.blocks import (
    DELETE,
    INSERT,
    SEVERAL,
    WRONG,
    garbage,
    with_data,
    with_metadata,
    with_revision,
    with_statements,
    with_summary,
)

DOCUMENT = """{
  sku: "A-1", amount: 12.50, weight: 1.5e0, count: 5., since: 2020-01-01T00:00:00.000Z,
  day: 2020-02-29T, local: 2020-01-01T10:00:00+02:00, kind: new, note: "café\\r\\n",
  seal: {{aGVsbG8gd29ybGQ=}}, words: {{"clob"}}, none: null.string, ok: true,
  items: [{price: 3.10, n: 1}, {price: 4.20, n: 2}], formula: (a b), size: kg::7
}"""
WHOLE = next(iter_text(DOCUMENT))


def revision_of(data: IonSlice | None, hashed: IonSlice = WHOLE) -> Revision:
    """Make a revision whose hash is that of one document, and that holds another."""
    like = INSERT.revisions[0]
    assert like.metadata is not None
    digest = dot(like.metadata.ion.hash(), hashed.hash())
    return attrs.evolve(like, data_ion=data, hash=digest)


def diagnose(data: IonSlice, hashed: IonSlice = WHOLE) -> tuple[FieldChange, ...]:
    """Give the changes with which a document has the hash of another."""
    revision = revision_of(data, hashed)
    assert not revision_recomputes(revision)
    found = diagnose_revision(revision, BlockEvidence(INSERT.summary), Effort(1 << 26))
    return () if found is None else found.changes


def edited(**fields: Any) -> IonSlice:
    """Give the document with other values of some fields; None takes one out."""
    document = dict(WHOLE.decode().items()) | fields
    return to_slice({name: value for name, value in document.items() if value is not None})


LOSSES: list[tuple[str, Any, str, str]] = [
    ("amount", 12.5, "FLOAT_FOR_DECIMAL", "12.50"),
    ("amount", Decimal("12.5"), "DECIMAL_PLACES", "12.50"),
    ("amount", "12.5", "STRING_FOR_NUMBER", "12.50"),
    ("count", 5, "INT_FOR_DECIMAL", "5."),
    ("weight", Decimal("1.5"), "DECIMAL_FOR_FLOAT", "1.5e0"),
    ("since", "2020-01-01T00:00:00.000Z", "STRING_FOR_TIMESTAMP", "2020-01-01T00:00:00.000Z"),
    ("since", "2020-01-01 00:00:00+0000", "STRING_FOR_TIMESTAMP", "2020-01-01T00:00:00.000Z"),
    ("day", "2020-02-29", "STRING_FOR_TIMESTAMP", "2020-02-29T"),
    ("local", "2020-01-01T08:00:00Z", "STRING_FOR_TIMESTAMP", "2020-01-01T10:00:00+02:00"),
    ("kind", "new", "STRING_FOR_SYMBOL", "new"),
    ("seal", "aGVsbG8gd29ybGQ=", "STRING_FOR_BLOB", "{{aGVsbG8gd29ybGQ=}}"),
    ("seal", b"hello world".hex(), "STRING_FOR_BLOB", "{{aGVsbG8gd29ybGQ=}}"),
    ("words", "clob", "STRING_FOR_CLOB", '{{"clob"}}'),
    ("words", b"clob", "BLOB_FOR_CLOB", '{{"clob"}}'),
    ("none", "", "STRING_FOR_NULL", "null.string"),
    ("ok", 1, "INT_FOR_BOOL", "true"),
    ("ok", "True", "STRING_FOR_BOOL", "true"),
    ("note", "café\n", "TEXT", '"café\\r\\n"'),
    ("note", "cafÃ©\r\n", "TEXT", '"café\\r\\n"'),
    ("sku", "A-1 ", "TEXT", '"A-1"'),
    ("amount", Decimal("19.50"), "ONE_DIGIT", "12.50"),
    ("added", 1, "ADDED", ""),
]


@pytest.mark.parametrize(("name", "value", "loss", "was"), LOSSES)
def test_one_field(name: str, value: Any, loss: str, was: str) -> None:
    """The field is named, what happened to it, and what it was."""
    [found] = diagnose(edited(**{name: value}))
    assert (f"data.{name}", loss, was) == (found.path, found.loss, found.value or "")


def parsed(text: str) -> IonSlice:
    """Read a document of Ion text."""
    return next(iter_text(text))


@pytest.mark.parametrize(
    ("was", "now", "path", "loss"),
    [
        ("{a: 5.0e0}", "{a: 5}", "data.a", "INT_FOR_FLOAT"),
        ("{a: 5}", "{a: 5e0}", "data.a", "FLOAT_FOR_INT"),
        ("{a: 5}", "{a: 5.0}", "data.a", "DECIMAL_FOR_INT"),
        ("{a: 5d2}", "{a: 500}", "data.a", "INT_FOR_DECIMAL"),
        ("{a: 0}", "{a: false}", "data.a", "BOOL_FOR_INT"),
        ("{a: 'x'}", '{a: "x"}', "data.a", "STRING_FOR_SYMBOL"),
        ('{a: "x"}', "{a: x}", "data.a", "SYMBOL_FOR_STRING"),
        ('{a: {{"x"}}}', "{a: {{eA==}}}", "data.a", "BLOB_FOR_CLOB"),
        ("{a: {{eA==}}}", '{a: {{"x"}}}', "data.a", "CLOB_FOR_BLOB"),
        ('{a: "x"}', '{a: {{"x"}}}', "data.a", "CLOB_FOR_STRING"),
        ('{a: "x"}', "{a: {{eA==}}}", "data.a", "BLOB_FOR_STRING"),
        ("{a: null.timestamp}", "{a: null}", "data.a", "NULL_TYPE"),
        ("{a: [1, (b c)]}", "{a: [1, [b, c]]}", "data.a[1]", "LIST_FOR_SEXP"),
        ("{a: [1]}", "{a: (1)}", "data.a", "SEXP_FOR_LIST"),
        ("{a: 2020T}", "{a: 2020-01-01T00:00:00Z}", "data.a", "TIMESTAMP_PRECISION"),
        ("{a: 2020-01T}", "{a: 2020-01-01T}", "data.a", "TIMESTAMP_PRECISION"),
        ("{a: 2020-01-01T00:00-00:00}", "{a: 2020-01-01T00:00Z}", "data.a", "TIMESTAMP_PRECISION"),
        (
            "{a: 2020-01-01T00:00:00.120Z}",
            "{a: 2020-01-01T00:00:00.12Z}",
            "data.a",
            "TIMESTAMP_PRECISION",
        ),
        ("{a: 7}", "{a: kg::7}", "data.a", "ANNOTATION"),
        ("{a: kg::[1], kg: 1}", "{a: [1], kg: 1}", "data.a", "ANNOTATION"),
        ("{a: kg::12.50}", "{a: kg::12.5}", "data.a", "DECIMAL_PLACES"),
        ("{price: 1}", "{Price: 1}", "data.Price", "NAME"),
        ("{price: 1}", "{qrice: 1}", "data.qrice", "NAME"),
        ("{a: [1, 2]}", "{a: [1, 2, 3]}", "data.a[2]", "ADDED"),
        ("{a: 300}", "{a: 301}", "data.a", "ONE_BIT"),
        ("{a: 2020-01-01T}", "{a: 2020-07-01T}", "data.a", "ONE_DIGIT"),
    ],
)
def test_each_kind_of_change(was: str, now: str, path: str, loss: str) -> None:
    """Whatever it was, the row of the table that tells it is told."""
    [found] = diagnose(parsed(now), parsed(was))
    assert (path, loss) == (found.path, found.loss)


def test_all_of_a_kind() -> None:
    """Where an editor lost all decimals, in lists as well, every one of them is named."""
    items = [{"price": 3.1, "n": 1}, {"price": 4.2, "n": 2}]
    found = diagnose(edited(amount=12.5, items=items))
    assert ["data.amount", "data.items[0].price", "data.items[1].price"] == [f.path for f in found]
    assert {"FLOAT_FOR_DECIMAL"} == {change.loss for change in found}


def test_a_literal_of_the_statement() -> None:
    """What its statement set a field to, the field was."""
    text = "UPDATE Items SET note = 'it''s', amount = -99.125, x = 5, y = `kg::{a:1}`, z = null"
    block = with_statements(INSERT, text)
    for name, now, was in (("note", "", "it's"), ("amount", 1, Decimal("-99.125")), ("z", 9, None)):
        data = INSERT.revisions[0].data
        hashed = to_slice({**data, name: was})
        revision = revision_of(to_slice({**data, name: now}), hashed)
        found = diagnose_revision(revision, BlockEvidence(block.summary), Effort(1 << 26))
        assert found is not None
        assert [f"data.{name}"] == [change.path for change in found.changes]


def test_too_much_has_changed() -> None:
    """Nothing is found, and nothing is told."""
    assert () == diagnose(edited(amount=Decimal("987654.321"), sku="other"))


def test_what_was_taken_out_is_not_found() -> None:
    """A field that is gone leaves nothing to try."""
    assert () == diagnose(edited(sku=None))


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_a_flipped_bit_of_a_document(data: st.DataObject) -> None:
    """Whatever the bytes are now, a diagnosis is given or none, and nothing else happens."""
    stored = WHOLE.to_bytes()
    bit = data.draw(st.integers(0, 8 * len(stored) - 1))
    try:
        damaged = load_slice(flip_bit(stored, bit))
        if damaged.hash() == WHOLE.hash():
            return
    except DecodeError:
        return
    found = diagnose_revision(revision_of(damaged), BlockEvidence(INSERT.summary), Effort(1 << 18))
    assert found is None or found.field.startswith("data")


# --- in a block -----------------------------------------------------------------------------


def found_in(block: Block) -> list[tuple[str | None, str | None]]:
    """Give field and loss of each diagnosis of a block."""
    checks = verify_block(block, efforts=Efforts()).checks
    return [(c.field, c.diagnosis.changes[0].loss) for c in checks if c.diagnosis is not None]


def test_the_hash_itself() -> None:
    """The block's list of hashes tells that it is not the document which was changed."""
    assert [("hash", "OTHER_HASH")] == found_in(with_revision(INSERT, hash=WRONG))


def test_the_hash_where_the_list_was_made_of_it() -> None:
    """As in an export, whose list is that of its revisions: the entries tell."""
    block = with_revision(SEVERAL, hash=WRONG)
    leaves = list(block.summary.revision_summaries)
    leaves[0] = attrs.evolve(leaves[0], hash=WRONG)
    block = attrs.evolve(
        block, summary=attrs.evolve(block.summary, revision_summaries=tuple(leaves))
    )
    assert [("hash", "OTHER_HASH")] == found_in(block)


def test_metadata() -> None:
    """Another version, another transaction, another document: what the block says fits."""
    assert [("metadata.version", "OTHER_VERSION")] == found_in(with_metadata(INSERT, version=9))
    assert [("metadata.txId", "REPEATED")] == found_in(with_metadata(INSERT, tx_id="A" * 22))
    assert [("metadata.id", "REPEATED")] == found_in(with_metadata(INSERT, id="B" * 22))


def test_metadata_of_a_delete() -> None:
    """Any of the rules for deletes will do."""
    evidence = BlockEvidence(DELETE.summary)
    version = DELETE.revisions[0].metadata
    assert version is not None
    revision = with_metadata(DELETE, version=version.version + 5).revisions[0]
    found = diagnose_revision(revision, evidence, Effort(1 << 24))
    assert found is not None
    assert "metadata.version" == found.field


def test_nothing_to_say_of_what_cannot_be_joined() -> None:
    """A revision without metadata, or with data beside another's hash."""
    evidence = BlockEvidence(INSERT.summary)
    for changes in ({"metadata": None}, {"data_hash": WRONG}):
        revision = attrs.evolve(INSERT.revisions[0], **changes)
        assert None is diagnose_revision(revision, evidence, Effort(1 << 24))


def test_the_leaf_is_a_witness() -> None:
    """Where both hash and document were changed, the hash that the block lists still tells."""
    data = INSERT.revisions[0].data
    name = next(name for name, value in data.items() if isinstance(value, int))
    block = with_revision(with_data(INSERT, {**data, name: float(data[name])}), hash=WRONG)
    [found] = [
        check.diagnosis
        for check in verify_block(block, efforts=Efforts()).checks
        if check.diagnosis is not None
    ]
    assert (Evidence.LEAF_HASH, f"data.{name}") == (found.evidence, found.field)


def test_nothing_is_looked_for_unless_asked() -> None:
    """Without efforts a failure is told as ever, and a sound block is told alike in any case."""
    block = with_metadata(INSERT, version=9)
    assert [] == [c for c in verify_block(block).checks if c.diagnosis is not None]
    assert verify_block(INSERT) == verify_block(INSERT, efforts=Efforts())


def test_the_effort_is_bounded() -> None:
    """When it is spent, failures are told without a diagnosis, and nothing is spent below it."""
    efforts = Efforts(failures=Effort(20_000))
    block = with_data(INSERT, {**INSERT.revisions[0].data, "x": 1, "y": 2})
    for _ in range(20):
        assert not verify_block(block, efforts=efforts).ok
    assert -10_000 < efforts.failures.left <= 0


def test_a_document_of_too_many_values() -> None:
    """Each try would be dear, so none is made."""
    effort = Effort(1 << 26)
    revision = revision_of(to_slice({"a": list(range(6000))}))
    assert None is rebuild_revision(attrs.evolve(revision, from_json=True), effort)
    assert effort.left > 1 << 25


# --- JSON exports ---------------------------------------------------------------------------


def as_json(**fields: Any) -> Revision:
    """Give the revision of the document as a JSON export has it."""
    document = {
        "sku": "A-1",
        "amount": Decimal("12.50"),
        "weight": Decimal("1.5"),
        "since": "2020-01-01T00:00:00.000Z",
        "seal": "aGVsbG8gd29ybGQ=",
        "none": None,
        "items": [{"price": Decimal("3.10"), "n": 1}, {"price": Decimal("4.20"), "n": 2}],
    }
    text = """{sku: "A-1", amount: 12.50, weight: 1.5e0, since: 2020-01-01T00:00:00.000Z,
        seal: {{aGVsbG8gd29ybGQ=}}, none: null,
        items: [{price: 3.10, n: 1}, {price: 4.20, n: 2}]}"""
    revision = revision_of(to_slice(document | fields), parsed(text))
    return attrs.evolve(revision, from_json=True)


def test_a_document_of_a_json_export_is_rebuilt() -> None:
    """Times, blobs and a float among decimals, all at once; what was not lost is not named."""
    effort = Effort(1 << 26)
    found = rebuild_revision(as_json(), effort)
    assert found is not None
    changes = found.diagnosis.changes
    assert {"data.weight", "data.since", "data.seal"} == {change.path for change in changes}
    assert effort.left > (1 << 26) - (1 << 19)
    assert found.is_genuine
    assert found.revision is not None
    assert revision_recomputes(found.revision)
    assert found.revision.data_ion is not None
    assert found.revision.data_ion.decode()["weight"] == 1.5


@pytest.mark.parametrize(
    ("edited", "told"),
    [
        ({"amount": Decimal("12.80")}, ("data.amount", "ONE_DIGIT")),
        ({"note": "a text of its own "}, ("data.note", "TEXT")),
        ({"items": [{"n": 1}, {"n": 7}]}, ("data.items[1].n", "ONE_DIGIT")),
    ],
)
def test_a_document_of_a_json_export_that_was_edited(
    edited: dict[str, Any], told: tuple[str, str]
) -> None:
    """Beside times and blobs that lost their types one value is another one, which is told."""
    text = """{amount: 12.50, note: "a text of its own", since: 2020-01-01T00:00:00.000Z,
        seal: {{aGVsbG8gd29ybGQ=}}, none: null, items: [{n: 1}, {n: 2}]}"""
    lost = {"since": "2020-01-01T00:00:00.000Z", "seal": "aGVsbG8gd29ybGQ="}
    document = dict(parsed(text).decode().items()) | lost | edited
    revision = revision_of(to_slice(document), parsed(text))
    found = rebuild_revision(attrs.evolve(revision, from_json=True), Effort(1 << 26))

    assert found is not None
    assert not found.is_genuine
    assert {told, ("data.since", "STRING_FOR_TIMESTAMP"), ("data.seal", "STRING_FOR_BLOB")} == {
        (change.path, change.loss) for change in found.diagnosis.changes
    }


def test_a_document_of_a_json_export_that_was_changed() -> None:
    """It is not rebuilt, and stays what it is: not checkable."""
    effort = Effort(1 << 26)
    assert None is rebuild_revision(as_json(sku="B-2", amount=Decimal("9999.99")), effort)
    assert effort.stops == 1


def test_documents_that_the_block_names() -> None:
    """Each once, whoever names it; none where transactionInfo cannot be read."""
    assert [INSERT.revisions[0].document_id] == list(BlockEvidence(INSERT.summary).document_ids)
    broken = with_summary(INSERT, transaction_info=TransactionInfo(garbage()))
    assert [INSERT.revisions[0].document_id] == list(BlockEvidence(broken.summary).document_ids)


def test_a_root_over_what_is_no_digest() -> None:
    """Whatever stands among the leaves, the question has an answer."""
    leaves = tuple(attrs.evolve(leaf, hash=b"short") for leaf in SEVERAL.summary.revision_summaries)
    first = attrs.evolve(leaves[0], hash=WRONG)
    evidence = BlockEvidence(with_summary(SEVERAL, revision_summaries=(first, *leaves[1:])).summary)
    assert not evidence.root_fits(WRONG, bytes(32))
    assert not evidence.root_fits(b"unknown", bytes(32))


def test_a_check_of_a_json_export_through_a_block() -> None:
    """As rebuilt it is VERIFIED and says so; what fits in no way is not checkable, not failed."""
    data = INSERT.revisions[0].data_ion
    assert data is not None
    text = json.loads(to_json(data), parse_float=Decimal)
    sound = with_revision(INSERT, data_ion=to_slice(text), from_json=True)
    [check] = [c for c in verify_block(sound, efforts=Efforts()).checks if c.diagnosis is not None]
    assert (Outcome.VERIFIED, ProblemCode.REVISION_HASH) == (check.outcome, check.name)
    assert check.message.startswith("as rebuilt: ")
    changed = with_revision(INSERT, data_ion=to_slice(text | {"name": "?"}), from_json=True)
    found = verify_block(changed, efforts=Efforts())
    assert found.ok
    assert Outcome.NOT_CHECKABLE in {c.outcome for c in found.checks}


def test_a_json_document_with_a_value_changed() -> None:
    """One that fits with another digit, letter or name is no lost type: it fails, and is named."""
    data = INSERT.revisions[0].data_ion
    assert data is not None
    document = json.loads(to_json(data), parse_float=Decimal)
    name, number = next(
        (name, value) for name, value in document.items() if isinstance(value, Decimal | int)
    )
    changed = with_revision(
        INSERT, data_ion=to_slice(document | {name: number + 1}), from_json=True
    )
    named = {key if key != name else f"{name}x": value for key, value in document.items()}
    for block, field in (
        (changed, f"data.{name}"),
        (with_revision(INSERT, data_ion=to_slice(document | {"extra": 1}), from_json=True), None),
        (with_revision(INSERT, data_ion=to_slice(named), from_json=True), None),
    ):
        checks = verify_block(block, efforts=Efforts()).checks
        [check] = [c for c in checks if c.name is ProblemCode.REVISION_HASH]
        if check.outcome is Outcome.NOT_CHECKABLE:
            continue
        assert Outcome.FAILED is check.outcome
        assert "another than the one that was hashed" in check.detail
        assert check.diagnosis is not None
        assert field in (None, *[change.path for change in check.diagnosis.changes])


def test_a_search_that_stops_says_so() -> None:
    """Where the bound ended the search, the check says that, and why nothing was found."""
    data = to_slice({str(n): f"2020-01-01T00:00:{n % 60:02}Z" for n in range(300)})
    block = with_data(INSERT, data)
    checks = verify_block(block, efforts=Efforts(Effort(1 << 18))).checks
    [check] = [c for c in checks if c.name is ProblemCode.REVISION_HASH]
    assert check.detail.endswith("stopped at its bound")
    spent = verify_block(block, efforts=Efforts(Effort(0))).checks
    assert check in spent
    without = verify_block(with_data(INSERT, to_slice({}))).checks
    assert not any("bound" in c.detail for c in without)


@pytest.mark.parametrize(
    "document",
    [
        {"x" * 100_000: 1},
        {"a": "x" * 100_000},
        {"a": b"\xff" * 100_000},
        {"a": "é" * 60_000},
        {str(n): n for n in range(4000)},
        [[[{"a": [n]}] for n in range(300)]],
        {"a": "9" * 100_000},
        {"a": "A" * 100_001},
        {"a": [f"2020-01-01T00:00:{n % 60:02}Z" for n in range(1000)]},
    ],
)
def test_documents_made_to_be_dear(document: Any) -> None:
    """Their diagnosis ends within its bound, which counts what each try costs."""
    effort = Effort(1 << 22)
    revision = revision_of(to_slice(document))
    assert None is diagnose_revision(revision, BlockEvidence(INSERT.summary), effort)
    assert None is rebuild_revision(attrs.evolve(revision, from_json=True), effort)
    assert effort.left > -(1 << 21)

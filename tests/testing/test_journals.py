"""Synthetic journals: a second opinion on Ion, hashes and records."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings

from qldb_stream.errors import UsageError
from qldb_stream.events import RevisionKind
from qldb_stream.hashing import dot, merkle_root
from qldb_stream.ion import ion_hash, iter_fields, load_slice, loads, timestamp_ms, to_slice
from qldb_stream.report import DeleteRule
from qldb_stream.testing import (
    Journal,
    JournalShape,
    make_document,
    make_journal,
    records,
)
from qldb_stream.testing._ion_writer import ForeignValueError, encode, stream
from qldb_stream.testing.strategies import ion_documents, journals

EVERYTHING = JournalShape(redactions=0.5, system=0.3, empty=0.2, deletes=0.3)


def kinds(journal: Journal) -> Counter[RevisionKind]:
    """Count the revisions of a journal by kind."""
    return Counter(revision.kind for block in journal for revision in block.revisions)


def test_a_seed_gives_the_same_bytes_again() -> None:
    """Two journals of one seed have the same records; another seed has others."""
    first = list(make_journal(7, blocks=30).iter_records())
    assert first == list(make_journal(7, blocks=30).iter_records())
    assert first != list(make_journal(8, blocks=30).iter_records())


def test_a_seed_gives_these_very_bytes() -> None:
    """A journal is the same on every machine and in every version of Python."""
    written = b"".join(make_journal(7, blocks=50, shape=EVERYTHING).iter_records())
    expected = "3b047b2686594612cb42f7ce0de02580bfef4d25beed1f0743892093e4a7de43"
    assert expected == sha256(written).hexdigest()


def test_a_longer_journal_begins_like_a_shorter_one() -> None:
    """Without redactions, which look ahead, the number of blocks changes no block."""
    shape = JournalShape(redactions=0.0)
    short = list(make_journal(7, blocks=10, shape=shape))
    assert short == list(itertools.islice(make_journal(7, blocks=20, shape=shape), 10))


def test_a_journal_holds_everything_that_its_shape_asks_for() -> None:
    """Inserts, updates, deletes, system revisions and redactions come in one journal."""
    journal = make_journal(1, blocks=200, shape=EVERYTHING)
    in_journals = set(RevisionKind) - {RevisionKind.WITHHELD}  # which only filters make
    assert in_journals - {RevisionKind.REDACTED} == set(kinds(journal))
    assert in_journals == set(kinds(journal.with_erased()))
    assert any(not block.revisions for block in journal)
    assert any(block.summary.transaction_info is None for block in journal)
    assert any(block.summary.redaction_info is not None for block in journal)


def test_records_and_blocks_tell_the_same() -> None:
    """The fast writer and the writer over Ion slices give equal Ion values."""
    for journal in (
        make_journal(3, blocks=60, shape=EVERYTHING).with_erased(erased=e) for e in (False, True)
    ):
        for block, written in zip(journal, journal.iter_block_records(), strict=True):
            expected = [load_slice(record).hash() for record in records(block)]
            assert expected == [load_slice(record).hash() for record in written]


def test_the_stream_starts_with_a_control_record() -> None:
    """CREATED comes first, then the records of each block in order."""
    journal = make_journal(1, blocks=3)
    first, *rest = journal.iter_records()
    assert {"controlRecordType": "CREATED"} == loads(first)["payload"]
    assert [record for written in journal.iter_block_records() for record in written] == rest


@settings(max_examples=25)
@given(journals(most_blocks=10, any_documents=True))
def test_every_hash_is_valid(journal: Journal) -> None:
    """Hashes recompute by the formulas of facts 2.5, chain and digest included."""
    previous = b""
    hashes = []
    for number, block in enumerate(journal):
        summary = block.summary
        assert (number, previous) == (block.address.sequence_no, summary.previous_block_hash)
        assert summary.entries_hash == merkle_root(summary.entries_hash_list)
        assert summary.block_hash == dot(summary.entries_hash, previous)
        if summary.transaction_info is not None:
            assert summary.transaction_info.ion.hash() in summary.entries_hash_list
        if summary.redaction_info is not None:
            assert summary.redaction_info.ion.hash() in summary.entries_hash_list
        if block.revisions:
            assert merkle_root([r.hash for r in block.revisions]) in summary.entries_hash_list
        for revision in block.revisions:
            if revision.metadata is not None and revision.data_ion is not None:
                expected = dot(revision.metadata.ion.hash(), revision.data_ion.hash())
                assert expected == revision.hash
        previous = summary.block_hash
        hashes.append(previous)
    assert merkle_root(hashes) == journal.digest()


def test_a_redaction_hides_an_older_revision_that_was_there() -> None:
    """The erased form has the hash of the data that the other form shows."""
    journal = make_journal(5, blocks=80, shape=EVERYTHING)
    full = {
        (r.address, r.document_id): r for block in journal for r in block.revisions if r.metadata
    }
    erased = 0
    for block in journal.with_erased():
        for revision in block.revisions:
            if revision.kind is RevisionKind.REDACTED:
                before = full[revision.address, revision.document_id]
                assert before.data_ion is not None
                assert before.data_ion.hash() == revision.data_hash
                assert before.hash == revision.hash
                erased += 1
    assert erased > 0
    named = [
        (r.block_address, r.document_id)
        for block in journal
        if block.summary.redaction_info is not None
        for r in block.summary.redaction_info.revisions
    ]
    assert erased == len(named)
    assert all(key in full for key in named)


def test_versions_rise_by_one_and_nothing_follows_a_delete() -> None:
    """Each document's revisions are numbered from 0, and a deleted one stays deleted."""
    versions: dict[str, int] = {}
    deleted = set()
    for block in make_journal(11, blocks=300, shape=EVERYTHING):
        for revision in block.revisions:
            if revision.metadata is None:
                continue
            document_id = revision.metadata.id
            assert versions.get(document_id, -1) + 1 == revision.metadata.version
            assert document_id not in deleted
            versions[document_id] = revision.metadata.version
            if revision.kind is RevisionKind.DELETE:
                deleted.add(document_id)


def test_transaction_info_names_the_changed_documents() -> None:
    """Documents, their tables and the statements that changed them are all there."""
    for block in make_journal(2, blocks=80):
        info = block.summary.transaction_info
        changed = {r.document_id: r.table for r in block.revisions if r.document_id}
        if info is None:
            assert {} == changed
            continue
        assert changed == {key: value.table for key, value in info.documents.items()}
        for document in info.documents.values():
            assert all(0 <= i < len(info.statements) for i in document.statements)


def test_statement_digests_fold_in_the_parameters() -> None:
    """An INSERT of one document can be proven by its digest (facts 2.3)."""
    proven = 0
    for block in make_journal(2, blocks=60, shape=JournalShape(updates=0, deletes=0)):
        info = block.summary.transaction_info
        by_id = {r.document_id: r for r in block.revisions}
        for document_id, document in (info.documents if info else {}).items():
            statement = info.statements[document.statements[0]] if info else None
            data = by_id[document_id].data_ion
            assert statement is not None
            assert data is not None
            text_hash = ion_hash(to_slice(statement.statement))
            proven += statement.statement_digest == dot(text_hash, data.hash())
    assert proven > 20


@pytest.mark.parametrize("rule", DeleteRule)
def test_deletes_follow_the_rule_that_is_asked_for(rule: DeleteRule) -> None:
    """Each of the three candidates of facts 1.4 can be made."""
    shape = JournalShape(deletes=0.5, delete_rule=rule)
    deletes = [
        r
        for block in make_journal(1, blocks=40, shape=shape)
        for r in block.revisions
        if r.kind is RevisionKind.DELETE
    ]
    nothing = {DeleteRule.NULL_DATA: "0f", DeleteRule.NULL_STRUCT_DATA: "df"}.get(rule)
    null_hash = b"" if nothing is None else ion_hash(bytes.fromhex("e00100ea" + nothing))
    assert deletes
    for revision in deletes:
        assert revision.metadata is not None
        assert dot(revision.metadata.ion.hash(), null_hash) == revision.hash


def test_documents_refer_to_others_earlier_and_later() -> None:
    """Ids of documents stand inside documents, before and after these are inserted."""
    inserted: dict[str, int] = {}
    referred: list[tuple[int, str]] = []
    for block in make_journal(1, blocks=150):
        for revision in block.revisions:
            if revision.kind is RevisionKind.INSERT and revision.document_id:
                inserted[revision.document_id] = block.address.sequence_no
    for block in make_journal(1, blocks=150):
        for revision in block.revisions:
            if revision.data_ion is not None:
                texts = set(iter_texts(revision.data))
                referred += [(block.address.sequence_no, t) for t in texts if t in inserted]
    assert any(inserted[text] < number for number, text in referred)
    assert any(inserted[text] > number for number, text in referred)


def iter_texts(value: Any) -> Any:
    """Iterate over all strings inside a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from iter_texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from iter_texts(inner)


def test_a_caller_may_make_the_documents() -> None:
    """Documents of every Ion type go through the full writer, with valid records."""

    def document(rng: Random, name: str, references: Sequence[str]) -> Any:
        return {
            "table": name,
            "zero": -0.0,
            "then": datetime(2020, 1, 1, tzinfo=UTC),
            "n": len(references),
        }

    journal = make_journal(1, blocks=12, shape=JournalShape(document=document, erased=True))
    seen = 0
    for block, written in zip(journal, journal.iter_block_records(), strict=True):
        assert [loads(record) for record in records(block)] == [loads(record) for record in written]
        for revision in block.revisions:
            if revision.data_ion is not None and revision.metadata is not None:
                expected = dot(revision.metadata.ion.hash(), revision.data_ion.hash())
                assert expected == revision.hash
                seen += 1
    assert seen > 0


def test_documents_become_as_long_as_asked() -> None:
    """`document_bytes` is about the length of a document's bytes."""
    shape = JournalShape(document_bytes=3000, updates=0, deletes=0, redactions=0)
    sizes = [
        revision.data_ion.end - revision.data_ion.start
        for block in make_journal(1, blocks=30, shape=shape)
        for revision in block.revisions
        if revision.data_ion is not None
    ]
    assert 2700 < min(sizes)
    assert max(sizes) < 3600


@pytest.mark.parametrize(
    "shape",
    [
        JournalShape(tables=0),
        JournalShape(tables=41),
        JournalShape(least_revisions=3, most_revisions=2),
    ],
)
def test_shapes_that_make_no_sense_are_refused(shape: JournalShape) -> None:
    """A journal without tables, or with too many, or with a reversed range, is no journal."""
    with pytest.raises(UsageError, match="a journal has"):
        make_journal(1, blocks=1, shape=shape)


def test_a_negative_number_of_blocks_is_refused() -> None:
    """Blocks are counted from 0."""
    with pytest.raises(UsageError, match="blocks >= 0"):
        make_journal(1, blocks=-1)


def test_a_journal_tells_its_length() -> None:
    """The length is the number of blocks; the strand can be named."""
    journal = make_journal(1, blocks=4, strand_id="0123456789012345678901")
    assert 4 == len(journal) == len(list(journal))
    assert {"0123456789012345678901"} == {block.address.strand_id for block in journal}


def test_empty_journals_have_an_empty_digest() -> None:
    """No blocks, no root."""
    assert b"" == make_journal(1, blocks=0).digest()


# --- the small Ion writer -------------------------------------------------------------------

VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    255,
    -1,
    -(2**70),
    2**63,
    1.5,
    -2.5e300,
    float("inf"),
    Decimal("1.50"),
    Decimal("-0.5"),
    Decimal("1e100"),
    Decimal("1e-9000"),
    Decimal(128),
    "",
    "æ" * 20,
    "\x0b\x0c\x0e",
    b"",
    b"\x0b\x0c\x0e" * 50,
    b"x" * 5000,
    [],
    [1, ["a", {}]],
    {"name": 1, "version": {"a": [None, {"b": True}]}, "": "x"},
    {"z": 1, "a": 2, "m" * 300: "n" * 20_000},
    timestamp_ms(0),
    timestamp_ms(1_612_836_966_242),
    timestamp_ms(4_102_444_799_999),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_the_small_writer_agrees_with_ion_and_with_ion_hash(value: Any) -> None:
    """What it writes reads back equal, and what it hashes is the Ion Hash."""
    symbols: dict[str, bytes] = {}
    binary, form = encode(value, symbols)
    read = load_slice(stream(symbols, binary))
    assert to_slice(value) == read
    assert read.hash() == sha256(form).digest()


@settings(max_examples=30)
@given(ion_documents(max_leaves=5))
def test_the_small_writer_is_right_or_declines(document: dict[str, Any]) -> None:
    """Any document is either written with the right hash or left to the full writer."""
    symbols: dict[str, bytes] = {}
    try:
        binary, form = encode(document, symbols)
    except ForeignValueError:
        return
    assert (
        to_slice(document).hash()
        == sha256(form).digest()
        == load_slice(stream(symbols, binary)).hash()
    )


@pytest.mark.parametrize(
    "value",
    [0.0, -0.0, float("nan"), Decimal(0), Decimal("NaN"), 1j, datetime(2020, 1, 1, tzinfo=UTC)],
    ids=repr,
)
def test_the_small_writer_declines_what_it_does_not_know(value: Any) -> None:
    """Values with forms of their own are left to the full writer."""
    with pytest.raises(ForeignValueError):
        encode([value], {})


def test_make_document_knows_three_kinds() -> None:
    """Customers, products and orders differ, whatever number follows the table's name."""
    fields = {
        name: tuple(make_document(Random(1), name, ["x"]))
        for name in ("Customers", "Products", "Orders", "Orders12")
    }
    assert 3 == len(set(fields.values()))
    assert fields["Orders"] == fields["Orders12"]


def test_symbols_are_numbered_as_genuine_records_number_them(vectors: Any) -> None:
    """A revision's names come in the order in which the service used them."""
    from qldb_stream.parsers.kpl import deaggregate

    genuine = [
        n
        for n, _ in iter_fields(
            load_slice(deaggregate((vectors / "kpl-14/aggregated.kpl").read_bytes())[1])
        )
    ]
    ours = [
        n for n, _ in iter_fields(load_slice(next(iter(make_journal(1, blocks=9).iter_records()))))
    ]
    assert genuine == ours

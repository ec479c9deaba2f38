"""One block: sound ones, hashes that do not fit, and robustness."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given, settings, strategies as st

from qldb_stream.events import (
    Block,
    BlockAddress,
    BlockSummary,
    RedactionInfo,
    RevisionDetails,
    RevisionSummary,
    TransactionInfo,
)
from qldb_stream.ion import loads, to_slice
from qldb_stream.parsers.export import parse_export
from qldb_stream.parsers.kpl import deaggregate
from qldb_stream.parsers.record import parse_record
from qldb_stream.report import Check, Outcome, ProblemCode
from qldb_stream.testing import Journal
from qldb_stream.testing.strategies import journals
from qldb_stream.verification import verify_block
from tests.verification.blocks import (
    BARE,
    BLOCKS,
    DDL,
    DELETE,
    INSERT,
    REDACTION,
    SEVERAL,
    SYSTEM,
    UPDATE,
    WRONG,
    failures,
    garbage,
    id_of,
    outcomes,
    with_data,
    with_metadata,
    with_revision,
    with_summary,
)

# --- sound blocks ---


def test_the_genuine_block_of_a_stream_verifies(vectors: Path) -> None:
    """Block 14 holds in every check."""
    summary, details = map(
        parse_record, deaggregate((vectors / "kpl-14/aggregated.kpl").read_bytes())
    )
    assert isinstance(summary, BlockSummary)
    assert isinstance(details, RevisionDetails)
    found = verify_block(Block(summary, (details.revision,)))
    assert {Outcome.VERIFIED} == {check.outcome for check in found.checks}
    expected = [
        "REVISION_HASH",
        "MISMATCH",
        "MISMATCH",
        "REVISIONS_ROOT",
        "TRANSACTION_INFO",
        "ENTRIES_HASH",
        "BLOCK_HASH",
    ]
    assert expected == [check.name.value for check in found.checks]
    assert BlockAddress("0VwGeHD7Q9LL4HSC55gDSp", 14) == found.address


def test_the_genuine_block_in_text_verifies_and_its_edited_revision_does_not(vectors: Path) -> None:
    """Block 3 holds; the revision with one word changed is named, data included."""
    folder = vectors / "block-3"
    summary = parse_record((folder / "block_summary.ion").read_bytes())
    genuine = parse_record((folder / "revision_details.ion").read_bytes())
    edited = parse_record((folder / "revision_details.edited.ion").read_bytes())
    assert isinstance(summary, BlockSummary)
    assert isinstance(genuine, RevisionDetails)
    assert isinstance(edited, RevisionDetails)
    assert verify_block(Block(summary, (genuine.revision,))).ok
    found = verify_block(Block(summary, (edited.revision,)))
    assert [ProblemCode.REVISION_HASH] == [p.code for p in found.problems]
    assert [edited.revision.document_id] == [p.document_id for p in found.problems]


def test_the_genuine_exported_block_verifies(vectors: Path) -> None:
    """Block 100 holds in every check, its table taken from transactionInfo."""
    [block] = parse_export((vectors / "block-100/block.ion").read_bytes())
    assert {Outcome.VERIFIED} == {check.outcome for check in verify_block(block).checks}
    assert 100 == block.address.sequence_no


@settings(max_examples=25)
@given(journals(most_blocks=12, any_documents=True))
def test_sound_blocks_have_no_problem(journal: Journal) -> None:
    """Nothing that the generator makes fails, whatever its shape, deletes included."""
    for block in journal:
        found = verify_block(block)
        assert () == found.problems
        assert found.ok


def test_a_plain_block_is_verified_in_full() -> None:
    """A block with an insert leaves nothing unchecked."""
    assert {Outcome.VERIFIED} == {check.outcome for check in verify_block(INSERT).checks}


def test_a_block_without_revisions_has_no_root_to_check() -> None:
    """DDL blocks have a transactionInfo and no leaves."""
    names = [check.name for check in verify_block(DDL).checks]
    assert [ProblemCode.TRANSACTION_INFO, ProblemCode.ENTRIES_HASH, ProblemCode.BLOCK_HASH] == names


def test_what_cannot_be_recomputed_is_said_with_its_reason() -> None:
    """System revisions and absent transactionInfo are not checkable, each in one sentence."""
    found = [
        c
        for b in (SYSTEM, BARE)
        for c in verify_block(b).checks
        if c.outcome is Outcome.NOT_CHECKABLE
    ]
    expected = {
        "a hash-only system revision: what it hashes is not in the journal",
        "the block has no transactionInfo",
    }
    assert expected == {check.detail for check in found}


def test_a_redaction_block_verifies() -> None:
    """The hash of redactionInfo is a member of entriesHashList."""
    assert ("REDACTION_INFO", Outcome.VERIFIED) in outcomes(REDACTION)


# --- hashes that do not fit ---


def test_an_altered_document_is_named_with_the_field() -> None:
    """The digest of INSERT INTO t ? proves that the data is what changed."""
    damaged = with_data(INSERT, {"other": 1})
    assert {("REVISION_HASH", id_of(INSERT), "data")} == failures(damaged)


def test_altered_metadata_is_told_from_altered_data() -> None:
    """The statement's digest proves the data, so the metadata is to blame."""
    damaged = with_metadata(INSERT, version=7)
    assert {("REVISION_HASH", id_of(INSERT), "metadata")} == failures(damaged)


def test_a_damaged_copy_of_the_hash_is_told_from_damaged_content() -> None:
    """The leaf in the summary proves that only the revision's own hash is wrong."""
    damaged = with_revision(INSERT, hash=WRONG)
    expected = {("REVISION_HASH", id_of(INSERT), "hash"), ("MISMATCH", id_of(INSERT), "hash")}
    assert expected == failures(damaged)


def test_nobody_is_blamed_without_proof() -> None:
    """An UPDATE with several parameters cannot tell data from metadata."""
    assert {("REVISION_HASH", id_of(UPDATE), None)} == failures(with_data(UPDATE, {"other": 1}))


def test_a_lone_list_parameter_proves_the_data_too(vectors: Path) -> None:
    """Drivers passed one document as a list: block 14 did (facts 2.3)."""
    summary, details = map(
        parse_record, deaggregate((vectors / "kpl-14/aggregated.kpl").read_bytes())
    )
    assert isinstance(summary, BlockSummary)
    assert isinstance(details, RevisionDetails)
    damaged = with_metadata(Block(summary, (details.revision,)), version=3)
    assert {("REVISION_HASH", id_of(damaged), "metadata")} == failures(damaged)


@pytest.mark.parametrize("at", [0, 1, 2])
def test_an_altered_leaf_breaks_the_root_and_names_the_document(at: int) -> None:
    """Each leaf counts."""
    leaves = list(SEVERAL.summary.revision_summaries)
    leaves[at] = attrs.evolve(leaves[at], hash=WRONG)
    damaged = with_summary(SEVERAL, revision_summaries=tuple(leaves))
    expected = {("REVISIONS_ROOT", None, None), ("MISMATCH", id_of(SEVERAL, at), "hash")}
    assert expected == failures(damaged)


def test_the_order_of_leaves_counts() -> None:
    """Swapped leaves of a block with three or more break the root."""
    leaves = SEVERAL.summary.revision_summaries
    swapped = (leaves[2], leaves[1], leaves[0], *leaves[3:])
    assert ("REVISIONS_ROOT", None, None) in failures(
        with_summary(SEVERAL, revision_summaries=swapped)
    )


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"entries_hash": WRONG}, {"ENTRIES_HASH", "BLOCK_HASH"}, None),
        ({"block_hash": WRONG}, {"BLOCK_HASH"}, None),
        ({"previous_block_hash": WRONG}, {"BLOCK_HASH"}, None),
        ({"previous_block_hash": b"short"}, {"BLOCK_HASH"}, None),
        ({"entries_hash": b""}, {"ENTRIES_HASH", "BLOCK_HASH"}, None),
        (
            {"transaction_info": TransactionInfo(to_slice({}))},
            {"TRANSACTION_INFO"},
            "transactionInfo",
        ),
        ({"transaction_info": TransactionInfo(garbage())}, {"TRANSACTION_INFO"}, "transactionInfo"),
        ({"redaction_info": RedactionInfo(to_slice({}))}, {"REDACTION_INFO"}, "redactionInfo"),
        ({"redaction_info": RedactionInfo(garbage())}, {"REDACTION_INFO"}, "redactionInfo"),
    ],
)
def test_each_part_of_a_summary_has_its_check(
    changes: dict[str, Any], code: set[str], field: str | None
) -> None:
    """An altered part fails by its own name, and nothing else does."""
    assert {(c, None, field) for c in code} == failures(with_summary(DDL, **changes))


def test_a_block_that_hashes_nothing_fails() -> None:
    """Empty hashes are neutral to dot, and prove nothing all the same."""
    summary = attrs.evolve(
        BARE.summary,
        entries_hash=b"",
        entries_hash_list=(),
        block_hash=BARE.summary.previous_block_hash,
    )
    assert {("ENTRIES_HASH", None, None), ("BLOCK_HASH", None, None)} == failures(Block(summary))


def test_entries_that_are_no_digests_fail() -> None:
    """A short entry is a failed check and no exception."""
    entries = (b"short", *DDL.summary.entries_hash_list)
    assert ("ENTRIES_HASH", None, None) in failures(with_summary(DDL, entries_hash_list=entries))


def test_leaves_that_are_no_digests_fail() -> None:
    """A short leaf is a failed check and no exception."""
    damaged = with_summary(SYSTEM, revision_summaries=(RevisionSummary(b"short"),))
    assert {("REVISIONS_ROOT", None, None), ("MISMATCH", None, "hash")} == failures(damaged)


@pytest.mark.parametrize("field", ["data", "metadata"])
def test_parts_that_cannot_be_read_are_failed_checks(field: str) -> None:
    """Bytes that break while they are hashed are named, not raised."""
    metadata = INSERT.revisions[0].metadata
    assert metadata is not None
    changes: dict[str, dict[str, Any]] = {
        "data": {"data_ion": garbage()},
        "metadata": {"metadata": attrs.evolve(metadata, ion=garbage())},
    }
    damaged = with_revision(INSERT, **changes[field])
    assert {("REVISION_HASH", id_of(INSERT), field)} == failures(damaged)


# --- robustness ---


@given(st.data())
def test_no_block_makes_verification_raise(data: st.DataObject) -> None:
    """Whatever stands in a block's values, the answer is a list of checks."""
    block = data.draw(st.sampled_from([INSERT, UPDATE, DELETE, SYSTEM, SEVERAL, REDACTION, BARE]))
    hashes = st.binary(max_size=40) | st.just(WRONG)
    given_slices = [
        garbage(),
        to_slice({}),
        to_slice(None),
        to_slice({"documents": [1], "statements": {}, "revisions": 1}),
    ]
    # By number, because Hypothesis hashes what it chooses from, and garbage has no hash.
    slices = st.integers(0, 3).map(lambda number: given_slices[number])
    changes = st.fixed_dictionaries(
        {},
        optional={
            "block_hash": hashes,
            "entries_hash": hashes,
            "previous_block_hash": hashes,
            "entries_hash_list": st.lists(hashes, max_size=4).map(tuple),
            "transaction_info": st.none() | slices.map(TransactionInfo),
            "redaction_info": st.none() | slices.map(RedactionInfo),
            "revision_summaries": st.lists(st.builds(RevisionSummary, hashes), max_size=4).map(
                tuple
            ),
            "unknown_fields": st.lists(st.text(max_size=20), max_size=2).map(tuple),
        },
    )
    damaged = with_summary(block, **data.draw(changes))
    if block.revisions:
        revisions = st.fixed_dictionaries(
            {},
            optional={
                "hash": hashes,
                "data_ion": st.none() | slices,
                "data_hash": st.none() | hashes,
                "table": st.none(),
                "metadata": st.none(),
            },
        )
        damaged = with_revision(damaged, 0, **data.draw(revisions))
    found = verify_block(damaged)
    assert found.checks
    assert all(isinstance(check, Check) for check in found.checks)


def test_details_count_reasons() -> None:
    """Not checkable is said in one fixed sentence for each reason, without ids."""
    details = {
        check.detail
        for block in BLOCKS
        for check in verify_block(block).checks
        if check.outcome is Outcome.NOT_CHECKABLE
    }
    assert 2 == len(details)
    assert loads(to_slice(sorted(details)).to_bytes())

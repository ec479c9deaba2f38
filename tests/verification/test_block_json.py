"""Parts of a block of a JSON export that have fields of no schema: what is said of them."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given, settings, strategies as st

from qldb_stream.assembly import BlockAssembler
from qldb_stream.errors import QldbStreamError
from qldb_stream.events import Block, RevisionDetails
from qldb_stream.hashing import dot, merkle_root
from qldb_stream.ion import IonSlice, iter_text, to_json, to_slice
from qldb_stream.parsers.json_export import parse_json_block
from qldb_stream.parsers.record import parse_record
from qldb_stream.records import is_from_json, to_record
from qldb_stream.report import BlockVerification, Check, Outcome, ProblemCode
from qldb_stream.testing.exports import exported_block
from qldb_stream.verification import Effort, Efforts, verify_block
from qldb_stream.verification._untyped import REDACTION_INFO, TRANSACTION_INFO, untyped_paths
from tests.verification.blocks import DELETE, INSERT, REDACTION, with_summary

INFO = ProblemCode.TRANSACTION_INFO


def ion(text: str) -> IonSlice:
    """A value of Ion text."""
    (value,) = iter_text(text)
    return value


def with_more(block: Block, field: str, **more: str) -> Block:
    """A block whose transactionInfo or redactionInfo has more fields, by name as Ion text."""
    info = getattr(block.summary, field)
    changed = to_slice(info.ion.decode() | {name: ion(text) for name, text in more.items()})
    return resealed(block, field, changed)


def resealed(block: Block, field: str, part: IonSlice) -> Block:
    """A block that hashes another part; its hashes are made anew."""
    info = getattr(block.summary, field)
    old = info.ion.hash()
    entries = [part.hash() if one == old else one for one in block.summary.entries_hash_list]
    root = merkle_root(entries)
    return with_summary(
        block,
        entries_hash_list=tuple(entries),
        entries_hash=root,
        block_hash=dot(root, block.summary.previous_block_hash),
        **{field: attrs.evolve(info, ion=part)},
    )


def as_json(block: Block) -> Block:
    """The block as a JSON export has it."""
    return parse_json_block(to_json(exported_block(block)).encode())


def check_of(block: Block, name: ProblemCode = INFO, efforts: Efforts | None = None) -> Check:
    """The check of one part."""
    (check,) = [c for c in verify_block(block, efforts=efforts).checks if c.name is name]
    return check


def failed(found: BlockVerification) -> list[ProblemCode]:
    """What failed in a block."""
    return [check.name for check in found.checks if check.outcome is Outcome.FAILED]


def test_a_field_of_no_schema_is_not_checkable() -> None:
    """Nothing fails where a field's type was lost, and nothing verifies that was not hashed."""
    whole = with_more(INSERT, "transaction_info", more="1.5e0")
    lost = as_json(whole)

    assert Outcome.VERIFIED is check_of(whole).outcome
    assert Outcome.NOT_CHECKABLE is check_of(lost).outcome
    assert "JSON export" in check_of(lost).detail
    assert [] == failed(verify_block(lost))


@pytest.mark.parametrize(
    "text", ["2020-01-01T00:00:00Z", "sym", "(a b)", "null.int", "{{aGVsbG8=}}", "{a: 1.5e0}"]
)
def test_a_reading_that_verifies(text: str) -> None:
    """With its types put back the part is verified, and what was put back is told."""
    lost = as_json(with_more(INSERT, "transaction_info", more=text))
    check = check_of(lost, efforts=Efforts())

    assert (Outcome.VERIFIED, INFO) == (check.outcome, check.name)
    assert check.detail.startswith("as rebuilt")
    assert check.diagnosis is not None
    assert all(c.path.startswith("transactionInfo.more") for c in check.diagnosis.changes)


def test_what_json_keeps() -> None:
    """A field of no schema that lost nothing leaves the part verified."""
    lost = as_json(with_more(INSERT, "transaction_info", more='"text"', count="3"))

    assert check_of(lost).outcome is Outcome.VERIFIED


def test_redaction_info_alike() -> None:
    """The same holds of redactionInfo."""
    lost = as_json(with_more(REDACTION, "redaction_info", more="sym"))
    check = check_of(lost, ProblemCode.REDACTION_INFO)
    rebuilt = check_of(lost, ProblemCode.REDACTION_INFO, Efforts())

    assert (Outcome.NOT_CHECKABLE, Outcome.VERIFIED) == (check.outcome, rebuilt.outcome)


def test_a_value_that_was_changed_is_not_verified() -> None:
    """A changed value of the schema is no lost type: no reading verifies it."""
    lost = as_json(with_more(INSERT, "transaction_info", more="1.5e0"))
    info = lost.summary.transaction_info
    assert info is not None
    document = info.ion.decode()
    statement = dict(document["statements"][0]) | {"statement": "SELECT 1"}
    forged = to_slice(document | {"statements": [statement]})
    block = with_summary(lost, transaction_info=attrs.evolve(info, ion=forged))

    assert Outcome.NOT_CHECKABLE is check_of(block, efforts=Efforts()).outcome


def test_a_bound_is_told() -> None:
    """Where nothing is left to spend, that is said."""
    lost = as_json(with_more(INSERT, "transaction_info", more="1.5e0"))
    check = check_of(lost, efforts=Efforts(rebuilding=Effort(0)))

    assert Outcome.NOT_CHECKABLE is check.outcome
    assert check.detail.endswith("stopped at its bound")


@pytest.mark.parametrize(
    "text",
    [
        "{statements: [], documentr: {}}",  # one bit from documents
        "{statements: [], docu: {}}",
        "{statements: [], $0: 1}",
        "{statements: [], sequenceNo: 1}",
        "{statements: [], '4XcmEhTotunp67yqWC1ivZ': 1}",
        "{statement: [], more: 1}",
        "{statements: {}, more: 1}",
        "{statements: [1], more: 1}",
        '{statements: [{statement: "x"}], more: 1}',
        "{statements: [], documents: {a: {tableName: 1}}, more: 1}",
        "[1]",
        "{statements: [], more: 1, more: 2}",
    ],
)
def test_damage_is_no_lost_type(text: str) -> None:
    """What the schema asks for must be there, and no name may look damaged."""
    assert not untyped_paths(ion(text), TRANSACTION_INFO)


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("{statements: null}", {"statements"}),
        ("{statements: [], more: {a: 1}}", {"more"}),
        ("{statements: [], documents: null}", {"documents"}),
        ("{statements: [null], statementType: 1}", {"statements[0]", "statementType"}),
        (
            '{statements: [], documents: {x: {tableName: "", tableId: "", statements: [], y: 1}}}',
            {"documents.x.y"},
        ),
        ("null", {""}),
    ],
)
def test_what_has_no_type(text: str, paths: set[str]) -> None:
    """Fields that no schema names, and nulls."""
    assert paths == untyped_paths(ion(text), TRANSACTION_INFO)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_flipped_bit_fails_as_ever(data: st.DataObject) -> None:
    """Without such fields each flipped bit of the part fails in JSON, or changes nothing."""
    text = bytearray(to_json(exported_block(INSERT)).encode())
    start = text.index(b'"transactionInfo"') + len(b'"transactionInfo"')
    end = text.index(b'"revisions"')
    text[data.draw(st.integers(start, end - 1))] ^= 1 << data.draw(st.integers(0, 6))
    try:
        block = parse_json_block(bytes(text))
    except QldbStreamError:
        return
    if block.summary != INSERT.summary:
        assert failed(verify_block(block, efforts=Efforts()))


def test_the_mark_stays_in_records() -> None:
    """A summary of a JSON export that was kept as a record is known as that."""
    lost = as_json(with_more(INSERT, "transaction_info", more="1.5e0"))
    kept = parse_record(to_record(lost.summary).buf)

    assert kept == lost.summary
    assert is_from_json(kept)
    assert kept.stream_arn is None
    assert not is_from_json(INSERT.summary)


def test_copies_from_json_and_ion_are_one() -> None:
    """A copy in JSON of a summary that is here in Ion is no damaged copy, in either order."""
    whole = with_more(INSERT, "transaction_info", more="1.5e0")
    lost = as_json(whole)
    other = with_more(INSERT, "transaction_info", more="2.5e0")
    for first, second in ((whole, lost), (lost, whole)):
        assert ([], True) == assembled(first, second)
    problems, _ = assembled(whole, with_summary(as_json(other), block_hash=whole.block_hash))
    assert [ProblemCode.BLOCK_HASH] == problems


def assembled(*blocks: Block) -> tuple[list[ProblemCode], bool]:
    """The problems of copies of a block, and whether the one that was taken has all its types."""
    assembler = BlockAssembler(hold=True)
    for block in blocks:
        assembler.feed(block.summary)
        for revision in block.revisions:
            assembler.feed(RevisionDetails(None, revision))
    assembler.close()
    found = assembler.next_block()
    assert isinstance(found, Block)
    problems = [problem.code for problem in assembler.take_problems()]
    return problems, check_of(found).outcome is Outcome.VERIFIED


def test_a_copy_that_comes_late() -> None:
    """A copy in JSON that comes after its block was given out is a duplicate."""
    whole = with_more(INSERT, "transaction_info", more="1.5e0")
    assembler = BlockAssembler()
    for block in (whole, as_json(whole)):
        assembler.feed(block.summary)
        for revision in block.revisions:
            assembler.feed(RevisionDetails(None, revision))
        assembler.next_block()

    assert () == assembler.take_problems()


def test_metadata_with_more_fields() -> None:
    """Metadata of a JSON export that has unknown fields is not checkable, a delete's too."""
    for like in (INSERT, DELETE):
        revision = like.revisions[0]
        assert revision.metadata is not None
        metadata = revision.metadata.ion.decode() | {"more": ion("1.5e0")}
        changed = attrs.evolve(
            revision,
            metadata=attrs.evolve(revision.metadata, ion=to_slice(metadata)),
        )
        block = as_json(attrs.evolve(like, revisions=(changed,)))
        check = check_of(block, ProblemCode.REVISION_HASH)

        assert block.revisions[0].from_json
        assert Outcome.NOT_CHECKABLE is check.outcome


def test_redactions_have_a_schema() -> None:
    """What a redaction names must be there."""
    info = REDACTION.summary.redaction_info
    assert info is not None
    assert frozenset() == untyped_paths(info.ion, REDACTION_INFO)
    assert {"more"} == untyped_paths(to_slice(info.ion.decode() | {"more": 1}), REDACTION_INFO)

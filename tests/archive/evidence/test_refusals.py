"""What verify.py finds wrong in a revision, a block or a place, whoever made index and text fit."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given, strategies as st

from qldb_stream import hashing
from qldb_stream.archive.evidence import FoundRevision, make_evidence, verify
from qldb_stream.errors import ProofRefusedError
from qldb_stream.events import Metadata, RevisionKind
from qldb_stream.ion import IonSlice, iter_elements, iter_text, load_slice, read_struct, to_slice
from qldb_stream.report import DeleteRule
from qldb_stream.statements import deletes_documents
from qldb_stream.testing import JournalShape, make_journal
from tests.archive.evidence.support import JOURNAL, bundle, found, one_of, revisions, saved
from tests.verification.blocks import split

DIGEST = saved(JOURNAL).digest
Fields = dict[str, Any]


def fields(name: str, kind: RevisionKind = RevisionKind.UPDATE) -> Fields:
    """The fields of a bundle's revision or block."""
    return dict(read_struct(load_slice(bundle(kind).files[f"{name}.10n"])))


def node(value: object) -> verify.Node:
    """A value as verify.py reads it."""
    return verify.read_ion(to_slice(value).to_bytes())


def forged(name: str, value: object) -> dict[str, bytes]:
    """A bundle with another revision or block, whose text and index fit."""
    binary = to_slice(value).to_bytes()
    text = (verify.ion_text(verify.read_ion(binary)) + "\n").encode()
    files = {**bundle().files, f"{name}.10n": binary, f"{name}.ion": text}
    return {**files, verify.INDEX: verify.index_of(files)}


def text(ion: str) -> IonSlice:
    """A value from Ion text."""
    (value,) = iter_text(ion)
    return value


def test_the_fields_make_the_same_bundle() -> None:
    """What these tests change is, unchanged, what is accepted."""
    for name in ("revision", "block"):
        assert verify.check_bundle(forged(name, fields(name)), DIGEST)["ok"]


@pytest.mark.parametrize(
    "change",
    [
        {"data": None},
        {"data": {"other": 1}},
        {"dataHash": bytes(32)},
        {"data": None, "dataHash": b""},
        {"data": None, "dataHash": bytes(32)},
        {"hash": bytes(32)},
        {"hash": bytes(31)},
        {"hash": "text"},
        {"metadata": None},
        {"blockAddress": None},
        {"unknown": 1},
        {"metadata": text("a::{id:1}")},
    ],
)
def test_revisions(change: Fields) -> None:
    """A part that is missing, another or unknown is refused; None takes a field away."""
    changed = {k: v for k, v in (fields("revision") | change).items() if v is not None}
    with pytest.raises(verify.RefusedError):
        verify.check_revision(node(changed))
    with pytest.raises(verify.RefusedError):
        verify.check_bundle(forged("revision", changed), DIGEST)


def test_a_bare_hash_is_no_evidence() -> None:
    """A revision of which only the hash is there may stand in a block, and proves nothing."""
    bare = {"hash": fields("revision")["hash"]}
    assert "hash only" == verify.check_revision(node(bare))[1]
    with pytest.raises(verify.RefusedError, match="metadata"):
        verify.check_bundle(forged("revision", bare), DIGEST)


def test_data_and_its_hash_may_both_be_there() -> None:
    """`dataHash` beside the data that it is of is no contradiction."""
    both = fields("revision")
    both["dataHash"] = both["data"].hash()

    assert "document" == verify.check_revision(node(both))[1]


@pytest.mark.parametrize(
    "change",
    [
        {"entriesHash": bytes(32)},
        {"entriesHash": b""},
        {"entriesHashList": []},
        {"entriesHashList": 1},
        {"previousBlockHash": bytes(32)},
        {"blockHash": bytes(32)},
        {"transactionInfo": {"statements": []}},
        {"redactionInfo": {"revisions": []}},
        {"revisions": []},
        {"revisions": None},
        {"transactionId": None},
        {"transactionId": "another"},
        {"transactionId": 1},
        {"blockAddress": {"strandId": "x", "sequenceNo": 1}},
        {"blockAddress": {"strandId": "x"}},
        {"blockAddress": 1},
        {"unknown": 1},
    ],
)
def test_blocks(change: Fields) -> None:
    """A block with a part that is missing, another or unknown is refused."""
    changed = {k: v for k, v in (fields("block") | change).items() if v is not None}
    with pytest.raises(verify.RefusedError):
        verify.check_bundle(forged("block", changed), DIGEST)


def test_a_part_has_an_entry_of_its_own() -> None:
    """One entry cannot stand for two parts of a block."""
    block = fields("block")
    block["redactionInfo"] = block["transactionInfo"]
    with pytest.raises(verify.RefusedError, match="redactionInfo"):
        verify.check_block(node(block))


def test_a_revision_twice_in_its_block() -> None:
    """A block that lists the revision twice is not the block of the path."""
    block = fields("block")
    listed = list(iter_elements(block["revisions"]))
    with pytest.raises(verify.RefusedError):
        verify.check_bundle(forged("block", block | {"revisions": listed * 2}), DIGEST)


def test_numbers_of_any_length() -> None:
    """Long ints are written in hexadecimal, long coefficients in decimal; both read back."""
    for value in (7**9000, -(7**9000), Decimal(7**3000).scaleb(-5), Decimal("1E+40")):
        written = verify.ion_text(node(value))
        (back,) = iter_text(written)
        assert to_slice(value) == back


@pytest.mark.parametrize(
    "hexadecimal",
    [
        "69 80 0f d0 81 81 80 80 80 83",  # fraction 0d3: none, which is read
        "6b 80 0f d0 81 81 80 80 80 c3 87 d0",  # a coefficient of 2000 thousandths
        "6a 80 0f d0 81 81 80 80 80 83 01",  # 1d3 seconds
        "6b 80 0f d0 81 81 80 80 80 47 e9 01",  # a thousand places
        "66 80 0f d0 81 81 80",  # an hour without minutes
        "67 80 0f d0 8e 81 80 80",  # the fourteenth month
        "61 80",  # no year
        "5e 83 c1 01 01",  # a decimal in a long form
    ],
)
def test_odd_numbers_are_read_or_refused(hexadecimal: str) -> None:
    """A timestamp that cannot be is refused, never shown as another."""
    stream = b"\xe0\x01\x00\xea" + bytes.fromhex(hexadecimal)
    try:
        written = verify.ion_text(verify.read_ion(stream))
    except verify.RefusedError:
        return
    (back,) = iter_text(written)
    assert load_slice(stream) == back


def document(value: object) -> FoundRevision:
    """A block of one revision with a document, sealed as the formulas say, and its digest."""
    _, revision = one_of(JOURNAL, RevisionKind.UPDATE)
    block, _ = one_of(JOURNAL, RevisionKind.UPDATE)
    assert revision.metadata is not None
    data = to_slice(value)
    sealed = attrs.evolve(
        revision, data_ion=data, hash=hashing.dot(revision.metadata.ion.hash(), data.hash())
    )
    entries = (sealed.hash, bytes(31) + b"\1")
    root = hashing.merkle_root(entries)
    block_hash = hashing.dot(root, block.summary.previous_block_hash)
    summary = attrs.evolve(
        block.summary,
        entries_hash_list=entries,
        entries_hash=root,
        block_hash=block_hash,
        transaction_info=None,
        redaction_info=None,
    )
    whole = attrs.evolve(block, summary=summary, revisions=(sealed,))
    return FoundRevision(whole, sealed, (), block_hash, block.address)


def at_zero(found: FoundRevision) -> FoundRevision:
    """The same as block 0, which is all that its digest covers."""
    first = attrs.evolve(found.block.address, sequence_no=0)
    revision = attrs.evolve(found.revision, address=first)
    summary = attrs.evolve(found.block.summary, address=first)
    block = attrs.evolve(found.block, summary=summary, revisions=(revision,))
    return attrs.evolve(found, block=block, revision=revision, tip=first)


def nested(levels: int) -> object:
    """A list in a list, so often."""
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [
        {"deep": nested(190)},
        {"wide": list(range(20_000))},
        {"text": "<script>&\"'\x00\u202e\n</pre>", "'odd' name": None},
        {"big": 7**5000, "small": Decimal("0.000000000000000000000000000000000000001")},
    ],
)
def test_documents_of_any_kind(value: object) -> None:
    """Deep, wide, odd and large documents are proven, and their page stays a page."""
    made = make_evidence(at_zero(document(value)), b"")
    page = made.files["evidence.html"].decode()

    assert "document" == made.proven["state"]
    assert "<script>" not in page
    assert "\u202e" not in page


def test_what_its_reader_does_not_take_is_refused() -> None:
    """A document that verify.py would not read makes no bundle, with the reason."""
    # 2000-01-01T00:00:00 and one of 1,100 places: offset, six parts, exponent, coefficient.
    moment = load_slice(bytes.fromhex("e00100ea 6b 80 0fd0 81 81 80 80 80 48cc 01"))
    with pytest.raises(ProofRefusedError, match="timestamp"):
        make_evidence(at_zero(document(moment)), b"")


def test_a_path_of_another_length_is_refused() -> None:
    """A block number that the path does not fit makes no bundle."""
    with pytest.raises(ProofRefusedError, match="another length"):
        make_evidence(document({"n": 1}), b"")


def test_a_block_that_does_not_list_its_revisions_is_refused() -> None:
    """Where the root of the revisions is no entry there is no path."""
    found = at_zero(document({"n": 1}))
    summary = attrs.evolve(found.block.summary, entries_hash_list=(bytes(32),))
    block = attrs.evolve(found.block, summary=summary)
    with pytest.raises(ProofRefusedError, match="not among its entries"):
        make_evidence(attrs.evolve(found, block=block), b"")


@given(st.binary(max_size=300), st.integers(0, 60_000))
def test_any_zip_is_read_or_refused(data: bytes, place: int) -> None:
    """Random bytes, and random bytes in a bundle, are refused and nothing else."""
    good = bundle().to_zip()
    for hostile in (data, b"PK\3\4" + data, good[:place] + data + good[place:]):
        if hostile != good:
            with pytest.raises(verify.RefusedError):
                verify.unpack(hostile)


@given(st.recursive(st.none() | st.integers() | st.text(), lambda x: st.lists(x, max_size=3)))
def test_any_proof_is_refused(value: object) -> None:
    """Claims of any other kind are refused and nothing else."""
    with pytest.raises(verify.RefusedError):
        verify.read_claims(verify.canonical({"block_path": value, "revision_path": value}))
    with pytest.raises(verify.RefusedError):
        verify.read_claims(verify.canonical(value))


@pytest.mark.parametrize("kind", [RevisionKind.INSERT, RevisionKind.UPDATE])
def test_the_halves_of_a_revision_prove_no_delete(kind: RevisionKind) -> None:
    """Metadata as a leaf beside the document's hash have the same root; no delete is claimed."""
    block = next(
        block
        for block, revision in revisions(JOURNAL)
        if revision.kind is kind and block.revisions[0] is revision
    )
    forged = split(block)
    at = found(JOURNAL, forged, forged.revisions[0])
    proven = make_evidence(at, b"", only_document=True).proven
    assert "metadata" == proven["state"]
    assert verify.UNNAMED in proven["proves_not"]
    with pytest.raises(ProofRefusedError, match="none of its statements deletes"):
        make_evidence(at, b"")


def test_a_delete_is_proven_by_its_statement() -> None:
    """Without the block's statements nobody can tell a delete from metadata alone."""
    assert "deleted" == bundle(RevisionKind.DELETE).proven["state"]
    assert "metadata" == bundle(RevisionKind.DELETE, only_document=True).proven["state"]


def test_a_delete_with_null_for_data_needs_no_statement() -> None:
    """Null is hashed beside the metadata then, and no document is null."""
    journal = make_journal(3, blocks=60, shape=JournalShape(delete_rule=DeleteRule.NULL_DATA))
    at = found(journal, *one_of(journal, RevisionKind.DELETE))
    assert "deleted" == make_evidence(at, b"", only_document=True).proven["state"]


def test_a_document_of_metadatas_fields_is_not_told_from_metadata() -> None:
    """The two halves of a revision may change places, and its hash stays."""
    honest = at_zero(document(text('{id:"x",version:3,txTime:2020-01-01T00:00:00.000Z,txId:"y"}')))
    data, metadata = honest.revision.data_ion, honest.revision.metadata
    assert data is not None
    assert metadata is not None
    taken_for = Metadata("x", 3, metadata.tx_time, "y", data)
    turned = attrs.evolve(honest.revision, data_ion=metadata.ion, metadata=taken_for)
    summary = attrs.evolve(honest.block.summary, transaction_id="y")
    block = attrs.evolve(honest.block, summary=summary, revisions=(turned,))

    for either in (honest, attrs.evolve(honest, block=block, revision=turned)):
        with pytest.raises(ProofRefusedError, match="very fields of metadata"):
            make_evidence(either, b"")


@pytest.mark.parametrize(
    "documents",
    [
        {},
        {"documents": []},
        {"documents": {}},
        {"documents": {"other": {"statements": []}}},
        {"documents": {"?": {"statements": [7]}}},
        {"documents": {"?": {"statements": 7}}},
    ],
)
def test_transaction_info_names_the_document(documents: Fields) -> None:
    """Where it is there it has to say what was done to the document."""
    _, revision = one_of(JOURNAL, RevisionKind.UPDATE)
    assert revision.document_id is not None
    if "?" in (named := documents.get("documents", {})):
        documents = {"documents": {revision.document_id: named["?"]}}
    info = to_slice({"statements": [], **documents})
    checked = verify.check_block(node(fields("block")))
    held = checked._replace(fields={**checked.fields, "transactionInfo": node(info)})
    with pytest.raises(verify.RefusedError):
        verify.judge(node(fields("revision")), held)


WORDS = (
    "DELETE",
    "from",
    "UPDATE",
    "REMOVE",
    "AS",
    "t",
    '"t"',
    "a",
    ".",
    "[",
    "(",
    ")",
    "--",
    "/*",
    "*/",
    "'",
)


@given(st.lists(st.sampled_from((*WORDS, " ", " ", "\n", "=", "\u00df")), max_size=14).map("".join))
def test_deleting_statements_are_the_librarys(statement: str) -> None:
    """Both tell the same statements by their words."""
    assert deletes_documents(statement) == verify.deletes_documents(statement)

"""Digest, block and revision: what proves that something stands in the journal."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from amazon.ion import simpleion
from hypothesis import given, strategies as st

from qldb_stream.errors import LedgerAddressError, StatementError
from qldb_stream.events import BlockAddress
from qldb_stream.ion import IonSlice, iter_fields
from qldb_stream.ledger import Digest, Ledger
from qldb_stream.ledger._merkle import append_leaf, proof_of
from qldb_stream.parsers.block import parse_block
from qldb_stream.testing import JournalShape, make_journal
from tests.ledger import published
from tests.ledger.support import ask, make_cars, memory, run

FIELDS = [
    "blockAddress",
    "transactionId",
    "blockTimestamp",
    "blockHash",
    "entriesHash",
    "previousBlockHash",
    "entriesHashList",
    "transactionInfo",
    "revisions",
]


def names_of(ion: IonSlice) -> list[str | None]:
    """Give a struct's field names in order."""
    return [name for name, _ in iter_fields(ion)]


def field(ion: IonSlice, name: str) -> Any:
    """Read one field with amazon.ion, not with this package."""
    return simpleion.loads(ion.to_bytes())[name]


def make_ledger(blocks: int) -> Ledger:
    """A ledger whose later blocks insert 1, 2, 3, 1, 2, 3, ... cars."""
    ledger = memory()
    run(ledger, "CREATE TABLE Car")
    for number in range(1, blocks):
        run(ledger, "INSERT INTO Car ?", [{"vin": n} for n in range(1 + number % 3)])
    return ledger


@given(st.integers(1, 300), st.data())
def test_every_proof_leads_to_the_root(size: int, data: st.DataObject) -> None:
    """For any tree and any leaf, at most one sibling a level, folded to the root."""
    leaves = [hashlib.sha256(b"%d" % n).digest() for n in range(size)]
    peaks: tuple[bytes, ...] = ()
    stored: list[bytes] = []
    for number, leaf in enumerate(leaves):
        peaks, nodes = append_leaf(peaks, number, leaf)
        stored.append(nodes)
    tree = data.draw(st.integers(1, size), "tip + 1")
    index = data.draw(st.integers(0, tree - 1), "leaf")

    proof = proof_of(index, tree, stored.__getitem__)

    assert published.merkle(leaves[:tree]) == published.fold(leaves[index], proof)
    assert len(proof) <= (tree - 1).bit_length()


def test_a_proof_is_short_work() -> None:
    """Among 2**16 - 1 blocks, a proof looks up as many as the tree has levels, twice at most."""
    asked: list[int] = []

    def nodes(number: int) -> bytes:
        asked.append(number)
        return bytes(32 * 17)

    proof_of(0, (1 << 16) - 1, nodes)

    assert 16 <= len(asked) <= 32


def test_every_block_and_revision_is_proven_at_every_tip() -> None:
    """Whatever block, revision and later tip are chosen, AWS's verifier accepts the proof."""
    with make_ledger(14) as ledger:
        for tip in range(14):
            digest = ledger.digest(tip)
            assert BlockAddress(ledger.strand_id, tip) == digest.tip
            for number in range(tip + 1):
                result = ledger.block(number, tip=tip)
                assert result.proof is not None
                leaf = bytes(field(result.block, "blockHash"))
                assert digest.digest == published.fold(leaf, result.proof)
                for revision in simpleion.loads(result.block.to_bytes()).get("revisions", ()):
                    proven = ledger.revision(number, revision["metadata"]["id"], tip=tip)
                    assert proven.proof is not None
                    leaf = bytes(field(proven.revision, "hash"))
                    assert published.revision_hash(revision) == leaf
                    assert digest.digest == published.fold(leaf, proven.proof)
        assert ledger.digest() == ledger.digest(13)


def test_a_revision_of_block_0_is_proven() -> None:
    """Nothing stands before block 0, so its revision's proof has no empty member."""
    with memory() as ledger:
        transaction = ledger.start_transaction()
        ask(transaction, "CREATE TABLE Car")
        document_id = ask(transaction, "INSERT INTO Car ?", {"vin": "A"})[0]["documentId"]
        transaction.commit()
        proven = ledger.revision(0, document_id, tip=0)
        assert proven.proof is not None
        leaf = bytes(field(proven.revision, "hash"))
        assert ledger.digest(0).digest == published.fold(leaf, proven.proof)


def test_old_digests_stay() -> None:
    """The digest at an older tip is what was given when it was the newest."""
    given_then: list[Digest] = []
    with memory() as ledger:
        for number in range(40):
            run(ledger, f"CREATE TABLE t{number}")
            given_then.append(ledger.digest())
        assert given_then == [ledger.digest(tip) for tip in range(40)]


def test_genuine_proofs_pass_the_same_checker(vectors: Path) -> None:
    """GetBlock's and GetRevision's real proofs of block 100 lead to the digest at block 123."""
    folder = vectors / "block-100"
    answers = {
        name: json.loads((folder / f"{name}.json").read_text())
        for name in ("block", "revision", "digest")
    }
    digest = base64.b64decode(answers["digest"]["Digest"])
    for name, leaf in (("block", "blockHash"), ("revision", "hash")):
        value = simpleion.loads(answers[name][name.title()]["IonText"])
        proof = simpleion.loads(answers[name]["Proof"]["IonText"])
        assert digest == published.fold(bytes(value[leaf]), [bytes(one) for one in proof])


def test_a_block_has_the_form_of_the_service(vectors: Path) -> None:
    """Fields stand in the order of a genuine block, and the parsers read what is iterated."""
    genuine = simpleion.loads((vectors / "block-100/block.ion").read_text())
    assert FIELDS == list(genuine)
    with memory() as ledger:
        ids = make_cars(ledger, "A", "B")
        run(ledger, "UPDATE Car SET miles = 1 WHERE vin = 'A'")
        run(ledger, "DELETE FROM Car WHERE vin = 'B'")
        results = [ledger.block(number) for number in range(6)]
        blocks = [parse_block(result.block) for result in results]
        assert list(ledger.blocks()) == blocks
        assert [FIELDS[:-1]] * 2 + [FIELDS] * 4 == [names_of(one.block) for one in results]
        assert {None} == {result.proof for result in results}
        assert ["blockAddress", "hash", "data", "metadata"] == names_of(
            ledger.revision(4, ids[0]).revision
        )
        assert ["blockAddress", "hash", "metadata"] == names_of(ledger.revision(5, ids[1]).revision)


def test_what_is_not_there_is_named() -> None:
    """An unknown block, document or tip is refused, saying what there is."""
    with memory() as ledger:
        with pytest.raises(LedgerAddressError, match="it has no block yet"):
            ledger.block(0)
        with pytest.raises(StatementError):
            ledger.digest()
        (document_id,) = make_cars(ledger, "A")
        with pytest.raises(LedgerAddressError) as info:
            ledger.block(3)
        expected = LedgerAddressError(3, "the ledger has no such block; it has blocks 0 to 2")
        assert expected == info.value
        for sequence_no in (-1, 3):
            with pytest.raises(LedgerAddressError, match="has blocks 0 to 2"):
                ledger.digest(sequence_no)
            with pytest.raises(LedgerAddressError, match="has blocks 0 to 2"):
                ledger.revision(2, document_id, tip=sequence_no)
        with pytest.raises(LedgerAddressError, match="block 2: a digest up to block 1 does not"):
            ledger.block(2, tip=1)
        with pytest.raises(LedgerAddressError, match="no revision of document nobody"):
            ledger.revision(2, "nobody")


def test_a_mirrored_block_keeps_its_hash_only_revisions() -> None:
    """What QLDB gave nothing of but the hash stands in its place, and proofs count it."""
    shape = JournalShape(least_revisions=1, system=1.0)
    with memory() as ledger:
        blocks = list(make_journal(4, blocks=8, shape=shape))
        for block in blocks:
            ledger.mirror(block)
        seen = [parse_block(ledger.block(number).block) for number in range(8)]
        assert list(ledger.blocks()) == seen
        assert any(one.metadata is None for block in seen for one in block.revisions)
        for number, block in enumerate(seen):
            for revision in block.revisions:
                if revision.document_id is not None:
                    proven = ledger.revision(number, revision.document_id, tip=7)
                    assert proven.proof is not None
                    folded = published.fold(revision.hash, proven.proof)
                    assert ledger.digest().digest == folded

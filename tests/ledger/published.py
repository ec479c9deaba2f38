"""
AWS's published verification, written anew from qldb-facts 2.4 to 2.7.

It works on what amazon.ion reads from stream records, hashes with `ionhash` and shares
nothing with this package, so that the two can disagree.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import amazon.ion.simple_types
from amazon.ion import simpleion

# ionhash imports a private name that amazon.ion 0.11 removed; it only hangs its method on it.
if not hasattr(amazon.ion.simple_types, "_IonNature"):
    amazon.ion.simple_types._IonNature = type("_IonNature", (), {})  # noqa: SLF001 - see above

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # of what ionhash uses of amazon.ion
    from ionhash.fast_value_hasher import hash_value
    from ionhash.hasher import hashlib_hash_function_provider

_SHA256 = hashlib_hash_function_provider("SHA256")


def ion_hash(value: Any) -> bytes:
    """H(value)."""
    hashed: bytes = hash_value(value, _SHA256)
    return hashed


def dot(left: bytes, right: bytes) -> bytes:
    """Join two hashes: signed bytes, compared from the last one backwards."""
    if not left or not right:
        return left or right
    for a, b in zip(reversed(left), reversed(right), strict=True):
        signed_a, signed_b = (byte - 256 if byte > 127 else byte for byte in (a, b))
        if signed_a != signed_b:
            if signed_a > signed_b:
                left, right = right, left
            break
    return hashlib.sha256(left + right).digest()


def merkle(leaves: Sequence[bytes]) -> bytes:
    """Fold a list of hashes pair by pair; an odd one is promoted."""
    level = list(leaves)
    while len(level) > 1:
        pairs = [dot(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = pairs + level[len(level) - len(level) % 2 :]
    return level[0] if level else b""


def revision_hash(revision: Any) -> bytes:
    """Compute a revision's hash; data that is missing is an empty operand."""
    metadata = ion_hash(revision["metadata"])
    if "dataHash" in revision:
        return dot(metadata, bytes(revision["dataHash"]))
    return dot(metadata, ion_hash(revision["data"]) if "data" in revision else b"")


def check_block(block: Any, revisions: Sequence[Any]) -> None:
    """Do what the DMV sample's JournalBlock.verifyBlockHash does."""
    entries = [bytes(entry) for entry in block["entriesHashList"]]
    assert ion_hash(block["transactionInfo"]) in entries
    if "redactionInfo" in block:
        assert ion_hash(block["redactionInfo"]) in entries
    if revisions:
        for revision in revisions:
            assert bytes(revision["hash"]) == revision_hash(revision)
        assert merkle([bytes(revision["hash"]) for revision in revisions]) in entries
    assert bytes(block["entriesHash"]) == merkle(entries)
    linked = dot(bytes(block["entriesHash"]), bytes(block["previousBlockHash"]))
    assert bytes(block["blockHash"]) == linked


def check_journal(records: Iterable[bytes]) -> bytes:
    """
    Verify a whole stream of un-aggregated records in order; give its digest.

    The revisions of a block follow its summary; each must be named there.
    """
    payloads = [simpleion.loads(record) for record in records]
    assert [("CONTROL", "CREATED")] == [
        (record["recordType"], record["payload"]["controlRecordType"]) for record in payloads[:1]
    ]
    hashes: list[bytes] = []
    block: Any = None
    revisions: list[Any] = []
    for record in [*payloads[1:], None]:
        if record is not None and record["recordType"] == "REVISION_DETAILS":
            revisions.append(record["payload"]["revision"])
            continue
        if block is not None:
            named = [
                (bytes(one["hash"]), one["documentId"])
                for one in block.get("revisionSummaries", ())
            ]
            assert named == [(bytes(one["hash"]), one["metadata"]["id"]) for one in revisions]
            check_block(block, revisions)
            assert (hashes[-1] if hashes else b"") == bytes(block["previousBlockHash"])
            hashes.append(bytes(block["blockHash"]))
        block, revisions = (None if record is None else record["payload"]), []
    return merkle(hashes)


def fold(leaf: bytes, proof: Sequence[bytes]) -> bytes:
    """Do what the DMV sample's Verifier does: fold a proof over a leaf."""
    for sibling in proof:
        assert len(sibling) == 32, "a proof holds digests and nothing else"
        leaf = dot(leaf, sibling)
    return leaf

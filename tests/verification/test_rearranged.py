"""Blocks whose parts were taken apart and put together again by somebody who knows the formulas."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from qldb_stream.errors import DecodeError
from qldb_stream.events import Block, RevisionKind
from qldb_stream.formulas import hash_data
from qldb_stream.ion import iter_elements, read_struct, to_slice
from qldb_stream.parsers.export import parse_export
from qldb_stream.testing import JournalShape, exported_block, make_journal
from qldb_stream.verification import verify_block

BLOCKS = list(make_journal(7, blocks=60, shape=JournalShape(redactions=0.2, system=0.2)))
FIELDS = [dict(read_struct(exported_block(block))) for block in BLOCKS]

Revision = dict[str, Any]


def hashes_of(block: Block) -> list[bytes]:
    """Every hash in a block, and those of its parts."""
    summary = block.summary
    found = [block.block_hash, summary.entries_hash, summary.previous_block_hash]
    found += summary.entries_hash_list
    for revision in block.revisions:
        found.append(revision.hash)
        found += [] if revision.metadata is None else [revision.metadata.ion.hash()]
        found += [] if revision.data_ion is None else [revision.data_ion.hash()]
    return found


def take_out(rng: Random, one: Revision, _hashes: list[bytes]) -> list[Revision]:
    """Lose a field, or the revision."""
    one.pop(rng.choice([*one]))
    return [one] if one and rng.random() < 0.8 else []


def halve(_rng: Random, one: Revision, hashes: list[bytes]) -> list[Revision]:
    """Make two leaves of the halves of one."""
    if "metadata" not in one:
        return [one, {"hash": hashes[-1]}]
    data = one.pop("data", None)
    other = one.pop("dataHash", hashes[0]) if data is None else to_slice(data).hash()
    return [{**one, "hash": to_slice(one["metadata"]).hash()}, {"hash": other}]


def turn(_rng: Random, one: Revision, _hashes: list[bytes]) -> list[Revision]:
    """Let the halves change places."""
    if "metadata" in one and "data" in one:
        return [{**one, "metadata": one["data"], "data": one["metadata"]}]
    return [one]


def redact(_rng: Random, one: Revision, _hashes: list[bytes]) -> list[Revision]:
    """Leave of the document its hash."""
    if "data" in one:
        one["dataHash"] = to_slice(one.pop("data")).hash()
    return [one]


def put_hash(rng: Random, one: Revision, hashes: list[bytes]) -> list[Revision]:
    """Put some hash of the block into some place."""
    one[rng.choice(("hash", "dataHash"))] = rng.choice(hashes)
    return [one, {"hash": rng.choice(hashes)}] if rng.random() < 0.3 else [one]


def bare(_rng: Random, one: Revision, _hashes: list[bytes]) -> list[Revision]:
    """Leave nothing but the hash."""
    return [{"hash": one.get("hash", b"")}]


EDITS: tuple[Callable[[Random, Revision, list[bytes]], list[Revision]], ...] = (
    *(take_out, halve, turn, redact, put_hash, bare),
)


def rearranged(rng: Random, number: int) -> Block:
    """
    Take a block's revisions apart once or more, and maybe the rest of it.

    Raises:
        DecodeError: it is no block any more.
    """
    fields: dict[str, Any] = dict(FIELDS[number])
    held = iter_elements(fields.pop("revisions")) if "revisions" in fields else ()
    revisions: list[Revision] = [dict(read_struct(one)) for one in held]
    hashes = hashes_of(BLOCKS[number])
    for _ in range(rng.randrange(1, 4)):
        if revisions:
            at = rng.randrange(len(revisions))
            revisions[at : at + 1] = rng.choice(EDITS)(rng, revisions[at], hashes)
        if rng.random() < 0.3:
            rng.shuffle(revisions)
        if rng.random() < 0.1:
            fields.pop(rng.choice([*fields]), None)
    (block,) = parse_export(to_slice({**fields, "revisions": revisions}).to_bytes())
    return block


def contents(block: Block) -> dict[str | None, tuple[RevisionKind, bytes, bytes | None]]:
    """What a block says of each of its documents."""
    return {
        one.document_id: (one.kind, one.metadata.ion.hash(), hash_data(one))
        for one in block.revisions
        if one.metadata is not None
    }


@pytest.mark.parametrize("seed", range(3))
def test_what_was_rearranged_is_found_or_redacted(seed: int) -> None:
    """
    A block with its old hash says what it said of its documents.

    Or less: that one is redacted, for which a request is looked for, or, with no
    transactionInfo left, nothing of any.
    """
    rng = Random(seed)
    kept = 0
    for _ in range(800):
        number = rng.randrange(len(BLOCKS))
        before = BLOCKS[number]
        try:
            block = rearranged(rng, number)
        except DecodeError:
            continue
        if block.block_hash != before.block_hash or not verify_block(block).ok:
            continue
        kept += 1
        expected = contents(before)
        for document_id, (kind, *hashes) in contents(block).items():
            assert [*expected.pop(document_id)][1:] == hashes
            assert kind in (contents(before)[document_id][0], RevisionKind.REDACTED)
        assert not expected or block.summary.transaction_info is None
    assert kept

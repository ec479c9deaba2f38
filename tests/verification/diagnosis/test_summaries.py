"""What is found out about a block's summary that fails: which field, of text or of hashes."""

from __future__ import annotations

from typing import Any

import pytest

from qldb_stream.errors import DecodeError
from qldb_stream.events import Block, TransactionInfo
from qldb_stream.ion import IonSlice, load_slice, to_slice
from qldb_stream.report import Outcome
from qldb_stream.testing import flip_bit
from qldb_stream.verification import Effort, Efforts, verify_block
from tests.verification.blocks import INSERT, REDACTION, WRONG, garbage, with_summary

SUMMARY = INSERT.summary
INFO = SUMMARY.transaction_info


def told(block: Block) -> dict[str, str | None]:
    """Give the field of each failed check that has a diagnosis, by code."""
    checks = verify_block(block, efforts=Efforts()).checks
    return {
        check.name.value: check.field
        for check in checks
        if check.outcome is Outcome.FAILED and check.diagnosis is not None
    }


def test_a_statement_whose_text_was_changed() -> None:
    """The very text is named, by a bit, blanks, or the case of its letters."""
    assert INFO is not None
    data = INFO.ion.to_bytes()
    text = INFO.statements[0].statement.encode()
    bit = 8 * (data.index(text) + len(text) - 1)
    damaged = TransactionInfo(load_slice(flip_bit(data, bit)))
    field = "transactionInfo.statements[0].statement"
    assert {"TRANSACTION_INFO": field} == told(with_summary(INSERT, transaction_info=damaged))

    written = INFO.ion.decode()
    written["statements"][0]["statement"] += "\n"
    edited = TransactionInfo(to_slice(written))
    assert {"TRANSACTION_INFO": field} == told(with_summary(INSERT, transaction_info=edited))


def test_a_redaction_that_was_changed() -> None:
    """The field of redactionInfo is named as well."""
    info = REDACTION.summary.redaction_info
    assert info is not None
    written = info.ion.decode()
    written["revisions"][0]["version"] ^= 1
    changed = type(info)(to_slice(written))
    assert (
        "redactionInfo.revisions[0].version"
        == told(with_summary(REDACTION, redaction_info=changed))["REDACTION_INFO"]
    )


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"entries_hash": WRONG}, "ENTRIES_HASH", "entriesHash"),
        ({"block_hash": flip_bit(SUMMARY.block_hash, 7)}, "BLOCK_HASH", "blockHash"),
        (
            {"previous_block_hash": flip_bit(SUMMARY.previous_block_hash, 200)},
            "BLOCK_HASH",
            "previousBlockHash",
        ),
    ],
)
def test_a_hash_of_the_block(changes: dict[str, Any], code: str, field: str) -> None:
    """The one is named with which all others fit."""
    assert field == told(with_summary(INSERT, **changes))[code]


@pytest.mark.parametrize("at", range(len(SUMMARY.entries_hash_list)))
def test_an_entry(at: int) -> None:
    """By its place in the list, after a bit of it; an entry of a part also after any change."""
    members = list(SUMMARY.entries_hash_list)
    members[at] = flip_bit(members[at], 3)
    found = told(with_summary(INSERT, entries_hash_list=tuple(members)))
    assert f"entriesHashList[{at}]" == found["ENTRIES_HASH"]


def test_an_entry_of_a_part_that_was_exchanged() -> None:
    """What it must be is known from the part."""
    assert INFO is not None
    members = list(SUMMARY.entries_hash_list)
    at = members.index(INFO.ion.hash())
    members[at] = WRONG
    found = told(with_summary(INSERT, entries_hash_list=tuple(members)))
    assert f"entriesHashList[{at}]" == found["ENTRIES_HASH"]


@pytest.mark.parametrize(
    "changes",
    [
        {"block_hash": WRONG},
        {"entries_hash": b"short"},
        {"entries_hash_list": ()},
        {"entries_hash_list": (b"short",)},
        {"entries_hash_list": (WRONG,) * 20},
        {"previous_block_hash": b"short"},
        {"transaction_info": TransactionInfo(garbage())},
    ],
)
def test_nothing_is_found(changes: dict[str, Any]) -> None:
    """Nothing is told, and nothing breaks."""
    block = with_summary(INSERT, **changes)
    found = verify_block(block, efforts=Efforts())
    assert not found.ok
    assert {} == {k: v for k, v in told(block).items() if v != "entriesHash"}


def test_the_effort_is_bounded() -> None:
    """Without any left, nothing is looked for."""
    block = with_summary(INSERT, entries_hash=WRONG)
    checks = verify_block(block, efforts=Efforts(failures=Effort(0))).checks
    assert {None} == {check.diagnosis for check in checks}
    little = Efforts(failures=Effort(300))
    members = (flip_bit(SUMMARY.entries_hash_list[0], 255), *SUMMARY.entries_hash_list[1:])
    assert not verify_block(with_summary(INSERT, entries_hash_list=members), efforts=little).ok
    assert little.failures.left <= 0


def test_parts_that_cannot_be_hashed() -> None:
    """They are no candidates for an entry."""
    broken = IonSlice(garbage().buf, 0, 3, garbage().symbols)
    with pytest.raises(DecodeError):
        broken.hash()
    members = (WRONG, *SUMMARY.entries_hash_list[1:])
    block = with_summary(
        INSERT, entries_hash_list=members, transaction_info=TransactionInfo(broken)
    )
    assert "ENTRIES_HASH" not in told(block)

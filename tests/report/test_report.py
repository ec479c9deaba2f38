"""The reports: what they sum up, and the objects that `--json` prints."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import attrs

from qldb_stream.events import Block, BlockAddress, BlockSummary
from qldb_stream.report import (
    BlockVerification,
    Check,
    DeleteRule,
    Gap,
    Level,
    Outcome,
    Position,
    Problem,
    ProblemCode,
    ReplayReport,
    StrandReport,
    VerifyReport,
)

STRAND = "AAAAAAAAAAAAAAAAAAAAAA"
GAP = Problem(ProblemCode.GAP, "blocks 2 to 3 are missing", STRAND, 2)


def make_block(sequence_no: int) -> Block:
    """Make a block with an address and a hash; the rest is of no matter here."""
    digest = bytes([sequence_no]) * 32
    moment = datetime(2024, 5, 6, tzinfo=UTC)
    address = BlockAddress(STRAND, sequence_no)
    return Block(BlockSummary(None, address, "tx", moment, digest, digest, b"", (digest,)))


def test_a_verify_report_prints_what_the_issue_lists() -> None:
    """The object has exactly the agreed keys, null where something is unknown."""
    report = VerifyReport(
        blocks=3,
        revisions=2,
        not_checkable={"no rule has fitted": 1},
        strands=(StrandReport(STRAND, 0, 4, ((2, 3),)), StrandReport("B", 0, 0, (), bytes(32))),
        problems=(GAP,),
        records=5,
    )
    expected = {
        "version": 1,
        "ok": False,
        "level": "partial",
        "blocks": 3,
        "revisions": 2,
        "redacted": 0,
        "not_checkable": {"no rule has fitted": 1},
        "unchecked": [],
        "strands": [
            {"strand_id": STRAND, "first": 0, "last": 4, "missing": [[2, 3]], "digest": None},
            {
                "strand_id": "B",
                "first": 0,
                "last": 0,
                "missing": [],
                "digest": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
            },
        ],
        "problems": [
            {
                "code": "GAP",
                "strand_id": STRAND,
                "sequence_no": 2,
                "document_id": None,
                "field": None,
                "message": "blocks 2 to 3 are missing",
                "diagnosis": None,
                "copies": [],
                "held_by": [],
            }
        ],
        "rebuilt": 0,
        "digests": [],
        "proves": [claim.as_json() for claim in report.proves],
        "limits": [claim.as_json() for claim in report.limits],
    }
    assert expected == json.loads(json.dumps(report.as_json()))


def test_a_replay_report_adds_what_was_applied() -> None:
    """The object of a replay is that of its verification and some keys more."""
    verification = VerifyReport(records=1)
    report = ReplayReport(
        verification, 4, 3, 2, ((STRAND, 1),), ids_unresolved=9, redacted_copies=((STRAND, 0),)
    )
    expected = verification.as_json() | {
        "applied": 4,
        "skipped": 3,
        "documents": 2,
        "redactions_pending": [{"strand_id": STRAND, "sequence_no": 1}],
        "redacted_copies": [{"strand_id": STRAND, "sequence_no": 0}],
        "copies_erased": 0,
        "left_out": {},
        "before_start": 0,
        "strands_unmet": [],
        "parked": [],
        "not_atomic": [],
        "still_parked": 0,
        "given_up": 0,
        "rules_unmet": [],
    }
    assert expected == json.loads(json.dumps(report.as_json()))


def test_ok_and_level_follow_from_what_was_found() -> None:
    """No problem is ok; what could not be checked, or nothing at all, is a partial level."""
    full = VerifyReport(blocks=1)
    assert (True, Level.FULL) == (full.ok, full.level)
    partial = VerifyReport(not_checkable={"why": 1})
    assert (True, Level.PARTIAL) == (partial.ok, partial.level)
    assert Level.PARTIAL is VerifyReport().level
    assert not VerifyReport(problems=(GAP,)).ok
    assert not ReplayReport(VerifyReport(problems=(GAP,))).ok


def test_nothing_readable_means_not_one_record() -> None:
    """A CONTROL record alone is something, no record at all is nothing."""
    assert VerifyReport().nothing_readable
    assert ReplayReport(VerifyReport(problems=(GAP,))).nothing_readable
    assert not VerifyReport(records=1).nothing_readable


def test_failed_checks_become_problems_of_the_block() -> None:
    """Only what failed is a problem, and it names block, document and field."""
    failed = Check(ProblemCode.MISMATCH, Outcome.FAILED, "txId differs", "doc", "txId")
    checks = (
        Check(ProblemCode.BLOCK_HASH, Outcome.VERIFIED, "equal"),
        Check(ProblemCode.REVISION_HASH, Outcome.NOT_CHECKABLE, "no rule"),
        failed,
    )
    verification = BlockVerification(BlockAddress(STRAND, 7), checks, DeleteRule.METADATA_ONLY)
    expected = Problem(ProblemCode.MISMATCH, "txId differs", STRAND, 7, "doc", "txId")
    assert (False, (expected,)) == (verification.ok, verification.problems)
    assert BlockVerification(BlockAddress(STRAND, 7), checks[:2]).ok


def test_a_position_moves_to_a_block_and_keeps_the_rest() -> None:
    """Parked numbers and declared gaps stay when the position moves."""
    gap = Gap(1, 1, "lost")
    position = Position(STRAND, 2, bytes(32), frozenset({0}), (gap,))
    expected = Position(STRAND, 5, b"\x05" * 32, frozenset({0}), (gap,))
    assert expected == position.at(make_block(5))
    assert 2 == attrs.evolve(position, start=2).at(make_block(5)).start


def test_blocks_after_a_position_are_pending() -> None:
    """What is at or below the position is applied already."""
    blocks = [make_block(n) for n in range(4)]
    assert (blocks[2], blocks[3]) == Position(STRAND, 1, bytes(32)).pending(blocks)

"""One block: its time, which no hash covers, beside those that hashes do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from qldb_stream.events import Block, TransactionInfo
from qldb_stream.ion import to_slice
from qldb_stream.parsers.export import parse_export
from qldb_stream.report import Outcome
from qldb_stream.verification import ChainVerifier, verify_block
from tests.verification.blocks import BLOCKS, DDL, INSERT, with_summary


def moved(block: Block, **by: float) -> Block:
    """Give a block whose time is another."""
    return with_summary(block, block_timestamp=block.summary.block_timestamp + timedelta(**by))


def of_times(block: Block) -> list[Outcome]:
    """List the outcomes of checks on blockTimestamp."""
    return [c.outcome for c in verify_block(block).checks if c.field == "blockTimestamp"]


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ({"milliseconds": 0}, []),
        ({"minutes": 50}, []),
        ({"milliseconds": -18}, [Outcome.NOT_CHECKABLE]),
        ({"seconds": -59}, [Outcome.NOT_CHECKABLE]),
        ({"seconds": -61}, [Outcome.FAILED]),
        ({"days": -7300}, [Outcome.FAILED]),
        ({"hours": 2}, [Outcome.NOT_CHECKABLE]),
        ({"days": 7300}, [Outcome.NOT_CHECKABLE]),
    ],
)
def test_a_block_is_closed_after_its_transaction(
    by: dict[str, float], expected: list[Outcome]
) -> None:
    """Before it is a contradiction, beyond what clocks differ; long after it is unheard of."""
    assert expected == of_times(moved(INSERT, **by))


def test_a_block_without_revisions_has_the_times_of_its_statements() -> None:
    """They say when it cannot have been, and nothing of how long it took."""
    assert [Outcome.FAILED] == of_times(moved(DDL, days=-1))
    assert [] == of_times(moved(DDL, days=1))


def test_times_at_the_end_of_the_calendar_raise_nothing() -> None:
    """The first moment that there is has nothing before it."""
    edge = datetime.min.replace(tzinfo=UTC)
    assert [Outcome.FAILED] == of_times(with_summary(INSERT, block_timestamp=edge))
    last = datetime.max.replace(tzinfo=UTC)
    assert [Outcome.NOT_CHECKABLE] == of_times(with_summary(INSERT, block_timestamp=last))


def test_statements_that_cannot_be_read_have_no_times() -> None:
    """Their own check fails, and the block's time is compared with what is left."""
    info = TransactionInfo(to_slice({"statements": 5}))
    assert [] == of_times(moved(with_summary(DDL, transaction_info=info), days=-1))


def test_the_genuine_block_is_in_its_time(vectors: Path) -> None:
    """What the service wrote needs no excuse."""
    [block] = parse_export((vectors / "block-100/block.ion").read_bytes())
    assert [] == of_times(block)


def test_times_that_fall_along_the_chain_are_pointed_out() -> None:
    """Nothing says that they must rise, so it is not checkable."""
    verifier = ChainVerifier()
    verifier.feed(BLOCKS[0])
    details = [
        [c.outcome for c in verifier.feed(block).checks if c.field == "blockTimestamp"]
        for block in (moved(BLOCKS[1], days=1), BLOCKS[2], BLOCKS[3])
    ]
    assert [[], [Outcome.NOT_CHECKABLE], []] == details

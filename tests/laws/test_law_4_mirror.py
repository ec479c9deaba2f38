"""Law 4 for mirrors: a damaged block, verified by nobody, is stored whole or refused by name."""

from __future__ import annotations

from contextlib import suppress
from functools import cache

from hypothesis import given, settings, strategies as st

from qldb_stream import NEED_MORE, BlockAssembler, parse_record
from qldb_stream.errors import DecodeError, IntegrityError, QldbStreamError
from qldb_stream.events import Block
from qldb_stream.ledger import Ledger
from qldb_stream.testing import JournalShape, flip_bit, make_journal

BLOCKS = 14


@cache
def told() -> list[list[bytes]]:
    """The records of each block of a journal with a bit of everything."""
    shape = JournalShape(redactions=0.3, deletes=0.2, system=0.2, least_revisions=1)
    return list(make_journal(6, blocks=BLOCKS, shape=shape).iter_block_records())


def block_of(records: list[bytes]) -> Block | None:
    """Make a block of its records; None when they make none."""
    assembler = BlockAssembler()
    try:
        for record in records:
            assembler.feed(parse_record(record))
    except (DecodeError, IntegrityError):
        return None
    block = assembler.next_block()
    return None if block is NEED_MORE else block


@settings(max_examples=150)
@given(st.integers(0, BLOCKS - 1), st.integers(0, 10), st.integers(0, 1 << 16))
def test_one_flipped_bit_leaves_a_ledger_that_reads_and_writes(
    number: int, record: int, bit: int
) -> None:
    """Only this package's errors come out, and what was there before is as it was."""
    records = list(told()[number])
    record %= len(records)
    records[record] = flip_bit(records[record], bit % (8 * len(records[record])))
    damaged = block_of(records)
    if damaged is None:
        return
    with Ledger.open(":memory:") as mirror:
        with mirror.group_commit():
            for one in told()[:number]:
                sound = block_of(one)
                assert sound is not None
                mirror.mirror(sound)
        with suppress(QldbStreamError):
            mirror.mirror(damaged)
        assert number <= mirror.mirrored_blocks <= number + 1
        assert mirror.mirrored_blocks == len(list(mirror.blocks()))
        assert mirror.mirrored_blocks < len(list(mirror.stream_parts())) + 1
        mirror.driver().execute_lambda(lambda txn: txn.execute_statement("CREATE TABLE Mine"))
        assert list(mirror.blocks())[number - 1 :]

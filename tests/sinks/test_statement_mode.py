"""`mode=statement`: a ledger's journal sent again, statement by statement, to another."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from qldb_stream.errors import ReplayRefusedError, StaleTokenError, UsageError
from qldb_stream.events import Block
from qldb_stream.ledger import Ledger
from qldb_stream.pipeline import Pipeline
from qldb_stream.plugins import open_sink
from qldb_stream.report import Position
from qldb_stream.sinks._session import StatementSink
from tests.sinks.replayed import history, rows

TRANSACTIONS: list[list[tuple[Any, ...]]] = [
    [("CREATE TABLE Things",), ("CREATE INDEX ON Things (a)",)],
    [("INSERT INTO Things ?", {"a": 1, "b": [1, 2]})],
    [("INSERT INTO Things ?", [{"a": 2}, {"a": 3}]), ("INSERT INTO Things VALUE {'a': 4}",)],
    [("SELECT * FROM Things WHERE a = ?", 2), ("UPDATE Things AS t SET t.c = 'x' WHERE t.a > 1",)],
    [("DELETE FROM Things AS t WHERE t.a = 3",)],
]


@pytest.fixture
def source() -> list[Block]:
    """The blocks of a ledger whose statements can be sent again."""
    with Ledger.open(":memory:") as ledger:
        for transaction in TRANSACTIONS:
            run(ledger, transaction)
        return list(ledger.blocks())


def run(ledger: Ledger, transaction: list[tuple[Any, ...]]) -> None:
    """Run statements in one transaction."""

    def work(txn: Any) -> None:
        for statement in transaction:
            list(txn.execute_statement(*statement))

    ledger.driver().execute_lambda(work)


def apply(sink: StatementSink, blocks: list[Block], token: int = 1) -> Position:
    """Apply a run of blocks."""
    last = blocks[-1]
    return sink.apply(blocks, Position(last.address.strand_id, -1, b"").at(last), token)


def test_a_journal_sent_again(source: list[Block], ledger: Ledger) -> None:
    """Documents and their histories are the source's, and a repeat does nothing."""
    sink = StatementSink("ledger", ledger)
    for _ in range(2):
        assert source[-1].address.sequence_no == apply(sink, source).sequence_no

    data = [{"a": 1, "b": [1, 2]}, {"a": 2, "c": "x"}, {"a": 4, "c": "x"}]
    assert data == sorted(rows(ledger, "SELECT * FROM Things"), key=lambda row: row["a"])
    assert [0] * 4 + [1] * 3 + [2] == [version for version, _ in history(ledger)]
    assert 8 == sink.summary().documents


def test_a_destination_in_another_state(source: list[Block], ledger: Ledger) -> None:
    """A statement that changes other documents than in the source is refused, and undone."""
    sink = StatementSink("ledger", ledger)
    apply(sink, source[:3])
    run(ledger, [("INSERT INTO Things ?", {"a": 9})])

    with pytest.raises(ReplayRefusedError, match="changes 4 documents here, and changed 3"):
        apply(sink, source[3:4])
    assert [] == rows(ledger, "SELECT * FROM Things WHERE c = 'x'")


def test_what_the_destination_refuses(source: list[Block], ledger: Ledger) -> None:
    """What the destination refuses is the block's refusal."""
    run(ledger, [("CREATE TABLE Things",)])

    with pytest.raises(ReplayRefusedError, match="Things"):
        apply(StatementSink("ledger", ledger), source[:1])


def test_a_stale_token(source: list[Block], ledger: Ledger) -> None:
    """A worker that lost its lease is refused."""
    sink = StatementSink("ledger", ledger)
    apply(sink, source[:1], token=2)

    with pytest.raises(StaleTokenError):
        apply(sink, source[1:2], token=1)


def test_it_is_one_mode_to_the_end(tmp_path: Path, source: list[Block]) -> None:
    """A ledger that statements filled is not gone on with by replay."""
    url = f"ledger:{tmp_path}/copy.ledger"
    assert Pipeline(f"{url}?mode=statement").run(source).ok

    with pytest.raises(UsageError, match="filled with mode=statement, but this run has ids=keep"):
        Pipeline(url).run(source)


def test_nothing_is_left_of_nothing(tmp_path: Path) -> None:
    """A ledger that was made for statements and got none is gone again."""
    path = tmp_path / "copy.ledger"
    open_sink(f"ledger:{path}?mode=statement").close()

    assert not path.exists()


@pytest.mark.parametrize("option", ["ids=any", "base=insert"])
def test_options_of_other_modes(tmp_path: Path, option: str) -> None:
    """Options that change documents are refused, before a file is made."""
    for scheme in ("ledger", "qldb"):
        with pytest.raises(UsageError, match="changes no statement"):
            open_sink(f"{scheme}:{tmp_path}/x?mode=statement&{option}")

    assert [] == list(tmp_path.iterdir())


def test_it_neither_parks_nor_takes_filtered_blocks(ledger: Ledger) -> None:
    """What a pipeline asks a sink is answered for this mode."""
    with closing(StatementSink("ledger", ledger)) as sink:
        assert (False, False) == (sink.can_park, sink.takes_filtered)

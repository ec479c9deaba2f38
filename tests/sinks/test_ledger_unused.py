"""A ledger that the sink made and that took nothing is not left behind, any other is."""

from __future__ import annotations

from pathlib import Path

import pytest

from qldb_stream.errors import ReplayRefusedError
from qldb_stream.ledger import Ledger
from qldb_stream.report import Position
from qldb_stream.sinks.ledger import LedgerSink
from tests.ledger.support import run
from tests.replay.blocks import STRAND, block, revision


@pytest.mark.parametrize("is_there", [False, True])
def test_a_ledger_that_took_nothing_is_not_left(tmp_path: Path, *, is_there: bool) -> None:
    """Closed or refused before anything was applied, the path holds what it held before."""
    path = tmp_path / "copy.ledger"
    if is_there:
        path.touch()
    sink = LedgerSink.open(path)
    late = block(7, revision(7, 1, 3))
    with pytest.raises(ReplayRefusedError):
        sink.apply([late], Position(STRAND, 7, late.block_hash), 0)
    sink.close()
    sink.close()
    assert [path] * is_there == list(tmp_path.iterdir())
    assert not is_there or b"" == path.read_bytes()


@pytest.mark.parametrize("statement", ["CREATE TABLE Mine", "DROP TABLE qldb_stream_ids"])
def test_a_ledger_that_somebody_else_used_is_left(tmp_path: Path, statement: str) -> None:
    """Whatever was done through the ledger itself is not thrown away."""
    path = tmp_path / "copy.ledger"
    sink = LedgerSink.open(path)
    run(sink.ledger, "CREATE TABLE qldb_stream_ids")
    if statement.startswith("DROP"):
        run(sink.ledger, "INSERT INTO qldb_stream_ids ?", {"a": 1})
    run(sink.ledger, statement)
    sink.close()
    assert path.exists()


def test_a_ledger_that_was_there_is_left(tmp_path: Path) -> None:
    """A ledger that the sink did not make stays, empty as it is."""
    path = tmp_path / "copy.ledger"
    Ledger.open(path, name="mine").close()
    LedgerSink.open(path).close()
    with Ledger.open(path) as ledger:
        assert "mine" == ledger.name

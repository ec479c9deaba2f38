"""Ledger sinks: several at once, by URL, beside other writers, and any course of events."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings, strategies as st

from qldb_stream.errors import (
    LedgerFileError,
    SinkUnavailableError,
    UsageError,
)
from qldb_stream.ledger import Environment, Ledger
from qldb_stream.plugins import open_sink
from qldb_stream.reconcile import compare_ledgers
from qldb_stream.replay import IdRecord, Outcome, Replay, parse_id_rule
from qldb_stream.report import Position
from qldb_stream.sinks._session import SessionSink
from qldb_stream.sinks.ledger import LedgerSink
from qldb_stream.testing import make_journal
from tests.replay.blocks import STRAND, block, document_id, revision
from tests.sinks.replayed import CREATED, at, deliver, history, mapped, rows

# --- several sinks, and URLs ---


def test_two_sinks_on_one_ledger_apply_each_block_once(ledger: Ledger) -> None:
    """Whoever comes second passes over what the first has applied."""
    first, second = LedgerSink(ledger), LedgerSink(ledger)
    blocks = [CREATED, *(block(n, revision(n, n, 0, {"n": n})) for n in range(1, 6))]
    for each in blocks:
        deliver(first, each)
        deliver(second, each)
    assert [(0, {"n": n}) for n in range(1, 6)] == sorted(history(ledger), key=repr)
    assert (5, 0) == (first.summary().documents, second.summary().documents)


def test_our_tables_are_made_once(ledger: Ledger) -> None:
    """A second sink, also after a crash in between, finds both tables and indexes made."""
    rows(ledger, "CREATE TABLE qldb_stream_ids")
    for _ in range(2):
        deliver(LedgerSink(ledger), CREATED)
    found = rows(ledger, "SELECT t.name, t.indexes FROM information_schema.user_tables AS t")
    own = {row["name"]: [index["expr"] for index in row["indexes"]] for row in found}
    assert ["[strand_id]"] == own["qldb_stream_position"]
    assert ["[source_id]"] == own["qldb_stream_ids"]


def test_a_url_opens_the_sink_with_its_options(tmp_path: Path) -> None:
    """The scheme `ledger:` takes a path, ids and base."""
    path = tmp_path / "copy.ledger"
    sink = open_sink(f"ledger:{path}?ids=paths=a.b,c&base=insert")
    assert isinstance(sink, LedgerSink)
    deliver(sink, CREATED)
    sink.close()
    assert [path] == list(tmp_path.iterdir())


@pytest.mark.parametrize("rest", ["", "x.ledger?ids=some", "x.ledger?base=update", "x.ledger?a=b"])
def test_a_bad_url_is_refused_before_a_file_is_made(
    rest: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wrong options are a UsageError and leave no file."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError):
        open_sink(f"ledger:{rest}")
    assert [] == list(tmp_path.iterdir())


def test_a_wrong_base_is_refused(ledger: Ledger) -> None:
    """The only value of base is insert."""
    with pytest.raises(UsageError, match="the only value is insert"):
        LedgerSink(ledger, base="update")


# --- other writers, caches, any course of events ---


class Intruder:
    """A clock that writes the position in a transaction of its own when it is armed."""

    def __init__(self) -> None:
        self.ledger: Ledger | None = None
        self.armed = False
        self._now_ms = 1_700_000_000_000

    def now_ms(self) -> int:
        """Tell the time; before that, interfere."""
        if self.armed and self.ledger is not None:
            self.armed = False
            rows(self.ledger, "UPDATE qldb_stream_position AS p SET p.token = 1")
            self.armed = True
        self._now_ms += 1
        return self._now_ms


def test_a_writer_that_always_comes_between_is_told() -> None:
    """When each attempt conflicts with another writer, the sink is not available now."""
    intruder = Intruder()
    environment = Environment(now_ms=intruder.now_ms, sleep=lambda _: None)
    with Ledger.open(":memory:", environment=environment) as ledger:
        sink = LedgerSink(ledger)
        deliver(sink, CREATED)
        intruder.ledger, intruder.armed = ledger, True
        with pytest.raises(SinkUnavailableError):
            sink.apply([block(1)], at(1), 1)
        intruder.armed = False
        assert at(0) == sink.position(STRAND)
        deliver(sink, block(1))


def test_a_file_that_fails_is_no_refusal(tmp_path: Path) -> None:
    """A destination that cannot be written says so; the block is not to blame."""
    sink = LedgerSink.open(tmp_path / "copy.ledger")
    deliver(sink, CREATED)
    sink.close()
    with pytest.raises(LedgerFileError):
        sink.apply([block(1, revision(1, 1, 0, {}))], at(1), 1)
    with pytest.raises(LedgerFileError):
        sink.apply([block(1), block(2)], at(2), 1)


def test_what_is_remembered_of_ids_is_bounded(ledger: Ledger) -> None:
    """Ids that had to be forgotten are looked up again."""
    replay = Replay(parse_id_rule("any"))
    sink = SessionSink("ledger", ledger, replay)
    reached = at(1)
    sink.apply([CREATED, block(1, revision(1, 1, 0, {}), revision(1, 2, 0, {}))], reached, 1)
    strangers = [
        IdRecord(document_id(n), document_id(n), document_id(0)) for n in range(10, 16_400)
    ]
    replay.remember(Outcome(applied=True, records=tuple(strangers)))
    sink.apply([block(2, revision(2, 1, 1, {"to": document_id(2)}))], at(2), 1)
    assert (1, {"to": mapped(ledger, 2)}) in history(ledger)


_JOURNAL = list(make_journal(11, blocks=40))


@given(
    st.lists(
        st.tuples(st.integers(0, 39), st.integers(1, 12), st.booleans()), min_size=1, max_size=8
    )
)
@settings(max_examples=25)
def test_any_course_of_events_ends_like_one_clean_run(
    events: list[tuple[int, int, bool]],
) -> None:
    """Repeats, runs of any length and restarts end in the state of one clean run (law 6)."""
    strand_id = _JOURNAL[0].address.strand_id
    with TemporaryDirectory() as folder:
        path = Path(folder) / "copy.ledger"
        sink = LedgerSink.open(path, ids="any")
        for first, size, restart in [*events, (0, 40, False)]:
            if restart:
                sink.close()
                sink = LedgerSink.open(path, ids="any")
            reached = sink.position(strand_id)
            known = -1 if reached is None else reached.sequence_no
            run = _JOURNAL[min(first, known + 1) : known + 1 + size]
            last = run[-1]
            sink.apply(run, Position(strand_id, last.address.sequence_no, last.block_hash), 1)
        assert () == compare_ledgers(_JOURNAL, sink.ledger).differences
        sink.close()


def test_a_position_that_moved_is_found_again(ledger: Ledger) -> None:
    """A position document that was written anew under another id is found by its strand."""
    sink = LedgerSink(ledger)
    deliver(sink, CREATED, block(1))
    (document,) = rows(ledger, "SELECT * FROM qldb_stream_position")
    rows(ledger, "DELETE FROM qldb_stream_position")
    rows(ledger, "INSERT INTO qldb_stream_position ?", document)
    deliver(sink, block(1), block(2), block(3))
    assert 1 == len(rows(ledger, "SELECT * FROM qldb_stream_position"))
    assert at(3) == sink.position(STRAND)

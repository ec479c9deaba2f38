"""The relational sinks keep what sinks promise, on SQLite and on PostgreSQL alike."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from qldb_stream.errors import StaleTokenError, UsageError
from qldb_stream.events import Block, RevisionKind
from qldb_stream.plugins import load_plugins
from qldb_stream.report import Guarantee, Position
from qldb_stream.sinks._relational import RelationalSink
from qldb_stream.testing import make_journal
from qldb_stream.typing import ErasingSink, RepairableSink, Sink
from tests.sinks.relational.databases import Place
from tests.sinks.relational.support import EVERYTHING, apply_all, opened, position_at

JOURNAL = make_journal(5, blocks=120, shape=EVERYTHING)
BLOCKS = list(JOURNAL)
STRAND = JOURNAL.strand_id


def state_of(sink: RelationalSink) -> tuple[Any, ...]:
    """Give all that a sink holds of the strand."""
    return (
        sink.position(STRAND),
        list(sink.history(STRAND, 0, 2**62)),
        sorted(sink.current(STRAND), key=lambda revision: revision.document_id),
    )


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, ...]:
    """What one clean run leaves."""
    with opened(f"sqlite:{tmp_path_factory.mktemp('clean')}/x.db") as sink:
        apply_all(sink, BLOCKS)
        return state_of(sink)


def test_it_has_what_the_protocols_ask_for(place: Place) -> None:
    """It is a sink that erases, tells what it holds, and can be repaired."""
    with opened(place.url) as sink:
        assert isinstance(sink, Sink)
        assert isinstance(sink, ErasingSink)
        assert isinstance(sink, RepairableSink)
    scheme = place.url.partition(":")[0]
    sink_type = load_plugins().sink_types[scheme]
    assert (Guarantee.EXACTLY_ONCE, True, True) == (
        sink_type.guarantee,
        sink_type.can_park,
        sink_type.takes_filtered,
    )


def test_what_is_expected_is_there(place: Place) -> None:
    """After a run the history holds what blocks say, redactions carried out, in order."""
    with opened(place.url) as sink:
        assert [] == list(sink.history(STRAND, 0, 9))
        assert [] == list(sink.current(STRAND))
        apply_all(sink, BLOCKS)
        found = list(sink.history(STRAND, 0, 2**62))
        assert list(sink.expect(BLOCKS)) == found
        erased = JOURNAL.with_erased()
        assert list(sink.expect(erased)) == found
        assert {*RevisionKind} - {RevisionKind.SYSTEM, RevisionKind.WITHHELD} == {
            revision.kind for revision in found
        }
        assert [r for r in found if 10 <= r.sequence_no <= 20] == list(sink.history(STRAND, 10, 20))


def test_the_current_state_is_the_newest_of_each_living_document(place: Place) -> None:
    """What a walk over the history leaves is what the current tables hold."""
    with opened(place.url) as sink:
        apply_all(sink, BLOCKS)
        living = {}
        for revision in sink.history(STRAND, 0, 2**62):
            living[revision.document_id] = revision
        expected = {k: r for k, r in living.items() if r.kind is not RevisionKind.DELETE}
        assert expected == {revision.document_id: revision for revision in sink.current(STRAND)}


@pytest.mark.parametrize("run", [1, 7, 120])
def test_repeats_restarts_and_any_cut_end_in_one_state(
    place: Place, clean: tuple[Any, ...], run: int
) -> None:
    """The same run twice, a prefix before the whole, a new sink each time: one clean run."""
    for end in (3, 60, 60, 30, 120):
        with opened(place.url) as sink:
            part = BLOCKS[:end]
            for first in range(0, end, run):
                sink.apply(part[: first + run], position_at(part[: first + run][-1]), 1)
    with opened(place.url) as sink:
        assert clean == state_of(sink)


def test_a_long_run_of_updates_ends_as_short_ones_do(place: Place) -> None:
    """Many documents that change in one transaction take another way, to the same state."""
    journal = make_journal(8, blocks=300, shape=attrs.evolve(EVERYTHING, updates=0.7))
    blocks = list(journal)
    with opened(place.url) as sink:
        apply_all(sink, blocks, run=150)
        assert list(sink.expect(blocks)) == list(sink.history(journal.strand_id, 0, 2**62))
        current = {revision.document_id: revision for revision in sink.current(journal.strand_id)}
        sink.repair(blocks, 1)  # the current state follows from the history
        assert current == {r.document_id: r for r in sink.current(journal.strand_id)}


def test_an_empty_run_changes_the_position_alone(place: Place) -> None:
    """A block that is parked is named in the position, and comes later, alone."""
    with opened(place.url) as sink:
        apply_all(sink, BLOCKS[:5])
        at = position_at(BLOCKS[6])
        parked = attrs.evolve(at, parked=frozenset({5, 6}))
        assert parked == sink.apply([], parked, 1) == sink.position(STRAND)
        assert [0, 4] == [min(numbers(sink)), max(numbers(sink))]
        for number in (5, 6):
            at = attrs.evolve(at, parked=frozenset({6} - {number}))
            assert at == sink.apply([BLOCKS[number]], at, 1)
        apply_all(sink, BLOCKS[7:], token=1)
        assert list(sink.expect(BLOCKS)) == list(sink.history(STRAND, 0, 2**62))
        assert len(BLOCKS) == len(numbers(sink))


def numbers(sink: RelationalSink) -> list[int]:
    """Give the numbers in the chain of blocks."""
    table = sink._db.meta("block")  # noqa: SLF001 - the chain is read as a user of the database would
    rows = sink._db.execute(f"SELECT sequence_no FROM {table} ORDER BY 1")  # noqa: SLF001 - as above
    return [number for (number,) in rows]


def test_a_position_keeps_its_start_and_its_gaps(place: Place) -> None:
    """What the sink never had is said by its position, in a new process too."""
    last = BLOCKS[40]
    position = attrs.evolve(position_at(last), start=33)
    with opened(place.url) as sink:
        sink.apply(BLOCKS[33:41], position, 1)
    with opened(place.url) as sink:
        found = sink.position(STRAND)
        assert (position, 33) == (found, None if found is None else found.start)
        assert None is sink.position("another")


def test_a_lower_token_is_refused_in_the_transaction(place: Place) -> None:
    """Two workers fight: who has the lower token changes nothing, and is told the higher."""
    with opened(place.url) as old, opened(place.url) as new:
        apply_all(old, BLOCKS[:20], token=4)
        apply_all(new, BLOCKS[20:30], token=5)
        for act in (
            lambda: old.apply(BLOCKS[:50], position_at(BLOCKS[49]), 4),
            lambda: old.erase(BLOCKS[:5], 4),
            lambda: old.repair(BLOCKS[:5], 4),
        ):
            with pytest.raises(StaleTokenError) as caught:
                act()
            assert StaleTokenError(STRAND, 5, 4) == caught.value
        assert position_at(BLOCKS[29]) == old.position(STRAND)
        apply_all(new, BLOCKS[30:], token=5)
        assert list(new.expect(BLOCKS)) == list(new.history(STRAND, 0, 2**62))


def test_strands_have_positions_of_their_own(place: Place) -> None:
    """Two ledgers in one database do not touch one another, whatever their tables' names."""
    other = make_journal(6, blocks=60, shape=EVERYTHING)
    with opened(place.url) as sink:
        apply_all(sink, list(other))
        apply_all(sink, BLOCKS)
        assert list(sink.expect(other)) == list(sink.history(other.strand_id, 0, 2**62))
        assert list(sink.expect(BLOCKS)) == list(sink.history(STRAND, 0, 2**62))


def test_the_chain_of_blocks_is_kept(place: Place) -> None:
    """Each block's hash is the next one's previous, and each revision names its block's."""
    with opened(place.url) as sink:
        apply_all(sink, BLOCKS)
    linked = place.query(
        f"SELECT count(*) FROM {place.own('block')} a JOIN {place.own('block')} b "
        "ON b.sequence_no = a.sequence_no + 1 AND b.previous_block_hash = a.block_hash"
    )
    assert [(len(BLOCKS) - 1,)] == linked
    strays = place.query(
        f"SELECT count(*) FROM orders_history h LEFT JOIN {place.own('block')} b "
        "ON b.strand_id = h.qldb_strand_id AND b.sequence_no = h.qldb_sequence_no "
        "AND b.block_hash = h.qldb_block_hash AND b.transaction_id = h.qldb_tx_id "
        "WHERE b.strand_id IS NULL OR h.qldb_verification <> 'verified'"
    )
    assert [(0,)] == strays


def test_one_column_of_json_instead(place: Place) -> None:
    """With schema=json every table has the document in one column, and says the same."""
    mark = "&" if "?" in place.url else "?"
    with opened(f"{place.url}{mark}schema=json") as sink:
        apply_all(sink, BLOCKS)
        assert list(sink.expect(BLOCKS)) == list(sink.history(STRAND, 0, 2**62))
    with pytest.raises(UsageError, match="made with schema=json, not schema=columns"):
        opened(place.url).__enter__()


def test_a_prefix_goes_before_every_name(place: Place) -> None:
    """Tables of documents can be told from others by how their names begin."""
    mark = "&" if "?" in place.url else "?"
    with opened(f"{place.url}{mark}prefix=led_") as sink:
        apply_all(sink, BLOCKS)
        assert list(sink.expect(BLOCKS)) == list(sink.history(STRAND, 0, 2**62))
    assert 0 < place.query("SELECT count(*) FROM led_orders")[0][0]


def test_repair_writes_what_was_changed_anew(place: Place, clean: tuple[Any, ...]) -> None:
    """Revisions that somebody took away or changed are put right, current state too."""
    with opened(place.url) as sink:
        apply_all(sink, BLOCKS)
        change_behind_its_back(place)
        assert clean != state_of(sink)
        sink.repair(BLOCKS, 1)
        assert clean == state_of(sink)


def change_behind_its_back(place: Place) -> None:
    """Damage both tables, as somebody does who drops the triggers."""
    if place.is_postgres:
        place.query("ALTER TABLE customers_history DISABLE TRIGGER ALL")
        place.query("ALTER TABLE orders_history DISABLE TRIGGER ALL")
    else:
        place.query("DROP TRIGGER customers_history_no_update")
        place.query("DROP TRIGGER orders_history_no_delete")
    place.query("UPDATE customers_history SET name = 'Mallory' WHERE qldb_version = 0")
    place.query("DELETE FROM orders_history WHERE qldb_version > 0")
    place.query("DELETE FROM products WHERE qldb_version = 0")


def test_blocks_that_are_not_applied_are_not_repaired(place: Place) -> None:
    """Repair writes no block before its time."""
    with opened(place.url) as sink:
        sink.repair(BLOCKS, 1)
        apply_all(sink, BLOCKS[:30])
        sink.repair(BLOCKS, 1)
        assert position_at(BLOCKS[29]) == sink.position(STRAND)
        assert list(sink.expect(BLOCKS[:30])) == list(sink.history(STRAND, 0, 2**62))


def test_another_format_is_refused(place: Place) -> None:
    """Tables of a version that nobody knows are left alone, and the message says what to do."""
    with opened(place.url) as sink:
        apply_all(sink, BLOCKS[:5])
    place.query(f"UPDATE {place.own('setting')} SET value = '2' WHERE name = 'format_version'")
    with pytest.raises(UsageError, match="has version 2 of the tables, this qldb-stream knows 1"):
        opened(place.url).__enter__()


def test_nothing_is_made_where_nothing_was_applied(place: Place) -> None:
    """Opening and closing leaves no table."""
    with opened(place.url) as sink:
        assert None is sink.position(STRAND)
        assert [] == list(sink.expect(list[Block]()))
    with opened(place.url) as sink:
        assert None is sink.position(STRAND)
        sink.apply(BLOCKS[:1], Position(STRAND, 0, BLOCKS[0].block_hash), 1)
    assert [(1,)] == place.query(f"SELECT count(*) FROM {place.own('block')}")

"""Tables that are dropped, taken back, made again; what cannot be written; what is not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest

from qldb_stream.errors import SinkRefusedError, SinkUnavailableError, UsageError
from qldb_stream.events import Block
from qldb_stream.ledger import Ledger
from qldb_stream.plugins import open_sink
from qldb_stream.typing import Sink
from tests.sinks.relational.databases import Place, SqliteFile
from tests.sinks.relational.support import apply_all, journal_of, opened, position_at


def blocks_of(*statements: str) -> list[Block]:
    """Run statements in a ledger, one a transaction; `{Name}` stands for a table's id."""
    ids: dict[str, str] = {}
    with Ledger.open(":memory:") as ledger:
        driver = ledger.driver()
        for text in statements:
            for name, table_id in ids.items():
                text = text.replace(f"{{{name}}}", table_id)  # noqa: PLW2901 - the statement to run
            rows: Any = driver.execute_lambda(lambda t: list(t.execute_statement(text)))  # noqa: B023 - it runs now
            if text.startswith("CREATE TABLE "):
                ids[text.split()[-1]] = rows[0]["tableId"]
        return list(ledger.blocks())


def dropped(place: Place) -> list[tuple[str, str, bool]]:
    """Give the source's name, the table's name and whether it is dropped, of each table."""
    rows = place.query(
        f"SELECT source_name, table_name, is_dropped FROM {place.own('source_table')} ORDER BY 2"
    )
    return [(source, name, bool(is_dropped)) for source, name, is_dropped in rows]


def test_a_dropped_table_keeps_its_data_and_its_name(place: Place) -> None:
    """DROP marks, UNDROP takes the mark away; a new table of the name gets one of its own."""
    blocks = blocks_of(
        "CREATE TABLE Car",
        "INSERT INTO Car VALUE {'vin': 1}",
        "DROP TABLE Car",
        "CREATE TABLE Car2",
        'UNDROP TABLE "{Car}"',
        "INSERT INTO Car VALUE {'vin': 2}",
        "DROP TABLE Car",
        "CREATE TABLE Car",
        "INSERT INTO Car VALUE {'vin': 3, 'again': true}",
    )
    with opened(place.url) as sink:
        apply_all(sink, blocks[:3], run=1)
        assert [("Car", "car", True)] == dropped(place)
        apply_all(sink, blocks[3:6], run=1)
        assert [("Car", "car", False)] == dropped(place)
        apply_all(sink, blocks[6:], run=1)
        assert [("Car", "car", True), ("Car", "car_2", False)] == dropped(place)
        strand = blocks[0].address.strand_id
        assert list(sink.expect(blocks)) == list(sink.history(strand, 0, 99))
    assert [(1,), (2,)] == place.query("SELECT vin FROM car ORDER BY 1")
    assert [(3,)] == place.query("SELECT vin FROM car_2")


@pytest.mark.parametrize("run", [1, 2, 3, 100])
def test_which_tables_are_dropped_does_not_depend_on_how_blocks_are_batched(
    tmp_path: Path, run: int
) -> None:
    """A run of drops, rows and tables of one name says what each block alone would."""
    blocks = blocks_of(
        "CREATE TABLE Car",
        "INSERT INTO Car VALUE {'vin': 1}",
        "INSERT INTO Car VALUE {'vin': 2}",
        "DROP TABLE Car",
        "CREATE TABLE Other",
        "INSERT INTO Other VALUE {'vin': 3}",
        "DROP TABLE Other",
        'UNDROP TABLE "{Other}"',
        "CREATE TABLE Car",
        "INSERT INTO Car VALUE {'vin': 4}",
        "DROP TABLE Car",
        "CREATE TABLE Car",
        "INSERT INTO Car VALUE {'vin': 5}",
    )
    place = SqliteFile(tmp_path)
    with opened(place.url) as sink:
        apply_all(sink, blocks, run)
        expected = [
            ("Car", "car", True),
            ("Car", "car_2", True),
            ("Car", "car_3", False),
            ("Other", "other", False),
        ]
        assert expected == dropped(place)
        sink.repair(blocks, 1)
        assert expected == dropped(place)


def test_names_collide_with_what_is_there_already(place: Place) -> None:
    """Somebody else's table of the name is never touched."""
    place.query("CREATE TABLE customers_history (mine integer)")
    blocks = journal_of([{"a": 1}])
    with opened(place.url) as sink:
        assert () == sink.summary().names_avoided
        apply_all(sink, blocks)
        assert [("Customers", "customers_2")] == [*sink.summary().names_avoided]
    assert [] == place.query("SELECT * FROM customers_history")
    assert [(1,)] == place.query("SELECT a FROM customers_2")


def test_names_are_never_forgotten(place: Place) -> None:
    """A column keeps its name when a field that would have liked it comes later."""
    with opened(place.url) as sink:
        blocks = journal_of([{"A": 1}, {"a": 2, "A": 3}, {"select": "x"}])
        apply_all(sink, blocks, run=1)
    found = place.query("SELECT a, a_2, select_ FROM customers_history ORDER BY qldb_sequence_no")
    assert [(1, None, None), (3, 2, None), (None, None, "x")] == found


def test_a_block_that_is_refused_is_named_and_what_was_before_it_applied(place: Place) -> None:
    """A run is halved until the guilty block stands alone; its neighbours lose nothing."""
    blocks = journal_of([{"n": n} for n in range(8)])
    (revision,) = blocks[5].revisions
    assert revision.metadata is not None
    bad = attrs.evolve(revision, metadata=attrs.evolve(revision.metadata, version=2**70))
    blocks[5] = attrs.evolve(blocks[5], revisions=(bad,))
    with opened(place.url) as sink:
        with pytest.raises(SinkRefusedError) as caught:
            apply_in_parts(sink, blocks)
        address = blocks[5].address
        assert (address.strand_id, address.sequence_no) == (
            caught.value.strand_id,
            caught.value.sequence_no,
        )
        assert position_at(blocks[4]) == sink.position(address.strand_id)


def apply_in_parts(sink: Sink, blocks: list[Block]) -> None:
    """Offer what is left until nothing is, as the pipeline does."""
    while blocks:
        reached = sink.apply(blocks, position_at(blocks[-1]), 1)
        blocks = list(reached.pending(blocks))


def test_a_connection_that_was_lost_comes_back(place: Place) -> None:
    """After the server ended the connection a call fails for now, and the next one works."""
    if not place.is_postgres:
        return  # a file has no connection to lose
    blocks = journal_of([{"n": n} for n in range(4)])
    with opened(place.url) as sink:
        apply_all(sink, blocks[:2])
        place.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        with pytest.raises(SinkUnavailableError):
            sink.apply(blocks, position_at(blocks[-1]), 1)
        apply_all(sink, blocks)
        strand = blocks[0].address.strand_id
        assert list(sink.expect(blocks)) == list(sink.history(strand, 0, 2**62))


def test_passwords_are_in_no_message() -> None:
    """A server that is not there is named without what opens it."""
    with pytest.raises(SinkUnavailableError) as caught:
        open_sink("postgresql://me:hunter2@127.0.0.1:1/db?connect_timeout=2")
    assert "hunter2" not in str(caught.value)
    assert "postgresql://127.0.0.1/db" in str(caught.value)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("sqlite:", "needs a path"),
        ("sqlite:{folder}", "expected a file"),
        ("sqlite:{folder}/no/x.db", "its folder is not there"),
        ("sqlite:{folder}/text", "is no SQLite database"),
        ("sqlite:{folder}/x.db?prefix=1x", "option prefix"),
        ("sqlite:{folder}/x.db?timeout_s=soon", "option timeout_s"),
        ("sqlite:{folder}/x.db?schema=xml", "schema is one of"),
        ("postgresql:db", "write postgresql://"),
        ("postgresql://h/db?tables_in=a.b", "option tables_in"),
    ],
)
def test_what_makes_no_sense_is_said(tmp_path: Any, url: str, problem: str) -> None:
    """A wrong path or option is a matter of usage, and nothing is made."""
    (tmp_path / "text").write_text("no database, but long enough to look like one\n" * 40)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(UsageError, match=problem):
        open_sink(url.format(folder=tmp_path))
    assert before == sorted(tmp_path.iterdir())

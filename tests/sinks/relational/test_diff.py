"""Both relational databases tell what was changed in them by others, and take a repair."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from qldb_stream.plugins import open_sink
from tests.reconcile.contents import codes, compare, filled, repair, source_of
from tests.sinks.relational.databases import Place

TRIGGERS = ("DROP TRIGGER customers_history_no_delete", "DROP TRIGGER customers_history_no_update")


def alter(place: Place, statement: str) -> None:
    """Run a statement where the history takes changes."""
    if place.is_postgres:
        place.query("ALTER TABLE customers_history DISABLE TRIGGER ALL")
    else:
        for trigger in TRIGGERS:
            place.query(trigger)
    place.query(statement)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("DELETE FROM customers", {"current_missing"}),
        ("UPDATE customers SET name = 'x'", {"current_altered"}),
        ("UPDATE customers_history SET name = 'x' WHERE qldb_kind = 'insert'", {"altered"}),
        ("UPDATE customers_history SET qldb_version = qldb_version + 70", {"wrong_version"}),
        ("DELETE FROM customers_history WHERE qldb_version = 1", {"missing"}),
    ],
)
def test_changes_are_found_and_repaired(
    tmp_path: Path, place: Place, statement: str, expected: set[str]
) -> None:
    """Whatever was changed in many rows, one repair puts it right."""
    source = source_of(tmp_path / "in")
    with filled(place.url) as sink:
        assert compare(sink, source).ok
    alter(place, statement)
    with closing(open_sink(place.url)) as sink:
        found, outcome, left = repair(sink, source)

    assert expected <= codes(found)
    assert outcome.blocks
    assert left.ok, left


def test_rows_that_have_no_history_go(tmp_path: Path, place: Place) -> None:
    """A current row of a document that the source has not is removed with its block's repair."""
    source = source_of(tmp_path / "in")
    with filled(place.url):
        pass
    place.query(
        "UPDATE customers SET qldb_document_id = 'nobody' WHERE qldb_document_id = "
        "(SELECT min(qldb_document_id) FROM customers)"
    )
    with closing(open_sink(place.url)) as sink:
        found, _, left = repair(sink, source)

    assert {"current_extra", "current_missing"} == codes(found)
    assert left.ok, left

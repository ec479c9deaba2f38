"""Views that users make upon the sink's tables and view."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from qldb_stream.errors import Disposition, UsageError
from tests.sinks.relational.databases import PostgresDatabase, SqliteFile, make_postgres
from tests.sinks.relational.support import apply_all, ion, journal_of, opened

BLOCKS = journal_of(ion("{a: 1}", "{a: 2, b: 3}", '{a: "x"}', "{a: 4}"))


@pytest.fixture
def filled(postgres: dict[str, str]) -> Iterator[PostgresDatabase]:
    """A database in which the first block is applied."""
    with make_postgres(postgres) as place:
        with opened(place.url) as sink:
            apply_all(sink, BLOCKS[:1])
        yield place


def test_a_view_upon_ours_outlives_new_columns(filled: PostgresDatabase) -> None:
    """Our view gets columns at its end and is never gone."""
    filled.query("CREATE VIEW mine AS SELECT a, valid_to FROM customers_scd2")
    with opened(filled.url) as sink:
        apply_all(sink, BLOCKS[1:2])
    assert [(1,), (2,)] == filled.query("SELECT a FROM mine ORDER BY a")
    assert [(3,)] == filled.query("SELECT b FROM customers_scd2 WHERE a = 2")


@pytest.mark.parametrize("upon", ["customers", "customers_scd2"])
def test_a_view_in_the_way_of_another_type_is_named(filled: PostgresDatabase, upon: str) -> None:
    """Trying again is no use: delivery stops and says what to drop; then it goes on."""
    filled.query(f"CREATE VIEW mine AS SELECT a FROM {upon}")
    with opened(filled.url) as sink:
        apply_all(sink, BLOCKS[1:2])
        with pytest.raises(
            UsageError, match=r"view mine depends on .*drop what was made"
        ) as caught:
            apply_all(sink, BLOCKS[2:3])
        assert Disposition.HALT is caught.value.disposition
        filled.query("DROP VIEW mine")
        apply_all(sink, BLOCKS[2:])


def test_a_table_that_was_taken_away_is_no_matter_of_waiting(filled: PostgresDatabase) -> None:
    """Delivery stops and says that our tables were changed."""
    filled.query("DROP TABLE qldb_stream.block")
    with (
        opened(filled.url) as sink,
        pytest.raises(UsageError, match=r"\(42P01\); the sink's tables, or its rights"),
    ):
        apply_all(sink, BLOCKS[1:2])


@pytest.mark.parametrize("upon", ["customers", "customers_scd2"])
def test_views_in_sqlite_outlive_another_type(tmp_path: Path, upon: str) -> None:
    """A view in the file and its triggers are there again when a column has become JSON."""
    place = SqliteFile(tmp_path)
    with opened(place.url) as sink:
        apply_all(sink, BLOCKS[:1])
        place.query(f"CREATE VIEW mine AS SELECT a FROM {upon}")
        place.query("CREATE TRIGGER t INSTEAD OF INSERT ON mine BEGIN SELECT 1; END")
        apply_all(sink, BLOCKS[1:], run=1)
    assert [('"x"',), ("1",), ("2",), ("4",)] == place.query("SELECT a FROM mine ORDER BY a")
    assert [("mine",)] == place.query("SELECT tbl_name FROM sqlite_master WHERE name = 't'")

"""docs/sinks-relational.md: what it says can be run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from qldb_stream.plugins import load_plugins
from qldb_stream.sinks._relational._catalog import OWN
from qldb_stream.testing import make_journal
from tests.sinks.relational.databases import Place
from tests.sinks.relational.support import EVERYTHING, apply_all, opened

PAGE = Path(__file__).resolve().parents[3] / "docs" / "sinks-relational.md"
TEXT = PAGE.read_text(encoding="utf-8")
(SQL,) = re.findall(r"^```sql\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def test_its_queries_run(place: Place) -> None:
    """Each query gives rows, on both databases."""
    with opened(place.url) as sink:
        apply_all(sink, list(make_journal(5, blocks=60, shape=EVERYTHING)))
    queries = [query.strip() for query in SQL.split(";") if query.strip()]
    assert 3 == len(queries)
    for query in queries:
        rows = place.query(query)
        assert rows, query
        assert (0,) not in rows


def test_every_column_of_the_proof_is_named() -> None:
    """The page has the columns that every table has."""
    assert [] == [column for column in OWN if f"`{column}`" not in TEXT]


@pytest.mark.parametrize("scheme", ["sqlite", "postgresql"])
def test_every_option_is_named(scheme: str) -> None:
    """The page has every option of both sinks."""
    options = load_plugins().sink_types[scheme].options
    assert [] == [option.name for option in options if option.name not in TEXT]

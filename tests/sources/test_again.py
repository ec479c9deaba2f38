"""Places that are read again: what stands there, and nothing outside the files."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import pytest

from qldb_stream.errors import SourceError
from qldb_stream.sources import INDEX_NAME, Place, open_source
from qldb_stream.sources._index import Index
from qldb_stream.testing import make_delivery, make_export, make_journal, write_archive
from qldb_stream.typing import Item

BLOCKS = list(make_journal(7, blocks=20))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An archive with aggregates, gzip, and an export whose tables add to each other."""
    records = make_journal(7, blocks=20).iter_records()
    write_archive(make_delivery(records, seed=1, most_in_frame=4), tmp_path / "a", gzipped=True)
    make_export(BLOCKS, "ion-binary", tables="appending").write(tmp_path / "b")
    (tmp_path / INDEX_NAME).touch()
    return tmp_path


def test_every_place_gives_its_events_again(folder: Path) -> None:
    """In any order, what was read in the first pass is read again."""
    with open_source(folder).opened() as source, closing(Index()) as tables:
        rows: list[tuple[int, ...]] = []
        found: list[tuple[Place | None, Item]] = list(source.read(rows.append))
        for file, number, parent, start, length in rows:
            tables.add_tables(file, number, parent, start, length)
        reader = source.reader(tables)
        placed = [(place, item) for place, item in found if place is not None]
        assert len(placed) > 60
        for place, item in reversed(placed):
            assert item in reader.read(place)
    assert [item for _, item in found] == list(open_source(folder).items())


@pytest.mark.parametrize(
    "change",
    [
        {"file": 99},
        {"file": -1},
        {"offset": -1},
        {"length": -1},
        {"length": 1 << 40},
        {"offset": 1 << 62},
        {"length": 0},
        {"index": 5000},
    ],
)
def test_a_wrong_place_is_an_error_of_the_source(folder: Path, change: dict[str, Any]) -> None:
    """Whatever a place says, nothing else than the files is read, and the error names a file."""
    with open_source(folder).opened() as source, closing(Index()) as tables:
        places = [place for place, _ in source.read(lambda _row: None) if place is not None]
        reader = source.reader(tables)
        aggregated = next(place for place in places if place.index is not None)
        with pytest.raises(SourceError):
            reader.read(attrs.evolve(aggregated, **change))

"""Parquet files that somebody damaged behind the sink's back: what `diff` makes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from qldb_stream.errors import SinkUnavailableError
from qldb_stream.plugins import open_sink
from qldb_stream.typing import Sink
from tests.reconcile.contents import codes, compare, filled, repair, source_of


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """A filled folder of Parquet files."""
    folder = tmp_path / "lake"
    with filled(f"parquet:{folder}"):
        return folder


@pytest.fixture
def source(tmp_path: Path) -> Any:
    """What it was filled from."""
    return source_of(tmp_path / "in")


def opened(lake: Path) -> closing[Sink]:
    """Open the sink again, to be closed at the body's end."""
    return closing(open_sink(f"parquet:{lake}"))


def files(lake: Path, part: str) -> Iterator[Path]:
    """Iterate over the files of the history or the current state, the first tables first."""
    return (path for path in sorted(lake.rglob("*.parquet")) if part in path.parts)


def rewrite(path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    """Write a file anew, changed."""
    with pq.ParquetFile(path) as found:
        table = found.read()
    pq.write_table(change(table), path)


def altered(column: str, value: Any) -> Callable[[pa.Table], pa.Table]:
    """Put another value in the first row that has one."""

    def change(table: pa.Table) -> pa.Table:
        values = table.column(column).to_pylist()
        row = next(i for i, found in enumerate(values) if found is not None)
        values[row] = value
        index = table.column_names.index(column)
        field = table.schema.field(column)
        return table.set_column(index, field, pa.array(values, field.type))

    return change


def without_first(table: pa.Table) -> pa.Table:
    """Leave the first row out."""
    return table.slice(1)


def first_twice(table: pa.Table) -> pa.Table:
    """Add the first row once more."""
    return pa.concat_tables([table, table.slice(0, 1)])


MENDED: dict[str, tuple[str, Callable[[pa.Table], pa.Table], set[str]]] = {
    "a value": ("history", altered("address", "nobody"), {"altered"}),
    "a hash": ("history", altered("hash", b"x" * 32), {"altered"}),
    "a document": ("history", altered("data", b"no Ion"), {"altered"}),
    "a row less": ("history", without_first, {"missing"}),
    "a row twice": ("history", first_twice, {"twice"}),
    "a column less": ("history", lambda table: table.drop_columns(["address"]), {"altered"}),
    "a current value": ("current", altered("address", "nobody"), {"current_altered"}),
    "a current document": ("current", altered("data", b"no Ion"), {"current_altered"}),
    "a current row less": ("current", without_first, {"current_missing"}),
    "a current row twice": ("current", first_twice, {"current_extra"}),
}


@pytest.mark.parametrize("what", MENDED)
def test_a_file_written_anew_is_named_and_mended(lake: Path, source: Any, what: str) -> None:
    """What pyarrow changed in one file is found, named, and written anew."""
    part, change, expected = MENDED[what]
    rewrite(next(files(lake, part)), change)

    with opened(lake) as sink:
        found, outcome, left = repair(sink, source)

    assert expected == codes(found)
    assert 1 == found.strands[0].plan[0][1] - found.strands[0].plan[0][0] + 1 == outcome.blocks
    assert left.ok, left


def test_several_damaged_documents_of_a_file_are_mended(lake: Path, source: Any) -> None:
    """A repair of one row bears that others of its file are damaged too."""
    path = next(files(lake, "history"))
    rewrite(path, altered("data", b"no Ion"))
    with opened(lake) as sink:
        first = compare(sink, source).strands[0].plan
    rewrite(path, lambda table: pa.concat_tables([altered("data", b"none")(table.slice(5)), table]))
    with opened(lake) as sink:
        found, _, left = repair(sink, source)

    assert first
    assert {"altered", "twice"} >= codes(found) > set()
    assert left.ok, left


def test_a_file_in_the_place_of_another_is_mended(lake: Path, source: Any) -> None:
    """Rows that are there twice and rows that are gone are written anew, all of them."""
    one, other, *_ = files(lake, "history")
    other.write_bytes(one.read_bytes())

    with opened(lake) as sink:
        found, _, left = repair(sink, source)

    assert {"missing", "twice"} == codes(found)
    assert left.ok, left


def test_the_order_of_a_files_rows_is_no_difference(lake: Path, source: Any) -> None:
    """Readers sort by block; so does the sink."""
    rewrite(next(files(lake, "history")), lambda table: table.sort_by([("hash", "ascending")]))
    with opened(lake) as sink:
        assert compare(sink, source).ok


def test_a_file_that_nobody_knows_of_is_passed_over(lake: Path, source: Any) -> None:
    """What the manifest does not name does not count, and is left."""
    path = next(files(lake, "history"))
    copy = path.with_name("000000000099.parquet")
    copy.write_bytes(path.read_bytes())

    with opened(lake) as sink:
        assert compare(sink, source).ok

    assert copy.exists()


UNREADABLE: dict[str, Callable[[Path], Any]] = {
    "gone": lambda path: path.unlink(),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:-100]),
    "of a row that no sink wrote": lambda path: rewrite(path, altered("kind", "odd")),
    "of a row without a document's id": lambda path: rewrite(path, altered("document_id", None)),
    "without a proof": lambda path: rewrite(path, lambda table: table.drop_columns(["hash"])),
}


@pytest.mark.parametrize("part", ["history", "current"])
@pytest.mark.parametrize("what", UNREADABLE)
def test_a_file_that_cannot_be_read_is_named(lake: Path, source: Any, part: str, what: str) -> None:
    """Nothing is compared, and whoever asks is told which file it is."""
    path = next(files(lake, part))
    UNREADABLE[what](path)

    with opened(lake) as sink, pytest.raises(SinkUnavailableError, match=path.name):
        compare(sink, source)

"""`parquet:` holds each revision once, as rows, whatever cut it off; what was redacted is gone."""

from __future__ import annotations

import itertools
import os
import re
import resource
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from qldb_stream.errors import (
    SinkRefusedError,
    SinkUnavailableError,
    StaleTokenError,
    UsageError,
)
from qldb_stream.events import Block
from qldb_stream.ion import load_slice
from qldb_stream.pipeline import Pipeline
from qldb_stream.plugins import open_sink
from qldb_stream.sinks.parquet import list_files
from qldb_stream.sinks.parquet._sink import ParquetSink
from qldb_stream.testing.journals import make_journal
from qldb_stream.typing import ErasingSink, RepairableSink, Sink
from tests.sinks.parquet.support import (
    BLOCKS,
    ERASED,
    JOURNAL,
    REPOSITORY,
    SHAPE,
    STRAND,
    apply,
    check,
    files_of,
    ledger_blocks,
    position_at,
    query,
    write,
)
from tests.sinks.steps import is_killed, with_broken_document, write_to_the_end


def test_it_is_a_sink_that_a_url_opens(path: Path) -> None:
    """It erases, can be read and repaired; nothing is made before something is applied."""
    sink = open_sink(f"parquet:{path}?current=apply&file_bytes=70000")
    assert isinstance(sink, Sink)
    assert isinstance(sink, ErasingSink)
    assert isinstance(sink, RepairableSink)
    sink.close()
    sink.close()
    assert [] == list(path.parent.iterdir())
    with pytest.raises(UsageError, match="write parquet:PATH"):
        open_sink("parquet:")
    for given in ("1", "x", "-70000", "\u00b2"):
        with pytest.raises(UsageError, match="file_bytes is a number from 65536"):
            open_sink(f"parquet:{path}", file_bytes=given)


def test_without_pyarrow(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says which extra brings it."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match="needs the extra `parquet`"):
        open_sink(f"parquet:{path}")


@pytest.mark.parametrize("batch_blocks", [1, 7, 40])
@pytest.mark.parametrize("current", ["close", "apply", "none"])
def test_each_revision_is_a_row_once(path: Path, batch_blocks: int, current: str) -> None:
    """Whatever the runs were, history and current state are those of the journal."""
    for end in (3, 20, 20, 40):
        url = f"parquet:{path}?current={current}"
        report = Pipeline(url, batch_blocks=batch_blocks).run(BLOCKS[:end])
        assert report.ok
        assert () == report.redactions_pending
    check(path)


def test_duckdb_opens_it(path: Path) -> None:
    """History by its files' pattern, with the table as a column; current by the manifest."""
    write(path, BLOCKS[:30], BLOCKS[30:])
    revisions = [r for b in ERASED for r in b.revisions if r.metadata is not None]
    expected: dict[tuple[str, str], int] = {}
    for revision in revisions:
        assert revision.table is not None
        key = (revision.table.table_name, revision.kind.value)
        expected[key] = expected.get(key, 0) + 1
    sql = f"""SELECT "table", kind, count(*) FROM read_parquet('{path}/history/*/*.parquet',
        hive_partitioning = true, union_by_name = true) GROUP BY ALL"""
    assert expected == {(table, kind): count for table, kind, count in query(sql)}
    name = next(iter(expected))[0]
    files = list_files(str(path), "current", name)
    assert files
    rows = query(f"SELECT document_id, data_hash, octet_length(data) FROM read_parquet({files})")
    newest = {r.document_id: r for r in revisions if r.table and r.table.table_name == name}
    there = {i: r.data_ion.hash() for i, r in newest.items() if r.data_ion is not None}
    assert there == {document_id: data_hash for document_id, data_hash, _ in rows}
    assert [] == list_files(str(path), "history", "nosuch")
    with pytest.raises(UsageError, match="not 'x'"):
        list_files(str(path), "x", name)
    with pytest.raises(UsageError, match="has no manifest"):
        list_files(str(path.parent), "history", name)


def test_the_data_column_is_the_document(path: Path) -> None:
    """What stands in it has the hash that stands beside it."""
    write(path, BLOCKS)
    for file in files_of(path):
        for row in pq.ParquetFile(path / file["name"]).read().to_pylist():
            if row["data"] is not None:
                assert row["data_hash"] == load_slice(row["data"]).hash()


def test_position_and_token_outlive_the_sink(path: Path) -> None:
    """Parked numbers are kept, and a lower token is refused."""
    sink = ParquetSink(path)
    parked = attrs.evolve(position_at(BLOCKS[5]), parked=frozenset({2}))
    sink.apply([*BLOCKS[:2], *BLOCKS[3:6]], parked, 7)
    sink.close()
    sink = ParquetSink(path)
    assert parked == sink.position(STRAND)
    assert None is sink.position("another")
    for refused in (
        lambda: sink.apply([], attrs.evolve(parked, parked=frozenset()), 6),
        lambda: sink.erase(BLOCKS[:2], 6),
        lambda: sink.repair(BLOCKS[:2], 6),
    ):
        with pytest.raises(StaleTokenError):
            refused()
    whole = attrs.evolve(parked, parked=frozenset())
    assert whole == sink.apply([BLOCKS[2]], whole, 8)
    assert whole == sink.apply([BLOCKS[2]], whole, 8)
    sink.close()
    check(path, list(JOURNAL.with_erased())[:6] if _redacts(BLOCKS[:6]) else BLOCKS[:6])


def _redacts(blocks: Sequence[Block]) -> bool:
    return any(block.summary.redaction_info is not None for block in blocks)


def test_a_redaction_leaves_no_document(path: Path) -> None:
    """Neither history, current state nor staging has what was redacted; the hashes stay."""
    last = next(i for i, b in enumerate(BLOCKS) if b.summary.redaction_info is not None)
    write(path, BLOCKS[:last])
    check(path, BLOCKS[:last])
    sink = ParquetSink(path)
    sink.erase(BLOCKS[:last], 0)  # nothing in these copies is redacted
    sink.erase(ERASED[:last], 0)
    sink.close()
    check(path, ERASED[:last])
    write(path, *([block] for block in BLOCKS[last:]))
    check(path)


def test_a_redaction_leaves_no_row_in_an_old_current_state(path: Path) -> None:
    """Also where the current state is not kept up, it has no document that is gone."""
    last = next(i for i, b in enumerate(BLOCKS) if b.summary.redaction_info is not None)
    info = BLOCKS[last].summary.redaction_info
    assert info is not None
    first = info.revisions[0]
    number = first.block_address.sequence_no
    write(path, BLOCKS[: number + 1])  # the revision is the newest of its document
    write(path, BLOCKS[number + 1 :], current="none")
    for file in files_of(path):
        rows = pq.ParquetFile(path / file["name"]).read().to_pylist()
        if file["name"].startswith("current"):
            assert all(row["data"] is not None for row in rows)
        for row in rows:
            if (row["document_id"], row["version"]) == (first.document_id, first.version):
                assert row["kind"] == "redacted"
    check(path)


def test_a_repair_puts_right_what_was_changed(path: Path) -> None:
    """Rows that somebody changed or lost are the journal's again; redacted ones stay so."""
    write(path, BLOCKS)
    file = path / max(files_of(path), key=lambda f: f["rows"] * f["name"].startswith("h"))["name"]
    table = pq.ParquetFile(file).read()
    pq.write_table(table.slice(1), file)
    sink = ParquetSink(path)
    expected = list(sink.expect(ERASED))
    assert expected != list(sink.history(STRAND, 0, 99))
    sink.repair(BLOCKS, 0)
    assert expected == list(sink.history(STRAND, 0, 99))
    sink.close()
    check(path)


def test_files_are_bounded_and_few(path: Path) -> None:
    """Many small runs become few files, none with more than its bytes of documents."""
    blocks = list(make_journal(12, blocks=200, shape=SHAPE))
    sink = ParquetSink(path, file_bytes=20_000)
    for block in blocks:
        apply(sink, [block])
    sink.close()
    found = [f for f in files_of(path) if f["name"].startswith("history")]
    rows = sum(f["rows"] for f in found)
    assert all(f["size"] <= 20_000 or f["rows"] == 1 for f in found)
    assert len(found) < rows / 4
    check(path, list(make_journal(12, blocks=200, shape=SHAPE).with_erased()))


def test_a_document_that_is_no_ion_is_refused_by_block(path: Path) -> None:
    """A block that cannot be shown is named, and nothing of its run is kept."""
    block = with_broken_document(BLOCKS)
    sink = ParquetSink(path)
    with pytest.raises(SinkRefusedError) as caught:
        apply(sink, [block])
    assert block.address.sequence_no == caught.value.sequence_no
    assert None is sink.position(STRAND)
    sink.close()
    assert not path.exists()


def test_what_is_something_else_is_left_as_it_is(path: Path, tmp_path: Path) -> None:
    """A file, a pipe, a folder of other files, and a second writer are refused."""
    path.write_text("mine")
    with pytest.raises(UsageError, match="expected a folder or nothing"):
        ParquetSink(path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(UsageError, match="expected a folder or nothing"):
        ParquetSink(path)
    path.unlink()
    path.mkdir()
    (path / "x").touch()
    with pytest.raises(UsageError, match="is not a folder of parquet:"):
        ParquetSink(path)
    (path / "x").unlink()
    sink = ParquetSink(path)
    with pytest.raises(SinkUnavailableError, match="another process or sink is writing it"):
        ParquetSink(path)
    sink.close()
    with pytest.raises(UsageError, match="No such file"):
        ParquetSink(tmp_path / "no" / "such")
    with pytest.raises(UsageError, match="it is no path"):
        ParquetSink("a\0b")
    assert [path] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (('version": 1', 'version": 2'), "has version 2 of the format, .* knows 1"),
        (("qldb-stream parquet", "other"), "has a damaged manifest"),
        (("{", "["), "has a damaged manifest"),
        (("nextFile", "next"), "has a damaged manifest"),
    ],
)
def test_a_manifest_that_is_not_known_is_refused(
    path: Path, change: tuple[str, str], problem: str
) -> None:
    """Another version, or damage, is told and left as it is."""
    write(path, BLOCKS[:5])
    manifest = path / "_qldb_stream" / "manifest.json"
    manifest.write_text(manifest.read_text().replace(*change))
    with pytest.raises(UsageError, match=problem):
        ParquetSink(path)


def test_a_disk_that_is_full_changes_nothing(path: Path) -> None:
    """What could not be written is not there, and the run can be repeated."""
    sink = ParquetSink(path)
    apply(sink, BLOCKS[:10])
    before = (path / "_qldb_stream" / "manifest.json").read_bytes()
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(SinkUnavailableError, match="File too large"):
            apply(sink, BLOCKS[10:])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert before == (path / "_qldb_stream" / "manifest.json").read_bytes()
    assert [] == list((path / "_qldb_stream" / "staging").iterdir())
    apply(sink, BLOCKS[10:])
    sink.close()
    check(path)


def test_a_folder_that_is_gone_is_not_made_anew(path: Path) -> None:
    """Where a volume was unmounted under an open sink, nothing is written into what is left."""
    sink = ParquetSink(path)
    apply(sink, BLOCKS[:10])
    path.rename(path.with_name("unmounted"))
    with pytest.raises(SinkUnavailableError, match="manifest is gone"):
        apply(sink, BLOCKS[10:])
    path.with_name("unmounted").rename(path)
    apply(sink, BLOCKS[10:])
    sink.close()
    check(path)


def test_a_damaged_file_is_told(path: Path) -> None:
    """A file that is no Parquet any more makes the sink unavailable, not wrong."""
    write(path, BLOCKS)
    for file in path.rglob("*.parquet"):
        file.write_bytes(b"PAR1" + bytes(100) + b"PAR1")
    sink = ParquetSink(path)
    with pytest.raises(SinkUnavailableError, match="no sound Parquet file"):
        list(sink.history(STRAND, 0, 99))
    for file in path.rglob("*.parquet"):
        pq.write_table(pa.table({"x": [1]}), file)
    with pytest.raises(SinkUnavailableError, match="has no column data"):
        list(sink.history(STRAND, 0, 99))
    sink.close()


def test_the_documented_queries_answer(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What docs/sinks-files.md shows works as it stands there."""
    monkeypatch.chdir(tmp_path)
    blocks = ledger_blocks(
        "CREATE TABLE Vehicle",
        ("INSERT INTO Vehicle ?", {"VIN": "1N4AL11D75C109151", "Year": 2011}),
        ('UPDATE Vehicle SET "Year" = ?', 2012),
    )
    write(path.with_name("cars"), blocks)
    text = (REPOSITORY / "docs" / "sinks-files.md").read_text(encoding="utf-8")
    examples = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
    answers = [query(sql) for example in examples for sql in example.split(";") if sql.strip()]
    assert [[("1N4AL11D75C109151", 2012)], [(0, 2011), (1, 2012)]] == answers
    code = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[0]
    scope: dict[str, Any] = {}
    exec(code, scope)  # noqa: S102 - our documentation's
    assert 1 == len(scope["rows"])


DURABLE_BY = ("fsync", "replace", "unlink", "mkdir")


def test_a_kill_at_any_step_loses_nothing_and_repeats_nothing(path: Path) -> None:
    """Killed at each system call that matters, it holds whole runs, and ends like a clean one."""
    for step in itertools.count(0, 11):
        fresh = path.with_name(f"{step}")
        was_killed = is_killed(f"parquet:{fresh}", step, DURABLE_BY, 10)
        sink = ParquetSink(fresh)
        reached = sink.position(STRAND)
        count = 0 if reached is None else reached.sequence_no + 1
        held = {stored.sequence_no for stored in sink.history(STRAND, 0, 99)}
        with_rows = {
            b.address.sequence_no for b in BLOCKS[:count] if any(r.metadata for r in b.revisions)
        }
        assert with_rows == held
        sink.close()
        write_to_the_end(f"parquet:{fresh}", DURABLE_BY, 10)
        check(fresh)
        if not was_killed:
            break
    assert step > 11

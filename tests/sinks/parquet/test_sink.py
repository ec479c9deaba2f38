"""`parquet:` holds each revision once, as rows, whatever cut it off; what was redacted is gone."""

from __future__ import annotations

import itertools
import json
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from qldb_stream.errors import (
    SinkRefusedError,
    SinkUnavailableError,
    StaleTokenError,
    UsageError,
)
from qldb_stream.events import Block, RevisionKind
from qldb_stream.ion import IonSlice, iter_text, load_slice
from qldb_stream.ledger import Ledger
from qldb_stream.pipeline import Pipeline
from qldb_stream.plugins import open_sink
from qldb_stream.report import Position
from qldb_stream.sinks.parquet import list_files
from qldb_stream.sinks.parquet._sink import ParquetSink
from qldb_stream.testing.journals import JournalShape, make_journal
from qldb_stream.typing import ErasingSink, RepairableSink, Sink

REPOSITORY = Path(__file__).resolve().parents[3]
SHAPE = JournalShape(redactions=0.2, deletes=0.1)
JOURNAL = make_journal(11, blocks=40, shape=SHAPE)
BLOCKS = list(JOURNAL)
ERASED = list(JOURNAL.with_erased())
STRAND = JOURNAL.strand_id


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A folder that is not there yet."""
    return tmp_path / "tables"


def position_at(block: Block) -> Position:
    """Give the position that a block leads to."""
    return Position(block.address.strand_id, block.address.sequence_no, block.block_hash, start=0)


def apply(sink: ParquetSink, blocks: Sequence[Block], token: int = 0) -> Position:
    """Apply a run of blocks, to the position of its last."""
    return sink.apply(blocks, position_at(blocks[-1]), token)


def write(path: Path, *runs: Sequence[Block], **options: Any) -> None:
    """Write runs of blocks, each by a sink of its own."""
    for run in runs:
        sink = ParquetSink(path, **options)
        apply(sink, run)
        sink.close()


def check(path: Path, blocks: Sequence[Block] = ERASED) -> None:
    """Compare all that a folder holds with what it should hold of these blocks."""
    sink = ParquetSink(path)
    strand_id = blocks[0].address.strand_id
    expected = list(sink.expect(blocks))
    assert expected == list(sink.history(strand_id, 0, 10**9))
    newest = {stored.document_id: stored for stored in expected}
    there = [stored for stored in newest.values() if stored.data is not None]
    found = list(sink.current(strand_id))
    key = lambda stored: stored.document_id  # noqa: E731 - used twice, here
    assert sorted(there, key=key) == sorted(found, key=key)
    sink.close()
    seen = {str(file.relative_to(path)) for file in path.rglob("*.parquet")}
    assert seen == {file["name"] for file in files_of(path)}


def files_of(path: Path) -> list[dict[str, Any]]:
    """Give all files that the manifest names."""
    manifest = json.loads((path / "_qldb_stream" / "manifest.json").read_text())
    return [
        f for t in manifest["tables"].values() for kind in ("history", "current") for f in t[kind]
    ]


def ledger_blocks(*statements: tuple[str, Any] | str) -> list[Block]:
    """Run statements, each in a transaction, and give the blocks; {T} is the id of table T."""
    with Ledger.open(":memory:") as ledger:
        driver = ledger.driver()
        table_id = ""
        for statement in statements:
            text, parameters = (statement, ()) if isinstance(statement, str) else statement
            text = text.replace("{T}", table_id)
            given = parameters if isinstance(parameters, tuple) else (parameters,)
            driver.execute_lambda(lambda txn: list(txn.execute_statement(text, *given)))  # noqa: B023 - run at once
            named = driver.execute_lambda(
                lambda txn: list(
                    txn.execute_statement("SELECT tableId FROM information_schema.user_tables")
                )
            )
            table_id = named[0]["tableId"] if named else ""
        return list(ledger.blocks())


def query(sql: str) -> list[tuple[Any, ...]]:
    """Ask DuckDB."""
    with duckdb.connect() as connection:
        return connection.execute(sql).fetchall()


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


TYPES: list[tuple[list[Any], str, list[Any]]] = [
    ([1, None, 2**40], "BIGINT", [1, None, 2**40]),
    ([1, 2**63], "DECIMAL(38,0)", [1, 2**63]),
    ([1, "two", True], "VARCHAR", ["1", "two", "true"]),
    ([1, 1.5], "DOUBLE", [1.0, 1.5]),
    ([2**60, 1.5], "VARCHAR", [str(2**60), "1.5"]),
    ([True, False], "BOOLEAN", [True, False]),
    ([{"a": 1}, [2]], "VARCHAR", ['{"a":1}', "[2]"]),
    ([10**50, 1], "VARCHAR", [str(10**50), "1"]),
]


@pytest.mark.parametrize(("values", "type_name", "expected"), TYPES)
@pytest.mark.parametrize("runs", [1, 9])
def test_a_column_widens(
    path: Path, values: list[Any], type_name: str, expected: list[Any], runs: int
) -> None:
    """Whether its values come together or one by one, a column has the type that holds all."""
    blocks = ledger_blocks(
        "CREATE TABLE T", *(("INSERT INTO T ?", {"v": v, "n": i}) for i, v in enumerate(values))
    )
    write(path, *([blocks] if runs == 1 else ([block] for block in blocks)))
    for kind in ("history", "current"):
        files = list_files(str(path), kind, "T")
        found = query(
            f"SELECT v, typeof(v) FROM read_parquet({files}, union_by_name=true) ORDER BY n"
        )
        assert [(value, type_name) for value in expected] == found
    check(path, blocks)


TORTURE = """{ n: null, n2: null.int, b: true, i: -0, d: 1d3, d2: -0.0, d3: 1.50000, d4: 1d-40,
    big: 123456789012345678901234567890123456789, f: 1e0, nn: nan, inf: -inf, t: 2020T,
    t2: 2020-02-29T, t3: 2020-02-29T10:30-00:00, t4: 9999-12-31T23:59:59.999999+23:59,
    t5: 0001-01-01T00:00:00.5-01:00, t6: 2020-01-01T00:00:00.1234567Z, s: "a\\0b\\u20ac", s2: "",
    sym: 'x y', c: {{"clob"}}, bl: {{aGk=}}, l: [1, [2]], se: (a b), st: {a: {b: null}},
    an: x::1, an2: x::y::"z", '': 1, 'a\\0b': 2, 'a.b': 3, r: 1, r: 2, D: 1 }"""


@pytest.mark.parametrize("text", [TORTURE, "[1, 2]", "{}", "x::{a: 1}", '"text"', "null"])
def test_every_type_of_ion_has_its_place(path: Path, text: str) -> None:
    """Odd values, names and documents are kept whole, and read back as they are expected."""
    block = next(b for b in BLOCKS if any(r.kind is RevisionKind.INSERT for r in b.revisions))
    nested = "[" * 60 + "]" * 60
    long = text.replace("D: 1", f"deep: {nested}, long: '{'y' * 2**17}', many: 0x{9**9999:x}")
    data = next(iter_text(long.encode()))
    revisions = tuple(attrs.evolve(r, data_ion=data) for r in block.revisions if r.metadata)
    written = attrs.evolve(block, revisions=revisions)
    write(path, [written])
    check(path, [written])
    row = pq.ParquetFile(path / files_of(path)[0]["name"]).read().to_pylist()[0]
    assert data.hash() == load_slice(row["data"]).hash()
    if text is not TORTURE:
        return
    shown = {
        "b": True,
        "i": 0,
        "d": 1000,
        "d4": "1E-40",
        "f": 1.0,
        "inf": float("-inf"),
        "t": "2020T",
        "s": "a\0b\u20ac",
        "s2": "",
        "sym": "x y",
        "se": '["a","b"]',
        "st": '{"a":{"b":null}}',
        "an": "1",
        "an2": "z",
        "field": 1,
        "a.b": 3,
        "r": 1,
        "l": "[1,[2]]",
    }
    assert shown == {name: row[name] for name in shown}
    assert "n" not in row
    assert datetime(2020, 2, 29, tzinfo=UTC) == row["t2"]


def test_odd_names_have_columns_of_their_own(path: Path) -> None:
    """Names of proof columns, capitals, and no name at all: each field has one column."""
    document = {"version": "a", "Table": "b", "x": "c", "X": "d", "": "e", 'naïve "q"': "f"}
    blocks = ledger_blocks("CREATE TABLE T", ("INSERT INTO T ?", document))
    write(path, blocks)
    files = list_files(str(path), "history", "T")
    sql = f"SELECT version_2, Table_2, x, X_2, field FROM read_parquet({files})"
    assert [("a", "b", "c", "d", "e")] == query(sql)
    check(path, blocks)


def test_a_dropped_table_has_no_current_state(path: Path) -> None:
    """Its history stays; it is there again when it is undropped, beside a new one of its name."""
    made: list[Any] = ["CREATE TABLE T", ("INSERT INTO T ?", {"n": 1})]
    blocks = ledger_blocks(
        *made, "DROP TABLE T", 'UNDROP TABLE "{T}"', ("INSERT INTO T ?", {"n": 2})
    )
    dropped = next(i for i, b in enumerate(blocks) if "DROP TABLE T" in _texts(b))
    counts = []
    for end in (dropped, dropped + 1, dropped + 2, len(blocks)):
        write(path, blocks[:end])
        sink = ParquetSink(path)
        current = list(sink.current(blocks[0].address.strand_id))
        history = list(sink.history(blocks[0].address.strand_id, 0, 99))
        sink.close()
        counts.append((len(current), len(history)))
    assert [(1, 1), (0, 1), (1, 1), (2, 2)] == counts


def _texts(block: Block) -> list[str]:
    info = block.summary.transaction_info
    return [] if info is None else [statement.statement for statement in info.statements]


def test_masked_and_withheld_revisions_say_so(path: Path) -> None:
    """What a filter changed is named in `masked`; a withheld document is not there."""
    block = next(b for b in BLOCKS if any(r.kind is RevisionKind.INSERT for r in b.revisions))
    masked = tuple(attrs.evolve(r, masked=("a.b", "c")) for r in block.revisions)
    write(path, [attrs.evolve(block, revisions=masked)])
    files = [f["name"] for f in files_of(path) if f["name"].startswith("history")]
    names = [str(path / name) for name in files]
    assert {("a.b", "c")} == {
        tuple(row[0]) for row in query(f"SELECT masked FROM read_parquet({names})")
    }
    withheld = tuple(
        attrs.evolve(r, is_withheld=True, data_ion=None, data_hash=b"h" * 32)
        for r in block.revisions
    )
    write(path.with_name("other"), [attrs.evolve(block, revisions=withheld)])
    sink = ParquetSink(path.with_name("other"))
    assert {RevisionKind.WITHHELD} == {s.kind for s in sink.history(STRAND, 0, 99)}
    assert [] == list(sink.current(STRAND))
    sink.close()


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
    index, revision = next(
        (i, r) for b in BLOCKS for i, r in enumerate(b.revisions) if r.data_ion is not None
    )
    block = next(b for b in BLOCKS if revision in b.revisions)
    sound = load_slice(b"\xe0\x01\x00\xea\xdb\x84\x89abcdefghi")
    broken = attrs.evolve(revision, data_ion=IonSlice(sound.buf, 4, 15, sound.symbols))
    revisions = (*block.revisions[:index], broken, *block.revisions[index + 1 :])
    sink = ParquetSink(path)
    with pytest.raises(SinkRefusedError) as caught:
        apply(sink, [attrs.evolve(block, revisions=revisions)])
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


KILL = """
import os, signal, sys
from qldb_stream.plugins import open_sink
from qldb_stream.report import Position
from qldb_stream.testing.journals import JournalShape, make_journal

url, left = sys.argv[1], int(sys.argv[2])
blocks = list(make_journal(11, blocks=40, shape=JournalShape(redactions=0.2, deletes=0.1)))

def dying(real):
    def call(*arguments, **options):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **options)
    return call

for name in ("fsync", "replace", "unlink", "mkdir"):
    setattr(os, name, dying(getattr(os, name)))
sink = open_sink(url)
for start in range(0, 40, 10):
    run = blocks[start : start + 10]
    last = run[-1]
    at = Position(last.address.strand_id, last.address.sequence_no, last.block_hash, start=0)
    sink.apply(run, at, 0)
sink.close()
"""


def test_a_kill_at_any_step_loses_nothing_and_repeats_nothing(path: Path) -> None:
    """Killed at each system call that matters, it holds whole runs, and ends like a clean one."""
    for step in itertools.count(0, 11):
        fresh = path.with_name(f"{step}")
        done = subprocess.run(
            [sys.executable, "-c", KILL, f"parquet:{fresh}", str(step)], check=False
        )
        sink = ParquetSink(fresh)
        reached = sink.position(STRAND)
        count = 0 if reached is None else reached.sequence_no + 1
        held = {stored.sequence_no for stored in sink.history(STRAND, 0, 99)}
        with_rows = {
            b.address.sequence_no for b in BLOCKS[:count] if any(r.metadata for r in b.revisions)
        }
        assert with_rows == held
        sink.close()
        again = subprocess.run(
            [sys.executable, "-c", KILL, f"parquet:{fresh}", "99999"], check=False
        )
        assert 0 == again.returncode
        check(fresh)
        if done.returncode == 0:
            break
        assert -signal.SIGKILL == done.returncode
    assert step > 11

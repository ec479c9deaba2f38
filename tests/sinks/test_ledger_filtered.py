"""Filtered blocks replayed into a ledger: new names, tables left out, withheld documents."""

from __future__ import annotations

from qldb_stream.events import Block
from qldb_stream.filters import Filter, parse_filter
from qldb_stream.ledger import Ledger
from qldb_stream.sinks.ledger import LedgerSink
from tests.replay.blocks import THINGS, block, revision
from tests.sinks.replayed import OTHERS, at, deliver, history, rows


def blocks() -> list[Block]:
    """Two tables, made, written to, and one of them dropped and undropped."""
    return [
        block(0, statements=["CREATE TABLE Things", "CREATE TABLE Others"]),
        block(1, statements=["CREATE INDEX ON Things (a)", "CREATE INDEX ON Others (b)"]),
        block(
            2,
            revision(2, 1, 0, {"a": 1}),
            revision(2, 2, 0, {"b": 2}, table=OTHERS),
            statements=["INSERT INTO Things ?", "INSERT INTO Others ?"],
            documents={1: (THINGS, [0]), 2: (OTHERS, [1])},
        ),
        block(3, statements=["DROP TABLE Others"]),
        block(4, statements=[f'UNDROP TABLE "{OTHERS.table_id}"']),
        block(
            5,
            revision(5, 1, 1, {"a": 5}),
            statements=["UPDATE Things SET a = 5"],
            documents={1: (THINGS, [0])},
        ),
    ]


def replayed(ledger: Ledger, rules: Filter) -> LedgerSink:
    """A sink that has all blocks, filtered."""
    sink = LedgerSink(ledger)
    deliver(sink, *map(rules.apply, blocks()))
    return sink


def tables(ledger: Ledger) -> list[str]:
    """The destination's own tables."""
    return sorted(
        str(name) for name in ledger.driver().list_tables() if not str(name).startswith("qldb_")
    )


def test_new_names(ledger: Ledger) -> None:
    """Tables, their indexes and documents are under the new names."""
    replayed(ledger, Filter(rename={"Things": "Gadgets", "Others": "Things"}))

    assert ["Gadgets", "Things"] == tables(ledger)
    assert [(0, {"a": 1}), (1, {"a": 5})] == history(ledger, "Gadgets")
    assert [{"b": 2}] == rows(ledger, "SELECT * FROM Things WHERE b = 2")
    assert "b" in ledger.explain("SELECT * FROM Things WHERE b = 2").sources[0].field  # type: ignore[operator]  # an index has one


def test_tables_left_out(ledger: Ledger) -> None:
    """A table that is left out is not made, and what happens to it is passed over."""
    sink = replayed(ledger, Filter(exclude_tables={"Others"}))

    assert ["Things"] == tables(ledger)
    assert at(5) == sink.position(at(5).strand_id)


def test_withheld_documents(ledger: Ledger) -> None:
    """A withheld document is a placeholder with its hashes, and versions keep step."""
    replayed(ledger, parse_filter({"where": {"Things": "a > 1"}, "exclude_tables": ["Others"]}))
    (first, second) = history(ledger)

    assert (1, {"a": 5}) == second
    assert 0 == first[0]
    assert {"hash", "data_hash"} == set(first[1]["qldb_stream_redacted"])

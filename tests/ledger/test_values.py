"""Values of every Ion type: stored, found by equality with and without an index, unchanged."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings, strategies as st

from qldb_stream.ion import IonSlice, iter_text, to_slice
from qldb_stream.ledger import Access, Ledger
from qldb_stream.testing.strategies import ion_values
from tests.ledger.support import check_journal, memory, run

EVERY_TYPE = """
null null.null null.bool null.int null.float null.decimal null.timestamp null.string null.symbol
null.blob null.clob null.list null.sexp null.struct true false 0 -1 123456789012345678901234567890
0e0 -0e0 1.5e300 nan +inf 0. -0.0 1.50 1.5d-40 2017T 2017-08T 2017-08-21T 2017-08-21T04:05Z
2017-08-21T04:05-00:00 2017-08-21T04:05:06+07:30 2017-08-21T04:05:06.7890123Z "" "text" 'a symbol'
{{}} {{AAEC}} {{"clob"}} [] [1,[2,"x"]] () (a + (b)) {} {a:1,b:{c:[2]}} {a:1,a:2} a::1 b::c::"text"
note::{x:y::2017T} empty::[] gone::null.int
"""


def slices(cursor: Any) -> list[IonSlice]:
    """Give a cursor's rows in their bytes."""
    return list(cursor.iter_slices())


def check_value(ledger: Ledger, value: IonSlice) -> None:
    """Find a document by the value of an indexed field and of another; its value is the same."""
    run(ledger, "DELETE FROM Thing")
    run(ledger, "INSERT INTO Thing ?", {"k": value, "plain": value})
    transaction = ledger.start_transaction()
    (stored,) = slices(transaction.execute_statement("SELECT VALUE t.k FROM Thing AS t"))
    assert value == stored
    expected = [] if value.is_null else [value]
    for text in (
        "SELECT VALUE t.plain FROM Thing AS t WHERE t.k = ?",
        "SELECT VALUE t.k FROM Thing AS t WHERE t.plain = ?",
        "SELECT VALUE t.k FROM Thing AS t WHERE t.k IN (?)",
        "SELECT VALUE t.k FROM << 0 >> AS x JOIN Thing AS t ON t.k = ?",
        "SELECT VALUE c.data.k FROM _ql_committed_Thing AS c WHERE c.data.k = ?",
    ):
        assert expected == slices(transaction.execute_statement(text, value))
    nulls = transaction.execute_statement("SELECT VALUE t.k FROM Thing AS t WHERE t.k IS NULL")
    assert ([value] if value.is_null else []) == slices(nulls)
    transaction.commit()


def make_things() -> Ledger:
    """A ledger with a table whose field `k` is indexed."""
    ledger = memory()
    run(ledger, "CREATE TABLE Thing")
    run(ledger, "CREATE INDEX ON Thing (k)")
    return ledger


def test_every_type() -> None:
    """Each type, its null, and annotated values; NULL equals nothing, and IS NULL finds it."""
    with make_things() as ledger:
        for value in iter_text(EVERY_TYPE):
            check_value(ledger, value)
        check_journal(ledger)


@given(ion_values())
@settings(max_examples=60)
def test_any_value(value: Any) -> None:
    """Whatever the value, it is found by itself and comes back as it went in."""
    with make_things() as ledger:
        check_value(ledger, to_slice(value))
        check_journal(ledger)


@given(st.lists(ion_values(max_leaves=3), min_size=1, max_size=5), st.data())
@settings(max_examples=40)
def test_an_index_answers_as_a_scan_does(values: list[Any], data: Any) -> None:
    """Among documents with any values, an index finds exactly those that a scan finds."""
    sought = data.draw(st.sampled_from(values))
    with make_things() as ledger:
        things = [{"k": value, "plain": value, "n": n} for n, value in enumerate(values)]
        run(ledger, "INSERT INTO Thing ?", things)
        by_index = "SELECT VALUE t.n FROM Thing AS t WHERE t.k = ?"
        by_scan = "SELECT VALUE t.n FROM Thing AS t WHERE t.plain = ?"
        (indexed,), (scanned,) = (ledger.explain(text).sources for text in (by_index, by_scan))
        assert (Access.INDEX, Access.SCAN) == (indexed.access, scanned.access)
        assert sorted(run(ledger, by_index, sought)) == sorted(run(ledger, by_scan, sought))

"""Scenarios of what blocks say: deletes, tables, filters, documents that are hard to keep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from qldb_stream.events import Block
from qldb_stream.testing.kit._bench import Bench
from qldb_stream.testing.kit._compare import Needle
from qldb_stream.testing.kit._crashes import crash_each
from qldb_stream.testing.kit._journals import (
    MASKED_PATH,
    NEW_NAME,
    OLD_NAME,
    TORTURES,
    deletions,
    dropped_tables,
    filtered,
    markers_in,
    masked_and_withheld,
    renamed_tables,
    torture,
)
from qldb_stream.testing.kit._scenario import Needs, Scenario
from qldb_stream.testing.kit._told import check_told
from qldb_stream.testing.kit._worker import Worker, position_after
from qldb_stream.typing import ReadableSink

__all__ = ["SCENARIOS"]


def _every_way(bench: Bench, blocks: Sequence[Block], look_at: str) -> Any:
    """Deliver one by one, all at once, and with crashes: always the same; give the content."""
    clean = bench.run_clean(blocks)
    with bench.worker() as worker:
        worker.deliver(blocks, len(blocks))
        found = bench.content(worker, blocks)
        bench.check_equal(clean, found, "in one run", look_at)
        check_told(bench, worker, blocks)
    crash_each(bench, blocks, clean, "with a crash within each apply")
    return clean


def _deletes(bench: Bench) -> None:
    """Deliver deletes, then old runs again: what is deleted stays so."""
    blocks = deletions()
    clean = _every_way(bench, blocks, "what apply does on a delete")
    bench.check_there(markers_in(blocks), clean)
    with bench.worker() as worker:
        worker.deliver(blocks[:5])  # up to the delete
        before = bench.content(worker, blocks)
        late = position_after(blocks[3], worker.position(blocks[0].address.strand_id))
        worker.apply(blocks[1:4], late)
        bench.check_equal(
            before,
            bench.content(worker, blocks),
            "an update that comes again after the delete of its document",
            "Position.covers: an old run changes nothing",
        )
        worker.deliver(blocks)
        found = bench.content(worker, blocks)
        bench.check_equal(clean, found, "and what follows it", "what an old run left behind")


def _tables(bench: Bench) -> None:
    """Deliver tables that are dropped, undropped, dropped again and made anew."""
    clean = _every_way(bench, dropped_tables(), "tables are told apart by table_id, not by name")
    bench.check_there(markers_in(dropped_tables()[-2:]), clean)


def _renamed(bench: Bench) -> None:
    """Deliver a table under another name: documents and DDL are found there."""
    plain = bench.run_clean(renamed_tables())
    blocks = filtered(renamed_tables())
    clean = _every_way(bench, blocks, "names are revision.table.table_name and delivered_name()")
    bench.check_there(markers_in(blocks[-1:]), clean)
    if Needle(OLD_NAME).is_in(plain):
        bench.check(
            holds=Needle(NEW_NAME).is_in(clean),
            problem="a renamed table is not there under its new name",
            expected=NEW_NAME,
            found="no such name in what was read back",
            look_at="take a document's table from revision.table, not from transaction_info",
        )


def _masked(bench: Bench) -> str:
    """Deliver masked and withheld documents: what is withheld is not in the current state."""
    blocks = masked_and_withheld()
    clean = _every_way(bench, blocks, "revisions of kind WITHHELD: no data, and data_hash")
    with bench.worker() as worker:
        worker.deliver(blocks)
        _check_withheld(bench, worker, blocks)
        has_mask = Needle(MASKED_PATH).is_in(clean) or _file_says(worker)
    return "masks are shown" if has_mask else "masks are not shown where the kit can see it"


def _file_says(worker: Worker) -> bool:
    return Needle(MASKED_PATH).file_in(worker.place) is not None


def _check_withheld(bench: Bench, worker: Worker, blocks: Sequence[Block]) -> None:
    sink = worker.sink
    if not isinstance(sink, ReadableSink):
        return
    current = {r.document_id for r in sink.current(blocks[0].address.strand_id)}
    newest = {r.document_id: r for block in blocks for r in block.revisions}
    gone = {str(r.document_id) for r in newest.values() if r.is_withheld}
    bench.check(
        holds=not current & gone,
        problem="withheld documents are in the current state",
        expected="none of them",
        found=sorted(current & gone),
        look_at="what apply does on a revision of kind WITHHELD",
    )
    _check_masks_told(bench, sink, blocks)


def _check_masks_told(bench: Bench, sink: ReadableSink, blocks: Sequence[Block]) -> None:
    """Look whether readers learn what is masked: a repair must not write that in clear."""
    first, last = blocks[0].address, blocks[-1].address
    delivered = {
        (revision.metadata.id, revision.metadata.version): revision.masked
        for block in blocks
        for revision in block.revisions
        if revision.metadata is not None
    }
    for told, where in (
        (sink.history(first.strand_id, first.sequence_no, last.sequence_no), "history"),
        (sink.expect(blocks), "expect"),
    ):
        bench.check_equal(
            sorted(delivered.items()),
            sorted(((r.document_id, r.version), tuple(r.masked)) for r in told),
            f"{where}() does not tell which fields are masked",
            "StoredRevision.masked: keep Revision.masked beside the document",
        )


def _hard(bench: Bench, name: str) -> None:
    """Deliver a document that is hard to keep between plain ones of its table."""
    blocks = torture(name)
    clean = _every_way(bench, blocks, f"how a document with {name} is written and read")
    bench.check_there(markers_in([blocks[1], *blocks[3:5]]), clean)


def _hard_one(name: str) -> Callable[[Bench], None]:
    return partial(_hard, name=name)


SCENARIOS: Final = (
    Scenario("deletes and late updates", "what is deleted stays deleted", _deletes),
    Scenario("dropped and undropped tables", "a table is its id, not its name", _tables),
    Scenario("renamed tables", "tables are there by their new names", _renamed, Needs.FILTERED),
    Scenario("masked and withheld", "what is withheld is not there", _masked, Needs.FILTERED),
    *(
        Scenario(f"a document: {name}", "it is taken, and what surrounds it too", _hard_one(name))
        for name in TORTURES
    ),
)

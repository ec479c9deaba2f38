"""
What a `qldb_stream.typing.ReadableSink` tells of itself, held against the blocks and its own words.

`history` and `current` must tell of the revisions that were delivered, `expect` must say before
and after what `history` says then. Whoever compares a sink with its source (`qldb-stream
diff`) relies on that: a sink whose `expect` follows its tables instead of the blocks would agree
with whatever is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import attrs

from qldb_stream.events import Block, Revision, RevisionKind
from qldb_stream.report import StoredRevision
from qldb_stream.testing.kit._bench import Bench
from qldb_stream.testing.kit._worker import Worker
from qldb_stream.typing import ReadableSink

__all__ = ["check_told"]

_Key: TypeAlias = tuple[int, str, int]

_ALIVE: Final = frozenset({RevisionKind.INSERT, RevisionKind.UPDATE})


def check_told(bench: Bench, worker: Worker, blocks: Sequence[Block]) -> None:
    """
    Hold what a readable sink tells against the blocks that it has; nothing for other sinks.

    Args:
        bench: where.
        worker: whose sink has all of the blocks, and nothing else of their strand.
        blocks: in order.

    Raises:
        FindingError: it tells something else.
    """
    sink = worker.sink
    if not isinstance(sink, ReadableSink):
        return
    history = _check_history(bench, sink, blocks)
    _check_range(bench, sink, blocks, history)
    _check_current(bench, sink, blocks, history)
    _check_expected(bench, sink, blocks, history)


def _check_history(bench: Bench, sink: ReadableSink, blocks: Sequence[Block]) -> list[Any]:
    """Look for each revision in the history, which is in the order of blocks."""
    told = list(sink.history(_strand(blocks), blocks[0].address.sequence_no, _last(blocks)))
    bench.check_equal(
        sorted((r.address.sequence_no, str(r.document_id), r.hash) for r in _revisions(blocks)),
        sorted((r.sequence_no, r.document_id, r.hash) for r in told),
        "history() does not tell of the revisions that were delivered",
        "history, and how apply writes revisions",
    )
    numbers = [r.sequence_no for r in told]
    bench.check_equal(
        sorted(numbers),
        numbers,
        "history() is not in the order of blocks",
        "history: by block number, whatever the table",
    )
    return told


def _check_range(
    bench: Bench, sink: ReadableSink, blocks: Sequence[Block], history: Sequence[Any]
) -> None:
    """Ask for a part of the history, and for that of a strand that the sink has not."""
    first, last = blocks[len(blocks) // 3].address.sequence_no, blocks[-2].address.sequence_no
    bench.check_equal(
        _by_key(r for r in history if first <= r.sequence_no <= last),
        _by_key(sink.history(_strand(blocks), first, last)),
        f"history() of blocks {first} to {last} is no part of the whole history",
        "history: both ends are included, and nothing beyond",
    )
    other = "0" * 22
    told = [*sink.history(other, 0, _last(blocks)), *sink.current(other)]
    bench.check_equal([], told, "a strand that was not delivered has content", "strand_id")


def _check_current(
    bench: Bench, sink: ReadableSink, blocks: Sequence[Block], history: Sequence[Any]
) -> None:
    """Each current revision is the newest of its document; of dropped tables there may be none."""
    newest = {r.document_id: r for r in sorted(history, key=_key)}
    current = sorted(sink.current(_strand(blocks)), key=lambda r: r.document_id)
    bench.check_equal(
        [newest.get(r.document_id) for r in current],
        current,
        "current() tells another revision than the history's newest",
        "current, and how apply keeps the current state",
    )
    last = {str(r.document_id): r for r in _revisions(blocks)}
    alive = {document_id for document_id, r in last.items() if r.kind in _ALIVE}
    told = [r.document_id for r in current]
    may_lack = _drops_tables(blocks)
    bench.check_equal(
        sorted(alive.intersection(told) if may_lack else alive),
        told,
        "current() does not tell of the documents that are there",
        "current, and what apply does on a delete",
    )


def _check_expected(
    bench: Bench, sink: ReadableSink, blocks: Sequence[Block], history: Sequence[Any]
) -> None:
    """Compare what is expected of the blocks with what is there, then ask a sink without any."""
    redacted = _redacted(blocks)
    told = list(sink.expect(blocks))
    there = _by_key(history, redacted)
    bench.check_equal(
        there,
        _by_key(told, redacted),
        "expect() does not say what history() tells",
        "expect: what the history holds of these blocks when they are applied, all fields",
    )
    bench.check_equal(
        sorted(set(map(_key, told))),
        sorted(map(_key, told)),
        "expect() tells of one revision more than once",
        "expect: one StoredRevision for each revision",
    )
    at = [i for i, block in enumerate(blocks) if _revisions([block])][-1:]
    for part in ([], *([blocks[i]] for i in at)):
        numbers = {block.address.sequence_no for block in part}
        bench.check_equal(
            {key: r for key, r in there.items() if key[0] in numbers},
            _by_key(sink.expect(part), redacted),
            f"expect() of {len(part)} of the blocks says something else than of all",
            "expect: of the blocks that are given, not of what is there",
        )
    with bench.worker() as empty:
        assert isinstance(empty.sink, ReadableSink)
        bench.check_equal(
            {key: attrs.evolve(r, data=r.data is not None) for key, r in there.items()},
            {
                key: attrs.evolve(r, data=r.data is not None)
                for key, r in _by_key(empty.sink.expect(blocks), redacted).items()
            },
            "expect() of a sink that has nothing yet says something else",
            "expect: what follows from the blocks; it may not be read from what is there",
        )


def _by_key(told: Any, redacted: frozenset[_Key] = frozenset()) -> dict[_Key, StoredRevision]:
    """
    Order revisions by block, document and version.

    What blocks redact may be told with its data or without, as that is before or after; whether
    it is gone is another scenario's matter.
    """
    found: dict[_Key, StoredRevision] = {}
    for stored in sorted(told, key=_key):
        key = _key(stored)
        is_redacted = key in redacted
        kind = RevisionKind.REDACTED if is_redacted else stored.kind
        data = None if is_redacted else stored.data
        found[key] = attrs.evolve(stored, kind=kind, data=data)
    return found


def _key(stored: StoredRevision) -> _Key:
    return stored.sequence_no, stored.document_id, stored.version


def _redacted(blocks: Sequence[Block]) -> frozenset[_Key]:
    infos = [block.summary.redaction_info for block in blocks]
    asked = [each for info in infos if info is not None for each in info.revisions]
    return frozenset((r.block_address.sequence_no, r.document_id, r.version) for r in asked)


def _drops_tables(blocks: Sequence[Block]) -> bool:
    infos = [block.summary.transaction_info for block in blocks]
    texts = [each.statement for info in infos if info is not None for each in info.statements]
    return any(text.startswith("DROP TABLE") for text in texts)


def _revisions(blocks: Sequence[Block]) -> list[Revision]:
    """Give those of which more than a hash ever left QLDB."""
    return [r for block in blocks for r in block.revisions if r.metadata is not None]


def _strand(blocks: Sequence[Block]) -> str:
    return blocks[0].address.strand_id


def _last(blocks: Sequence[Block]) -> int:
    return blocks[-1].address.sequence_no

"""Many documents over several shards, each backwards: nothing waits longer than it must."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qldb_stream.events import Block
from qldb_stream.inbox import MemoryInbox
from qldb_stream.ledger import Ledger
from qldb_stream.report import Position
from qldb_stream.sinks.memory import MemorySink
from qldb_stream.typing import Item
from tests.pipeline.inboxes import make_pipeline

DOCUMENTS = 20
REVISIONS = 5
SHARDS = 4


class StampedSink(MemorySink):
    """A sink that notes after which batch each block came."""

    def __init__(self) -> None:
        super().__init__()
        self.batch = 0
        self.came_with: dict[int, int] = {}

    def apply(self, blocks: Sequence[Block], position: Position, token: int) -> Position:
        """Apply, and take note."""
        self.came_with |= {block.address.sequence_no: self.batch for block in blocks}
        return super().apply(blocks, position, token)


def journal(path: Any) -> list[Block]:
    """Twenty documents, each changed again and again in turn."""
    with Ledger.open(path) as ledger:
        driver = ledger.driver()
        driver.execute_lambda(lambda txn: list(txn.execute_statement("CREATE TABLE T")))
        parameters: list[Any]
        for revision in range(REVISIONS):
            for number in range(DOCUMENTS):
                text, parameters = "UPDATE T SET r = ? WHERE n = ?", [revision, number]
                if revision == 0:
                    text, parameters = "INSERT INTO T ?", [{"n": number}]

                def work(txn: Any, text: str = text, parameters: Any = parameters) -> list[Any]:
                    return list(txn.execute_statement(text, *parameters))

                driver.execute_lambda(work)
        return list(ledger.blocks())


def test_reversed_revisions_over_four_shards_are_delivered_in_order(tmp_path: Any) -> None:
    """Each block is applied with the very batch that brings the last thing it waits for."""
    blocks = journal(tmp_path / "source.ledger")
    shards: list[list[Item | Block]] = [[] for _ in range(SHARDS)]
    for block in blocks:
        shards[block.address.sequence_no % SHARDS].append(block)
    # All shards run backwards side by side, in windows of so many blocks.
    window = DOCUMENTS
    batches: list[list[Item | Block]] = []
    for first in range(0, max(map(len, shards)), window):
        for step in range(window):
            for shard in shards:
                part = shard[first : first + window][::-1]
                batches.append(part[step : step + 1])
    sink = StampedSink()
    pipeline = make_pipeline(sink, MemoryInbox())
    brought: dict[int, int] = {}
    for number, batch in enumerate(batches):
        sink.batch = number
        brought |= {item.address.sequence_no: number for item in batch if isinstance(item, Block)}
        pipeline.handle_batch(batch)
    assert [block.block_hash for block in blocks] == [block.block_hash for block in sink.blocks]
    must = {n: max(brought[k] for k in range(n + 1)) for n in brought}
    assert must == sink.came_with
    versions: dict[str, list[int]] = {}
    for block in sink.blocks:
        for revision in block.revisions:
            if revision.metadata is not None:
                versions.setdefault(revision.metadata.id, []).append(revision.metadata.version)
    of_documents = [found for found in versions.values() if len(found) == REVISIONS]
    assert DOCUMENTS == len(of_documents)
    assert all(list(range(REVISIONS)) == found for found in of_documents)

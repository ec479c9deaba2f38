"""An archive in five overlapping parts, replayed through every sink that there is."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from qldb_stream.inbox import MemoryInbox
from qldb_stream.ledger import Ledger
from qldb_stream.pipeline import Pipeline
from qldb_stream.plugins import load_plugins
from qldb_stream.sinks.memory import MemorySink
from qldb_stream.sources import open_source
from tests.archive.delivered.places import Place
from tests.archive.parts import BLOCKS, bare

PLACES = {
    "sqlite": "sqlite",
    "parquet": "parquet",
    "postgresql": "postgresql",
    "dynamodb": "dynamodb",
    "opensearch": "opensearch+http",
    "ion": "ion",
    "ion_in_s3": "ion",
    "jsonl": "jsonl",
    "jsonl_in_s3": "jsonl",
    "replayed": "ledger",
    "mirrored": "ledger",
    "qldb": "qldb",
    "kafka": "kafka",
    "events": "events",
    "webhook": "webhook+http",
    "webhook_over_tls": "webhook+https",
}
"""The scheme of each place; `memory` has a test of its own."""


@pytest.mark.parametrize("place", list(PLACES), indirect=True)
def test_every_block_arrives_once(place: Place, parts: Path, ledger: Ledger) -> None:
    """All of the ledger is there afterwards, and a second run finds nothing to do."""
    inbox = MemoryInbox()  # the positions of sinks that keep none
    for expected in ((BLOCKS, 0), (0, BLOCKS)):
        with closing(Pipeline(place.url, start=0, inbox=inbox)) as pipeline:
            report = pipeline.run(open_source(parts))
        assert expected == (report.applied, report.skipped)
        assert report.ok
    place.check(ledger)


def test_memory(parts: Path, ledger: Ledger) -> None:
    """The sink in memory has the very blocks."""
    sink = MemorySink()
    for _ in range(2):
        assert Pipeline(sink, start=0).run(open_source(parts)).ok
    assert list(map(bare, ledger.blocks())) == list(map(bare, sink.blocks))


def test_every_sink_is_tried() -> None:
    """No kind of sink is left out; OpenSearch over TLS is the same sink, its server speaks none."""
    tried = {*PLACES.values(), "memory", "opensearch+https"}
    ours = {
        scheme
        for scheme, owner in load_plugins().owners.items()
        if owner.startswith("qldb_stream.sinks.")
    }
    assert ours == tried

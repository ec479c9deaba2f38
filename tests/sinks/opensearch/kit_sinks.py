"""The sink that the kit is given, and how it is read back; its processes open it too."""

from __future__ import annotations

import os
from hashlib import sha256
from typing import Any

from qldb_stream.plugins import open_sink
from qldb_stream.sinks.opensearch._sink import OpenSearchSink
from qldb_stream.testing.kit import kit_place
from qldb_stream.typing import Sink

SERVER = "QLDB_STREAM_TEST_OPENSEARCH"
"""The environment variable that has the server's URL."""


def opensearch() -> Sink:
    """Open the sink whose indices are named after the place."""
    name = "kit-" + sha256(str(kit_place()).encode()).hexdigest()[:16]
    return open_sink(f"opensearch+{os.environ[SERVER]}/{name}")


def read_back(sink: OpenSearchSink) -> list[tuple[Any, Any]]:
    """Give what stands under each key: all revisions, and the current documents."""
    cluster, indices = sink._cluster, sink._indices  # noqa: SLF001 - as read
    strands = {
        source["qldb"]["strand_id"]
        for source in cluster.search(indices.history, [], ["qldb.sequence_no"])
        if "strand_id" in source["qldb"]
    }
    found: list[tuple[Any, Any]] = []
    for strand_id in sorted(strands):
        found += [
            (("history", r.document_id, r.version), r) for r in sink.history(strand_id, 0, 2**62)
        ]
        found += [(("current", r.document_id), r) for r in sink.current(strand_id)]
    masks = cluster.search(indices.history, [{"exists": {"field": "qldb.masked"}}], ["qldb.tx_id"])
    return found + [(("masked", s["qldb"]["document_id"]), s["qldb"]["masked"]) for s in masks]

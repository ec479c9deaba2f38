"""The sink that the kit is given, and how it is read back; its processes open it too."""

from __future__ import annotations

import os
from collections import deque
from hashlib import sha256
from pathlib import Path
from typing import Any

from opensearchpy import OpenSearch

from qldb_stream.plugins import open_sink
from qldb_stream.sinks.opensearch._sink import OpenSearchSink
from qldb_stream.testing.kit import kit_place
from qldb_stream.typing import Sink

_KEPT = 3
_PLACES: deque[Path] = deque()

SERVER = "QLDB_STREAM_TEST_OPENSEARCH"
"""The environment variable that has the server's URL."""


def opensearch() -> Sink:
    """Open the sink whose indices are named after the place; those of old places are removed."""
    place = kit_place()
    if place not in _PLACES:
        _PLACES.append(place)
    if len(_PLACES) > _KEPT:
        server = OpenSearch(hosts=[os.environ[SERVER]])
        server.indices.delete(index=f"{name_of(_PLACES.popleft())}-qldb-*")
        server.close()
    return open_sink(f"opensearch+{os.environ[SERVER]}/{name_of(place)}")


def name_of(place: Path) -> str:
    """Name what the indices of a place begin with."""
    return "kit-" + sha256(str(place).encode()).hexdigest()[:16]


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

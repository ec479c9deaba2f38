"""Every sink of ours passes the kit; a new one is a line here."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from qldb_stream.testing.kit import ReadBack, check_sink
from tests.sinks import kit_read_backs


@attrs.frozen
class OurSink:
    """A sink's URL, how it is read back, what it declares, and how its badge ends."""

    url: str
    read_back: ReadBack | None
    erase: str
    declares: dict[str, Any] = attrs.field(factory=dict)


KEEPS = "does not erase, and claims nothing"

SINKS = {
    "memory": OurSink("memory:", kit_read_backs.memory, KEEPS, {"durable": False}),
    "jsonl": OurSink("jsonl:{tmp}/archive.jsonl", kit_read_backs.jsonl, "erases"),
    "ion": OurSink("ion:{tmp}/archive.ion", kit_read_backs.ion, "erases"),
    "parquet": OurSink("parquet:{tmp}/lake", None, "erases"),
    "mirror": OurSink("ledger:{tmp}/x?mode=mirror", kit_read_backs.mirror, "erases"),
    "ledger": OurSink("ledger:{tmp}/x.ledger", kit_read_backs.replayed, "erases"),
}


@pytest.mark.parametrize("name", SINKS)
def test_it_passes_the_kit(name: str) -> None:
    """Whatever happens to it, its content is that of one clean run."""
    sink = SINKS[name]
    report = check_sink(sink.url, sink.read_back, kills=3, **sink.declares)
    assert ("exactly once", "in order", sink.erase) == (
        report.badge.guarantee,
        report.badge.order,
        report.badge.erase,
    )

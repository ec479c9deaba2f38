from __future__ import annotations

import io
import json

from qldb_stream.aws._meter import Meter
from qldb_stream.pipeline import SystemClock
from qldb_stream.report import DeliveryReport, StrandDelivery, StrandState


def test_what_does_not_flow_is_told_within_bounds() -> None:
    """Strands that do not flow, sinks that are away and refusals are told, cut to a line's size."""
    stream = io.StringIO()
    strands = tuple(
        StrandDelivery("s", f"strand-{n}", StrandState.STOPPED, waits_for=n, detail="x" * 10_000)
        for n in range(50)
    )
    report = DeliveryReport(strands, {"postgresql://db": "y" * 10_000})
    Meter(SystemClock(), stream).tell(report, {"Records": 3}, "z" * 10_000)
    (line,) = map(json.loads, stream.getvalue().splitlines())

    assert (50, 1, 3) == (line["StrandsStopped"], line["StrandsFailed"], line["Records"])
    assert "LagSeconds" not in line
    assert 20 == len(line["strands"])
    assert ["x" * 500, "y" * 500, "z" * 500] == [
        line["strands"][0]["detail"],
        line["sinks_failed"]["postgresql://db"],
        line["refusal"],
    ]

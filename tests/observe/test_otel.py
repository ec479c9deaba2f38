"""Metrics and spans, by the real SDK."""

from __future__ import annotations

import subprocess
import sys

import pytest

from qldb_stream.errors import UsageError
from qldb_stream.inbox import MemoryInbox, SqliteInbox
from qldb_stream.observe import TelemetryObserver, find_telemetry, log_observer, observe_inbox
from qldb_stream.plugins import load_observers
from qldb_stream.report import InboxFull, StrandState
from tests.observe.telemetry import MASKED, SECRET, Telemetry, deliver, make_story
from tests.pipeline.inboxes import NOW_S

STRAND = make_story()[0].address.strand_id


def test_metrics_of_a_delivery() -> None:
    """Counts, position and lag are those of the delivery; attributes are sink and strand."""
    telemetry = Telemetry()
    deliver(telemetry.observer())
    values, points = telemetry.values(), telemetry.metrics()
    committed_s = make_story()[-1].summary.block_timestamp.timestamp()
    assert {
        "qldb_stream.blocks.delivered": 11,
        "qldb_stream.revisions.delivered": 10,
        "qldb_stream.blocks.parked": 1,
        "qldb_stream.verified_through": 11,
        "qldb_stream.delivery.lag": pytest.approx(NOW_S - committed_s),
    } == values
    assert {(("qldb_stream.sink", MASKED), ("qldb_stream.strand_id", STRAND))} == {
        tuple(sorted(point.attributes.items())) for found in points.values() for point in found
    }
    (duration,) = points["qldb_stream.batch.duration"]
    assert duration.count == len(telemetry.spans())


def test_a_gap_is_counted() -> None:
    """One hole is one, and the position stays before it."""
    telemetry = Telemetry()
    deliver(telemetry.observer(), without=3)
    values = telemetry.values()
    assert (1, 2) == (values["qldb_stream.gaps.found"], values["qldb_stream.verified_through"])


def test_a_full_inbox_is_counted() -> None:
    """Once for each time that it is told, by sink, with an event in the current span."""
    telemetry = Telemetry()
    observer = telemetry.observer()
    with telemetry.tracers.get_tracer("test").start_as_current_span("invocation"):
        observer.qldb_stream_inbox_full(InboxFull("copy", StrandState.STOPPED, 10.0, 10.0))
        observer.qldb_stream_inbox_full(InboxFull("copy", None, 10.0, 70.0))
    assert 2 == telemetry.values()["qldb_stream.inbox.full"]
    (span,) = telemetry.spans()
    assert [("stopped", 0.0), ("", 60.0)] == [
        (event.attributes["qldb_stream.state"], event.attributes["qldb_stream.waited_s"])
        for event in span.events
    ]


def test_spans_of_runs() -> None:
    """Each run has a span below the current one, which gets what was parked as an event."""
    telemetry = Telemetry()
    tracer = telemetry.tracers.get_tracer("test")
    with tracer.start_as_current_span("invocation") as outer:
        deliver(telemetry.observer())
    *runs, last = telemetry.spans()
    assert "invocation" == last.name
    assert {"qldb_stream.apply"} == {span.name for span in runs}
    assert {outer.get_span_context().span_id} == {span.parent.span_id for span in runs}
    assert 11 == sum(span.attributes["qldb_stream.blocks"] for span in runs)
    assert 11 == runs[-1].attributes["qldb_stream.sequence_no"]
    assert int(NOW_S * 1e9) == runs[0].start_time <= runs[0].end_time
    (event,) = last.events
    assert ("qldb_stream.block_parked", 5, "refused") == (
        event.name,
        event.attributes["qldb_stream.sequence_no"],
        event.attributes["qldb_stream.reason"],
    )


def test_no_contents_and_no_passwords() -> None:
    """Neither documents nor what a sink says of them nor passwords are in metrics or spans."""
    telemetry, inbox = Telemetry(), MemoryInbox()
    observe_inbox(inbox, telemetry.meters)
    with telemetry.tracers.get_tracer("test").start_as_current_span("invocation"):
        deliver(telemetry.observer(), without=9, inbox=inbox)
    told = telemetry.text()
    assert "qldb_stream.gap_found" in told
    assert "qldb_stream.inbox.behind" in told
    assert [] == [s for s in (SECRET, "s3cret", "t0ken", "bad value") if s in told]


def test_gauges_of_an_inbox_are_its_status() -> None:
    """What `status --json` says and what is collected are the same numbers."""
    telemetry, inbox = Telemetry(), MemoryInbox()
    observe_inbox(inbox, telemetry.meters, now_s=lambda: NOW_S + 60)
    deliver(inbox=inbox, without=9)
    status = inbox.status().as_json(NOW_S + 60)
    (wait,), (position,), (parked,) = status["waits"], status["positions"], status["parked"]
    (strand,) = status["strands"]
    assert {
        "qldb_stream.inbox.behind": wait["behind"],
        "qldb_stream.inbox.lag": wait["lag_s"],
        "qldb_stream.inbox.gap": int(wait["state"] in {"missing", "incomplete"}),
        "qldb_stream.inbox.verified_through": position["sequenceNo"],
        "qldb_stream.inbox.parked": parked["blocks"],
        "qldb_stream.inbox.records": strand["records"],
        "qldb_stream.inbox.quarantined": status["quarantined"],
    } == telemetry.values()
    assert (3, 60, 8, 1) == (
        wait["behind"],
        wait["lag_s"],
        position["sequenceNo"],
        parked["blocks"],
    )


def test_a_closed_inbox_is_left_out() -> None:
    """A last collection after `close` has nothing of it, and fails not."""
    telemetry, inbox = Telemetry(), SqliteInbox(":memory:")
    observe_inbox(inbox, telemetry.meters)
    assert 0 == telemetry.values()["qldb_stream.inbox.quarantined"]
    inbox.close()
    assert {} == telemetry.values()


def test_the_process_providers_are_told_once() -> None:
    """Where OpenTelemetry is loaded an observer comes by itself, unless one was given."""
    assert isinstance(find_telemetry(), TelemetryObserver)
    assert isinstance(find_telemetry([log_observer()]), TelemetryObserver)
    assert find_telemetry([Telemetry().observer()]) is None
    assert load_observers()


def test_an_api_without_gauges_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """An old OpenTelemetry of the application's is no reason to fail."""
    monkeypatch.delattr("opentelemetry.metrics.Meter.create_gauge")
    assert find_telemetry() is None


def test_without_the_extra_nothing_is_loaded() -> None:
    """A pipeline imports no OpenTelemetry and tells nobody."""
    code = (
        "import sys; from qldb_stream.plugins import load_observers;"
        "from qldb_stream import Pipeline;"
        "from qldb_stream.sinks.memory import MemorySink; Pipeline(MemorySink());"
        "print(bool(load_observers()), [m for m in sys.modules if 'opentelemetry' in m])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "False []\n" == done.stdout


def test_asked_for_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks for it is told what to install."""
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(UsageError, match=r"pip install 'qldb-stream\[otel\]'"):
        TelemetryObserver()

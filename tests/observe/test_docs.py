"""docs/observe.md, the hooks and what is told say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from qldb_stream import hookspecs
from qldb_stream.inbox import MemoryInbox
from qldb_stream.observe import LogObserver, TelemetryObserver, observe_inbox
from qldb_stream.report import InboxFull
from tests.observe.telemetry import Telemetry, deliver

REPOSITORY = Path(__file__).resolve().parents[2]
TEXT = (REPOSITORY / "docs" / "observe.md").read_text(encoding="utf-8")
HOOKS = [
    name
    for name in hookspecs.__all__
    if name.startswith("qldb_stream_") and name != "qldb_stream_register_sinks"
]


@pytest.mark.parametrize("hook", HOOKS)
def test_each_hook_is_documented_and_tested(hook: str) -> None:
    """Each is in docs/, has both of our observers, and a test of the pipeline hears it."""
    delivery = (REPOSITORY / "docs" / "delivery.md").read_text(encoding="utf-8")
    witness = (REPOSITORY / "tests" / "pipeline" / "inboxes.py").read_text(encoding="utf-8")
    assert [] == [where for where in (TEXT, delivery, witness) if hook not in where]
    assert [] == [kind for kind in (LogObserver, TelemetryObserver) if not hasattr(kind, hook)]


def test_there_are_hooks() -> None:
    """The four of the issue, and one for a full inbox."""
    assert 5 == len(HOOKS)


def test_metrics_are_listed() -> None:
    """The tables have every metric that is told, and no other."""
    telemetry, inbox = Telemetry(), MemoryInbox()
    observe_inbox(inbox, telemetry.meters)
    observer = telemetry.observer()
    deliver(observer, without=9, inbox=inbox)
    observer.qldb_stream_inbox_full(InboxFull("copy", None, 0.0, 0.0))
    listed = re.findall(r"^\| `(qldb_stream\.[a-z_.]+)` \|", TEXT, re.MULTILINE)
    assert set(telemetry.metrics()) == set(listed)


def test_attributes_of_spans_are_listed() -> None:
    """Each attribute and event is named."""
    telemetry = Telemetry()
    with telemetry.tracers.get_tracer("test").start_as_current_span("invocation"):
        observer = telemetry.observer()
        deliver(observer, without=9)
        observer.qldb_stream_inbox_full(InboxFull("copy", None, 0.0, 0.0))
    spans = telemetry.spans()
    events = [event for span in spans for event in span.events]
    told = {name for each in (*spans, *events) for name in each.attributes}
    assert [] == [name for name in told | {e.name for e in events} if f"`{name}`" not in TEXT]


def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """Fifty blocks are delivered, and the last line names the last one."""
    (example,) = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    exec(compile(example, "docs/observe.md", "exec"), {})  # noqa: S102 - our own text
    assert "batch_done 49\n" == capsys.readouterr().out

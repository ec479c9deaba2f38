"""Observers that write lines."""

from __future__ import annotations

import base64
import io
import json
import logging
from typing import Any

import pytest

from qldb_stream.errors import UsageError
from qldb_stream.observe import JsonFormatter, LogObserver, TextFormatter, log_observer
from qldb_stream.report import InboxFull, StrandState
from tests.observe.telemetry import MASKED, SECRET, deliver, make_story


def lines_of(level: str, *, without: int | None = None) -> list[dict[str, Any]]:
    """Deliver the story and read the log."""
    stream = io.StringIO()
    deliver(log_observer("json", level, stream), without=without)
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_lines_have_events_and_fields() -> None:
    """Each block but the parked one has a line, each run too; the last names the position."""
    lines = lines_of("debug")
    delivered = [line["sequence_no"] for line in lines if line["event"] == "block_delivered"]
    runs = [line for line in lines if line["event"] == "batch_done"]
    last = make_story()[-1]
    assert [n for n in range(12) if n != 5] == delivered
    assert 11 == sum(line["blocks"] for line in runs)
    assert (11, 1, base64.b64encode(last.block_hash).decode()) == (
        runs[-1]["sequence_no"],
        runs[-1]["parked"],
        runs[-1]["block_hash"],
    )
    assert {(MASKED, last.address.strand_id)} == {(x["sink"], x["strand_id"]) for x in lines}
    assert all(line["lag_s"] > 0 for line in lines if line["event"] == "block_delivered")
    assert all(line["duration_s"] >= 0 for line in runs)


def test_levels_choose_events() -> None:
    """Runs are told from info on; at warning only what went wrong is."""
    assert {"batch_done", "block_parked"} == {line["event"] for line in lines_of("info")}
    (line,) = lines_of("warning")
    assert ("block_parked", 5, "refused", None) == (
        line["event"],
        line["sequence_no"],
        line["reason"],
        line["because_of"],
    )


def test_a_gap_is_told() -> None:
    """The first missing block is named, once."""
    gaps = [line for line in lines_of("warning", without=3) if line["event"] == "gap_found"]
    assert [3] == [line["sequence_no"] for line in gaps]


def test_a_full_inbox_is_told() -> None:
    """The sink is named without its password, how it stands, and for how long that lasts."""
    stream = io.StringIO()
    observer = log_observer("json", "warning", stream)
    url = "postgresql://u:s3cret@host/db"
    for state in (StrandState.FAILED, None):
        observer.qldb_stream_inbox_full(InboxFull(url, state, 10.0, 70.0))
    first, second = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert ("inbox_full", "failed", 60.0, None) == (
        first["event"],
        first["state"],
        first["waited_s"],
        first["strand_id"],
    )
    assert second["state"] is None
    assert "s3cret" not in stream.getvalue()


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_no_contents_and_no_passwords(log_format: str) -> None:
    """Neither documents nor what a sink says of them nor passwords are in any line."""
    stream = io.StringIO()
    deliver(log_observer(log_format, "debug", stream))
    assert "block_parked" in stream.getvalue()
    assert [] == [s for s in (SECRET, "s3cret", "t0ken", "bad value") if s in stream.getvalue()]


def test_text_has_one_line_for_an_event() -> None:
    """Time, level and event come first, then fields as name=value, with texts quoted."""
    stream = io.StringIO()
    deliver(log_observer("text", "warning", stream))
    (line,) = stream.getvalue().splitlines()
    _, level, event, sink, *_ = line.split(" ")
    assert ("WARNING", "block_parked", f'sink="{MASKED}"') == (level, event, sink)


def test_other_loggers_hear_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """The observer's logger is its own, so a host's handlers tell nothing twice."""
    caplog.set_level(logging.DEBUG)
    deliver(log_observer("json", "debug", io.StringIO()))
    assert [] == [r.name for r in caplog.records if r.name.startswith("qldb_stream")]


def test_a_logger_of_ones_own(caplog: pytest.LogCaptureFixture) -> None:
    """`LogObserver` writes where it is told; its formatters take the records of others too."""
    caplog.set_level(logging.INFO)
    deliver(LogObserver(logging.getLogger("mine")))
    assert {"batch_done", "block_parked"} == {r.message for r in caplog.records if r.name == "mine"}
    caplog.clear()
    try:
        raise ValueError(SECRET)  # what an exception quotes
    except ValueError:
        logging.getLogger("theirs").exception("a\nb")
    (record,) = caplog.records
    entry = json.loads(JsonFormatter().format(record))
    assert ("log", "theirs", "a\nb", "ValueError") == tuple(
        entry[name] for name in ("event", "logger", "message", "exception")
    )
    assert r'message="a\nb" exception="ValueError"' in TextFormatter().format(record)


def test_unknown_formats_and_levels() -> None:
    """They are refused by name, and what there is, is listed."""
    with pytest.raises(UsageError, match="format 'xml': it is json or text"):
        log_observer("xml")
    with pytest.raises(UsageError, match="level 'loud': it is debug or info or warning"):
        log_observer("json", "loud")

"""docs/lambda.md and the code say the same."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from qldb_stream.aws import replay
from qldb_stream.aws._settings import _READERS, PREFIX
from qldb_stream.testing import make_journal
from tests.aws.events import Context, kinesis_event, metric_lines

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "lambda.md").read_text(encoding="utf-8")


def test_every_variable_is_listed() -> None:
    """The table has each variable, and no other."""
    rows = re.findall(r"^\| (`QLDB_STREAM_.*?) \|", TEXT, re.MULTILINE)
    listed = {name for row in rows for name in re.findall(r"`(\w+)`", row)}

    assert {PREFIX + name for name in _READERS} == listed


def test_every_metric_is_listed(deploy: Callable[..., None]) -> None:
    """The table has each metric that the functions write."""
    deploy(SINK="memory:")
    with metric_lines() as lines:
        replay.handler(kinesis_event(make_journal(1, blocks=3).iter_records()), Context())
        replay.drain(None, Context())
    told = {m["Name"] for line in lines for m in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]}

    assert [] == [name for name in told if f"`{name}`" not in TEXT]


def test_the_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deploy: Callable[..., None]
) -> None:
    """The example is a handler, and its drain another."""
    deploy()
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    names: dict[str, object] = {"__name__": "mine"}
    exec(compile(example, "docs/lambda.md", "exec"), names)  # noqa: S102 - our own text
    handler, drain = names["on_block"], names["drain"]

    assert callable(handler)
    assert callable(drain)
    event = kinesis_event(make_journal(1, blocks=3).iter_records())
    assert {"batchItemFailures": []} == handler(event, Context())
    assert drain({}, Context())["ok"]

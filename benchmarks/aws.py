"""Functions for Lambda: what importing one costs, and what it adds to the pipeline."""

from __future__ import annotations

import base64
import contextlib
import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks._timing import Row, ceiling_row
from qldb_stream import Pipeline, parse_kinesis_event
from qldb_stream.aws import replay, stream_handler
from qldb_stream.aws._deployment import forget_deployment
from qldb_stream.events import Block, Undecodable
from qldb_stream.inbox import open_inbox
from qldb_stream.testing import make_journal
from qldb_stream.typing import Item

BLOCKS = 400
BATCH = 100
ROUNDS = 5
TIMES = 7
CEILING = 1.3
IMPORT = "import boto3, qldb_stream.aws.replay"


class Context:
    """Lambda's context with a minute left."""

    def get_remaining_time_in_millis(self) -> int:
        """So many."""
        return 60_000


def run() -> list[Row]:
    """Measure, and give the table's rows."""
    records = list(make_journal(7, blocks=BLOCKS).iter_records())
    events = [_event(records[n : n + BATCH], n) for n in range(0, len(records), BATCH)]
    best = {"pipeline": float("inf"), "handler": float("inf"), "decorator": float("inf")}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(ROUNDS):
            for name, work in (("pipeline", _direct), ("handler", _handler), ("decorator", _alone)):
                best[name] = min(best[name], work(events, Path(folder, f"{name}-{number}")))
    us = {name: seconds / len(records) * 1e6 for name, seconds in best.items()}
    ratio = us["handler"] / us["pipeline"]
    value = f"{ratio:.2f}x  ({us['handler']:.0f} us against {us['pipeline']:.0f} us a record)"
    return [
        Row("replay.handler over Pipeline.handle_batch", value, f"< {CEILING}x", ratio < CEILING),
        Row("stream_handler, no inbox", f"{us['decorator']:.0f} us a record"),
        *_imports(),
    ]


def _imports() -> Iterator[Row]:
    """Import in new processes, with compiled modules as in the zip."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": cache}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        bare = _best_ms("pass", environment)
        yield ceiling_row(
            "import replay and boto3, CPU", _best_ms(IMPORT, environment) - bare, "ms", 350
        )
        boto3_ms = _best_ms("import boto3", environment) - bare
        yield Row("  of that boto3", f"{boto3_ms:.0f} ms")


def _best_ms(code: str, environment: dict[str, str]) -> float:
    """Give a new process's own CPU time: what it takes where nothing else is done."""
    best = float("inf")
    for _ in range(TIMES + 1):  # the first one compiles
        with subprocess.Popen([sys.executable, "-c", code], env=environment) as process:
            _pid, status, usage = os.wait4(process.pid, 0)
            process.returncode = status
        assert not status
        best = min(best, usage.ru_utime + usage.ru_stime)
    return best * 1000


def _event(records: list[bytes], first: int) -> dict[str, Any]:
    return {
        "Records": [
            {
                "eventID": f"shardId-000000000000:{n}",
                "kinesis": {"sequenceNumber": str(n), "data": base64.b64encode(data).decode()},
            }
            for n, data in enumerate(records, first)
        ]
    }


def _direct(events: list[dict[str, Any]], path: Path) -> float:
    """Do by hand what the handler does, without settings, answer and metrics."""
    inbox = open_inbox(f"{path}.inbox")
    pipeline = Pipeline("memory:", inbox=inbox, start=0)
    started = time.process_time()
    for event in events:
        items: list[Item] = []
        unread: list[Undecodable] = []
        items.extend(parse_kinesis_event(event, on_error=unread.append))
        result = pipeline.handle_batch([*items, *unread])
        assert not result.failed
    seconds = time.process_time() - started
    pipeline.close()
    inbox.close()
    return seconds


def _handler(events: list[dict[str, Any]], path: Path) -> float:
    os.environ["QLDB_STREAM_SINK"] = "memory:"
    os.environ["QLDB_STREAM_INBOX"] = f"{path}.inbox"
    os.environ["QLDB_STREAM_START"] = "0"
    written = io.StringIO()
    with contextlib.redirect_stdout(written), contextlib.redirect_stderr(written):
        started = time.process_time()
        for event in events:
            assert replay.handler(event, Context()) == {"batchItemFailures": []}
        seconds = time.process_time() - started
    forget_deployment()
    return seconds


def _alone(events: list[dict[str, Any]], _path: Path) -> float:
    seen = 0

    @stream_handler
    def count(block: Block) -> None:
        nonlocal seen
        seen += bool(block)

    whole = {"Records": [record for event in events for record in event["Records"]]}
    for name in [name for name in os.environ if name.startswith("QLDB_STREAM_")]:
        del os.environ[name]
    started = time.process_time()
    count(whole, Context())
    seconds = time.process_time() - started
    assert seen == BLOCKS
    return seconds

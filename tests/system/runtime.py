"""
What Lambda's runtime does for a function, in a process of its own: `python -I -S runtime.py ...`.

Only the unpacked zip and the folder that the runtime brings (boto3) are on the path besides the
standard library. Events come as JSON lines on one descriptor, answers go out on another, so that
what the function prints is nobody's answer. With CALLS_FD, each request to AWS that the function
makes goes there as a JSON line: what it calls, and on what.

Usage: runtime.py TASK_FOLDER RUNTIME_FOLDER MODULE.FUNCTION TIMEOUTS READ_FD WRITE_FD [CALLS_FD]

TIMEOUTS says how long each call may take, in milliseconds with commas; the last one is for all
others.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any


class Context:
    """As much of Lambda's context object as a function may ask for."""

    def __init__(self, number: int, timeout_ms: int) -> None:
        self.aws_request_id = f"request-{number}"
        self.function_name = "function"
        self.memory_limit_in_mb = "512"
        self._ends = time.monotonic() + timeout_ms / 1000

    def get_remaining_time_in_millis(self) -> int:
        """Say how long the function may still run."""
        return int((self._ends - time.monotonic()) * 1000)


# What tells a resource in a request; contents are nobody's business.
RESOURCES = ("TableName", "Bucket", "Key", "Prefix", "VersionId", "SecretId", "StreamName")


def main(
    task: str,
    runtime: str,
    name: str,
    timeouts: str,
    read_fd: int,
    write_fd: int,
    calls_fd: int | None = None,
) -> None:
    """Load the function, and answer one event after the other."""
    sys.path[:0] = [task, runtime]
    if calls_fd is not None:
        _record_calls(calls_fd)
    with os.fdopen(read_fd) as events, os.fdopen(write_fd, "w") as answers:
        try:
            module, _, function = name.rpartition(".")
            handler = getattr(importlib.import_module(module), function)
        except BaseException as exc:
            _answer(answers, {"init": f"{type(exc).__name__}: {exc}"})
            raise
        _answer(answers, {"init": None})
        last_first = [int(text) for text in reversed(timeouts.split(","))]
        for number, line in enumerate(events):
            timeout_ms = last_first.pop() if len(last_first) > 1 else last_first[0]
            _answer(answers, _call(handler, json.loads(line), Context(number, timeout_ms)))


def _record_calls(calls_fd: int) -> None:
    """Let every client that is made from now on tell of each request before it is sent."""
    import boto3

    def tell(params: dict[str, Any], model: Any, **_: Any) -> None:
        call = {
            "service": model.service_model.service_name,
            "operation": model.name,
            "on": {key: params[key] for key in RESOURCES if key in params},
        }
        if "TransactItems" in params:
            parts = [part for item in params["TransactItems"] for part in item.items()]
            call["parts"] = [[kind, part["TableName"]] for kind, part in parts]
        if "RequestItems" in params:
            call["parts"] = [[model.name, table] for table in params["RequestItems"]]
        os.write(calls_fd, json.dumps(call).encode() + b"\n")  # one write: nothing is torn

    boto3.setup_default_session()
    boto3.DEFAULT_SESSION.events.register("before-parameter-build", tell)


def _call(handler: Callable[[Any, Context], Any], event: Any, context: Context) -> dict[str, Any]:
    try:
        return {"value": json.loads(json.dumps(handler(event, context)))}
    except Exception as exc:  # noqa: BLE001 - what a runtime does: it reports and lives on
        return {"error": f"{type(exc).__name__}: {exc}"}


def _answer(answers: Any, value: dict[str, Any]) -> None:
    answers.write(json.dumps(value) + "\n")
    answers.flush()


if __name__ == "__main__":
    main(*sys.argv[1:5], *map(int, sys.argv[5:]))  # type: ignore[arg-type]  # texts, then numbers

"""
What Lambda's event source mapping does for a Kinesis stream.

As its documentation says (Using Lambda with Kinesis): one poller a shard, batches in order, a
batch whose call fails halved and tried again (BisectBatchOnFunctionError), a partial-batch
response taken up at its lowest sequence number (ReportBatchItemFailures), parents before
children, no record left behind before it succeeds.
"""

from __future__ import annotations

import threading
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

from tests.system.functions import Function, FunctionError
from tests.system.shards import ShardReader, iter_shards

RETRY_S: Final = 0.05
IDLE_S: Final = 0.02


class EventSourceMapping:
    """
    Calls a function with the records of a stream.

    Args:
        client: boto3's, of Kinesis.
        stream: its name.
        function: what is called.
        batch: the most records of a batch.
        twice: every batch that succeeded is delivered once more.

    Attributes:
        function: what is called.
        delivered: how many records the function has taken.
        failures: of each call that failed, the error.
        retried: how many batches had to come again, whole or in part.
    """

    def __init__(
        self, client: Any, stream: str, function: Function, *, batch: int = 20, twice: bool = False
    ) -> None:
        self._client = client
        self._stream = stream
        self.function = function
        self._batch = batch
        self._twice = twice
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._done: set[str] = set()
        self._started: dict[str, ShardReader] = {}
        self.delivered = 0
        self.failures: list[str] = []
        self.retried = 0

    def run(self, is_over: Callable[[], bool], *, at_most_s: float = 120.0) -> None:
        """
        Poll every shard until it is over.

        Raises:
            TimeoutError: it is not over in time.
        """
        ends = time.monotonic() + at_most_s
        with ThreadPoolExecutor(max_workers=16) as pool:
            try:
                tasks: list[Future[None]] = []
                while not is_over():
                    for task in tasks:
                        if task.done():
                            task.result()
                    tasks += [pool.submit(self._poll, reader) for reader in self._new_shards()]
                    if time.monotonic() > ends:
                        raise TimeoutError(
                            f"not over after {at_most_s:.0f} s: {self.failures[-3:]}"
                        )
                    time.sleep(IDLE_S)
            finally:
                self._stop.set()

    def _new_shards(self) -> list[ShardReader]:
        """Give the shards that can begin: all of whose parents have ended."""
        found = []
        known = list(iter_shards(self._client, self._stream))
        names = {name for name, _ in known}
        for name, parents in known:
            with self._lock:
                waits = set(parents) & names - self._done
                if name not in self._started and not waits:
                    self._started[name] = ShardReader(self._client, self._stream, name)
                    found.append(self._started[name])
        return found

    def _poll(self, reader: ShardReader) -> None:
        while not self._stop.is_set():
            records = reader.read(self._batch)
            if records:
                self._deliver(reader.shard_id, records)
            elif reader.is_at_end:
                with self._lock:
                    self._done.add(reader.shard_id)
                return
            else:
                self._stop.wait(IDLE_S)

    def _deliver(self, shard_id: str, records: Sequence[dict[str, Any]]) -> None:
        """Deliver a batch, as often as it needs, halved where the function fails."""
        waiting = [list(records)]
        while waiting and not self._stop.is_set():
            batch = waiting.pop(0)
            left = self._try(shard_id, batch)
            if left is None:
                waiting[:0] = _halves(batch)
            elif left:
                waiting.insert(0, left)
            if left is None or left:
                self.retried += 1
                self._stop.wait(RETRY_S)

    def _try(self, shard_id: str, batch: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
        """Deliver a batch once; give what is to be tried again, or None when the call failed."""
        event = {"Records": [_event_record(shard_id, record) for record in batch]}
        try:
            answer = self.function.invoke(event)
            left = _left(batch, answer)
            if not left and self._twice:
                left = _left(batch, self.function.invoke(event))
        except FunctionError as exc:
            self.failures.append(str(exc))
            return None
        with self._lock:
            self.delivered += len(batch) - len(left)
        return left


def _halves(batch: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    middle = len(batch) // 2
    return [half for half in (batch[:middle], batch[middle:]) if half]


def _left(batch: list[dict[str, Any]], answer: Any) -> list[dict[str, Any]]:
    """Give what a partial-batch response asks to have again: all from its lowest number on."""
    failed = {each["itemIdentifier"] for each in (answer or {}).get("batchItemFailures", ())}
    if not failed:
        return []
    numbers = [record["SequenceNumber"] for record in batch]
    if not failed <= set(numbers):
        raise FunctionError("a sequence number that is not of this batch: all of it failed")
    return batch[min(numbers.index(number) for number in failed) :]


def _event_record(shard_id: str, record: dict[str, Any]) -> dict[str, Any]:
    number = record["SequenceNumber"]
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": record["PartitionKey"],
            "sequenceNumber": number,
            "data": b64encode(record["Data"]).decode(),
            "approximateArrivalTimestamp": record["ApproximateArrivalTimestamp"].timestamp(),
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{shard_id}:{number}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::123456789012:role/replay",
        "awsRegion": "eu-west-1",
        "eventSourceARN": "arn:aws:kinesis:eu-west-1:123456789012:stream/journal",
    }

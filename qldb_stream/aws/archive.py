"""
The function that takes journals out of S3: objects as Firehose makes them, or a whole prefix.

An object is written into a local file and read as `qldb_stream.sources` reads any file: what it
holds is told by its bytes. Its items go into the inbox, from where they are delivered; an object is
done when the inbox has all of it. Nothing depends on the order in which objects come.

A run over a prefix stops in good order before the function's time is over, and says where to go
on: a state machine hands the answer in again until it is done.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

import attrs

from qldb_stream.aws._context import deadline_of
from qldb_stream.aws._deployment import Deployment, deployment
from qldb_stream.aws._object_events import (
    Message,
    PrefixRun,
    read_messages,
    read_objects,
    read_prefix_run,
)
from qldb_stream.clients.s3_objects import (
    BucketReader,
    MissingObjectError,
    StoredObject,
    is_passed_over,
)
from qldb_stream.errors import EmptyPrefixError, QldbStreamError, UndeliveredError
from qldb_stream.report import BatchResult, DeliveryReport, StrandDelivery, StrandState
from qldb_stream.sources import open_source
from qldb_stream.typing import Item

__all__ = ["handler"]

# Lambda's /tmp has 512 MB at least and 10 GB at most; an object of Firehose has 128 MB.
MAX_OBJECT_BYTES: Final = 8 << 30
_BATCH_ITEMS: Final = 1000
# A state machine's state has 256 KB at most, whose input is the answer before.
_MOST_STRANDS: Final = 20
_MOST_LISTED: Final = 100
_MOST_TOLD: Final = 1000  # characters
# Rounds of a run over a prefix, see `PrefixRun`.
_JSON_LEFT: Final = 1
_JSON_NOW: Final = 2
_NO_TIME: Final = "the function's time was over; give it more, or make objects smaller"

_buckets: list[BucketReader] = []


def handler(event: Mapping[str, Any], context: object = None) -> dict[str, Any]:
    """
    Take the objects that an event tells of, or everything below a prefix.

    Args:
        event: S3's or EventBridge's about created objects; a batch of SQS with such events
            (with `ReportBatchItemFailures`); or `{"bucket": ..., "prefix": ...}`, to which the
            answer of an unfinished run adds where to go on.
        context: Lambda's; its time says when to stop in good order.

    Returns:
        For SQS the messages that must come again. For a prefix what was given, with `after`,
        `skip`, `done` and counts: hand it in again until `done`; `ok` says whether nothing stopped
        or failed. Else counts.

    Raises:
        UsageError: the environment is not fit to work in, it is none of these events, or an
            object may not be read.
        EmptyPrefixError: there is nothing to take below the prefix.
        SourceError: S3 cannot be reached.
        UndeliveredError: not all of an object is in the inbox, or what it completes was not
            delivered; of a run over a prefix, a sink cannot be reached now: it must come again.
        QldbStreamError: inbox or secrets cannot be reached.
    """
    here = deployment()
    deadline_s = deadline_of(context, here.clock)
    messages = read_messages(event)
    run = None if messages is not None else read_prefix_run(event)
    taking = _Taking(here, _bucket(), deadline_s, goes_on=run is not None)
    try:
        if messages is not None:
            return _take_messages(taking, messages)
        if run is not None:
            return _take_prefix(taking, run)
        taking.take_all(read_objects(event))
        return {"objects": taking.objects, "missing": taking.missing, "applied": taking.applied}
    finally:
        taking.tell()


class _Taking:
    """
    One invocation: takes objects, one after the other, and counts.

    With `goes_on` another invocation goes on where this one stops: then it does not stop before it
    has taken something, since a call that did nothing would be followed by one that does the same,
    without end. If the time is not enough for that, Lambda ends the function, visibly.
    """

    def __init__(
        self, here: Deployment, bucket: BucketReader, deadline_s: float | None, *, goes_on: bool
    ) -> None:
        self._here = here
        self.bucket = bucket
        self.deadline_s = deadline_s
        self.objects = 0
        self.missing = 0
        self.applied = 0
        self._records = 0
        self._may_stop = not goes_on
        self._troubles: list[str] = []
        self._quarantined = 0
        self._stands: dict[tuple[str, str], StrandDelivery] = {}
        self._sinks_failed: dict[str, str] = {}

    @property
    def is_over(self) -> bool:
        """Say whether it is time to stop."""
        is_late = self.deadline_s is not None and self._here.clock.now_s() >= self.deadline_s
        return is_late and self._may_stop

    @property
    def report(self) -> DeliveryReport:
        """Sum up: how each strand stood when it was last delivered."""
        return DeliveryReport(tuple(self._stands.values()), self._sinks_failed)

    def take_all(self, objects: Sequence[StoredObject]) -> None:
        """
        Take objects; one that is gone counts as missing.

        Raises:
            UndeliveredError: the time was over, the inbox refused a part, or what they complete
                was not delivered: nothing else would wake it.
        """
        self._troubles = []
        for found in objects:
            if is_passed_over(found.key):
                continue
            if not self.take(found).is_whole:
                raise UndeliveredError(found.name, _NO_TIME)
            if self._troubles:
                raise UndeliveredError(found.name, "; ".join(self._troubles)[:_MOST_TOLD])

    def take(self, found: StoredObject, skip: int = 0, etag: str = "") -> _Taken:
        """
        Put an object into the inbox, and deliver what it completes.

        Args:
            found: the object.
            skip: so many items were taken before.
            etag: of the object of which they were taken.

        Returns:
            How far it came, and whether that is all.

        Raises:
            UndeliveredError: the inbox refused a part.
        """
        with tempfile.TemporaryDirectory(prefix="qldb-stream-") as folder:
            path = Path(folder, "object")
            try:
                found_etag = self.bucket.download(found, path)
            except MissingObjectError:
                self.missing += 1
                _log_missing(found)
                return _Taken(0, "", is_whole=True)
            skip = skip if found_etag == etag else 0
            source = open_source(path, names={path: found.name}, check_manifests=False)
            items = source.items()
            taken = skip
            for batch in _iter_batches(islice(items, skip, None)):
                if self.is_over:
                    return _Taken(taken, found_etag, is_whole=False)
                self._put(found, batch)
                self._may_stop = True
                taken += len(batch)
        self.objects += 1
        self._may_stop = True
        return _Taken(taken, found_etag, is_whole=True)

    def drain(self) -> DeliveryReport:
        """Deliver what waits in the inbox."""
        report = self._here.pipeline.drain(deadline_s=self.deadline_s)
        self._note(report)
        return report

    def tell(self) -> None:
        """Write the line of metrics."""
        counts = {
            "Objects": self.objects,
            "ObjectsMissing": self.missing,
            "Records": self._records,
            "RecordsQuarantined": self._quarantined,
        }
        report = self.report
        self._here.meter.tell(report, counts)
        self._here.settle(report)

    def _put(self, found: StoredObject, batch: Sequence[Item]) -> None:
        result: BatchResult = self._here.pipeline.handle_batch(batch, deadline_s=self.deadline_s)
        self._note(result.delivery)
        if result.failed:
            raise UndeliveredError(found.name, result.refusal or "its blocks wait in memory alone")
        self._records += len(batch)
        self._quarantined += sum(outcome.value == "quarantined" for outcome in result.outcomes)

    def _note(self, report: DeliveryReport) -> None:
        self._troubles += _troubles_of(report)
        self.applied += report.applied
        self._sinks_failed = dict(report.sinks_failed)
        for strand in report.strands:
            key = (strand.sink, strand.strand_id)
            before = self._stands.get(key)
            done, parked = (0, 0) if before is None else (before.applied, before.parked)
            self._stands[key] = attrs.evolve(
                strand, applied=strand.applied + done, parked=strand.parked + parked
            )


@attrs.frozen
class _Taken:
    """So many items of an object were taken, and whether these are all."""

    items: int
    etag: str
    is_whole: bool


def _take_messages(taking: _Taking, messages: Sequence[Message]) -> dict[str, Any]:
    """Take what messages tell of; each fails by itself."""
    failed = []
    for message in messages:
        try:
            if taking.is_over:
                raise UndeliveredError(f"message {message.message_id}", _NO_TIME)
            taking.take_all(read_objects(message.body))
        except QldbStreamError as exc:
            failed.append({"itemIdentifier": message.message_id})
            _log("message_failed", message_id=message.message_id, error=str(exc))
    return {"batchItemFailures": failed}


def _take_prefix(taking: _Taking, run: PrefixRun) -> dict[str, Any]:
    """Go on with a run as far as the time goes; then deliver what waits."""
    is_begun = bool(run.after)
    run, is_whole = _take_round(taking, run)
    if is_whole and not (is_begun or run.json_round or taking.objects or taking.missing):
        raise EmptyPrefixError(run.bucket, run.prefix)
    if is_whole and run.json_round == _JSON_LEFT:
        run = attrs.evolve(run, after="", json_round=_JSON_NOW)
        run, is_whole = _take_round(taking, run)
    return _answer(taking, run, is_whole)


def _take_round(taking: _Taking, run: PrefixRun) -> tuple[PrefixRun, bool]:
    """Take the objects of a round; give how far it came, and whether that is all."""
    for key in taking.bucket.iter_keys(run.bucket, run.prefix, run.after):
        if taking.is_over:
            return run, False
        if is_passed_over(key):
            pass
        elif _is_named_json(key) == (run.json_round == _JSON_NOW):
            taken = taking.take(StoredObject(run.bucket, key), run.skip, run.etag)
            if not taken.is_whole:
                return attrs.evolve(run, skip=taken.items, etag=taken.etag), False
        elif run.json_round != _JSON_NOW:
            run = attrs.evolve(run, json_round=_JSON_LEFT)
        run = attrs.evolve(run, after=key, skip=0, etag="")
    return run, True


def _is_named_json(key: str) -> bool:
    """Say whether a key ends as QLDB named what it exported in JSON; a name is a hint, no more."""
    return key.lower().removesuffix(".gz").endswith(".json")


def _answer(taking: _Taking, run: PrefixRun, is_whole: bool) -> dict[str, Any]:  # noqa: FBT001 - a result
    report = taking.drain() if is_whole else taking.report
    _check_passing(run, report)
    is_cut = any(strand.state is StrandState.CUT for strand in report.strands)
    said = attrs.evolve(
        run,
        objects=run.objects + taking.objects,
        missing=run.missing + taking.missing,
        applied=run.applied + taking.applied,
    )
    return attrs.asdict(said) | {
        "done": is_whole and not is_cut,
        "ok": report.ok,
        "strands": [_brief(strand) for strand in report.strands[:_MOST_STRANDS]],
    }


def _brief(strand: StrandDelivery) -> dict[str, Any]:
    """Give a strand's state in a length that a state machine takes."""
    said = strand.as_json()
    position = said["position"] or {}
    for entry, name in ((said, "not_atomic"), (position, "parked"), (position, "gaps")):
        if len(entry.get(name, ())) > _MOST_LISTED:
            entry[name] = entry[name][:_MOST_LISTED]
            entry[f"{name}_more"] = True
    return said | {"detail": strand.detail[:_MOST_TOLD]}


def _check_passing(run: PrefixRun, report: DeliveryReport) -> None:
    """
    Let a call fail, so that it is repeated, when all that is wrong may pass.

    Raises:
        UndeliveredError: a sink or the inbox could not be reached, and nothing has stopped.
    """
    states = [strand.state for strand in report.strands]
    if report.ok or StrandState.STOPPED in states:
        return
    why = "; ".join(_troubles_of(report))[:_MOST_TOLD]
    raise UndeliveredError(f"s3://{run.bucket}/{run.prefix}", why)


def _troubles_of(report: DeliveryReport) -> list[str]:
    """Say what failed or stopped."""
    bad = (StrandState.FAILED, StrandState.STOPPED)
    opened = [f"{name}: {problem}" for name, problem in report.sinks_failed.items()]
    return opened + [strand.detail for strand in report.strands if strand.state in bad]


def _iter_batches(items: Iterator[Item]) -> Iterator[list[Item]]:
    while batch := list(islice(items, _BATCH_ITEMS)):
        yield batch


def _bucket() -> BucketReader:
    """Give this container's client of S3."""
    if not _buckets:
        _buckets.append(BucketReader(MAX_OBJECT_BYTES))
    return _buckets[0]


def _log_missing(found: StoredObject) -> None:
    _log("object_missing", object=found.name)


def _log(event: str, **fields: str) -> None:
    sys.stderr.write(json.dumps({"event": event, **fields}) + "\n")

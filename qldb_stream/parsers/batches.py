"""
Kinesis batches as JSON: a Lambda event or an answer of `get_records` that was saved.

Strategy: JSON's reader says what the data of each record is; one walk over the text's quotes
finds where it stands, so that a record can be read again without its batch.

Rules: of a key that is given twice JSON's reader takes the last value, others the first. So a
record that gives its data twice, under one key or under those of both forms, is refused, and
so is a batch that gives its records twice.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final, TypeAlias

from qldb_stream.errors import CarrierError
from qldb_stream.parsers.kinesis import decode_base64, find_data

__all__ = ["maybe_batch", "undo_base64"]

Span: TypeAlias = tuple[int, int]

_BATCH: Final = re.compile(rb'"(?:Records|kinesis|Data)"\s*:')
_RECORD_FIELD: Final = b"qldbStreamArn"
_DATA_KEYS: Final = ("data", "Data")
_MAX_KEY_BYTES: Final = len('"' + 4 * "\\u0064")  # four letters, each of them escaped
_QUOTE: Final = re.compile(rb'\\.|"', re.DOTALL)  # in sound JSON, all else is no end of a text


class _Repeating(dict[str, Any]):
    """An object that gives a key more than once, with the last value of each."""


def maybe_batch(text: bytes) -> Iterator[Span | CarrierError] | None:
    """
    Find where the data of each record of a batch stands in it.

    Returns:
        For each record where its base64 starts and ends, or what is wrong, with the place
        after the last one that was found; None for a text that is no batch.

    Raises:
        CarrierError: the batch gives a key twice.
    """
    if not _BATCH.search(text) or _RECORD_FIELD in text:
        return None
    try:
        batch = json.loads(str(text, "utf-8"), object_pairs_hook=_object_of)  # no UTF-16
    except (ValueError, RecursionError):
        return None
    records = batch.get("Records") if isinstance(batch, dict) else batch
    if not isinstance(records, list):
        return None
    if isinstance(batch, _Repeating):
        raise CarrierError("Kinesis batch", 0, "it gives a key more than once")
    return _iter_spans(text, records)


def undo_base64(data: bytes, name: str) -> bytes:
    """
    Decode a batch's data as it is written, escapes of JSON included.

    Raises:
        CarrierError: it is no text of JSON, or not base64.
    """
    if b"\\" not in data:
        return decode_base64(data, name)
    try:
        plain = json.loads(b'"' + data + b'"')
    except ValueError as exc:
        raise CarrierError(name, 0, f"its data is no text of JSON: {exc}") from exc
    return decode_base64(plain, name)


def _object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else _Repeating(found)


def _iter_spans(text: bytes, records: list[object]) -> Iterator[Span | CarrierError]:
    place = 0
    members = _iter_data_members(text)
    for number, record in enumerate(records):
        source = f"Kinesis record {number}"
        try:
            found = _data_text(record, source, place)
        except CarrierError as exc:
            yield exc
            continue
        span = _next_span(members, found)
        if span is None:
            yield CarrierError(source, place, "it has no data in base64")
        else:
            place = span[1]
            yield span


def _data_text(record: object, source: str, place: int) -> object:
    kinesis = record.get("kinesis") if isinstance(record, dict) else None
    if isinstance(record, _Repeating) or isinstance(kinesis, _Repeating):
        raise CarrierError(source, place, "it gives a key more than once")
    return find_data(record, source, place)


def _iter_data_members(batch: bytes) -> Iterator[tuple[int, int, str]]:
    """
    Walk sound JSON once, and give the text members that are called like data.

    Yields:
        Where the text between its quotes starts and ends, and what it means.
    """
    quotes = (match.start() for match in _QUOTE.finditer(batch) if match[0] == b'"')
    key_end = -1
    for opening, closing in zip(quotes, quotes, strict=True):
        if key_end >= 0 and batch[key_end:opening].strip() == b":":
            yield opening + 1, closing, json.loads(batch[opening : closing + 1])
        is_short = closing - opening <= _MAX_KEY_BYTES
        is_key = is_short and json.loads(batch[opening : closing + 1]) in _DATA_KEYS
        key_end = closing + 1 if is_key else -1


def _next_span(members: Iterator[tuple[int, int, str]], found: object) -> Span | None:
    """
    Find where a text stands, after those that were found before.

    Every data is such a member and they come in the same order, so taking the next equal
    one finds them all in one walk.
    """
    if not isinstance(found, str):
        return None
    return next(((start, end) for start, end, value in members if value == found), None)

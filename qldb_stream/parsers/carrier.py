"""
Carriers of unknown layout: user records in files and objects, however they are packed.

Strategy: the bytes are walked item by item through a bounded window: binary records
back to back (Firehose), with delimiters between, KPL frames back to back, Ion text,
Kinesis batches as JSON. What stands at a place is told by its first bytes (facts 9.1);
gzip is undone before, by the source. The walk never searches for a marker to split
(facts 4: the four bytes may occur inside a blob); only after damage it searches, and
takes the next place where something sound starts.

Rules: nothing is dropped in silence. What cannot be read is one `Undecodable` from where
it starts to where the next sound item starts. A damaged frame costs that frame, a
damaged record that record. One byte that stands before item after item is a delimiter
that is none of ours: one `Undecodable` at the end names it and how many there were.
Memory is bounded by the largest item, not by the carrier. What is looked at in vain is
paid (`effort`), so the walk's cost is in proportion to its bytes; where hostile data have
used up what there is, items are passed unread, and their `Undecodable` says so.
Each user record says where it stands, so that `read_again` finds it without a walk.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import attrs

from qldb_stream.errors import AggregationError, CarrierError, DecodeError
from qldb_stream.events import Undecodable
from qldb_stream.ion import IVM
from qldb_stream.parsers import text
from qldb_stream.parsers.batches import maybe_batch, undo_base64
from qldb_stream.parsers.effort import Effort, ShortError
from qldb_stream.parsers.items import (
    NO_START,
    START_BYTES,
    Item,
    damaged_frame_end,
    find_start,
    read_item,
    shifted,
    skip_space,
    starts_here,
)
from qldb_stream.parsers.kpl import MAGIC, deaggregate
from qldb_stream.parsers.window import Head, Window
from qldb_stream.typing import Readable

__all__ = ["UserRecord", "iter_user_records", "read_again"]

_FIRST_BYTES: Final = 1 << 16
_MORE_TIMES: Final = 16  # as much is held when that is too little
_MAX_ITEM_BYTES: Final = 1 << 24
"""Kinesis takes 10 MiB a record and gives 10 MiB an answer; base64 makes a third more."""

_LEAST_EFFORT: Final = 1 << 11  # the smallest record of the service needs as much
_MAX_KEPT_BYTES: Final = 1 << 16  # of undecodable bytes; more are named, not held


@attrs.frozen
class UserRecord:
    """
    A user record, and where its carrier has it.

    `offset` and `length` are the bytes that have to be read to get it again: its own, or
    those of its frame, in which it is number `index`, counted from 0.
    """

    data: bytes = attrs.field(repr=False)
    offset: int
    length: int
    index: int | None = None


def iter_user_records(
    readable: Readable,
    *,
    start: int = 0,
    seams: Sequence[int] = (),
    effort: Effort | None = None,
) -> Iterator[UserRecord | Undecodable]:
    """
    Walk a carrier and give its user records in order, lazily.

    Args:
        readable: the carrier, decompressed.
        start: where to begin, for a carrier that was read up to there before.
        seams: places, rising, where bytes are known to be lost; no item goes across one.
        effort: pays for what is looked at in vain; None for what the carrier's size is worth.

    Yields:
        Each user record, not yet parsed: what is inside it may still be damaged. In place
        of what is no item an `Undecodable`; its error's offset counts from the start of
        the carrier. A byte that stands between items again and again is one `Undecodable`
        of its first place, after all items up to the next seam.
    """
    effort = effort or Effort(readable.size - start)
    for end in seams:
        if start < end:
            yield from _iter_part(Head(readable, end), start, effort)
            start = end
    yield from _iter_part(readable, start, effort)


def read_again(readable: Readable, offset: int, length: int, index: int | None) -> bytes:
    """
    Read a user record where `iter_user_records` found it.

    Raises:
        DecodeError: something else stands there now.
    """
    return _open_data(readable.read_at(offset, length), index, readable.name)


def _iter_part(
    readable: Readable, start: int, effort: Effort
) -> Iterator[UserRecord | Undecodable]:
    window = Window(readable)
    separators: dict[int, list[int]] = {}  # byte: its first place, how often it stands alone
    pos = start
    while True:
        index = window.seek(pos, _FIRST_BYTES)
        pos = window.base + skip_space(window.data, index)
        if pos >= window.size:
            break
        if pos - window.base == len(window.data):
            continue
        try:
            item = _item_at(window, pos, effort, is_trusted=True)
        except DecodeError as exc:
            if _is_separator(window, pos, exc):
                found = separators.setdefault(window.data[pos - window.base], [pos, 0])
                found[1] += 1
                pos += 1
                continue
            pos, undecodable = _pass_damage(window, pos, exc, effort, readable.name)
            yield undecodable
            continue
        if item.is_text:
            yield from _iter_text(item, pos, readable.name)
        else:
            length = item.end
            for number, data in enumerate(item.records):
                yield UserRecord(data, pos, length, number if item.is_frame else None)
        pos += item.end
        effort.earn(item.end)
    for byte, (place, count) in separators.items():
        yield _summed(byte, place, count, readable.name)


def _iter_text(item: Item, pos: int, name: str) -> Iterator[UserRecord | Undecodable]:
    """Give the user record that a piece of text is, or those of the batch that it is."""
    text_found = item.records[0]
    try:
        batch = maybe_batch(text_found)
    except CarrierError as exc:
        data = text_found if item.end <= _MAX_KEPT_BYTES else None
        yield Undecodable(name, pos, item.end, shifted(exc, pos), data)
        return
    if batch is None:
        yield UserRecord(text_found, pos, item.end)
    else:
        yield from _iter_batch(batch, text_found, pos, name)


def _item_at(window: Window, pos: int, effort: Effort, *, is_trusted: bool) -> Item:
    """Read an item, holding more of the carrier as far as it takes; `end` is its length."""
    least = _FIRST_BYTES
    while True:
        index = window.seek(pos, least)
        at_end = window.at_end
        try:
            item = read_item(
                window.data, index, at_end=at_end, effort=effort, is_trusted=is_trusted
            )
        except ShortError:
            if least >= _MAX_ITEM_BYTES:
                problem = f"an item of more than {_MAX_ITEM_BYTES} bytes"
                raise CarrierError("carrier", pos, problem) from None
            least = min(_MORE_TIMES * least, _MAX_ITEM_BYTES)
        except DecodeError as exc:
            raise shifted(exc, window.base) from exc
        else:
            return attrs.evolve(item, end=item.end - index)


# --- bytes that stand alone ----------------------------------------------------------------


def _is_separator(window: Window, pos: int, error: DecodeError) -> bool:
    """Say whether one byte that starts nothing stands before an item, or the end."""
    if not (isinstance(error, CarrierError) and error.problem == NO_START):
        return False
    window.seek(pos, _FIRST_BYTES)
    return starts_here(window.data, pos - window.base + 1, at_end=window.at_end)


def _summed(byte: int, place: int, count: int, name: str) -> Undecodable:
    """Make one value of all places where a byte stands alone."""
    error = CarrierError("carrier", place, NO_START)
    if count > 1:
        problem = (
            f"the byte 0x{byte:02x} stands {count} times between records and is no delimiter of "
            f"theirs (space, tab, CR and LF are); nothing else is lost by it"
        )
        error = CarrierError("carrier", place, problem)
    return Undecodable(name, place, 1, error, bytes((byte,)))


# --- after damage --------------------------------------------------------------------------


def _pass_damage(
    window: Window, pos: int, error: DecodeError, effort: Effort, name: str
) -> tuple[int, Undecodable]:
    """Find where the walk goes on, and make one value of what lies before."""
    end = _frame_end(window, pos, effort)
    if end is None:
        end = _next_start(window, pos, effort)
    else:
        effort.earn(end - pos)
        index = window.seek(pos, end - pos)
        try:
            deaggregate(window.data[index : index + end - pos])
        except AggregationError as exc:
            error = shifted(exc, pos)
    length = end - pos
    data: bytes | None = None
    if length <= _MAX_KEPT_BYTES:
        index = window.seek(pos, length)
        data = window.data[index : index + length]
    return end, Undecodable(name, pos, length, error, data)


def _frame_end(window: Window, pos: int, effort: Effort) -> int | None:
    """Find where a damaged frame ends; None where that cannot be told, or there is none."""
    least = _FIRST_BYTES
    while least <= _MAX_ITEM_BYTES:
        index = window.seek(pos, least)
        try:
            end = damaged_frame_end(window.data, index, at_end=window.at_end, effort=effort)
        except ShortError:
            least *= _MORE_TIMES
        except DecodeError:
            break
        else:
            return None if end is None else window.base + end
    return None


def _next_start(window: Window, origin: int, effort: Effort) -> int:
    """Search for the next place where something sound starts; the end if there is none."""
    pos = origin + 1
    while pos < window.size:
        index = window.seek(pos, _FIRST_BYTES)
        found = find_start(window.data, index)
        held = window.base + len(window.data)
        if found is None:
            if window.at_end:
                break
            found = max(index, len(window.data) - START_BYTES)
            place = window.base + found if held - pos > START_BYTES else pos + 1
            effort.earn(place - pos)
            pos = place
            continue
        effort.earn(window.base + found - pos)
        pos = window.base + found
        if effort.left >= _LEAST_EFFORT:
            try:
                _item_at(window, pos, effort, is_trusted=False)
            except DecodeError:
                pass
            else:
                return pos
        pos += 1
    return window.size


# --- Kinesis batches as JSON ---------------------------------------------------------------


def _iter_batch(
    batch: Iterator[tuple[int, int] | CarrierError], text_of_batch: bytes, pos: int, name: str
) -> Iterator[UserRecord | Undecodable]:
    """Give the user records of a batch; each stands where its base64 text stands."""
    for found in batch:
        if isinstance(found, CarrierError):
            yield Undecodable(name, pos + found.offset, 0, shifted(found, pos))
            continue
        offset, length = pos + found[0], found[1] - found[0]
        data = text_of_batch[found[0] : found[1]]
        try:
            decoded = undo_base64(data, name)
            user_records = deaggregate(decoded)
        except DecodeError as exc:
            yield Undecodable(name, offset, length, shifted(exc, offset), data)
            continue
        is_frame = decoded.startswith(MAGIC)
        for index, user_record in enumerate(user_records):
            yield UserRecord(user_record, offset, length, index if is_frame else None)


def _open_data(data: bytes, index: int | None, name: str) -> bytes:
    """Undo what was undone when a user record was found."""
    if data[: len(MAGIC)] not in (IVM, MAGIC) and not text.is_start(data, 0):
        data = undo_base64(data, name)
    if index is None:
        return data
    user_records = deaggregate(data)
    if index >= len(user_records):
        raise CarrierError(name, 0, f"a frame without a record {index}")
    return user_records[index]

"""
What can stand at a place of a carrier: a binary record, a KPL frame, a piece of text.

Strategy: an item's end is found from its headers alone. Nothing of a record proves that
its lengths are right, so a record is trusted without being read only when something
sound follows it and nothing starts inside it; otherwise it is read. That way a damaged
length neither hides the records after it nor makes one up, and an undamaged carrier is
walked at the speed of its headers.

All positions here are indexes into the bytes held; offsets in errors are, too.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import Final

import attrs

from qldb_stream.errors import AggregationError, CarrierError, DecodeError, IonDecodeError
from qldb_stream.ion import IVM, MAX_TABLES
from qldb_stream.parsers import text
from qldb_stream.parsers.effort import Effort, ShortError
from qldb_stream.parsers.kpl import MAGIC, frame_end, read_frame
from qldb_stream.parsers.marks import maybe_note_end
from qldb_stream.parsers.record import parse_record

__all__ = [
    "NO_START",
    "START_BYTES",
    "Item",
    "damaged_frame_end",
    "find_start",
    "read_item",
    "shifted",
    "skip_space",
    "starts_here",
]

_SPACE: Final = b" \t\r\n"
_ENDS: Final = 0x80  # the bit that ends a VarUInt
_TABLE: Final = re.compile(rb"[\xe3-\xee][\x00-\x7f]{0,3}[\x80-\xff]?\x81\x83[\xd0-\xde]")
_LONG_FORMS: Final = 0x0E
_STRUCTS: Final = range(0xD0, 0xDF)
_WRAPPERS: Final = range(0xE3, 0xEF)

# Where to look after damage: a marker that a symbol table follows, a frame, a record's text.
_STARTS: Final = re.compile(
    rb"\xe0\x01\x00\xea(?=[\xe3-\xee])"
    rb"|\xf3\x89\x9a\xc2"
    rb"|\{\s{0,16}[\"']?(?:qldbStreamArn|recordType|payload|Records)[\"']?\s{0,16}:"
)
_MARKERS: Final = re.compile(re.escape(IVM) + b"|" + re.escape(MAGIC))
_MAX_MARKERS: Final = 1000  # inside one item; and of those that are no item:
_MAX_TRIES: Final = 4
_LOOK_BYTES: Final = 1 << 20  # how much of an item inside another one is looked at

START_BYTES: Final = 64
"""The longest start that may be cut by the end of the bytes held."""

NO_START: Final = (
    "nothing of a journal starts here: no Ion, KPL frame, or text of a record or block"
)

# What it costs to look in vain, in units of Effort: at a byte of a binary record that reads
# badly; at one of Ion text, which amazon.ion reads; and at a token of text on the way to its end.
_RECORD_COST: Final = 8
_TEXT_RECORD_COST: Final = 64
_TOKEN_COST: Final = 16
_TEXT_FIELD: Final = b"qldbStreamArn"


@attrs.frozen
class Item:
    """A sound item: its kind's user records, and where it ends."""

    end: int
    records: tuple[bytes, ...]
    is_frame: bool = False
    is_text: bool = False


def read_item(data: bytes, pos: int, *, at_end: bool, effort: Effort, is_trusted: bool) -> Item:
    """
    Read the item that starts at a position.

    Args:
        data: the bytes held.
        pos: where something starts, space skipped.
        at_end: whether nothing comes after `data`.
        effort: pays for what is looked at and is none.
        is_trusted: whether a record that looks sound is not read.

    Raises:
        ShortError: more bytes have to be held.
        DecodeError: nothing sound starts there, or `effort` does not reach to tell; offsets
            count from the start of `data`.
    """
    head = data[pos : pos + len(MAGIC)]
    if head == MAGIC:
        records, end = read_frame(data, pos, effort)
        if records is None:
            _need(at_end or end < len(data))
            raise AggregationError(end, "a damaged frame: its fields or its MD5 break here")
        return Item(end, tuple(records), is_frame=True)
    if head == IVM:
        note_end = maybe_note_end(data, pos, at_end=at_end)
        if note_end is not None:
            _need(at_end or note_end <= len(data))
            if note_end <= len(data) and _follows(data, note_end, at_end=at_end):
                return Item(note_end, ())
            raise CarrierError("carrier", pos, "an archive's note that is cut off or damaged")
        end = _record_end(data, pos, at_end=at_end)
        cost = _RECORD_COST * (end - pos)
        effort.need(cost, pos)
        try:
            _refuse_overlap(data, pos, end, at_end=at_end, effort=effort)
            if not (is_trusted and _looks_sound(data, pos, end, at_end=at_end)):
                _check_record(data[pos:end], pos)
        except DecodeError:
            effort.spend(cost)
            raise
        return Item(end, (data[pos:end],))
    if text.is_start(data, pos):
        end = _text_end(data, pos, at_end=at_end, effort=effort)
        record = data[pos:end]
        is_sound = is_trusted and _looks_sound(data, pos, end, at_end=at_end)
        if not is_sound and _TEXT_FIELD in record:
            cost = _TEXT_RECORD_COST * (end - pos)
            effort.need(cost, pos)
            try:
                _check_record(record, pos)
            except DecodeError:
                effort.spend(cost)
                raise
        return Item(end, (record,), is_text=True)
    _need(at_end or len(head) == len(MAGIC))
    raise CarrierError("carrier", pos, NO_START)


def damaged_frame_end(data: bytes, pos: int, *, at_end: bool, effort: Effort) -> int | None:
    """
    Tell where the damaged frame ends that starts at a position; None when that cannot be told.

    Its fields tell, or, where its magic is damaged, its MD5.

    Raises:
        ShortError: more bytes have to be held.
        CarrierError: `effort` does not reach.
    """

    def is_start(place: int) -> bool:
        _need(at_end or len(data) - place >= START_BYTES)
        return starts_here(data, place, at_end=at_end)

    if data.startswith(MAGIC, pos):
        end, place = frame_end(data, pos, is_start, effort)
    else:
        records, place = read_frame(data, pos, effort)
        end = None if records is None else place
    _need(at_end or end is not None or place < len(data))
    return end


def find_start(data: bytes, pos: int) -> int | None:
    """Find the next place where an item could start; None when there is none."""
    match = _STARTS.search(data, pos)
    return None if match is None else match.start()


def _follows(data: bytes, pos: int, *, at_end: bool) -> bool:
    """
    Say whether an item may end at a position: another one starts, or the carrier ends.

    Raises:
        ShortError: more bytes have to be held.
    """
    pos = skip_space(data, pos)
    if len(data) - pos < len(MAGIC):
        _need(at_end)
    return (
        pos == len(data) or data[pos : pos + len(MAGIC)] in (IVM, MAGIC) or text.is_start(data, pos)
    )


def starts_here(data: bytes, pos: int, *, at_end: bool) -> bool:
    """Say whether a record or frame of ours starts at a position, or the carrier ends."""
    pos = skip_space(data, pos)
    return (at_end and pos == len(data)) or _STARTS.match(data, pos) is not None


def skip_space(data: bytes, pos: int) -> int:
    """Skip delimiters between items (facts 4); no item starts with one."""
    end = len(data)
    while pos < end and data[pos] in _SPACE:
        pos += 1
    return pos


def _looks_sound(data: bytes, pos: int, end: int, *, at_end: bool) -> bool:
    if not _follows(data, end, at_end=at_end):
        return False
    return data.find(IVM, pos + len(IVM), end) < 0 and data.count(_TEXT_FIELD, pos, end) <= 1


def _refuse_overlap(data: bytes, pos: int, end: int, *, at_end: bool, effort: Effort) -> None:
    """
    Refuse a record that was cut short, so that its lengths reach into the next one.

    It may even read as sound, with the next one's first bytes at the end of its last
    hash. What tells it is a sound item that starts inside and ends outside; one that also
    ends inside is part of a document.
    """
    tries = _MAX_TRIES
    for match in islice(_MARKERS.finditer(data, pos + 1, end + len(IVM) - 1), _MAX_MARKERS):
        start = match.start()
        inner_end = _sound_end(data, start, end, effort)
        if inner_end is None:
            _need(at_end or len(data) - start >= _LOOK_BYTES)
            tries -= 1
            if not tries:
                return
        elif inner_end > end:
            raise IonDecodeError(start, "a record is cut short, the next one starts here")


def _sound_end(data: bytes, pos: int, outer_end: int, effort: Effort) -> int | None:
    """Find where an item inside another one ends; None when it is not sound."""
    try:
        if data.startswith(MAGIC, pos):
            records, end = read_frame(data, pos, effort)
            return None if records is None else end
        end = _record_end(data, pos, at_end=True)
        if end > outer_end:
            effort.pay(_RECORD_COST * (end - pos), pos)
            parse_record(data[pos:end])
    except DecodeError:
        return None
    return end


def _check_record(record: bytes, pos: int) -> None:
    """Read a record for its errors; offsets are moved to where it stands."""
    try:
        parse_record(record)
    except IonDecodeError as exc:
        raise IonDecodeError(pos + exc.offset, exc.problem) from exc


def _record_end(data: bytes, pos: int, *, at_end: bool) -> int:
    """Find where a binary record ends: marker, symbol tables, one struct."""
    start = pos
    pos += len(IVM)
    for _ in range(MAX_TABLES):
        if pos >= len(data):
            break
        end = _value_end(data, pos)
        if data[pos] in _STRUCTS:
            if end <= len(data):
                return end
            break
        if not (data[pos] in _WRAPPERS and _TABLE.match(data, pos)):
            _need(at_end or pos + len(MAGIC) * 3 <= len(data))
            raise IonDecodeError(pos, "no symbol table or struct, as a record has them here")
        pos = end
    _need(at_end)
    raise IonDecodeError(start, "a record ends after its carrier")


def _value_end(data: bytes, pos: int) -> int:
    """Find where the value at a position ends; beyond the data when it is cut off."""
    length = data[pos] & 0x0F
    pos += 1
    if length == _LONG_FORMS:
        length = 0
        while pos < len(data):
            byte = data[pos]
            pos += 1
            length = (length << 7) | (byte & (_ENDS - 1))
            if byte >= _ENDS:
                return pos + length
            if length > len(data):
                break
        return len(data) + 1
    return pos + length


def _text_end(data: bytes, pos: int, *, at_end: bool, effort: Effort) -> int:
    limit = min(len(data), pos + effort.may_spend() // (1 + _TOKEN_COST))
    is_closed, place, tokens = text.look_for_end(data, pos, limit)
    if is_closed:
        return place
    effort.spend(place - pos + _TOKEN_COST * tokens)
    if place == limit < len(data):
        effort.need(effort.left + 1, pos)
    _need(at_end or place < len(data))
    raise IonDecodeError(pos, "a text's brackets or quotes are not closed")


def _need(enough: bool) -> None:  # noqa: FBT001 - reads as an assertion
    if not enough:
        raise ShortError


def shifted(error: DecodeError, by: int) -> DecodeError:
    """Give the same error with its offset moved."""
    if isinstance(error, IonDecodeError | AggregationError | CarrierError):
        return attrs.evolve(error, offset=error.offset + by)
    return error

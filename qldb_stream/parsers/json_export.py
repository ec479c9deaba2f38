"""
Blocks of JSON exports: one object a line, in which Ion's types were lost (facts 3.3).

Strategy: what has a fixed schema gets its types back: digests are base64, times have three
places and Z, the rest are texts and ints; so all hashes of a block, its transactionInfo,
redactionInfo and every revision's metadata can be recomputed. A document has no schema: it is
taken as JSON says it, and its revision is marked (`Revision.from_json`). A document of texts,
ints, decimals, bools, plain nulls, lists and structs is what it was, and its hash fits.

Rules: numbers are kept digit for digit (1.50 is a decimal with two places, however many digits
it has), and nothing becomes a binary float. A name that a fixed part gives twice is an error, in
a document it stays repeated. NaN and the infinities are no JSON. What does not have the form
of a digest or time stays a text, so that whoever needs it names the field.
"""

from __future__ import annotations

import binascii
import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NoReturn, TypeAlias

import attrs

from qldb_stream.errors import DecodeError, IonDecodeError, IonEncodeError
from qldb_stream.events import Block, Revision
from qldb_stream.ion import IonType, iter_text, make_struct, timestamp_ms, to_slice
from qldb_stream.parsers.block import parse_block
from qldb_stream.records import marked_json

__all__ = ["MAX_DIGITS", "is_json", "parse_json_block"]

MAX_DIGITS: Final = 4000
"""Of one number: a little less than what Python's int takes, more than Ion decimals may have."""

_START: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*+\{\s*+(?:\"|\})")
_TIME: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3})Z", re.ASCII
)
_OTHER_TIME: Final = re.compile(r"[0-9]{4}-[0-9T:.Z+-]{0,40}|[0-9]{4}T", re.ASCII)
_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00.000")
_MILLISECOND: Final = timedelta(milliseconds=1)

Typer: TypeAlias = Callable[[Any], Any]


def is_json(data: bytes) -> bool:
    """Say whether text is JSON rather than Ion, whose writers give names no double quotes."""
    return _START.match(data) is not None


def parse_json_block(data: bytes) -> Block:
    """
    Read one block of a JSON export.

    Args:
        data: one object, in UTF-8.

    Returns:
        The block as `parse_block` gives it; what lost types, or may have, has `from_json`
        set: revisions with a document, or with metadata that has unknown fields, and what
        the summary hashes.

    Raises:
        EnvelopeError: it is no block (facts 2.1).
        IonDecodeError: not sound JSON, or something in it that Ion cannot hold; the offset
            counts characters, 0 where none can be told.
    """
    fields = _load(data)
    try:
        value = to_slice(_BLOCK(fields))
    except IonEncodeError as exc:
        raise IonDecodeError(0, f"JSON: {exc.problem}") from exc
    block = parse_block(value)
    revisions = [
        attrs.evolve(one, from_json=True) if _may_have_lost(one) else one for one in block.revisions
    ]
    return attrs.evolve(block, summary=marked_json(block.summary), revisions=tuple(revisions))


def _may_have_lost(revision: Revision) -> bool:
    """Say whether something hashed in a revision has no fixed schema."""
    return revision.data_ion is not None or any(
        name.startswith("metadata.") for name in revision.unknown_fields
    )


def _load(data: bytes) -> Any:
    try:
        return json.loads(
            str(data, "utf-8-sig"),
            object_pairs_hook=_object_of,
            parse_int=_int,
            parse_float=_decimal,
            parse_constant=_refuse,
        )
    except json.JSONDecodeError as exc:
        raise IonDecodeError(exc.pos, f"not JSON: {exc.msg}") from exc
    except UnicodeDecodeError as exc:
        raise IonDecodeError(exc.start, "JSON is not UTF-8") from exc
    except RecursionError as exc:
        raise IonDecodeError(0, "JSON nests too deeply") from exc


def _object_of(pairs: list[tuple[str, Any]]) -> Any:
    found = dict(pairs)
    return found if len(found) == len(pairs) else make_struct(list(pairs), ())


def _int(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise IonDecodeError(0, f"a number in JSON has more than {MAX_DIGITS} digits")
    return int(text)


def _decimal(text: str) -> Decimal:
    if len(text) > MAX_DIGITS:
        raise IonDecodeError(0, f"a number in JSON has more than {MAX_DIGITS} digits")
    try:
        return Decimal(text)
    except InvalidOperation as exc:
        raise IonDecodeError(0, "a number in JSON has an exponent beyond all bounds") from exc


def _refuse(name: str) -> NoReturn:
    raise IonDecodeError(0, f"{name} is no number of JSON")


# --- types that have to be given back ------------------------------------------------------


def _struct(**typers: Typer) -> Typer:
    """Make what types the fields of a struct; other fields stay as JSON says them."""

    def typed(value: Any) -> Any:
        if type(value) is not dict:
            return value  # a name is given twice, or it is no struct: whoever reads it says so
        return {name: typers.get(name, _as_it_is)(found) for name, found in value.items()}

    return typed


def _list(typer: Typer) -> Typer:
    """Make what types the elements of a list."""

    def typed(value: Any) -> Any:
        return [typer(found) for found in value] if isinstance(value, list) else value

    return typed


def _as_it_is(value: Any) -> Any:
    return value


def _blob(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return binascii.a2b_base64(value, strict_mode=True)
    except ValueError:
        return value


def _time(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    match = _TIME.fullmatch(value)
    try:
        if match is not None:
            return timestamp_ms((datetime.fromisoformat(match[1]) - _EPOCH) // _MILLISECOND)
        if _OTHER_TIME.fullmatch(value):
            [found] = iter_text(value)
            return found if found.ion_type is IonType.TIMESTAMP else value
    except (DecodeError, ValueError):
        pass
    return value


_REVISION: Final = _struct(hash=_blob, dataHash=_blob, metadata=_struct(txTime=_time))
_STATEMENT: Final = _struct(startTime=_time, statementDigest=_blob)
_BLOCK: Final = _struct(
    blockTimestamp=_time,
    blockHash=_blob,
    entriesHash=_blob,
    previousBlockHash=_blob,
    entriesHashList=_list(_blob),
    transactionInfo=_struct(statements=_list(_STATEMENT)),
    revisions=_list(_REVISION),
)

"""
Bytes of any length as attributes of an item.

An item of DynamoDB has 400 KB at most. What is longer than three quarters of that is packed
(zlib); if it is still longer, it becomes an object of S3.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from qldb_stream.errors import InboxFileError, UsageError
from qldb_stream.inbox.dynamodb._objects import MOST_BYTES, Objects
from qldb_stream.inbox.dynamodb._table import Action
from qldb_stream.inbox.dynamodb._values import Value

__all__ = ["INLINE_BYTES", "Contents", "Held", "join_parts", "pack", "split_parts", "unpack"]

INLINE_BYTES: Final = 300_000
"""How long what stands in an item may be; an item may have 400 KB, its other attributes too."""

_ABSENT: Final = 0xFFFFFFFF


@attrs.frozen
class Held:
    """
    Bytes as attributes; `weight` is their length in the item.

    `claims` go with the item's writing: they make `objects` its own.
    """

    attributes: dict[str, Value]
    weight: int
    claims: tuple[Action, ...] = ()
    objects: tuple[str, ...] = ()


class Contents:
    """Puts bytes into items, and what is too long for one into objects."""

    def __init__(self, objects: Objects, name: str) -> None:
        self._objects: Final = objects
        self._name: Final = name

    def hold(self, data: bytes, folder: str, now_s: float, what: str) -> Held:
        """
        Give bytes as attributes.

        Args:
            data: the bytes.
            folder: what the name of an object begins with.
            now_s: the time.
            what: names them in a message.

        Raises:
            UsageError: they are too long for an item, and the inbox has no bucket; or they
                are longer than anything that is stored.
        """
        if len(data) > MOST_BYTES:
            raise UsageError(f"{what} has {len(data):,} bytes, of {MOST_BYTES:,} at most")
        held = self.maybe_hold(data, folder, now_s)
        if held is None:
            raise UsageError(
                f"{what} has {len(data):,} bytes, more than an item of DynamoDB holds: give "
                f"inbox {self._name} a bucket for such (?bucket=NAME)"
            )
        return held

    def maybe_hold(self, data: bytes, folder: str, now_s: float) -> Held | None:
        """Give bytes as attributes; None when they are too long, or there is no bucket for them."""
        if len(data) > MOST_BYTES:
            return None
        found = pack(data)
        if found is not None:
            return Held(found, len(found["data"]))
        if self._objects.bucket is None:
            return None
        name = self._objects.add(folder, data, now_s)
        return Held({"object": name}, len(name), (self._objects.claim_action(name),), (name,))

    def read(self, item: Mapping[str, Any]) -> bytes | None:
        """
        Give the bytes of an item; None when it has none.

        Raises:
            GoneError: their object is not there (any more).
            InboxFileError: they are not what was written.
        """
        if isinstance(item.get("object"), str):
            return self._objects.read(item["object"])
        return unpack(item, self._name)


def pack(data: bytes) -> dict[str, Any] | None:
    """Give bytes as attributes; None when they are too long for an item."""
    if len(data) <= INLINE_BYTES:
        return {"data": data}
    packed = zlib.compress(data, 1)
    return {"data": packed, "packed": 1} if len(packed) <= INLINE_BYTES else None


def unpack(item: Mapping[str, Any], name: str) -> bytes | None:
    """
    Give the bytes that stand in an item; None when it has none.

    Raises:
        InboxFileError: they are not what was written.
    """
    data = item.get("data")
    if data is None:
        return None
    try:
        if not isinstance(data, bytes):
            raise TypeError
        return _unzip(data) if item.get("packed") else data
    except (TypeError, ValueError, zlib.error) as exc:
        what = f"{item.get('pk')}, {item.get('sk')}"
        raise InboxFileError(name, f"the table is damaged: the bytes of item {what}") from exc


def _unzip(data: bytes) -> bytes:
    stream = zlib.decompressobj()
    found = stream.decompress(data, MOST_BYTES)
    if not stream.eof:
        raise ValueError
    return found


def join_parts(parts: Sequence[bytes | None]) -> bytes:
    """Join byte strings, some of them absent, so that `split_parts` gives them again."""
    pieces: list[bytes] = []
    for each in parts:
        pieces.append((_ABSENT if each is None else len(each)).to_bytes(4, "big"))
        pieces.append(each or b"")
    return b"".join(pieces)


def split_parts(data: bytes) -> Iterator[bytes | None]:
    """
    Give what was joined.

    Raises:
        ValueError: it was not joined so.
    """
    at = 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        at += 4
        if length == _ABSENT:
            yield None
            continue
        if at + length > len(data):
            raise ValueError(length)
        yield data[at : at + length]
        at += length

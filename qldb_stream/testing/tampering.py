"""
Damage records on purpose: one bit, one field, one frame.

Flips work on bytes of any kind. Edits rewrite one field of a record and copy all the
rest losslessly, so that only that field differs, and hashes that covered it are wrong.
"""

from __future__ import annotations

from hashlib import md5
from typing import TYPE_CHECKING, Any, Final

from qldb_stream.errors import UsageError
from qldb_stream.ion import IonType, dumps, iter_elements, iter_fields, load_slice, read_struct
from qldb_stream.testing.deliveries import aggregate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qldb_stream.ion import IonSlice

__all__ = [
    "drop_field",
    "edit_field",
    "flip_bit",
    "iter_flips",
    "locate_field",
    "reframe",
    "resign",
]

_MAGIC_BYTES: Final = 4
_MD5_BYTES: Final = 16
_PARTITION_KEY_TABLE: Final = 0x0A
_RECORDS: Final = 0x1A


def flip_bit(data: bytes, bit: int) -> bytes:
    """
    Flip one bit.

    Args:
        data: of any kind.
        bit: which, from 0; bit n is bit n % 8 (of value 2 ** (n % 8)) of byte n // 8.

    Raises:
        UsageError: there is no such bit.
    """
    byte, bit = divmod(bit, 8)
    if not 0 <= byte < len(data):
        raise UsageError(f"byte {byte} of {len(data)} has no bit to flip")
    return data[:byte] + bytes([data[byte] ^ (1 << bit)]) + data[byte + 1 :]


def iter_flips(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[int, bytes]]:
    """
    Iterate over all copies of `data` that differ in one bit.

    Args:
        data: of any kind.
        start: first byte to flip in.
        end: byte before which to stop; None for all.

    Yields:
        The number of the bit, as `flip_bit` counts, and the copy.
    """
    for bit in range(8 * start, 8 * (len(data) if end is None else end)):
        yield bit, flip_bit(data, bit)


def reframe(frame: bytes, records: Sequence[bytes]) -> bytes:
    """
    Put other records into a KPL frame, with its partition keys and a right checksum.

    Args:
        frame: sound, with one partition key for each record, as QLDB wrote them.
        records: as many as the frame has.

    Raises:
        UsageError: there are not as many.
    """
    keys = [raw.decode() for tag, raw in _iter_messages(frame) if tag == _PARTITION_KEY_TABLE]
    return aggregate(records, keys)


def resign(frame: bytes) -> bytes:
    """Give a KPL frame whose protobuf was altered a checksum that fits it again."""
    body = frame[_MAGIC_BYTES:-_MD5_BYTES]
    return frame[:_MAGIC_BYTES] + body + md5(body, usedforsecurity=False).digest()


def locate_field(record: bytes, path: str) -> tuple[int, int]:
    """
    Find where a field's value stands in a record's bytes.

    Args:
        record: one standalone Ion value, a struct.
        path: names with dots between: `payload.revision.hash`; elements of lists by
            their number.

    Returns:
        Its first byte, the type's, and the byte after its last.

    Raises:
        UsageError: there is no such field.
    """
    value = load_slice(record)
    for name in path.split("."):
        value = _step(value, name, path)
    return value.start, value.end


def edit_field(record: bytes, path: str, value: Any) -> bytes:
    """
    Replace the value of one field, or add the field at the end of its struct.

    Args:
        record: one standalone Ion value, a struct.
        path: names with dots between; all but the last must exist.
        value: anything that `qldb_stream.ion.dumps` takes.

    Returns:
        The record with a symbol table of its own; what is hashed elsewhere in it hashes
        as before.

    Raises:
        UsageError: a struct on the way is not there.
    """
    return dumps(_edited(load_slice(record), path.split("."), path, [value]))


def drop_field(record: bytes, path: str) -> bytes:
    """
    Leave one field out; otherwise as `edit_field`.

    Raises:
        UsageError: there is no such field.
    """
    locate_field(record, path)
    return dumps(_edited(load_slice(record), path.split("."), path, []))


def _edited(value: IonSlice, names: Sequence[str], path: str, new: list[Any]) -> dict[str, Any]:
    if value.ion_type is not IonType.STRUCT or value.is_null:
        raise UsageError(f"there is no struct on the way to {path}")
    fields: dict[str, Any] = dict(read_struct(value))
    name, *rest = names
    if rest:
        inner = fields.get(name)
        if inner is None:
            raise UsageError(f"there is no field {path}")
        fields[name] = _edited(inner, rest, path, new)
    elif new:
        fields[name] = new[0]
    else:
        del fields[name]
    return fields


def _step(value: IonSlice, name: str, path: str) -> IonSlice:
    if value.ion_type is IonType.LIST:
        found = dict(enumerate(iter_elements(value))).get(int(name))
    else:
        found = dict(iter_fields(value)).get(name)
    if found is None:
        raise UsageError(f"there is no field {path}")
    return found


def _iter_messages(frame: bytes) -> Iterator[tuple[int, bytes]]:
    """Walk the length-delimited fields of a sound frame."""
    pos, end = _MAGIC_BYTES, len(frame) - _MD5_BYTES
    while pos < end:
        tag, pos = frame[pos], pos + 1
        length = shift = 0
        while True:
            byte = frame[pos]
            length |= (byte & 0x7F) << shift
            pos, shift = pos + 1, shift + 7
            if byte <= 0x7F:  # noqa: PLR2004 - the last byte of a varint
                break
        yield tag, frame[pos : pos + length]
        pos += length

"""
A digest that was saved, in every form that owners of ledgers have it in.

The console saved one line of JSON (`digest`, and `digestTipAddress` as Ion text), GetDigest
answers with JSON (`Digest`, and `DigestTipAddress` with `IonText`) (qldb-facts 7), and people
keep the base64 alone. JSON is a part of Ion text, so one reader takes all structs; a byte-order
mark is passed over, and so is the UTF-16 in which shells of Windows write files.
"""

from __future__ import annotations

import binascii
import codecs
import re
from base64 import b64decode
from typing import Final

import attrs

from qldb_stream.errors import DecodeError, SavedDigestError, UsageError
from qldb_stream.events import BlockAddress
from qldb_stream.hashing import DIGEST_BYTES
from qldb_stream.ion import IonSlice, IonType, blob_of, int_of, iter_text, read_struct, text_of

__all__ = ["MAX_SAVED_DIGEST_BYTES", "SavedDigest", "parse_address", "parse_digest"]

MAX_SAVED_DIGEST_BYTES: Final = 1 << 16
"""More than any form takes; what is longer is another file."""

_STRAND: Final = r"[A-Za-z0-9-]{22}"  # qldb-facts 2.2: the API's own pattern lets `-` through
# No journal has more blocks than fit: 2**63 is more than sequenceNo ever was.
_ADDRESS: Final = re.compile(rf"({_STRAND}):(0|[1-9][0-9]{{0,17}})")
_MAX_SEQUENCE_NO: Final = 10**18
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@attrs.frozen
class SavedDigest:
    """
    A digest as it was saved.

    Attributes:
        digest: 32 bytes.
        tip: the last block that it covers; None when only the digest's base64 was given.
    """

    digest: bytes
    tip: BlockAddress | None = None


def parse_digest(data: bytes) -> SavedDigest:
    """
    Read a digest that was saved.

    Args:
        data: what the QLDB console saved, GetDigest's answer as JSON, either of them as Ion
            text, or base64, alone or followed by `@STRAND:N`; with or without a byte-order
            mark, white space around it does not count.

    Raises:
        SavedDigestError: none of these, a digest of another length than 32 bytes, or a tip
            that is no block's address.
    """
    if len(data) > MAX_SAVED_DIGEST_BYTES:
        expected = f"at most {MAX_SAVED_DIGEST_BYTES} bytes"
        raise SavedDigestError(expected, f"{len(data)} bytes")
    text = _decode(data).strip()
    if text.startswith("{"):
        return _parse_struct(text)
    digest, at, tip = text.partition("@")
    return SavedDigest(_from_base64(digest.strip()), parse_address(tip) if at else None)


def parse_address(text: str) -> BlockAddress:
    """
    Read a block's address.

    Args:
        text: `STRAND:N`, or Ion text of a struct of `strandId` and `sequenceNo`.

    Raises:
        SavedDigestError: neither.
    """
    text = text.strip()
    if text.startswith("{"):
        return _address_of(_one_struct(text, "an address"))
    match = _ADDRESS.fullmatch(text)
    if match is None:
        raise SavedDigestError("a tip STRAND:N, a strand's id of 22 characters", "something else")
    return BlockAddress(match[1], int(match[2]))


def _decode(data: bytes) -> str:
    encoding = "utf-8"
    for mark, marked in _MARKS:
        if data.startswith(mark):
            data, encoding = data[len(mark) :], marked
            break
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as exc:
        raise SavedDigestError("text", f"bytes that are not {encoding.upper()}") from exc


def _parse_struct(text: str) -> SavedDigest:
    given = _one_struct(text, "a digest")
    fields = {name.lower(): value for name, value in given.items()}
    if len(fields) != len(given):
        raise SavedDigestError("each field once", "two whose names differ in capitals alone")
    digest, tip = fields.get("digest"), fields.get("digesttipaddress")
    if digest is None:
        raise SavedDigestError("a field `digest` or `Digest`", "a struct without one")
    return SavedDigest(_digest_of(digest), None if tip is None else _tip_of(tip))


def _one_struct(text: str, what: str) -> dict[str, IonSlice]:
    try:
        values = list(iter_text(text))
        if len(values) == 1:
            return read_struct(values[0])
    except (DecodeError, UsageError) as exc:
        raise SavedDigestError(f"{what} as JSON or Ion text", f"a damaged text: {exc}") from exc
    raise SavedDigestError(f"{what} as one struct", f"{len(values)} values")


def _digest_of(value: IonSlice) -> bytes:
    try:
        if value.ion_type is IonType.BLOB:
            return _checked(blob_of(value))
        return _from_base64(text_of(value))
    except SavedDigestError:
        raise
    except DecodeError as exc:
        raise SavedDigestError("a digest in base64", "a value of another type") from exc


def _tip_of(value: IonSlice) -> BlockAddress:
    """Read the three ways in which a tip is written: text, IonText's holder, and a struct."""
    try:
        if value.ion_type is not IonType.STRUCT:
            return parse_address(text_of(value))
        fields = read_struct(value)
        holder = fields.get("IonText")
        return _address_of(fields) if holder is None else parse_address(text_of(holder))
    except SavedDigestError:
        raise
    except DecodeError as exc:
        raise SavedDigestError("a tip's address", "a value of another type") from exc


def _address_of(fields: dict[str, IonSlice]) -> BlockAddress:
    try:
        strand_id, sequence_no = text_of(fields["strandId"]), int_of(fields["sequenceNo"])
    except (DecodeError, KeyError) as exc:
        raise SavedDigestError("an address of strandId and sequenceNo", "another struct") from exc
    if re.fullmatch(_STRAND, strand_id) is None or not 0 <= sequence_no < _MAX_SEQUENCE_NO:
        raise SavedDigestError("a strandId of 22 characters and a sequenceNo from 0", "others")
    return BlockAddress(strand_id, sequence_no)


def _from_base64(text: str) -> bytes:
    try:
        return _checked(b64decode(text, validate=True))
    except (binascii.Error, ValueError) as exc:  # ValueError: what is not ASCII
        raise SavedDigestError("a digest in base64", "text that is not") from exc


def _checked(digest: bytes) -> bytes:
    if len(digest) != DIGEST_BYTES:
        raise SavedDigestError(f"a digest of {DIGEST_BYTES} bytes", f"{len(digest)} bytes")
    return digest

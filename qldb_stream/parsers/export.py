"""
The objects of journal exports, and GetBlock's answer as text, block by block (facts 3.3).

This is for an object that is sound: what is damaged ends it. `export_walk` goes on behind
damage and tells places; manifests are `manifest`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, Final

from qldb_stream.errors import UsageError
from qldb_stream.events import Block
from qldb_stream.ion import IVM, IonSlice, iter_chunked, iter_slices
from qldb_stream.parsers.block import parse_block
from qldb_stream.parsers.json_export import is_json, parse_json_block
from qldb_stream.parsers.text import iter_chunked_text, iter_pieces
from qldb_stream.typing import Readable

__all__ = ["parse_export"]

_CHUNK_BYTES: Final = 1 << 20
_HEAD_BYTES: Final = 64  # tell the forms apart


def parse_export(data: bytes | str | Readable | Iterable[bytes]) -> Iterator[Block]:
    """
    Read the blocks of an export object, lazily, in order.

    Args:
        data: Ion text, binary Ion with one or several version markers, or JSON lines; whole, as
            a `Readable`, or as pieces in order, cut anywhere. Of what is not whole one block
            and one piece are held. Of GetBlock's answer it is the text `["Block"]["IonText"]`.

    Yields:
        Each block with its revisions in their order, hash-only ones included.

    Raises:
        EnvelopeError: a value is no block (facts 2.1).
        IonDecodeError: not sound Ion or JSON, or a block of more than MAX_VALUE_BYTES. Both
            raise when the value is reached, and end the iteration; every block before it was
            yielded.
        UsageError: it is none of these; raised when the first block is asked for.
    """
    chunks = _iter_chunks_of(data)
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= _HEAD_BYTES:
            break
    whole = chain((head,), chunks)
    if is_json(head):
        yield from iter_pieces(whole, _read_json)
        return
    is_whole = isinstance(data, bytes | str)
    yield from map(parse_block, _iter_values(head, whole, is_whole=is_whole))


def _iter_values(head: bytes, chunks: Iterable[bytes], *, is_whole: bool) -> Iterator[IonSlice]:
    """Read Ion; binary Ion that is all in `head` need not be cut."""
    if head.startswith(IVM):
        return iter_slices(head) if is_whole else iter_chunked(chunks)
    return iter_chunked_text(chunks)


def _iter_chunks_of(data: bytes | str | Readable | Iterable[bytes]) -> Iterator[bytes]:
    if isinstance(data, str):
        data = data.encode()
    if isinstance(data, bytes):
        return iter((data,))
    return iter(_iter_chunks(data) if isinstance(data, Readable) else _check_pieces(data))


def _read_json(piece: bytes) -> list[Block]:
    return [parse_json_block(piece)] if piece.strip() else []


def _check_pieces(data: Any) -> Iterable[bytes]:
    if isinstance(data, Iterable) and not isinstance(data, Mapping):
        pieces: Iterable[bytes] = data
        return pieces
    raise UsageError(
        f"expected an export object's Ion, found {type(data).__name__}; of GetBlock's answer "
        'pass ["Block"]["IonText"]'
    )


def _iter_chunks(data: Readable) -> Iterator[bytes]:
    pos = 0
    while chunk := data.read_at(pos, _CHUNK_BYTES):
        yield chunk
        pos += len(chunk)

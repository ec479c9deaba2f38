"""Hold a value that is still in its bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from qldb_stream.ion._copy import copy_value
from qldb_stream.ion._decode import decode_value
from qldb_stream.ion._hash import hash_span
from qldb_stream.ion._primitives import bounds, read_annotation_sids
from qldb_stream.ion._symbols import SymbolTable
from qldb_stream.ion._types import FIRST_WRAPPER, TYPE_OF_NIBBLE, IonType
from qldb_stream.ion._writer import SymbolWriter, stream_bytes, write_value


class IonSlice:
    """
    Hold a value still in its bytes: buffer, bounds, symbol table.

    Equal slices hold equal Ion values: structs without regard to order, repeated fields counted,
    numbers and timestamps as Ion compares them (precision counts).

    Attributes:
        buf: the bytes of the whole stream or record; never changed.
        start: where the value starts, its annotation wrapper included.
        end: where it ends.
        symbols: the table its symbol ids are looked up in.
    """

    __slots__ = ("buf", "end", "start", "symbols")

    def __init__(self, buf: bytes, start: int, end: int, symbols: SymbolTable) -> None:
        self.buf: Final = buf
        self.start: Final = start
        self.end: Final = end
        self.symbols: Final = symbols

    def decode(self) -> Any:
        """
        Decode to Python: plain where nothing is lost, amazon.ion's types otherwise.

        Raises:
            IonDecodeError: broken bytes, or a bound exceeded.
        """
        return decode_value(self.buf, self.start, self.end, self.symbols)

    def hash(self) -> bytes:
        """
        Compute the Ion Hash over the bytes.

        Returns:
            32 bytes, SHA-256.

        Raises:
            IonDecodeError: broken bytes, or a bound exceeded.
        """
        return hash_span(self.buf, self.start, self.end, self.symbols)

    def to_bytes(self) -> bytes:
        """
        Write a stream of this value alone, with the smallest local symbol table.

        Raises:
            IonDecodeError: broken bytes, or nested too deeply.
            IonEncodeError: a reader would take it for a symbol table (one inside another value).
        """
        return stream_bytes(*write_value(self._copy))

    def _copy(self, symbols: SymbolWriter) -> bytes:
        return copy_value(self.buf, self.start, self.end, self.symbols, symbols, 0)

    @property
    def ion_type(self) -> IonType:
        """Name the type, that of the annotated value where there are annotations."""
        return TYPE_OF_NIBBLE[self.buf[self.value_start()] >> 4]

    @property
    def is_null(self) -> bool:
        """Tell whether it is a null of any type."""
        return self.buf[self.value_start()] & 15 == 15

    @property
    def annotations(self) -> tuple[str | None, ...]:
        """List the annotations' texts in order; None for an unknown text."""
        if self.buf[self.start] < FIRST_WRAPPER:
            return ()
        start, stop = bounds(self.buf, self.start, self.end)
        sids, _pos = read_annotation_sids(self.buf, start, stop)
        return tuple([self.symbols.text(sid, start) for sid in sids])

    def value_start(self) -> int:
        """Find the type byte of the value inside its annotations."""
        if self.buf[self.start] < FIRST_WRAPPER:
            return self.start
        start, stop = bounds(self.buf, self.start, self.end)
        return read_annotation_sids(self.buf, start, stop)[1]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, IonSlice):
            return NotImplemented
        same_bytes = self.buf[self.start : self.end] == other.buf[other.start : other.end]
        if same_bytes and self.symbols is other.symbols:
            return True
        return self.hash() == other.hash()

    def __hash__(self) -> int:
        return hash(self.hash())

    def __reduce__(self) -> tuple[Callable[[bytes], IonSlice], tuple[bytes]]:
        """Pickle the value alone, not the record around it."""
        return _unpickle, (self.to_bytes(),)

    def __repr__(self) -> str:
        return f"<IonSlice {self.ion_type.name.lower()}, {self.end - self.start} bytes>"


def _unpickle(data: bytes) -> IonSlice:
    # Reading streams is the business of a module that stands on this one.
    from qldb_stream.ion._stream import load_slice

    return load_slice(data)

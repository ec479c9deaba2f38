"""
Name Ion's types, its type bytes and the bounds on hostile input.

Strategy: everything that depends on the first byte of a value alone is a table of 256 rows, made
once. `BODY_LENGTHS[type_byte]` says how long the body is, or that a VarUInt says it, or that no
value may begin so; the readers never look at the nibbles themselves. Source of the rows: the Ion
1.0 binary specification, "Typed Value Formats" (amazon-ion.github.io/ion-docs/docs/binary.html).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NoReturn

from qldb_stream.errors import IonDecodeError


class IonType(IntEnum):
    """Name the thirteen Ion types, numbered as amazon.ion numbers them."""

    NULL = 0
    BOOL = 1
    INT = 2
    FLOAT = 3
    DECIMAL = 4
    TIMESTAMP = 5
    SYMBOL = 6
    STRING = 7
    CLOB = 8
    BLOB = 9
    LIST = 10
    SEXP = 11
    STRUCT = 12


IVM: Final = b"\xe0\x01\x00\xea"  # the Ion 1.0 version marker; every binary stream starts with it

# One level is a container or an annotation wrapper. Each level costs one Python frame in the
# readers, and CPython's default recursion limit is 1,000: 200 leaves room for a caller that is deep
# already. QLDB documents are 128 KB at most (facts 5.8) and nest a handful of levels.
MAX_DEPTH: Final = 200

# A QLDB transaction is 4 MB at most (facts 5.8), an export object a few times that.
MAX_VALUE_BYTES: Final = 1 << 28

# No length, symbol id or date part that fits into memory comes near; it stops quadratic shifting.
MAX_VARUINT: Final = (1 << 62) - 1

# Decimal's own exponent limit on 64 bits is 999,999,999,999,999,999; a coefficient's digits are
# added to it.
MAX_DECIMAL_EXPONENT: Final = 10**17

# Turning a binary coefficient into decimal digits is quadratic: 4 KiB take 9 ms, 64 KiB 680 ms.
MAX_DECIMAL_BYTES: Final = 1 << 12

# Symbols that a table imports without giving their text; only their number is in the bytes, so it
# is bounded. QLDB imports none (facts 1.1); Ion's test vectors import 10,000.
MAX_IMPORTED_SYMBOLS: Final = 1 << 14

# An appending table of seven bytes copies all symbols before it. So there are only so many tables
# before one value (QLDB writes one, facts 1.1), and only so many copies since the last table that
# did not append: at worst 400 a byte, where that one has 5,000 symbols.
MAX_TABLES: Final = 16
MAX_COPIED_SYMBOLS: Final = 1 << 22

TYPE_OF_NIBBLE: Final = (
    IonType.NULL,
    IonType.BOOL,
    IonType.INT,
    IonType.INT,
    IonType.FLOAT,
    IonType.DECIMAL,
    IonType.TIMESTAMP,
    IonType.SYMBOL,
    IonType.STRING,
    IonType.CLOB,
    IonType.BLOB,
    IonType.LIST,
    IonType.SEXP,
    IonType.STRUCT,
)

SID_SYMBOL_TABLE: Final = 3  # $ion_symbol_table

LENGTH_FOLLOWS: Final = -1  # the body's length is a VarUInt after the type byte
NOT_A_VALUE: Final = -2  # no value begins with this byte

FIRST_NULL: Final = 0x0F  # below it: NOP padding
ORDERED_STRUCT: Final = 0xD1
FIRST_WRAPPER: Final = 0xE0  # at and above it: version marker, annotation wrappers, reserved


def _body_length(type_byte: int) -> int:
    """Work out one row of BODY_LENGTHS."""
    nibble, length = divmod(type_byte, 16)
    if type_byte in _FORBIDDEN or nibble == 15:
        return NOT_A_VALUE
    if type_byte == ORDERED_STRUCT or length == 14:
        return LENGTH_FOLLOWS
    return 0 if length == 15 or nibble == 1 else length


def _value_length(type_byte: int) -> int:
    """Work out one row of VALUE_LENGTHS."""
    length = BODY_LENGTHS[type_byte]
    if type_byte < FIRST_NULL or length == NOT_A_VALUE:
        return 0
    return length + 1 if length >= 0 else LENGTH_FOLLOWS


# bool beyond false, true and null; an int that is minus zero; float lengths that no IEEE format has
# (a float cannot say its length in a VarUInt either); a timestamp without offset and year; the
# version marker's byte (top-level only, and looked for there); wrappers too short to hold
# annotation and value; a null wrapper.
_FORBIDDEN: Final = frozenset(
    [*range(0x12, 0x1F), 0x30, 0x60, 0x61, 0xE0, 0xE1, 0xE2, 0xEF]
    + [0x40 + length for length in range(15) if length not in {0, 4, 8}]
)

BODY_LENGTHS: Final = tuple(_body_length(type_byte) for type_byte in range(256))

# How many bytes a whole value has, where its first byte says so; -1 where a VarUInt says it; 0
# where the byte starts padding or no value at all. The hot loops decide by one look-up whether a
# value is an ordinary one.
VALUE_LENGTHS: Final = tuple(_value_length(type_byte) for type_byte in range(256))


def fail(offset: int, problem: str) -> NoReturn:
    """
    Refuse the bytes at an offset.

    Raises:
        IonDecodeError: always.
    """
    raise IonDecodeError(offset, problem)


# What is said when the caller has left less of the interpreter's stack than MAX_DEPTH needs.
STACK_EXHAUSTED: Final = "values nest deeper than the interpreter's stack has room for"

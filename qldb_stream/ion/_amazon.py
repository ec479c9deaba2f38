"""
Build the amazon.ion values that stand where plain Python would lose something.

Rules: works with amazon.ion 0.9.3 (classes made by a mix-in) and 0.15 (one class each):
`from_value` and the attributes `ion_type` and `ion_annotations` are what both have.
"""

from __future__ import annotations

from typing import Any, Final

from amazon.ion import simple_types
from amazon.ion.core import IonType as AmazonType
from amazon.ion.symbols import ImportLocation, SymbolToken

from qldb_stream.ion._symbols import SymbolTable
from qldb_stream.ion._types import IonType

AMAZON_TYPES: Final = tuple(getattr(AmazonType, name) for name in IonType.__members__)

WRAPPERS: Final = {
    IonType.NULL: simple_types.IonPyNull,
    IonType.BOOL: simple_types.IonPyBool,
    IonType.INT: simple_types.IonPyInt,
    IonType.FLOAT: simple_types.IonPyFloat,
    IonType.DECIMAL: simple_types.IonPyDecimal,
    IonType.TIMESTAMP: simple_types.IonPyTimestamp,
    IonType.SYMBOL: simple_types.IonPySymbol,
    IonType.STRING: simple_types.IonPyText,
    IonType.CLOB: simple_types.IonPyBytes,
    IonType.BLOB: simple_types.IonPyBytes,
    IonType.LIST: simple_types.IonPyList,
    IonType.SEXP: simple_types.IonPyList,
    IonType.STRUCT: simple_types.IonPyDict,
}


def make_null(ion_type: IonType) -> Any:
    """Build a typed null."""
    return simple_types.IonPyNull.from_value(AMAZON_TYPES[ion_type], None, ())


def make_token(table: SymbolTable, sid: int, offset: int) -> Any:
    """
    Build the SymbolToken of a symbol id; one of unknown text keeps where it is imported from.

    Raises:
        IonDecodeError: the table has no such id.
    """
    text = table.text(sid, offset)
    if text is not None:
        return SymbolToken(text, None)
    for first, name, _version, count in table.imports:
        if first <= sid < first + count:
            return SymbolToken(None, sid, ImportLocation(name, sid - first + 1))
    return SymbolToken(None, 0)


def wrap(ion_type: IonType, value: Any, annotations: tuple[Any, ...]) -> Any:
    """Build the amazon.ion value of a type with annotations around a decoded value."""
    amazon_type = AMAZON_TYPES[ion_type]
    if value is None or isinstance(value, simple_types.IonPyNull):
        return simple_types.IonPyNull.from_value(amazon_type, None, annotations)
    if ion_type is IonType.STRUCT:
        return make_struct(list(value.items()), annotations)
    return WRAPPERS[ion_type].from_value(amazon_type, value, annotations)


def retyped(ion_type: IonType, value: Any) -> Any:
    """
    Give a plain value one of the types that plain Python has no word for.

    Args:
        ion_type: SYMBOL for text, SEXP for a list, CLOB for bytes.
        value: the plain value.
    """
    if ion_type is IonType.SYMBOL:
        value = SymbolToken(value, None)
    return WRAPPERS[ion_type].from_value(AMAZON_TYPES[ion_type], value, ())


def make_struct(fields: list[tuple[str | None, Any]], annotations: tuple[Any, ...]) -> Any:
    """Build an IonPyDict, which holds repeated names."""
    struct = simple_types.IonPyDict()
    for name, value in fields:
        struct.add_item(name, value)
    struct.ion_type = AmazonType.STRUCT
    struct.ion_annotations = annotations
    return struct

"""
Decoded Ion as DynamoDB's attribute values, to be read and indexed; nothing is proven by them.

The Ion itself stands beside them in each item, so this may leave out what DynamoDB has no word
for. Numbers are N where DynamoDB keeps every digit (38 at most), text else; timestamps are ISO
8601 text in UTC, where they say a moment, and Ion text else; blobs and clobs are B. Fields
whose name is empty are left out, and what is nested too deeply is Ion text (Service, account, and
table quotas in Amazon DynamoDB; Naming rules).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final, TypeAlias

from qldb_stream.ion import IonType, to_slice, to_text
from qldb_stream.sinks._relational import MISFIT, base_type, maybe_time_text, number_text

__all__ = ["AttributeValue", "comparable", "readable", "size_of"]

AttributeValue: TypeAlias = dict[str, Any]
"""A value as DynamoDB's API has it: one of S, N, B, BOOL, NULL, L, M."""

_MAX_DEPTH: Final = 28  # 32 levels, less those that an item's own attributes take
_MAX_NAME_BYTES: Final = 65_535
_MAX_DIGITS: Final = 38
_MAX_EXPONENT: Final = 125
_MIN_EXPONENT: Final = -130

_NUMBER_BYTES: Final = 21
_CONTAINER_BYTES: Final = 3


def readable(value: Any, depth: int = 0) -> AttributeValue:
    """Give the nearest attribute value of a decoded value."""
    ion_type = base_type(value)
    if ion_type in _CONTAINERS and depth >= _MAX_DEPTH:
        return _ion_text(value)
    if ion_type is IonType.STRUCT:
        return {"M": _fields(value, depth + 1)}
    if ion_type in _CONTAINERS:
        return {"L": [readable(member, depth + 1) for member in value]}
    return _SCALARS[ion_type](value)


def comparable(value: AttributeValue) -> Any:
    """Give an attribute value as one that compares equal however DynamoDB writes numbers."""
    ((kind, content),) = value.items()
    if kind == "M":
        return {name: comparable(member) for name, member in content.items()}
    if kind == "L":
        return [comparable(member) for member in content]
    if kind == "B":
        content = bytes(content)
    return (kind, Decimal(content) if kind == "N" else content)


def size_of(value: AttributeValue) -> int:
    """
    Give the bytes that DynamoDB counts for a value, or a few more.

    See https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html.
    """
    ((kind, content),) = value.items()
    if kind == "S":
        return len(content.encode())
    if kind == "B":
        return len(content)
    if kind == "M":
        return _CONTAINER_BYTES + sum(
            1 + len(name.encode()) + size_of(member) for name, member in content.items()
        )
    if kind == "L":
        return _CONTAINER_BYTES + sum(1 + size_of(member) for member in content)
    return _NUMBER_BYTES if kind == "N" else 1


def _fields(struct: Mapping[Any, Any], depth: int) -> dict[str, AttributeValue]:
    """Give a struct's fields; of a name that is repeated the last."""
    return {
        name: readable(struct[name], depth)
        for name in struct
        if name and len(name.encode()) <= _MAX_NAME_BYTES
    }


def _number(value: Any) -> AttributeValue:
    text = number_text(value)
    if text is None:
        return _ion_text(value)
    number = Decimal(text)
    digits = len(number.as_tuple().digits) if number else 1
    if digits > _MAX_DIGITS:
        trimmed = "".join(map(str, number.as_tuple().digits)).rstrip("0")
        digits = len(trimmed)
    fits = digits <= _MAX_DIGITS and _MIN_EXPONENT <= number.adjusted() <= _MAX_EXPONENT
    if not number:
        return {"N": "0"}
    return {"N": text} if fits else {"S": text}


def _time(value: Any) -> AttributeValue:
    text = maybe_time_text(value)
    return _ion_text(value) if text is MISFIT else {"S": text}


def _ion_text(value: Any) -> AttributeValue:
    return {"S": to_text(to_slice(value))}


_CONTAINERS: Final = frozenset({IonType.STRUCT, IonType.LIST, IonType.SEXP})
_SCALARS: Final[Mapping[IonType, Callable[[Any], AttributeValue]]] = {
    IonType.NULL: lambda _: {"NULL": True},
    IonType.BOOL: lambda value: {"BOOL": bool(value)},
    IonType.INT: lambda value: _number(int(value)),
    IonType.FLOAT: lambda value: _number(float(value)),
    IonType.DECIMAL: lambda value: _number(Decimal(value)),
    IonType.TIMESTAMP: _time,
    IonType.SYMBOL: lambda value: {"S": value.text or "$0"},
    IonType.STRING: lambda value: {"S": str(value)},
    IonType.CLOB: lambda value: {"B": bytes(value)},
    IonType.BLOB: lambda value: {"B": bytes(value)},
}

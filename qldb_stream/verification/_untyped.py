"""
Which values of a block's part a JSON export cannot have kept the types of (facts 3.3).

The schema of transactionInfo and redactionInfo is fixed, so the parser gives their types back
and their hashes recompute. A field that no schema names, and a null, have lost theirs for good:
then a hash that does not fit says nothing, as long as all that the schema asks for is there and
no name looks like a damaged one. Anything else is damage, and fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

from qldb_stream.errors import DecodeError
from qldb_stream.ion import IonSlice, IonType, iter_elements, read_struct
from qldb_stream.verification._unknown import is_damaged_name

__all__ = ["REDACTION_INFO", "TRANSACTION_INFO", "Schema", "untyped_paths"]

Schema: TypeAlias = "IonType | list[Schema] | dict[str, Schema]"
"""A scalar's type, what each element of a list is, or the fields of a struct."""

_ANY: Final = ""
"""Stands for the name of each field of a struct that is keyed by ids."""

_STATEMENT: Final[Schema] = {
    "statement": IonType.STRING,
    "startTime": IonType.TIMESTAMP,
    "statementDigest": IonType.BLOB,
}
_DOCUMENT: Final[Schema] = {
    "tableName": IonType.STRING,
    "tableId": IonType.STRING,
    "statements": [IonType.INT],
}
_ADDRESS: Final[Schema] = {"strandId": IonType.STRING, "sequenceNo": IonType.INT}
TRANSACTION_INFO: Final[Schema] = {"statements": [_STATEMENT], "documents": {_ANY: _DOCUMENT}}
REDACTION_INFO: Final[Schema] = {
    "revisions": [
        {
            "blockAddress": _ADDRESS,
            "tableId": IonType.STRING,
            "documentId": IonType.STRING,
            "version": IonType.INT,
        }
    ]
}
_OPTIONAL: Final = frozenset(("documents",))  # facts 2.3


class _DamagedError(Exception):
    """What a schema asks for is not there, or is something else."""


def untyped_paths(value: IonSlice, schema: Schema) -> frozenset[str]:
    """
    Find the values whose types nobody knows.

    Args:
        value: transactionInfo or redactionInfo, rebuilt from JSON.
        schema: of it.

    Returns:
        Their paths, as `HashTree` writes them; none when there are none, or when something
        else is wrong with the part.
    """
    try:
        return frozenset(_iter_untyped(value, schema, ""))
    except (_DamagedError, DecodeError):
        return frozenset()


def _iter_untyped(value: IonSlice, schema: Schema, path: str) -> Iterator[str]:
    if value.is_null:
        yield path
    elif isinstance(schema, dict):
        yield from _iter_fields(value, schema, path)
    elif isinstance(schema, list):
        if value.ion_type is not IonType.LIST:
            raise _DamagedError
        for at, inner in enumerate(iter_elements(value)):
            yield from _iter_untyped(inner, schema[0], f"{path}[{at}]")
    elif value.ion_type is not schema:
        raise _DamagedError


def _iter_fields(value: IonSlice, schema: Mapping[str, Schema], path: str) -> Iterator[str]:
    if value.ion_type is not IonType.STRUCT:
        raise _DamagedError
    fields = read_struct(value)  # no name twice
    every = schema.get(_ANY)
    lacking = schema.keys() - fields.keys()
    if every is None and not lacking <= _OPTIONAL:
        raise _DamagedError
    for name, inner in fields.items():
        own = f"{path}.{name}" if path else name
        known = schema.get(name, every)
        if known is not None:
            yield from _iter_untyped(inner, known, own)
        elif is_damaged_name(name, lacking):
            raise _DamagedError
        else:
            yield own

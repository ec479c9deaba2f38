"""
Statement texts made ready once: parsed, compiled, hashed and encoded.

Strategy: applications send the same few texts again and again, so what depends on the
text alone is kept: its plan, H(text), and the pieces that it adds to `transactionInfo`.
Plans are immutable, so all ledgers of a process share one cache. It is bounded twice,
by number and, for long texts, by a smaller number; texts full of literals flush only it.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

import attrs

from qldb_stream.hashing import dot
from qldb_stream.ion import to_slice
from qldb_stream.ledger._hashes import (
    blob_hash,
    field_digest,
    int_hash,
    name_part,
    string_hash,
    string_part,
)
from qldb_stream.ledger._ion import field_id, ion_string
from qldb_stream.partiql import (
    InsertPlan,
    ModifyPlan,
    ParsedStatement,
    SelectPlan,
    ast,
    compile_statement,
    parse_statement,
)

__all__ = ["PreparedStatement", "bind_parameter", "prepare", "statement_digest"]

_CACHED_TEXTS: Final = 1024
_SHORT_CHARACTERS: Final = 4096
# QLDB's longest statement has 100,000 characters (facts 5.8).
_CACHED_LONG_TEXTS: Final = 32

_STATEMENT: Final = field_id("statement")

# They mean the same to an expression whether decoded or not, and nobody can change them later.
_PLAIN: Final = frozenset({type(None), bool, int, float, Decimal, str, bytes})


@attrs.frozen(eq=False)
class PreparedStatement:
    """
    What a statement's text alone decides.

    Attributes:
        parsed: text and tree.
        asks_time: whether it may call UTCNOW().
        plan: how to carry it out; None for DDL and EXEC, which are read off the tree.
        text_hash: H(text), 32 bytes.
        ion_field: the field `statement` of its `transactionInfo` entry, encoded.
        digest_of_field: the same field for Ion Hash, 32 bytes.
    """

    parsed: ParsedStatement
    asks_time: bool
    plan: SelectPlan | InsertPlan | ModifyPlan | None
    text_hash: bytes
    ion_field: bytes
    digest_of_field: bytes


def prepare(text: str, *, extensions: bool = False) -> PreparedStatement:
    """
    Parse and compile a statement, or find it in the cache.

    Args:
        text: the statement.
        extensions: whether what QLDB did not have is allowed; the cache tells them apart.

    Raises:
        PartiqlParseError: the text is not PartiQL.
        PartiqlSemanticError: it names what cannot be.
        UnsupportedPartiqlError: QLDB did not have it, or this ledger does not yet.
        IonEncodeError: the text has a lone surrogate, so it cannot be journaled.
    """
    find = _prepare_short if len(text) <= _SHORT_CHARACTERS else _prepare_long
    return find(text, extensions)


def _prepare(text: str, extensions: bool) -> PreparedStatement:  # noqa: FBT001 - a cache's key
    to_slice(text)  # raises where UTF-8 cannot say the text
    parsed = parse_statement(text, extensions=extensions)
    compiled = isinstance(parsed.statement, (ast.Select, ast.Insert, ast.Modify, ast.Delete))
    return PreparedStatement(
        parsed,
        "UTCNOW" in text.upper(),
        compile_statement(parsed) if compiled else None,
        string_hash(text),
        _STATEMENT + ion_string(text),
        field_digest(name_part("statement"), string_part(text)),
    )


_prepare_short = lru_cache(maxsize=_CACHED_TEXTS)(_prepare)
_prepare_long = lru_cache(maxsize=_CACHED_LONG_TEXTS)(_prepare)


def bind_parameter(value: Any) -> tuple[Any, bytes]:
    """
    Make a parameter ready: what the plan is given, and H(parameter).

    A container becomes a slice: it is encoded once, and later changes by its owner do not
    reach the ledger. A slice is passed on untouched.

    Raises:
        IonEncodeError: Ion has nothing for it.
    """
    kind = type(value)
    if kind is str and value.isascii():
        return value, string_hash(value)
    if kind is int and value >= 0:
        return value, int_hash(value)
    if kind is bytes:
        return value, blob_hash(value)
    encoded = to_slice(value)
    return value if kind in _PLAIN else encoded, encoded.hash()


def statement_digest(text_hash: bytes, parameter_hashes: list[bytes]) -> bytes:
    """Fold H(text) and the parameters' hashes, 32 bytes (facts 2.5)."""
    digest = text_hash
    for parameter in parameter_hashes:
        digest = dot(digest, parameter)
    return digest

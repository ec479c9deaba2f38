"""What makes a filter's configuration make no sense: found when it is made, not at a block."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final

from qldb_stream.errors import LedgerError, UsageError
from qldb_stream.filters._masks import EVERY_TABLE, Mask, MaskMethod
from qldb_stream.partiql import Predicate, compile_predicate

MIN_SALT_BYTES: Final = 16

# Facts 5.1, CREATE TABLE.
_TABLE_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")

# Replay passes such tables over; what is renamed to one would vanish there.
_OWN_TABLES: Final = "qldb_stream_"

# Facts 5.8: the longest statement.
_MAX_CONDITION: Final = 100_000


@lru_cache(maxsize=256)
def compiled(table: str, text: str) -> Predicate:
    """
    Compile a condition, or take the one that was compiled before.

    Raises:
        UsageError: it is no condition on a document.
    """
    if len(text) > _MAX_CONDITION:
        raise UsageError(f"the condition on {table} is longer than {_MAX_CONDITION:,} characters")
    try:
        return compile_predicate(text, table)
    except LedgerError as exc:
        raise UsageError(f"the condition on {table}: {exc}") from exc


def check_tables(
    tables: Collection[str] | None, exclude_tables: Collection[str], others: Iterable[str]
) -> None:
    """
    Check which tables are delivered, and that the other rules speak of these.

    Raises:
        UsageError: what is no table name; a table both in and out; none left; a rule for a
            table that is left out.
    """
    for name in sorted({*(tables or ()), *exclude_tables, *others}):
        if not _TABLE_NAME.fullmatch(name):
            raise UsageError(f"{name!r} is not a table name")
    if tables is not None and not tables:
        raise UsageError("a filter that lists no table would deliver nothing")
    if tables is not None and exclude_tables:
        raise UsageError("name the tables to deliver or the tables to leave out, not both")
    for name in others:
        if name in exclude_tables or (tables is not None and name not in tables):
            raise UsageError(f"there is a rule for table {name}, which is left out")


def check_rename(rename: Mapping[str, str]) -> None:
    """
    Check the new names of tables.

    Raises:
        UsageError: a name that no table can have, or that two would have.
    """
    for name, count in sorted(Counter(rename.values()).items()):
        if not _TABLE_NAME.fullmatch(name):
            raise UsageError(f"no table can be renamed to {name!r}: it is not a table name")
        if name.startswith(_OWN_TABLES):
            raise UsageError(f"no table can be renamed to {name}: sinks keep such names")
        if count > 1:
            raise UsageError(f"two tables are renamed to {name}")


def check_masks(masks: Sequence[Mask], salt: bytes | None) -> None:
    """
    Check masks and the salt of those that hash.

    Raises:
        UsageError: a field with two masks or without a name, a hash without a salt, or one
            that is shorter than MIN_SALT_BYTES.
    """
    seen: set[tuple[str, tuple[str, ...]]] = set()
    for mask in masks:
        if not mask.path:
            raise UsageError(f"a mask of table {mask.table} names no field")
        if (mask.table, mask.path) in seen:
            raise UsageError(f"{mask} is masked twice")
        seen.add((mask.table, mask.path))
    if salt is not None and len(salt) < MIN_SALT_BYTES:
        raise UsageError(f"a salt of {len(salt)} bytes can be guessed: take {MIN_SALT_BYTES}")
    if salt is None and any(mask.method is MaskMethod.HASH for mask in masks):
        raise UsageError(
            "hashing a field needs a salt, or whoever has the hashes can try values: "
            "give --salt-env NAME, or salt=... in Python"
        )


def tables_of(masks: Iterable[Mask]) -> frozenset[str]:
    """Name the tables that masks speak of."""
    return frozenset(mask.table for mask in masks) - {EVERY_TABLE}

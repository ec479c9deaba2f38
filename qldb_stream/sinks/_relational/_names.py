"""
Names of tables and columns that a database takes, for names that QLDB took.

A name becomes lower case, so that people need not quote it; what is neither a letter, a
digit nor an underscore becomes an underscore. A word that SQL reserves gets one behind it. It
is cut to what the database allows, and where two names would be one, the later gets a number.
Which name became which is remembered in the catalog, and never worked out again.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

__all__ = ["legal", "pick", "quote"]

_SUFFIX_BYTES: Final = 6  # room for _2 to _99999

# Reserved in PostgreSQL 18 (appendix C, "reserved" in any form) or in SQLite (lang_keywords); the
# last line are columns that every table has.
_RESERVED: Final = frozenset(
    """
    abort action add after all alter always analyse analyze and any array as asc asymmetric
    attach authorization autoincrement before begin between binary both by cascade case cast
    check collate collation column commit concurrently conflict constraint create cross
    current current_catalog current_date current_role current_schema current_time
    current_timestamp current_user database default deferrable deferred delete desc detach
    distinct do drop each else end escape except exclude exclusive exists explain fail false
    fetch filter first following for foreign freeze from full generated glob grant group
    groups having if ignore ilike immediate in index indexed initially inner insert instead
    intersect into is isnull join key last lateral leading left like limit localtime
    localtimestamp match materialized natural no not nothing notnull null nulls of offset on
    only or order others outer over overlaps partition placing plan pragma preceding primary
    query raise range recursive references regexp reindex release rename replace restrict
    returning right rollback row rows savepoint select session_user set similar some symmetric
    system_user table tablesample temp temporary then ties to trailing transaction trigger
    true unbounded union unique update user using vacuum values variadic verbose view virtual
    when where window with without
    cmax cmin ctid oid rowid tableoid xmax xmin
    """.split()  # noqa: SIM905 - a list of them has a page of quotes
)


def quote(name: str) -> str:
    """Write a name so that it is taken literally."""
    return '"' + name.replace('"', '""') + '"'


def legal(name: str, max_bytes: int) -> str:
    """Make a name that both databases take without quotes."""
    made = "".join(c if c.isalnum() else "_" for c in name.lower())
    if not made.strip("_"):
        made = "field" + made
    if made[0].isdigit() or made.startswith("sqlite_"):
        made = "_" + made
    if made in _RESERVED:
        made += "_"
    return _cut(made, max_bytes)


def pick(
    name: str, taken: Collection[str], max_bytes: int, endings: Collection[str] = ("",)
) -> str:
    """
    Make a legal name that is still free, with each of the endings.

    Args:
        name: as QLDB had it.
        taken: names that others have, in lower case.
        max_bytes: how long a name may be, with the longest ending.
        endings: what else must be free: the name followed by each of these.
    """
    room = max_bytes - max(len(ending) for ending in endings)
    base = legal(name, room)
    made, number = base, 1
    while any(made + ending in taken for ending in endings):
        number += 1
        made = f"{_cut(base, room - _SUFFIX_BYTES)}_{number}"
    return made


def _cut(name: str, max_bytes: int) -> str:
    """Cut a name to so many bytes of UTF-8, between characters."""
    return name.encode()[:max_bytes].decode(errors="ignore")

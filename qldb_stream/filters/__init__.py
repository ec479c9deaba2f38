"""
Change what is delivered: tables in and out, other names, masked fields, chosen documents.

A `Filter` is frozen configuration; `Filter.apply` makes of a verified block the block that a
sink gets. It stands between order and delivery, does no I/O, and gives the same answer for
the same block always. What it took away is said in the block (`Block.filtered`,
`Revision.masked`, `Revision.is_withheld`), and the hashes stay those of the source.
"""

from __future__ import annotations

from qldb_stream.filters._filter import Filter
from qldb_stream.filters._masks import EVERY_TABLE, Mask, MaskMethod, format_path, parse_path
from qldb_stream.filters._parse import parse_filter, parse_mask
from qldb_stream.filters._unmet import UnmetRules

__all__ = [
    "EVERY_TABLE",
    "Filter",
    "Mask",
    "MaskMethod",
    "UnmetRules",
    "format_path",
    "parse_filter",
    "parse_mask",
    "parse_path",
]

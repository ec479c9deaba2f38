"""
What an archive holds of a ledger, which of its parts holds it, and what is missing.

One pass over a source, in bounded memory and without recomputing hashes: `coverage` says
what is there, `verify` whether it is right. `_survey` walks the source, `_holders` tells
which file holds how much of a block, `_strand` sums up.
"""

from __future__ import annotations

from qldb_stream.archive.coverage._begin import Begin
from qldb_stream.archive.coverage._survey import LocatingSource, Survey, cover_source

__all__ = ["Begin", "LocatingSource", "Survey", "cover_source"]

"""
Joins summaries and revisions, in whatever order they come, into whole blocks.

Duplicates fall out here. `_assembler` joins, `_copies` decides which of several copies
of one thing is the genuine one.
"""

from qldb_stream.assembly._assembler import BlockAssembler

__all__ = ["BlockAssembler"]

"""PartiQL as QLDB spoke it: text -> tree -> plan -> rows and new documents."""

from __future__ import annotations

from qldb_stream.partiql._lexer import locate
from qldb_stream.partiql._parse import ParsedStatement, parse_statement

__all__ = ["ParsedStatement", "locate", "parse_statement"]

"""parse_statement: a text becomes a ParsedStatement, or a located error."""

from __future__ import annotations

from typing import Final

import attrs

from qldb_stream.errors import PartiqlParseError
from qldb_stream.partiql._statements import parse_whole
from qldb_stream.partiql._walk import children
from qldb_stream.partiql.ast import Node, Statement

# Left-leaning chains (`a || b || ...`) nest without nesting in the text; evaluation
# descends one or two Python frames a level (see MAX_NESTING).
MAX_HEIGHT: Final = 128


@attrs.frozen
class ParsedStatement:
    """A statement: its text, its tree and how many `?` it has."""

    text: str
    statement: Statement
    parameter_count: int


def parse_statement(text: str) -> ParsedStatement:
    """
    Parse one PartiQL statement of QLDB's dialect (facts 5.1).

    Args:
        text: one statement, a trailing `;` allowed; the caller bounds its length
            (100,000 characters in QLDB, facts 5.8).

    Raises:
        PartiqlParseError: not PartiQL; says where and what was expected.
        UnsupportedPartiqlError: PartiQL or SQL that QLDB did not support, named.

    """
    statement, parameter_count, token_count = parse_whole(text)
    if token_count > MAX_HEIGHT:
        _check_height(statement)
    return ParsedStatement(text, statement, parameter_count)


def _check_height(statement: Statement) -> None:
    """Refuse a tree that evaluation could not descend; walks without recursion."""
    level: list[Node] = [statement]
    for _ in range(MAX_HEIGHT):
        level = [child for node in level for child in children(node)]
        if not level:
            return
    raise PartiqlParseError(1, 1, f"statement nested deeper than {MAX_HEIGHT} levels")

"""parse_statement: a text becomes a ParsedStatement, or a located error."""

from __future__ import annotations

from typing import Final

import attrs

from qldb_stream.errors import PartiqlParseError
from qldb_stream.partiql._lexer import locate
from qldb_stream.partiql._statements import parse_whole
from qldb_stream.partiql._walk import children, pos_of
from qldb_stream.partiql.ast import Modify, Node, Path, Select, Statement

# Left-leaning chains (`a || b || ...`) nest without nesting in the text; evaluation
# descends one or two Python frames a level (see MAX_NESTING). A path is as many levels
# as it has steps and a FROM list as many as it has sources, for so deep are they
# evaluated: a path of 120 steps works, one of 600 is refused. AND and OR are one level,
# however many operands they have.
MAX_HEIGHT: Final = 128


@attrs.frozen
class ParsedStatement:
    """A statement: its text, its tree and how many `?` it has."""

    text: str
    statement: Statement
    parameter_count: int


def parse_statement(text: str, *, extensions: bool = False) -> ParsedStatement:
    """
    Parse one PartiQL statement of QLDB's dialect (facts 5.1).

    Args:
        text: one statement, a trailing `;` allowed; the caller bounds its length
            (100,000 characters in QLDB, facts 5.8).
        extensions: allow what QLDB did not: ORDER BY, LIMIT, OFFSET, GROUP BY, HAVING,
            DISTINCT and CASE.

    Raises:
        PartiqlParseError: not PartiQL; says where and what was expected.
        UnsupportedPartiqlError: PartiQL or SQL that QLDB did not support, named.

    """
    statement, parameter_count, token_count = parse_whole(text, extensions=extensions)
    if token_count > MAX_HEIGHT:
        check_height(text, statement)
    return ParsedStatement(text, statement, parameter_count)


def check_height(text: str, statement: Node) -> None:
    """Refuse a tree that evaluation could not descend; walks without recursion."""
    waiting: list[tuple[Node, int]] = [(statement, 0)]
    while waiting:
        node, above = waiting.pop()
        height = above + _levels(node)
        if height > MAX_HEIGHT:
            line, column = locate(text, pos_of(node))
            problem = f"statement nested deeper than {MAX_HEIGHT} levels"
            raise PartiqlParseError(
                line, column, f"{problem}; each step of a path and each source of a FROM is one"
            )
        waiting.extend((child, height) for child in children(node))


def _levels(node: Node) -> int:
    """Count the levels that evaluation descends from a node to those below it."""
    if isinstance(node, Path):
        return len(node.steps)
    if isinstance(node, Select | Modify):
        return len(node.sources)
    return 1

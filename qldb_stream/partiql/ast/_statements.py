"""Statements that write, define tables and indexes, or call a procedure."""

from __future__ import annotations

import attrs

from qldb_stream.partiql.ast._expressions import Expr, Identifier, Node, Statement, node_pos
from qldb_stream.partiql.ast._queries import Source


@attrs.frozen
class Assignment(Node):
    """`target = value` of a SET."""

    target: Expr
    value: Expr
    pos: int = node_pos()


@attrs.frozen
class Operation(Node):
    """What an UPDATE or a FROM statement does to each document."""


@attrs.frozen
class SetFields(Operation):
    """`SET path = expr, ...`."""

    assignments: tuple[Assignment, ...]
    pos: int = node_pos()


@attrs.frozen
class InsertInto(Operation):
    """`INSERT INTO path VALUE expr [AT key]`."""

    target: Expr
    value: Expr
    key: Expr | None = None
    pos: int = node_pos()


@attrs.frozen
class Remove(Operation):
    """`REMOVE path`."""

    target: Expr
    pos: int = node_pos()


@attrs.frozen
class Insert(Statement):
    """`INSERT INTO table VALUE doc`, `<< docs >>` or `?`; `single` when VALUE was written."""

    table: Identifier
    documents: Expr
    single: bool = False
    pos: int = node_pos()


@attrs.frozen
class Modify(Statement):
    """`UPDATE table op [WHERE]`, or `FROM sources [WHERE] op` (`from_form`)."""

    sources: tuple[Source, ...]
    operation: Operation
    where: Expr | None = None
    from_form: bool = False
    pos: int = node_pos()


@attrs.frozen
class Delete(Statement):
    """`DELETE FROM table [AS a] [BY id] [WHERE cond]`."""

    source: Source
    where: Expr | None = None
    pos: int = node_pos()


@attrs.frozen
class CreateTable(Statement):
    """`CREATE TABLE name [WITH (aws_tags = ...)]`."""

    name: str
    tags: Expr | None = None
    pos: int = node_pos()


@attrs.frozen
class DropTable(Statement):
    """`DROP TABLE name`."""

    name: str
    pos: int = node_pos()


@attrs.frozen
class UndropTable(Statement):
    """`UNDROP TABLE "tableId"`."""

    table_id: str
    pos: int = node_pos()


@attrs.frozen
class CreateIndex(Statement):
    """`CREATE INDEX ON table (field)`."""

    table: str
    field: str
    pos: int = node_pos()


@attrs.frozen
class DropIndex(Statement):
    """`DROP INDEX "indexId" ON table WITH (purge = true)`."""

    index_id: str
    table: str
    pos: int = node_pos()


@attrs.frozen
class Exec(Statement):
    """`EXEC procedure a, b, c`; the procedure's name in lower case."""

    procedure: str
    arguments: tuple[Expr, ...]
    pos: int = node_pos()

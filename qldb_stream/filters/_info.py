"""
What is left of a transactionInfo when something is hidden.

A statement's text may hold as a literal what a mask or a condition takes out of the
documents, and so may a SELECT of a block that changed another table. So a filter that hides
anything keeps the texts of DDL on tables that are delivered, which sinks need, and of all other
statements the first word. Times, digests and indexes stay, and the documents of tables that
are delivered. The hash of the whole stays in the summary's entriesHashList.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from qldb_stream.events import TransactionInfo
from qldb_stream.ion import LEFT_OUT, IonSlice, iter_elements, iter_fields, replaced, text_of
from qldb_stream.partiql import is_ddl, maybe_ddl, table_of_ddl
from qldb_stream.statements import deletes_documents, first_keyword

LEFT_OUT_TEXT: Final = "-- left out by a filter"
"""What stands in the place of a statement's text, or of what follows its first word."""

_WORDS: Final = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "FROM", "EXEC"})
_STATEMENT_FIELDS: Final = frozenset({"startTime", "statementDigest"})


def iter_ddl_tables(texts: Iterable[str]) -> Iterator[str]:
    """Iterate over the names of tables that DDL among some statements is about."""
    for text in texts:
        change = maybe_ddl(text)
        name = None if change is None else table_of_ddl(change)
        if name is not None:
            yield name


def reduced_info(info: TransactionInfo, delivers: Callable[[str], bool]) -> TransactionInfo:
    """
    Take out of a transactionInfo what a filter must not let pass.

    Args:
        info: the source's.
        delivers: says of a table by its name whether it is delivered.

    Raises:
        DecodeError: it is of another shape than facts 2.3 says.
    """
    exchanged: dict[int, Any] = {}
    for name, part in iter_fields(info.ion):
        if part.is_null:
            continue
        if name == "statements":
            for statement in iter_elements(part):
                exchanged.update(_reduce_statement(statement, delivers))
        elif name == "documents":
            exchanged.update(_reduce_documents(part, delivers))
        else:
            exchanged[part.start] = LEFT_OUT
    return TransactionInfo(replaced(info.ion, exchanged))


def _reduce_statement(
    statement: IonSlice, delivers: Callable[[str], bool]
) -> Iterator[tuple[int, Any]]:
    for name, field in iter_fields(statement):
        if name == "statement":
            yield field.start, _reduced_text(text_of(field), delivers)
        elif name not in _STATEMENT_FIELDS:
            yield field.start, LEFT_OUT


def _reduced_text(text: str, delivers: Callable[[str], bool]) -> str:
    if is_ddl(text):
        return text if _keeps_ddl(text, delivers) else LEFT_OUT_TEXT
    word = "DELETE" if deletes_documents(text) else first_keyword(text)
    return f"{word} {LEFT_OUT_TEXT}" if word in _WORDS else LEFT_OUT_TEXT


def _keeps_ddl(text: str, delivers: Callable[[str], bool]) -> bool:
    """Say whether a DDL statement is about a table that is delivered, as far as it names one."""
    change = maybe_ddl(text)
    if change is None:
        return False
    # UNDROP has an id, and a sink that does not know it has nothing to do.
    name = table_of_ddl(change)
    return name is None or delivers(name)


def _reduce_documents(
    documents: IonSlice, delivers: Callable[[str], bool]
) -> Iterator[tuple[int, Any]]:
    for _, document in iter_fields(documents):
        tables = [text_of(field) for name, field in iter_fields(document) if name == "tableName"]
        if not all(map(delivers, tables)):
            yield document.start, LEFT_OUT

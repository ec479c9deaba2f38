"""
A ledger as dicts, that runs one transaction after the other.

Each step of a transaction is a function of the model that changes it and gives what the
ledger should answer: rows in an order of their own, or the name of an error.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, Final

import attrs

from qldb_stream.errors import PartiqlSemanticError, StatementError
from qldb_stream.ledger import Transaction
from tests.ledger.support import ask

__all__ = ["Document", "Model", "Running", "Step", "matches", "rows_of"]

Document = dict[str, Any]
Step = Callable[["Model"], Any]
Revision = tuple[str, int, Document | None]

MISSING: Final = PartiqlSemanticError.__name__
REFUSED: Final = StatementError.__name__


def matches(document: Document, keys: Sequence[Any]) -> bool:
    """PartiQL's `IN`: numbers by value, null equal to nothing."""
    return any(key is not None and document["k"] == key for key in keys)


def rows_of(found: Any) -> Any:
    """Put rows into an order of their own; an error's name stays."""
    return found if isinstance(found, str) else sorted(map(repr, found))


@attrs.define
class Table:
    """
    A table, active or dropped.

    Attributes:
        name: its name.
        active: whether it is not dropped.
        documents: by id, as the running transaction has them.
        fields: those that have an index.
        history: the committed revisions.
        written: ids of documents that the running transaction changed.
    """

    name: str
    active: bool = True
    documents: dict[str, Document] = attrs.field(factory=dict)
    fields: set[str] = attrs.field(factory=set)
    history: list[Revision] = attrs.field(factory=list)
    written: set[str] = attrs.field(factory=set)

    def commit(self) -> None:
        """Make one revision of each changed document, but for those that came and went."""
        versions = {document_id: version for document_id, version, _ in self.history}
        for document_id in self.written:
            document = self.documents.get(document_id)
            if document is not None or document_id in versions:
                version = versions.get(document_id, -1) + 1
                self.history.append((document_id, version, copy.copy(document)))
        self.written.clear()


class Model:
    """Committed tables, by id."""

    def __init__(self) -> None:
        self.tables: dict[str, Table] = {}

    def after(self, steps: Sequence[tuple[Step, Any]]) -> Model:
        """
        Run a transaction's steps, and give the model after it.

        Raises:
            AssertionError: a step gives something else than the ledger answered.
        """
        model = copy.deepcopy(self)
        for step, answer in steps:
            assert answer == rows_of(step(model))
        for table in model.tables.values():
            table.commit()
        return model

    def maybe_table(self, name: str) -> Table | None:
        """Find an active table."""
        found = [table for table in self.tables.values() if table.active and table.name == name]
        return found[0] if found else None


class Running:
    """An open transaction: what it did and what it was answered."""

    def __init__(self, transaction: Transaction, commits: int) -> None:
        self.transaction = transaction
        self.commits = commits
        self.steps: list[tuple[Step, Any]] = []

    def ask(self, text: str, *parameters: Any) -> Any:
        """Run a statement; give its rows, or the name of the error that it ended in."""
        try:
            return ask(self.transaction, text, *parameters)
        except (PartiqlSemanticError, StatementError) as exc:
            return type(exc).__name__

    def did(self, step: Step, answer: Any) -> None:
        """Note a step with the ledger's answer."""
        self.steps.append((step, rows_of(answer)))

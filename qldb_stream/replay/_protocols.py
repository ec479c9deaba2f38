"""What a destination must offer: pyqldb's interface, and no more of it than is used."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Transaction(Protocol):
    """An open transaction."""

    def execute_statement(self, statement: str, *parameters: Any) -> Iterable[Any]:
        """Run a statement and give its rows, decoded Ion values."""


class Driver(Protocol):
    """What runs functions in transactions."""

    def execute_lambda(self, query_lambda: Callable[[Any], T]) -> T:
        """Run a function in a transaction, commit, and give what it returned."""


class Destination(Protocol):
    """A ledger that a journal is, or was, replayed into."""

    def driver(self) -> Driver:
        """Give a driver for it."""

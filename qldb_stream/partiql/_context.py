"""
What an execution is given: the protocol of the storage below, and the frame.

A frame is a list that lives for one execution: the context first, then two places
for every variable of the statement. The first holds the value as the storage gave it
(often an IonSlice, passed on untouched), the second the decoded value once somebody
looked inside. Compiled expressions are functions of the frame.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Protocol

import attrs

from qldb_stream.errors import PartiqlSemanticError
from qldb_stream.ion import IonSlice

# What is done to a thousand characters takes about as long as a row.
_STEPS_OF_A_ROW: Final = 1 << 12

Frame = list[Any]
Evaluate = Callable[[Frame], Any]

# Places of a frame before its variables.
CONTEXT: Final = 0
RAW_PARAMETERS: Final = 1
PARAMETERS: Final = 2
FIRST_VARIABLE: Final = 3


class TableKind(enum.Enum):
    """The views of a table (facts 5.3)."""

    USER = "user"
    COMMITTED = "committed"
    HISTORY = "history"
    SYSTEM = "system"


@attrs.frozen
class TableRef:
    """A table as a statement names it; line and column for located errors."""

    kind: TableKind
    name: str
    is_id: bool
    line: int
    column: int


@attrs.frozen
class Lookup:
    """A field, or the document id (None), and the values one of which it must equal."""

    field: str | None
    values: tuple[Any, ...]


@attrs.frozen
class LookupUse:
    """A look-up as a plan has it, before there are values; `operator` is `=` or `IN`."""

    field: str | None
    operator: str


@attrs.frozen
class SourceAccess:
    """
    How a plan reaches one item of a FROM clause.

    Attributes:
        name: its alias, or the name that stands for one.
        table: None when it ranges over a value.
        lookups: what it can ask for instead of everything, in the order of the text.
        filters: how many conditions are checked on each of its rows.
        depth: 0 in the statement itself, 1 in a sub-query, and so on.
    """

    name: str
    table: TableRef | None
    lookups: tuple[LookupUse, ...]
    filters: int
    depth: int


class Sources(Protocol):
    """The tables that a statement ranges over; the ledger implements it."""

    def iter_rows(
        self, table: TableRef, lookups: tuple[Lookup, ...], bounds: tuple[Any, ...]
    ) -> Iterable[tuple[str | None, Any]]:
        """
        Yield (document id, value) for every document of a table.

        Args:
            table: which table, and which view of it.
            lookups: conditions that every wanted row fulfils; rows that do not may be
                left out, none need be. No row may be left out that fulfils all.
            bounds: start and end of history(), as far as given.

        Raises:
            PartiqlSemanticError: no such table (`no_such_variable`).

        """
        ...


class Check(Protocol):
    """What is asked, now and then, whether an execution may go on."""

    def __call__(self, rows: int = 1) -> None:
        """Count rows; what it raises ends the statement."""


@attrs.frozen
class Context:
    """
    One execution: tables, parameters, transaction.

    Args:
        sources: the tables.
        parameters: one Ion value for each `?`, decoded or as IonSlice.
        transaction_id: what TXID() answers.
        now: what UTCNOW() answers; an aware datetime or a Timestamp.
        check: called for each row that is looked at, and with how many rows an operation
            is worth that costs as much; what it raises ends the statement. A join of a few
            tables has more rows than anybody waits for.
        hold: called with how many bytes more are held in memory until other rows are known,
            or fewer; what it raises ends the statement.

    """

    sources: Sources
    parameters: Sequence[Any] = ()
    transaction_id: str | None = None
    now: Any = None
    check: Check | None = None
    hold: Callable[[int], None] | None = None


def make_frame(context: Context, size: int) -> Frame:
    """Build an empty frame for one execution."""
    frame: Frame = [None] * size
    frame[CONTEXT] = context
    frame[RAW_PARAMETERS] = context.parameters
    frame[PARAMETERS] = list(context.parameters)
    return frame


def bind(frame: Frame, slot: int, value: Any) -> None:
    """Give a variable its value; it is decoded when somebody looks inside."""
    frame[slot] = value
    frame[slot + 1] = None


def touch(frame: Frame, slot: int) -> Any:
    """Give a variable's decoded value, and keep it."""
    value = frame[slot]
    if type(value) is IonSlice:
        value = value.decode()
    elif type(value) is dict:
        value = dict(value)  # ours: members that are slices are decoded in place
    frame[slot + 1] = value
    return value


def charge(frame: Frame, steps: int) -> None:
    """Tell an execution's `check` of an operation that takes many steps, such as characters."""
    if steps >= _STEPS_OF_A_ROW:
        check = frame[CONTEXT].check
        if check is not None:
            check(steps // _STEPS_OF_A_ROW)


def no_such_variable(table: TableRef) -> PartiqlSemanticError:
    """Say that a table does not exist, in the service's words (facts 6.4)."""
    problem = f"No such variable named '{table.name}'"
    return PartiqlSemanticError(table.line, table.column, f"{problem}; {problem}")

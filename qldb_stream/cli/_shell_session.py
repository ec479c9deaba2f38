"""
What a shell does: actions of the core, carried out on a ledger and printed.

It knows the ledger and the clock, and writes through a function that it is given; the
terminal is elsewhere.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Final

from qldb_stream.cli._connections import Connection, Execute, OpenTransaction
from qldb_stream.cli._output import count, make_printable_lines
from qldb_stream.cli._rows import RowPrinter
from qldb_stream.cli._shell_core import (
    Action,
    Command,
    Explain,
    Run,
    Say,
    SetFormat,
    SetTiming,
    point_at,
    read_input,
)
from qldb_stream.errors import (
    EndpointError,
    OccConflictError,
    QldbStreamError,
    TransactionClosedError,
)
from qldb_stream.ion import IonSlice

__all__ = ["ShellSession"]

# Statements after which tables or their indexes may be others.
_DDL: Final = re.compile(r"\s*(?:CREATE|DROP|UNDROP)\b", re.IGNORECASE)
_NAMES: Final = "SELECT VALUE t.name FROM information_schema.user_tables AS t"

# After these no statement of the transaction can succeed any more.
_ENDS_TRANSACTION: Final = (EndpointError, OccConflictError, TransactionClosedError)


class ShellSession:
    """
    One run of the shell.

    Attributes:
        printer: shows rows.
        tables: names of tables, for completion.
    """

    def __init__(
        self,
        connection: Connection,
        write: Callable[[str], object],
        *,
        clock_s: Callable[[], float] = time.perf_counter,
        row_format: str = "table",
    ) -> None:
        self.printer: Final = RowPrinter(row_format)
        self.tables: list[str] = []
        self._connection: Final = connection
        self._write: Final = write
        self._clock_s: Final = clock_s
        self._timing = True
        self._transaction: OpenTransaction | None = None

    @property
    def prompt(self) -> str:
        """Give what stands before an input; a star says that a transaction is open."""
        return f"{self._connection.name}{'*' if self._transaction else ''}> "

    def start(self) -> None:
        """
        Look what tables there are; the first request that a server gets.

        Raises:
            LedgerError: the ledger cannot be read.
        """
        self._learn_tables()

    def read(self, text: str) -> bool:
        """
        Do what a complete input asks for; what fails ends the input, and is told.

        Returns:
            Whether the shell goes on.
        """
        for action in read_input(text):
            if action is Command.QUIT:
                return False
            if not self._try(action):
                break
        return True

    def close(self) -> None:
        """Abort a transaction that is open, and say so."""
        if self._transaction is not None:
            self._abort()
            self._write("the open transaction was aborted\n")

    def _try(self, action: Action) -> bool:
        try:
            self._do(action)
        except QldbStreamError as error:
            text = action.text if isinstance(action, Run | Explain) else ""
            self._write(point_at(text, str(error)))
            if isinstance(error, _ENDS_TRANSACTION) and self._transaction is not None:
                self._abort()
                self._write("the transaction is over, and nothing of it was written\n")
            return False
        except KeyboardInterrupt:
            self._interrupt()
            return False
        return True

    def _do(self, action: Action) -> None:
        match action:
            case Run(text):
                self._run(text)
            case Explain(text):
                self._write(make_printable_lines(self._connection.explain(text)) + "\n")
            case Say(text):
                self._write(text)
            case SetFormat(row_format):
                self.printer.format = row_format
            case SetTiming(on):
                self._timing = on
            case Command.BEGIN:
                self._begin()
            case Command.COMMIT:
                self._commit()
            case _:
                self._roll_back()

    # --- transactions ----------------------------------------------------------------------

    def _begin(self) -> None:
        if self._transaction is not None:
            self._write("a transaction is open already: COMMIT or ABORT it first\n")
            return
        self._transaction = self._connection.begin()

    def _commit(self) -> None:
        transaction, self._transaction = self._transaction, None
        if transaction is None:
            self._write("no transaction is open\n")
            return
        transaction.commit()
        self._learn_tables()
        self._write("committed\n")

    def _roll_back(self) -> None:
        if self._transaction is None:
            self._write("no transaction is open\n")
            return
        self._abort()
        self._write("aborted\n")

    def _abort(self) -> None:
        transaction, self._transaction = self._transaction, None
        if transaction is not None:
            transaction.abort()

    def _interrupt(self) -> None:
        """Tell what Ctrl-C came to: half a statement is in no state to go on from."""
        if self._transaction is None:
            self._write("interrupted; nothing was written, unless the commit had begun\n")
            return
        self._abort()
        self._write("interrupted; the transaction was aborted\n")

    # --- statements ------------------------------------------------------------------------

    def _run(self, text: str) -> None:
        began_s = self._clock_s()
        rows = self._execute(text)
        took = f" in {(self._clock_s() - began_s) * 1000:,.1f} ms" if self._timing else ""
        self.printer.print(iter(rows), self._write)
        self._write(f"{count(len(rows), 'row')}{took}\n")
        if self._transaction is None and _DDL.match(text):
            self._learn_tables()

    def _execute(self, text: str) -> list[IonSlice]:
        if self._transaction is not None:
            return list(self._transaction.execute(text, ()))
        return self._connection.transact(lambda execute: list(execute(text, ())))

    def _learn_tables(self) -> None:
        names = self._connection.transact(_read_names)
        self.tables = [str(name.decode()) for name in names]


def _read_names(execute: Execute) -> list[IonSlice]:
    return list(execute(_NAMES, ()))

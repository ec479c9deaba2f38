"""`qldb-stream ledger query`: statements in a script."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import click

from qldb_stream.cli._connections import Connection, Execute
from qldb_stream.cli._ledger_options import ledger_options, open_target
from qldb_stream.cli._options import json_option
from qldb_stream.cli._output import make_printable_lines, print_json
from qldb_stream.cli._rows import FORMATS, RowPrinter
from qldb_stream.cli._script import Bound, Script
from qldb_stream.errors import IonDecodeError, OccConflictError, UsageError
from qldb_stream.ion import IonSlice, iter_text
from qldb_stream.partiql import StatementText, split_statements

__all__ = ["query"]

EPILOG = """
\b
Examples:
  qldb-stream ledger query cars.ledger 'SELECT * FROM Vehicle'
  qldb-stream ledger query cars.ledger 'INSERT INTO Vehicle ?' --param '{VIN:"1N4AL11D75C109151"}'
  qldb-stream ledger query cars.ledger --file set-up.sql --create
  qldb-stream ledger query cars.ledger 'SELECT * FROM Vehicle WHERE VIN = ?' --explain
  qldb-stream ledger query http://127.0.0.1:8765 --ledger cars - --format json < report.sql
"""

_STANDARD_INPUT: Final = "-"
_BYTE_ORDER_MARK: Final = "\ufeff"


@click.command(epilog=EPILOG)
@click.argument("target", metavar="PATH|URL")
@click.argument("statements", required=False, metavar="[STATEMENTS|-]")
@click.option("--file", type=click.Path(), metavar="FILE", help="Read the statements from a file.")
@click.option(
    "--param",
    "parameters",
    multiple=True,
    metavar="ION",
    help="The value of the next `?`, as Ion text; repeat it for each.",
)
@click.option(
    "--format",
    "row_format",
    type=click.Choice(FORMATS),
    default=FORMATS[0],
    show_default=True,
    help="How rows are printed; ion and json are one row a line, as they come.",
)
@click.option(
    "--explain",
    "is_explained",
    is_flag=True,
    help="Run nothing; say for each statement how it reaches its documents. Files only.",
)
@ledger_options
@json_option
def query(
    *,
    target: str,
    statements: str | None,
    file: str | None,
    parameters: Sequence[str],
    row_format: str,
    is_explained: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """
    Run PartiQL statements, all of them in one transaction.

    PATH is a ledger file, opened in this process; URL (http:// or https://) a server, reached
    through pyqldb (extra `qldb`) with credentials from boto3's usual places.

    The statements come from the argument, from standard input (`-`) or from a file, with `;`
    between them. Rows are printed as they come; a transaction that conflicts with another is
    run again only while nothing has been printed. Exits with 1 when a statement or the commit
    fails, and nothing is then written to the ledger.
    """
    text = _read(statements, file)
    if is_explained:
        with open_target(target, **options) as connection:
            _explain(connection, text, as_json=as_json)
        return 0
    script = Script(text, _bind(text, parameters))
    with open_target(target, **options) as connection, script.located():
        if as_json:
            sys.stdout.write(_answer(connection, script))
        else:
            _print(connection, script, RowPrinter(row_format), sys.stdout.write)
    return 0


def _read(statements: str | None, file: str | None) -> str:
    if (statements is None) == (file is None):
        raise UsageError("give statements as an argument, as - for standard input, or --file")
    if file is not None:
        try:
            return Path(file).read_text(encoding="utf-8-sig")
        except OSError as exc:
            raise UsageError(f"{file} cannot be read: {exc.strerror}") from exc
        except UnicodeError as exc:
            raise UsageError(f"{file} is not UTF-8") from exc
    assert statements is not None
    return _read_input() if statements == _STANDARD_INPUT else statements


def _read_input() -> str:
    try:
        return sys.stdin.read().removeprefix(_BYTE_ORDER_MARK)
    except UnicodeError as exc:
        raise UsageError(f"standard input is not {sys.stdin.encoding}") from exc


def _explain(connection: Connection, text: str, *, as_json: bool) -> None:
    script = Script(text, [Bound(one.text, one.start, ()) for one in split_statements(text)])
    with script.located():
        told = [connection.explain(statement.text) for statement in script]
    if as_json:
        print_json({"ok": True, "statements": [{"explanation": one} for one in told]})
    else:
        sys.stdout.write("".join(make_printable_lines(one) + "\n" for one in told))


def _bind(text: str, parameters: Sequence[str]) -> list[Bound]:
    """Cut the text into statements and give each its parameters."""
    found: list[StatementText] = list(split_statements(text))
    if not found:
        raise UsageError("there is no statement")
    values = [_parse_parameter(number, given) for number, given in enumerate(parameters, 1)]
    wanted = sum(statement.parameters for statement in found)
    if wanted != len(values):
        verb = "is" if wanted == 1 else "are"
        times = "once" if len(values) == 1 else f"{len(values)} times"
        raise UsageError(f"there {verb} {wanted} `?`, and --param is given {times}")
    rest = iter(values)
    return [
        Bound(statement.text, statement.start, [next(rest) for _ in range(statement.parameters)])
        for statement in found
    ]


def _parse_parameter(number: int, text: str) -> IonSlice:
    try:
        values = list(iter_text(text))
    except IonDecodeError as exc:
        raise UsageError(f"--param {number}: {exc}") from exc
    if len(values) != 1:
        raise UsageError(f"--param {number} has {len(values)} values, not one")
    return values[0]


def _answer(connection: Connection, statements: Iterable[Bound]) -> str:
    """Give one JSON object with the rows of each statement."""
    printer = RowPrinter("json")

    def run(execute: Execute) -> str:
        answers: list[str] = []
        for statement in statements:
            lines: list[str] = []
            printer.print(execute(statement.text, statement.parameters), lines.append)
            rows = "".join(lines).splitlines()
            answers.append('{"rows":[' + ",".join(rows) + "]}")
        return '{"ok":true,"statements":[' + ",".join(answers) + "]}\n"

    return connection.transact(run)


def _print(
    connection: Connection,
    statements: Iterable[Bound],
    printer: RowPrinter,
    write: Callable[[str], object],
) -> None:
    """Print rows as they come; what was printed cannot be taken back, so it is not repeated."""
    has_printed = False

    def show(text: str) -> None:
        nonlocal has_printed
        has_printed = True
        write(text)

    def run(execute: Execute) -> None:
        if has_printed:
            raise _TooLateError
        for statement in statements:
            printer.print(execute(statement.text, statement.parameters), show)

    try:
        connection.transact(run)
    except _TooLateError:
        raise OccConflictError("") from None


class _TooLateError(Exception):
    """A conflict after rows were printed: they would be printed again."""

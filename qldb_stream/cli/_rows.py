"""
Rows of a statement, printed as they come: Ion, JSON, or tables.

Ion and JSON are one row a line. A table needs all of its rows before its first, so that
many rows make several tables, each of a page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

from rich.markup import escape

from qldb_stream.cli._output import console, make_printable, make_table
from qldb_stream.ion import IonSlice, IonType, iter_fields, to_ascii_json, to_text

__all__ = ["FORMATS", "RowPrinter"]

_ION: Final = "ion"
_JSON: Final = "json"
_TABLE: Final = "table"
FORMATS: Final = (_TABLE, _ION, _JSON)

# As many as the service gives at once (facts 5.8).
_PAGE_ROWS: Final = 200
# What PartiQL calls the only column of rows that have no names.
_NAMELESS: Final = "_1"
# A cell longer than this is read better in the formats that show rows whole.
_CELL_LETTERS: Final = 400


class RowPrinter:
    """
    Prints rows, and remembers the names that their fields had.

    Attributes:
        format: how, one of `FORMATS`.
        fields: names of fields that tables showed, for completion.
    """

    def __init__(self, row_format: str) -> None:
        self.format = row_format
        self.fields: Final[set[str]] = set()

    def print(self, rows: Iterator[IonSlice], write: Callable[[str], object]) -> int:
        """
        Print rows.

        Args:
            rows: what to print; read to its end.
            write: takes text, lines ended.

        Returns:
            How many rows there were.

        Raises:
            IonDecodeError: a row is not sound Ion.
        """
        count = 0
        while page := list(islice(rows, _PAGE_ROWS)):
            count += len(page)
            write(self._format_page(page))
        return count

    def _format_page(self, page: list[IonSlice]) -> str:
        if self.format == _TABLE:
            return self._format_table(page)
        # ASCII: nothing of a row is for a terminal to obey.
        to_line = to_ascii_json if self.format == _JSON else _to_ion
        return "".join(to_line(row) + "\n" for row in page)

    def _format_table(self, page: list[IonSlice]) -> str:
        cells = [_cells(row) for row in page]
        columns = list(dict.fromkeys(name for row in cells for name in row))
        self.fields.update(columns)
        table = make_table(
            "",
            [_heading(name) for name in columns],
            ([row.get(name, "") for name in columns] for row in cells),
        )
        out = console()
        with out.capture() as captured:
            out.print(table)
        return captured.get()


def _cells(row: IonSlice) -> dict[str, str]:
    """Give what each column of a row shows; a field that is repeated shows its last value."""
    if row.ion_type is IonType.STRUCT and not row.is_null:
        return {name or "$0": _cell(value) for name, value in iter_fields(row)}
    return {_NAMELESS: _cell(row)}


def _heading(name: str) -> str:
    # A `#` at the start is `make_table`'s own, for columns of numbers.
    return ("#" if name.startswith("#") else "") + escape(make_printable(name))


def _cell(value: IonSlice) -> str:
    if value.ion_type is IonType.STRING and not value.is_null and not value.annotations:
        text = str(value.decode())
    else:
        text = to_text(value, is_part=True)
    return text if len(text) <= _CELL_LETTERS else text[:_CELL_LETTERS] + " ..."


def _to_ion(row: IonSlice) -> str:
    # What a terminal would obey is escaped as Ion escapes it, so it stays the same value.
    return make_printable(to_text(row))

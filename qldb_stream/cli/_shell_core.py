"""
The shell without its terminal: what was typed -> what is to be done.

It is fed whole inputs, knows when one is complete, and gives actions; it runs nothing,
prints nothing and looks at no clock. Words that the shell itself understands are those of
AWS's shell for QLDB; all other text is PartiQL, ended by a semicolon or an empty line.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from typing import Final

import attrs

from qldb_stream.cli._output import make_printable_lines
from qldb_stream.cli._rows import FORMATS
from qldb_stream.errors import PartiqlParseError
from qldb_stream.partiql import split_statements

__all__ = [
    "HELP",
    "PLACE",
    "WORDS",
    "Action",
    "Command",
    "Explain",
    "Run",
    "Say",
    "SetFormat",
    "SetTiming",
    "is_complete",
    "point_at",
    "read_input",
]

# Facts 5.8; more than that is a file pasted by mistake.
_MAX_INPUT: Final = 1_000_000

HELP: Final = """\
A statement ends with ; or with an empty line, and is a transaction of its own:
  SELECT * FROM Vehicle AS v WHERE v.VIN = '1N4AL11D75C109151';

START TRANSACTION      begin a transaction of several statements (or BEGIN)
COMMIT                 commit it
ABORT                  drop what it did (or ROLLBACK)
SHOW TABLES            list the active tables
\\explain STATEMENT;    tell how it would reach its documents; run nothing
\\format table|ion|json show rows so
\\timing on|off         tell how long each statement took
HELP                   show this
EXIT                   leave, and abort a transaction that is open (or QUIT, or Ctrl-D)

Ctrl-C drops what was typed, or the statement that runs; inside a transaction of several
statements it aborts that. Tab completes, the arrow keys go through earlier input.
"""

_TABLES: Final = (
    "SELECT t.name, t.status, t.indexes FROM information_schema.user_tables AS t "
    "WHERE t.status = 'ACTIVE'"
)


class Command(enum.Enum):
    """What the shell does that is no statement."""

    BEGIN = enum.auto()
    COMMIT = enum.auto()
    ABORT = enum.auto()
    QUIT = enum.auto()


@attrs.frozen
class Run:
    """Run a statement."""

    text: str


@attrs.frozen
class Explain:
    """Say how a statement would reach its documents."""

    text: str


@attrs.frozen
class Say:
    """Print a text for people."""

    text: str


@attrs.frozen
class SetFormat:
    """Show rows so from now on."""

    format: str


@attrs.frozen
class SetTiming:
    """Tell from now on how long statements took, or do not."""

    on: bool


Action = Command | Run | Explain | Say | SetFormat | SetTiming

_COMMANDS: Final[dict[str, Action]] = {
    "START TRANSACTION": Command.BEGIN,
    "BEGIN": Command.BEGIN,
    "COMMIT": Command.COMMIT,
    "ABORT": Command.ABORT,
    "ROLLBACK": Command.ABORT,
    "EXIT": Command.QUIT,
    "QUIT": Command.QUIT,
    "\\Q": Command.QUIT,
    "HELP": Say(HELP),
    "\\HELP": Say(HELP),
    "\\?": Say(HELP),
    "SHOW TABLES": Run(_TABLES),
    "\\TIMING ON": SetTiming(on=True),
    "\\TIMING OFF": SetTiming(on=False),
    **{f"\\FORMAT {name.upper()}": SetFormat(name) for name in FORMATS},
}

_EXPLAIN: Final = "\\explain"

WORDS: Final = (
    *(word.lower() if word.startswith("\\") else word for word in _COMMANDS),
    _EXPLAIN,
)
"""What the shell understands beside PartiQL, as it is usually written."""


def is_complete(text: str) -> bool:
    """
    Tell whether an input can be read, or more lines should come.

    An empty line ends any input, also one with a quote that is not closed: the error of
    that is then shown.
    """
    text = text.lstrip()
    if text.startswith(_EXPLAIN):
        text = text[len(_EXPLAIN) :]
    elif not text or _maybe_command(text) is not None or text.startswith("\\"):
        return True
    last_line = text.rpartition("\n")[2]
    if not last_line.strip() and "\n" in text:
        return True
    if ";" not in last_line:  # nothing else can have ended it: spare the lexer
        return False
    try:
        *_, last = split_statements(text)
    except PartiqlParseError:
        return False
    except ValueError:  # nothing but semicolons and comments
        return True
    return last.ended


def read_input(text: str) -> Iterator[Action]:
    """Give what a complete input asks for, in order."""
    command = _maybe_command(text)
    if command is not None:
        yield command
    elif text.split(maxsplit=1)[:1] == [_EXPLAIN]:
        yield from _read_statements(text.lstrip()[len(_EXPLAIN) :].lstrip(), Explain)
    elif text.lstrip().startswith("\\"):
        yield Say(_wrong_command(text.split(maxsplit=1)[0]))
    elif len(text) > _MAX_INPUT:
        yield Say(f"more than {_MAX_INPUT:,} letters at once: use `qldb-stream ledger query -`\n")
    else:
        yield from _read_statements(text, Run)


def _wrong_command(word: str) -> str:
    """Say what a command takes, or that there is none of the name."""
    begins = f"{word} ".upper()
    takes = [known.removeprefix(begins).lower() for known in _COMMANDS if known.startswith(begins)]
    if takes:
        return f"{word.lower()} takes one of: {', '.join(takes)}\n"
    return f"there is no command {word}; HELP lists them\n"


def _read_statements(text: str, kind: type[Run | Explain]) -> Iterator[Action]:
    try:
        statements = list(split_statements(text))
    except PartiqlParseError as error:
        yield Say(point_at(text, str(error)))
        return
    for statement in statements:
        yield _maybe_command(statement.text) or kind(statement.text)


def _maybe_command(text: str) -> Action | None:
    return _COMMANDS.get(" ".join(text.strip().rstrip(";").split()).upper())


# How every error that has a place names it, ours and the service's (facts 6.4).
PLACE: Final = re.compile(r"line ([0-9]{1,9}), column ([0-9]{1,9})")


def point_at(text: str, message: str) -> str:
    """
    Add to an error's message the line that it names, with a caret under the column.

    Args:
        text: the statement.
        message: the error's, which may name a line and a column, both counted from 1.

    Returns:
        Lines, ended, without anything that a terminal would obey; the message alone when it
        names no place, or one that is not there.
    """
    message = make_printable_lines(message)
    place = PLACE.search(message)
    if place is None:
        return f"{message}\n"
    lines = text.split("\n")
    number, column = int(place[1]), int(place[2])
    if not 1 <= number <= len(lines) or not 1 <= column <= len(lines[number - 1]) + 1:
        return f"{message}\n"
    # One letter for one, or the caret would stand elsewhere.
    line = "".join(c if c.isprintable() else " " for c in lines[number - 1])
    return f"{message}\n  {line}\n  {' ' * (column - 1)}^\n"

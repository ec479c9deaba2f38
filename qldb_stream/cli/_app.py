"""
The click commands, and the one place where their errors become sentences and exit codes.

Exit codes: 0 fine; 1 a problem was found, undecodable parts included; 2 wrong usage or
nothing readable at all; 130 interrupted; 141 nobody reads on. With `--json` an object is
printed on 1 and 2 too.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any, Final

import click

from qldb_stream.cli._compare import compare
from qldb_stream.cli._demo import demo
from qldb_stream.cli._ids import ids
from qldb_stream.cli._inspect import inspect
from qldb_stream.cli._ledger import ledger
from qldb_stream.cli._output import print_json
from qldb_stream.cli._replay import replay
from qldb_stream.cli._verify import verify
from qldb_stream.errors import LedgerFileError, QldbStreamError, UsageError
from qldb_stream.report import ReplayReport, VerifyReport

__all__ = ["app", "run"]

_OK: Final = 0
_PROBLEM: Final = 1
_USAGE: Final = 2
_INTERRUPTED: Final = 130  # what a shell reports for a process that SIGINT ended
_BROKEN_PIPE: Final = 141  # and SIGPIPE

# What a command's object looks like when it could not even begin.
_EMPTY_REPORTS: Final = {
    "verify": VerifyReport().as_json(),
    "replay": ReplayReport(VerifyReport()).as_json(),
}


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="qldb-stream")
def app() -> None:
    """Read, prove and deliver the journal of an Amazon QLDB ledger."""


for _command in (demo, inspect, verify, replay, ids, compare, ledger):
    app.add_command(_command)


def run(arguments: Sequence[str]) -> int:
    """Run a command line and give its exit code; nothing escapes but our own bugs."""
    try:
        code: int | None = app.main(list(arguments), "qldb-stream", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return _USAGE
    except click.ClickException as error:
        return _fail(arguments, _one_sentence(error.format_message()), _USAGE)
    except (UsageError, LedgerFileError) as error:
        return _fail(arguments, str(error), _USAGE)
    except QldbStreamError as error:
        return _fail(arguments, str(error), _PROBLEM)
    except (click.Abort, KeyboardInterrupt):
        return _fail(arguments, "interrupted", _INTERRUPTED)
    except BrokenPipeError:
        return _leave_broken_pipe()
    return code or _OK


def _fail(arguments: Sequence[str], sentence: str, code: int) -> int:
    """Say what is wrong in one sentence, and as an object where one was asked for."""
    command = next((word for word in arguments if word in app.commands), None)
    name = "qldb-stream" if command is None else f"qldb-stream {command}"
    sys.stderr.write(f"{name}: {sentence}\n")
    if "--json" in arguments:
        empty: dict[str, Any] = _EMPTY_REPORTS.get(command or "", {})
        indent = None if command == "inspect" else 2  # there an object is a line, this one too
        print_json({**empty, "ok": False, "error": sentence}, indent=indent)
    return code


def _one_sentence(message: str) -> str:
    return " ".join(message.split())


def _leave_broken_pipe() -> int:
    """Point standard output elsewhere, or the interpreter would complain when it flushes."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    return _BROKEN_PIPE

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
from click.shell_completion import shell_complete

from qldb_stream.cli._compare import compare
from qldb_stream.cli._coverage import coverage
from qldb_stream.cli._demo import demo
from qldb_stream.cli._diff import diff
from qldb_stream.cli._forget import forget
from qldb_stream.cli._history import history
from qldb_stream.cli._ids import ids
from qldb_stream.cli._inspect import inspect
from qldb_stream.cli._ledger import ledger
from qldb_stream.cli._output import explain, print_json
from qldb_stream.cli._parked import deliver, parked
from qldb_stream.cli._prove import prove
from qldb_stream.cli._replay import replay
from qldb_stream.cli._sinks import sinks
from qldb_stream.cli._standard import complain, give_up_output, is_output_broken, mend_streams
from qldb_stream.cli._status import status
from qldb_stream.cli._tap import tap
from qldb_stream.cli._verify import verify
from qldb_stream.errors import InboxFileError, LedgerFileError, QldbStreamError, UsageError
from qldb_stream.report import CoverageReport, ReplayReport, VerifyReport

__all__ = ["app", "run"]

_NAME: Final = "qldb-stream"
_COMPLETE: Final = "_QLDB_STREAM_COMPLETE"  # what click's completion scripts set

_OK: Final = 0
_PROBLEM: Final = 1
_USAGE: Final = 2
_INTERRUPTED: Final = 130  # what a shell reports for a process that SIGINT ended
_BROKEN_PIPE: Final = 141  # and SIGPIPE

# What a command's object looks like when it could not even begin.
_EMPTY_REPORTS: Final = {
    "verify": VerifyReport().as_json(),
    "replay": ReplayReport(VerifyReport()).as_json(),
    "coverage": CoverageReport().as_json(),
}


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="qldb-stream")
def app() -> None:
    """Read, prove and deliver the journal of an Amazon QLDB ledger."""


for _command in (
    demo,
    inspect,
    tap,
    verify,
    coverage,
    prove,
    replay,
    deliver,
    parked,
    sinks,
    ids,
    compare,
    diff,
    status,
    forget,
    history,
    ledger,
):
    app.add_command(_command)


def run(arguments: Sequence[str]) -> int:
    """Run a command line and give its exit code; nothing escapes but our own bugs."""
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except OSError as error:
        if not (isinstance(error, BrokenPipeError) or is_output_broken()):
            raise
        return _leave(arguments, error)
    return code


def _run(arguments: Sequence[str]) -> int:
    """Turn what a command raises into a sentence and an exit code."""
    try:
        mend_streams()
        return _invoke(arguments)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return _USAGE
    except click.ClickException as error:
        return _fail(arguments, _one_sentence(error.format_message()), _USAGE)
    except (UsageError, LedgerFileError, InboxFileError) as error:
        return _fail(arguments, explain(error), _USAGE)
    except QldbStreamError as error:
        return _fail(arguments, explain(error), _PROBLEM)
    except (click.Abort, KeyboardInterrupt):
        return _fail(arguments, "interrupted", _INTERRUPTED)


def _invoke(arguments: Sequence[str]) -> int:
    """Run the command; not by `app.main`, which makes an exit code 1 of a broken pipe."""
    if instruction := os.environ.get(_COMPLETE):
        return shell_complete(app, {}, _NAME, _COMPLETE, instruction)
    try:
        with app.make_context(_NAME, list(arguments)) as context:
            code: int | None = app.invoke(context)
    except click.exceptions.Exit as error:  # --help, --version
        code = error.exit_code
    return code or _OK


def _fail(arguments: Sequence[str], sentence: str, code: int) -> int:
    """Say what is wrong in one sentence, and as an object where one was asked for."""
    command = _command_in(arguments)
    complain(f"{_full_name(command)}: {sentence}")
    if "--json" in arguments:
        empty: dict[str, Any] = _EMPTY_REPORTS.get(command or "", {})
        indent = (
            None if command in {"history", "inspect", "tap"} else 2
        )  # an object is a line there
        print_json({**empty, "ok": False, "error": sentence}, indent=indent)
    return code


def _leave(arguments: Sequence[str], error: OSError) -> int:
    """End without standard output: whoever reads it went away, or it takes no more."""
    give_up_output()
    if isinstance(error, BrokenPipeError):
        return _BROKEN_PIPE
    name = _full_name(_command_in(arguments))
    complain(f"{name}: cannot write standard output: {error.strerror}")
    return _PROBLEM


def _command_in(arguments: Sequence[str]) -> str | None:
    return next((word for word in arguments if word in app.commands), None)


def _full_name(command: str | None) -> str:
    return _NAME if command is None else f"{_NAME} {command}"


def _one_sentence(message: str) -> str:
    return " ".join(message.split())

"""
The three standard streams when they are not what a command hopes for.

Standard output may be closed, full, or a pipe whose reader went away; standard error may be
closed or full. None of these is a bug, so none gets a traceback: a command cannot tell what
it found without standard output and says so, and without standard error it goes on in
silence. The exit code is then what remains.
"""

from __future__ import annotations

import io
import os
import sys
from typing import Final

from qldb_stream.errors import UsageError

__all__ = ["complain", "give_up_output", "is_output_broken", "mend_streams"]

_OUTPUT: Final = 1  # the numbers of the streams, stdio(3)
_ERROR: Final = 2


def mend_streams() -> None:
    """
    Give closed streams a place, so that no file that is opened later gets their number.

    What standard output's encoding has no letter for is written as an escape.

    Raises:
        UsageError: standard output is closed, so that nothing could be answered.
    """
    if sys.stderr is None:
        _to_nowhere(_ERROR)
        sys.stderr = open(_ERROR, "w", closefd=False)  # noqa: SIM115 - to the end
    if sys.stdout is None:
        _to_nowhere(_OUTPUT)
        sys.stdout = open(_OUTPUT, "w", closefd=False)  # noqa: SIM115 - to the end
        raise UsageError("cannot write standard output: it is closed; redirect it to /dev/null")
    if isinstance(sys.stdout, io.TextIOWrapper) and _is_strict(sys.stdout):
        sys.stdout.reconfigure(errors="backslashreplace")


def _is_strict(stream: io.TextIOWrapper) -> bool:
    """Tell whether a stream would raise for a letter; who asked for replacements gets them."""
    if stream.errors == "surrogateescape":  # Python's choice where the locale is C
        return stream.encoding.lower().replace("-", "") != "utf8"
    return stream.errors == "strict"


def complain(sentence: str) -> None:
    """Write a line to standard error; where that cannot be written, to nowhere."""
    try:
        sys.stderr.write(f"{sentence}\n")
        sys.stderr.flush()
    except OSError:
        _to_nowhere(sys.stderr.fileno())


def is_output_broken() -> bool:
    """Say whether standard output takes nothing any more; a bug's error is not its fault."""
    try:
        sys.stdout.write("\n")
        sys.stdout.flush()
    except OSError:
        return True
    return False


def give_up_output() -> None:
    """Point standard output elsewhere, or the interpreter would complain when it flushes."""
    _to_nowhere(sys.stdout.fileno())


def _to_nowhere(descriptor: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    if nowhere != descriptor:
        os.dup2(nowhere, descriptor)
        os.close(nowhere)

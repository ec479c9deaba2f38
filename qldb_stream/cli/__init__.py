"""
The command `qldb-stream`; this face imports nothing that the extra `cli` brings.

The commands have no logic of their own: they open what the rooms beneath offer, show
progress, and print what came back, as tables for people or as JSON for programs.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

__all__ = ["main"]

_EXTRA: Final = frozenset({"click", "rich"})


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run the command line.

    Args:
        arguments: what follows the command's name; None for this process's own.

    Returns:
        The exit code: 0 fine, 1 a problem was found, 2 wrong usage or nothing readable,
        130 interrupted, 141 whoever read the output went away.
    """
    try:
        from qldb_stream.cli._app import run
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        sys.stderr.write(
            "qldb-stream: the command line needs the extra `cli`: pip install 'qldb-stream[cli]'\n",
        )
        return 2
    except KeyboardInterrupt:  # loading takes the better part of a second
        sys.stderr.write("qldb-stream: interrupted\n")
        return 130
    return run(sys.argv[1:] if arguments is None else list(arguments))

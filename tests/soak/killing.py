"""A process that is killed with SIGKILL at a random moment."""

from __future__ import annotations

import os
import random
import signal
import traceback
from collections.abc import Callable
from typing import IO, Final

import attrs

__all__ = ["Killed", "run_and_kill"]

# Turns of an empty loop: up to some milliseconds, so that kills fall anywhere in a transaction.
_MOST_TURNS: Final = 100_000


@attrs.frozen
class Killed:
    """What became of a process: whether it was killed or done before, and what it had told."""

    killed: bool
    told: tuple[str, ...]


def run_and_kill(work: Callable[[IO[str]], None], chance: random.Random, lines: int) -> Killed:
    """
    Run a function in a process of its own, and kill it at some moment.

    Args:
        work: what the process does; it writes a line whenever something is done, and flushes.
        chance: chooses the moment.
        lines: after how many of them, or at once, the moment is waited for.

    Raises:
        AssertionError: the process ended by itself with an error.
    """
    read_fd, write_fd = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read_fd)
        _be_killed(work, write_fd)
    os.close(write_fd)
    with os.fdopen(read_fd) as told:
        seen: list[str] = []
        while len(seen) < lines and (line := told.readline()):
            seen.append(line)
        for _ in range(chance.randrange(_MOST_TURNS)):
            pass
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        seen += told.readlines()
    whole = tuple([line for line in seen if line.endswith("\n")])
    if os.WIFSIGNALED(status):
        return Killed(killed=True, told=whole)
    code = os.waitstatus_to_exitcode(status)
    assert 0 == code, f"the process failed after {len(whole)} lines"
    return Killed(killed=False, told=whole)


def _be_killed(work: Callable[[IO[str]], None], write_fd: int) -> None:
    """Work, and end the process here, whatever the parent had in mind."""
    code = 1
    try:
        with os.fdopen(write_fd, "w") as told:
            work(told)
        code = 0
    except BaseException:  # noqa: BLE001 - the process ends here; the parent sees its code
        traceback.print_exc()
    finally:
        os._exit(code)

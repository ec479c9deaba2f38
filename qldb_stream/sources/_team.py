"""
Several processes at work together: the caller's own, and others that are started for it.

The caller's own process does what nobody has begun whenever there is nothing to take over from
others, so nothing is lost while they start. They are started anew (`spawn`), on every system alike,
leave Ctrl-C to the one who asked for them, and end with that one. What waits is bounded: for the
index, on disk, so many shares of files for each process; for the caller, in memory, a few megabytes
of blocks.
"""

from __future__ import annotations

import signal
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Final, TypeAlias

from qldb_stream.errors import QldbStreamError, WorkerDiedError
from qldb_stream.sources._again import PlaceReader
from qldb_stream.sources._elsewhere import (
    Group,
    Looker,
    Work,
    begin,
    give_up,
    keep_work,
    look_through_next,
    make_folder,
    say,
    say_of,
    write_tables,
)
from qldb_stream.sources._files import FilePool, FoundFile
from qldb_stream.sources._index import Index
from qldb_stream.sources._portions import Portion, read_portions
from qldb_stream.sources._settle import Look, Run, Said

__all__ = ["Answered", "Found", "Team", "jobs_for"]

_FILE_BYTES: Final = 1 << 24
_FILES_EACH: Final = 4
"""Of a file that is longer, and more than one in so many for each process, the second pass says."""

_SHARE_BYTES: Final = 1 << 20
"""What is begun at once: of short files so many together. For less no process is started."""

_AHEAD: Final = 32
"""How many shares another process may do while the caller's own is at one, which may be long."""

_WAITING: Final = 3  # shares for each process: one under way, one to go on with, one that is done
_GIVEN: Final = 2  # of these to each of the others: the last ones are not to be waited for

Found: TypeAlias = Run | Group
"""Blocks of which something was said, or one that is still to be asked about or read."""

Answered: TypeAlias = tuple[Found, Said | None]


class _Share:
    """Some blocks of which those that are open are asked about, here or by another process."""

    def __init__(self, found: list[Found]) -> None:
        self._found = found
        self.asked = [one for one in found if isinstance(one, Group) and one.is_open]
        self.future: Future[list[Said | None]] | None = None

    @property
    def is_begun(self) -> bool:
        """Say whether some process has it, or there is nothing to ask."""
        return self.future is not None or not self.asked

    @property
    def is_done(self) -> bool:
        """Say whether all is answered."""
        return not self.asked or (self.future is not None and self.future.done())

    def answer(self, look: Look, reader: PlaceReader) -> None:
        """Answer it in this process; what is raised is told when its turn has come."""
        self.future = Future()
        try:
            self.future.set_result(say_of(look, reader, self.asked))
        except QldbStreamError as exc:
            self.future.set_exception(exc)

    def answered(self) -> Iterator[Answered]:
        """Give each block with what was said of it; waits for the process that has it."""
        answers = iter([] if self.future is None else self.future.result())
        for one in self._found:
            is_open = isinstance(one, Group) and one.is_open
            yield one, next(answers) if is_open else None


def jobs_for(files: Sequence[FoundFile], most: int) -> int:
    """Say how many processes are worth starting for files, the caller's own among them."""
    return min(most, 1 + sum(file.size for file in files) // _SHARE_BYTES)


class Team:
    """
    Processes that read files together; they are started when there is something to do.

    Args:
        files: of the source.
        look: what is asked of their blocks.
        jobs: how many processes, the caller's own among them; two or more.
    """

    def __init__(self, files: tuple[FoundFile, ...], look: Look, jobs: int) -> None:
        longest = max(_FILE_BYTES, sum(file.size for file in files) // (_FILES_EACH * jobs))
        self._jobs = jobs
        self._folder = make_folder()
        self._work = Work(files, tuple(_cut(files)), longest, look, Path(self._folder.name))
        self._processes = ProcessPoolExecutor(
            jobs - 1, get_context("spawn"), initializer=begin, initargs=(self._work.path,)
        )

    def end(self, exc: BaseException | None) -> None:
        """
        End the other processes.

        Args:
            exc: what ended the reading before its time.

        Raises:
            WorkerDiedError: it was the end of another process.
        """
        if exc is not None:
            give_up(self._work)
        self._processes.shutdown(cancel_futures=True)
        self._folder.cleanup()
        if isinstance(exc, BrokenProcessPool):
            raise WorkerDiedError(self._jobs) from exc

    def iter_looked_through(self, pool: FilePool, index: Index) -> Iterator[tuple[range, Portion]]:
        """
        Look through all files, and give what they hold beside what is in the index by then.

        Args:
            pool: opens files for the caller's own process.
            index: takes what that finds.

        Yields:
            In the order of files: some of them by their numbers, and a portion of what they hold.

        Raises:
            SourceError: there is no room in the temporary folder.
            QldbStreamError: what reading a file raised, in its turn.
        """
        keep_work(self._work)
        done: set[int] = set()
        turn = 0
        for share in self._iter_done(Looker(self._work, pool, index)):
            done.add(share)
            while turn in done:
                for portion in read_portions(self._work.path_of(turn)):
                    yield self._work.shares[turn], portion
                turn += 1

    def _iter_done(self, own: Looker) -> Iterator[int]:
        """Have all shares looked through; give their numbers as they are done."""
        left = len(self._work.shares)
        asked: set[Future[int | None]] = set()
        is_begun = False
        while left:
            if not is_begun:
                missing = _AHEAD * (self._jobs - 1) - len(asked)
                with _without_interrupts():
                    asked |= {self._processes.submit(look_through_next) for _ in range(missing)}
                share = own.look_through_next()
                is_begun = share is None
                if share is not None:
                    left -= 1
                    yield share
            ended, asked = wait(asked, None if is_begun else 0, FIRST_COMPLETED)
            for share in [future.result() for future in ended]:
                if share is not None:
                    left -= 1
                    yield share

    def iter_answered(
        self, shares: Iterator[list[Found]], reader: PlaceReader, index: Index
    ) -> Iterator[Answered]:
        """
        Ask about all blocks that are open, and give all in their order, with what was said.

        Args:
            shares: some blocks each.
            reader: reads blocks for the caller's own process.
            index: knows where symbol tables stand.

        Raises:
            SourceError: a file changed or failed, or there is no room in the temporary folder.
        """
        write_tables(self._work, index.all_tables())
        waiting: deque[_Share] = deque()
        while True:
            more = islice(shares, _WAITING * self._jobs - len(waiting))
            waiting += [_Share(found) for found in more]
            if not waiting:
                return
            self._give(waiting)
            free = None if waiting[0].is_done else next(_not_begun(waiting), None)
            if free is None:
                yield from waiting.popleft().answered()
            else:
                free.answer(self._work.look, reader)

    def _give(self, waiting: Iterable[_Share]) -> None:
        """Give the others something to go on with."""
        under_way = sum([share.is_begun and not share.is_done for share in waiting])
        for share in islice(_not_begun(waiting), _GIVEN * (self._jobs - 1) - under_way):
            share.future = self._processes.submit(say, share.asked)


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Have processes that start meanwhile never see Ctrl-C; `begin` may come too late for that."""
    if sys.platform == "win32":  # pragma: no cover - there are no masks there
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _not_begun(waiting: Iterable[_Share]) -> Iterator[_Share]:
    return iter([share for share in waiting if not share.is_begun])


def _cut(files: Sequence[FoundFile]) -> Iterator[range]:
    """Cut files into shares, by their numbers; a long one is a share of its own."""
    start = size = 0
    for number, file in enumerate(files):
        if number > start and size + file.size > _SHARE_BYTES:
            yield range(start, number)
            start, size = number, 0
        size += file.size
    yield range(start, len(files))

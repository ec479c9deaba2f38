"""What tests of file sinks share: a writer killed at a system call, a document that is no Ion."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence

import attrs

from qldb_stream.events import Block
from qldb_stream.ion import IonSlice, load_slice

_WRITER = """
import os, signal, sys
from qldb_stream.plugins import open_sink
from qldb_stream.report import Position
from qldb_stream.testing.journals import JournalShape, make_journal

url, left, run_blocks, *names = sys.argv[1:]
left, run_blocks = int(left), int(run_blocks)
blocks = list(make_journal(11, blocks=40, shape=JournalShape(redactions=0.2, deletes=0.1)))

def dying(real):
    def call(*arguments, **options):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **options)
    return call

for name in names:
    setattr(os, name, dying(getattr(os, name)))
sink = open_sink(url)
for start in range(0, 40, run_blocks):
    run = blocks[start : start + run_blocks]
    last = run[-1]
    at = Position(last.address.strand_id, last.address.sequence_no, last.block_hash, start=0)
    sink.apply(run, at, 0)
sink.close()
"""
_NEVER = 10**9


def is_killed(url: str, step: int, calls: Sequence[str], run_blocks: int) -> bool:
    """Write 40 blocks, and die at one of some system calls of `os`; say whether it came to that."""
    done = _write(url, step, calls, run_blocks)
    assert done in {0, -signal.SIGKILL}
    return done != 0


def write_to_the_end(url: str, calls: Sequence[str], run_blocks: int) -> None:
    """Write the same 40 blocks without dying."""
    assert 0 == _write(url, _NEVER, calls, run_blocks)


def _write(url: str, step: int, calls: Sequence[str], run_blocks: int) -> int:
    command = [sys.executable, "-c", _WRITER, url, str(step), str(run_blocks), *calls]
    return subprocess.run(command, check=False).returncode


def with_broken_document(blocks: Sequence[Block]) -> Block:
    """Give the first block that has a document, with one of no sound Ion in its place."""
    index, revision = next(
        (i, r) for b in blocks for i, r in enumerate(b.revisions) if r.data_ion is not None
    )
    block = next(b for b in blocks if revision in b.revisions)
    sound = load_slice(b"\xe0\x01\x00\xea\xdb\x84\x89abcdefghi")
    broken = attrs.evolve(revision, data_ion=IonSlice(sound.buf, 4, 15, sound.symbols))
    revisions = (*block.revisions[:index], broken, *block.revisions[index + 1 :])
    return attrs.evolve(block, revisions=revisions)

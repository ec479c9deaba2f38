"""
An export verified at full depth, beside amazon.ion and ionhash doing the same hashes.

`QLDB_STREAM_BENCH_BLOCKS` says how many blocks it has; the numbers of the project's targets are
those of 100,000. Each run stands in a process of its own, so that nothing is warm from another.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, Final

from amazon.ion import simpleion

from benchmarks import _peers
from benchmarks._timing import Row, ceiling_row
from qldb_stream.archive.evidence import maybe_find_by_index
from qldb_stream.archive.history import open_archive
from qldb_stream.events import BlockAddress
from qldb_stream.hashing import MerkleFrontier, dot, merkle_root
from qldb_stream.ion import _hash
from qldb_stream.parsers.digest import SavedDigest
from qldb_stream.pipeline import verify_source
from qldb_stream.sources import open_source
from qldb_stream.testing import JournalShape, make_journal
from qldb_stream.testing.exports import make_export

BLOCKS: Final = int(os.environ.get("QLDB_STREAM_BENCH_BLOCKS", "5000"))
OBJECT_BLOCKS: Final = 2000  # some 5 MB
DIGESTS: Final = 1_000_000
SHAPE: Final = JournalShape(
    most_revisions=2, empty=0.02
)  # 1.5 revisions a block, as the targets have it
JOBS_ROUNDS: Final = 3
PEER_BLOCKS: Final = 1000  # the peer is slow, and its time grows with the blocks alone

# Not with `-m`: processes started for `--jobs` would import this module, and peers with it.
_COMMAND: Final = "import sys; from benchmarks.archive import main; main(sys.argv[1:])"


def run() -> Iterator[Row]:
    """Measure, and give the table's rows."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        revisions = _write(folder / "binary", "ion-binary", BLOCKS)
        _write(folder / "text", "ion-text", BLOCKS)
        form = "pure Python" if _hash.__file__.endswith(".py") else "compiled"
        value = f"{BLOCKS:,} blocks, {revisions / BLOCKS:.2f} revisions each; hot paths {form}"
        yield Row("export", value)
        yield from _rates(folder)
        yield from _jobs(folder)
        yield from _memory(folder)
        yield from _proofs(folder)
    yield from _digest()


def _write(folder: Path, output_format: Any, blocks: int) -> int:
    """Write a journal as an export; give the number of its revisions."""
    journal = iter(make_journal(7, blocks=blocks, shape=SHAPE))
    revisions = 0
    while found := list(islice(journal, OBJECT_BLOCKS)):
        revisions += sum(len(block.revisions) for block in found)
        export = make_export(found, output_format, object_blocks=OBJECT_BLOCKS)
        export.write(folder, without=[key for key in export.objects if "manifest" in key])
    return revisions


def _rates(folder: Path) -> Iterator[Row]:
    """Verify the same export in both forms, and let the peer hash some of it."""
    ours = min(_timed("verify", folder / "binary", 1) for _ in range(2)) / BLOCKS
    peer = _timed("peer", folder / "binary", PEER_BLOCKS) / min(BLOCKS, PEER_BLOCKS)
    text = _timed("verify", folder / "text", 1) / BLOCKS
    ratio = peer / ours
    value = f"{ratio:.2f}x  ({ours * 1e6:.0f} us a block against {peer * 1e6:.0f} us)"
    yield Row("verify a binary export, all hashes", value, ">= 4x", ratio >= 4)
    value = f"{text / ours:.2f}x  ({text * 1e6:.0f} us a block)"
    yield Row("  an export in Ion text: its time", value, "<= 3.5x", text / ours <= 3.5)


def _jobs(folder: Path) -> Iterator[Row]:
    """Compare what two processes gain with what two that have nothing to do with each other do."""
    alone = together = one = two = float("inf")
    for _ in range(JOBS_ROUNDS):  # side by side, and the best of each: others may be at work
        alone = min(alone, _timed("hash", folder, 0))
        with ThreadPoolExecutor(2) as both:
            together = min(together, max(both.map(lambda _: _timed("hash", folder, 0), range(2))))
        one = min(one, _timed("verify", folder / "binary", 1))
        two = min(two, _timed("verify", folder / "binary", 2))
    possible, gain = 2 * alone / together, one / two
    share = (gain - 1) / (possible - 1) if possible > 1 else 0.0
    value = f"{gain:.2f}x of {possible:.2f}x that unrelated ones gain: {share:.0%}"
    yield Row("  --jobs 2: its gain", value, ">= 85%", share >= 0.85)


def _memory(folder: Path) -> Iterator[Row]:
    """Measure the peak of processes for an export, and for one four times as long."""
    _write(folder / "long", "ion-binary", 4 * BLOCKS)
    for name, blocks in (("binary", BLOCKS), ("long", 4 * BLOCKS)):
        for jobs in (1, 2):
            _, peak_mb = _measured("verify", folder / name, jobs)
            what = f"  peak memory at {blocks:,} blocks, --jobs {jobs}, all processes"
            yield ceiling_row(what, peak_mb, "MB", 200)


def _proofs(folder: Path) -> Iterator[Row]:
    """Prove one document by an index that is there, in a process that has it open."""
    found = _answer("prove", folder / "binary", 0)
    yield ceiling_row("a proof of one document, with the index", found["ms"], "ms", 100)
    value = f"{found['built_s']:.1f} s, {found['index_mb']:.1f} MB"
    yield Row("  the index: built in, and its size", value)


def _digest() -> Iterator[Row]:
    """Fold a million hashes."""
    leaves = [sha256(number.to_bytes(4, "big")).digest() for number in range(1000)]
    frontier = MerkleFrontier()
    started = time.perf_counter()
    for _ in range(DIGESTS // len(leaves)):
        for leaf in leaves:
            frontier.append(leaf)
    frontier.root()
    seconds = time.perf_counter() - started
    yield ceiling_row(f"a digest over {DIGESTS:,} block hashes", seconds, "s", 1.5)


# --- in processes of their own -------------------------------------------------------------


def _answer(what: str, folder: Path, number: int) -> dict[str, Any]:
    command = [sys.executable, "-c", _COMMAND, what, str(folder), str(number)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _measured(what: str, folder: Path, number: int) -> tuple[float, float]:
    found = _answer(what, folder, number)
    return found["s"], found["mb"]


def _timed(what: str, folder: Path, number: int) -> float:
    return _measured(what, folder, number)[0]


def verify(folder: Path, jobs: int) -> None:
    """Verify an export."""
    report = verify_source(open_source(folder), jobs=jobs)
    assert report.ok, report.problems[:3]


def peer(folder: Path, blocks: int) -> None:
    """Read blocks with amazon.ion, and recompute their hashes with ionhash."""
    left = blocks
    for path in sorted(folder.rglob("*.ion")):
        with path.open("rb") as file:
            values = simpleion.load(file, single_value=False, parse_eagerly=False)
            for block in islice(values, left):
                _check(block)
                left -= 1
        if not left:
            return


def _check(block: Any) -> None:
    """Recompute what `verify` recomputes of a block: revisions, statements, entries, the block."""
    entries = [bytes(entry) for entry in block["entriesHashList"]]
    leaves = []
    for revision in block.get("revisions", ()):
        leaf = bytes(revision["hash"])
        leaves.append(leaf)
        if "metadata" in revision:
            metadata = _peers.ion_hash(revision["metadata"])
            data = _peers.ion_hash(revision["data"]) if "data" in revision else b""
            assert leaf == dot(metadata, data) or not data
    if leaves:
        assert merkle_root(leaves) in entries
    if "transactionInfo" in block:
        assert _peers.ion_hash(block["transactionInfo"]) in entries
        for statement in block["transactionInfo"]["statements"]:
            _peers.ion_hash(statement["statement"])
    entries_hash = merkle_root(entries)
    assert entries_hash == bytes(block["entriesHash"])
    assert bytes(block["blockHash"]) == dot(entries_hash, bytes(block["previousBlockHash"]))


def hash_alone(_folder: Path, _number: int) -> None:
    """Hash, as a process does that has nothing to do with any other."""
    data = bytes(200)
    for _ in range(2_000_000):
        sha256(data).digest()


def prove(folder: Path, _number: int) -> dict[str, float]:
    """Build the index of an archive, then prove a document by it; give times and size."""
    (strand,) = verify_source(open_source(folder)).strands
    assert strand.digest is not None
    saved = SavedDigest(strand.digest, BlockAddress(strand.strand_id, strand.last))
    started = time.perf_counter()
    with open_archive([folder], index=folder / "index") as archive:
        documents = [e.revision.document_id for e in islice(archive.history(), 200)]
        built_s = time.perf_counter() - started
        best = float("inf")
        for document_id in documents[-5:]:
            started = time.perf_counter()
            assert maybe_find_by_index(archive, document_id or "", saved) is not None
            best = min(best, time.perf_counter() - started)
    return {
        "ms": best * 1e3,
        "built_s": built_s,
        "index_mb": (folder / "index").stat().st_size / 1e6,
    }


TASKS: dict[str, Callable[[Path, int], Any]] = {
    "verify": verify,
    "peer": peer,
    "hash": hash_alone,
    "prove": prove,
}


def main(arguments: Sequence[str]) -> None:
    """Do one thing, and print what it took."""
    import resource

    what, folder, number = arguments
    if what == "peer":
        _peers.load_ionhash()
    started = time.perf_counter()
    found = TASKS[what](Path(folder), int(number))
    seconds = time.perf_counter() - started
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    others = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss  # of the largest of them
    started_processes = int(number) - 1 if what == "verify" else 0
    peak_mb = (own + started_processes * others) / 1024
    print(json.dumps({"s": seconds, "mb": peak_mb, **(found or {})}))


if __name__ == "__main__":
    main(sys.argv[1:])

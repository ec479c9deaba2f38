"""
Where scenarios are run: fresh places, workers, contents, and what one clean run leaves.

Law 6 is the yardstick. A clean run delivers a journal block by block into a fresh place; its
content, read back, is what every other way of delivering it must lead to. For sinks that
deliver at least once the content is pairs of a delivery key and what was delivered by it; of
pairs with one key only the first counts, and a later one must be equal to it.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from qldb_stream.errors import UsageError
from qldb_stream.events import Block, RevisionKind
from qldb_stream.report import Guarantee
from qldb_stream.testing.kit._compare import Needle, maybe_difference, shown
from qldb_stream.testing.kit._place import make_place
from qldb_stream.testing.kit._report import Finding, FindingError
from qldb_stream.testing.kit._subject import Subject
from qldb_stream.testing.kit._worker import Worker
from qldb_stream.typing import ReadableSink

__all__ = ["Bench"]


@attrs.define
class Bench:
    """
    What all scenarios of one check share.

    Attributes:
        subject: the sink under test.
        kills: how often a process is killed.
        erase: what the scenario of redactions came to, None before.
        blocks_per_s: what was measured, None before.
    """

    subject: Subject
    kills: int = 5
    erase: str | None = None
    blocks_per_s: float | None = None
    _declared: dict[str, bool] = attrs.field(factory=dict)
    _clean: dict[tuple[str, int, int], Any] = attrs.field(factory=dict)
    _root: Path = attrs.field(
        factory=lambda: Path(tempfile.mkdtemp(prefix="qldb-stream-kit-")).resolve()
    )

    def close(self) -> None:
        """Remove all places."""
        shutil.rmtree(self._root, ignore_errors=True)

    def declares(self, name: str) -> bool:
        """
        Say what the sink declares: `can_park` or `takes_filtered`.

        The caller's word counts, else an attribute of the open sink, else that of its type.
        """
        if name not in self.subject.asked:
            return bool(getattr(self.subject, name))
        if name not in self._declared:
            with self.worker() as worker:
                self._declared = {
                    each: bool(getattr(worker.sink, each, getattr(self.subject, each)))
                    for each in self.subject.asked
                }
        return self._declared[name]

    def place(self) -> Path:
        """Make a fresh place."""
        return make_place(self._root)

    def open(self, place: Path, token: int = 1) -> Worker:
        """Open the sink in a place; the caller closes it."""
        return Worker(self.subject.open(place), place, self.subject.guarantee, token)

    @contextmanager
    def worker(self, place: Path | None = None, token: int = 1) -> Iterator[Worker]:
        """Open the sink, in a fresh place unless one is given, and close it at the end."""
        worker = self.open(self.place() if place is None else place, token)
        try:
            yield worker
        finally:
            worker.close()

    def reopen(self, worker: Worker) -> Worker:
        """Close and open again, where something outlives the sink; else go on with it."""
        if not self.subject.durable:
            worker.apply_by = worker.sink.apply
            return worker
        worker.close()
        return self.open(worker.place, worker.token)

    # --- contents ----------------------------------------------------------------------

    def content(self, worker: Worker, blocks: Sequence[Block]) -> Any:
        """
        Read back what the sink holds.

        Args:
            worker: whose sink is read.
            blocks: all that may have been delivered: the range that is asked for.

        Raises:
            UsageError: there is no `read_back`, and the sink cannot be read.
            FindingError: of a sink that delivers at least once, it is no pairs, or two pairs
                with one key differ.
        """
        read_back, sink = self.subject.read_back, worker.sink
        if read_back is not None:
            found = read_back(sink)
            found = list(found) if isinstance(found, Iterator) else found
        elif isinstance(sink, ReadableSink):
            first, last = blocks[0].address, blocks[-1].address
            history = list(sink.history(first.strand_id, first.sequence_no, last.sequence_no))
            current = sink.current(first.strand_id)
            found = {
                "history": sorted(history, key=lambda r: (r.sequence_no, r.document_id)),
                "current": sorted(current, key=lambda r: (r.table, r.document_id)),
            }
        else:
            raise UsageError(
                f"{self.subject.name}: {type(sink).__name__} is no ReadableSink, so the kit needs "
                "read_back: a function of the open sink that gives what it holds"
            )
        if self.subject.guarantee is Guarantee.AT_LEAST_ONCE:
            return _first_by_key(found)
        return found

    def clean(self, blocks: Sequence[Block]) -> Any:
        """Give what a clean run of the kit's own journal leaves; run once."""
        redacted = sum(r.kind is RevisionKind.REDACTED for b in blocks for r in b.revisions)
        key = (blocks[0].address.strand_id, len(blocks), redacted)
        if key not in self._clean:
            self._clean[key] = self.run_clean(blocks)
        return self._clean[key]

    def run_clean(self, blocks: Sequence[Block]) -> Any:
        """Deliver block by block into a fresh place, and read back."""
        with self.worker() as worker:
            worker.deliver(blocks, 1)
            return self.content(worker, blocks)

    def check_content(
        self, worker: Worker, blocks: Sequence[Block], problem: str, look_at: str
    ) -> None:
        """
        Hold what the sink holds against a clean run of the same blocks.

        Raises:
            FindingError: it is not the same.
        """
        self.check_equal(self.clean(blocks), self.content(worker, blocks), problem, look_at)

    def check_same_set(
        self, worker: Worker, blocks: Sequence[Block], problem: str, look_at: str
    ) -> None:
        """
        As `check_content`; deliveries at least once may have come in another order.

        Raises:
            FindingError: it is not the same.
        """
        expected, found = self.clean(blocks), self.content(worker, blocks)
        if self.subject.guarantee is Guarantee.AT_LEAST_ONCE:
            expected, found = sorted(expected, key=repr), sorted(found, key=repr)
        self.check_equal(expected, found, problem, look_at)

    def check_there(self, markers: Iterable[str], content: Any) -> None:
        """
        Look for the markers of documents that live.

        Raises:
            FindingError: a document is not there.
        """
        for text in markers:
            self.check(
                holds=Needle(text).is_in(content),
                problem="a document is not there",
                expected=f"a current document with the text {text}",
                found="nothing like it in what was read back",
                look_at="how apply writes documents; read_back must show them",
            )

    # --- what is wrong -----------------------------------------------------------------

    def check_equal(self, expected: Any, found: Any, problem: str, look_at: str) -> None:
        """
        Compare two contents.

        Raises:
            FindingError: they differ; it says where first.
        """
        difference = maybe_difference(expected, found)
        if difference is not None:
            where, ours, theirs = difference
            self.fail(f"{problem}: {where} differs", ours, theirs, look_at)

    def check(self, *, holds: bool, problem: str, expected: str, found: Any, look_at: str) -> None:
        """
        Fail unless something holds.

        Raises:
            FindingError: it does not.
        """
        if not holds:
            text = found if isinstance(found, str) else shown(found)
            self.fail(problem, expected, text, look_at)

    def fail(self, problem: str, expected: str, found: str, look_at: str) -> None:
        """
        End the scenario.

        Raises:
            FindingError: always.
        """
        raise FindingError(Finding(problem, expected, found, look_at))


def _first_by_key(pairs: Any) -> list[tuple[Any, Any]]:
    """Leave out repeats that carry the same delivery key."""
    kept: list[tuple[Any, Any]] = []
    for pair in pairs:
        if not isinstance(pair, list | tuple) or len(pair) != 2:  # noqa: PLR2004 - key and value
            raise FindingError(
                Finding(
                    "read_back of a sink that delivers at least once gives no pairs",
                    "an iterable of (delivery key, what was delivered), in order of delivery",
                    shown(pair),
                    "read_back",
                )
            )
        before = next((earlier for earlier in kept if earlier[0] == pair[0]), None)
        if before is None:
            kept.append((pair[0], pair[1]))
        elif (difference := maybe_difference(before[1], pair[1])) is not None:
            raise FindingError(
                Finding(
                    f"two deliveries with the key {shown(pair[0])} differ: {difference.where}",
                    difference.expected,
                    difference.found,
                    "a key must follow from strand, block and document, and from nothing else",
                )
            )
    return kept

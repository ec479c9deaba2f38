"""
The whole way once, on a journal of our own: what `qldb-stream demo` runs.

A source ledger records the vehicle-registration story; its journal leaves it as
KPL-aggregated Kinesis records, which are shuffled, repeated and put into files, as a
careless carrier would; the files are verified and replayed into a destination ledger;
both chains are verified, and the two ledgers are compared. Nothing is stubbed: each
step calls what a user would call.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

import attrs

from qldb_stream.errors import UsageError
from qldb_stream.ledger import Ledger
from qldb_stream.pipeline import Pipeline, verify_source
from qldb_stream.reconcile import Comparison, compare_ledgers
from qldb_stream.replay import IDS_TABLE, POSITION_TABLE
from qldb_stream.report import Outcome, Problem, ReplayReport, VerifyReport
from qldb_stream.sinks.ledger import LedgerSink
from qldb_stream.sources import open_source
from qldb_stream.testing.deliveries import make_delivery, write_archive
from qldb_stream.testing.vehicle_registration import Chapter, tell_story
from qldb_stream.verification import ChainVerifier

__all__ = ["ChainProof", "Kept", "Rehearsal", "Step", "prove_chain", "rehearse"]

# Small, so that a small story fills several files.
_FILE_BYTES: Final = 64 << 10


@attrs.frozen
class Step:
    """A step that has been taken: what it did, and whether what it shows held."""

    title: str
    detail: str
    ok: bool = True


@attrs.frozen
class ChainProof:
    """
    A ledger's own chain, verified from its first block to the digest that it gives.

    `revisions` counts those of the ledger's users; `own_revisions` those of the tables
    in which a replay keeps its position and the ids.
    """

    blocks: int
    revisions: int
    own_revisions: int
    digest: bytes
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Say whether every check held and the digest is the ledger's own."""
        return not self.problems


@attrs.frozen
class Kept:
    """Where a rehearsal leaves what it made: two ledger files and a folder of records."""

    folder: Path

    @property
    def source(self) -> Path:
        """Name the source ledger."""
        return self.folder / "source.ledger"

    @property
    def destination(self) -> Path:
        """Name the ledger that was replayed into."""
        return self.folder / "destination.ledger"

    @property
    def records(self) -> Path:
        """Name the folder of the records that were delivered."""
        return self.folder / "records"


@attrs.frozen
class Rehearsal:
    """
    What the whole way came to.

    `chapters` are the story's; `verification` is of the delivered files, before anything
    was replayed; the proofs are of the two ledgers' own chains. `kept` says where all of it
    lies, `document_id` is that of one document of the source.
    """

    chapters: tuple[Chapter, ...]
    verification: VerifyReport
    replay: ReplayReport
    source: ChainProof
    destination: ChainProof
    comparison: Comparison
    kept: Kept
    document_id: str

    @property
    def ok(self) -> bool:
        """Say whether all of it held."""
        return all(
            part.ok
            for part in (
                self.verification,
                self.replay,
                self.source,
                self.destination,
                self.comparison,
            )
        )


def rehearse(
    folder: Path,
    on_step: Callable[[Step], None],
    *,
    seed: int = 1,
    vehicles: int = 60,
) -> Rehearsal:
    """
    Go the whole way once and leave ledgers and records in a folder.

    Args:
        folder: made when absent; must hold nothing.
        on_step: called after each step, in order.
        seed: chooses the story's details and the order of delivery.
        vehicles: how large the story is; 60 vehicles make some 200 blocks.

    Raises:
        UsageError: the folder is not empty, or cannot be made or read.
    """
    kept = Kept(folder)
    _make_folder(kept)
    with Ledger.open(kept.source, name="vehicle-registration") as source:
        chapters = tuple(tell_story(source.driver(), seed=seed, vehicles=vehicles))
        on_step(_told(chapters))
        on_step(_deliver(source, kept.records, seed))
        verification = verify_source(open_source([kept.records]))
        on_step(_verified(verification))
        replay = _replay(kept)
        on_step(_replayed(replay))
        with Ledger.open(kept.destination) as destination:
            proofs = (prove_chain(source), prove_chain(destination))
            on_step(_proved("source", proofs[0]))
            on_step(_proved("destination", proofs[1]))
            comparison = compare_ledgers(source.blocks(), destination)
        on_step(_compared(comparison))
        document_id = _some_document(source)
    return Rehearsal(chapters, verification, replay, *proofs, comparison, kept, document_id)


def _make_folder(kept: Kept) -> None:
    folder = kept.folder
    try:
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"{folder} is no folder; name an empty one, or one to be made")
        folder.mkdir(parents=True, exist_ok=True)
        is_empty = not any(folder.iterdir())
    except OSError as exc:
        raise UsageError(f"{folder} cannot be used as a folder: {exc.strerror}") from exc
    if is_empty:
        return
    if kept.source.exists():
        raise UsageError(
            f"{folder} is not empty: it holds an earlier demo, which is left as it is; remove "
            "that, or name another folder"
        )
    raise UsageError(f"{folder} is not empty: name a folder that is, or one to be made")


def _some_document(source: Ledger) -> str:
    """Give the id of the first document that the story wrote."""
    written = (revision.document_id for block in source.blocks() for revision in block.revisions)
    return next(document_id for document_id in written if document_id is not None)


def prove_chain(ledger: Ledger) -> ChainProof:
    """Verify every block of a ledger, the links, and the digest that the ledger gives."""
    verifier = ChainVerifier()
    blocks = revisions = own = 0
    problems: list[Problem] = []
    for block in ledger.blocks():
        problems += verifier.feed(block).problems
        blocks += 1
        revisions += len(block.revisions)
        tables = (r.table.table_name for r in block.revisions if r.table is not None)
        own += sum(table in (IDS_TABLE, POSITION_TABLE) for table in tables)
    claimed = ledger.digest()
    check = verifier.check_digest(claimed.tip.strand_id, claimed.digest, claimed.tip)
    if check.outcome is not Outcome.VERIFIED:
        tip = claimed.tip
        problems.append(Problem(check.name, check.detail, tip.strand_id, tip.sequence_no))
    return ChainProof(blocks, revisions - own, own, claimed.digest, tuple(problems))


def _deliver(source: Ledger, folder: Path, seed: int) -> Step:
    """Put the journal into files as a careless carrier would, and say how."""
    kinesis_records = list(source.stream_records(aggregated=True))
    delivery = list(make_delivery(kinesis_records, seed=seed))
    files = write_archive(delivery, folder, file_bytes=_FILE_BYTES)
    return Step(
        "delivered: shuffled and repeated",
        f"{len(kinesis_records)} KPL-aggregated Kinesis records, some twice, {len(delivery)} in "
        f"all, concatenated in {len(files)} files",
    )


def _replay(kept: Kept) -> ReplayReport:
    # Not by URL: in a path of the user's, a percent sign or question mark is only that.
    with closing(LedgerSink.open(kept.destination, ids="any")) as sink:
        return Pipeline(sink, start=0).run(open_source([kept.records]))


# --- what each step says --------------------------------------------------------------------


def _told(chapters: tuple[Chapter, ...]) -> Step:
    transactions = sum(chapter.transactions for chapter in chapters)
    revisions = sum(chapter.revisions for chapter in chapters)
    return Step(
        "recorded: a source ledger",
        f"{transactions} transactions wrote {revisions} revisions",
    )


def _verified(report: VerifyReport) -> Step:
    return Step(
        "verified: what was delivered",
        f"{report.blocks} blocks, {report.revisions} revisions, {report.level.value}; "
        f"{len(report.problems)} problems",
        report.ok,
    )


def _replayed(report: ReplayReport) -> Step:
    return Step(
        "replayed: into a destination ledger",
        f"{report.applied} blocks applied, {report.documents} revisions written",
        report.ok,
    )


def _proved(which: str, proof: ChainProof) -> Step:
    held = "every link and the digest hold" if proof.ok else f"{len(proof.problems)} problems"
    return Step(f"verified: the {which}'s chain", f"{proof.blocks} blocks: {held}", proof.ok)


def _compared(comparison: Comparison) -> Step:
    differences = len(comparison.differences) + comparison.more
    return Step(
        "compared: source and destination",
        f"{comparison.blocks} blocks, {comparison.documents} documents, "
        f"{comparison.revisions} revisions; {differences} differences",
        comparison.ok,
    )

"""
Scenarios of redactions: the content is gone, shown by searching for its bytes; the proof stays.

Searched is what `read_back` gives and every file of the sink's place, while the sink is open
(a write-ahead log counts) and after it was closed. A sink that says in `summary()` that a
redaction is pending, or has no `summary()`, claims nothing: the badge then says that it does
not erase.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from qldb_stream.events import Block
from qldb_stream.hookspecs import SummarizingSink
from qldb_stream.testing.kit._bench import Bench
from qldb_stream.testing.kit._compare import Needle
from qldb_stream.testing.kit._journals import Erasure, redactions
from qldb_stream.testing.kit._scenario import Scenario
from qldb_stream.testing.kit._told import check_told
from qldb_stream.testing.kit._worker import Worker
from qldb_stream.typing import ErasingSink, ReadableSink

__all__ = ["DOES_NOT_ERASE", "ERASES", "NOT_ASKED", "SCENARIOS"]

ERASES: Final = "erases"
DOES_NOT_ERASE: Final = "does not erase, and claims nothing"
NOT_ASKED: Final = "erasing not shown"
_NEVER_SHOWN: Final = "keeps nothing to erase that the kit could find"

_FORGET: Final = (
    "erase in tables, history, indexes, log and free space before apply returns (SQLite: "
    "secure_delete, and a checkpoint of the write-ahead log), or name the block in "
    "SinkSummary.redactions_pending"
)
_PROOF: Final = "keep data_hash with every revision from delivery on; read_back must show it"


def _redaction(bench: Bench) -> str:
    """Deliver documents and then their redactions: the content is gone, the hashes stay."""
    erasure, place = redactions(), bench.place()
    strand_id = erasure.full[0].address.strand_id
    with bench.worker(place) as worker:
        worker.deliver(erasure.full[: erasure.redacts_from], 2)
        was_there = _places_of(bench, worker, erasure)
        worker.deliver(erasure.full)
        claims = _claims(worker.sink, erasure.full[erasure.redacts_from :])
        if _places_of(bench, worker, erasure) and not claims:
            bench.erase = DOES_NOT_ERASE
            return "the content stays, and the sink does not claim that it went"
        _check_gone(bench, worker, erasure, "after its redaction")
        check_told(bench, worker, erasure.full)
        if bench.subject.durable:
            _check_kept(bench, worker, erasure, strand_id)
    for secret in erasure.secrets:
        _check_files(bench, worker, secret, "after the sink was closed")
    if not bench.subject.durable:
        bench.erase = ERASES if was_there else _NEVER_SHOWN
        return bench.erase
    with bench.worker(place) as worker:
        worker.deliver(erasure.full)
        _check_gone(bench, worker, erasure, "when the whole journal came again")
    bench.erase = ERASES if was_there else _NEVER_SHOWN
    return bench.erase


def _claims(sink: Any, blocks: Sequence[Block]) -> bool:
    """Say whether a sink claims to have carried out the redactions of blocks."""
    if not isinstance(sink, SummarizingSink):
        return isinstance(sink, ErasingSink)
    pending = set(sink.summary().redactions_pending)
    asked = {(b.address.strand_id, b.address.sequence_no) for b in blocks}
    return not asked & pending


def _places_of(bench: Bench, worker: Worker, erasure: Erasure) -> list[str]:
    """Name where secrets are found."""
    content = bench.content(worker, erasure.full)
    found = []
    for needle in map(Needle, erasure.secrets):
        if needle.is_in(content):
            found.append("what was read back")
        file = needle.file_in(worker.place)
        if file is not None:
            found.append(file.name)
    return found


def _check_gone(bench: Bench, worker: Worker, erasure: Erasure, when: str) -> None:
    found = _places_of(bench, worker, erasure)
    bench.check(
        holds=not found,
        problem=f"redacted content is still there {when}",
        expected="nothing of it, anywhere",
        found=", ".join(found),
        look_at=_FORGET,
    )


def _check_files(bench: Bench, worker: Worker, secret: str, when: str) -> None:
    file = Needle(secret).file_in(worker.place)
    bench.check(
        holds=file is None,
        problem=f"redacted content is still in a file {when}",
        expected="nothing of it",
        found="" if file is None else file.name,
        look_at=_FORGET,
    )


def _check_kept(bench: Bench, worker: Worker, erasure: Erasure, strand_id: str) -> None:
    """Look for what was not redacted, and for the hashes of what was."""
    content = bench.content(worker, erasure.full)
    for text in erasure.kept:
        bench.check(
            holds=Needle(text).is_in(content),
            problem="a redaction erased what it does not name",
            expected=f"a current document with the text {text}",
            found="nothing like it in what was read back",
            look_at="redaction_info.revisions: block, table, document and version",
        )
    for data_hash in erasure.data_hashes:
        kept = Needle(data_hash)
        bench.check(
            holds=kept.is_in(content) or kept.file_in(worker.place) is not None,
            problem="the proof of a redacted revision is gone",
            expected=f"its data_hash, {data_hash.hex()}",
            found="no such bytes, plain, in hex or in base64",
            look_at=_PROOF,
        )
    if isinstance(worker.sink, ReadableSink):
        told = worker.sink.history(strand_id, 0, erasure.full[-1].address.sequence_no)
        hidden = {r.data_hash: r.data for r in told if r.data_hash in erasure.data_hashes}
        bench.check_equal(
            dict.fromkeys(erasure.data_hashes),
            hidden,
            "history() does not tell of redacted revisions",
            "StoredRevision of a redacted one: data None, data_hash there",
        )


def _redacted_copies(bench: Bench) -> str | None:
    """Deliver blocks that come redacted, then hand redacted copies to `erase`."""
    erasure = redactions()
    _deliver_redacted(bench, erasure)
    with bench.worker() as worker:
        sink = worker.sink
        if not isinstance(sink, ErasingSink):
            return "the sink has no erase(), so copies that come redacted later are passed over"
        worker.deliver(erasure.full[: erasure.redacts_from])
        for _ in range(2):  # what is erased already stays so
            sink.erase(erasure.erased, worker.token)
        _check_gone(bench, worker, erasure, "after erase()")
        worker.deliver(erasure.full)
        _check_kept(bench, worker, erasure, erasure.full[0].address.strand_id)
    return None


def _deliver_redacted(bench: Bench, erasure: Erasure) -> None:
    clean = bench.run_clean(erasure.erased)
    with bench.worker() as worker:
        worker.deliver(erasure.erased, len(erasure.erased))
        look_at = "revisions of kind REDACTED: no data, data_hash, and no delete"
        found = bench.content(worker, erasure.erased)
        bench.check_equal(clean, found, "a journal that came redacted, in one run", look_at)
        check_told(bench, worker, erasure.erased)
    for text in erasure.kept:
        bench.check(
            holds=Needle(text).is_in(clean),
            problem="a document of a journal that came redacted is not there",
            expected=f"a current document with the text {text}",
            found="nothing like it in what was read back",
            look_at="revisions of kind REDACTED take part in their document's versions",
        )


SCENARIOS: Final = (
    Scenario("a redaction", "redacted content is gone, and its proof stays", _redaction),
    Scenario("redacted copies", "what comes redacted is taken as such", _redacted_copies),
)

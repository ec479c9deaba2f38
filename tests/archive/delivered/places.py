"""
How each kind of sink is held against the ledger whose archive was delivered into it.

What tells its content is compared as `qldb-stream diff` does, ledgers as `compare` does, archives
by reading them back, and what was sent by the messages that a receiver has of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, TypeAlias

import attrs

from qldb_stream.events import Block
from qldb_stream.ion import to_ascii_json
from qldb_stream.ledger import Ledger
from qldb_stream.pipeline import Pipeline, verify_source
from qldb_stream.plugins import open_sink
from qldb_stream.reconcile import ContentReport, SinkDiff, compare_ledgers, compare_mirror
from qldb_stream.sinks.kafka._records import HEADERS
from qldb_stream.sinks.memory import MemorySink
from qldb_stream.sources import open_source
from qldb_stream.testing import write_archive
from tests.archive.parts import bare
from tests.sinks.kafka.brokers import Read
from tests.sinks.webhook.server import Receiver

Check: TypeAlias = Callable[[Ledger], None]


@attrs.frozen
class Place:
    """A sink's URL, and a check that what is there equals a ledger."""

    url: str
    check: Check


def compared(url: str, ledger: Ledger, scratch: Path) -> ContentReport:
    """Compare what a sink tells of its content with a ledger's own stream."""
    write_archive(ledger.stream_records(), scratch)
    with closing(open_sink(url)) as sink, SinkDiff(sink, open_source(scratch)) as work:
        return work.compare()


def readable(url: str, scratch: Path) -> Place:
    """A sink that tells its content: history, its order and current documents agree."""

    def check(ledger: Ledger) -> None:
        report = compared(url, ledger, scratch)
        assert () == report.differences
        (strand,) = report.strands
        tip = ledger.digest().tip
        assert report.ok
        assert strand.verified_through is not None
        assert (tip.sequence_no, True) == (
            strand.verified_through.sequence_no,
            strand.current_compared,
        )

    return Place(url, check)


def replayed(url: str, path: Path) -> Place:
    """A ledger that was replayed into: every transaction wrote the same, document by document."""

    def check(ledger: Ledger) -> None:
        with Ledger.open(path, read_only=True) as copy:
            assert compare_ledgers(ledger.blocks(), copy).ok

    return Place(url, check)


def mirrored(path: Path) -> Place:
    """A ledger that has the very blocks: the digest is the same."""

    def check(ledger: Ledger) -> None:
        with Ledger.open(path, read_only=True) as copy:
            assert ledger.digest() == copy.digest()
            assert compare_mirror(ledger.blocks(), copy).ok

    return Place(f"ledger:{path}?mode=mirror", check)


def read_back(url: str, place: str, *, is_ion: bool) -> Place:
    """An archive of ours: it verifies to the ledger's digest; in Ion the very blocks come out."""

    def check(ledger: Ledger) -> None:
        report = verify_source(open_source(place))
        assert () == report.problems
        assert [ledger.digest().digest] == [strand.digest for strand in report.strands]
        if is_ion:
            sink = MemorySink()
            Pipeline(sink, start=0).run(open_source(place))
            assert list(map(bare, ledger.blocks())) == list(map(bare, sink.blocks))

    return Place(url, check)


def sent(url: str, receive: Callable[[], Iterable[Mapping[str, Any]]]) -> Place:
    """What goes out as messages: one for each revision, with its proof and its document."""

    def check(ledger: Ledger) -> None:
        blocks = list(ledger.blocks())
        found = [message for message in receive() if "version" in message and "kind" in message]
        told = {message["hash"]: (_place_of(message), message["data"]) for message in found}
        assert {hash_: said for block in blocks for hash_, said in _said(block)} == told
        assert len(told) == len(found)

    return Place(url, check)


def said_by_record(read: Read) -> Mapping[str, Any]:
    """What a record of Kafka says: the proof is in its headers; a delete has no value."""
    said: dict[str, Any] = {
        name: read.headers[header] for name, header in HEADERS.items() if header in read.headers
    }
    said |= {name: int(said[name]) for name in ("sequenceNo", "version") if name in said}
    return said | {"data": None if read.value is None else json.loads(read.value)}


def said_by_bodies(receiver: Receiver) -> list[Mapping[str, Any]]:
    """What a web server was sent to the path `/cars`, block by block."""
    return [said for body in receiver.bodies("/cars") for said in body["data"]["messages"]]


def _place_of(message: Mapping[str, Any]) -> tuple[Any, ...]:
    names = ("sequenceNo", "blockHash", "documentId", "version", "kind")
    return tuple(message[name] for name in names)


def _said(block: Block) -> Iterable[tuple[str, Any]]:
    """What should be said of each revision of a block, by its hash."""
    for revision in block.revisions:
        if revision.metadata is not None:
            about = revision.metadata
            at = (block.address.sequence_no, block.block_hash.hex())
            place = (*at, about.id, about.version, revision.kind.value)
            data = revision.data_ion
            yield revision.hash.hex(), (place, data and json.loads(to_ascii_json(data)))

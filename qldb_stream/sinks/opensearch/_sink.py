"""
The sink: blocks into indices, at least once, so that repeats change nothing.

A run's documents are written by bulk requests, in order, and then the position, on the condition
that nobody has written it since it was read (if_seq_no, if_primary_term). OpenSearch has no
transaction around both: what a crash between them leaves is written again, under the same ids
and versions. A worker that was overtaken can at worst repeat what is there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from qldb_stream.errors import (
    DecodeError,
    SinkRefusedError,
    SinkUnavailableError,
    StaleTokenError,
    UsageError,
)
from qldb_stream.events import Block, RevisionKind
from qldb_stream.report import Position, SinkSummary, StoredRevision
from qldb_stream.sinks._relational import Erasure, expect_together
from qldb_stream.sinks.opensearch._client import Cluster, Stored, TakenError
from qldb_stream.sinks.opensearch._documents import (
    FORMAT,
    Action,
    Indices,
    block_actions,
    history_id,
    redacted_action,
    stub_action,
)
from qldb_stream.sinks.opensearch._read import stored_revision

__all__ = ["OpenSearchSink"]

_BULK_BYTES: Final = 4 << 20  # the smallest domains of AWS take 10 MiB a request
_BULK_ACTIONS: Final = 500
_EXPECTED_TOGETHER: Final = 200
_CONFLICT: Final = 409
_REFUSED: Final = 400
_DENIED: Final = (401, 403)
_GONE: Final = 404
_BUSY: Final = 429
_FAILED: Final = 500
_CLOSED: Final = "cluster_block_exception"


class _RefusedError(Exception):
    """OpenSearch will never take what a block says."""

    def __init__(self, sequence_no: int, problem: str) -> None:
        super().__init__(problem)
        self.sequence_no = sequence_no


@attrs.frozen
class _Strand:
    """What stands of a strand: position and token, and by which it is overwritten."""

    position: Position | None = None
    token: int | None = None
    seen: Stored | None = None


class OpenSearchSink:
    """
    Write blocks into OpenSearch; readable and erasing.

    Args:
        cluster: where; closed with the sink.
        prefix: what the names of indices begin with.
        waits: whether an apply waits until searches see what it wrote.
    """

    def __init__(self, cluster: Cluster, prefix: str, *, waits: bool) -> None:
        self._cluster: Final = cluster
        self._indices: Final = Indices(prefix)
        self._waits: Final = waits
        self._made: set[str] = set()
        self._documents = 0

    def position(self, strand_id: str) -> Position | None:
        """
        Give what is durably applied of a strand.

        Raises:
            UsageError: it may not be read, or is of another format.
            SinkUnavailableError: the cluster cannot be asked now.
        """
        return self._strand(strand_id).position

    def apply(self, blocks: Sequence[Block], position: Position, token: int) -> Position:
        """
        Write a run of blocks, then the position.

        Returns:
            `position`, or what is stored when that covers it; when a later block of the run is
            refused, the position before it.

        Raises:
            StaleTokenError: a higher token has been used on the strand.
            SinkRefusedError: the first block that it has not will never be taken.
            UsageError: the caller may not write there.
            SinkUnavailableError: the cluster cannot be used now; a part of the run may be
                there, and is written again.
        """
        strand = self._current(position.strand_id, token)
        stored = strand.position
        if stored is not None and stored.covers(position):
            return stored
        pending = blocks if stored is None else stored.pending(blocks)
        try:
            self._write(pending)
        except _RefusedError as exc:
            before = [b for b in pending if b.address.sequence_no < exc.sequence_no]
            if not before or (stored and exc.sequence_no <= stored.sequence_no):
                raise SinkRefusedError(
                    self._cluster.name, position.strand_id, exc.sequence_no, str(exc)
                ) from exc
            position = position.at(before[-1])
        self._move(strand, position, token)
        return position

    def erase(self, blocks: Sequence[Block], token: int) -> None:
        """
        Erase the data of revisions that are REDACTED in these copies of blocks.

        Raises:
            StaleTokenError: a higher token has been used on a strand; its data stay.
            SinkUnavailableError: the cluster cannot be used now; it may be asked again.
        """
        for strand_id in {block.address.strand_id for block in blocks}:
            self._current(strand_id, token)
        bulk = _Bulk(self)
        named = [
            (revision.metadata.id, revision.metadata.version)
            for block in blocks
            for revision in block.revisions
            if revision.kind is RevisionKind.REDACTED and revision.metadata is not None
        ]
        for action in self._redactions(named, leaves_stubs=False):
            bulk.add(action)
        bulk.flush()

    def expect(self, blocks: Iterable[Block]) -> Iterator[StoredRevision]:
        """
        Iterate over what the history holds of these blocks when they are applied.

        What redactions that were applied here took away is not expected any more.
        """
        return expect_together(blocks, _EXPECTED_TOGETHER, self._erased)

    def history(self, strand_id: str, first: int, last: int) -> Iterator[StoredRevision]:
        """Iterate over all revisions of a range of blocks, both ends included, in order."""
        return (stored_revision(one) for one in self._search(strand_id, first, last))

    def current(self, strand_id: str) -> Iterator[StoredRevision]:
        """Iterate over the newest revision of each document that is there now."""
        filters = [_term("strand_id", strand_id), _term("living", value=True)]
        found = self._cluster.search(
            self._indices.all_current, filters, ["qldb.table", "qldb.document_id"]
        )
        return map(stored_revision, found)

    def summary(self) -> SinkSummary:
        """Say what this sink has done since it was opened; redactions were carried out."""
        return SinkSummary(self._documents)

    def close(self) -> None:
        """Close the connections; what was applied stays."""
        self._cluster.close()

    # --- positions -------------------------------------------------------------------------

    def _strand(self, strand_id: str) -> _Strand:
        seen = self._cluster.get(self._indices.position, strand_id)
        if seen is None:
            return _Strand()
        source = seen[0]
        if source.get("format") != FORMAT:
            raise UsageError(
                f"{self._cluster.name}: its format is {source.get('format')}, this version of "
                f"qldb-stream writes {FORMAT}: use the version that wrote it"
            )
        return _Strand(Position.from_json(json.loads(source["position"])), source["token"], seen)

    def _current(self, strand_id: str, token: int) -> _Strand:
        """
        Read what stands of a strand, as the holder of a token.

        Raises:
            StaleTokenError: a higher one has been used.
        """
        strand = self._strand(strand_id)
        if strand.token is not None and token < strand.token:
            raise StaleTokenError(strand_id, strand.token, token)
        return strand

    def _move(self, strand: _Strand, position: Position, token: int) -> None:
        """
        Write the position over the one that was read.

        Raises:
            StaleTokenError: a higher token has been used since.
            SinkUnavailableError: somebody with the same token was faster.
        """
        self.make(self._indices.position)
        body = {"format": FORMAT, "token": token, "position": json.dumps(position.as_json())}
        try:
            self._cluster.put(self._indices.position, position.strand_id, body, strand.seen)
        except TakenError as exc:
            now = self._current(position.strand_id, token)
            if (now.token, now.position) != (token, position):  # else it was this very write
                raise SinkUnavailableError(
                    self._cluster.name, "another worker has written to this strand; try again"
                ) from exc

    # --- blocks ----------------------------------------------------------------------------

    def make(self, index: str) -> None:
        """Make an index, once."""
        if index not in self._made:
            self._cluster.make_index(index, self._indices.template(index))
            self._made.add(index)

    def forget(self, index: str) -> None:
        """Look again whether an index is there, before the next write."""
        self._made.discard(index)

    def _write(self, blocks: Sequence[Block]) -> None:
        bulk = _Bulk(self)
        for block in blocks:
            try:
                actions = block_actions(self._indices, block)
                info = block.summary.redaction_info
                asked = () if info is None else info.revisions
            except DecodeError as exc:
                bulk.flush()
                raise _RefusedError(block.address.sequence_no, str(exc)) from exc
            for action in actions:
                bulk.add(action)
            if asked:
                bulk.flush()  # what is redacted may be among it
                named = [(one.document_id, one.version) for one in asked]
                for action in self._redactions(named, leaves_stubs=True):
                    bulk.add(attrs.evolve(action, sequence_no=block.address.sequence_no))
        bulk.flush()

    def send(self, actions: Sequence[Action]) -> list[Mapping[str, Any]]:
        """Send actions; give what became of each."""
        for index in dict.fromkeys(action.index for action in actions):
            self.make(index)
        lines = "".join(action.lines() for action in actions)
        found = self._cluster.bulk(lines, waits=self._waits)
        if len(found) != len(actions):
            raise self.unavailable(f"it answers for {len(found)} of {len(actions)} actions")
        return found

    def count(self, documents: int) -> None:
        """Count revisions that were written."""
        self._documents += documents

    def unavailable(self, problem: str) -> SinkUnavailableError:
        """Give what is raised when the cluster cannot take something now."""
        return SinkUnavailableError(self._cluster.name, problem)

    def denied(self, index: str, problem: str) -> UsageError:
        """Give what is raised when the caller may not write an index, whatever the block."""
        return UsageError(f"{self._cluster.name}: {index}: {problem}: check what it may write")

    @property
    def history_index(self) -> str:
        """Name the index of all revisions."""
        return self._indices.history

    # --- redactions ------------------------------------------------------------------------

    def _redactions(
        self, named: Sequence[tuple[str, int]], *, leaves_stubs: bool
    ) -> Iterator[Action]:
        """Give what takes the data out of revisions, and of current documents that are the same."""
        if not named:
            return
        self.make(self._indices.history)
        ids = [(self._indices.history, history_id(*name)) for name in named]
        for name, (index, of), source in zip(named, ids, self._cluster.get_many(ids), strict=True):
            if source is None or "strand_id" not in source["qldb"]:
                if leaves_stubs:
                    yield stub_action(self._indices, *name)
                continue
            yield redacted_action(index, of, source, is_history=True)
            yield from self._current_redaction(source["qldb"]["table"], *name)

    def _current_redaction(self, table: str, document_id: str, version: int) -> Iterator[Action]:
        index = self._indices.current(table)
        (source,) = self._cluster.get_many([(index, document_id)])
        if source is not None and source["qldb"]["version"] == version:
            yield redacted_action(index, document_id, source, is_history=False)

    def _erased(self, strand_id: str, first: int, last: int) -> frozenset[Erasure]:
        found = self._search(strand_id, first, last, _term("erased", value=True))
        told = (source["qldb"] for source in found)
        return frozenset(
            (strand_id, one["sequence_no"], one["document_id"], one["version"]) for one in told
        )

    def _search(
        self, strand_id: str, first: int, last: int, *more: Mapping[str, Any]
    ) -> Iterator[Mapping[str, Any]]:
        filters = [
            _term("strand_id", strand_id),
            {"range": {"qldb.sequence_no": {"gte": first, "lte": last}}},
            *more,
        ]
        order = ["qldb.sequence_no", "qldb.document_id", "qldb.version"]
        return self._cluster.search(self._indices.history, filters, order)


class _Bulk:
    """
    Collects actions and sends them, in order.

    Raises from `add` and `flush`:
        _RefusedError: one will never be taken; what is before it is written.
        SinkUnavailableError: one is not taken now.
        UsageError: the caller may not write its index.
    """

    def __init__(self, sink: OpenSearchSink) -> None:
        self._sink = sink
        self._waiting: list[Action] = []
        self._bytes = 0

    def add(self, action: Action) -> None:
        """Take one more."""
        self._waiting.append(action)
        self._bytes += len(action.body)
        if self._bytes >= _BULK_BYTES or len(self._waiting) >= _BULK_ACTIONS:
            self.flush()

    def flush(self) -> None:
        """Send what waits, and again in another form what was not taken as it is."""
        actions, self._waiting, self._bytes = self._waiting, [], 0
        if not actions:
            return
        again: list[Action] = []
        refused: list[_RefusedError] = []
        for action, outcome in zip(actions, self._sink.send(actions), strict=True):
            other = self._look(action, outcome, refused)
            again += [] if other is None else [other]
        for action, outcome in zip(again, self._sink.send(again) if again else (), strict=True):
            assert self._look(action, outcome, refused) is None, "no form is left"
        written = sum(a.index == self._sink.history_index and a.erased is not None for a in actions)
        self._sink.count(written)
        if refused:
            raise min(refused, key=lambda error: error.sequence_no)

    def _look(
        self, action: Action, outcome: Mapping[str, Any], refused: list[_RefusedError]
    ) -> Action | None:
        """Give the other form in which an action goes again, if it does."""
        status = int(outcome["status"])
        if status == _CONFLICT:  # a newer one stands; of a revision, its redaction
            if action.erased is None:
                return None
            return attrs.evolve(action, version=2, body=action.erased, erased=None)
        if status < _REFUSED:
            return None
        kind = str(outcome.get("error", {}).get("type"))
        if status == _BUSY or status >= _FAILED or kind == _CLOSED:
            raise self._sink.unavailable(f"{status} {kind}")
        if status == _GONE:  # an index that was there is made again with the next try
            self._sink.forget(action.index)
            raise self._sink.unavailable(f"{status} {kind}")
        if status in _DENIED:
            raise self._sink.denied(action.index, f"{status} {kind}")
        if status == _REFUSED and action.fallback is not None:
            return attrs.evolve(action, body=action.fallback, fallback=None)
        problem = f"a document does not fit into the index {action.index}: {status} {kind}"
        refused.append(_RefusedError(action.sequence_no, problem))
        return None


def _term(field: str, value: object) -> dict[str, Any]:
    return {"term": {f"qldb.{field}": value}}

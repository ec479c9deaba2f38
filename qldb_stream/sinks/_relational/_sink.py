"""
The relational sink: whole blocks into tables, exactly once, in one transaction a run.

Position and fencing token stand in the same database and are read and written in the
transaction that writes the blocks. The catalog (tables, columns, names) is cached and carries a
version, which each transaction looks at: another worker may have changed it. Tables are
changed only by a transaction that began exclusively; one that finds out late that it has to
begins again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

import attrs

from qldb_stream.errors import (
    DecodeError,
    IonEncodeError,
    SinkRefusedError,
    SinkUnavailableError,
)
from qldb_stream.events import Block, RevisionKind
from qldb_stream.formulas import hash_data
from qldb_stream.report import Position, SinkSummary, StoredRevision
from qldb_stream.sinks._relational._catalog import Catalog, Draft, Table
from qldb_stream.sinks._relational._database import Database, RowRefusedError
from qldb_stream.sinks._relational._meta import (
    apply_draft,
    create,
    load_catalog,
    load_settings,
    read_position,
    read_token,
    write_position,
)
from qldb_stream.sinks._relational._plan import Erasure, RunPlan, plan_run
from qldb_stream.sinks._relational._read import expect_together, read_current, read_history
from qldb_stream.sinks._relational._unscrubbed import (
    Unscrubbed,
    forget_unscrubbed,
    load_unscrubbed,
    note_unscrubbed,
)
from qldb_stream.sinks._relational._write import (
    delete_revisions,
    erase,
    find_erased,
    rebuild_current,
    write_plan,
)

__all__ = ["RelationalSink"]

_JSON: Final = "json"
_EXPECTED_TOGETHER: Final = 500  # blocks whose redactions are asked for at once


class _ExclusiveError(Exception):
    """Tables have to be changed, and the transaction did not begin for that."""


@attrs.define
class _Outcome:
    """What a transaction came to, before anybody may believe it."""

    reached: Position | None
    catalog: Catalog
    documents: int = 0
    scrubbed: list[Table] = attrs.field(factory=list)
    redactions: list[tuple[str, int]] = attrs.field(factory=list)
    note: Unscrubbed | None = None
    avoided: list[Table] = attrs.field(factory=list)


class RelationalSink:
    """
    Writes blocks into a relational database.

    Args:
        db: the open database; closed with the sink.
        settings: the options that the tables are made with; `schema` is one of them.

    Raises:
        UsageError: the tables that are there are of another format, or made otherwise.
        DeliveryError: the database cannot be used now.
    """

    def __init__(self, db: Database, settings: dict[str, str]) -> None:
        self._db = db
        self._settings = settings
        self._one_column = settings["schema"] == _JSON
        self._catalog = Catalog(-1)
        self._exclusive = False
        self._documents = 0
        self._avoided: dict[str, str] = {}
        self._unscrubbed: list[Unscrubbed] = []
        if db.is_prepared():
            load_settings(db, settings)
            self._unscrubbed = load_unscrubbed(db)
            if self._unscrubbed:  # a crash, or a reader of an old state
                self._fresh_catalog()
                self._scrub()

    def position(self, strand_id: str) -> Position | None:
        """
        Give what is durably applied of a strand.

        Raises:
            DeliveryError: the database cannot be asked now.
        """
        return read_position(self._db, strand_id) if self._db.is_prepared() else None

    def apply(self, blocks: Sequence[Block], position: Position, token: int) -> Position:
        """
        Apply a run of blocks in one transaction.

        Returns:
            `position`, or what is stored when that covers it. Where the database refuses
            something in a run, the position of a prefix without it.

        Raises:
            StaleTokenError: a higher token has been used on the strand; nothing changes.
            SinkRefusedError: the database will never take the first block that it has not.
            SinkUnavailableError: it cannot be used now; nothing of the run is kept.
        """
        try:
            outcome = self._transact(
                position.strand_id,
                token,
                lambda catalog, stored: self._apply(catalog, stored, blocks, position),
            )
        except (RowRefusedError, DecodeError, IonEncodeError) as exc:
            return self._apply_less(blocks, position, token, exc)
        assert outcome.reached is not None
        return outcome.reached

    def erase(self, blocks: Sequence[Block], token: int) -> None:
        """
        Erase the data of revisions that are REDACTED in these copies of blocks.

        Raises:
            StaleTokenError: a higher token has been used on a strand; its data stay.
            SinkUnavailableError: the database cannot be used now.
        """
        self._by_strand(blocks, token, self._erase)

    def repair(self, blocks: Sequence[Block], token: int) -> None:
        """
        Write the revisions of applied blocks anew; blocks that are not applied are passed over.

        Raises:
            StaleTokenError: a higher token has been used on a strand; nothing changes.
            SinkRefusedError: the database will never take what a block holds.
            SinkUnavailableError: the database cannot be used now.
        """
        self._by_strand(blocks, token, self._repair)

    def expect(self, blocks: Iterable[Block]) -> Iterator[StoredRevision]:
        """
        Iterate over what the history holds of these blocks when they are applied.

        What redactions that were applied here took away is not expected any more.
        """
        return expect_together(blocks, _EXPECTED_TOGETHER, self._find_erased)

    def _find_erased(self, strand_id: str, first: int, last: int) -> Collection[Erasure]:
        return find_erased(self._db, strand_id, first, last) if self._db.is_prepared() else ()

    def history(self, strand_id: str, first: int, last: int) -> Iterator[StoredRevision]:
        """Iterate over all revisions of a range of blocks, both ends included, in order."""
        if self._db.is_prepared():
            yield from read_history(self._db, self._fresh_catalog(), strand_id, first, last)

    def current(self, strand_id: str) -> Iterator[StoredRevision]:
        """Iterate over the newest revision of each document that is there now."""
        if self._db.is_prepared():
            yield from read_current(self._db, self._fresh_catalog(), strand_id)

    def summary(self) -> SinkSummary:
        """
        Say what this sink has done since it was opened.

        A redaction is pending while the database may still hold erased bytes beside its rows.
        """
        pending = {key for note in self._unscrubbed for key in note.redactions}
        avoided = tuple((source, name) for name, source in self._avoided.items())
        return SinkSummary(self._documents, tuple(sorted(pending)), names_avoided=avoided)

    def close(self) -> None:
        """Let go of the database; what was applied stays."""
        self._db.close()

    # --- transactions ----------------------------------------------------------------------

    def _transact(
        self, strand_id: str, token: int, work: Callable[[Catalog, Position | None], _Outcome]
    ) -> _Outcome:
        """Do work on a strand in one transaction, as the holder of a token."""
        try:
            outcome = self._attempt(strand_id, token, work, exclusive=not self._db.is_prepared())
        except _ExclusiveError:
            outcome = self._attempt(strand_id, token, work, exclusive=True)
        self._catalog = outcome.catalog
        self._documents += outcome.documents
        prefix = self._settings["prefix"]
        self._avoided |= {prefix + table.name: table.source_name for table in outcome.avoided}
        if outcome.note is not None:
            self._unscrubbed.append(outcome.note)
            self._scrub()
        return outcome

    def _attempt(
        self,
        strand_id: str,
        token: int,
        work: Callable[[Catalog, Position | None], _Outcome],
        *,
        exclusive: bool,
    ) -> _Outcome:
        db = self._db
        self._exclusive = exclusive
        db.begin(exclusive=exclusive)
        try:
            if exclusive and not db.is_prepared():
                create(db, self._settings)
            version = load_settings(db, self._settings)
            if version != self._catalog.version:
                self._catalog = load_catalog(db, version)
            db.lock_strand(strand_id)
            stored = read_token(db, strand_id, token)
            outcome = work(self._catalog, stored)
            write_position(db, strand_id, outcome.reached, token)
            if outcome.scrubbed:
                table_ids = [table.id for table in outcome.scrubbed]
                outcome.note = note_unscrubbed(db, table_ids, outcome.redactions)
            db.commit()
        except BaseException:
            db.rollback()
            raise
        return outcome

    def _scrub(self) -> None:
        """Let go, after the commit, what redactions left behind; what cannot be done is pending."""
        notes = self._unscrubbed
        known = self._catalog.tables
        ids = dict.fromkeys(table_id for note in notes for table_id in note.table_ids)
        tables = [known[table_id] for table_id in ids if table_id in known]
        if notes and self._db.scrub(tables):
            self._unscrubbed = []
            # It is gone, but the note of it stays: whoever opens the database next looks again.
            with suppress(SinkUnavailableError):
                forget_unscrubbed(self._db, notes)

    def _change_tables(self, draft: Draft) -> Catalog:
        """Make the tables what a draft says, where the transaction may."""
        if draft.changed:
            if not self._exclusive:
                raise _ExclusiveError
            apply_draft(self._db, draft)
        return draft.catalog()

    def _draft(self, catalog: Catalog) -> Draft:
        taken = self._db.taken_names() if self._exclusive else ()
        return Draft(catalog, taken, self._db.max_name_bytes, one_column=self._one_column)

    def _fresh_catalog(self) -> Catalog:
        version = load_settings(self._db, self._settings)
        if version != self._catalog.version:
            self._catalog = load_catalog(self._db, version)
        return self._catalog

    # --- work in a transaction -------------------------------------------------------------

    def _apply(
        self,
        catalog: Catalog,
        stored: Position | None,
        blocks: Sequence[Block],
        position: Position,
    ) -> _Outcome:
        if stored is not None and stored.covers(position):
            return _Outcome(stored, catalog)
        pending = blocks if stored is None else stored.pending(blocks)
        draft = self._draft(catalog)
        plan = self._plan(draft, stored, pending)
        catalog = self._change_tables(draft)
        scrubbed = write_plan(self._db, catalog, plan, position.strand_id)
        redactions = [(position.strand_id, number) for number, _ in plan.redacted]
        return _Outcome(
            position, catalog, plan.documents, scrubbed, redactions, avoided=draft.avoided
        )

    def _plan(self, draft: Draft, stored: Position | None, pending: Sequence[Block]) -> RunPlan:
        erased: frozenset[Erasure] = frozenset()
        if stored is not None and pending:
            first = pending[0].address
            if first.sequence_no <= stored.sequence_no:  # it was parked, and may be redacted since
                erased = find_erased(
                    self._db, first.strand_id, first.sequence_no, stored.sequence_no
                )
        return plan_run(
            draft,
            self._db.cells,
            pending,
            erased,
            one_column=self._one_column,
            applied=-1 if stored is None else stored.sequence_no,
        )

    def _erase(
        self, catalog: Catalog, stored: Position | None, blocks: Sequence[Block]
    ) -> _Outcome:
        scrubbed: dict[str, Table] = {}
        outcome = _Outcome(stored, catalog)
        for block in blocks:
            address = block.address
            for revision in block.revisions:
                if revision.kind is not RevisionKind.REDACTED or revision.metadata is None:
                    continue
                metadata = revision.metadata
                key = (address.strand_id, address.sequence_no, metadata.id, metadata.version)
                for table in catalog.find(
                    "" if revision.table is None else revision.table.table_id
                ):
                    if erase(self._db, table, key, hash_data(revision), notes=True):
                        scrubbed[table.id] = table
                        outcome.redactions.append((address.strand_id, address.sequence_no))
        outcome.scrubbed = list(scrubbed.values())
        return outcome

    def _repair(
        self, catalog: Catalog, stored: Position | None, blocks: Sequence[Block]
    ) -> _Outcome:
        if stored is None:
            return _Outcome(stored, catalog)
        strand_id = stored.strand_id
        applied = [b for b in blocks if not stored.pending([b])]
        numbers = sorted({block.address.sequence_no for block in applied})
        if not numbers:
            return _Outcome(stored, catalog)
        erased = find_erased(self._db, strand_id, numbers[0], numbers[-1])
        draft = self._draft(catalog)
        plan = plan_run(
            draft,
            self._db.cells,
            applied,
            erased,
            one_column=self._one_column,
            follows_ddl=False,
        )
        catalog = self._change_tables(draft)
        touched = delete_revisions(self._db, catalog.tables.values(), strand_id, numbers)
        for table_id, rows in plan.tables.items():
            touched.setdefault(table_id, set()).update(row[2] for row in rows.history)
            rows.current.clear()
            rows.gone.clear()
        scrubbed = write_plan(self._db, catalog, plan, strand_id)
        for table_id, documents in touched.items():
            rebuild_current(self._db, catalog.tables[table_id], strand_id, documents)
        redactions = [(strand_id, number) for number, _ in plan.redacted]
        return _Outcome(stored, catalog, plan.documents, scrubbed, redactions)

    # --- refusals --------------------------------------------------------------------------

    def _apply_less(
        self, blocks: Sequence[Block], position: Position, token: int, exc: Exception
    ) -> Position:
        """Halve a run in which something was refused, until the guilty block stands alone."""
        stored = self.position(position.strand_id)
        pending = list(blocks if stored is None else stored.pending(blocks))
        if len(pending) == 1:
            raise self._refusal(pending, exc) from exc
        assert pending, "a position alone was refused"
        half = pending[: len(pending) // 2]
        return self.apply(half, position.at(half[-1]), token)

    def _by_strand(
        self,
        blocks: Sequence[Block],
        token: int,
        work: Callable[[Catalog, Position | None, Sequence[Block]], _Outcome],
    ) -> None:
        """Do work on the blocks of each strand, in a transaction for each."""
        strands: dict[str, list[Block]] = {}
        for block in blocks:
            strands.setdefault(block.address.strand_id, []).append(block)
        for strand_id, mine in strands.items():
            try:
                self._transact(strand_id, token, partial(_with_blocks, work, mine))
            except (RowRefusedError, DecodeError, IonEncodeError) as exc:
                raise self._refusal(mine, exc) from exc

    def _refusal(self, blocks: Sequence[Block], exc: Exception) -> SinkRefusedError:
        address = blocks[0].address
        return SinkRefusedError(self._db.name, address.strand_id, address.sequence_no, str(exc))


def _with_blocks(
    work: Callable[[Catalog, Position | None, Sequence[Block]], _Outcome],
    blocks: Sequence[Block],
    catalog: Catalog,
    stored: Position | None,
) -> _Outcome:
    return work(catalog, stored, blocks)

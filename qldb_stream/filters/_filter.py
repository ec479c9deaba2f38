"""
The filter: what a sink gets of a block.

Rules:

- Which table a document is in is taken from transactionInfo, which is hashed, and only
  where that does not name it from the record. A document of which nothing says in which table
  it is stops the strand: nobody can say whether it may pass.
- Conditions see the source's document; masks come after them.
- A condition is asked about documents only: a delete stays a delete, a redaction a redaction.
- Where anything is hidden (`Filter.hides`), what is delivered shares no bytes with the
  source's records, and the texts of statements are left out (`filters._info`).

What the filter cannot decide is a `FilterError`, which halts: nothing passes in doubt.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

import attrs

from qldb_stream.errors import DecodeError, FilterError, PartiqlEvaluationError, UsageError
from qldb_stream.events import (
    Block,
    BlockAddress,
    BlockSummary,
    DocumentInfo,
    Filtered,
    Metadata,
    RedactionInfo,
    Revision,
    TableInfo,
)
from qldb_stream.filters._check import check_masks, check_rename, check_tables, compiled, tables_of
from qldb_stream.filters._info import iter_ddl_tables, reduced_info
from qldb_stream.filters._masks import EVERY_TABLE, Mask, mask_document
from qldb_stream.ion import IonSlice, replaced

# For one condition on one document; rows of its sub-queries, a row being some 4,000 steps.
_MAX_ROWS: Final = 100_000
_MAX_HELD_BYTES: Final = 64 << 20


def _names(names: Collection[str]) -> frozenset[str]:
    return frozenset(names)


def _maybe_names(names: Collection[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(names)


def _by_table(texts: Mapping[str, str]) -> Mapping[str, str]:
    return dict(texts)


def _masks(masks: Iterable[Mask]) -> tuple[Mask, ...]:
    return tuple(masks)


@attrs.frozen
class Filter:
    """
    What is delivered of a journal, and how it is changed on the way.

    All names of tables are the source's, as its documents have them; `rename` gives the new
    ones. Without `tables` all are delivered but `exclude_tables`. `where` has for a table a
    PartiQL expression about its document (`qldb_stream.partiql.compile_predicate`): of a
    document for which it is not true nothing is delivered but that it is there. `salt` is
    the key of masks that hash, 16 bytes or more; it is a secret, and shown nowhere.

    Raises:
        UsageError: a rule makes no sense, or contradicts another.
    """

    tables: frozenset[str] | None = attrs.field(default=None, converter=_maybe_names)
    exclude_tables: frozenset[str] = attrs.field(default=frozenset(), converter=_names)
    rename: Mapping[str, str] = attrs.field(factory=dict, converter=_by_table)
    masks: tuple[Mask, ...] = attrs.field(default=(), converter=_masks)
    where: Mapping[str, str] = attrs.field(factory=dict, converter=_by_table)
    salt: bytes | None = attrs.field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        others = sorted({*self.rename, *self.where, *tables_of(self.masks)})
        check_tables(self.tables, self.exclude_tables, others)
        check_rename(self.rename)
        check_masks(self.masks, self.salt)
        for table, text in self.where.items():
            compiled(table, text)

    @property
    def hides(self) -> bool:
        """Say whether anything is kept from the sink, new names apart."""
        return bool(self.tables is not None or self.exclude_tables or self.masks or self.where)

    def delivered_name(self, table_name: str) -> str | None:
        """Give the name under which a table is delivered; None for one that is left out."""
        if table_name in self.exclude_tables:
            return None
        if self.tables is not None and table_name not in self.tables:
            return None
        return self.rename.get(table_name, table_name)

    def apply(self, block: Block) -> Block:
        """
        Make of a block the block that a sink gets.

        Args:
            block: whole and verified, as the source has it.

        Returns:
            A block with `filtered`. Revisions of tables that are left out are not there, those
            with only a hash are; a document that a condition does not admit is withheld; a
            masked one names its fields. Both keep `hash`, and have `data_hash`.

        Raises:
            FilterError: it cannot be decided what may pass; nothing is delivered of it.
            UsageError: the block was filtered before.
        """
        if block.filtered is not None:
            raise UsageError("a block is filtered once: put the rules of both filters into one")
        try:
            return _Application(self, block.address).block(block)
        except DecodeError as exc:
            address = block.address
            raise FilterError(address.strand_id, address.sequence_no, str(exc)) from exc


@attrs.frozen
class _Application:
    """A filter at work on one block."""

    rules: Filter
    address: BlockAddress

    def block(self, block: Block) -> Block:
        info = block.summary.transaction_info
        documents: Mapping[str, DocumentInfo] = {} if info is None else info.documents
        tables = {found.table.table_name for found in documents.values()}
        if info is not None:
            tables.update(iter_ddl_tables(s.statement for s in info.statements))
        revisions: list[Revision] = []
        for revision in block.revisions:
            metadata = revision.metadata
            if metadata is None:
                revisions.append(revision)
                continue
            table = self._table(revision, metadata, documents)
            tables.add(table.table_name)
            if self.rules.delivered_name(table.table_name) is not None:
                revisions.append(self._revision(revision, metadata, table))
        filtered = Filtered(self._names(tables))
        return Block(self._summary(block.summary), tuple(revisions), filtered)

    def _refuse(self, problem: str) -> FilterError:
        return FilterError(self.address.strand_id, self.address.sequence_no, problem)

    def _names(self, tables: Collection[str]) -> dict[str, str | None]:
        """Map the tables of the block to new names, none of which another table has."""
        rename = self.rules.rename
        for table in tables:
            if table in rename.values() and self.rules.delivered_name(table) == table:
                raise self._refuse(
                    f"table {table} has the name that another table is renamed to; leave it out, "
                    "or give it another name too"
                )
        return {table: self.rules.delivered_name(table) for table in sorted(tables)}

    def _summary(self, summary: BlockSummary) -> BlockSummary:
        """Take out of the summary what may hold contents."""
        if not self.rules.hides:
            return summary
        info, redaction = summary.transaction_info, summary.redaction_info
        if info is not None:
            info = reduced_info(info, lambda name: self.rules.delivered_name(name) is not None)
        if redaction is not None:
            redaction = RedactionInfo(_own(redaction.ion))
        return attrs.evolve(summary, transaction_info=info, redaction_info=redaction)

    def _table(
        self, revision: Revision, metadata: Metadata, documents: Mapping[str, DocumentInfo]
    ) -> TableInfo:
        found = documents.get(metadata.id)
        table = revision.table if found is None else found.table
        if table is None:
            raise self._refuse(f"nothing says in which table document {metadata.id} is")
        return table

    def _revision(self, revision: Revision, metadata: Metadata, table: TableInfo) -> Revision:
        """Give a revision of a table that is delivered as a sink gets it."""
        name = self.rules.delivered_name(table.table_name)
        assert name is not None, "tables that are left out do not come here"
        revision = attrs.evolve(revision, table=attrs.evolve(table, table_name=name))
        if not self.rules.hides:
            return revision
        document = revision.data_ion
        metadata = attrs.evolve(metadata, ion=_own(metadata.ion))
        if document is None:
            return attrs.evolve(revision, metadata=metadata)
        delivered: IonSlice | None = None
        paths: tuple[str, ...] = ()
        admits = self._admits(document, metadata, table.table_name)
        if admits:
            masks = self._masks(table.table_name)
            delivered, paths = mask_document(document, masks, self.rules.salt)
        data_hash = revision.data_hash
        if data_hash is None and (paths or not admits):
            data_hash = document.hash()
        return attrs.evolve(
            revision,
            metadata=metadata,
            data_ion=delivered,
            data_hash=data_hash,
            masked=paths,
            is_withheld=not admits,
        )

    def _masks(self, table: str) -> Sequence[Mask]:
        """Give the masks of a table; one that names it goes before one for every table."""
        masks = self.rules.masks
        own = [mask for mask in masks if mask.table == table]
        paths = {mask.path for mask in own}
        return own + [m for m in masks if m.table == EVERY_TABLE and m.path not in paths]

    def _admits(self, document: IonSlice, metadata: Metadata, table: str) -> bool:
        """Ask the condition of a table, if it has one."""
        text = self.rules.where.get(table)
        if text is None:
            return True
        bound = _Bound(self, metadata.id)
        try:
            predicate = compiled(table, text)
            return predicate.admits(document, check=bound.check, hold=bound.hold)
        except PartiqlEvaluationError as exc:
            raise self._refuse(
                f"the condition on {table} fails at line {exc.line}, column {exc.column} on "
                f"document {metadata.id}: make it false or null there, as with IS or CASE"
            ) from exc


class _Bound:
    """Bounds what one condition may cost on one document."""

    def __init__(self, application: _Application, document_id: str) -> None:
        self._application = application
        self._document_id = document_id
        self._rows = 0
        self._held = 0

    def check(self, rows: int = 1) -> None:
        self._rows += rows
        if self._rows > _MAX_ROWS:
            raise self._too_much(f"looks at more than {_MAX_ROWS:,} rows")

    def hold(self, size: int) -> None:
        self._held += size
        if self._held > _MAX_HELD_BYTES:
            raise self._too_much(f"holds more than {_MAX_HELD_BYTES >> 20} MiB")

    def _too_much(self, problem: str) -> FilterError:
        address = self._application.address
        return FilterError(
            address.strand_id,
            address.sequence_no,
            f"a condition {problem} on document {self._document_id}",
        )


def _own(value: IonSlice) -> IonSlice:
    """Copy a value out of its record."""
    return replaced(value, {})

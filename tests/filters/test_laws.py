"""What filters keep, for every journal: order, hashes, kinds, and what is hidden."""

from __future__ import annotations

import attrs
from hypothesis import given, strategies as st

from qldb_stream.events import Block, RevisionKind
from qldb_stream.filters import Filter, Mask, MaskMethod
from qldb_stream.ion import IonSlice, IonType, iter_fields, text_of
from qldb_stream.testing import Journal
from qldb_stream.testing.strategies import journals
from tests.filters.support import SALT, all_bytes

ID_LENGTH = 22


@st.composite
def filters(draw: st.DrawFn, journal: Journal) -> Filter:
    """Draw rules about the tables and fields that a journal has."""
    revisions = [r for block in journal for r in block.revisions if r.table is not None]
    tables = sorted({r.table.table_name for r in revisions if r.table is not None})
    names = {name for r in revisions for name, _ in fields(r.data_ion) if name is not None}
    excluded = draw(st.sets(st.sampled_from(tables))) if tables else set()
    kept = [table for table in tables if table not in excluded]
    masked = draw(st.sets(st.sampled_from(sorted(names)), max_size=3)) if names else set()
    methods = st.sampled_from(MaskMethod)
    masks = [Mask("*", (name,), draw(methods), "masked") for name in sorted(masked)]
    conditions = st.sampled_from(["true", "false", "number IS STRING"])
    where = {table: draw(conditions) for table in kept if draw(st.booleans())}
    rename = {table: f"{table}_new" for table in kept if draw(st.booleans())}
    return Filter(exclude_tables=excluded, masks=masks, where=where, rename=rename, salt=SALT)


def fields(document: IonSlice | None) -> list[tuple[str | None, IonSlice]]:
    """The fields of a document that is a struct."""
    if document is None or document.is_null or document.ion_type is not IonType.STRUCT:
        return []
    return list(iter_fields(document))


@given(st.data(), journals(most_blocks=8, any_documents=True))
def test_hashes_stay_those_of_the_source(data: st.DataObject, journal: Journal) -> None:
    """Blocks, addresses, hashes, leaves and the order of what is delivered stay the source's."""
    rules = data.draw(filters(journal))

    for block in journal:
        found = rules.apply(block)
        source = {r.hash: r for r in block.revisions}
        assert attrs.evolve(block.summary, transaction_info=None, redaction_info=None) == (
            attrs.evolve(found.summary, transaction_info=None, redaction_info=None)
        )
        kept = [r for r in block.revisions if r.hash in {f.hash for f in found.revisions}]
        assert [r.hash for r in kept] == [r.hash for r in found.revisions]
        for revision in found.revisions:
            before = source[revision.hash]
            assert before.metadata == revision.metadata
            data_hash = before.data_hash if before.data_ion is None else before.data_ion.hash()
            assert revision.data_hash in (before.data_hash, data_hash)
            if revision.kind is not RevisionKind.WITHHELD:
                assert before.kind is revision.kind
                assert bool(revision.masked) == (before.data_ion != revision.data_ion)


@given(st.data(), journals(most_blocks=8))
def test_what_is_left_out_is_nowhere(data: st.DataObject, journal: Journal) -> None:
    """Texts of masked fields, withheld documents and left-out tables are in no delivered byte."""
    rules = data.draw(filters(journal))

    for block in journal:
        found = rules.apply(block)
        delivered = {r.hash: r for r in found.revisions}
        hidden: set[str] = set()
        shown: set[str] = set()
        for before in block.revisions:
            after = delivered.get(before.hash)
            for name, field in fields(before.data_ion):
                text = secret_of(field)
                is_shown = after is not None and after.data_ion and name not in after.masked
                (shown if is_shown else hidden).add(text)
        if rules.hides:
            everything = all_bytes(found)
            assert not [text for text in hidden - shown - {""} if text.encode() in everything]
            assert_small(found)


def secret_of(field: IonSlice) -> str:
    """
    The text of a field that is long enough to be found by chance nowhere.

    Ids of documents are elsewhere too: in metadata and leaves, which are proof.
    """
    is_text = field.ion_type is IonType.STRING and not field.is_null
    text = text_of(field) if is_text else ""
    return text if len(text) > 7 and len(text) != ID_LENGTH else ""


def assert_small(block: Block) -> None:
    """Each slice has a buffer of its own."""
    for revision in block.revisions:
        if revision.metadata is not None:
            ion = revision.metadata.ion
            assert ion.to_bytes() == ion.buf


@given(st.data(), journals(most_blocks=6))
def test_filters_are_deterministic(data: st.DataObject, journal: Journal) -> None:
    """The same filter makes the same of the same blocks."""
    rules = data.draw(filters(journal))

    assert list(map(rules.apply, journal)) == list(map(rules.apply, journal))

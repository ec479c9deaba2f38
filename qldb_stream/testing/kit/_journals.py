"""The journals that the scenarios deliver; the same in every process and every run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from random import Random
from typing import Any, Final

import attrs

from qldb_stream.events import Block
from qldb_stream.filters import parse_filter
from qldb_stream.ion import IonSlice, iter_text, to_slice
from qldb_stream.testing._documents import make_document
from qldb_stream.testing._plan import JournalShape
from qldb_stream.testing.journals import make_journal
from qldb_stream.testing.stories import Story

__all__ = [
    "LEFT_OUT",
    "MASKED_PATH",
    "NEW_NAME",
    "OLD_NAME",
    "TORTURES",
    "Erasure",
    "deletions",
    "dropped_tables",
    "everything",
    "filtered",
    "long_journal",
    "markers_in",
    "masked_and_withheld",
    "redactions",
    "renamed_tables",
    "torture",
    "with_gap",
]

_SHAPE: Final = JournalShape(redactions=0.15, deletes=0.15, system=0.1)


def marker(number: int) -> str:
    """Make a text that nothing else has, to be found again in whatever a sink keeps."""
    return f"kit-{Random(f'marker/{number}').getrandbits(64):016x}"


def marker_of(data_ion: IonSlice | None) -> str | None:
    """Give a document's marker; None where it has none."""
    found = None if data_ion is None else data_ion.decode().get("kit")
    return None if found is None else str(found)


def markers_in(blocks: Iterable[Block]) -> list[str]:
    """Give the marker of the newest revision of each document that is there in the end."""
    newest = {r.document_id: r for block in blocks for r in block.revisions}
    found = [marker_of(revision.data_ion) for revision in newest.values()]
    return [text for text in found if text is not None]


def _document(rng: Random, table_name: str, references: Sequence[str]) -> dict[str, Any]:
    made = make_document(rng, table_name, references)
    return {**made, "kit": f"kit-{rng.getrandbits(64):016x}"}


@cache
def everything() -> tuple[Block, ...]:
    """Give 36 blocks with a bit of everything, redactions in full; every document has a marker."""
    shape = attrs.evolve(_SHAPE, document=_document)
    return tuple(make_journal(7, blocks=36, shape=shape))


@cache
def long_journal() -> tuple[Block, ...]:
    """Give 150 blocks, for what takes time: kills, two workers, speed."""
    return tuple(make_journal(8, blocks=150, shape=_SHAPE))


# --- redactions ----------------------------------------------------------------------------


@attrs.frozen
class Erasure:
    """
    A journal in which two documents are redacted.

    `full` has all blocks as they first came, `erased` as the service shows them afterwards;
    those from `redacts_from` on redact. `secrets` are texts that must be gone then, `kept`
    those that must not; `data_hashes` are of the redacted documents.
    """

    full: tuple[Block, ...]
    erased: tuple[Block, ...]
    redacts_from: int
    secrets: tuple[str, ...]
    kept: tuple[str, ...]
    data_hashes: tuple[bytes, ...]


@cache
def redactions() -> Erasure:
    """Tell of a redacted revision of a document that lives on, and of one that was deleted."""
    story = Story(11)
    secrets, kept = (marker(1), marker(2)), (marker(3), marker(4))
    story.create_table("Patients")
    first = story.insert("Patients", {"name": secrets[0], "ward": 4})
    with story.transaction():
        second = story.insert("Patients", {"name": secrets[1]})
        story.insert("Patients", {"name": kept[0]})
    story.update(first, {"name": kept[1], "ward": 5})
    story.delete(second)
    redacts_from = len(story)
    story.redact(first, 0)
    story.redact(second, 0)
    erased = tuple(story.blocks(erased=True))
    hashes = [r.data_hash for block in erased for r in block.revisions if r.data_hash is not None]
    return Erasure(tuple(story.blocks()), erased, redacts_from, secrets, kept, tuple(hashes))


# --- deletes, tables -----------------------------------------------------------------------


@cache
def deletions() -> tuple[Block, ...]:
    """Tell of documents that are deleted, and of one of the same content that comes after."""
    story = Story(12)
    story.create_table("Cars")
    document = {"vin": "1N4AL11D75C109151", "kit": marker(10)}
    first = story.insert("Cars", document)
    other = story.insert("Cars", {"vin": "KM8SRDHF6EU074761", "kit": marker(11)})
    story.update(first, {**document, "color": "green"})
    story.delete(first)
    with story.transaction():
        story.insert("Cars", document)
        story.update(other, {"vin": "KM8SRDHF6EU074761", "kit": marker(12)})
    with story.transaction():  # made and gone in one transaction: two revisions of one block
        brief = story.insert("Cars", {"kit": marker(13)})
        story.insert("Cars", {"kit": marker(14)})
    story.delete(brief)
    story.update(other, {"vin": "KM8SRDHF6EU074761", "kit": marker(15)})
    return tuple(story.blocks())


@cache
def dropped_tables() -> tuple[Block, ...]:
    """Tell of a table that is dropped, undropped, dropped again and made anew."""
    story = Story(13)
    old = story.create_table("Cars")
    story.create_index("Cars", "vin")
    kept = story.insert("Cars", {"vin": "A", "kit": marker(20)})
    story.drop_table("Cars")
    story.undrop_table(old)
    story.update(kept, {"vin": "A", "kit": marker(21)})
    story.drop_table("Cars")
    story.create_table("Cars")
    story.insert("Cars", {"vin": "A", "kit": marker(22)})
    story.create_table("Owners")
    with story.transaction():
        story.insert("Owners", {"name": marker(23)})
        story.insert("Cars", {"vin": ["not", {"a": "text"}], "kit": marker(24)})
    return tuple(story.blocks())


@cache
def with_gap() -> tuple[Block, ...]:
    """Tell of reads in the middle, which may be missing without any other block's knowing."""
    story = Story(14)
    story.create_table("Cars")
    story.insert("Cars", {"kit": marker(30)})
    story.select("Cars")
    story.select("Cars")
    story.insert("Cars", {"kit": marker(31)})
    return tuple(story.blocks())


# --- filters -------------------------------------------------------------------------------

OLD_NAME: Final = "KitOldName"
NEW_NAME: Final = "KitNewName"
LEFT_OUT: Final = "KitLeftOut"
MASKED_PATH: Final = "owner.tax_number"


@cache
def renamed_tables() -> tuple[Block, ...]:
    """Tell of a table that a filter renames, and of one that is never renamed."""
    story = Story(15)
    story.create_table(OLD_NAME)
    story.create_table("Others")
    story.create_index(OLD_NAME, "vin")
    first = story.insert(OLD_NAME, {"vin": "A", "kit": marker(40)})
    with story.transaction():
        story.insert("Others", {"kit": marker(41)})
        story.update(first, {"vin": "B", "kit": marker(42)})
    return tuple(story.blocks())


def filtered(blocks: Iterable[Block]) -> tuple[Block, ...]:
    """Rename a table in blocks."""
    rules = parse_filter({"rename": {OLD_NAME: NEW_NAME}})
    return tuple(rules.apply(block) for block in blocks)


@cache
def masked_and_withheld() -> tuple[Block, ...]:
    """Give blocks with a masked document, one that is withheld after it was seen, and others."""
    story = Story(16)
    story.create_table("Cars")
    story.create_table(LEFT_OUT)
    masked = story.insert("Cars", {"kit": marker(50), "shown": True, "owner": {"tax_number": "7"}})
    story.insert(LEFT_OUT, {"kit": marker(51)})
    seen = story.insert("Cars", {"kit": marker(52), "shown": True})
    story.update(seen, {"kit": marker(53), "shown": False})
    story.update(masked, {"kit": marker(54), "shown": True, "owner": {"tax_number": "8"}})
    hidden = story.insert("Cars", {"kit": marker(55), "shown": False})
    story.update(hidden, {"kit": marker(56), "shown": True})
    story.delete(hidden)
    rules = parse_filter(
        {
            "exclude_tables": [LEFT_OUT],
            "mask": {"Cars": {MASKED_PATH: "text:***"}},
            "where": {"Cars": "shown"},
        }
    )
    return tuple(rules.apply(block) for block in story.blocks())


# --- documents that are hard to keep -------------------------------------------------------

_EVERY_TYPE: Final = """
{nothing: null, yes: true, no: false, zero: 0, minus: -1, huge: 123456789012345678901234567890,
 float: 1.5e0, tiny: 4.9e-324, minus_zero: -0e0, not_a_number: nan,
 infinite: +inf, minus_infinite: -inf,
 decimal: 12.340, exact: 1.00000000000000000000000000000000001, scaled: 1d50, decimal_zero: 0.000,
 minus_decimal_zero: -0.0, year: 2020T, month: 2020-02T, day: 2020-02-29,
 minute: 2020-02-29T23:59Z, second: 2020-02-29T23:59:59+01:00, unknown: 2020-02-29T23:59:59-00:00,
 fine: 2020-02-29T23:59:59.123456789Z, first: 0001-01-01T00:00:00Z, symbol: abc, quoted: 'a b',
 string: "text", empty: "", clob: {{"clob \\xff"}}, blob: {{AP8=}}, list: [1, [2, []]],
 sexp: (a + (b)), struct: {a: {b: {}}}}
"""
_TYPED_NULLS: Final = """
{a: null.null, b: null.bool, c: null.int, d: null.float, e: null.decimal, f: null.timestamp,
 g: null.symbol, h: null.string, i: null.clob, j: null.blob, k: null.list, l: null.sexp,
 m: null.struct, n: [null.int, null]}
"""
_ODD_NAMES: Final = """
{'': "no name", ' ': 1, 'a.b': {'c.d': 2}, 'a': {'b': 3}, 'select': 4, 'Case': 5, 'case': 6,
 "it's": 7, 'quote"d': 8, '$ref': 9, '%s': 10, 'new\\nline': 11, 'null\\0byte': 12, 'ñandú': 13,
 '名前': 14, '🚗': 15, '; DROP TABLE x --': 16, '_id': 17, 'id': 18, 'metadata': 19,
 'position': 20, 'document_id': 21, 'a_very_long_name_that_goes_on_for_more_than_sixty_three_bytes_'
 : 22, 'a_very_long_name_that_goes_on_for_more_than_sixty_three_bytes_and_more': 23}
"""
_REPEATED: Final = '{a: 1, a: 2, a: "three", b: {c: 1, c: 1}}'
_ANNOTATED: Final = "{a: one::two::1, b: 'an odd one'::[x::1, y::{z: w::null}], c: a::a::'s'}"
_DEPTH: Final = 60
_WHOLE_BYTES: Final = 128 * 1024  # the longest document of QLDB, facts 5.8


def _from_text(text: str) -> IonSlice:
    (value,) = iter_text(text)
    return value


def _nested() -> IonSlice:
    return _from_text("{a:" * _DEPTH + "[" * _DEPTH + "1" + "]" * _DEPTH + "}" * _DEPTH)


def _large() -> IonSlice:
    """Make a document of 128 KB, fields and all, less what its envelope takes."""
    fields = {f"field_{i:03}": f"{i:03}" + "µ" * 500 for i in range(125)}
    return to_slice({**fields, "rest": "x" * (_WHOLE_BYTES - 2_000 - 125 * 1_018)})


TORTURES: Final[dict[str, Callable[[], IonSlice]]] = {
    "every Ion type": lambda: _from_text(_EVERY_TYPE),
    "typed nulls": lambda: _from_text(_TYPED_NULLS),
    "annotations": lambda: _from_text(_ANNOTATED),
    "repeated fields": lambda: _from_text(_REPEATED),
    "odd names and empty keys": lambda: _from_text(_ODD_NAMES),
    "deep nesting": _nested,
    "128 KB": _large,
    "an empty document": lambda: _from_text("{}"),
}
"""Documents that are hard to keep, by what is hard about them."""


@cache
def torture(name: str) -> tuple[Block, ...]:
    """Tell of one such document between two plain ones of its table, and of its update."""
    document = TORTURES[name]()
    story = Story(1000 + list(TORTURES).index(name))
    story.create_table("Cars")
    story.insert("Cars", {"kit": marker(60), "a": 1})
    hard = story.insert("Cars", document)
    story.insert("Cars", {"kit": marker(61), "a": "text"})
    story.update(hard, {"kit": marker(62), "was": document})
    story.insert("Cars", document)
    return tuple(story.blocks())

"""What is said at the sight of a block is what is said of it when it is read, or nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import pytest

from qldb_stream.errors import DecodeError, UsageError
from qldb_stream.events import Block
from qldb_stream.hashing import dot, merkle_root
from qldb_stream.ion import (
    SYSTEM_TABLE,
    IonSlice,
    SymbolTable,
    dumps,
    hash_form,
    ion_hash,
    iter_elements,
    load_slice,
    maybe_plain,
    name_form,
    next_value,
    read_struct,
    read_text,
    struct_form,
    timestamp_ms,
)
from qldb_stream.parsers.block import parse_block
from qldb_stream.parsers.export_places import Sighted
from qldb_stream.pipeline._at_sight import maybe_sound_at_sight
from qldb_stream.pipeline._seen_transaction import kept_of
from qldb_stream.pipeline._sound import SoundBlock, maybe_sound
from qldb_stream.report import DeleteRule
from qldb_stream.testing import JournalShape, exported_block, make_journal

SHAPE = JournalShape(redactions=0.1, system=0.1, deletes=0.2)
BLOCKS = list(make_journal(61, blocks=60, shape=SHAPE))
VALUES = [exported_block(block) for block in BLOCKS]
SIGHTED = [value for value in VALUES if maybe_sound_at_sight(value) is not None]


def when_read(value: IonSlice) -> tuple[Block, SoundBlock | None] | None:
    """Give a block as it is read, and what is said of it then; None where it is none."""
    try:
        block = parse_block(value)
    except DecodeError:
        return None
    return block, maybe_sound(block.address, block)


def check(value: IonSlice) -> Sighted | None:
    """Give what is said at sight; it is what is said of the block when it is read."""
    found = maybe_sound_at_sight(value)
    if found is not None:
        read = when_read(value)
        assert read is not None
        block, sound = read
        assert sound == found.answer
        assert (block.address, block.block_hash) == (found.address, found.block_hash)
        assert b"".join(revision.hash for revision in block.revisions) == found.leaves
        assert sum(one.metadata is not None for one in block.revisions) == found.revisions
    return found


@pytest.mark.parametrize(
    ("shape", "share"),
    [
        (JournalShape(), 0.85),
        (JournalShape(empty=0, system=0, deletes=0, redactions=0), 0.99),
        (JournalShape(empty=0, system=0, deletes=0.3, redactions=0), 0.99),
        (JournalShape(deletes=0.3, delete_rule=DeleteRule.NULL_DATA), 0.4),
        (JournalShape(redactions=0.3, erased=True), 0.3),
        (JournalShape(empty=1, tables=1), 0.3),
        (JournalShape(document_bytes=20_000, most_revisions=2), 0.85),
    ],
)
def test_most_blocks_are_sound_at_sight(shape: JournalShape, share: float) -> None:
    """Those that are not are read; what the others are is what they are when they are read."""
    values = [exported_block(block) for block in make_journal(3, blocks=150, shape=shape)]
    assert sum(check(value) is not None for value in values) >= share * len(values)


def test_the_genuine_block_is_sound_at_sight(vectors: Path) -> None:
    """It is as the service wrote it, in Ion text."""
    value = maybe_plain((vectors / "block-100" / "block.ion").read_bytes().rstrip())
    assert value is not None
    found = check(value)
    assert found is not None
    assert (100, 1) == (found.answer.sequence_no, found.revisions)


# --- damage --------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(0, 40, 13))
def test_no_flipped_bit_is_sound_at_sight_that_is_not_when_read(number: int) -> None:
    """Each bit of a block: those that no hash covers are compared with what repeats them."""
    value = SIGHTED[number]
    for at in range(value.start, value.end):
        for bit in range(8):
            data = bytearray(value.buf)
            data[at] ^= 1 << bit
            check(IonSlice(bytes(data), value.start, value.end, value.symbols))


def test_altered_bytes_are_not_sound_at_sight_unless_when_read() -> None:
    """Some are replaced, others taken out, put in or moved, of blocks and of their symbols."""
    rng = Random(5)
    for _ in range(4000):
        value = rng.choice(SIGHTED)
        data = bytearray(value.buf)
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(4, len(data))
            length = rng.randrange(4)
            data[at : at + length] = rng.randbytes(length if rng.random() < 0.8 else 2)
        try:
            found, _, _ = next_value(bytes(data), 0, SymbolTable(()))
        except DecodeError:
            continue
        if found is not None:
            check(found)


# --- who knows the formulas ----------------------------------------------------------------

Fields = dict[str, Any]


def unpack(value: IonSlice) -> Fields:
    """Take a block apart: revisions, transactionInfo, its statements and documents, too."""
    fields: Fields = value.decode()
    return fields


def seal(fields: Fields, rng: Random) -> IonSlice:
    """Put a block together with hashes that are those of its parts."""
    revisions = fields.get("revisions", [])
    for revision in revisions:
        if "metadata" in revision and rng.random() < 0.97:
            parts = [revision[name] for name in ("metadata", "data") if name in revision]
            parts = [ion_hash(dumps(part)) for part in parts]
            revision["hash"] = parts[0] if len(parts) == 1 else dot(*parts)
    return seal_summary(fields, rng)


def seal_summary(fields: Fields, rng: Random) -> IonSlice:
    """Put a block together with hashes that are those of its parts, but for revisions."""
    revisions = fields.get("revisions", [])
    members = [rng.randbytes(32)]
    if revisions:
        members.append(merkle_root([one["hash"] for one in revisions]))
    if "transactionInfo" in fields:
        members.append(ion_hash(dumps(fields["transactionInfo"])))
    rng.shuffle(members)
    if "entriesHashList" in fields:
        fields["entriesHashList"] = members
    if "entriesHash" in fields:
        fields["entriesHash"] = merkle_root(members)
        if "blockHash" in fields and "previousBlockHash" in fields:
            fields["blockHash"] = dot(fields["entriesHash"], fields["previousBlockHash"])
    return load_slice(dumps(fields))


def some_time(rng: Random) -> Any:
    """Make a time near those of the journal, in one spelling or another."""
    moment = datetime(2020, 6, 1, tzinfo=UTC) + timedelta(seconds=rng.randrange(10_000))
    return timestamp_ms(int(moment.timestamp() * 1000)) if rng.random() < 0.7 else moment


def some_value(rng: Random) -> Any:
    """Make a value that may stand anywhere."""
    return rng.choice(
        (None, 0, -1, 1 << 70, "", "x", True, b"", rng.randbytes(32), {}, [], [0], {"a": 1}, 1.5)
    )


def structs_of(fields: Fields) -> list[Fields]:
    """Give all structs of a block that are not a user's, and not empty."""
    return [one for one in _iter_structs(fields) if isinstance(one, dict) and one]


def _iter_structs(fields: Fields) -> Iterator[Any]:
    yield fields
    yield fields["blockAddress"]
    for revision in fields.get("revisions", ()):
        yield revision
        yield from (revision[name] for name in ("blockAddress", "metadata") if name in revision)
    info = fields.get("transactionInfo")
    if info is not None:
        yield info
        yield from info.get("statements", ())
        yield info.get("documents", {})
        yield from info.get("documents", {}).values()


def lose(rng: Random, struct: Fields) -> None:
    """Lose a field."""
    struct.pop(rng.choice([*struct]))


def replace(rng: Random, struct: Fields) -> None:
    """Replace a field's value."""
    struct[rng.choice([*struct])] = some_value(rng)


def add(rng: Random, struct: Fields) -> None:
    """Add a field that nobody knows, or one that stands elsewhere."""
    struct[rng.choice(("x", "data", "dataHash", "redactionInfo", "documents"))] = some_value(rng)


def retime(rng: Random, struct: Fields) -> None:
    """Change a time."""
    for name in ("blockTimestamp", "startTime", "txTime"):
        if name in struct:
            struct[name] = some_time(rng)


def rename(rng: Random, struct: Fields) -> None:
    """Change an id, or a number."""
    for name in ("strandId", "transactionId", "id", "txId", "tableId"):
        if name in struct and rng.random() < 0.5:
            struct[name] = rng.choice(("x" * 22, "y" * 21, "-" * 22, struct[name][::-1]))
    for name in ("version", "sequenceNo"):
        if name in struct and rng.random() < 0.5:
            struct[name] += rng.choice((1, -1, 1 << 60))


def restate(rng: Random, struct: Fields) -> None:
    """Let statements say something else, or documents be another's."""
    if "statement" in struct:
        struct["statement"] = rng.choice(
            ("DELETE FROM t", "EXEC REDACT_REVISION ?, ?, ?", "INSERT INTO t ?", "exec x", "\u0301")
        )
    if "statements" in struct and isinstance(struct["statements"], list):
        struct["statements"] = rng.choice(([], struct["statements"] * 2, [0, 7], [1], [0, "x"]))
    if "tableName" in struct:
        struct[rng.choice(("tableName", "tableId"))] = rng.choice(("T", 0, None))


def reorder(rng: Random, struct: Fields) -> None:
    """Let fields change places, or revisions be lost, doubled or swapped."""
    items = list(struct.items())
    rng.shuffle(items)
    struct.clear()
    struct.update(items)
    revisions = struct.get("revisions")
    if isinstance(revisions, list) and revisions:
        one = rng.choice(revisions)
        rng.choice((revisions.remove, revisions.append))(one)


EDITS: tuple[Callable[[Random, Fields], None], ...] = (
    *(lose, replace, add, retime, rename, restate, reorder),
)


@pytest.mark.parametrize("seed", range(4))
def test_who_knows_the_formulas_gains_nothing(seed: int) -> None:
    """A block that was altered and sealed anew is sound at sight only where it is when read."""
    rng = Random(seed)
    passed = stopped = 0
    for _ in range(700):
        fields = unpack(rng.choice(VALUES))
        for _ in range(rng.choice((0, 1, 1, 1, 2))):
            with contextlib.suppress(TypeError, AttributeError, KeyError):  # the second of two
                rng.choice(EDITS)(rng, rng.choice(structs_of(fields)))
        try:
            value = seal(fields, rng)
        except (TypeError, AttributeError, KeyError, UsageError):
            continue  # what should be hashed has become something else
        found = check(value)
        passed += found is not None
        stopped += found is None
    assert passed >= 100
    assert stopped >= 100


@pytest.mark.parametrize("name", ["id", "version", "txTime", "txId", "extra"])
def test_what_else_metadata_say_is_not_sound_at_sight(name: str) -> None:
    """Metadata with a field more, or with one in another spelling, are read."""
    value = next(v for v in SIGHTED if "revisions" in read_struct(v))
    fields = unpack(value)
    others = {"id": "x" * 21, "version": 1 << 60, "txTime": datetime(2020, 6, 1, tzinfo=UTC)}
    fields["revisions"][0]["metadata"][name] = others.get(name, "another")
    assert check(seal(fields, Random(1))) is None


@pytest.mark.parametrize("indexes", [[0, "x"], [None], [1 << 60], 0])
def test_statements_that_are_no_numbers_are_not_sound_at_sight(indexes: Any) -> None:
    """Which statements changed a document is read where it is not as the service writes it."""
    fields = unpack(next(v for v in SIGHTED if "revisions" in read_struct(v)))
    documents = fields["transactionInfo"]["documents"]
    next(iter(documents.values()))["statements"] = indexes
    assert check(seal(fields, Random(1))) is None


@pytest.mark.parametrize("name", ["id", "version", "txTime", "txId"])
def test_metadata_of_other_names_are_not_sound_at_sight(name: str) -> None:
    """A name whose id has two bytes is not taken for one from the end of the symbols."""
    value = next(v for v in SIGHTED if "revisions" in read_struct(v))
    revision = read_struct(next(iter_elements(read_struct(value)["revisions"])))
    at = read_struct(revision["metadata"])[name].start - 1
    altered = value.buf[:at] + b"\x7f" + value.buf[at + 1 :]
    table = SymbolTable((*value.symbols.texts, name))
    assert check(IonSlice(altered, value.start, value.end, table)) is None


def test_a_start_in_another_spelling_is_read() -> None:
    """Of a block without revisions, in hundredths of a second."""
    fields = unpack(next(v for v in SIGHTED if "revisions" not in read_struct(v)))
    fields["transactionInfo"]["statements"].append(
        {
            "statement": "SELECT * FROM t",
            "startTime": read_text(b"2030-01-01T00:00:00.25Z")[0][0],
            "statementDigest": bytes(32),
        }
    )
    assert check(seal(fields, Random(1))) is None


def test_the_last_hour_of_all_times_is_an_hour_like_others() -> None:
    """A block at the end of the year 9999 is sound, though an hour later there is no time."""
    fields = unpack(next(v for v in SIGHTED if "revisions" in read_struct(v)))
    last = read_text(b"9999-12-31T23:30:00.500Z")[0][0].decode()
    fields["blockTimestamp"] = last
    for revision in fields["revisions"]:
        if "metadata" in revision:
            revision["metadata"]["txTime"] = last
    assert check(seal(fields, Random(1))) is not None


def test_metadata_whose_time_has_no_bytes_are_not_sound_at_sight() -> None:
    """They are the name txTime with nothing behind it, hashed by who knows how that would be."""
    fields = unpack(next(v for v in SIGHTED if "revisions" in read_struct(v)))
    revision = fields["revisions"][0]
    metadata = revision["metadata"]
    digests = [
        sha256(name_form(name) + hash_form(metadata[name])).digest()
        for name in ("id", "version", "txId")
    ]
    metadata_hash = sha256(struct_form([*digests, b""])).digest()
    revision["hash"] = dot(metadata_hash, ion_hash(revision["data"]))
    value = seal_summary(fields, Random(1))
    found = read_struct(next(iter_elements(read_struct(value)["revisions"])))["metadata"]
    time = read_struct(found)["txTime"]
    cut = time.end - time.start
    padding = bytes((0x84, cut - 2)) + bytes(cut - 2)  # so that all lengths around it still hold
    data = bytearray(value.buf)
    data[time.start : found.end] = data[time.end : found.end] + padding
    data[found.start + 1] -= cut
    assert check(IonSlice(bytes(data), value.start, value.end, value.symbols)) is None


def test_what_is_kept_of_documents_is_bounded() -> None:
    """It is kept with the last symbol table alone, which may be as long as its block."""
    fields = unpack(next(v for v in SIGHTED if "revisions" in read_struct(v)))
    documents = fields["transactionInfo"]["documents"]
    value = seal(fields, Random(1))
    for document in documents.values():
        document["tableName"] = "t" * 300
    long = seal(fields, Random(1))

    def kept_after(value: IonSlice) -> int:
        assert check(value) is not None
        return len(kept_of(value.symbols))

    kept_of(SYSTEM_TABLE)
    few = kept_after(value)
    assert 0 < few <= len(documents)
    kept_of(value.symbols).update({bytes((2, *divmod(n, 256))): (b"", ()) for n in range(1024)})
    kept_of(value.symbols).pop(next(iter(kept_of(value.symbols))))
    assert few >= kept_after(value)
    kept_of(SYSTEM_TABLE)
    assert not kept_of(value.symbols)
    assert kept_after(long) == 0

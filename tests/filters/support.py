"""What tests of filters share: a block with documents in two tables, and what it lets see."""

from __future__ import annotations

from typing import Any

from qldb_stream.events import Block, Revision, TableInfo
from qldb_stream.records import iter_records
from tests.replay.blocks import block, revision

PEOPLE = TableInfo("People", "1peopleIdIsTwentyTwoXX")
CARS = TableInfo("Cars", "2carsIdIsTwentyTwoXXXX")
SALT = b"a salt of sixteen bytes or more"
SECRET = "078-05-1120"

PERSON: dict[str, Any] = {
    "name": "Ann",
    "ssn": SECRET,
    "home": {"street": "Elm Street", "city": "Lund"},
    "phones": [{"kind": "work", "number": 55512345}, [{"number": 55512345}]],
}
CAR: dict[str, Any] = {"vin": "1HGBH41JXMN109186", "owner": {"ssn": SECRET}}


def given_block() -> Block:
    """A transaction that made a table, a person and a car, and deleted another person."""
    return block(
        4,
        revision(4, 1, 0, PERSON, table=PEOPLE),
        revision(4, 2, 3, CAR, table=CARS),
        revision(4, 3, 2, table=PEOPLE),
        revision(4, 4, 1, table=PEOPLE, data_hash=b"h" * 32),
        statements=[
            f"SELECT * FROM People WHERE ssn = '{SECRET}'",
            "CREATE TABLE People",
            f'INSERT INTO People `{{ssn: "{SECRET}"}}`',
            "CREATE INDEX ON Cars (vin)",
            "INSERT INTO Cars ?",
            f"FROM People AS p WHERE p.ssn = '{SECRET}' REMOVE p",
            'UNDROP TABLE "5undropIdOfATableXXXXX"',
        ],
        documents={
            1: (PEOPLE, [2]),
            2: (CARS, [4]),
            3: (PEOPLE, [5]),
            4: (PEOPLE, [2]),
        },
    )


def by_number(block_: Block, number: int) -> Revision:
    """The revision of a document of `given_block`."""
    (found,) = (r for r in block_.revisions if (r.document_id or "").endswith(str(number)))
    return found


def all_bytes(block_: Block) -> bytes:
    """Every byte that a sink can get at: records, buffers of slices, symbol tables."""
    found = [record.to_bytes() for record in iter_records(block_)]
    slices = [r.data_ion for r in block_.revisions] + [
        r.metadata.ion for r in block_.revisions if r.metadata is not None
    ]
    summary = block_.summary
    slices += [part.ion for part in (summary.transaction_info, summary.redaction_info) if part]
    for value in slices:
        if value is not None:
            found += [value.buf, *((text or "").encode() for text in value.symbols.texts)]
    return b"\n".join(found)

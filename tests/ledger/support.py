"""What the ledger's tests share: a clock that is set, ids that are counted, short calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from qldb_stream.events import RevisionKind
from qldb_stream.ledger import Environment, Ledger, Transaction
from qldb_stream.report import Outcome
from qldb_stream.verification import ChainVerifier

NOON_MS = 1_714_996_800_000  # 2024-05-06T12:00:00Z


class Clock:
    """A clock that goes on by `step_ms` each time it is asked."""

    def __init__(self, now_ms: int = NOON_MS, step_ms: int = 0) -> None:
        self.now_ms = now_ms
        self.step_ms = step_ms

    def __call__(self) -> int:
        """Tell the time."""
        now_ms = self.now_ms
        self.now_ms += self.step_ms
        return now_ms


class Ids:
    """Ids that count: 0000000000000000000001 and so on."""

    def __init__(self) -> None:
        self.last = 0

    def __call__(self) -> str:
        """Give the next one."""
        self.last += 1
        return f"{self.last:022d}"


class Sleeps:
    """Remembers how long it should have slept."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, seconds: float) -> None:
        """Do not sleep."""
        self.seconds.append(seconds)


def environment(clock: Clock | None = None, sleep: Sleeps | None = None) -> Environment:
    """An environment in which nothing is left to chance."""
    return Environment(clock or Clock(), Ids(), sleep or Sleeps(), lambda: 1.0)


def memory(clock: Clock | None = None, **settings: Any) -> Ledger:
    """A ledger in memory, in such an environment."""
    return Ledger.open(":memory:", environment=environment(clock), **settings)


def run(ledger: Ledger, statement: str, *parameters: Any) -> list[Any]:
    """Run one statement in a transaction of its own and give its rows."""
    result = ledger.driver().execute_lambda(
        lambda txn: txn.execute_statement(statement, *parameters)
    )
    return list(result)


def ask(transaction: Transaction, statement: str, *parameters: Any) -> list[Any]:
    """Run one statement in an open transaction and give its rows."""
    return list(transaction.execute_statement(statement, *parameters))


def make_cars(ledger: Ledger, *vins: str) -> list[str]:
    """Make a table Car with an index on vin, and cars in it; give their ids."""
    run(ledger, "CREATE TABLE Car")
    run(ledger, "CREATE INDEX ON Car (vin)")
    return [
        row["documentId"]
        for vin in vins
        for row in run(ledger, "INSERT INTO Car ?", {"vin": vin, "miles": 0})
    ]


def check_journal(ledger: Ledger) -> int:
    """Verify every block with this package's own verifier; give their number."""
    verifier = ChainVerifier()
    count = 0
    for block in ledger.blocks():
        checks = verifier.feed(block).checks
        assert [] == [check for check in checks if check.outcome is not Outcome.VERIFIED]
        count += 1
    if count:
        assert ledger.digest().digest == verifier.digest(ledger.strand_id)
        assert count - 1 == ledger.digest().tip.sequence_no
    return count


def versions(ledger: Ledger) -> Iterator[tuple[str, int]]:
    """Give (document id, version) of every revision in the journal's order."""
    for block in ledger.blocks():
        for revision in block.revisions:
            assert revision.metadata is not None
            yield revision.metadata.id, revision.metadata.version


def check_answers(ledger: Ledger, answers: Iterable[str]) -> None:
    """Make sure that what `workload` answered is in the journal, to the bit, and all of it."""
    digests = {int(number): digest for number, digest in map(str.split, answers)}
    verifier = ChainVerifier()
    for block in ledger.blocks():
        assert verifier.feed(block).ok
        told = digests.pop(block.address.sequence_no, None)
        if told is not None:
            digest = verifier.digest(ledger.strand_id)
            assert digest is not None
            assert told == digest.hex()
    assert {} == digests, "answered, but not there"


def check_state(ledger: Ledger) -> None:
    """Make sure that documents, indexes and history are what the journal's revisions come to."""
    documents, history = replayed(ledger)
    for table in run(ledger, "SELECT * FROM information_schema.user_tables"):
        if table["status"] != "ACTIVE":
            continue
        name, expected = table["name"], documents.get(table["tableId"], {})
        rows = run(ledger, f'SELECT id, t AS document FROM "{name}" AS t BY id')
        assert expected == {row["id"]: row["document"] for row in rows}
        assert len(expected) == len(rows)
        for index in table["indexes"]:
            _check_index(ledger, name, index["expr"].strip("[]"), expected)
        text = f'SELECT h.metadata.id, h.metadata.version, h.data FROM history("{name}") AS h'
        found = [(row["id"], row["version"], row.get("data")) for row in run(ledger, text)]
        assert sorted(history.get(table["tableId"], []), key=_place) == sorted(found, key=_place)


def _place(revision: tuple[str, int, Any]) -> tuple[str, int]:
    return revision[:2]


def _check_index(
    ledger: Ledger, table: str, field: str, expected: Mapping[str, Mapping[str, Any]]
) -> None:
    """Make sure that each key of the documents finds those that have it, and no others."""
    by_key: dict[Any, set[str]] = {}
    for document_id, document in expected.items():
        if document.get(field) is not None:
            by_key.setdefault(document[field], set()).add(document_id)
    for key, ids in by_key.items():
        text = f'SELECT VALUE id FROM "{table}" AS t BY id WHERE t.{field} = ?'
        assert sorted(ids) == sorted(run(ledger, text, key))


def replayed(
    ledger: Ledger,
) -> tuple[dict[str, dict[str, Any]], dict[str, list[tuple[str, int, Any]]]]:
    """
    Replay the journal naively.

    Returns:
        Documents by table id and document id; and per table id its revisions, as
        (document id, version, data or None).
    """
    documents: dict[str, dict[str, Any]] = {}
    history: dict[str, list[tuple[str, int, Any]]] = {}
    for block in ledger.blocks():
        info = block.summary.transaction_info
        assert info is not None
        for revision in block.revisions:
            assert revision.metadata is not None
            document_id = revision.metadata.id
            table_id = info.documents[document_id].table.table_id
            here = documents.setdefault(table_id, {})
            if revision.kind is RevisionKind.DELETE:
                del here[document_id]
            else:
                here[document_id] = revision.data
            data = here.get(document_id)
            history.setdefault(table_id, []).append((document_id, revision.metadata.version, data))
    return documents, history

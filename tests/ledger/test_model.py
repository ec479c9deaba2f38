"""
Random transactions, interleaved at will, against a dict.

The model keeps committed documents only. When the ledger accepts a commit, the
transaction's statements are run on the model as it is then, one after the other: each
must give what the ledger gave. So the outcome is that of a serial order, the order of
commits, whatever ran at the same time. A conflict must have had a cause.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import settings, strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from qldb_stream.errors import OccConflictError
from qldb_stream.events import RevisionKind
from qldb_stream.ledger import Transaction
from tests.ledger import published
from tests.ledger.support import ask, check_journal, memory, run

Documents = dict[str, dict[str, Any]]

# Keys that equal each other although their types differ, and some that have none.
KEYS = st.sampled_from(["A", "B", "C", 1, 1.0, None])
VALUES = st.integers(0, 3)

# Transactions that are open at the same time.
SLOTS = st.integers(0, 2)


def matches(document: dict[str, Any], key: Any) -> bool:
    """PartiQL's `=`: numbers by value, null equal to nothing."""
    return key is not None and document["k"] == key


class Running:
    """An open transaction: how to repeat what it did, and what it was answered."""

    def __init__(self, transaction: Transaction, commits: int) -> None:
        self.transaction = transaction
        self.commits = commits
        self.steps: list[tuple[Callable[[Documents], Any], Any]] = []
        self.read_since_write: list[tuple[str, list[Any], list[str]]] = []

    def insert(self, documents: list[dict[str, Any]]) -> None:
        """Insert documents; the ledger chooses their ids."""
        rows = ask(self.transaction, "INSERT INTO T ?", documents)
        ids = [row["documentId"] for row in rows]
        self.read_since_write.clear()

        def repeat(model: Documents) -> list[str]:
            model.update(zip(ids, map(dict, documents), strict=True))
            return ids

        self.steps.append((repeat, ids))

    def write(
        self,
        text: str,
        parameters: list[Any],
        wanted: Callable[[dict[str, Any]], bool],
        change: Any,
    ) -> None:
        """Update or delete what a condition selects."""
        found = sorted(row["documentId"] for row in ask(self.transaction, text, *parameters))
        self.read_since_write.clear()

        def repeat(model: Documents) -> list[str]:
            ids = sorted(one for one, document in model.items() if wanted(document))
            for one in ids:
                if change is None:
                    del model[one]
                else:
                    model[one] = model[one] | change
            return ids

        self.steps.append((repeat, found))

    def read(
        self, text: str, parameters: list[Any], wanted: Callable[[str, dict[str, Any]], bool]
    ) -> None:
        """Select (id, k, v) of what a condition selects."""
        found = self.rows(text, parameters)
        self.read_since_write.append((text, parameters, found))

        def repeat(model: Documents) -> list[str]:
            return sorted(
                repr((one, document["k"], document["v"]))
                for one, document in model.items()
                if wanted(one, document)
            )

        self.steps.append((repeat, found))

    def rows(self, text: str, parameters: list[Any]) -> list[str]:
        """Give the rows of a SELECT, in an order of their own."""
        return sorted(
            repr((row["id"], row["k"], row["v"]))
            for row in ask(self.transaction, text, *parameters)
        )

    def read_again(self) -> None:
        """Repeat what was read since the last own write: the snapshot has not moved."""
        for text, parameters, found in self.read_since_write:
            assert found == self.rows(text, parameters)


class LedgerMachine(RuleBasedStateMachine):
    """Drives a ledger and the model."""

    ids = Bundle("ids")

    @initialize()
    def open(self) -> None:
        """Begin with an empty table and an index."""
        self.ledger = memory()
        self.committed: Documents = {}
        self.commits = 0
        self.indexed = True
        self.running: dict[int, Running] = {}
        run(self.ledger, "CREATE TABLE T")
        run(self.ledger, "CREATE INDEX ON T (k)")

    def at(self, slot: int) -> Running:
        """Give the transaction in a slot; begin one when there is none."""
        if slot not in self.running:
            self.running[slot] = Running(self.ledger.start_transaction(), self.commits)
        return self.running[slot]

    @rule(slot=SLOTS, documents=st.lists(st.tuples(KEYS, VALUES), min_size=1, max_size=3))
    def insert(self, slot: int, documents: list[tuple[Any, int]]) -> None:
        """Insert some documents."""
        self.at(slot).insert([{"k": key, "v": value} for key, value in documents])

    @rule(slot=SLOTS, key=KEYS, value=VALUES)
    def update_by_key(self, slot: int, key: Any, value: int) -> None:
        """Set a field of what the index finds."""
        text = "UPDATE T AS t SET t.v = ? WHERE t.k = ?"
        self.at(slot).write(
            text, [value, key], lambda document: matches(document, key), {"v": value}
        )

    @rule(slot=SLOTS, value=VALUES, key=KEYS)
    def update_by_scan(self, slot: int, value: int, key: Any) -> None:
        """Set the indexed field of what a scan finds."""
        text = "UPDATE T AS t SET t.k = ? WHERE t.v = ?"
        self.at(slot).write(text, [key, value], lambda document: document["v"] == value, {"k": key})

    @rule(slot=SLOTS, key=KEYS)
    def delete(self, slot: int, key: Any) -> None:
        """Delete what the index finds."""
        text = "DELETE FROM T AS t WHERE t.k = ?"
        self.at(slot).write(text, [key], lambda document: matches(document, key), None)

    @rule(slot=SLOTS, keys=st.lists(KEYS, max_size=3))
    def read_by_key(self, slot: int, keys: list[Any]) -> None:
        """Read what the index finds."""
        text = "SELECT id, t.k, t.v FROM T AS t BY id WHERE t.k IN ?"
        self.at(slot).read(
            text, [keys], lambda _, document: any(matches(document, key) for key in keys)
        )

    @rule(slot=SLOTS, value=VALUES)
    def read_by_scan(self, slot: int, value: int) -> None:
        """Read what a scan finds."""
        text = "SELECT id, t.k, t.v FROM T AS t BY id WHERE t.v >= ?"
        self.at(slot).read(text, [value], lambda _, document: document["v"] >= value)

    @rule(slot=SLOTS, document_id=ids)
    def read_by_id(self, slot: int, document_id: str) -> None:
        """Read a document that was there once."""
        text = "SELECT id, t.k, t.v FROM T AS t BY id WHERE id = ?"
        self.at(slot).read(text, [document_id], lambda found, _: found == document_id)

    @rule(slot=SLOTS)
    def read_again(self, slot: int) -> None:
        """Read what was read before."""
        self.at(slot).read_again()

    @rule(target=ids, slot=SLOTS)
    def commit(self, slot: int) -> Any:
        """Commit; what was answered must be what a serial run gives now."""
        one = self.at(slot)
        del self.running[slot]
        before = self.ledger.digest()
        try:
            address = one.transaction.commit()
        except OccConflictError:
            assert one.commits < self.commits
            assert before == self.ledger.digest()
            return multiple()
        model = {document_id: dict(document) for document_id, document in self.committed.items()}
        for repeat, answer in one.steps:
            assert repeat(model) == answer
        assert (address is None) == (before == self.ledger.digest())
        self.commits += address is not None
        self.committed = model
        return multiple(*model)

    @rule(slot=SLOTS, rarely=st.integers(0, 4))
    def abort(self, slot: int, rarely: int) -> None:
        """Abort; nothing changes."""
        if rarely == 0:
            before = self.ledger.digest()
            self.at(slot).transaction.abort()
            del self.running[slot]
            assert before == self.ledger.digest()

    @rule(rarely=st.integers(0, 4))
    def change_index(self, rarely: int) -> None:
        """Drop the index, or make it again over what is there."""
        if rarely:
            return
        if self.indexed:
            (row,) = run(self.ledger, "SELECT * FROM information_schema.user_tables")
            index_id = row["indexes"][0]["indexId"]
            run(self.ledger, f'DROP INDEX "{index_id}" ON T WITH (purge = true)')
        else:
            run(self.ledger, "CREATE INDEX ON T (k)")
        self.indexed, self.commits = not self.indexed, self.commits + 1

    @invariant()
    def every_commit_made_a_block(self) -> None:
        """There are as many blocks as commits that wrote, and the two that made the table."""
        if hasattr(self, "ledger"):
            assert 1 + self.commits == self.ledger.digest().tip.sequence_no

    def teardown(self) -> None:
        """The journal verifies, and gives the very documents."""
        if hasattr(self, "ledger"):
            with self.ledger:
                check_journal(self.ledger)
                published.check_journal(self.ledger.stream_records(aggregated=False))
                assert self.committed == rebuilt(self)


def rebuilt(machine: LedgerMachine) -> Documents:
    """What the journal's revisions come to."""
    documents: Documents = {}
    for block in machine.ledger.blocks():
        for revision in block.revisions:
            assert revision.metadata is not None
            if revision.kind is RevisionKind.DELETE:
                del documents[revision.metadata.id]
            else:
                documents[revision.metadata.id] = revision.data
    return documents


def test_every_outcome_is_a_serial_one() -> None:
    """Concurrent transactions give what some serial order gives, and a journal of it."""
    run_state_machine_as_test(
        LedgerMachine, settings=settings(max_examples=60, stateful_step_count=40)
    )

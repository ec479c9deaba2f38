"""
Random transactions over tables that come and go, against a serial model.

As `test_model`, on a wider field: several tables, made, dropped and dropped no more inside
transactions, indexes likewise, joins, history, aggregates, statements that fail. A commit
that the ledger accepts is repeated on the model as it is then, statement by statement: the
outcome is that of a serial order, whatever ran at the same time. At the end the journal
verifies, and a naive replay of it gives the documents, indexes and history of both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from qldb_stream.errors import OccConflictError
from tests.ledger import published
from tests.ledger.serial_model import MISSING, REFUSED, Document, Model, Running, Table, matches
from tests.ledger.support import check_journal, check_state, memory, replayed

NAMES = st.sampled_from(["A", "B"])
# Keys that equal each other although their types differ, and one that equals nothing.
KEYS = st.sampled_from(["x", "y", 1, 1.0, None])
SOME_KEYS = st.lists(KEYS, max_size=2)
VALUES = st.integers(0, 3)
# Transactions that are open at the same time.
SLOTS = st.sampled_from([0, 1, 2])

CATALOG = "SELECT t.tableId, t.name, t.status, t.indexes FROM information_schema.user_tables AS t"


def on_table(name: str, work: Callable[[Table], Any]) -> Callable[[Model], Any]:
    """Make a step that works on an active table, and fails where there is none."""

    def step(model: Model) -> Any:
        table = model.maybe_table(name)
        return MISSING if table is None else work(table)

    return step


class TablesMachine(RuleBasedStateMachine):
    """Drives a ledger and the model."""

    @initialize()
    def open(self) -> None:
        """Begin with two tables, one indexed, and documents in both."""
        self.ledger = memory()
        self.committed = Model()
        self.commits = 0
        self.running: dict[int, Running] = {}
        for name in ("A", "B"):
            self.create_table(0, name)
            self.insert(0, name, [("x", 1), (1, 2)])
        self.create_index(0, "A")
        self.end(0)

    def at(self, slot: int) -> Running:
        """Give the transaction in a slot; begin one when there is none."""
        if slot not in self.running:
            self.running[slot] = Running(self.ledger.start_transaction(), self.commits)
        return self.running[slot]

    # --- the catalog -----------------------------------------------------------------------

    @rule(slot=SLOTS, name=NAMES)
    def create_table(self, slot: int, name: str) -> None:
        """Make a table, or be told that there is one."""
        answer = self.at(slot).ask(f"CREATE TABLE {name}")

        def step(model: Model) -> Any:
            if model.maybe_table(name) is not None:
                return REFUSED
            if not isinstance(answer, str):
                model.tables[answer[0]["tableId"]] = Table(name)
            return answer

        self.at(slot).did(step, answer)

    @rule(slot=SLOTS, name=NAMES, rarely=st.integers(0, 3))
    def drop_table(self, slot: int, name: str, rarely: int) -> None:
        """Drop a table with all that is in it."""
        if rarely < 3:
            return
        answer = self.at(slot).ask(f"DROP TABLE {name}")

        def drop(table: Table) -> Any:
            table.active = False
            return answer

        self.at(slot).did(on_table(name, drop), answer)

    @precondition(lambda self: self.committed.tables)
    @rule(slot=SLOTS, data=st.data())
    def undrop_table(self, slot: int, data: st.DataObject) -> None:
        """Bring a table back under its name, unless it is active or another has the name."""
        table_id = data.draw(st.sampled_from(sorted(self.committed.tables)))
        answer = self.at(slot).ask(f'UNDROP TABLE "{table_id}"')

        def step(model: Model) -> Any:
            table = model.tables[table_id]
            if model.maybe_table(table.name) is not None:
                return REFUSED
            table.active = True
            return [{"tableId": table_id}]

        self.at(slot).did(step, answer)

    @rule(slot=SLOTS, name=NAMES)
    def create_index(self, slot: int, name: str) -> None:
        """Make an index over what is there, or be told that there is one."""
        answer = self.at(slot).ask(f"CREATE INDEX ON {name} (k)")

        def create(table: Table) -> Any:
            if "k" in table.fields:
                return REFUSED
            table.fields.add("k")
            return answer

        self.at(slot).did(on_table(name, create), answer)

    @rule(slot=SLOTS, name=NAMES)
    def drop_index(self, slot: int, name: str) -> None:
        """Look an index up and drop it."""
        text = f"{CATALOG} WHERE t.name = '{name}' AND t.status = 'ACTIVE'"
        indexes = [index for row in self.at(slot).ask(text) for index in row["indexes"]]
        fields = [index["expr"].strip("[]") for index in indexes]
        for index in indexes:
            index_id = index["indexId"]
            self.at(slot).ask(f'DROP INDEX "{index_id}" ON {name} WITH (purge = true)')

        def step(model: Model) -> Any:
            table = model.maybe_table(name)
            found = [] if table is None else sorted(table.fields)
            if table is not None:
                table.fields.clear()
            return found

        self.at(slot).did(step, fields)

    @rule(slot=SLOTS)
    def read_catalog(self, slot: int) -> None:
        """Read which tables there are."""
        rows = self.at(slot).ask(CATALOG)
        found = [(row["tableId"], row["name"], row["status"], len(row["indexes"])) for row in rows]

        def step(model: Model) -> Any:
            return [
                (table_id, one.name, "ACTIVE" if one.active else "INACTIVE", len(one.fields))
                for table_id, one in model.tables.items()
            ]

        self.at(slot).did(step, found)

    # --- writing ---------------------------------------------------------------------------

    @rule(
        slot=SLOTS, name=NAMES, documents=st.lists(st.tuples(KEYS, VALUES), min_size=1, max_size=3)
    )
    def insert(self, slot: int, name: str, documents: list[tuple[Any, int]]) -> None:
        """Insert documents; the ledger chooses their ids."""
        new = [{"k": key, "v": value} for key, value in documents]
        answer = self.at(slot).ask(f"INSERT INTO {name} ?", new)

        def put(table: Table) -> Any:
            if isinstance(answer, str):
                return "inserted"
            for row, document in zip(answer, new, strict=True):
                table.documents[row["documentId"]] = dict(document)
                table.written.add(row["documentId"])
            return answer

        self.at(slot).did(on_table(name, put), answer)

    @rule(slot=SLOTS, name=NAMES, keys=SOME_KEYS, value=VALUES)
    def update_by_key(self, slot: int, name: str, keys: list[Any], value: int) -> None:
        """Set a field of what keys find."""
        text = f"UPDATE {name} AS t SET t.v = ? WHERE t.k IN ?"
        answer = self.at(slot).ask(text, value, keys)
        step = changing(lambda document: matches(document, keys), {"v": value})
        self.at(slot).did(on_table(name, step), answer)

    @rule(slot=SLOTS, name=NAMES, value=VALUES, key=KEYS)
    def update_by_scan(self, slot: int, name: str, value: int, key: Any) -> None:
        """Set the indexed field of what a scan finds."""
        answer = self.at(slot).ask(f"UPDATE {name} AS t SET t.k = ? WHERE t.v = ?", key, value)
        step = changing(lambda document: document["v"] == value, {"k": key})
        self.at(slot).did(on_table(name, step), answer)

    @rule(slot=SLOTS, name=NAMES, key=KEYS)
    def delete(self, slot: int, name: str, key: Any) -> None:
        """Delete what a key finds."""
        answer = self.at(slot).ask(f"DELETE FROM {name} AS t WHERE t.k = ?", key)
        step = changing(lambda document: matches(document, [key]), None)
        self.at(slot).did(on_table(name, step), answer)

    # --- reading ---------------------------------------------------------------------------

    @rule(slot=SLOTS, name=NAMES, keys=SOME_KEYS)
    def read_by_key(self, slot: int, name: str, keys: list[Any]) -> None:
        """Read what keys find."""
        text = f"SELECT id, t.k, t.v FROM {name} AS t BY id WHERE t.k IN ?"
        answer = self.at(slot).ask(text, keys)
        self.at(slot).did(
            on_table(
                name,
                lambda table: [
                    {"id": one} | document
                    for one, document in table.documents.items()
                    if matches(document, keys)
                ],
            ),
            answer,
        )

    @rule(slot=SLOTS, name=NAMES, data=st.data())
    def read_by_id(self, slot: int, name: str, data: st.DataObject) -> None:
        """Read a document that is or was in some table, and its revisions."""
        tables = self.committed.tables.values()
        ids = sorted({document_id for table in tables for document_id, _, _ in table.history})
        document_id = data.draw(st.sampled_from(ids))
        current = f"SELECT VALUE t.v FROM {name} AS t BY id WHERE id = ?"
        self.at(slot).did(
            on_table(
                name, lambda table: [d["v"] for i, d in table.documents.items() if i == document_id]
            ),
            self.at(slot).ask(current, document_id),
        )
        past = f"SELECT VALUE h.metadata.version FROM history({name}) AS h WHERE h.metadata.id = ?"
        self.at(slot).did(
            on_table(name, lambda table: [v for i, v, _ in table.history if i == document_id]),
            self.at(slot).ask(past, document_id),
        )

    @rule(slot=SLOTS, name=NAMES, value=VALUES)
    def aggregate(self, slot: int, name: str, value: int) -> None:
        """Count and add what a scan finds."""
        text = f"SELECT COUNT(*) AS n, SUM(t.v) AS s FROM {name} AS t WHERE t.v >= ?"
        answer = self.at(slot).ask(text, value)

        def count(table: Table) -> Any:
            found = [one["v"] for one in table.documents.values() if one["v"] >= value]
            return [{"n": len(found), "s": sum(found) if found else None}]

        self.at(slot).did(on_table(name, count), answer)

    @rule(slot=SLOTS, one=NAMES, other=NAMES, explicit=st.booleans())
    def join(self, slot: int, one: str, other: str, *, explicit: bool) -> None:
        """Join two tables, or one with itself, on their keys."""
        sources = (
            f"{one} AS p JOIN {other} AS q ON" if explicit else f"{one} AS p, {other} AS q WHERE"
        )
        text = f"SELECT p.v AS pv, q.v AS qv FROM {sources} p.k = q.k"
        answer = self.at(slot).ask(text)

        def step(model: Model) -> Any:
            left, right = model.maybe_table(one), model.maybe_table(other)
            # Without a document on the left nobody looks for the table on the right.
            if left is None or (right is None and left.documents):
                return MISSING
            return [
                {"pv": a["v"], "qv": b["v"]}
                for a in left.documents.values()
                for b in ([] if right is None else right.documents.values())
                if matches(a, [b["k"]])
            ]

        self.at(slot).did(step, answer)

    @rule(slot=SLOTS, name=NAMES)
    def read_history(self, slot: int, name: str) -> None:
        """Read all committed revisions of a table."""
        text = f"SELECT h.metadata.id, h.metadata.version, h.data FROM history({name}) AS h"
        rows = self.at(slot).ask(text)
        found = (
            rows
            if isinstance(rows, str)
            else [(row["id"], row["version"], row.get("data")) for row in rows]
        )
        self.at(slot).did(on_table(name, lambda table: table.history), found)

    # --- the end of a transaction ----------------------------------------------------------

    @precondition(lambda self: len(self.running) > 1)
    @rule(data=st.data())
    def commit(self, data: st.DataObject) -> None:
        """Commit one of several; what was answered must be what a serial run gives now."""
        self.end(data.draw(st.sampled_from(sorted(self.running))))

    def end(self, slot: int) -> None:
        """Commit the transaction in a slot."""
        one = self.running.pop(slot)
        blocks = self.blocks()
        try:
            one.transaction.commit()
        except OccConflictError:
            assert one.commits < self.commits
            assert blocks == self.blocks()
            return
        self.committed = self.committed.after(one.steps)
        self.commits += self.blocks() - blocks

    @precondition(lambda self: len(self.running) > 2)
    @rule(data=st.data())
    def abort(self, data: st.DataObject) -> None:
        """Abort one of many; nothing changes."""
        slot = data.draw(st.sampled_from(sorted(self.running)))
        self.running.pop(slot).transaction.abort()

    def blocks(self) -> int:
        """Count the blocks."""
        return sum(1 for _ in self.ledger.blocks())

    def teardown(self) -> None:
        """The journal verifies, and gives the very documents, indexes and history."""
        if not hasattr(self, "ledger"):
            return
        for slot in sorted(self.running):
            self.end(slot)
        with self.ledger:
            check_journal(self.ledger)
            published.check_journal(self.ledger.stream_records(aggregated=False))
            check_state(self.ledger)
            documents, history = replayed(self.ledger)
            for table_id, table in self.committed.tables.items():
                assert table.documents == documents.get(table_id, {})
                assert by_place(table.history) == by_place(history.get(table_id, []))


def changing(wanted: Callable[[Document], bool], change: Document | None) -> Callable[[Table], Any]:
    """Make a step that updates or deletes, and gives the ids of what it changed."""

    def work(table: Table) -> Any:
        found = [one for one, document in table.documents.items() if wanted(document)]
        for one in found:
            table.written.add(one)
            if change is None:
                del table.documents[one]
            else:
                table.documents[one] = table.documents[one] | change
        return [{"documentId": one} for one in found]

    return work


def by_place(history: list[tuple[str, int, Any]]) -> dict[tuple[str, int], Any]:
    """Give revisions by document and version."""
    return {(document_id, version): data for document_id, version, data in history}


def test_every_outcome_is_a_serial_one() -> None:
    """Concurrent transactions over a changing catalog give what some serial order gives."""
    run_state_machine_as_test(
        TablesMachine, settings=settings(max_examples=80, stateful_step_count=40)
    )

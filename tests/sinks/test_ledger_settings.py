"""A later run into one ledger goes on under the rules of the first."""

from __future__ import annotations

import pytest

from qldb_stream.errors import UsageError
from qldb_stream.ledger import Ledger
from qldb_stream.sinks.ledger import LedgerSink
from tests.replay.blocks import STRAND, block, document_id, revision
from tests.sinks.replayed import CREATED, at, deliver, history, mapped, rows, tip

FIRST = block(1, revision(1, 1, 0, {"n": 1}))
SECOND = block(2, revision(2, 2, 0, {"to": document_id(1)}))


@pytest.mark.parametrize(
    ("kept", "given"),
    [("any", "keep"), ("keep", "any"), ("any", "paths=to"), ("paths=to,a.b", "paths=to")],
)
def test_another_rule_for_ids_is_refused(kept: str, given: str, ledger: Ledger) -> None:
    """Asked or fed, a sink with another rule says which one the first run had, and adds nothing."""
    deliver(LedgerSink(ledger, ids=kept), CREATED, FIRST)
    before = tip(ledger)
    sink = LedgerSink(ledger, ids=given)
    message = f"this ledger was filled with ids={kept}, but this run has ids={given}, "
    message = message.replace("to,a.b", "a.b,to")
    with pytest.raises(UsageError, match=message):
        sink.position(STRAND)
    with pytest.raises(UsageError, match=message):
        sink.apply([SECOND], at(2), 1)
    with pytest.raises(UsageError, match=message):
        sink.apply([FIRST, SECOND], at(2), 1)
    assert before == tip(ledger)


def test_the_same_rule_goes_on(ledger: Ledger) -> None:
    """The order and number of declared paths mean nothing."""
    deliver(LedgerSink(ledger, ids="paths=to,a.b"), CREATED, FIRST)
    sink = LedgerSink(ledger, ids="paths=a.b,to,to")
    assert at(1) == sink.position(STRAND)
    deliver(sink, SECOND)
    assert (0, {"to": mapped(ledger, 1)}) in history(ledger)


def test_base_insert_may_be_added_and_stays(ledger: Ledger) -> None:
    """What was refused without base=insert is taken up with it, and from then on it is needed."""
    deliver(LedgerSink(ledger), CREATED)
    adding = LedgerSink(ledger, base="insert")
    assert at(0) == adding.position(STRAND)
    deliver(adding, block(1, revision(1, 1, 3, {"n": 3})))
    with pytest.raises(UsageError, match="filled with base=insert, and this run lacks it"):
        LedgerSink(ledger).position(STRAND)
    deliver(LedgerSink(ledger, base="insert"), block(2, revision(2, 1, 4, {"n": 4})))
    assert [(0, {"n": 3}), (1, {"n": 4})] == history(ledger)


def test_a_position_from_before_settings_were_kept_is_gone_on_with(ledger: Ledger) -> None:
    """A document with all older fields and without settings is read; the next block adds them."""
    deliver(LedgerSink(ledger), CREATED, FIRST)
    rows(ledger, "UPDATE qldb_stream_position AS p SET p.token = 0, p.start = 0")
    rows(ledger, "FROM qldb_stream_position AS p REMOVE p.settings")
    sink = LedgerSink(ledger, ids="any")
    assert at(1) == sink.position(STRAND)
    deliver(sink, SECOND)
    assert ["ids=any"] == rows(ledger, "SELECT VALUE p.settings FROM qldb_stream_position AS p")


def test_token_and_start_are_kept_when_they_are_not_0(ledger: Ledger) -> None:
    """The position's document leaves out what is 0, and is read as if it were there."""
    sink = LedgerSink(ledger)
    deliver(sink, block(5), token=0)
    (document,) = rows(ledger, "SELECT * FROM qldb_stream_position")
    assert (5, False) == (document["start"], "token" in document)
    deliver(sink, block(6), token=3)
    (document,) = rows(ledger, "SELECT * FROM qldb_stream_position")
    assert (5, 3) == (document["start"], document["token"])

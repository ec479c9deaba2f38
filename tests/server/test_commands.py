"""Sessions and transactions, command by command (facts 6); time is set, there is no socket."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from qldb_stream.ion import dumps
from qldb_stream.ledger import Ledger
from qldb_stream.server._commands import MAX_OPEN_RESULTS
from qldb_stream.server._keys import Caller
from tests.server.support import Desk, Got, Talk, rows, to_base64, to_json

OCC = "Optimistic concurrency control (OCC) failure encountered while committing the transaction"
BAD = "BadRequestException"
INVALID = "InvalidSessionException"


def first_page(got: Got) -> list[Any]:
    """The rows of a statement's first page."""
    return rows(got.body["ExecuteStatement"]["FirstPage"])


def test_a_whole_life(talk: Talk) -> None:
    """Insert, query, commit: the digest is echoed, rows are Ion streams of their own."""
    (inserted,) = talk.run(("INSERT INTO Car ?", {"vin": "A"}))
    assert 22 == len(inserted["documentId"])
    transaction_id = talk.begin()
    assert [{"vin": "A"}] == first_page(talk.execute("SELECT * FROM Car WHERE vin = ?", "A"))
    got = talk.commit().body["CommitTransaction"]
    assert transaction_id == got["TransactionId"]
    assert {"ReadIOs": 1, "WriteIOs": 0} == got["ConsumedIOs"]
    assert 200 == talk.ask("EndSession").status
    assert (INVALID, "No such session") == talk.ask("StartTransaction").error


def test_a_session_has_the_id_of_the_request_that_began_it(desk: Desk) -> None:
    """Pyqldb takes the header of StartSession's answer for the session's id (facts 6.1)."""
    got = desk.send({"StartSession": {"LedgerName": "cars"}})
    (session,) = desk.sessions.iter_all()
    assert session.session_id == got.headers["x-amzn-requestid"]
    assert "SessionToken" in got.body["StartSession"]


@pytest.mark.parametrize("name", ["trucks", "", "..", "../cars", "cars/", "1", "x" * 100])
def test_a_session_needs_a_ledger(desk: Desk, name: str) -> None:
    """A ledger that is not there, or a name that none can have, is a bad request."""
    error, message = desk.send({"StartSession": {"LedgerName": name}}).error
    assert BAD == error
    assert f"The Ledger with name {name[:40]} is not found" == message


def test_a_transaction_is_started_once(talk: Talk) -> None:
    """A second StartTransaction is refused, and the first stays open."""
    talk.begin()
    assert (BAD, "Transaction already open") == talk.ask("StartTransaction").error
    assert 200 == talk.commit().status


def test_without_a_transaction_there_is_nothing_to_do(talk: Talk) -> None:
    """Statements, pages and commits of none, or of another, meet no open transaction."""
    assert (BAD, "No open transaction") == talk.execute("SELECT * FROM Car").error
    assert (BAD, "No open transaction") == talk.commit().error
    page = {"TransactionId": talk.id, "NextPageToken": "abcd"}
    assert (BAD, "No open transaction") == talk.ask("FetchPage", **page).error
    talk.begin()
    talk.id = "B" * 22
    assert (BAD, "No open transaction") == talk.execute("SELECT * FROM Car").error


def test_aborting_always_succeeds(talk: Talk) -> None:
    """With a transaction it is gone, without one nothing happens."""
    assert 200 == talk.ask("AbortTransaction").status
    talk.begin()
    talk.execute("INSERT INTO Car ?", {"vin": "A"})
    assert 200 == talk.ask("AbortTransaction").status
    assert (BAD, "No open transaction") == talk.commit().error
    assert [] == talk.run(("SELECT * FROM Car",))


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("SELECT * FROM", "Parser Error: at line 1"),
        (
            "SELECT * FROM Vehicles",
            "Semantic Error: at line 1, column 15: No such variable named 'Vehicles'",
        ),
        ("SELECT * FROM Car ORDER BY vin", "Unsupported PartiQL Statement, Errors at:"),
        ("CREATE TABLE Car", "already exists"),
        ("SELECT 'x" + "x" * 100_000 + "' FROM Car", "the limit is 100000"),
        ("SELECT '\ud800' FROM Car", "cannot write as Ion"),
    ],
)
def test_a_refused_statement_leaves_the_transaction_open(
    talk: Talk, statement: str, message: str
) -> None:
    """The client may go on, with the refused statement folded or not (facts 2.8)."""
    talk.begin()
    talk.execute("INSERT INTO Car ?", {"vin": "A"})
    folded = talk.digest
    members = {"TransactionId": talk.id, "Statement": statement}
    error, found = talk.ask("ExecuteStatement", **members).error
    assert BAD == error
    assert message in found
    assert 200 == talk.commit(folded).status


def test_digests_must_match(talk: Talk) -> None:
    """A wrong one is refused, and the transaction stays open."""
    talk.begin()
    talk.execute("INSERT INTO Car ?", {"vin": "A"})
    assert (BAD, "Digests don't match") == talk.commit(bytes(32)).error
    assert 200 == talk.commit().status


def test_a_conflict_ends_the_transaction(desk: Desk, talk: Talk) -> None:
    """The session stays usable, without an abort."""
    other = Talk(desk)
    for one in (talk, other):
        one.begin()
        one.execute("SELECT * FROM Car WHERE vin = ?", "A")
        one.execute("INSERT INTO Car ?", {"vin": "A"})
    assert 200 == talk.commit().status
    assert ("OccConflictException", OCC) == other.commit().error
    assert (BAD, "No open transaction") == other.commit().error
    assert 1 == len(other.run(("SELECT * FROM Car",)))


# --- pages ---------------------------------------------------------------------------------


@pytest.fixture
def many(tmp_path: Path) -> Iterator[Talk]:
    """A session on a ledger without limits and with 450 cars."""
    desk = Desk(tmp_path, limits="off")
    desk.make_ledger()
    talk = Talk(desk)
    talk.run(("CREATE TABLE Car",))
    talk.run(("INSERT INTO Car ?", [{"n": n} for n in range(450)]))
    yield talk
    desk.close()


def fetch(talk: Talk, token: str) -> Got:
    """Fetch a page."""
    return talk.ask("FetchPage", TransactionId=talk.id, NextPageToken=token)


def test_pages_have_all_rows(many: Talk) -> None:
    """Each once, 200 a page; the last page has no token; what they cost adds up."""
    many.begin()
    first = many.execute("SELECT n FROM Car").body["ExecuteStatement"]
    page = first["FirstPage"]
    found = [rows(page)]
    costs = [first["ConsumedIOs"]["ReadIOs"]]
    while "NextPageToken" in page:
        fetched = fetch(many, page["NextPageToken"]).body["FetchPage"]
        page = fetched["Page"]
        found.append(rows(page))
        costs.append(fetched["ConsumedIOs"]["ReadIOs"])
    assert [200, 200, 50] == [len(part) for part in found]
    assert 450 == sum(costs)
    assert set(range(450)) == {row["n"] for part in found for row in part}


def test_a_page_token_is_for_its_transaction_alone(many: Talk) -> None:
    """Neither another session, nor a later transaction, nor a guess gets the page."""
    many.begin()
    token = many.execute("SELECT n FROM Car").body["ExecuteStatement"]["FirstPage"]["NextPageToken"]
    invalid = (BAD, "The parameter NextPageToken is not valid")
    other = Talk(many.sender)
    other.begin()
    assert invalid == fetch(other, token).error
    other.id = many.id
    assert (BAD, "No open transaction") == fetch(other, token).error
    assert invalid == fetch(many, "A" * 32).error
    assert 200 == fetch(many, token).status
    assert invalid == fetch(many, token).error, "each token is for one page"
    assert 200 == many.commit().status
    many.begin()
    assert invalid == fetch(many, token).error


def test_results_that_are_open_are_bounded(many: Talk) -> None:
    """A client that never fetches is told so, and can go on after."""
    many.begin()
    for _ in range(MAX_OPEN_RESULTS):
        assert 200 == many.execute("SELECT n FROM Car").status
    error, message = many.execute("SELECT n FROM Car").error
    assert BAD == error
    assert f"the limit is {MAX_OPEN_RESULTS}" in message
    assert 200 == many.commit().status


def test_what_a_transaction_sends_is_bounded(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Statements that add up to too much are refused; the transaction is still open."""
    monkeypatch.setattr("qldb_stream.server._commands.MAX_TRANSACTION_BYTES", 1000)
    talk.begin()
    error, message = talk.execute("SELECT * FROM Car WHERE vin = ?", "x" * 1000).error
    assert BAD == error
    assert "the limit is 1000" in message
    assert 200 == talk.ask("AbortTransaction").status


def test_what_all_transactions_keep_is_bounded(
    desk: Desk, talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that would be too much is told to come again; ended ones make room."""
    monkeypatch.setattr("qldb_stream.server._sessions.MAX_OPEN_BYTES", 3000)
    other = Talk(desk)
    for one in (talk, other):
        one.begin()
    assert 200 == talk.execute("SELECT * FROM Car WHERE vin = ?", "x" * 1000).status
    crowded = other.execute("SELECT * FROM Car WHERE vin = ?", "x" * 1000)
    assert ("CapacityExceededException", 503) == (crowded.error[0], crowded.status)
    assert 200 == talk.commit().status
    assert 200 == other.ask("AbortTransaction").status
    for _ in range(5):
        other.run(("SELECT * FROM Car WHERE vin = ?", "x" * 1000))


def test_a_statement_without_end_is_cut_off(desk: Desk, talk: Talk) -> None:
    """With its transaction, after 30 seconds; the session goes on."""
    talk.run(("INSERT INTO Car ?", {"n": list(range(1000))}))
    transaction_id = talk.begin()
    desk.clock.step_ms = 1000
    got = talk.execute("SELECT COUNT(*) FROM Car c, c.n AS a, c.n AS b, c.n AS d")
    desk.clock.step_ms = 0
    assert (INVALID, f"Transaction {transaction_id} has expired") == got.error
    assert (INVALID, f"Transaction {transaction_id} has expired") == talk.commit().error
    assert 200 == talk.ask("AbortTransaction").status
    talk.run(("SELECT * FROM Car",))


# --- time ----------------------------------------------------------------------------------


@pytest.mark.parametrize("sweep", [True, False])
def test_a_transaction_expires(desk: Desk, talk: Talk, *, sweep: bool) -> None:
    """After 30 s, in the words that drivers look for; then the session goes on."""
    transaction_id = talk.begin()
    talk.execute("INSERT INTO Car ?", {"vin": "A"})
    desk.clock.now_ms += 30_000
    if sweep:
        desk.service.sweep(desk.clock())
        assert (1, 0) == desk.sessions.count()
    expired = (INVALID, f"Transaction {transaction_id} has expired")
    assert expired == talk.execute("SELECT * FROM Car").error
    assert expired == talk.commit().error
    assert 200 == talk.ask("AbortTransaction").status
    assert [] == talk.run(("SELECT * FROM Car",))


def test_without_limits_a_transaction_lasts_as_its_session(many: Talk) -> None:
    """With limits off only the session's end ends it."""
    many.begin()
    assert isinstance(many.sender, Desk)
    many.sender.clock.now_ms += 10 * 60_000
    many.sender.service.sweep(many.sender.clock())
    assert 200 == many.commit().status


@pytest.mark.parametrize("sweep", [True, False])
def test_a_session_expires(desk: Desk, talk: Talk, *, sweep: bool) -> None:
    """After 13 to 17 minutes, here 15, whatever it does; what it had open is given up."""
    (session,) = desk.sessions.iter_all()
    desk.clock.now_ms += 15 * 60_000 - 1
    talk.begin()
    desk.clock.now_ms += 1
    if sweep:
        desk.service.sweep(desk.clock())
        assert (0, 0) == desk.sessions.count()
    expired = (INVALID, f"Session {session.session_id} has expired")
    assert expired == talk.commit().error
    assert expired == talk.ask("AbortTransaction").error


def test_a_token_of_another_time_is_of_no_session(desk: Desk) -> None:
    """After a restart drivers are told to begin anew."""
    body = {"SessionToken": "A" * 64, "StartTransaction": {}}
    assert (INVALID, "No such session") == desk.send(body).error


def test_a_ledger_has_so_many_sessions(tmp_path: Path) -> None:
    """One more is refused, until another ends; other ledgers have their own."""
    desk = Desk(tmp_path, sessions=2)
    desk.make_ledger()
    desk.make_ledger("trucks")
    first, _second = Talk(desk), Talk(desk)
    error, message = desk.send({"StartSession": {"LedgerName": "cars"}}).error
    assert "LimitExceededException" == error
    assert "2 active sessions" in message
    Talk(desk, "trucks")
    first.ask("EndSession")
    Talk(desk)
    desk.close()


def test_a_stopping_server_begins_nothing(desk: Desk, talk: Talk) -> None:
    """What is open may end; drivers try what is refused again elsewhere."""
    other = Talk(desk)
    talk.begin()
    desk.sessions.stop()
    for got in (desk.send({"StartSession": {"LedgerName": "cars"}}), other.ask("StartTransaction")):
        assert 503 == got.status
        assert ("CapacityExceededException", "the server is stopping") == got.error
    assert 200 == talk.commit().status


# --- failures ------------------------------------------------------------------------------


def test_a_file_that_is_no_ledger_does_not_stop_the_others(
    desk: Desk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its sessions fail with what drivers do not try again, and the log says why."""
    (tmp_path / "broken.ledger").write_bytes(b"x" * 5000)
    got = desk.send({"StartSession": {"LedgerName": "broken"}})
    assert (400, BAD) == (got.status, got.error[0])
    assert got.error[1].startswith("the ledger broken cannot be used: ")
    assert str(tmp_path) not in got.error[1]
    assert "broken cannot be opened" in caplog.text
    got = desk.call("POST", "/ledgers/{name}/digest", name="broken")
    assert (412, "ResourcePreconditionNotMetException") == (got.status, got.error[0])
    assert ("Ledger", "broken") == (got.body["ResourceType"], got.body["ResourceName"])
    Talk(desk)


def test_damage_that_statements_meet_is_not_tried_again(
    desk: Desk, talk: Talk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The client is told the ledger's name, the log which document; the transaction is over."""
    talk.run(("INSERT INTO Car ?", {"vin": "A"}))
    damage(tmp_path, "UPDATE revision SET data = x'00' WHERE document_id <> ''")
    talk.begin()
    got = talk.execute("SELECT vin FROM Car")
    assert (400, BAD) == (got.status, got.error[0])
    assert got.error[1].startswith("the ledger cars cannot be used: ")
    assert str(tmp_path) not in got.error[1]
    assert f"the ledger cars cannot be used: ledger {tmp_path}" in caplog.text
    assert (BAD, "No open transaction") == talk.commit().error


def test_damage_that_a_commit_meets_is_not_tried_again(
    desk: Desk, talk: Talk, tmp_path: Path
) -> None:
    """Nor does the control plane's answer say more."""
    talk.begin()
    talk.execute("INSERT INTO Car ?", {"vin": "A"})
    damage(tmp_path, "DROP TABLE block")
    got = talk.commit()
    assert (400, BAD) == (got.status, got.error[0])
    assert got.error[1].startswith("the ledger cars cannot be used: ")
    address = {"IonText": f'{{strandId: "{desk.ledgers.open("cars").strand_id}", sequenceNo: 0}}'}
    got = desk.call("POST", "/ledgers/{name}/block", {"BlockAddress": address}, name="cars")
    assert (412, "ResourcePreconditionNotMetException") == (got.status, got.error[0])
    assert str(tmp_path) not in got.error[1]


def damage(folder: Path, statement: str) -> None:
    """Change a ledger's file as no ledger does."""
    with closing(sqlite3.connect(folder / "cars.ledger")) as other:
        other.execute(statement)
        other.commit()


def test_a_ledger_that_another_process_writes_is_left_alone(
    desk: Desk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says that another writer has it open; when it is closed, it can be had."""
    with Ledger.open(tmp_path / "busy.ledger"):
        got = desk.send({"StartSession": {"LedgerName": "busy"}})
        assert (400, BAD) == (got.status, got.error[0])
    assert "another writer" in caplog.text
    Talk(desk, "busy")


def test_our_own_bug_is_an_internal_failure(
    desk: Desk, talk: Talk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says where, not with what; the transaction is given up, the server goes on."""
    talk.begin()

    def fail(*_arguments: object) -> None:
        raise ValueError("con" + "tents")

    monkeypatch.setattr("qldb_stream.server._commands.page_json", fail)
    got = talk.execute("SELECT * FROM Car")
    assert 500 == got.status
    assert "InternalFailure" == got.error[0]
    assert got.headers["x-amzn-requestid"] in got.error[1]
    assert "ValueError" in caplog.text
    assert "contents" not in caplog.text
    monkeypatch.undo()
    assert (BAD, "No open transaction") == talk.commit().error
    assert [] == talk.run(("SELECT * FROM Car",))


def test_too_many_commands_of_one_session_wait(desk: Desk, talk: Talk) -> None:
    """One that finds no place is told to come again."""
    (session,) = desk.sessions.iter_all()
    got = []

    def at_work() -> None:
        for _ in range(32):
            session.mailbox.put(lambda: None)
        got.append(talk.ask("AbortTransaction"))

    session.mailbox.put(at_work)
    assert "CapacityExceededException" == got[0].error[0]


def test_nothing_is_begun_in_a_session_that_ended(desk: Desk, talk: Talk) -> None:
    """A command that waited while its session ended finds no session, and leaves nothing."""
    (session,) = desk.sessions.iter_all()
    got: list[Any] = []

    def at_work() -> None:
        for name in ("EndSession", "StartTransaction"):
            body = {"SessionToken": talk.token, name: {}}
            request = desk.request("POST", "/", body, {})
            desk.service.submit(request, Caller(), got.append)

    session.mailbox.put(at_work)
    assert [200, 400] == [answer.status for answer in got]
    assert session.transaction is None


def test_sessions_are_their_callers_alone(desk: Desk, talk: Talk) -> None:
    """To another key a session is not there."""
    answers: list[Any] = []
    body = {"SessionToken": talk.token, "StartTransaction": {}}
    request = desk.request("POST", "/", body, {})
    desk.service.submit(request, Caller("somebody"), answers.append)
    assert (INVALID, "No such session") == desk.got(answers[0], request).error


def test_parameters_are_read_for_an_open_transaction_only(desk: Desk, talk: Talk) -> None:
    """Whoever has no session, or no transaction, is told so whatever the parameters are."""
    members = {"TransactionId": "A" * 22, "Statement": "?", "Parameters": [{"IonText": "{"}]}
    command = {"SessionToken": "abcd", "ExecuteStatement": members}
    assert (INVALID, "No such session") == desk.send(command).error
    assert "No open transaction" == talk.ask("ExecuteStatement", **members).error[1]
    talk.begin()
    refused = talk.ask("ExecuteStatement", **{**members, "TransactionId": talk.id})
    assert "a parameter is not one Ion value" in refused.error[1]


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_are_a_failure_of_ours(desk: Desk, data: st.DataObject) -> None:
    """A sound command with any bytes cut out and put in is carried out or refused."""
    talk = Talk(desk)
    holders = [{"IonBinary": to_base64(dumps({"a": [1, "b"]}))}, {"IonText": "{a: 2020T}"}]
    members = {"TransactionId": talk.begin(), "Statement": "SELECT ?, ? FROM Car WHERE a = 1"}
    command = {"SessionToken": talk.token, "ExecuteStatement": {**members, "Parameters": holders}}
    sound = to_json(command)
    at = data.draw(st.integers(0, len(sound)))
    after = data.draw(st.integers(at, min(len(sound), at + 8)))
    got = desk.send(sound[:at] + data.draw(st.binary(max_size=8)) + sound[after:])
    assert got.status in {200, 400}
    assert 200 == talk.ask("EndSession").status

"""What the shell does with a ledger in this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from qldb_stream.cli._connections import Connection, open_file
from qldb_stream.cli._shell_session import ShellSession
from tests.cli.support import Screen


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    """A new ledger in a file."""
    with open_file(str(tmp_path / "cars.ledger"), create=True, name="cars") as connection:
        yield connection


@pytest.fixture
def screen() -> Screen:
    """What was printed."""
    return Screen()


@pytest.fixture
def shell(connection: Connection, screen: Screen) -> Iterator[ShellSession]:
    """A shell on that ledger, with one table, rows as Ion, and a clock that stands still."""
    session = ShellSession(connection, screen.write, clock_s=lambda: 0.0, row_format="ion")
    session.start()
    session.read("CREATE TABLE Car; INSERT INTO Car {'vin': 'a'};")
    screen.take()
    yield session
    session.close()


def test_a_statement_is_a_transaction_of_its_own(shell: ShellSession, screen: Screen) -> None:
    """Rows are printed, counted and timed."""
    assert shell.read("SELECT * FROM Car;")
    assert '{vin:"a"}\n1 row in 0.0 ms\n' == screen.take()
    shell.read("\\timing off")
    shell.read("SELECT * FROM Car; SELECT VALUE 1 FROM Car AS c WHERE c.vin = 'b';")
    assert '{vin:"a"}\n1 row\n0 rows\n' == screen.take()


def test_formats(shell: ShellSession, screen: Screen) -> None:
    """Rows are shown in the format that was last asked for."""
    shell.read("\\timing off")
    shell.read("\\format json")
    shell.read("SELECT c.vin, c.x FROM Car AS c;")
    assert '{"vin":"a"}\n1 row\n' == screen.take()
    shell.read("\\format table")
    shell.read("SELECT c.vin, c.x FROM Car AS c;")
    assert "vin" in screen.take()
    assert {"vin"} == shell.printer.fields


def test_a_transaction_by_hand(shell: ShellSession, screen: Screen) -> None:
    """What was done in a transaction is there after COMMIT; the prompt shows that it is open."""
    assert "cars> " == shell.prompt
    shell.read("START TRANSACTION")
    assert "cars*> " == shell.prompt
    shell.read("INSERT INTO Car {'vin': 'b'};")
    shell.read("COMMIT")
    assert "cars> " == shell.prompt
    screen.take()
    shell.read("SELECT VALUE c.vin FROM Car AS c WHERE c.vin = 'b';")

    assert '"b"\n1 row in 0.0 ms\n' == screen.take()


def test_abort(shell: ShellSession, screen: Screen) -> None:
    """What was done in a transaction is gone after ABORT."""
    shell.read("BEGIN; INSERT INTO Car {'vin': 'b'}; ABORT;")
    assert screen.take().endswith("aborted\n")
    shell.read("SELECT VALUE c.vin FROM Car AS c;")

    assert '"a"\n1 row in 0.0 ms\n' == screen.take()


def test_a_statement_that_fails_leaves_the_transaction_open(
    shell: ShellSession, screen: Screen
) -> None:
    """An error is shown with a caret; the rest of the input is left, the transaction stays."""
    shell.read("BEGIN; INSERT INTO Car {'vin': 'b'};")
    screen.take()
    shell.read("SELECT * FROM Nowhere; INSERT INTO Car {'vin': 'c'};")
    shown = screen.take()
    assert "No such variable named 'Nowhere'" in shown
    assert shown.endswith("  SELECT * FROM Nowhere\n                ^\n")
    assert "cars*> " == shell.prompt
    shell.read("COMMIT; SELECT VALUE c.vin FROM Car AS c WHERE c.vin <> 'a';")

    assert '"b"\n1 row in 0.0 ms\n' == screen.take().removeprefix("committed\n")


def test_a_conflict_ends_the_transaction(
    shell: ShellSession, screen: Screen, connection: Connection
) -> None:
    """When another transaction was first, COMMIT says so, and nothing is open."""
    shell.read("BEGIN; SELECT * FROM Car; INSERT INTO Car {'vin': 'b'};")
    connection.transact(lambda execute: list(execute("INSERT INTO Car {'vin': 'c'}", ())))
    screen.take()
    shell.read("COMMIT")

    assert "Optimistic concurrency control (OCC) failure" in screen.take()
    assert "cars> " == shell.prompt
    shell.read("SELECT VALUE c.vin FROM Car AS c WHERE c.vin = 'b';")
    assert "0 rows in 0.0 ms\n" == screen.take()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("COMMIT", "no transaction is open\n"),
        ("ABORT", "no transaction is open\n"),
        ("BEGIN; BEGIN;", "a transaction is open already: COMMIT or ABORT it first\n"),
    ],
)
def test_what_makes_no_sense_now(shell: ShellSession, screen: Screen, text: str, said: str) -> None:
    """A word that makes no sense now is answered, and changes nothing."""
    assert shell.read(text)
    assert said == screen.take()


def test_leaving(shell: ShellSession, screen: Screen) -> None:
    """EXIT ends the shell; a transaction that is open is aborted, and that is said."""
    shell.read("BEGIN; INSERT INTO Car {'vin': 'b'};")
    screen.take()
    assert not shell.read("EXIT")
    shell.close()
    assert "the open transaction was aborted\n" == screen.take()
    shell.read("SELECT VALUE c.vin FROM Car AS c WHERE c.vin = 'b';")
    assert "0 rows in 0.0 ms\n" == screen.take()


def test_tables_are_learnt(shell: ShellSession, connection: Connection) -> None:
    """Names of tables are known at the start, after DDL, and after a commit."""
    assert ["Car"] == shell.tables
    shell.read("CREATE TABLE Boat;")
    assert {"Car", "Boat"} == set(shell.tables)
    shell.read("BEGIN; CREATE TABLE Bike; COMMIT;")
    assert {"Car", "Boat", "Bike"} == set(shell.tables)
    other = ShellSession(connection, lambda _: None)
    other.start()
    assert set(shell.tables) == set(other.tables)


def test_explaining(shell: ShellSession, screen: Screen) -> None:
    """The shell says how documents would be reached, and runs nothing for it."""
    shell.read("\\explain SELECT * FROM Car AS c WHERE c.vin = 'a'; DELETE FROM Car;")
    told = screen.take()
    assert "SCAN Car AS c" in told
    assert "Delete" in told
    shell.read("\\explain SELECT * FROM Nowhere;")
    assert screen.take().endswith("  SELECT * FROM Nowhere\n                ^\n")
    shell.read("SELECT * FROM Car;")
    assert '{vin:"a"}\n1 row in 0.0 ms\n' == screen.take()


def test_ctrl_c(connection: Connection, screen: Screen) -> None:
    """Ctrl-C drops a statement; inside a transaction it aborts that."""
    pressed: list[str] = []

    def write(text: str) -> None:
        screen.write(text)
        if text.startswith(('{vin:"a"', '"stop"')) and not pressed:
            pressed.append(text)
            raise KeyboardInterrupt

    shell = ShellSession(connection, write, clock_s=lambda: 0.0, row_format="ion")
    shell.read("CREATE TABLE Car; INSERT INTO Car {'vin': 'a'};")
    screen.take()
    shell.read("SELECT * FROM Car;")
    assert "interrupted; nothing was written, unless the commit had begun\n" in screen.take()
    pressed.clear()
    shell.read("BEGIN; INSERT INTO Car {'vin': 'b'}; SELECT VALUE 'stop' FROM Car;")
    assert screen.take().endswith('"stop"\n"stop"\ninterrupted; the transaction was aborted\n')
    assert shell.prompt == "cars> "
    shell.read("SELECT VALUE c.vin FROM Car AS c WHERE c.vin = 'b';")
    assert "0 rows in 0.0 ms\n" == screen.take()


def test_ctrl_c_while_a_statement_runs(connection: Connection) -> None:
    """Ctrl-C inside a transaction that is its own passes through, and nothing is written."""

    def stop(execute: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        connection.transact(stop)


def test_what_a_terminal_would_obey_is_escaped(shell: ShellSession, screen: Screen) -> None:
    """Neither rows nor errors carry control characters to the terminal."""
    shell.read("INSERT INTO Car {'vin': '\x1b[2J'}; SELECT \x1b;")
    shell.read("SELECT VALUE c.vin FROM Car AS c;")

    assert "\x1b" not in screen.take()

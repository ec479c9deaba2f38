"""`ledger shell` and `ledger query` on a server, through pyqldb."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from qldb_stream.cli import main
from qldb_stream.cli._connections import Connection, open_url
from qldb_stream.cli._shell_session import ShellSession
from qldb_stream.errors import EndpointError, LambdaAbortedError
from qldb_stream.server import Server
from tests.cli.support import Screen


@pytest.fixture
def connection(server: Server) -> Iterator[Connection]:
    """A connection to the ledger cars."""
    with open_url(server.url, "cars") as connection:
        yield connection


@pytest.fixture
def screen() -> Screen:
    """What was printed."""
    return Screen()


@pytest.fixture
def shell(connection: Connection, screen: Screen) -> Iterator[ShellSession]:
    """A shell on that ledger, with a table."""
    session = ShellSession(connection, screen.write, clock_s=lambda: 0.0, row_format="ion")
    session.start()
    session.read("CREATE TABLE Car; INSERT INTO Car {'vin': 'a', 'n': 1.50};")
    screen.take()
    yield session
    session.close()


def test_statements(shell: ShellSession, screen: Screen) -> None:
    """Rows come as they are stored; errors have a caret."""
    shell.read("SELECT c.n, `a::2020T` AS t FROM Car AS c;")
    assert "{n:1.50,t:a::2020T}\n1 row in 0.0 ms\n" == screen.take()
    shell.read("SELECT *\nFROM Nowhere;")
    assert screen.take().endswith("\n  FROM Nowhere\n       ^\n")
    assert ["Car"] == shell.tables


def test_a_transaction_by_hand(shell: ShellSession, screen: Screen) -> None:
    """A transaction stays open over inputs and errors, and is committed or aborted."""
    shell.read("BEGIN; INSERT INTO Car {'vin': 'b'};")
    shell.read("SELECT * FROM Nowhere;")
    shell.read("INSERT INTO Car {'vin': 'c'};")
    shell.read("COMMIT; BEGIN; INSERT INTO Car {'vin': 'd'}; ABORT;")
    screen.take()
    shell.read("SELECT VALUE c.vin FROM Car AS c WHERE c.vin <> 'a';")

    assert ['"b"', '"c"', "2 rows in 0.0 ms"] == sorted(screen.take().splitlines())


def test_a_conflict(shell: ShellSession, screen: Screen, connection: Connection) -> None:
    """A conflict ends the transaction and is told in the service's words."""
    shell.read("BEGIN; SELECT * FROM Car; INSERT INTO Car {'vin': 'b'};")
    connection.transact(lambda execute: list(execute("INSERT INTO Car {'vin': 'c'}", ())))
    shell.read("COMMIT")

    assert "Optimistic concurrency control (OCC) failure" in screen.take()
    assert "cars> " == shell.prompt


def test_leaving_with_an_open_transaction(connection: Connection) -> None:
    """What was done in a transaction that is left open is gone."""
    transaction = connection.begin()
    list(transaction.execute("CREATE TABLE Boat", ()))
    transaction.abort()
    transaction.abort()

    assert [] == connection.transact(
        lambda execute: list(execute("SELECT * FROM information_schema.user_tables", ()))
    )


def test_a_function_that_is_interrupted(connection: Connection) -> None:
    """After Ctrl-C the driver's session is fit for the next transaction."""

    def stop(_execute: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        connection.transact(stop)
    assert [] == connection.transact(
        lambda execute: list(execute("SELECT * FROM information_schema.user_tables", ())),
        retry=False,
    )


def test_a_query(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """`ledger query` sends parameters and prints rows, page after page."""

    def query(*arguments: str) -> tuple[int, str]:
        code = main(["ledger", "query", server.url, "--ledger", "cars", *arguments])
        return code, capsys.readouterr().out

    assert 0 == query("CREATE TABLE Car")[0]
    for first in range(0, 240, 40):
        documents = ",".join(f"{{n:{n}}}" for n in range(first, first + 40))
        assert 0 == query("INSERT INTO Car ?", "--param", f"[{documents}]")[0]
    assert (0, "1.50\n") == query(
        "SELECT VALUE ? FROM Car AS c WHERE c.n = ?",
        *("--param", "1.50", "--param", "7", "--format", "ion"),
    )
    code, out = query("SELECT VALUE c.n FROM Car AS c", "--format", "ion")
    assert (0, list(range(240))) == (code, sorted(map(int, out.splitlines())))
    assert 1 == query("SELECT * FROM Nowhere")[0]


def test_nobody_answers(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """Where no server is, the command says so and exits with 1."""
    url = server.url
    server.stop()
    with open_url(url, "cars") as connection, pytest.raises(EndpointError):
        connection.begin()
    assert 1 == main(["ledger", "query", url, "--ledger", "cars", "SELECT 1"])
    assert f"{url}: nothing answers there" in capsys.readouterr().err


def test_an_aborted_function(connection: Connection) -> None:
    """An error of this package that the function raises passes through."""

    def work(_execute: object) -> None:
        raise LambdaAbortedError("")

    with pytest.raises(LambdaAbortedError):
        connection.transact(work)

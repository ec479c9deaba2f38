"""pyqldb's driver with parameters and rows in their bytes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from qldb_stream.clients import BytesDriver, connect_bytes
from qldb_stream.clients._driver import _row
from qldb_stream.errors import EndpointError, OccConflictError, StatementError
from qldb_stream.ion import to_slice
from qldb_stream.ledger import Ledger
from qldb_stream.server import Server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server with a ledger `cars` that has a table Car."""
    with Ledger.open(str(tmp_path / "cars.ledger"), name="cars") as ledger:
        ledger.driver().execute_lambda(lambda txn: txn.execute_statement("CREATE TABLE Car"))
    with Server(tmp_path) as running:
        yield running


@pytest.fixture
def driver(server: Server) -> Iterator[BytesDriver]:
    """A driver for it."""
    with closing(connect_bytes("cars", endpoint_url=server.url)) as connected:
        yield connected


def run(driver: BytesDriver, statement: str, *parameters: Any) -> list[Any]:
    """Run one statement in a transaction."""
    return driver.execute_lambda(lambda txn: list(txn.execute_statement(statement, *parameters)))


def test_pages(driver: BytesDriver) -> None:
    """An answer of several pages is read to its end."""
    for first in range(0, 440, 40):
        run(driver, "INSERT INTO Car ?", [{"n": first + more} for more in range(40)])

    assert list(range(440)) == sorted(run(driver, "SELECT VALUE c.n FROM Car AS c"))


def test_parameters_and_digests(driver: BytesDriver) -> None:
    """Plain values and slices are taken, and the server finds the commit's digest right."""
    run(driver, "INSERT INTO Car ?", to_slice({"n": 1}))

    assert [{"n": 1, "m": 2}] == run(driver, "SELECT c.n, ? AS m FROM Car AS c WHERE c.n = ?", 2, 1)


def test_errors_are_ours(server: Server) -> None:
    """What the service refuses, or a server that is gone, is this package's error."""
    driver = connect_bytes("cars", endpoint_url=server.url)
    with pytest.raises(StatementError, match="Nothing"):
        run(driver, "SELECT * FROM Nothing")
    server.stop(at_once=True)
    with pytest.raises(EndpointError):
        run(driver, "SELECT * FROM Car")
    with pytest.raises(EndpointError):
        driver.close()


def test_what_the_function_raises(driver: BytesDriver) -> None:
    """What the function raises passes through, and nothing is written."""

    def work(txn: Any) -> None:
        list(txn.execute_statement("INSERT INTO Car ?", {"n": 1}))
        raise KeyError

    with pytest.raises(KeyError):
        driver.execute_lambda(work)
    assert [] == run(driver, "SELECT * FROM Car")


def test_conflicts_are_tried_again(server: Server, driver: BytesDriver) -> None:
    """A transaction whose reading somebody else has changed is run again, for a while."""
    run(driver, "INSERT INTO Car ?", {"n": 0})
    rounds = 0

    def work(txn: Any) -> None:
        nonlocal rounds
        (n,) = txn.execute_statement("SELECT VALUE c.n FROM Car AS c")
        rounds += 1
        if rounds <= conflicts:
            with closing(connect_bytes("cars", endpoint_url=server.url)) as other:
                run(other, "UPDATE Car AS c SET c.n = c.n + 10")
        list(txn.execute_statement("UPDATE Car AS c SET c.n = ?", int(n) + 1))

    conflicts = 1
    driver.execute_lambda(work)
    assert (2, [11]) == (rounds, run(driver, "SELECT VALUE c.n FROM Car AS c"))
    conflicts = 100
    with pytest.raises(OccConflictError):
        driver.execute_lambda(work)


def test_rows_as_text() -> None:
    """The API may answer values as Ion text, too."""
    assert {"a": 1} == _row({"IonText": "{a: 1}"})


def test_only_botocore_reaches_some_places() -> None:
    """Where the direct way is none, botocore's client stays, and is closed."""
    connect_bytes("cars", endpoint_url="http://127.0.0.1:1/path").close()

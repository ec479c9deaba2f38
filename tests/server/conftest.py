"""A desk and a server, each over a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from qldb_stream.server import Server
from tests.server.support import Desk, Talk, Wire


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """The server without sockets, with a ledger `cars`."""
    desk = Desk(tmp_path)
    desk.make_ledger()
    yield desk
    desk.close()


@pytest.fixture
def talk(desk: Desk) -> Talk:
    """A session on `cars`, with a table Car."""
    talk = Talk(desk)
    talk.run(("CREATE TABLE Car",))
    talk.run(("CREATE INDEX ON Car (vin)",))
    return talk


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on loopback, with a ledger `cars` that has a table Car."""
    folder: Path = tmp_path_factory.mktemp("ledgers")
    with Server(folder) as server:
        wire = Wire(server.url)
        assert 200 == wire.call("POST", "/ledgers", _CARS).status
        talk = Talk(wire)
        talk.run(("CREATE TABLE Car",))
        talk.run(("CREATE INDEX ON Car (vin)",))
        wire.close()
        yield server
        server.stop(at_once=True)  # tests leave transactions open, which it would wait for


@pytest.fixture
def wire(server: Server) -> Iterator[Wire]:
    """A connection to it."""
    wire = Wire(server.url)
    yield wire
    wire.close()


_CARS = {"Name": "cars", "PermissionsMode": "ALLOW_ALL"}

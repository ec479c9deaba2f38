"""The custom resource that creates tables, through pyqldb against our server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import pytest

from qldb_stream.aws import tables
from qldb_stream.clients import BytesDriver, boto3_session, connect_bytes
from qldb_stream.errors import EndpointError, StatementError, UsageError
from qldb_stream.ledger import Ledger
from qldb_stream.server import Server
from tests.aws.events import Context

NAMES = ["Person", "Vehicle", "VehicleRegistration", "DriversLicense"]
_NUMBERS = iter(range(1_000))
Deploy = Callable[..., None]


@attrs.frozen
class Place:
    """A ledger of a server's."""

    url: str
    ledger: str


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests."""
    with Server(tmp_path_factory.mktemp("ledgers")) as server:
        yield server


@pytest.fixture
def server(running: Server, deploy: Deploy) -> Place:
    """An empty ledger on it."""
    deploy()
    keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
    session = boto3_session(region_name="us-east-1", **keys)
    client = session.client("qldb", endpoint_url=running.url)
    name = f"cars-{next(_NUMBERS)}"
    client.create_ledger(Name=name, PermissionsMode="ALLOW_ALL")
    client.close()
    return Place(running.url, name)


def request(server: Place, kind: str = "Create", **properties: Any) -> dict[str, Any]:
    """A request as the provider framework hands it over."""
    said = {"ServiceToken": "arn:x", "LedgerName": server.ledger, "TableNames": NAMES} | properties
    return {
        "RequestType": kind,
        "ResponseURL": "...",
        "StackId": "arn:stack",
        "RequestId": "r",
        "LogicalResourceId": "Tables",
        "ResourceType": "Custom::Tables",
        "ResourceProperties": {"Endpoint": server.url, **said},
    }


def test_tables_are_created_once(server: Place) -> None:
    """Creating is idempotent, and an update creates what is new."""
    first = tables.handler(request(server), Context())
    again = tables.handler(request(server), Context())
    more = tables.handler(request(server, "Update", TableNames=[*NAMES, "Notes", "Notes"]))

    assert f"tables-of-{server.ledger}" == first["PhysicalResourceId"]
    assert {"Created": ", ".join(NAMES), "Existing": "", "Warnings": ""} == first["Data"]
    assert ("", ", ".join(NAMES)) == (again["Data"]["Created"], again["Data"]["Existing"])
    assert ("Notes", first["PhysicalResourceId"]) == (
        more["Data"]["Created"],
        more["PhysicalResourceId"],
    )


def test_case_counts_and_is_told(server: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """A table whose name differs only by case is another one: it is made, with a warning."""
    tables.handler(request(server, TableNames=["person"]))
    answer = tables.handler(request(server, TableNames=["Person"]))

    assert "Person" == answer["Data"]["Created"]
    assert "table Person is another one than person" in answer["Data"]["Warnings"]
    assert "table_warning" in capsys.readouterr().err


def test_nothing_is_dropped(server: Place) -> None:
    """On Delete nothing is done, and no server is asked."""
    tables.handler(request(server))
    event = request(server, "Delete", Endpoint="http://127.0.0.1:9")
    answer = tables.handler(event | {"PhysicalResourceId": "tables-of-cars"})

    assert {"PhysicalResourceId": "tables-of-cars"} == answer
    assert ", ".join(NAMES) == tables.handler(request(server))["Data"]["Existing"]


def test_who_was_faster_has_made_it(server: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that another made meanwhile counts as existing; another refusal is an error."""
    with closing(connect_bytes(server.ledger, endpoint_url=server.url)) as driver:
        check_races(driver, monkeypatch)


def check_races(driver: BytesDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Create a table that a first look did not see."""
    tables.create_tables(driver, ["Person"])
    seen = tables._active  # noqa: SLF001 - the second look is the real one
    looks = iter((lambda _given: frozenset[str](), seen, seen, seen))

    def look(given: BytesDriver) -> frozenset[str]:
        return next(looks)(given)

    monkeypatch.setattr(tables, "_active", look)

    assert tables.TablesReport(existing=("Person",)) == tables.create_tables(driver, ["Person"])
    with pytest.raises(StatementError):
        tables.create_tables(driver, ["two words"])


def test_a_server_that_is_away_is_waited_for_in_time(server: Place) -> None:
    """A server that does not answer is an error when the time is over."""
    with pytest.raises(EndpointError):
        tables.handler(request(server, Endpoint="http://127.0.0.1:9"), Context(100))


def test_reserved_words_are_names_too(server: Place) -> None:
    """Names are quoted, so that a word of PartiQL's may be one."""
    assert "order" == tables.handler(request(server, TableNames=["order"]))["Data"]["Created"]


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        ({"LedgerName": "no name"}, "no name of a ledger"),
        ({"LedgerName": None, "TableNames": ["9x", "", None, "a" * 129]}, "'9x'.*''.*None.*aaa"),
        ({"TableNames": []}, "1 to 100"),
        ({"TableNames": "Person"}, "1 to 100"),
        ({"TableNames": ["a"] * 101}, "1 to 100"),
        ({"Endpoint": 5}, "Endpoint is no text"),
    ],
)
def test_wrong_properties(server: Place, properties: dict[str, Any], said: str) -> None:
    """Everything that is wrong with a request is named."""
    with pytest.raises(UsageError, match=said):
        tables.handler(request(server, **properties))


def test_wrong_requests(server: Place) -> None:
    """A request that is none is refused."""
    with pytest.raises(UsageError, match="RequestType"):
        tables.handler({})
    with pytest.raises(UsageError, match="LedgerName"):
        tables.handler(request(server) | {"ResourceProperties": None})


def test_a_servers_own_keys(
    tmp_path: Path, deploy: Deploy, aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys out of a secret sign requests, where the role's own would be refused."""
    import boto3

    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    keys = (
        '{"version": 1, "keys": [{"access_key": "reader", "secret_key": "0123456789abcdef0", '
        '"permission": "read-only"}, {"access_key": "writer", "secret_key": "0123456789abcdef1", '
        '"permission": "read-write"}]}'
    )
    client: Any = boto3.client("secretsmanager")
    client.create_secret(Name="keys", SecretString=keys)
    folder = tmp_path / "ledgers"
    folder.mkdir()
    Ledger.open(folder / "cars.ledger", name="cars").close()
    (tmp_path / "keys.json").write_text(keys)
    (tmp_path / "keys.json").chmod(0o600)
    deploy()
    with Server(folder, keys=str(tmp_path / "keys.json")) as started:
        server = Place(started.url, "cars")
        with pytest.raises(EndpointError):
            tables.handler(request(server), Context(100))
        deploy(LEDGER_SECRET="keys")
        answer = tables.handler(request(server), Context())
    client.delete_secret(SecretId="keys", ForceDeleteWithoutRecovery=True)

    assert ", ".join(NAMES) == answer["Data"]["Created"]

"""pyqldb and boto3 on a server whose clock is set and whose callers sign."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from qldb_stream.clients import boto3_session, connect
from qldb_stream.ledger import Environment
from qldb_stream.server import Server
from tests.drivers.conftest import NOBODY
from tests.ledger.support import Clock

MINUTE_MS = 60_000


@pytest.fixture
def clock() -> Clock:
    """The server's clock."""
    return Clock()


@pytest.fixture
def timed(folder: Path, clock: Clock) -> Iterator[Server]:
    """A server that goes by that clock."""
    with Server(folder, environment=Environment(clock)) as server:
        yield server


def _run(driver: Any, statement: str, *parameters: Any) -> list[Any]:
    return list(driver.execute_lambda(lambda txn: txn.execute_statement(statement, *parameters)))


def test_a_transaction_that_took_too_long(timed: Server, clock: Clock) -> None:
    """After 30 seconds a transaction has expired: the driver tells, and its session lives on."""
    with connect("cars", endpoint_url=timed.url) as driver:
        _run(driver, "CREATE TABLE Car")
        (session,) = driver._pool.queue  # noqa: SLF001 - pyqldb shows its sessions to nobody

        def dawdle(txn: Any) -> None:
            txn.execute_statement("INSERT INTO Car {'a': 1}")
            clock.now_ms += MINUTE_MS

        with pytest.raises(ClientError, match=r"Transaction .* has expired") as caught:
            driver.execute_lambda(dawdle)
        assert "InvalidSessionException" == caught.value.response["Error"]["Code"]
        assert [] == _run(driver, "SELECT * FROM Car")
        assert [session] == list(driver._pool.queue)  # noqa: SLF001 - as above


def test_a_session_that_grew_old(timed: Server, clock: Clock) -> None:
    """After 20 minutes a session has expired: the driver begins another, unseen."""
    with connect("cars", endpoint_url=timed.url) as driver:
        _run(driver, "CREATE TABLE Car")
        (session,) = driver._pool.queue  # noqa: SLF001 - as above
        clock.now_ms += 20 * MINUTE_MS

        assert [] == _run(driver, "SELECT * FROM Car")
        assert [session] != list(driver._pool.queue)  # noqa: SLF001 - as above


def test_callers_who_sign(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Where keys are configured, `connect` signs with them; others are refused."""
    keys = tmp_path_factory.mktemp("keys") / "keys.json"
    listed = [
        {"access_key": "WRITER", "secret_key": "w" * 40, "permission": "read-write"},
        {"access_key": "READER", "secret_key": "r" * 40, "permission": "read-only"},
    ]
    keys.write_text(json.dumps({"version": 1, "keys": listed}), encoding="utf-8")
    keys.chmod(0o600)
    with Server(folder, keys=str(keys)) as server:

        def connect_as(name: str, letter: str) -> Any:
            return connect(
                "cars",
                endpoint_url=server.url,
                region_name="eu-west-1",
                aws_access_key_id=name,
                aws_secret_access_key=letter * 40,
            )

        with connect_as("WRITER", "w") as writer:
            _run(writer, "CREATE TABLE Car")
        with connect_as("READER", "r") as reader:
            assert [] == _run(reader, "SELECT * FROM Car")
            with pytest.raises(ClientError):
                _run(reader, "INSERT INTO Car {'a': 1}")
        for name, letter in (("WRITER", "x"), ("NOBODY", "w")):
            with connect_as(name, letter) as stranger, pytest.raises(ClientError):
                _run(stranger, "SELECT * FROM Car")


def test_the_control_plane(control: Any) -> None:
    """Ledgers are made, listed, protected, tagged and deleted through our model."""
    made = control.create_ledger(
        Name="boats", PermissionsMode="ALLOW_ALL", Tags={"team": "harbour"}
    )
    assert ("boats", True) == (made["Name"], made["DeletionProtection"])
    assert {"team": "harbour"} == control.list_tags_for_resource(ResourceArn=made["Arn"])["Tags"]
    pages = control.get_paginator("list_ledgers").paginate(PaginationConfig={"PageSize": 1})
    assert ["boats", "cars"] == sorted(
        ledger["Name"] for page in pages for ledger in page["Ledgers"]
    )
    with pytest.raises(control.exceptions.ResourcePreconditionNotMetException):
        control.delete_ledger(Name="boats")
    control.update_ledger(Name="boats", DeletionProtection=False)
    control.delete_ledger(Name="boats")
    with pytest.raises(control.exceptions.ResourceNotFoundException):
        control.get_digest(Name="boats")
    with pytest.raises(control.exceptions.ResourceAlreadyExistsException):
        control.create_ledger(Name="cars", PermissionsMode="STANDARD")


def test_a_model_of_botocores_own_is_not_needed(server: Server) -> None:
    """A plain boto3 session with our models signs and is answered as any."""
    client = boto3_session(**NOBODY).client("qldb-session", endpoint_url=server.url)
    begun = client.send_command(StartSession={"LedgerName": "cars"})

    assert begun["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"]
    token = begun["StartSession"]["SessionToken"]
    assert "EndSession" in client.send_command(SessionToken=token, EndSession={})

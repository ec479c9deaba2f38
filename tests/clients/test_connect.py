"""`connect` and `boto3_session`: which session, region and credentials a driver gets."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from qldb_stream.clients import boto3_session, connect
from qldb_stream.errors import UsageError
from tests.clients.support import Wire

HERE = "http://127.0.0.1:8182"


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine on which nobody has configured AWS, and which has no role of its own."""
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "PROFILE", "REGION"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def _authorization(driver: Any) -> str:
    """Let a driver start a session and give what it signed with."""
    wire = Wire()
    wire.answer({"StartSession": {"SessionToken": "c2Vzc2lvbi0x"}})
    wire.answer({"StartTransaction": {"TransactionId": "7mNoPqRsTuVwXyZaBcDeF4"}})
    wire.answer({"AbortTransaction": {}})
    wire.answer({"EndSession": {}})
    wire.connect(driver._client)  # noqa: SLF001 - pyqldb keeps its client to itself
    with driver, pytest.raises(KeyError):
        driver.execute_lambda(_fail)
    return wire.requests[0].headers["Authorization"]


def _fail(_txn: Any) -> None:
    raise KeyError


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.8.8.8", "[::1]"])
def test_loopback_needs_no_configuration(host: str) -> None:
    """On this machine a driver signs with made-up credentials and region."""
    driver = connect("cars", endpoint_url=f"http://{host}:8182")

    assert "Credential=local/" in _authorization(driver)
    assert "/us-east-1/qldb/" in _authorization(connect("cars", endpoint_url=f"http://{host}:1"))


def test_configured_credentials_win(monkeypatch: pytest.MonkeyPatch) -> None:
    """Configured credentials and region are used on loopback, too."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "configured")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")

    assert "Credential=configured/" in _authorization(connect("cars", endpoint_url=HERE))
    assert "/eu-west-1/qldb/" in _authorization(connect("cars", endpoint_url=HERE))


def test_given_credentials_win(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given credentials and region win over configured ones."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "configured")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    driver = connect(
        "cars",
        endpoint_url=HERE,
        region_name="eu-west-2",
        aws_access_key_id="given",
        aws_secret_access_key="too",
    )
    signed = _authorization(driver)

    assert "Credential=given/" in signed
    assert "/eu-west-2/qldb/" in signed


def test_elsewhere_nothing_is_made_up() -> None:
    """For another machine's endpoint a driver without credentials does not send."""
    from botocore.exceptions import NoCredentialsError

    driver = connect("cars", endpoint_url="http://ledger.test")
    with driver, pytest.raises(NoCredentialsError):
        driver.execute_lambda(_fail)


def test_a_session_of_ones_own() -> None:
    """A caller's boto3 session is used as it is."""
    session = boto3_session(
        region_name="eu-north-1", aws_access_key_id="own", aws_secret_access_key="key"
    )
    driver = connect("cars", endpoint_url=HERE, boto3_session=session, read_ahead=2)

    assert 2 == driver.read_ahead
    assert "Credential=own/" in _authorization(driver)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({}, "You must specify a region"),
        ({"endpoint_url": "nowhere"}, "Invalid endpoint"),
        ({"endpoint_url": "http://[::1"}, "Invalid"),
        ({"endpoint_url": HERE, "read_ahead": 1}, "read_ahead must be 0 or 2"),
        ({"endpoint_url": HERE, "colour": "green"}, "colour"),
        ({"endpoint_url": HERE, "aws_access_key_id": "half"}, "go together"),
        ({"boto3_session": "session", "region_name": "eu-west-1"}, "the session's own"),
        ({"boto3_session": "session"}, "must be of type boto3"),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, Any], problem: str) -> None:
    """What boto3 or pyqldb refuses is a usage error that says what."""
    with pytest.raises(UsageError, match=problem):
        connect("cars", **options)


def test_a_profile_that_there_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile that is not configured is a usage error that names it."""
    with pytest.raises(UsageError, match="nobody"):
        boto3_session(profile_name="nobody")
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(UsageError, match="nobody"):
        connect("cars", endpoint_url=HERE)


@pytest.mark.parametrize("package", ["boto3", "boto3.session"])
def test_without_boto3(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """Without the extra, the error says what to install."""
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UsageError, match=r"pip install 'qldb-stream\[qldb\]'"):
        boto3_session()


def test_without_pyqldb(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pyqldb, the error says what to install."""
    monkeypatch.setitem(sys.modules, "pyqldb.driver.qldb_driver", None)
    with pytest.raises(UsageError, match=r"pip install 'qldb-stream\[qldb\]'"):
        connect("cars", endpoint_url=HERE)

"""Settings are read from a context, and all that is wrong is named at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.tests.conftest import SECRET, SERVER  # first: it finds the app
from settings import SAMPLE_TABLES, Settings, SettingsError, context_keys


def test_defaults() -> None:
    """What nobody chose is what docs/aws.md says."""
    settings = Settings.from_context(SERVER)

    assert (False, "server", SAMPLE_TABLES) == (
        settings.qldb,
        settings.destination,
        settings.table_names,
    )
    assert ("2020-01-01T00:00:00Z", 0, 168) == (
        settings.inclusive_start_time,
        settings.shards,
        settings.retention_hours,
    )
    assert settings.with_server


def test_values_of_the_command_line_and_of_the_file() -> None:
    """Strings and JSON's own values mean the same."""
    typed = {"qldb": "true", "shards": "4", "tableNameList": "A,B", "destination": "qldb"}
    written = {"qldb": True, "shards": 4, "tableNameList": ["A", "B"], "destination": "qldb"}

    assert Settings.from_context(written) == Settings.from_context(typed)
    assert ("A", "B") == Settings.from_context(typed).table_names


@pytest.mark.parametrize("key", ["destination", "restore"])
@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hidden@host/journal",
        "postgresql://me:hid/d?en@host/journal",
        "postgresql://host/journal?user=me&password=hidden",
        "hidden://me:hidden@",
    ],
)
def test_passwords_stay_out_of_templates(key: str, url: str) -> None:
    """A URL that has one is refused, not quoted; without, it is a place like any other."""
    with pytest.raises(SettingsError, match=f"{key}: a password in a URL") as info:
        Settings.from_context({**SERVER, key: url})
    assert "hid" not in str(info.value)
    for fine in (
        "postgresql://me@host:5432/journal?sslmode=require",
        "webhook+https://a/b?secret_env=X",
    ):
        assert fine == getattr(Settings.from_context({**SERVER, key: fine}), key)


def test_the_cdks_own_keys_are_left_alone() -> None:
    """What holds a character that no key of ours has is not ours."""
    theirs = {"@aws-cdk/core:x": True, "aws:cdk:y": 1, "cli-telemetry": False}

    assert Settings.from_context(SERVER) == Settings.from_context({**SERVER, **theirs})


@pytest.mark.parametrize(
    ("context", "says"),
    [
        ({"shard": "4"}, "shard: no such setting"),
        ({"shards": "many"}, "shards: expected a whole number from 0 to 10000, found 'many'"),
        ({"shards": True}, "shards: expected a whole number from 0 to 10000, found True"),
        ({"retentionHours": 23}, "retentionHours: expected a whole number from 24 to 8760"),
        ({"qldb": "yes"}, "qldb: expected true or false, found 'yes'"),
        ({"destination": "ledger"}, "destination: expected server, qldb or a sink's URL"),
        ({"ledgerName": "a--b"}, "ledgerName: expected a ledger's name, found 'a--b'"),
        ({"tableNameList": "A,B C"}, "tableNameList: no names of tables: 'B C'"),
        ({"tableNameList": 7}, "tableNameList: expected at most 100 names of tables, found 7"),
        ({"lambdaPython": "3.9"}, "lambdaPython: expected one of 3.11, 3.12, 3.13, found '3.9'"),
        ({"lambdaZip": ""}, "lambdaZip: expected a path, found ''"),
        ({"destination": "qldb"}, "destination: qldb needs qldb=true"),
        ({}, "serverDomain, serverSecretArn: the ledger server needs both"),
        ({**SERVER, "archiveBucket": "mine"}, "archiveBucket: only the restore stack"),
        ({**SERVER, "ledgerName": "x", "destinationLedgerName": "x"}, "replayed into itself"),
        ({"stream": "false"}, "stream: nothing is left to deploy"),
        ({"serverSecretArn": SECRET + " "}, "serverSecretArn: expected the ARN of a secret"),
    ],
)
def test_what_is_wrong(context: dict[str, object], says: str) -> None:
    """Each mistake is named, with its key, what was expected and what was found."""
    with pytest.raises(SettingsError) as error:
        Settings.from_context(context)

    assert says in str(error.value)


def test_all_mistakes_at_once() -> None:
    """One error names every wrong setting."""
    with pytest.raises(SettingsError) as error:
        Settings.from_context({"shards": "x", "qldb": "y", "nmae": "z"})

    assert 4 == len(str(error.value).splitlines())


def test_documented() -> None:
    """docs/aws.md has a row for each setting, and for nothing else, with its default."""
    text = (Path(__file__).resolve().parents[2] / "docs" / "aws.md").read_text(encoding="utf-8")
    table = text.split("## Settings")[1].split("\n## ")[0]
    rows = [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("| `")]

    assert list(context_keys()) == [row.strip("`") for row in rows]

from __future__ import annotations

import re
from pathlib import Path

import pytest

import qldb_stream
from qldb_stream.aws._settings import FUNCTION_RETRY, Settings, parse_settings, read_start
from qldb_stream.errors import UsageError
from qldb_stream.filters import parse_filter
from qldb_stream.pipeline import RetryPolicy
from qldb_stream.report import Gap

LEAST = {"QLDB_STREAM_SINK": "memory:", "QLDB_STREAM_INBOX": "dynamodb:inbox"}


def settings(**variables: str) -> Settings:
    """The settings of an environment with so much more."""
    return parse_settings(LEAST | {f"QLDB_STREAM_{name}": text for name, text in variables.items()})


def test_the_least() -> None:
    """A sink and an inbox are enough; other variables and empty ones are passed over."""
    assert Settings({"memory:": "memory:"}, "dynamodb:inbox") == parse_settings(
        LEAST | {"AWS_REGION": "eu-west-1", "QLDB_STREAM_MODE": " "}
    )


def test_everything() -> None:
    """Every variable has its place."""
    found = settings(
        SINK="qldb:copy?endpoint=http://127.0.0.1:1",
        MODE="statement",
        START="7",
        ON_REFUSAL="park",
        TABLES="Person, Vehicle",
        FILTER='{"mask": {"Person": {"ssn": "hash"}}}',
        SALT="pepper" * 3,
        ACCEPT_GAPS='[{"strand_id": "s", "first": 3, "last": 4, "reason": "lost"}]',
        BATCH_BLOCKS="10",
        LEASE_S="30.5",
        RETRIES="2",
        RETRY_S="5",
        LOG_LEVEL="off",
    )
    rules = {"tables": ["Person", "Vehicle"], "mask": {"Person": {"ssn": "hash"}}}
    name = "qldb:copy?endpoint=http://127.0.0.1:1"

    assert found == Settings(
        {name: f"{name}&mode=statement"},
        "dynamodb:inbox",
        start=7,
        mode="statement",
        on_refusal="park",
        accept_gaps={"s": [Gap(3, 4, "lost")]},
        filter=parse_filter(rules, salt=b"pepper" * 3),
        batch_blocks=10,
        lease_s=30.5,
        retry=RetryPolicy(2, within_s=5.0),
        log_level="off",
    )


def test_several_sinks_have_names() -> None:
    """A JSON object names several sinks."""
    found = settings(SINK='{"a": "memory:", "b": "sqlite:/tmp/b.db"}')

    assert {"a": "memory:", "b": "sqlite:/tmp/b.db"} == found.sinks
    assert FUNCTION_RETRY == found.retry


@pytest.mark.parametrize("mode", ["replay", "mirror"])
def test_modes(mode: str) -> None:
    """A mode becomes the sink's option; the usual one needs none."""
    (url,) = settings(SINK="ledger:a.ledger", MODE=mode).sinks.values()

    assert ("ledger:a.ledger" if mode == "replay" else f"ledger:a.ledger?mode={mode}") == url


def test_what_sinks_read_themselves_is_let_be() -> None:
    """A function's environment may hold every variable that a sink's or client's code names."""
    folder = Path(qldb_stream.__file__).parent
    names = {
        name
        for room in ("sinks", "clients")
        for path in (folder / room).rglob("*.py")
        for name in re.findall(r"\bQLDB_STREAM_[A-Z_]+", path.read_text(encoding="utf-8"))
    }
    assert {"QLDB_STREAM_WEBHOOK_SECRET", "QLDB_STREAM_OPENSEARCH_USER"} <= names
    assert settings() == parse_settings(dict.fromkeys(names, "x") | LEAST)


def test_all_that_is_wrong_is_named_at_once() -> None:
    """One error names every bad variable, and shows no password."""
    bad = {
        "QLDB_STREAM_SINK": "nowhere://me:secret@host/x",
        "QLDB_STREAM_START": "-1",
        "QLDB_STREAM_MODE": "fast",
        "QLDB_STREAM_ON_REFUSAL": "drop",
        "QLDB_STREAM_ACCEPT_GAPS": "[{}]",
        "QLDB_STREAM_FILTER": "[",
        "QLDB_STREAM_BATCH_BLOCKS": "0",
        "QLDB_STREAM_LEASE_S": "soon",
        "QLDB_STREAM_EXCLUDE_TABLE": "Person",
    }
    with pytest.raises(UsageError) as caught:
        parse_settings(bad)

    text = str(caught.value)
    assert [] == [name for name in [*bad, "QLDB_STREAM_INBOX is missing"] if name not in text]
    assert "secret" not in text


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"SINK": "memory:", "MODE": "mirror"}, "option"),
        ({"SINK": "ledger:a?mode=mirror", "MODE": "mirror"}, "has a mode already"),
        ({"SINK": '{"a": "memory:", "b": "ledger:b"}', "MODE": "mirror"}, "several sinks"),
        ({"SINK": '{"a": 1}'}, "names and URLs"),
        ({"SINK": "{"}, "no JSON"),
        ({"FILTER": "1"}, "JSON object"),
        ({"FILTER": '{"tables": ["A"]}', "TABLES": "B"}, "given here and in"),
        ({"FILTER": '{"mask": {"A": {"b": "hash"}}}'}, "salt"),
        ({"ACCEPT_GAPS": "{}"}, "JSON list"),
        (
            {"ACCEPT_GAPS": '[{"strand_id": "s", "first": true, "last": 2, "reason": "r"}]'},
            "whole numbers",
        ),
        (
            {"ACCEPT_GAPS": '[{"strand_id": "s", "first": 1, "last": 2, "reason": " "}]'},
            "are texts",
        ),
    ],
)
def test_what_makes_no_sense(variables: dict[str, str], said: str) -> None:
    """What several variables say together has to make sense."""
    with pytest.raises(UsageError, match=said):
        settings(**variables)


def test_a_secret_stands_for_the_sink() -> None:
    """With a secret there needs to be no URL."""
    found = parse_settings(
        {"QLDB_STREAM_SINK_SECRET": "arn:s", "QLDB_STREAM_INBOX": "i", "QLDB_STREAM_MODE": "mirror"}
    )

    assert Settings({}, "i", sink_secret="arn:s", mode="mirror") == found


def test_the_start_alone() -> None:
    """The start can be read by itself."""
    assert [None, 5] == [read_start({}), read_start({"QLDB_STREAM_START": "5"})]
    with pytest.raises(UsageError, match="QLDB_STREAM_START"):
        read_start({"QLDB_STREAM_START": "x"})

"""SendCommand's JSON: what is read of it, and what is refused."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, strategies as st

from qldb_stream.ion import dumps
from qldb_stream.server._faults import Fault
from qldb_stream.server._protocol import (
    AbortTransaction,
    CommitTransaction,
    EndSession,
    ExecuteStatement,
    FetchPage,
    SendCommand,
    StartSession,
    StartTransaction,
    page_json,
    parse_send_command,
    read_parameters,
)
from tests.server.support import to_base64, to_json

ID = "A" * 22
ONE = to_base64(dumps(1))


def parse(value: object) -> SendCommand:
    """Read a body."""
    return parse_send_command(to_json(value))


def refused(value: object) -> tuple[str, str]:
    """Give the name and message that a body is refused with."""
    with pytest.raises(Fault) as caught:
        parse(value)
    return caught.value.name, caught.value.message


def refused_parameters(*holders: object) -> tuple[str, str]:
    """Give the name and message that parameters are refused with."""
    with pytest.raises(Fault) as caught:
        read_parameters(holders, limits=True)
    return caught.value.name, caught.value.message


@pytest.mark.parametrize(
    ("body", "command"),
    [
        ({"StartTransaction": {}}, StartTransaction()),
        ({"AbortTransaction": {}, "StartSession": None}, AbortTransaction()),
        ({"EndSession": {"Unknown": 1}, "AlsoUnknown": 2}, EndSession()),
        ({"FetchPage": {"TransactionId": ID, "NextPageToken": "abcd"}}, FetchPage(ID, "abcd")),
        (
            {"CommitTransaction": {"TransactionId": ID, "CommitDigest": to_base64(bytes(32))}},
            CommitTransaction(ID, bytes(32)),
        ),
        (
            {"ExecuteStatement": {"TransactionId": ID, "Statement": "?", "Parameters": None}},
            ExecuteStatement(ID, "?", ()),
        ),
    ],
)
def test_each_command_is_read(body: dict[str, Any], command: object) -> None:
    """Null members count as absent, unknown ones are passed over."""
    assert SendCommand("abcd", command) == parse({"SessionToken": "abcd", **body})  # type: ignore[arg-type]  # one of the commands


def test_a_session_is_started_without_a_token() -> None:
    """StartSession has no SessionToken, and is refused one."""
    body = {"StartSession": {"LedgerName": "cars"}}
    assert SendCommand(None, StartSession("cars")) == parse(body)
    assert "takes no SessionToken" in refused({"SessionToken": "abcd", **body})[1]


@pytest.mark.parametrize("holder", [{"IonBinary": ONE}, {"IonText": " 1 "}])
def test_parameters_come_as_binary_or_text(holder: dict[str, str]) -> None:
    """Both kinds of a ValueHolder give the value."""
    members = {"TransactionId": ID, "Statement": "?", "Parameters": [holder]}
    found = parse({"SessionToken": "abcd", "ExecuteStatement": members}).command
    assert isinstance(found, ExecuteStatement)
    assert (holder,) == found.parameters  # they stay as they came
    assert [1] == [value.decode() for value in read_parameters(found.parameters, limits=True)]


@pytest.mark.parametrize(
    "holder",
    [
        None,
        1,
        {},
        {"IonBinary": 1},
        {"IonBinary": ONE, "IonText": "1"},
        {"IonBinary": "***"},
        {"IonBinary": "é"},
        {"IonBinary": ""},
        {"IonBinary": to_base64(b"\xe0\x01\x00\xea")},
        {"IonBinary": to_base64(dumps(1) + dumps(2))},
        {"IonBinary": to_base64(dumps(1)[:-1])},
        {"IonText": ""},
        {"IonText": "1 2"},
        {"IonText": "{"},
        {"IonText": "'\ud800'"},
    ],
)
def test_a_parameter_is_one_ion_value(holder: object) -> None:
    """Anything else is a BadRequestException."""
    assert "BadRequestException" == refused_parameters(holder)[0]


def test_binary_parameters_are_as_large_as_qldbs_with_its_limits() -> None:
    """128 KB of binary Ion, or what a body holds with limits off."""
    holder = {"IonBinary": to_base64(dumps("x" * 131_073))}
    assert "the limit is 131072" in refused_parameters(holder)[1]
    assert 1 == len(read_parameters([holder], limits=False))


@pytest.mark.parametrize("limits", [True, False])
def test_text_parameters_are_small_together(*, limits: bool) -> None:
    """All of a statement's Ion text has 64 KB, since it is read in Python."""
    halves = [{"IonText": f'"{"x" * 32_766}"'}] * 2
    assert 2 == len(read_parameters(halves, limits=limits))
    with pytest.raises(Fault, match="65537 characters of IonText"):
        read_parameters([*halves, {"IonText": "1"}], limits=limits)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "exactly one command; this one has 0"),
        ({"EndSession": {}, "StartTransaction": {}}, "this one has 2"),
        ({"EndSession": []}, "EndSession is not an object"),
        ({"SessionToken": "x", "EndSession": {}}, "The parameter SessionToken is not valid"),
        ({"SessionToken": 1, "EndSession": {}}, "The parameter SessionToken is not valid"),
        ({"SessionToken": "a b c d", "EndSession": {}}, "parameter SessionToken is not valid"),
        ({"StartSession": {}}, "The parameter LedgerName is not valid"),
        ({"SessionToken": "abcd", "FetchPage": {}}, "The parameter NextPageToken is not valid"),
        (
            {"SessionToken": "abcd", "ExecuteStatement": {"Statement": ""}},
            "The parameter Statement is not valid",
        ),
        (
            {"SessionToken": "abcd", "ExecuteStatement": {"Statement": "?", "Parameters": {"": 1}}},
            "The parameter Parameters is not valid",
        ),
        (
            {"SessionToken": "abcd", "CommitTransaction": {"CommitDigest": "AA=="}},
            "The parameter CommitDigest is not valid",
        ),
    ],
)
def test_what_is_wrong_is_named(body: dict[str, Any], message: str) -> None:
    """A BadRequestException says which member."""
    name, found = refused(body)
    assert "BadRequestException" == name
    assert message in found


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"1", b"\xff", b'{"a":1}x', b"[" * 200_000, b'{"a":' * 200_000]
)
def test_a_body_is_a_json_object(body: bytes) -> None:
    """Anything else, however deep, is a SerializationException."""
    with pytest.raises(Fault, match="SerializationException"):
        parse_send_command(body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.just("abcd") | st.just(ONE),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(
                [
                    "SessionToken",
                    "StartSession",
                    "ExecuteStatement",
                    "CommitTransaction",
                    "FetchPage",
                    "TransactionId",
                    "Statement",
                    "Parameters",
                    "IonBinary",
                    "IonText",
                    "CommitDigest",
                    "NextPageToken",
                ]
            ),
            inner,
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_any_json_is_read_or_refused(value: object) -> None:
    """No JSON raises anything but a fault."""
    with suppress(Fault):
        found = parse_send_command(json.dumps(value).encode())
        assert isinstance(found, SendCommand)
        if isinstance(found.command, ExecuteStatement):
            read_parameters(found.command.parameters, limits=True)


def test_a_page_says_whether_there_are_more() -> None:
    """`Values` is there even when empty; a token only when there are more rows."""
    assert {"Values": []} == page_json([], None)
    assert {"Values": [{"IonBinary": "AQ=="}], "NextPageToken": "t"} == page_json([b"\1"], "t")

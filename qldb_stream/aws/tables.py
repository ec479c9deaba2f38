"""
The function that creates tables in a ledger: a custom resource of CloudFormation.

It is the `onEvent` function of the CDK's provider framework, which hands over each request and
reports what it answers, or raises, to CloudFormation
(https://docs.aws.amazon.com/cdk/api/v2/python/aws_cdk.custom_resources/README.html).

Creating is idempotent, by exact names: QLDB's are case-sensitive, so `Person` is not `person`, and
where only the case differs that is told. Nothing is ever dropped: a table holds a
journal's documents, and deleting a stack is no reason to lose them.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from random import Random
from typing import Any, Final

import attrs

from qldb_stream.aws._context import deadline_of
from qldb_stream.aws._secrets import ledger_keys_of
from qldb_stream.aws._settings import PREFIX
from qldb_stream.clients import BytesDriver, connect_bytes, ledger_keys
from qldb_stream.errors import StatementError, UsageError
from qldb_stream.pipeline import Clock, Retrying, RetryPolicy, SystemClock

__all__ = ["TablesReport", "create_tables", "handler"]

# Facts 5.1.
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_LEDGER_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?")
# A ledger has 20 active tables at most (facts 5.1); another endpoint may allow more.
_MAX_TABLES: Final = 100
_NAMES: Final = "SELECT VALUE name FROM information_schema.user_tables WHERE status = 'ACTIVE'"
_REQUESTS: Final = ("Create", "Update", "Delete")
# The whole answer may have 4,096 bytes.
_MAX_TEXT: Final = 1000

# A ledger's server may come up after this function: it is waited for.
_RETRIES: Final = 10
_BASE_S: Final = 1.0
_MOST_S: Final = 15.0
_WITHIN_S: Final = 120.0


@attrs.frozen
class TablesReport:
    """Names of tables: made now, there before, and what a person should look at."""

    created: tuple[str, ...] = ()
    existing: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@attrs.frozen
class _Request:
    ledger_name: str
    names: tuple[str, ...]
    endpoint: str | None
    region: str | None


def handler(event: Mapping[str, Any], context: object = None) -> dict[str, Any]:
    """
    Create the tables of a custom resource; on Delete do nothing.

    Args:
        event: of the provider framework; ResourceProperties are LedgerName, TableNames (a list),
            and, where it is not AWS's own service, Endpoint and Region.
        context: Lambda's; its time bounds how long a server is waited for.

    Returns:
        PhysicalResourceId, and Data with the texts Created, Existing and Warnings.

    Raises:
        UsageError: it is no such event, a name is none (all that are wrong are named), or the
            secret of QLDB_STREAM_LEDGER_SECRET holds no keys.
        LedgerError: the ledger refused a statement, or was not reached in time.
            The framework reports each of these to CloudFormation.
    """
    kind = event.get("RequestType")
    if kind not in _REQUESTS:
        raise UsageError(f"RequestType is {kind!r:.40}, expected one of {', '.join(_REQUESTS)}")
    if kind == "Delete":
        return {"PhysicalResourceId": str(event.get("PhysicalResourceId", "tables"))}
    request = _parse(event.get("ResourceProperties"))
    clock = SystemClock()
    retrying = _retrying(deadline_of(context, clock), clock)
    report = retrying.call(lambda: _create(request))
    for warning in report.warnings:
        sys.stderr.write(json.dumps({"event": "table_warning", "warning": warning}) + "\n")
    return {
        "PhysicalResourceId": f"tables-of-{request.ledger_name}",
        "Data": {
            "Created": ", ".join(report.created)[:_MAX_TEXT],
            "Existing": ", ".join(report.existing)[:_MAX_TEXT],
            "Warnings": "; ".join(report.warnings)[:_MAX_TEXT],
        },
    }


def create_tables(driver: BytesDriver, names: Sequence[str]) -> TablesReport:
    """
    Create the tables that a ledger does not have by exactly these names.

    Args:
        driver: of the ledger.
        names: of the tables; repeated ones count once.

    Raises:
        LedgerError: the ledger refused a statement, or cannot be reached; what was created stays,
            and counts as existing the next time.
    """
    had = _active(driver)
    created, existing, warnings = [], [], []
    for name in dict.fromkeys(names):
        if name not in had and _create_one(driver, name):
            created.append(name)
        else:
            existing.append(name)
        alike = sorted(each for each in had if each != name and each.lower() == name.lower())
        if alike:
            warnings.append(
                f"table {name} is another one than {', '.join(alike)}: names are case-sensitive"
            )
    return TablesReport(tuple(created), tuple(existing), tuple(warnings))


def _create_one(driver: BytesDriver, name: str) -> bool:
    """Create a table; say whether it was this that made it."""
    try:
        driver.execute_lambda(
            lambda transaction: list(transaction.execute_statement(f'CREATE TABLE "{name}"'))
        )
    except StatementError:
        if name in _active(driver):
            return False  # somebody else was faster, or an answer was lost
        raise
    return True


def _active(driver: BytesDriver) -> frozenset[str]:
    found = driver.execute_lambda(lambda transaction: list(transaction.execute_statement(_NAMES)))
    return frozenset(map(str, found))


def _create(request: _Request) -> TablesReport:
    driver = connect_bytes(
        request.ledger_name,
        endpoint_url=request.endpoint,
        region_name=request.region,
        **_keys(request),
    )
    with closing(driver):
        return create_tables(driver, request.names)


def _keys(request: _Request) -> dict[str, str]:
    """Find what requests are signed with; for AWS's own service that is the role's."""
    secret_id = os.environ.get(f"{PREFIX}LEDGER_SECRET")
    if request.endpoint is None:
        return {}
    return ledger_keys_of(secret_id) if secret_id else ledger_keys()


def _retrying(deadline_s: float | None, clock: Clock) -> Retrying:
    left_s = _WITHIN_S if deadline_s is None else max(0.0, deadline_s - clock.now_s())
    policy = RetryPolicy(_RETRIES, _BASE_S, _MOST_S, min(_WITHIN_S, left_s))
    return Retrying(policy, clock, Random())  # noqa: S311 - spreads tries, hides nothing


def _parse(properties: object) -> _Request:
    """
    Check what a template says.

    Raises:
        UsageError: names all that is wrong.
    """
    said = properties if isinstance(properties, Mapping) else {}
    ledger_name, names = said.get("LedgerName"), said.get("TableNames")
    endpoint, region = said.get("Endpoint") or None, said.get("Region") or None
    problems: list[str] = []
    if not (isinstance(ledger_name, str) and _LEDGER_NAME.fullmatch(ledger_name)):
        problems.append(f"LedgerName is {ledger_name!r:.60}, no name of a ledger")
    if not isinstance(names, list) or not names or len(names) > _MAX_TABLES:
        problems.append(f"TableNames is no list of 1 to {_MAX_TABLES} names")
        names = []
    problems += [
        f"{name!r:.140} is no name of a table (1 to 128 letters, digits and _, no digit first)"
        for name in names
        if not (isinstance(name, str) and _NAME.fullmatch(name))
    ]
    for what, value in (("Endpoint", endpoint), ("Region", region)):
        if not isinstance(value, str | None):
            problems.append(f"{what} is no text")
    if problems:
        raise UsageError(f"the tables' properties are wrong: {'; '.join(problems)}")
    return _Request(str(ledger_name), tuple(names), endpoint, region)

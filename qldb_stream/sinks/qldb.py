"""
`qldb:LEDGER?endpoint=URL`: replays a journal through a `qldb-session` API, exactly once.

Any server that speaks QLDB's session API will do, ours (`qldb-stream ledger serve`) first of all;
the ledger must exist. What is done is what `ledger:` does in a file: one transaction a block, which
writes the position and the ids too, so that a lost answer, a conflict or a crash never applies a
block twice.

Options of the URL:

- ``endpoint=URL``: where the server is, http or https; without it AWS's own address, where nothing
  has answered since 2025-07-31. Credentials are boto3's, never part of a URL; where
  QLDB_STREAM_LEDGER_ACCESS_KEY and QLDB_STREAM_LEDGER_SECRET_KEY are set, requests to an endpoint
  are signed with these.
- ``region=NAME``: the region to sign for.
- ``ids``, ``base``: as `qldb_stream.sinks.ledger` has them.
- ``mode=statement``: send the journal's own statements, where they can be sent again
  (`qldb_stream.replay.plan_statements`); without ``ids``, ``base`` and ``split-blocks``.
- ``split-blocks=yes``: a block that goes beyond the endpoint's limits is applied in several
  transactions instead of being refused, and the summary names it as not atomic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlsplit

from qldb_stream.errors import (
    EndpointError,
    SinkUnavailableError,
    TransactionClosedError,
    UsageError,
)
from qldb_stream.hookspecs import SinkOption, SinkType, hookimpl
from qldb_stream.replay import Replay, parse_id_rule
from qldb_stream.sinks._session import SessionSink, StatementSink
from qldb_stream.sinks.url import mask_url

if TYPE_CHECKING:
    from qldb_stream.clients import BytesDriver

__all__ = ["QldbSink", "qldb_stream_register_sinks"]

T = TypeVar("T")

_SCHEMES: Final = ("http", "https")


class QldbSink(SessionSink):
    """Replay blocks into a ledger behind a session API."""

    @classmethod
    def open(
        cls,
        ledger_name: str,
        *,
        endpoint: str | None = None,
        region: str | None = None,
        ids: str = "keep",
        base: str | None = None,
        split_blocks: bool = False,
    ) -> QldbSink:
        """
        Make ready to replay; no request is sent yet.

        Raises:
            UsageError: an option is none of the values that it may have, or the extra `qldb` is
                not installed.
        """
        if base not in {None, "insert"}:
            raise UsageError(f"base={base}: the only value is insert")
        replay = Replay(parse_id_rule(ids), insert_unknown=base is not None)
        made = _connect(ledger_name, endpoint, region)
        return cls(made.name, made, replay, splits=split_blocks)


class _Endpoint:
    """A driver whose server may be away for a while."""

    def __init__(self, name: str, driver: BytesDriver) -> None:
        self.name: Final = name
        self._bytes: Final = driver

    def driver(self) -> _Endpoint:
        return self

    def group_commit(self) -> AbstractContextManager[Any]:
        return nullcontext()  # each commit is durable when it is answered

    def execute_lambda(self, query_lambda: Callable[[Any], T]) -> T:
        try:
            return self._bytes.execute_lambda(query_lambda)
        except (EndpointError, TransactionClosedError) as exc:
            raise SinkUnavailableError(self.name, str(exc)) from exc

    def close(self) -> None:
        with suppress(EndpointError):  # it is away; there, sessions that nobody uses end
            self._bytes.close()


def _connect(ledger_name: str, endpoint: str | None, region: str | None) -> _Endpoint:
    """
    Make ready to speak to a ledger; no request is sent yet.

    Raises:
        UsageError: names that make no sense, or the extra `qldb` is not installed.
    """
    from qldb_stream.clients import connect_bytes, ledger_keys  # sinks are listed without botocore

    if not ledger_name:
        raise UsageError("qldb: needs a ledger's name, such as qldb:cars?endpoint=URL")
    _check_endpoint(endpoint)
    # AWS's own service knows no keys but AWS's.
    keys = {} if endpoint is None else ledger_keys()
    driver = connect_bytes(ledger_name, endpoint_url=endpoint, region_name=region, **keys)
    return _Endpoint(f"qldb:{ledger_name}", driver)


def _check_endpoint(endpoint: str | None) -> None:
    """
    Check where the server is said to be.

    Raises:
        UsageError: no http or https URL, or one with a password.
    """
    if endpoint is None:
        return
    parts = urlsplit(endpoint)
    if parts.scheme not in _SCHEMES or not parts.netloc:
        raise UsageError(f"endpoint={mask_url(endpoint)} is no URL such as http://127.0.0.1:8765")
    if "@" in parts.netloc:
        raise UsageError("no password in endpoint: credentials are boto3's, see `aws configure`")


@hookimpl
def qldb_stream_register_sinks() -> Sequence[SinkType]:
    """Name the sink `qldb:`."""
    options = (
        SinkOption("endpoint", "where a qldb-session server answers: URL", "AWS"),
        SinkOption("region", "the region to sign for", "boto3's"),
        SinkOption("ids", "document ids in documents: keep, any, or paths=FIELD.FIELD,...", "keep"),
        SinkOption(
            "base", "insert: take up documents whose first versions are missing", None, ("insert",)
        ),
        SinkOption(
            "mode",
            "replay: new transactions; statement: the journal's statements",
            "replay",
            ("replay", "statement"),
        ),
        SinkOption(
            "split-blocks",
            "yes: blocks beyond the endpoint's limits in several transactions",
            "no",
            ("yes", "no"),
        ),
    )
    return [SinkType("qldb", _open, "a ledger behind a qldb-session API, replayed into", options)]


def _open(path: str, options: Mapping[str, str]) -> QldbSink | StatementSink:
    if options.get("mode") == "statement":
        for name in ("ids", "base", "split-blocks"):
            if name in options:
                raise UsageError(f"mode=statement changes no statement, so it has no {name}")
        made = _connect(path, options.get("endpoint"), options.get("region"))
        return StatementSink(made.name, made)
    return QldbSink.open(
        path,
        endpoint=options.get("endpoint"),
        region=options.get("region"),
        ids=options.get("ids", "keep"),
        base=options.get("base"),
        split_blocks=options.get("split-blocks") == "yes",
    )

"""
pyqldb's driver, with parameters and rows in their own bytes.

pyqldb encodes each parameter with amazon.ion, decodes and encodes it again and hashes it in pure
Python: that is slow, and amazon.ion's C part keeps only 34 digits of a decimal. A replay must hand
on what it was given. So sessions, retries and commit digests stay pyqldb's, and only
`execute_statement` is done here, on what pyqldb's own does it on: private names of its last
release, 3.2.4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

from qldb_stream.clients._connect import connect
from qldb_stream.clients._errors import translated_errors
from qldb_stream.clients._wire import SessionWire, maybe_wire
from qldb_stream.hashing import dot
from qldb_stream.ion import ion_hash, iter_text, loads, to_slice

__all__ = ["BytesDriver", "connect_bytes"]

T = TypeVar("T")


class BytesDriver:
    """Runs functions in transactions of a pyqldb driver; their errors are this package's."""

    def __init__(self, driver: Any, endpoint: str, wire: SessionWire | None = None) -> None:
        self._driver: Final = driver
        self._endpoint: Final = endpoint
        self._wire: Final = wire

    def execute_lambda(self, query_lambda: Callable[[Any], T]) -> T:
        """
        Run a function in a transaction and commit it; again from the start after a conflict.

        Errors of what it executes must pass through the function: pyqldb decides by them.

        Raises:
            LedgerError: as `translated_errors` says; nothing was written, unless the answer to
                a commit was lost.
        """
        with translated_errors(self._endpoint):
            result: T = self._driver.execute_lambda(
                lambda executor: query_lambda(_Transaction(executor))
            )
        return result

    def close(self) -> None:
        """
        End the sessions.

        Raises:
            LedgerError: they cannot be ended; the server lets them expire.
        """
        try:
            with translated_errors(self._endpoint):
                self._driver.close()
        finally:
            if self._wire is not None:
                self._wire.close()


def connect_bytes(ledger_name: str, *, endpoint_url: str | None, **options: Any) -> BytesDriver:
    """
    Make a driver; see `connect` for what it takes, and raises.

    No request is sent yet.
    """
    driver = connect(ledger_name, endpoint_url=endpoint_url, **options)
    wire = maybe_wire(driver._client)  # noqa: SLF001 - see the module's head
    if wire is not None:
        driver._client = wire  # noqa: SLF001 - see the module's head
    return BytesDriver(driver, endpoint_url or "AWS", wire)


class _Transaction:
    """An open transaction of pyqldb's."""

    __slots__ = ("_digests", "_transaction")

    def __init__(self, executor: Any) -> None:
        from pyqldb.util.qldb_hash import QldbHash

        self._transaction: Final = executor._transaction  # noqa: SLF001 - see the module's head
        self._digests: Final = QldbHash

    def execute_statement(self, statement: str, *parameters: Any) -> Iterator[Any]:
        """Run a statement now; its rows are decoded as they are taken."""
        transaction = self._transaction
        values = [to_slice(parameter) for parameter in parameters]
        digest = ion_hash(statement)
        for value in values:
            digest = dot(digest, value.hash())
        # What `Transaction._update_hash` and `SessionClient._execute_statement` do.
        transaction._txn_hash = transaction._txn_hash.dot(self._digests(digest))  # noqa: SLF001 - see the module's head
        session = transaction._session  # noqa: SLF001 - see the module's head
        request = {
            "SessionToken": session.token,
            "ExecuteStatement": {
                "TransactionId": transaction.transaction_id,
                "Statement": statement,
                "Parameters": [{"IonBinary": value.to_bytes()} for value in values],
            },
        }
        answer = session._client.send_command(**request)["ExecuteStatement"]  # noqa: SLF001 - see the module's head
        return self._iter_rows(session, answer.get("FirstPage") or {})

    def _iter_rows(self, session: Any, page: dict[str, Any]) -> Iterator[Any]:
        while True:
            yield from map(_row, page.get("Values") or ())
            token = page.get("NextPageToken")
            if not token:
                return
            answer = session._fetch_page(self._transaction.transaction_id, token)  # noqa: SLF001 - see the module's head
            page = answer.get("Page") or {}


def _row(holder: dict[str, Any]) -> Any:
    """Decode one value; the API has it in binary or as text."""
    binary = holder.get("IonBinary")
    if binary is not None:
        return loads(bytes(binary))
    (value,) = iter_text(holder["IonText"])
    return value.decode()

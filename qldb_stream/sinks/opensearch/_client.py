"""
The cluster: opensearch-py's client, and what its errors mean to a sink.

The client tries again by itself, three times, what is not answered or not taken now; what is left
then is a `SinkUnavailableError`. Texts of OpenSearch may quote a document and stay out of
messages; bodies of requests and answers stay out of the client's own log.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from opensearchpy import OpenSearch, Urllib3AWSV4SignerAuth, Urllib3HttpConnection
from opensearchpy.exceptions import (
    ConflictError,
    ConnectionError as NoAnswerError,
    NotFoundError,
    OpenSearchException,
    RequestError,
    SSLError,
    TransportError,
)

from qldb_stream.errors import SinkUnavailableError, UsageError
from qldb_stream.sinks.opensearch._address import Address

__all__ = ["Cluster", "Stored", "TakenError"]

_TIMEOUT_S: Final = 30.0
_RETRIES: Final = 3
_NOT_NOW: Final = (429, 502, 503, 504)
_SERVICE: Final = "es"
_PAGE: Final = 100  # documents of 128 KB, twice in Ion and JSON, make some 40 MB
_CLOSED: Final = ("cluster_block_exception", "index_closed_exception")
_KIND: Final = re.compile("[a-z0-9_]{1,80}")
_THERE: Final = "resource_already_exists_exception"

Stored = tuple[Mapping[str, Any], int, int]
"""A document with the two numbers by which it is overwritten: _seq_no and _primary_term."""


class TakenError(Exception):
    """Another one has written the document since it was read."""


class _Connection(Urllib3HttpConnection):
    """Keeps what documents say out of the log."""

    def log_request_success(
        self,
        method: str,
        full_url: str,
        path: str,
        body: Any,  # noqa: ARG002 - not logged
        status_code: int,
        response: str,  # noqa: ARG002 - as above
        duration: float,
    ) -> None:
        super().log_request_success(method, full_url, path, None, status_code, "", duration)

    def log_request_fail(  # noqa: PLR0913, PLR0917 - as the library calls it
        self,
        method: str,
        full_url: str,
        path: str,
        body: Any,  # noqa: ARG002 - as above
        duration: float,
        status_code: int | None = None,
        response: str | None = None,  # noqa: ARG002 - as above
        exception: Exception | None = None,
    ) -> None:
        super().log_request_fail(
            method, full_url, path, None, duration, status_code, None, exception
        )


class Cluster:
    """
    A client of one cluster.

    Args:
        address: where it is.

    Raises:
        UsageError: a file of certificates cannot be read, or there are no credentials to sign by.
    """

    def __init__(self, address: Address) -> None:
        self.name: Final = address.name
        auth: Any = _signer(address) if address.is_signed else address.basic
        secured: dict[str, Any] = {} if address.ca_file is None else {"ca_certs": _ca(address)}
        self._client = OpenSearch(
            hosts=[{"host": address.host, "port": address.port}],
            use_ssl=address.is_https,
            http_auth=auth,
            connection_class=_Connection,
            timeout=_TIMEOUT_S,
            max_retries=_RETRIES,
            retry_on_timeout=True,
            retry_on_status=_NOT_NOW,
            **secured,
        )

    def make_index(self, index: str, template: Mapping[str, Any]) -> None:
        """
        Make an index, and the template that it is made by, unless they are there.

        Raises:
            UsageError, SinkUnavailableError: see the module.
        """
        with self._translated():
            if self._client.indices.exists(index=index):
                return
            for ask in (self._put_template, self._create):
                try:
                    ask(index, template)
                except RequestError as exc:
                    if exc.error != _THERE and "already exists" not in str(exc.info):
                        raise

    def _put_template(self, name: str, template: Mapping[str, Any]) -> None:
        once = {"create": "true"}  # one that its owner has changed stays
        self._client.indices.put_index_template(name=name, body=dict(template), params=once)

    def _create(self, index: str, _template: Mapping[str, Any]) -> None:
        self._client.indices.create(index=index)

    def get(self, index: str, name: str) -> Stored | None:
        """
        Read a document, as it is now; None where there is none.

        Raises:
            UsageError, SinkUnavailableError: see the module.
        """
        with self._translated():
            try:
                found = self._client.get(index=index, id=name)
            except NotFoundError:
                return None
        return found["_source"], int(found["_seq_no"]), int(found["_primary_term"])

    def get_many(self, wanted: Sequence[tuple[str, str]]) -> list[Mapping[str, Any] | None]:
        """
        Read documents by index and id, as they are now; None for each that is not there.

        Raises:
            UsageError, SinkUnavailableError: see the module.
        """
        found: list[Mapping[str, Any] | None] = []
        for start in range(0, len(wanted), _PAGE):
            part = wanted[start : start + _PAGE]
            body = {"docs": [{"_index": index, "_id": name} for index, name in part]}
            with self._translated():
                answer = self._client.mget(body=body)
            found += [one["_source"] if one.get("found") else None for one in answer["docs"]]
        return found

    def put(self, index: str, name: str, body: Mapping[str, Any], seen: Stored | None) -> None:
        """
        Write a document over the one that was seen, or, without one, where none is.

        Raises:
            TakenError: another one is there.
            UsageError, SinkUnavailableError: see the module.
        """
        params = {"op_type": "create"}
        if seen is not None:
            params = {"if_seq_no": str(seen[1]), "if_primary_term": str(seen[2])}
        with self._translated():
            try:
                self._client.index(index=index, id=name, body=dict(body), params=params)
            except ConflictError as exc:
                raise TakenError from exc

    def bulk(self, lines: str, *, waits: bool) -> list[Mapping[str, Any]]:
        """
        Send a bulk request; give what became of each action, in order.

        Raises:
            UsageError, SinkUnavailableError: see the module.
        """
        params = {"refresh": "wait_for"} if waits else {}
        with self._translated():
            answer = self._client.bulk(body=lines, params=params)
        return [item["index"] for item in answer["items"]]

    def search(
        self, index: str, filters: Sequence[Mapping[str, Any]], sort: Sequence[str]
    ) -> Iterator[Mapping[str, Any]]:
        """
        Iterate over all documents that meet filters, in order, with what was written just now.

        Raises:
            UsageError, SinkUnavailableError: see the module.
        """
        lenient = {"ignore_unavailable": "true", "allow_no_indices": "true"}
        with self._translated():
            self._client.indices.refresh(index=index, params=lenient)
        body: dict[str, Any] = {
            "size": _PAGE,
            "query": {"bool": {"filter": list(filters)}},
            "sort": [{name: {"order": "asc", "unmapped_type": "keyword"}} for name in sort],
        }
        while True:
            with self._translated():
                hits = self._client.search(index=index, body=body, params=lenient)["hits"]["hits"]
            yield from (hit["_source"] for hit in hits)
            if len(hits) < _PAGE:
                return
            body["search_after"] = hits[-1]["sort"]

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except TransportError as exc:
            raise self._translate(exc) from exc
        except OpenSearchException as exc:
            raise SinkUnavailableError(self.name, "its answer is no answer of OpenSearch") from exc

    def _translate(self, exc: TransportError) -> Exception:
        if isinstance(exc, SSLError):
            return UsageError(f"{self.name}: its certificate is not trusted; see the option ca")
        if isinstance(exc, NoAnswerError):
            return SinkUnavailableError(self.name, f"no answer ({type(exc.info).__name__})")
        status, kind = exc.status_code, str(exc.error)
        if not _KIND.fullmatch(kind):  # whatever answers there, its page is no word of OpenSearch's
            kind = "without an error of OpenSearch's: is the URL its own?"
        if status in _NOT_NOW or kind in _CLOSED or int(status) >= 500:  # noqa: PLR2004 - HTTP's
            return SinkUnavailableError(self.name, f"{status} {kind}")
        if status in (401, 403):
            return UsageError(f"{self.name}: {status}: check the credentials and what they may do")
        return UsageError(f"{self.name}: the request was refused: {status} {kind}")


def _ca(address: Address) -> str | None:
    """
    Make sure that a file of certificates can be read.

    Raises:
        UsageError: it cannot, or has none.
    """
    try:
        ssl.create_default_context(cafile=address.ca_file)
    except OSError as exc:
        problem = f"{address.name}: ca={address.ca_file} is no file of certificates"
        raise UsageError(problem) from exc
    return address.ca_file


def _signer(address: Address) -> Any:
    """
    Make what signs requests by boto3's credentials.

    Raises:
        UsageError: boto3 is not there, or has no credentials or region.
    """
    try:
        import boto3
    except ModuleNotFoundError as exc:
        problem = "auth=sigv4 needs the extra `aws`: pip install 'qldb-stream[aws]'"
        raise UsageError(problem) from exc
    session = boto3.Session(region_name=address.region)
    credentials = session.get_credentials()
    if credentials is None or not session.region_name:
        raise UsageError("auth=sigv4: boto3 finds no credentials or no region")
    return Urllib3AWSV4SignerAuth(credentials, session.region_name, _SERVICE)

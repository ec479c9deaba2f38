"""Which operation a method and a path of the control plane name (facts 7), as a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qs

import attrs

from qldb_stream.server import (
    _control as control,
    _digests as digests,
    _exports as exports,
    _streams as streams,
    _tags as tags,
)
from qldb_stream.server._call import Call, Plane
from qldb_stream.server._faults import access_denied
from qldb_stream.server._keys import Caller
from qldb_stream.server._messages import Answer, Request, answer_json
from qldb_stream.server._protocol import parse_object

__all__ = ["ROUTES", "Operation", "carry_out"]

Work = Callable[[Plane, Call], dict[str, Any]]


@attrs.frozen
class Operation:
    """
    An operation of the control plane.

    Attributes:
        name: QLDB's.
        work: carries it out.
        reads: whether a key that may only read may call it.
    """

    name: str
    work: Work
    reads: bool = False


_LEDGER: Final = "/ledgers/{name}"
_EXPORTS: Final = f"{_LEDGER}/journal-s3-exports"
_STREAMS: Final = f"{_LEDGER}/journal-kinesis-streams"

ROUTES: Final[Mapping[str, Mapping[str, Operation]]] = {
    "/ledgers": {
        "POST": Operation("CreateLedger", control.create_ledger),
        "GET": Operation("ListLedgers", control.list_ledgers, reads=True),
    },
    _LEDGER: {
        "GET": Operation("DescribeLedger", control.describe_ledger, reads=True),
        "PATCH": Operation("UpdateLedger", control.update_ledger),
        "DELETE": Operation("DeleteLedger", control.delete_ledger),
    },
    f"{_LEDGER}/permissions-mode": {
        "PATCH": Operation("UpdateLedgerPermissionsMode", control.update_permissions_mode),
    },
    f"{_LEDGER}/digest": {"POST": Operation("GetDigest", digests.get_digest, reads=True)},
    f"{_LEDGER}/block": {"POST": Operation("GetBlock", digests.get_block, reads=True)},
    f"{_LEDGER}/revision": {"POST": Operation("GetRevision", digests.get_revision, reads=True)},
    _EXPORTS: {
        "POST": Operation("ExportJournalToS3", exports.export_journal),
        "GET": Operation("ListJournalS3ExportsForLedger", exports.list_exports, reads=True),
    },
    f"{_EXPORTS}/{{id}}": {
        "GET": Operation("DescribeJournalS3Export", exports.describe_export, reads=True),
    },
    "/journal-s3-exports": {
        "GET": Operation("ListJournalS3Exports", exports.list_exports, reads=True),
    },
    _STREAMS: {
        "POST": Operation("StreamJournalToKinesis", streams.stream_journal),
        "GET": Operation("ListJournalKinesisStreamsForLedger", streams.list_streams, reads=True),
    },
    f"{_STREAMS}/{{id}}": {
        "GET": Operation("DescribeJournalKinesisStream", streams.describe_stream, reads=True),
        "DELETE": Operation("CancelJournalKinesisStream", streams.cancel_stream),
    },
    "/tags/{arn:path}": {
        "POST": Operation("TagResource", tags.tag_resource),
        "DELETE": Operation("UntagResource", tags.untag_resource),
        "GET": Operation("ListTagsForResource", tags.list_tags, reads=True),
    },
}
"""By path (in starlette's notation) and method."""


def carry_out(
    plane: Plane,
    operation: Operation,
    request: Request,
    caller: Caller,
    path: Mapping[str, str],
) -> Answer:
    """
    Carry out an operation.

    Args:
        plane: what it works on.
        operation: which.
        request: its body and query.
        caller: who asks.
        path: what the path's places hold.

    Raises:
        Fault: it cannot be carried out, or the caller may not.
        QldbStreamError: the ledger refused it.
    """
    if caller.read_only and not operation.reads:
        raise access_denied(f"this key may only read; it may not call {operation.name}")
    body = parse_object(request.body) if request.body else {}
    present = {name: value for name, value in body.items() if value is not None}
    query = parse_qs(request.query.decode("latin-1"), keep_blank_values=True)
    result = operation.work(plane, Call(present, query, path))
    ledger = path.get("name", "")
    return answer_json(result, f"{operation.name} {ledger}".rstrip())

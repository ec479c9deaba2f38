"""
AWS's own clients for QLDB, made to work on today's packages.

New releases of boto3 know neither `qldb-session` nor `qldb`; `boto3_session` gives a session
that does, from models of our own in this package. pyqldb and ionhash do not import beside a
new amazon.ion; `load_ionhash` mends that, and `connect` does both and gives pyqldb's
driver. All of it needs the extra `qldb`, and none of it is imported before it is asked for.

Clients of other services (`kinesis`, `s3`) are imported by name.
"""

from __future__ import annotations

from qldb_stream.clients._compat import load_ionhash
from qldb_stream.clients._connect import connect
from qldb_stream.clients._driver import BytesDriver, connect_bytes
from qldb_stream.clients._errors import translated_errors
from qldb_stream.clients._ledger_keys import ledger_keys
from qldb_stream.clients._sessions import MODELS, boto3_session

__all__ = [
    "MODELS",
    "BytesDriver",
    "boto3_session",
    "connect",
    "connect_bytes",
    "ledger_keys",
    "load_ionhash",
    "translated_errors",
]

"""
A ledger's journal on a Kinesis data stream, as QLDB's own streams put it there.

`stream_journal` sends what `Ledger.stream_parts` tells, in batches, and writes down how far it
came whenever Kinesis has acknowledged one: at least once, across any crash. It is fed a
boto3 client (`connect_kinesis` makes one, with the extra `aws`), a place for its position
(`StreamState`), and time.
"""

from __future__ import annotations

from qldb_stream.clients.kinesis._connect import connect_kinesis
from qldb_stream.clients.kinesis._orders import KinesisStreams, StreamOrder
from qldb_stream.clients.kinesis._put import KinesisClient
from qldb_stream.clients.kinesis._state import StreamPlan, StreamState, load_state
from qldb_stream.clients.kinesis._stream import StreamChoice, StreamReport, stream_journal

__all__ = [
    "KinesisClient",
    "KinesisStreams",
    "StreamChoice",
    "StreamOrder",
    "StreamPlan",
    "StreamReport",
    "StreamState",
    "connect_kinesis",
    "load_state",
    "stream_journal",
]

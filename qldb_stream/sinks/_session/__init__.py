"""What sinks have in common that speak PartiQL in sessions: blocks replayed as transactions."""

from qldb_stream.sinks._session._sink import Endpoint, SessionSink
from qldb_stream.sinks._session._statements import StatementSink

__all__ = ["Endpoint", "SessionSink", "StatementSink"]

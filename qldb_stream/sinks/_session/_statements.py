"""A session sink that sends the source's own statements: `mode=statement`."""

from __future__ import annotations

from qldb_stream.replay import StatementReplay, plan_statements
from qldb_stream.sinks._session._sink import Endpoint, SessionSink


class StatementSink(SessionSink):
    """
    Send a journal's statements again, each block's in one transaction.

    Attributes:
        can_park: a later statement may read what any block wrote, so none can be left out.
        takes_filtered: nor can a statement be filtered.
    """

    can_park = False
    takes_filtered = False

    def __init__(self, name: str, endpoint: Endpoint) -> None:
        super().__init__(name, endpoint, StatementReplay(), plan=plan_statements)

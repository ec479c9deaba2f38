"""
Whole requests in, answers out: who asks, may they, and which API it is; no socket, no event loop.

Where no keys are configured the server is on loopback only, and a browser is the one stranger
that can reach it: a page of any site may send requests there. Pages are known by the header
`Origin`, and by a `Host` that is no name of this machine (DNS rebinding); both are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Final

from qldb_stream.loopback import is_loopback
from qldb_stream.server._call import Plane
from qldb_stream.server._faults import Fault, access_denied
from qldb_stream.server._keys import ANYBODY, Caller
from qldb_stream.server._messages import Answer, Request, answer_json
from qldb_stream.server._operations import Operation, carry_out
from qldb_stream.server._service import Reply, answer_safely
from qldb_stream.server._sessions import Sessions
from qldb_stream.server._sigv4 import Signatures

__all__ = ["Gateway"]

_TARGET: Final = "QLDBSession.SendCommand"


class Gateway:
    """Answers requests; for any number of threads."""

    def __init__(self, plane: Plane, sessions: Sessions, signatures: Signatures | None) -> None:
        self._plane: Final = plane
        self._sessions: Final = sessions
        self._signatures: Final = signatures
        self._version: Final = version("qldb-stream")

    def send_command(self, request: Request, reply: Reply) -> None:
        """Answer a request of the session API; `reply` is called once, in some thread."""
        checked = answer_safely(request.request_id, lambda: self._check_target(request))
        if isinstance(checked, Answer):
            reply(checked)
        else:
            self._plane.service.submit(request, checked, reply)

    def control(self, operation: Operation, path: Mapping[str, str], request: Request) -> Answer:
        """Answer a request of the control plane."""
        return answer_safely(
            request.request_id,
            lambda: carry_out(self._plane, operation, request, self._caller(request), path),
        )

    def maybe_refuse(self, head: Request) -> Fault | None:
        """Say why a request will be refused whatever its body is; None when it depends."""
        try:
            if self._signatures is None:
                self._caller(head)
            else:
                self._signatures.check_head(head, self._plane.environment.now_ms())
        except Fault as fault:
            return fault
        return None

    def health(self) -> Answer:
        """Say how the server is; anybody may ask, so there are no names."""
        sessions, transactions = self._sessions.count()
        return answer_json(
            {
                "status": "stopping" if self._sessions.stopping else "ok",
                "version": self._version,
                "ledgers": len(self._plane.ledgers.names()),
                "sessions": sessions,
                "open_transactions": transactions,
            }
        )

    def _check_target(self, request: Request) -> Caller:
        caller = self._caller(request)
        if request.method != "POST" or request.header(b"x-amz-target") != _TARGET:
            raise Fault("UnknownOperationException", f"POST / takes the target {_TARGET}")
        return caller

    def _caller(self, request: Request) -> Caller:
        if self._signatures is not None:
            return self._signatures.check(request, self._plane.environment.now_ms())
        if request.header(b"origin") is not None or not _is_local(request.header(b"host") or ""):
            raise access_denied(
                "without keys this server answers no browsers, and no names but localhost"
            )
        return ANYBODY


def _is_local(host: str) -> bool:
    """Tell whether a Host header names this machine's loopback."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    return is_loopback(name.strip("[]"))

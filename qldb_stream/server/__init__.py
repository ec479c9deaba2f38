"""
The ledgers of a folder over HTTP: QLDB's session API and control plane (facts 6 and 7).

From below: `_faults` and `_messages` are what is said, `_protocol` reads commands, `_sessions`
and `_commands` carry them out, `_service` finds the session and `_mailbox` keeps its commands
apart; `_ledgers` and `_metadata` are the folder, `_control`, `_tags`, `_digests` and `_operations`
the control plane; `_jobs` carries the exports and streams of `_exports` and `_streams` out, to the
`_targets` that the owner allowed; `_sigv4` says who asks; `_gateway` takes whole requests. None of
these has a socket or an event loop. `_front` and `_app` read HTTP with uvicorn, `_run` starts and
stops.
"""

from __future__ import annotations

try:
    import starlette  # noqa: F401 - both before ours, to say what to install
    import uvicorn  # noqa: F401 - as above
except ModuleNotFoundError as exc:
    if (exc.name or "").partition(".")[0] not in {"h11", "starlette", "uvicorn"}:
        raise
    raise ModuleNotFoundError(
        "qldb_stream.server needs the extra `server`: pip install 'qldb-stream[server]'",
        name=exc.name,
    ) from exc

from qldb_stream.server._app import RequestLimits
from qldb_stream.server._front import ConnectionLimits
from qldb_stream.server._run import Server
from qldb_stream.server._settings import Settings
from qldb_stream.server._targets import Targets

__all__ = ["ConnectionLimits", "RequestLimits", "Server", "Settings", "Targets"]

"""
The server, started and stopped: a socket, an event loop in a thread of its own, the pool.

Strategy: uvicorn runs in a thread whoever starts the server, so that a test, an application and
the command use one way, and signals stay the command's business. Stopping goes in steps: nothing
new begins; open transactions have a time to end; the listener closes and requests at work are
answered; sessions end; the ledgers close.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
import time
from functools import partial
from math import ceil
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import uvicorn

from qldb_stream.errors import UsageError
from qldb_stream.server._app import App
from qldb_stream.server._call import Plane
from qldb_stream.server._exports import make_export_work
from qldb_stream.server._front import Connections
from qldb_stream.server._gateway import Gateway
from qldb_stream.server._jobs import Jobs
from qldb_stream.server._keys import load_keys
from qldb_stream.server._ledgers import Ledgers
from qldb_stream.server._metadata import EXPORT, STREAM
from qldb_stream.server._pool import Pool
from qldb_stream.server._service import SessionService
from qldb_stream.server._sessions import Sessions
from qldb_stream.server._settings import Settings, check_settings, fit_to_machine, load_tls
from qldb_stream.server._sigv4 import Signatures
from qldb_stream.server._streams import make_stream_work

__all__ = ["Server"]

_BACKLOG: Final = 1024
_SWEEP_S: Final = 1.0
_POLL_S: Final = 0.02
# What is left of a stop when requests have had their time.
_LAST_S: Final = 2.0

_log: Final = logging.getLogger("qldb_stream.server")


class Server:
    """
    Ledgers of a folder over HTTP: `with Server(folder) as server: server.url`.

    Args:
        folder: each `NAME.ledger` in it is a ledger.
        settings: what `Settings` has besides: `host`, `port`, `keys`, `limits`, ...
    """

    def __init__(self, folder: str | Path, **settings: Any) -> None:
        self.settings: Final = Settings(Path(folder), **settings)
        self._thread: threading.Thread | None = None
        self._stack: Final = contextlib.ExitStack()
        self._stopped = threading.Event()
        self._uvicorn: _Uvicorn
        self._sessions: Sessions
        self._service: SessionService
        self._ledgers: Ledgers
        self._jobs: Jobs
        self._pool: Pool
        self._url = ""

    @property
    def url(self) -> str:
        """Give the endpoint that clients are pointed at: scheme, host and port."""
        return self._url

    def start(self) -> None:
        """
        Open the folder, listen, and return when requests are answered.

        Raises:
            UsageError: settings that make no sense together, an address that cannot be had, or
                no such folder.
            LedgerFileError: another server has the folder.
        """
        with self._stack:
            listener = _listen(self.settings)
            self._stack.callback(listener.close)
            check_settings(self.settings, listener.getsockname()[0])
            self._url = _url(self.settings, listener)
            self._build(fit_to_machine(self.settings, listener.getsockname()[0]))
            self._thread = threading.Thread(
                target=self._serve, args=(listener,), name="qldb-stream-server", daemon=True
            )
            self._thread.start()
            self._uvicorn.ready.wait()
            assert self._uvicorn.started, "the listener is bound, so uvicorn starts"
            self._stack.pop_all()
        _log.info("serving %s at %s", self.settings.folder, self.url)

    def stop(self, *, at_once: bool = False) -> None:
        """
        Stop: let transactions and exports end in their time, answer, close. Again does nothing.

        Args:
            at_once: do not wait for transactions.
        """
        if self._thread is None or self._stopped.is_set():
            return
        self._stopped.set()
        self._sessions.stop()
        self._jobs.wind_down()
        deadline = time.monotonic() + (0 if at_once else self.settings.grace_s)
        while (self._sessions.count()[1] or self._jobs.count()) and time.monotonic() < deadline:
            if self._uvicorn.force_exit:
                break
            time.sleep(_POLL_S)
        left_s = max(1, ceil(deadline - time.monotonic()))
        self._uvicorn.config.timeout_graceful_shutdown = left_s
        self._uvicorn.should_exit = True
        self._thread.join()
        self._service.end_sessions_of(None)
        if not self._jobs.stop(_LAST_S):
            _log.warning("stopped while an export or a stream was still at work")
        if not self._pool.close(_LAST_S):
            _log.warning("stopped while a statement was still at work")
        self._ledgers.close()
        _log.info("stopped")

    def hurry(self) -> None:
        """Let `stop` wait no longer for what is open or at work; for a second signal."""
        self._uvicorn.force_exit = True

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _build(self, settings: Settings) -> None:
        """Make everything between the socket and the ledgers."""
        signatures = None if settings.keys is None else Signatures(load_keys(settings.keys))
        environment = settings.environment
        connections = Connections(settings.connections, load_tls(settings))
        self._ledgers = Ledgers(
            settings.folder,
            limits=settings.limits,
            extensions=settings.extensions,
            journal_reads=settings.journal_reads,
            environment=environment,
        )
        self._stack.callback(self._ledgers.close)
        self._sessions = Sessions(environment.jitter, settings.sessions)
        self._service = SessionService(
            self._ledgers, self._sessions, environment, limits=settings.limits == "qldb"
        )
        works = {
            EXPORT: make_export_work(settings.targets),
            STREAM: make_stream_work(settings.targets),
        }
        self._jobs = Jobs(self._ledgers, environment, works, limits=settings.limits == "qldb")
        self._stack.callback(self._jobs.stop, 0)
        plane = Plane(self._ledgers, self._service, self._jobs, environment, settings.targets)
        gateway = Gateway(plane, self._sessions, signatures)
        self._pool = Pool(settings.threads)
        self._stack.callback(self._pool.close, 0)
        app = App(gateway, self._pool, connections, settings.requests)
        self._uvicorn = _Uvicorn(_configure(settings, app, connections))
        self._jobs.resume()

    def _serve(self, listener: socket.socket) -> None:
        asyncio.run(self._run(listener))

    async def _run(self, listener: socket.socket) -> None:
        sweeper = asyncio.create_task(self._sweep())
        try:
            await self._uvicorn.serve([listener])
        finally:
            sweeper.cancel()

    async def _sweep(self) -> None:
        """Once a second, let a thread give up what has expired."""
        while True:
            await asyncio.sleep(_SWEEP_S)
            now_ms = self.settings.environment.now_ms()
            self._pool.submit(partial(self._service.sweep, now_ms))


class _Uvicorn(uvicorn.Server):
    """uvicorn, telling when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready: Final = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        finally:
            self.ready.set()


def _configure(settings: Settings, app: App, connections: Connections) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=connections.make_protocol,  # type: ignore[arg-type]  # it is only ever called
        ws="none",
        lifespan="off",
        loop="asyncio",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=int(settings.connections.idle_s) + 5,  # ours comes first
        h11_max_incomplete_event_size=settings.connections.head_bytes,
    )


def _listen(settings: Settings) -> socket.socket:
    """Bind, so that the address is known before anything else is made."""
    try:
        family = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((settings.host, settings.port), family=family, backlog=_BACKLOG)
    except (OSError, OverflowError) as exc:
        raise UsageError(f"cannot listen at {settings.host}:{settings.port}: {exc}") from exc


def _url(settings: Settings, listener: socket.socket) -> str:
    scheme = "http" if settings.tls_cert is None else "https"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{scheme}://{host}:{listener.getsockname()[1]}"

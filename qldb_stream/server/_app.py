"""
The ASGI application: a whole request in, a thread's answer out.

Strategy: a request is read to its end under a deadline and within limits; no thread sees it before,
so a slow client costs a socket and no thread. SendCommand takes a straight way; the control plane
goes through starlette's router. What waits in memory is bounded for all clients together.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import suppress
from typing import Any, Final

import attrs
from starlette.routing import Route, Router

from qldb_stream.ledger import new_id
from qldb_stream.server._addresses import Shares, name_owner
from qldb_stream.server._faults import Fault, internal_failure, over_capacity
from qldb_stream.server._front import Connections
from qldb_stream.server._gateway import Gateway
from qldb_stream.server._messages import Answer, Request, answer_fault
from qldb_stream.server._operations import ROUTES, Operation
from qldb_stream.server._pool import Pool

__all__ = ["App", "RequestLimits"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_HEALTH: Final = ("/health", "/healthz")
# What a client that did not sign sends by mistake fits, and is told what is wrong.
_STRANGER_BYTES: Final = 16 * 1024
_EXCHANGE: Final = "qldb_stream.exchange"

_access_log: Final = logging.getLogger("qldb_stream.server.access")
_log: Final = logging.getLogger("qldb_stream.server")


@attrs.frozen
class RequestLimits:
    """
    What a request may take.

    Attributes:
        body_bytes: how large a body may be; QLDB took at most 4 MB a transaction.
        waiting_bytes: how much the bodies of all requests may have together.
        per_address_bytes: how much of that one client address may have, or one /64 of IPv6,
            where the server can be reached from other machines: whoever knows an access key
            but not its secret is known by the whole body only.
        body_s: seconds until the body is there.
        send_s: seconds until the client has taken the answer.
    """

    body_bytes: int = 16 * 1024 * 1024
    waiting_bytes: int = 256 * 1024 * 1024
    per_address_bytes: int = 64 * 1024 * 1024
    body_s: float = 20.0
    send_s: float = 60.0


@attrs.define
class _Held:
    """How many bytes of a request are in memory, how many may be, and what more of them is."""

    owner: str
    most: int
    beyond: Fault
    size: int = 0


@attrs.define
class _Exchange:
    request: Request
    answer: Answer | None = None


class App:
    """The application that uvicorn calls, once for each request."""

    def __init__(
        self, gateway: Gateway, pool: Pool, connections: Connections, limits: RequestLimits
    ) -> None:
        self._gateway: Final = gateway
        self._pool: Final = pool
        self._connections: Final = connections
        self._limits: Final = limits
        self._waiting_bytes = 0
        self._shares: Final = Shares(limits.per_address_bytes, "bytes of bodies waiting")
        routes = [Route(path, _Endpoint(self, operations)) for path, operations in ROUTES.items()]
        self._router: Final = Router(routes, redirect_slashes=False, default=_answer_nothing)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        assert scope["type"] == "http", "neither lifespan nor websockets are on"
        began = asyncio.get_running_loop().time()
        client = scope["client"]
        self._connections.begin_request(client)
        request_id = new_id()
        owner = name_owner(client[0]) if client else ""  # it has gone already
        held = _Held(owner, self._limits.body_bytes, self._too_large())
        try:
            answer = await self._answer(scope, receive, request_id, held)
            if answer is not None:
                await self._send(send, answer, request_id, client)
                _log_access(request_id, scope, answer, began)
        finally:
            self._release(held)
            self._connections.end_request(client)

    async def control(
        self, operation: Operation, path: Mapping[str, str], request: Request
    ) -> Answer:
        """Let a thread carry out an operation of the control plane."""
        return await self._in_thread(
            lambda reply: reply(self._gateway.control(operation, path, request))
        )

    async def _answer(
        self, scope: Scope, receive: Receive, request_id: str, held: _Held
    ) -> Answer | None:
        """Give the answer; None when the client is gone."""
        if scope["path"] in _HEALTH and scope["method"] in {"GET", "HEAD"}:
            return self._gateway.health()
        head = Request(
            request_id,
            scope["method"],
            scope["raw_path"],
            scope["query_string"],
            scope["headers"],
        )
        try:
            body = await self._read_body(head, receive, held)
        except Fault as fault:
            return answer_fault(fault)
        if body is None:
            return None
        self._connections.finish_reading(scope["client"])
        request = attrs.evolve(head, body=body)
        if scope["path"] == "/":
            return await self._in_thread(lambda reply: self._gateway.send_command(request, reply))
        exchange = scope[_EXCHANGE] = _Exchange(request)
        await self._router(scope, receive, _send_nothing)
        return exchange.answer

    async def _read_body(self, head: Request, receive: Receive, held: _Held) -> bytes | None:
        """
        Read a body to its end; None when the client went away.

        Whoever will be refused whatever the body is gets little room: what all bodies have
        together is for those who may ask.

        Raises:
            Fault: it is too large, too slow, or there is too much of all bodies.
        """
        refusal = self._gateway.maybe_refuse(head)
        if refusal is not None:
            held.most, held.beyond = min(held.most, _STRANGER_BYTES), refusal
        declared = head.header(b"content-length") or "0"
        if not (declared.isascii() and declared.isdigit()) or int(declared[:18]) > held.most:
            raise attrs.evolve(held.beyond, closes=True)
        parts: list[bytes] = []
        try:
            async with asyncio.timeout(self._limits.body_s):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    self._hold(parts, message["body"], held)
                    if not message["more_body"]:
                        return parts[0] if len(parts) == 1 else b"".join(parts)
        except TimeoutError as exc:
            message_text = f"the body was not there within {self._limits.body_s:g} s"
            raise Fault("RequestTimeoutException", message_text, 408, {}, closes=True) from exc

    def _hold(self, parts: list[bytes], part: bytes, held: _Held) -> None:
        """Keep a part of a body, if there is room for it."""
        size = len(part)
        if held.size + size > held.most:
            raise attrs.evolve(held.beyond, closes=True)
        if self._waiting_bytes + size > self._limits.waiting_bytes:
            raise over_capacity("too much is waiting", closes=True)
        if not self._shares.take(held.owner, size):
            raise over_capacity("too much of your address is waiting", closes=True)
        held.size += size
        self._waiting_bytes += size
        parts.append(part)

    def _release(self, held: _Held) -> None:
        self._waiting_bytes -= held.size
        self._shares.give_back(held.owner, held.size)

    def _too_large(self) -> Fault:
        return Fault(
            "RequestEntityTooLargeException",
            f"the limit of a body is {self._limits.body_bytes} bytes",
            413,
            {},
            closes=True,
        )

    async def _in_thread(self, work: Callable[[Callable[[Answer], None]], None]) -> Answer:
        """Let a thread of the pool do work that calls back with an answer."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()

        def reply(answer: Answer) -> None:
            with suppress(RuntimeError):  # the loop has ended, and nobody waits
                loop.call_soon_threadsafe(_resolve, future, answer)

        def job() -> None:
            try:
                work(reply)
            except BaseException as error:  # noqa: BLE001 - a thread of the pool must not end
                _log.error("a job failed: %s", type(error).__name__)
                reply(answer_fault(internal_failure("internal failure")))

        self._pool.submit(job)
        return await future

    async def _send(
        self, send: Send, answer: Answer, request_id: str, client: tuple[str, int] | None
    ) -> None:
        """Send an answer; give a client up that does not take it."""
        headers = answer.headers(request_id)
        try:
            async with asyncio.timeout(self._limits.send_s):
                await send(
                    {"type": "http.response.start", "status": answer.status, "headers": headers}
                )
                await send({"type": "http.response.body", "body": answer.body})
        except TimeoutError:
            self._connections.abort(client)


class _Endpoint:
    """The operations of one path of the control plane."""

    def __init__(self, app: App, operations: Mapping[str, Operation]) -> None:
        self._app: Final = app
        self._operations: Final = operations

    async def __call__(self, scope: Scope, _receive: Receive, _send: Send) -> None:
        exchange: _Exchange = scope[_EXCHANGE]
        operation = self._operations.get(scope["method"])
        if operation is None:
            exchange.answer = _unknown_operation(405)
        else:
            path = {name: str(value) for name, value in scope["path_params"].items()}
            exchange.answer = await self._app.control(operation, path, exchange.request)


async def _answer_nothing(scope: Scope, _receive: Receive, _send: Send) -> None:
    exchange: _Exchange = scope[_EXCHANGE]
    exchange.answer = _unknown_operation(404)


async def _send_nothing(_message: Message) -> None:
    raise AssertionError("an endpoint leaves its answer in the exchange")


def _unknown_operation(status: int) -> Answer:
    message = "there is no such operation"
    return answer_fault(Fault("UnknownOperationException", message, status))


def _resolve(future: asyncio.Future[Answer], answer: Answer) -> None:
    if not future.done():
        future.set_result(answer)


def _log_access(request_id: str, scope: Scope, answer: Answer, began: float) -> None:
    """Log ids and counts; the path of the control plane has a ledger's name, never contents."""
    if _access_log.isEnabledFor(logging.INFO):
        took_ms = (asyncio.get_running_loop().time() - began) * 1000
        _access_log.info(
            "%s %s %d %s bytes=%d ms=%.1f",
            request_id,
            answer.note or scope["method"],
            answer.status,
            answer.error or "-",
            len(answer.body),
            took_ms,
        )

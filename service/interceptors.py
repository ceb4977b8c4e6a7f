"""What stands between the wire and a method: one interceptor that does everything in one pass.

Five interceptors in a row would build five handlers for each call. This one builds a method's
handler once and keeps it; what it does for a call is in `service.exchange`.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final, cast

import grpc
from grpc import aio
from grpc_status import rpc_status

from service.errors import status_of
from service.exchange import Codec, Exchange, Gate, Serialise, Write
from service.feed import Feed
from service.limits import OPERATIONS
from service.load import OPERATORS

if TYPE_CHECKING:
    from service.exchange import Context
    from service.load import Load

    Handler = grpc.RpcMethodHandler[Any, Any]
    Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]

HEALTH: Final = "/grpc.health."
"""Answered as it is, to everybody: it says no more than whether the server serves."""
REFLECTION: Final = "/grpc.reflection."
"""Answered to whoever the server knows, as it is: what the API is like is asked by tools."""


class CallInterceptor(aio.ServerInterceptor):
    """Admits, checks, bounds and logs every call, and answers its errors.

    Has to be the last interceptor of a server: it asks for a method's handler only once.
    """

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._handlers: dict[str, Handler] = {}
        self._opened = 0
        self._turned_away = turned_away(gate.loads.opened)

    def add_write(self, path: str, write: Write) -> None:
        """Has a method answered by the write lane; the server itself need not know it."""
        self._handlers[path] = written(self._gate, path, write)

    def add_feed(self, path: str, write: Write) -> None:
        """The same of a method that takes a stream of requests."""
        self._handlers[path] = fed(self._gate, path, write)

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler | None:
        """The method's handler with everything around it; None if there is no such method."""
        path = handler_call_details.method
        if self._crowded(path):
            return self._turned_away
        known = self._handlers.get(path)
        if known is not None:
            return known
        plain = await continuation(handler_call_details)
        if plain is None:
            # Not kept: callers may send any number of paths that do not exist.
            return None
        if path.startswith(HEALTH):
            handler: Handler | None = counted(self._gate.loads.health_watches, plain)
        elif path.startswith(REFLECTION):
            handler = reflected(self._gate, path, plain)
        else:
            handler = surrounded(self._gate, path, plain)
        if handler is None:
            return None
        self._handlers[path] = handler
        return handler

    def _crowded(self, path: str) -> bool:
        """Counts a call until it is over, whether its request comes or not; whether it has no room.

        Whoever asks how the server is has some of their own.
        """
        task = asyncio.current_task()
        assert task is not None
        self._opened += 1
        task.add_done_callback(self._over)
        over = self._opened - self._gate.loads.opened.at_most
        return over > 0 and (over > OPERATIONS or not path.startswith((HEALTH, OPERATORS)))

    def _over(self, _task: object) -> None:
        self._opened -= 1


def turned_away(load: Load) -> Handler:
    """A handler that refuses a call without waiting for its request."""

    async def answer(_messages: object, context: Context) -> None:
        await refuse(load, context)

    return grpc.stream_stream_rpc_method_handler(answer)


async def refuse(load: Load, context: Context) -> None:
    """Tells the caller of one call too many so."""
    status = status_of(load.refusal())
    assert status is not None
    await context.abort_with_status(rpc_status.to_status(status))


def counted(load: Load, handler: Handler) -> Handler:
    """A handler of health, whose watches are counted; else it is left as it is."""
    watch: Any = handler.unary_stream
    if watch is None:
        return handler

    async def answers(request: object, context: Context) -> AsyncIterator[Any]:
        load.calls += 1
        try:
            if load.calls > load.at_most:
                await refuse(load, context)
            async for each in watch(request, context):
                yield each
        finally:
            load.calls -= 1

    return grpc.unary_stream_rpc_method_handler(
        answers, handler.request_deserializer, handler.response_serializer
    )


def surrounded(gate: Gate, path: str, handler: Handler) -> Handler | None:
    """A handler that takes and gives bytes and does for each call what an `Exchange` does.

    None, so that the method counts as unimplemented, unless it takes one request and is a
    coroutine or, for a stream of responses, an asynchronous generator: nothing passes unchecked.
    """
    unary, stream = handler.unary_unary, handler.unary_stream
    parse: Any = handler.request_deserializer
    # Generated code passes the request class's own `FromString`.
    request_name = parse.__self__.DESCRIPTOR.full_name
    codec = Codec(parse, cast("Serialise", handler.response_serializer), request_name)
    load = gate.loads.of(path, streams=stream is not None)

    if inspect.iscoroutinefunction(unary):

        async def answer(raw: bytes, context: Context) -> bytes:
            async with Exchange(gate, load, path, context) as exchange:
                _, request = await exchange.admit(raw, codec)
                response = await exchange.answered(request, lambda r: unary(r, context))
                return exchange.seal(response, codec)

        return grpc.unary_unary_rpc_method_handler(answer)

    if inspect.isasyncgenfunction(stream):

        async def answers(raw: bytes, context: Context) -> None:
            async with Exchange(gate, load, path, context) as exchange:
                principal, request = await exchange.admit(raw, codec)
                # Closed here and not by the garbage collector, so that its clean-up runs now.
                async with (
                    gate.streams.open(context, load.write_seconds) as opened,
                    exchange.rechecked(opened, principal, request),
                    aclosing(stream(request, context)) as responses,
                ):
                    async for response in responses:
                        if await exchange.shows(response):
                            await opened.write(exchange.seal(response, codec))

        return grpc.unary_stream_rpc_method_handler(answers)

    return None


def written(gate: Gate, path: str, write: Write) -> Handler:
    """A handler of a method whose bytes go to the write lane as they come."""
    load = gate.loads.of(path, streams=False)

    async def answer(raw: bytes, context: Context) -> bytes:
        async with Exchange(gate, load, path, context) as exchange:
            return await exchange.hand_over(raw, write)

    return grpc.unary_unary_rpc_method_handler(answer)


def fed(gate: Gate, path: str, write: Write) -> Handler:
    """A handler of a method whose stream of messages goes to the write lane as they come."""
    load = gate.loads.of(path, streams=True)

    async def answers(_messages: object, context: Context) -> None:
        async with Exchange(gate, load, path, context) as exchange:
            principal = await exchange.principal(b"")
            async with (
                gate.streams.open(context) as opened,
                exchange.rechecked(opened, principal),
            ):
                await Feed(exchange, principal, opened, context, write).run()

    return grpc.stream_stream_rpc_method_handler(answers)


def reflected(gate: Gate, path: str, handler: Handler) -> Handler:
    """A handler of a stream of questions about the API, for callers that are known."""
    load = gate.loads.of(path, streams=True)
    stream: Any = handler.stream_stream

    async def answers(questions: object, context: Context) -> None:
        async with Exchange(gate, load, path, context) as exchange:
            await exchange.principal(b"")
            async with (
                gate.streams.open(context) as opened,
                aclosing(stream(questions, context)) as responses,
            ):
                async for response in responses:
                    await opened.write(response)

    return grpc.stream_stream_rpc_method_handler(
        answers, handler.request_deserializer, handler.response_serializer
    )

"""A gRPC server in this process, on an event loop of its own thread, for tests over a channel."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import (
    BadRequest,
    ErrorInfo,
    PreconditionFailure,
    ResourceInfo,
    RetryInfo,
)
from grpc import aio
from grpc_status import rpc_status

from service.connections import Connections
from service.exchange import Gate
from service.listening import Listener

Result = TypeVar("Result")
AddServicers = Callable[[aio.Server], object]


class LoopThread:
    """An event loop that runs in a thread of its own.

    The asyncio side of gRPC wants one loop for the life of a process, so tests share one.
    """

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Runs a coroutine to its end, for at most 30 s."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)


@cache
def shared_loop() -> LoopThread:
    """The loop of this process's asyncio servers."""
    return LoopThread()


@contextmanager
def served(
    loop: LoopThread,
    add: AddServicers = lambda _: None,
    *,
    writes: Any = None,
    gate: Gate | None = None,
    address: str = "127.0.0.1:0",
    services: tuple[str, ...] = (),
    connections: Connections | None = None,
) -> Iterator[str]:
    """Listens with these servicers behind the service's interceptor; gives the address.

    `writes` answers LedgerService as a desk does.
    """

    async def start() -> tuple[Listener, str]:
        listener = Listener(gate or Gate(), connections)
        add(listener.server)
        if writes is not None:
            listener.add_writes("okr.v1.LedgerService", {}, writes)
        bound = listener.bind(address)
        await listener.start(services, reflected=True)
        await listener.ready(services)
        return listener, bound

    listener, bound = loop.run(start())
    try:
        yield bound
    finally:
        loop.run(listener.drain(5))


class Refused:
    """What a refused call said: its code, its sentence and its details."""

    def __init__(self, error: Any) -> None:
        self.code: grpc.StatusCode = error.code()
        self.message: str = error.details() or ""
        self.info = ErrorInfo()
        self.bad_request = BadRequest()
        self.precondition = PreconditionFailure()
        self.resource = ResourceInfo()
        self.retry = RetryInfo()
        status = rpc_status.from_call(error)
        for detail in status.details if status else ():
            for told in self._details():
                detail.Unpack(told)

    def _details(self) -> tuple[Message, ...]:
        return (self.info, self.bad_request, self.precondition, self.resource, self.retry)

    @property
    def reason(self) -> str:
        """The name of the reason, empty if the error carries none."""
        return self.info.reason

    @property
    def fields(self) -> list[str]:
        """The paths of the fields at fault."""
        return [violation.field for violation in self.bad_request.field_violations]

    @property
    def rules(self) -> list[str]:
        """The rules that they break."""
        return [violation.reason for violation in self.bad_request.field_violations]


def refused(call: Callable[[], object]) -> Refused:
    """Makes a call that has to be refused."""
    try:
        answer = call()
    except grpc.RpcError as error:
        return Refused(error)
    raise AssertionError(f"the call was answered: {answer}")

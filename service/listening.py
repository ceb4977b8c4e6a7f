"""The gRPC server: its health and reflection, its address, its end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from google.protobuf.descriptor_pool import Default
from google.protobuf.message_factory import GetMessageClass
from grpc import aio
from grpc_health.v1.health import SERVICE_NAME as HEALTH
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server
from grpc_reflection.v1alpha import reflection

from service.connections import Connections
from service.exchange import Gate
from service.interceptors import CallInterceptor
from service.rpc.health import Health

if TYPE_CHECKING:
    from grpc import ServerCredentials

    from service.exchange import Write
    from service.lane.link import Answer

UNIX: Final = "unix:"
WHOLE_SERVER: Final = ""
"""What health calls the server itself."""

LEFT_SECONDS: Final = 0.5
"""What calls get whose callers do not read, when all others have ended."""


class AddressTaken(Exception):
    """The address cannot be listened on; the message says why."""


class Listener:
    """A gRPC server around the servicers that are added to `server` before it starts.

    Has to be made, used and ended in one event loop.
    """

    def __init__(self, gate: Gate, connections: Connections | None = None) -> None:
        self._gate = gate
        self._health = Health()
        self._interceptor = CallInterceptor(gate)
        self.server = aio.server(
            interceptors=[self._interceptor], options=(connections or Connections()).options()
        )
        add_HealthServicer_to_server(self._health, self.server)

    def bind(self, address: str, credentials: ServerCredentials | None = None) -> str:
        """Takes the address, and returns it with its port; callers wait until `start`.

        With `credentials` connections are over TLS, and no others.

        Raises:
            AddressTaken: another server listens there, or the address is not this machine's.
        """
        reason = _why_not(address)
        if reason:
            raise AddressTaken(f"cannot listen on {address}: {reason}")
        try:
            port = (
                self.server.add_secure_port(address, credentials)
                if credentials
                else self.server.add_insecure_port(address)
            )
        except RuntimeError:
            raise AddressTaken(f"cannot listen on {address}") from None
        if address.startswith("unix"):
            return address
        return f"{address.rpartition(':')[0]}:{port}"

    def add_writes(
        self, service: str, finished: Mapping[str, Write], write: Callable[..., Awaitable[Answer]]
    ) -> None:
        """Has the methods of a service handed to the write lane by their names.

        Those that take more than the lane to finish are called as they are given.
        """
        for method in Default().FindServiceByName(service).methods:
            name = method.name
            taken = finished.get(name) or partial(write, name)
            kinds = self._interceptor
            add = kinds.add_feed if method.client_streaming else kinds.add_write
            add(f"/{service}/{name}", taken)

    async def start(self, services: Iterable[str], *, reflected: bool) -> None:
        """Answers calls from now on. Nothing is said to be serving yet."""
        names = tuple(services)
        for name in names:
            for method in Default().FindServiceByName(name).methods:
                self._gate.validation.compile(GetMessageClass(method.input_type))
        if reflected:
            shown = (*names, HEALTH, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(shown, self.server)
        await self.server.start()

    async def ready(self, services: Iterable[str]) -> None:
        """Says SERVING for these."""
        await self._health.serve(services)

    async def unready(self, services: Iterable[str]) -> None:
        """Says NOT_SERVING for these."""
        await self._health.suspend(services)

    async def drain(self, seconds: float) -> None:
        """Says NOT_SERVING, ends the streams, and gives the other running calls so long to end."""
        await self._health.drain()
        all_ended = await self._gate.streams.end()
        stopping = asyncio.create_task(self.server.stop(seconds))
        if not all_ended:
            # The calls that are left would hold up the end for as long as others may take.
            while self._gate.calls and not stopping.done():
                await asyncio.wait({stopping}, timeout=LEFT_SECONDS / 10)
            await self.server.stop(LEFT_SECONDS)
        await stopping


def _why_not(address: str) -> str:
    """Why the address cannot be listened on, empty if it can; gRPC itself does not say."""
    if address.startswith(UNIX):
        # gRPC would take the path away from the server that listens there.
        return "another server does" if _answers(address.removeprefix(UNIX)) else ""
    if address.startswith("unix"):
        return ""
    host, _, port = address.rpartition(":")
    reason = "no such address"
    for family, kind, protocol, _, place in socket.getaddrinfo(
        host.removeprefix("[").removesuffix("]"), port, type=socket.SOCK_STREAM
    ):
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(place)
            except OSError as error:
                reason = (error.strerror or "unknown error").lower()
            else:
                return ""
    return reason


def _answers(path: str) -> bool:
    """Whether somebody listens on a Unix socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
        return True

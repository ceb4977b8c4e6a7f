"""The gRPC server: its options, its health and reflection, its address, its end."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import Final

from google.protobuf.descriptor_pool import Default
from google.protobuf.message_factory import GetMessageClass
from grpc import aio
from grpc_health.v1.health import SERVICE_NAME as HEALTH
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server
from grpc_reflection.v1alpha import reflection

from service.exchange import MESSAGE_BYTES, Gate
from service.interceptors import CallInterceptor
from service.rpc.health import Health

UNIX: Final = "unix:"
WHOLE_SERVER: Final = ""
"""What health calls the server itself."""

OPTIONS: Final = (
    # By default a second server on the same port would share it in silence.
    ("grpc.so_reuseport", 0),
    # Room above the limit, so that a request a little too large is told the reason.
    ("grpc.max_receive_message_length", 2 * MESSAGE_BYTES),
    ("grpc.max_metadata_size", 16 * 1024),
    # A connection whose other end is gone is noticed within 80 s, and callers may ping each 30 s
    # to notice the same of us.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 30_000),
)


class AddressTaken(Exception):
    """The address cannot be listened on; the message says why."""


class Listener:
    """A gRPC server around the servicers that are added to `server` before it starts.

    Has to be made, used and ended in one event loop.
    """

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._health = Health()
        self.server = aio.server(interceptors=[CallInterceptor(gate)], options=OPTIONS)
        add_HealthServicer_to_server(self._health, self.server)

    async def start(self, address: str, services: Iterable[str], *, reflected: bool) -> str:
        """Listens; returns the address with its port. Nothing is said to be serving yet.

        Raises:
            AddressTaken: another server listens there, or the address is not this machine's.
        """
        names = tuple(services)
        for name in names:
            for method in Default().FindServiceByName(name).methods:
                self._gate.validation.compile(GetMessageClass(method.input_type))
        if reflected:
            shown = (*names, HEALTH, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(shown, self.server)
        bound = self._bind(address)
        await self.server.start()
        return bound

    async def ready(self, services: Iterable[str]) -> None:
        """Says SERVING for these."""
        await self._health.serve(services)

    async def drain(self, seconds: float) -> None:
        """Says NOT_SERVING, takes no new calls and gives the running ones so long to end."""
        await self._health.drain()
        await self.server.stop(seconds)

    def _bind(self, address: str) -> str:
        if address.startswith(UNIX) and _answers(address.removeprefix(UNIX)):
            # gRPC would take the path away from the server that listens there.
            raise AddressTaken(f"another server listens on {address}")
        try:
            port = self.server.add_insecure_port(address)
        except RuntimeError:
            raise AddressTaken(
                f"cannot listen on {address}: another server does, or it is not an address of"
                " this machine"
            ) from None
        if address.startswith("unix"):
            return address
        return f"{address.rpartition(':')[0]}:{port}"


def _answers(path: str) -> bool:
    """Whether somebody listens on a Unix socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
        return True

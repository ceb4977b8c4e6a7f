"""What a connection may take, and how long it lasts: gRPC's own options, set in one place."""

from __future__ import annotations

import resource
from dataclasses import dataclass
from typing import Final

from service import limits
from service.limits import METADATA_BYTES
from service.validation import MESSAGE_BYTES

OTHER_DESCRIPTORS: Final = 512
"""What the server keeps open beside connections: databases, the lane, threads, room to spare."""

OPTIONS: Final = (
    # By default a second server on the same port would share it in silence.
    ("grpc.so_reuseport", 0),
    # Room above the limit, so that a request a little too large is told the reason. It binds what
    # a compressed message unpacks to as well.
    ("grpc.max_receive_message_length", 2 * MESSAGE_BYTES),
    # gRPC refuses at random between the two. It holds a caller to them only once that caller has
    # acknowledged the settings, which is why the service looks too.
    ("grpc.max_metadata_size", METADATA_BYTES),
    ("grpc.absolute_max_metadata_size", METADATA_BYTES),
    # By default it cancels calls at random while a thousand wait to be looked at; the service
    # refuses by classes, and says why.
    ("grpc.server.max_pending_requests", limits.OPENED),
    ("grpc.server.max_pending_requests_hard_limit", limits.OPENED),
    # A connection whose other end is gone is noticed within 80 s, and callers may ping each 30 s
    # to notice the same of us.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 30_000),
)


@dataclass(frozen=True, slots=True)
class Connections:
    """How many there are at most, how many calls each has at a time, and when one is ended.

    One that has lasted for `age_seconds` (0 is without an end) is told to go, which clients follow
    unseen; what it still has after `grace_seconds` more is cut off, which only streams meet.
    """

    at_most: int = limits.CONNECTIONS
    calls: int = limits.CONNECTION_CALLS
    handshake_seconds: float = limits.HANDSHAKE_SECONDS
    idle_seconds: float = limits.IDLE_SECONDS
    age_seconds: float = limits.AGE_SECONDS
    grace_seconds: float = limits.GRACE_SECONDS

    def options(self) -> tuple[tuple[str, int], ...]:
        """GRPC's names for them."""
        ends = (
            ("grpc.max_connection_age_ms", _ms(self.age_seconds)),
            ("grpc.max_connection_age_grace_ms", _ms(self.grace_seconds)),
        )
        return (
            *OPTIONS,
            ("grpc.max_allowed_incoming_connections", self.at_most),
            ("grpc.max_concurrent_streams", self.calls),
            ("grpc.server_handshake_timeout_ms", _ms(self.handshake_seconds)),
            ("grpc.http2.settings_timeout", _ms(self.handshake_seconds)),
            ("grpc.max_connection_idle_ms", _ms(self.idle_seconds)),
            *(ends if self.age_seconds else ()),
        )


def room_for(connections: int) -> int:
    """How many connections this process has descriptors for, of so many; makes room if it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + OTHER_DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY:
        return connections
    return max(1, min(connections, soft - OTHER_DESCRIPTORS))


def _ms(seconds: float) -> int:
    return round(seconds * 1000)

"""The bytes of an event that are hashed: a leaf of the ledger's Merkle tree.

A protobuf message has no canonical bytes, so a leaf is put together from what is stored, in an
order and with lengths that leave one reading only. All integers are big-endian:

    0x01                                    this format
    4 bytes  length,  n bytes  log id       UTF-8, as all text here
    8 bytes  position
    4 bytes  length,  n bytes  stream
    8 bytes  stream version
    4 bytes  length,  n bytes  event type
    8 bytes  recorded time                  µs since 1970 UTC, two's complement
    4 bytes  length,  n bytes  metadata     as stored
    4 bytes  length,  n bytes  payload      as stored
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from okr.proofs.tree import leaf_hash

if TYPE_CHECKING:
    from okr.v1.event_record_pb2 import Event

FORMAT: Final = b"\x01"

_LENGTH: Final = Struct(">I")
_UNSIGNED_AND_LENGTH: Final = Struct(">QI")
_SIGNED_AND_LENGTH: Final = Struct(">qI")


class Stored(Protocol):
    """An event as the log stores it; `recorded_us` counts µs since 1970 UTC."""

    @property
    def position(self) -> int: ...
    @property
    def stream(self) -> str: ...
    @property
    def stream_version(self) -> int: ...
    @property
    def event_type(self) -> str: ...
    @property
    def recorded_us(self) -> int: ...
    @property
    def metadata(self) -> bytes: ...
    @property
    def payload(self) -> bytes: ...


class Leaves:
    """Makes the leaves of one log."""

    def __init__(self, log_id: str) -> None:
        name = log_id.encode()
        self._beginning = FORMAT + _LENGTH.pack(len(name)) + name

    def encoded(self, event: Stored) -> bytes:
        """The bytes of an event's leaf. About 2 µs.

        Raises:
            struct.error: a number that no log assigns.
        """
        stream, event_type = event.stream.encode(), event.event_type.encode()
        metadata, payload = event.metadata, event.payload
        return b"".join(
            (
                self._beginning,
                _UNSIGNED_AND_LENGTH.pack(event.position, len(stream)),
                stream,
                _UNSIGNED_AND_LENGTH.pack(event.stream_version, len(event_type)),
                event_type,
                _SIGNED_AND_LENGTH.pack(event.recorded_us, len(metadata)),
                metadata,
                _LENGTH.pack(len(payload)),
                payload,
            )
        )

    def hash(self, event: Stored) -> bytes:
        """The hash of an event's leaf, 32 bytes."""
        return leaf_hash(self.encoded(event))


class Told(NamedTuple):
    """An event as the API tells it, in the form that is stored."""

    position: int
    stream: str
    stream_version: int
    event_type: str
    recorded_us: int
    metadata: bytes
    payload: bytes


def told(event: Event) -> Told:
    """What of an answer's event is hashed: its header and bytes, never what was decoded of them."""
    header = event.header
    return Told(
        header.position,
        header.stream,
        header.stream_version,
        header.event_type,
        header.recorded_time.ToMicroseconds(),
        event.metadata,
        event.payload,
    )

"""Events on their way into the ledger and out of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from google.protobuf.message_factory import GetMessageClass

from okr.v1 import events_pb2

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from okr.v1.event_record_pb2 import EventMetadata


EVENT_TYPES: Final[Mapping[str, type[Message]]] = {
    descriptor.full_name: GetMessageClass(descriptor)
    for descriptor in events_pb2.DESCRIPTOR.message_types_by_name.values()
}
"""Every event's message by its full name, e.g. "okr.v1.CheckInRecorded"."""


class NewEvent(NamedTuple):
    """A decided event: the stream it belongs to and the fact, a message of `okr.v1.events`."""

    stream: str
    fact: Message


class Record(NamedTuple):
    """A stored event: the header that the log assigned and the two byte strings as given.

    `recorded_us` counts microseconds since 1970 UTC and never decreases with `position`.
    `event_type` is the full name of the payload's message, e.g. "okr.v1.CheckInRecorded".
    """

    position: int
    stream: str
    stream_version: int
    event_type: str
    recorded_us: int
    metadata: bytes
    payload: bytes


class Decision(NamedTuple):
    """What a request was decided to mean: events, and the circumstances that they share."""

    events: Sequence[NewEvent]
    metadata: EventMetadata


class Stored(Protocol):
    """What keeps a fact as it was recorded: a record, or a row of a read model."""

    @property
    def event_type(self) -> str: ...
    @property
    def payload(self) -> bytes: ...


class Recorded(Stored, Protocol):
    """A fact kept with the circumstances in which it was recorded, as its record has them."""

    @property
    def position(self) -> int: ...
    @property
    def recorded_us(self) -> int: ...
    @property
    def metadata(self) -> bytes: ...


def fact_of(stored: Stored) -> Message:
    """The fact in stored bytes.

    Raises:
        KeyError: an event type that this version does not know.
        google.protobuf.message.DecodeError: the bytes are not such a message.
    """
    return EVENT_TYPES[stored.event_type].FromString(stored.payload)

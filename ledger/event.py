"""Events on their way into the ledger and out of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from google.protobuf.message_factory import GetMessageClass

from ledger.texts.fields import texts
from ledger.texts.keyring import KEY_NAMES
from ledger.texts.opening import check_places, open_texts, place_of
from okr.v1 import events_pb2
from okr.v1.event_record_pb2 import EventMetadata

if TYPE_CHECKING:
    from google.protobuf.message import Message


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


class Accompanied(Protocol):
    """What keeps the circumstances of a fact as they were recorded."""

    @property
    def metadata(self) -> bytes: ...


_SEALED: Final = KEY_NAMES.encode()
"""What bytes that hold a sealed text contain, and hardly any others do."""


def fact_of(stored: Stored) -> Message:
    """The fact in stored bytes, its texts opened.

    Raises:
        KeyError: an event type that this version does not know.
        google.protobuf.message.DecodeError: the bytes are not such a message, or a text in them
            was moved there.
        LogUnavailable: it holds sealed texts, and the keys cannot be read now.
    """
    fact = sealed_fact_of(stored)
    if _SEALED in stored.payload:
        if isinstance(stored, Record):
            check_places(_place(stored), fact)
        open_texts(fact, "payload")
    return fact


def metadata_of(stored: Accompanied) -> EventMetadata:
    """The circumstances in stored bytes, their texts opened.

    Raises:
        google.protobuf.message.DecodeError: the bytes are not such a message, or a text in them
            was moved there.
        LogUnavailable: they hold sealed texts, and the keys cannot be read now.
    """
    return _metadata(stored.metadata, stored if isinstance(stored, Record) else None)


def metadata_in(stored: bytes) -> EventMetadata:
    """The same where the bytes are all that is kept of a record."""
    return _metadata(stored, None)


def _metadata(stored: bytes, of: Record | None) -> EventMetadata:
    metadata = EventMetadata.FromString(stored)
    if _SEALED in stored:
        if of is not None:
            check_places(_place(of), metadata)
        open_texts(metadata, "metadata")
    return metadata


def payload_of(record: Record) -> bytes:
    """The bytes of the fact as they would be stored in the clear; else as `fact_of`."""
    sealed = _SEALED in record.payload
    return fact_of(record).SerializeToString() if sealed else record.payload


def sealed_fact_of(stored: Stored) -> Message:
    """The fact in stored bytes, its texts as they are stored; else as `fact_of`."""
    return EVENT_TYPES[stored.event_type].FromString(stored.payload)


def as_stored(record: Record) -> tuple[Message, EventMetadata]:
    """The fact and the circumstances of a record, their texts as they are stored.

    Takes no keys: for those who have to read no text.

    Raises:
        KeyError: an event type that this version does not know.
        google.protobuf.message.DecodeError: the bytes are not such messages, or a text in them was
            moved there.
    """
    fact, metadata = sealed_fact_of(record), EventMetadata.FromString(record.metadata)
    if _SEALED in record.metadata or _SEALED in record.payload:
        check_places(_place(record), metadata, fact)
    return fact, metadata


def is_sealed(record: Record) -> bool:
    """Whether any text of a record is sealed."""
    if _SEALED not in record.metadata and _SEALED not in record.payload:
        return False
    messages = (sealed_fact_of(record), EventMetadata.FromString(record.metadata))
    return any(held.text.HasField("encrypted") for each in messages for held in texts(each))


def _place(record: Record) -> bytes:
    return place_of(record.stream, record.stream_version, record.event_type)

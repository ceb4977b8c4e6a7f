"""Event types: the messages of `okr.v1.events` by their full names, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eventsourcing.persistence import Mapper, MapperDeserialisationError, StoredEvent
from google.protobuf.message import DecodeError

from ledger.event import EVENT_TYPES, as_stored, fact_of, metadata_of
from ledger.log.errors import DamagedRecord, UnknownEventType
from ledger.log.stored import NotifiedFact, StoredFact
from okr.v1.event_record_pb2 import EventMetadata

if TYPE_CHECKING:
    from collections.abc import Callable

    from eventsourcing.domain import DomainEventProtocol
    from google.protobuf.message import Message

    from ledger.event import Record


def event_type_of(fact: Message) -> str:
    """The name under which a fact is stored.

    Raises:
        UnknownEventType: the message is not an event.
    """
    name: str = fact.DESCRIPTOR.full_name
    if name not in EVENT_TYPES:
        raise UnknownEventType(name)
    return name


def parse_fact(event_type: str, payload: bytes) -> Message:
    """The fact in stored bytes.

    Raises:
        UnknownEventType: no event has this name.
        google.protobuf.message.DecodeError: the bytes are not such a message.
    """
    try:
        message = EVENT_TYPES[event_type]
    except KeyError:
        raise UnknownEventType(event_type) from None
    return message.FromString(payload)


def parse_record(record: Record) -> tuple[Message, EventMetadata]:
    """The fact and the circumstances in a record, their texts opened.

    Raises:
        UnknownEventType: no event has the record's type.
        DamagedRecord: the bytes are not such messages, or a text in them was moved there.
        LogUnavailable: they hold sealed texts, and the keys cannot be read now.
    """
    return _read(record, lambda record: (fact_of(record), metadata_of(record)))


def check_record(record: Record) -> None:
    """Refuses a record that cannot be read; takes no keys.

    Raises:
        UnknownEventType: no event has the record's type.
        DamagedRecord: the bytes are not such messages, or a text in them was moved there.
    """
    _read(record, as_stored)


def _read(
    record: Record, read: Callable[[Record], tuple[Message, EventMetadata]]
) -> tuple[Message, EventMetadata]:
    try:
        return read(record)
    except KeyError:
        raise UnknownEventType(record.event_type) from None
    except DecodeError as error:
        raise DamagedRecord(record.position, record.event_type) from error


@dataclass(frozen=True)
class LedgerEvent:
    """An event as the library's stores hand it out: whose, which, and the fact itself."""

    originator_id: str
    originator_version: int
    fact: Message
    metadata: EventMetadata


class LedgerMapper(Mapper[str]):
    """Between `LedgerEvent` and stored bytes; the library's transcoder and topics play no part."""

    def to_stored_event(self, domain_event: DomainEventProtocol[str]) -> StoredEvent:
        assert isinstance(domain_event, LedgerEvent)
        return StoredFact(
            originator_id=domain_event.originator_id,
            originator_version=domain_event.originator_version,
            topic=event_type_of(domain_event.fact),
            state=domain_event.fact.SerializeToString(),
            metadata=domain_event.metadata.SerializeToString(),
        )

    def to_domain_event(self, stored_event: StoredEvent) -> LedgerEvent:
        metadata = b""
        if isinstance(stored_event, StoredFact | NotifiedFact):
            metadata = stored_event.metadata
        try:
            return LedgerEvent(
                str(stored_event.originator_id),
                stored_event.originator_version,
                parse_fact(stored_event.topic, stored_event.state),
                EventMetadata.FromString(metadata),
            )
        except DecodeError as error:
            place = f"{stored_event.originator_id} at {stored_event.originator_version}"
            raise MapperDeserialisationError(f"{place} is damaged") from error

"""A record of the log, parsed once for all read models."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple, Protocol

from ledger.event import as_stored, fact_of, metadata_of
from ledger.revision import Revision
from ledger.values import recorded_day

if TYPE_CHECKING:
    from datetime import date

    from google.protobuf.message import Message

    from ledger.event import Record
    from ledger.log.contract import Head
    from okr.v1.event_record_pb2 import EventMetadata


class Event(NamedTuple):
    """A record with its two byte strings parsed.

    `effective_day` is the proleptic Gregorian ordinal of the effective date; 1 for a fact that has
    none and holds from the beginning.
    """

    record: Record
    metadata: EventMetadata
    fact: Message
    effective_day: int


class Followed(Protocol):
    """What the read side asks of the log that it follows; see `ledger.log.contract.LogReader`."""

    def head(self) -> Head: ...

    def read(self, after_position: int, limit: int) -> list[Record]: ...


class Kept(Protocol):
    """A row that keeps an event as it was recorded."""

    @property
    def position(self) -> int: ...
    @property
    def event_type(self) -> str: ...
    @property
    def effective(self) -> date: ...
    @property
    def metadata(self) -> bytes: ...
    @property
    def payload(self) -> bytes: ...


def parsed(record: Record) -> Event:
    """The record, parsed, its texts as they are stored.

    Raises:
        LookupError: the type is not an event of `okr.v1`.
        DecodeError, ValueError: bytes that are no such message, a text that was moved there, or no
            day of the calendar.
    """
    fact, metadata = as_stored(record)
    return Event(record, metadata, fact, recorded_day(metadata.effective_date).toordinal())


def opened(record: Record) -> Event:
    """The same, its texts opened.

    Raises:
        LogUnavailable: the keys cannot be read now; else as `parsed`.
    """
    fact, metadata = fact_of(record), metadata_of(record)
    return Event(record, metadata, fact, recorded_day(metadata.effective_date).toordinal())


def revision_of(row: Kept) -> Revision:
    """The row as a revision of its subject."""
    return Revision(row.effective, row.position, fact_of(row))


def digest_of(record: Record) -> bytes:
    """16 bytes that tell a record from any other that might be at its position."""
    header = f"{record.recorded_us} {record.stream_version} {record.stream} {record.event_type}"
    digest = blake2b(header.encode(), digest_size=16)
    # The length keeps ("ab", "c") and ("a", "bc") apart.
    digest.update(b"\n%d\n" % len(record.metadata))
    digest.update(record.metadata)
    digest.update(record.payload)
    return digest.digest()

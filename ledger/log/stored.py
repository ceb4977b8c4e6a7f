"""What the library calls stored events, with the bytes that it has no place for."""

from __future__ import annotations

from dataclasses import dataclass

from eventsourcing.persistence import Notification, StoredEvent


@dataclass(frozen=True)
class StoredFact(StoredEvent):
    """A stored event with the bytes of its metadata beside those of the fact."""

    metadata: bytes = b""


@dataclass(frozen=True)
class NotifiedFact(Notification):
    """A notification with the bytes of its metadata beside those of the fact."""

    metadata: bytes = b""

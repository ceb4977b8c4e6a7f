"""What holds of every event of a log that nobody has altered, whatever is known of it otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.log.errors import DamagedRecord, UnknownEventType
from ledger.log.mapper import check_record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger.event import Record
    from ledger.log.contract import StoredRequest


class Rules:
    """Looks at each event once, in order. Keeps the version of each stream."""

    def __init__(self) -> None:
        self._versions: dict[str, int] = {}
        self._recorded_us = 0

    def broken_by(self, record: Record) -> Iterator[str]:
        """A sentence for each rule: versions without gaps, times in order, readable bytes."""
        where = told_place(record)
        if record.recorded_us < self._recorded_us:
            yield f"{where} was recorded before the one that it follows"
        version = self._versions.get(record.stream, 0) + 1
        if record.stream_version != version:
            yield f"{where} is version {record.stream_version} of its stream, not {version}"
        try:
            check_record(record)
        except (DamagedRecord, UnknownEventType) as fault:
            yield str(fault)
        self._recorded_us = record.recorded_us
        self._versions[record.stream] = record.stream_version


class RequestRules:
    """Looks at each request once, in order of its first event."""

    def __init__(self) -> None:
        self._last_position = 0

    def broken_by(self, request: StoredRequest, head: int) -> Iterator[str]:
        """A sentence where its events are not there, or are another request's too."""
        first, last = request.first_position, request.last_position
        if not self._last_position < first <= last <= head:
            yield f"the request of events {first} to {last} does not fit those of the ledger"
        self._last_position = max(self._last_position, last)


def told_place(record: Record) -> str:
    """The event, for people."""
    return f"event {record.position} ({record.event_type} of {record.stream})"

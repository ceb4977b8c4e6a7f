"""Whether a log is what it should be: every event in its place, and every one readable."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, Protocol

from ledger.log.errors import DamagedRecord, UnknownEventType
from ledger.log.mapper import parse_record

if TYPE_CHECKING:
    from ledger.event import Record
    from ledger.log.contract import Head

PAGE: Final = 5_000


class Log(Protocol):
    """What a check reads; see `ledger.log.contract.LogReader`."""

    def head(self) -> Head: ...

    def read(self, after_position: int, limit: int) -> list[Record]: ...


def faults(log: Log, on_page: Callable[[int], object] = lambda _: None) -> Iterator[str]:
    """A sentence for each fault, in order of position, from the first event to the present head.

    Positions and stream versions have no gaps, recorded times never decrease, and payload and
    metadata are messages of this version. `on_page` gets each position up to which all is read.
    Costs one read of the log, and memory by the number of streams.
    """
    head = log.head().position
    versions: dict[str, int] = {}
    position = recorded_us = 0
    while position < head:
        records = log.read(position, min(PAGE, head - position))
        if not records:
            yield f"positions {position + 1} to {head} are missing"
            return
        for record in records:
            where = f"event {record.position} ({record.event_type} of {record.stream})"
            if record.position != position + 1:
                yield f"positions {position + 1} to {record.position - 1} are missing"
            if record.recorded_us < recorded_us:
                yield f"{where} was recorded before the one that it follows"
            version = versions.get(record.stream, 0) + 1
            if record.stream_version != version:
                yield f"{where} is version {record.stream_version} of its stream, not {version}"
            try:
                parse_record(record)
            except (DamagedRecord, UnknownEventType) as fault:
                yield str(fault)
            position, recorded_us = record.position, record.recorded_us
            versions[record.stream] = record.stream_version
        on_page(position)

"""Check-ins as the records of their objective's stream tell them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ledger.check_ins import CheckIn, folded
from ledger.event import Record, fact_of
from ledger.key_results import KeyResult
from ledger.objectives import stream_of
from ledger.values import recorded_day
from okr.v1 import events_pb2 as facts
from okr.v1.event_record_pb2 import EventMetadata

CHECK_IN_FACTS = {
    message.DESCRIPTOR.full_name: message
    for message in (facts.CheckInRecorded, facts.CheckInCorrected, facts.CheckInRetracted)
}
_RECORDED = facts.CheckInRecorded.DESCRIPTOR.full_name

Read = Callable[[str, int, int], Sequence[Record]]
"""Reads the records of a stream after a version, exclusive, and up to one, inclusive."""


@dataclass(frozen=True, slots=True)
class Found:
    """A check-in, and the records that it was read from: its own, then its last correction's."""

    check_in: CheckIn
    records: Sequence[Record]


def find(read: Read, key_result: KeyResult, number: int) -> Found | None:
    """A check-in as it is now; None if there is none of that number.

    Reads no more than `places.STRIDE` records and that of its last correction.
    """
    if not 1 <= number <= key_result.check_in_count:
        return None
    name, places = key_result.name, key_result.places
    stream = stream_of(name)
    first, last = places.span(number)
    around = read(stream, first - 1, last)
    records = [next(record for record in around if _records(record, name, number))]
    if corrected := places.corrected.get(number):
        records += read(stream, corrected - 1, corrected)
    check_in = check_ins_of(records, name)[number]
    return Found(check_in._replace(retracted=number in places.retracted), records)


def check_ins_of(records: Iterable[Record], key_result: str) -> dict[int, CheckIn]:
    """A key result's check-ins by number, from the records of its objective's stream."""
    return by_key_result(records).get(key_result, {})


def by_key_result(records: Iterable[Record]) -> dict[str, dict[int, CheckIn]]:
    """The check-ins of each key result by number, from the records of their objective's stream."""
    known: dict[str, dict[int, CheckIn]] = {}
    for record in records:
        if record.event_type in CHECK_IN_FACTS:
            fact: Any = fact_of(record)
            effective = EventMetadata.FromString(record.metadata).effective_date
            own = known.setdefault(fact.key_result, {})
            folded(own, fact, recorded_day(effective), record.position)
    return known


def _records(record: Record, key_result: str, number: int) -> bool:
    """Whether a record is the original one of a check-in."""
    if record.event_type != _RECORDED:
        return False
    fact = facts.CheckInRecorded.FromString(record.payload)
    return fact.number == number and fact.key_result == key_result

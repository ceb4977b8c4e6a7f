"""When a replay's frames are: which day each is of, what was known then, what had happened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from ledger.context import day_in
from ledger.values import recorded_day
from okr.v1.event_record_pb2 import EventMetadata
from okr.v1.replay_service_pb2 import ReplayStep

if TYPE_CHECKING:
    from ledger.event import Record

WEEK = timedelta(days=7)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Moment:
    """A frame to be made: its day, the position known then and when, the events since the last."""

    day: date
    position: int
    known_us: int
    happened: Sequence[Record]


@dataclass(frozen=True, slots=True)
class Told:
    """An event that bears on a cycle.

    `us` is when it was known, µs since 1970 UTC, never earlier than that of the event before;
    `day` that day in the cycle's time zone; `effective` the day from which it holds; `shown`
    whether it is told of and not only counted.
    """

    record: Record
    us: int
    day: date
    effective: date
    shown: bool


@dataclass(frozen=True, slots=True)
class Days:
    """The days that a replay goes over: the cycle's first, the replay's first and last.

    With `to_present` the last frame takes in what became known or held after its day, too.
    """

    of_cycle: date
    first: date
    last: date
    to_present: bool

    def are_up(self, event_day: date, frame_day: date) -> bool:
        """Whether a frame of a day takes in an event of another."""
        return event_day <= frame_day or (self.to_present and frame_day == self.last)

    def ends(self, step: ReplayStep.ValueType) -> Iterator[date]:
        """The day that each frame ends with."""
        length = WEEK if step == ReplayStep.REPLAY_STEP_WEEK else DAY
        end = self.of_cycle + length - DAY
        while end < self.last:
            if end >= self.first:
                yield end
            end += length
        yield self.last


def told(records: Sequence[Record], shown: set[int], time_zone: str) -> list[Told]:
    """The events with when each was known; `shown` are positions.

    Teams may be older in the ledger's time than a quarter that is imported for them: what is
    recorded of teams never puts off what comes after it.
    """
    found: list[Told] = []
    own = [_own_us(record) for record in records]
    later = _next_of_plan(records, own)
    known_us = 0
    for record, us, next_us in zip(records, own, later, strict=True):
        known_us = max(known_us, min(us, next_us) if _is_of_team(record) else us)
        metadata = EventMetadata.FromString(record.metadata)
        day = day_in(time_zone, known_us)
        effective = recorded_day(metadata.effective_date)
        if not metadata.HasField("effective_date"):
            effective = day
        found.append(Told(record, known_us, day, effective, record.position in shown))
    return found


def _own_us(record: Record) -> int:
    """When an event was known: its source's time, if it was imported, or the ledger's own."""
    metadata = EventMetadata.FromString(record.metadata)
    if not metadata.HasField("source_time"):
        return record.recorded_us
    source = metadata.source_time
    return min(source.seconds * 1_000_000 + source.nanos // 1000, record.recorded_us)


def _next_of_plan(records: Sequence[Record], own: Sequence[int]) -> list[int]:
    """For each event when the next one that is not a team's was known; its own after the last."""
    found: list[int] = []
    next_us: int | None = None
    for record, us in zip(reversed(records), reversed(own), strict=True):
        found.append(us if next_us is None else next_us)
        if not _is_of_team(record):
            next_us = us
    return found[::-1]


def _is_of_team(record: Record) -> bool:
    return record.stream.startswith("teams/")


def as_known_then(
    events: Sequence[Told], days: Days, step: ReplayStep.ValueType
) -> Iterator[Moment]:
    """A moment at the end of each day, by what was known then."""
    taken = 0
    for day in days.ends(step):
        start = taken
        while taken < len(events) and days.are_up(events[taken].day, day):
            taken += 1
        if taken:
            last = events[taken - 1]
            since = [event.record for event in events[start:taken] if event.shown]
            yield Moment(day, last.record.position, last.us, since)


def as_known_now(
    events: Sequence[Told], days: Days, step: ReplayStep.ValueType
) -> Iterator[Moment]:
    """A moment at the end of each day, by all that is known; events by their effective days."""
    by_day = sorted((event for event in events if event.shown), key=lambda event: event.effective)
    taken = 0
    for day in days.ends(step):
        start = taken
        while taken < len(by_day) and days.are_up(by_day[taken].effective, day):
            taken += 1
        since = sorted(by_day[start:taken], key=lambda event: event.record.position)
        last = events[-1]
        yield Moment(day, last.record.position, last.us, [event.record for event in since])


def of_each_event(events: Sequence[Told], days: Days) -> Iterator[Moment]:
    """A moment just after each event that is shown, of the day on which it was known."""
    before: list[Record] = []
    for event in events:
        if not event.shown or not days.are_up(event.day, days.last):
            continue
        before.append(event.record)
        if event.day >= days.first or event is events[-1]:
            day = min(max(event.day, days.of_cycle), days.last)
            yield Moment(day, event.record.position, event.us, before)
            before = []

"""A log in memory, written by hand, and the views beside it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from ledger.event import Record
from ledger.log.contract import Epoch, Head, LogIdentity
from ledger.values import date_message
from okr.v1 import events_pb2 as facts
from okr.v1.event_record_pb2 import EventMetadata
from okr.v1.values_pb2 import (
    AlignmentKind,
    KeyResultDefinition,
    Measurement,
    ObjectiveDefinition,
    PersonalText,
)
from projections.store.database import CATALOGUE, reader, writer
from projections.store.tables import TABLES
from projections.store.views import Views
from tests.support.databases import ledger

if TYPE_CHECKING:
    from pathlib import Path

    from google.protobuf.message import Message
    from sqlalchemy import Engine

DAY = date(2026, 10, 1)
START_US = 1_790_000_000_000_000


@dataclass
class Feed:
    """Events recorded one second apart; `break_at` hides later ones from readers."""

    log_id: str = "9e107d9d-372b-4cb6-a1f3-000000000001"
    epoch: int = 1
    records: list[Record] = field(default_factory=list)
    begun_us: dict[int, int] = field(default_factory=dict)
    reads: int = 0

    def identity(self) -> LogIdentity:
        return LogIdentity(self.log_id, self.epoch)

    def epochs(self) -> list[Epoch]:
        return [
            Epoch(self.log_id, epoch, self.begun_us.get(epoch, START_US))
            for epoch in range(1, self.epoch + 1)
        ]

    def position_at(self, recorded_us: int) -> int:
        return sum(record.recorded_us <= recorded_us for record in self.records)

    def head(self) -> Head:
        return Head(len(self.records), self.records[-1].recorded_us if self.records else 0)

    def read(self, after_position: int, limit: int) -> list[Record]:
        self.reads += 1
        return self.records[after_position : after_position + limit]

    def add(
        self, fact: Message, *, day: date | None = DAY, adjustment: str = "", stream: str = ""
    ) -> int:
        """Records a fact and returns its position."""
        metadata = EventMetadata(
            actor=PersonalText(plain="ann"),
            adjustment=adjustment,
            effective_date=date_message(day) if day else None,
        )
        return self.add_bytes(
            fact.DESCRIPTOR.full_name,
            fact.SerializeToString(),
            metadata.SerializeToString(),
            stream,
        )

    def add_bytes(
        self, event_type: str, payload: bytes, metadata: bytes = b"", stream: str = "any"
    ) -> int:
        position = len(self.records) + 1
        self.records.append(
            Record(
                position,
                stream,
                1 + sum(record.stream == stream for record in self.records[-50:]),
                event_type,
                START_US + position * 1_000_000,
                metadata,
                payload,
            )
        )
        return position

    def check_in(
        self, key_result: str, number: int, day: date, value: int = 0, second: int | None = None
    ) -> int:
        """Records a check-in, with an instant if a second of the day is given."""
        fact = facts.CheckInRecorded(
            key_result=key_result, number=number, measurement=Measurement(value=str(value))
        )
        return self.add(with_instant(fact, day, second), day=day)

    def correct(
        self, key_result: str, number: int, day: date, value: int = 0, second: int | None = None
    ) -> int:
        """Corrects a check-in."""
        fact = facts.CheckInCorrected(
            key_result=key_result, number=number, measurement=Measurement(value=str(value))
        )
        return self.add(with_instant(fact, day, second), day=day)

    def retract(self, key_result: str, number: int, day: date = DAY) -> int:
        """Takes a check-in back."""
        return self.add(facts.CheckInRetracted(key_result=key_result, number=number), day=day)


def with_instant(fact: Any, day: date, second: int | None) -> Any:
    """The fact with its instant on a second of the day in UTC, None for no instant."""
    if second is not None:
        fact.instant.FromSeconds((day - date(1970, 1, 1)).days * 86_400 + second)
    return fact


def views_beside(folder: Path, feed: Feed, **options: Any) -> Views:
    """The views of a feed, beside the ledger of a folder."""
    return Views(ledger(folder), feed.identity(), **options)


def serving_from_the_start(folder: Path, feed: Feed, **options: Any) -> Views:
    """Views whose tables serve at position 0, so that a follower takes each event in by batches."""
    views = views_beside(folder, feed, **options)
    with closing(views.build(Feed(feed.log_id, feed.epoch))) as building:
        building.switch()
    return views


def serving_number(folder: Path) -> int:
    """The number of the newest generation that serves."""
    engine = reader(ledger(folder), CATALOGUE)
    with engine.connect() as connection:
        query = "SELECT max(number) FROM generations WHERE state = 'serving'"
        number: int = connection.execute(text(query)).scalar_one()
    engine.dispose()
    return number


def tables(folder: Path) -> Engine:
    """The tables of the newest generation that serves, to be written to by force."""
    return writer(ledger(folder), serving_number(folder))


def dump(folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table that serves, in order."""
    engine = reader(ledger(folder), serving_number(folder))
    with engine.connect() as connection:
        found = {
            name: sorted(tuple(row) for row in connection.execute(text(f"SELECT * FROM {name}")))
            for name in TABLES.tables
        }
    engine.dispose()
    return found


def quarter(feed: Feed, check_ins: int = 40) -> Feed:
    """Fills a feed with every kind of event that has a table of its own."""
    cycle, team, other = "cycles/q4", "teams/marketing", "teams/sales"
    one, two = "objectives/awareness", "objectives/revenue"
    feed.add(facts.CycleDrafted(cycle=cycle))
    feed.add(facts.TeamRegistered(team=team), day=None)
    feed.add(facts.TeamRegistered(team=other), day=None)
    for objective in (one, two):
        feed.add(
            facts.ObjectiveCreated(
                objective=objective, cycle=cycle, definition=ObjectiveDefinition(team=team)
            )
        )
        feed.add(
            facts.KeyResultAdded(
                key_result=f"{objective}/keyResults/first",
                definition=KeyResultDefinition(title="first"),
            )
        )
    feed.add(
        facts.Aligned(
            child=two, parent=one, kind=AlignmentKind.ALIGNMENT_KIND_CONTRIBUTES, weight="1"
        )
    )
    feed.add(facts.PlanCommitted(cycle=cycle))
    for number in range(1, check_ins + 1):
        for objective in (one, two):
            key_result = f"{objective}/keyResults/first"
            day = date.fromordinal(DAY.toordinal() + number % 80)
            feed.check_in(key_result, number, day, number)
            if number % 7 == 0:
                feed.correct(key_result, number - 1, day, number)
            if number % 11 == 0:
                feed.retract(key_result, number - 2)
    feed.add(facts.StrategyAdjusted(adjustment="adjustments/a", cycle=cycle, subjects=[one]))
    feed.add(
        facts.KeyResultRevised(key_result=f"{one}/keyResults/first"), adjustment="adjustments/a"
    )
    moved = facts.ObjectiveRevised(objective=two, after=ObjectiveDefinition(team=other))
    moved.changed.paths.append("team")
    feed.add(moved, adjustment="adjustments/a")
    feed.add(facts.ReviewHeld(review="reviews/r", cycle=cycle), day=None)
    feed.add(facts.LessonRecorded(cycle=cycle, number=1), day=None)
    closing = feed.add(facts.CycleClosing(cycle=cycle))
    feed.add(facts.CycleSealed(cycle=cycle, number=1, closing_position=closing))
    feed.add(facts.AmendmentRecorded(cycle=cycle, number=1, seal=1, subject=one), day=None)
    feed.add(facts.CycleReopened(cycle=cycle, seal=1))
    carried = facts.KeyResultCarriedOver(
        key_result=f"{two}/keyResults/more", continued_from=f"{one}/keyResults/first"
    )
    feed.add(carried)
    return feed

"""Ledgers with a history: quarter after quarter, each planned through decisions and checked in on.

Every quarter has the same shape, so that the same read costs the same in any of them. Realistic
ledgers are made by `benchmarks.generate`.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from google.type.date_pb2 import Date

from benchmarks.quarter import Plan
from benchmarks.writing import ACTOR, Writer, instant_us
from ledger.log.contract import EncodedEvent
from ledger.log.database import Database
from ledger.log.opening import open_log
from okr.v1.event_record_pb2 import EventMetadata
from okr.v1.events_pb2 import CheckInRecorded
from projections.following.follower import Follower
from projections.store.views import Views

DAYS = 91
FIRST_DAY = date(1990, 1, 1)


@dataclass(frozen=True, slots=True)
class Quarter:
    """A cycle of a history, and the positions from its plan commitment to its last check-in."""

    cycle: str
    first_position: int
    last_position: int


@dataclass(frozen=True, slots=True)
class Shape:
    """A history: so many quarters of so many objectives, and the events of each quarter.

    `requests` as of `benchmarks.writing.Writer`.
    """

    quarters: int
    events_each: int
    objectives: int = 25
    key_results: int = 4
    requests: bool = False


def write_history(
    folder: Path, shape: Shape, on_events: Callable[[int], None]
) -> tuple[str, list[Quarter]]:
    """Makes a ledger and its read models in a folder; gives its database URL and its quarters.

    `on_events` is told how many events are written.
    """
    folder.mkdir(exist_ok=True)
    url = f"sqlite:///{folder.resolve() / 'okr-ledger.db'}"
    return url, write_ledger(Database(url), shape, on_events)


def write_ledger(
    database: Database, shape: Shape, on_events: Callable[[int], None]
) -> list[Quarter]:
    """The same in any database that holds no ledger yet; gives the quarters."""
    with closing(open_log(database)) as log:
        writer = Writer(log, shape.requests)
        quarters = []
        for number in range(shape.quarters):
            first_day = FIRST_DAY + timedelta(days=DAYS * number)
            plan = Plan(
                f"q{number:03}",
                first_day,
                first_day + timedelta(days=DAYS - 1),
                shape.objectives,
                shape.key_results,
            )
            quarters.append(_write_quarter(writer, plan, shape.events_each))
            on_events(quarters[-1].last_position)
        with closing(Views(database, log.identity())) as views:
            Follower(log, views).catch_up()
    return quarters


def _write_quarter(writer: Writer, plan: Plan, events: int) -> Quarter:
    began = writer.position
    writer.decide(plan.requests(), ACTOR, instant_us(plan.first_day))
    committed = writer.position
    for day, event in _check_ins(plan, events - (committed - began)):
        writer.add(event, instant_us(day))
    writer.forget()
    return Quarter(f"cycles/{plan.name}", committed, writer.position)


def _check_ins(plan: Plan, count: int) -> Iterator[tuple[date, EncodedEvent]]:
    """So many check-ins on the key results in turn, spread over the days of the cycle."""
    key_results = list(plan.key_result_names())
    for number in range(count):
        key_result = key_results[number % len(key_results)]
        turn = number // len(key_results)
        day = plan.first_day + timedelta(days=DAYS * number // count)
        fact = CheckInRecorded(key_result=key_result, number=turn + 1, confidence=turn % 11)
        fact.measurement.value = f"{turn % 120}.{number % 7}"
        metadata = EventMetadata(effective_date=Date(year=day.year, month=day.month, day=day.day))
        metadata.actor.plain = ACTOR
        stream = key_result.partition("/keyResults/")[0]
        yield (
            day,
            EncodedEvent(
                stream,
                fact.DESCRIPTOR.full_name,
                metadata.SerializeToString(),
                fact.SerializeToString(),
            ),
        )

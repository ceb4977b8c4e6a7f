"""Ledgers with a history: quarter after quarter, each planned through decisions and checked in on.

Plans are decided as the service decides them. Check-ins, of which there are most, go to the log as
it takes them, a thousand to a transaction.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path

from google.type.date_pb2 import Date

from benchmarks.quarter import Plan
from ledger.call import Caller
from ledger.log.contract import Accepted, Append, EncodedEvent, EventLog
from ledger.log.database import Database
from ledger.log.lane import WriteLane
from ledger.log.sqlite import open_log
from ledger.model import Domain
from ledger.objectives import stream_of
from ledger.rpc import LedgerRpc
from ledger.tokens import Tokens
from okr.v1.event_record_pb2 import EventMetadata
from okr.v1.events_pb2 import CheckInRecorded
from projections.follower import Follower
from projections.views import Views

DAYS = 91
BATCH = 1_000
ACTOR = "services/bench"
FIRST_DAY = date(1990, 1, 1)


@dataclass(frozen=True, slots=True)
class Quarter:
    """A cycle of a history, and the positions from its plan commitment to its last check-in."""

    cycle: str
    first_position: int
    last_position: int


@dataclass(frozen=True, slots=True)
class Shape:
    """A history: so many quarters of so many objectives, and the events of each quarter."""

    quarters: int
    events_each: int
    objectives: int = 25
    key_results: int = 4


def write_history(
    folder: Path, shape: Shape, on_events: Callable[[int], None]
) -> tuple[str, list[Quarter]]:
    """Makes a ledger and its read models in a folder; gives its database URL and its quarters.

    `on_events` is told how many events are written.
    """
    folder.mkdir(exist_ok=True)
    file = folder / "okr-ledger.db"
    url = f"sqlite:///{file.resolve()}"
    with closing(open_log(file)) as log:
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
            quarters.append(_write_quarter(log, plan, shape.events_each))
            on_events(quarters[-1].last_position)
        with closing(Views(Database(url), log.identity())) as views:
            Follower(log, views).catch_up()
    return url, quarters


def _write_quarter(log: EventLog, plan: Plan, events: int) -> Quarter:
    began = log.head().position
    committed = _commit(log, plan)
    check_ins = _check_ins(plan, events - (committed - began))
    versions = {
        stream: log.read_stream(stream)[-1].stream_version
        for stream in dict.fromkeys(map(stream_of, plan.key_result_names()))
    }
    position = committed
    while batch := list(islice(check_ins, BATCH)):
        day, _ = batch[-1]
        made = [event for _, event in batch]
        touched = {event.stream for event in made}
        guards = {stream: versions[stream] for stream in touched}
        (outcome,) = log.append_batch([Append(made, guards)], _noon_us(day))
        assert isinstance(outcome, Accepted)
        position = outcome.last_position
        for event in made:
            versions[event.stream] += 1
    return Quarter(f"cycles/{plan.name}", committed, position)


def _commit(log: EventLog, plan: Plan) -> int:
    """Decides the plan on its first day; the position of its commitment."""
    domain = Domain()
    lane = WriteLane(log, domain, domain, clock=lambda: _noon_us(plan.first_day))
    rpc = LedgerRpc(log, Tokens(log.identity().log_id, 1))
    for request in plan.requests():
        lane.add(rpc.command(request, Caller(ACTOR), None))
    while lane.waiting:
        for _, outcome in lane.run():
            if isinstance(outcome, Exception):
                raise outcome
    return lane.last_position


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


def _noon_us(day: date) -> int:
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    return int(noon.timestamp()) * 1_000_000

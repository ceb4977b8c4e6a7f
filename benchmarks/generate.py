"""`python -m benchmarks.generate --events 10_000_000 --seed 7 FILE`: a realistic ledger.

Quarter after quarter an organisation plans, checks in day by day, late at times, corrects itself,
adjusts its plan in the middle and grades at the end. All that people decide is decided as the
service decides it; check-ins, of which there are most, are written as it would have written them, a
thousand to a transaction. Its read models are not made: a server makes them when it starts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from math import ceil
from pathlib import Path
from random import Random
from typing import Annotated

import typer
from google.protobuf.message import Message
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from benchmarks.organisation import (
    KEY_RESULTS_A_TEAM,
    Habits,
    Measured,
    Organisation,
    Quarter,
    date_of,
    quarters,
)
from benchmarks.writing import Writer, instant_us
from ledger.log.contract import EncodedEvent, EventLog
from ledger.log.database import POSTGRES, SQLITE, Database
from ledger.log.opening import open_log
from okr.v1 import ledger_service_pb2 as api
from okr.v1 import values_pb2 as values
from okr.v1.event_record_pb2 import EventMetadata
from okr.v1.events_pb2 import CheckInRecorded

FIRST_YEAR = 2000
QUARTERS = 4
"""How many quarters a ledger spans unless told otherwise."""

FACILITATOR = "people/facilitator"
HOURS = range(24)
PEOPLE_AT = range(8, 18)
ADJUSTING_WEEKS = range(5, 10)
FRIDAY = 4
LATE_DAYS = (1, 5)
NOTED = 0.1
"""The share of people's check-ins that say more than a number."""

RECORDED = CheckInRecorded.DESCRIPTOR.full_name
REASONS = (
    (values.CATEGORY_MARKET_CHANGE, "the market moved"),
    (values.CATEGORY_CAPACITY, "two people left the team"),
    (values.CATEGORY_LEARNING, "the first weeks taught us better"),
)


@dataclass(slots=True)
class Generator:
    """Writes quarters of an organisation into an empty log.

    Two generators with the same organisation and seed write the same events.
    """

    log: EventLog
    organisation: Organisation
    events: int
    on_events: Callable[[int], object]
    first_year: int = FIRST_YEAR
    _writer: Writer = field(init=False)
    _late: dict[date, list[tuple[Measured, date]]] = field(default_factory=dict)
    _mistakes: list[Message] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._writer = Writer(self.log)

    def run(self) -> list[Quarter]:
        """Writes until the log has the events, or a decision's few more; gives the quarters.

        Raises:
            ValueError: it would take quarters that lie in the future.
        """
        written: list[Quarter] = []
        for quarter in quarters(self.first_year):
            if self._full:
                return written
            written.append(quarter)
            self._plan(quarter, founding=len(written) == 1)
            day = quarter.first_day
            while day <= quarter.last_day and not self._full:
                self._day(quarter, day)
                day += timedelta(days=1)
            self._writer.forget()
            self._late.clear()
            self.on_events(self._writer.position)
        if not self._full:
            raise ValueError("the organisation is too small for that many events; give more teams")
        return written

    @property
    def _full(self) -> bool:
        return self._writer.position >= self.events

    def _plan(self, quarter: Quarter, *, founding: bool) -> None:
        now_us = instant_us(quarter.first_day, 0)
        if founding:
            self._writer.decide(self.organisation.founding(), FACILITATOR, now_us)
        self._writer.decide(self.organisation.plan(quarter), FACILITATOR, now_us)

    def _day(self, quarter: Quarter, day: date) -> None:
        for hour, measured, effective in self._due(quarter, day):
            if self._full:
                return
            self._check_in(quarter, measured, day, hour, effective)
        if day.weekday() == FRIDAY and not self._full:
            self._friday(quarter, day)
        if day == quarter.last_day and not self._full:
            self._grade(quarter, day)
        self.on_events(self._writer.position)

    def _due(self, quarter: Quarter, day: date) -> Iterator[tuple[int, Measured, date]]:
        """Who reports in which hour of a day, and of which day."""
        chance, habits = self.organisation.chance, self.organisation.habits
        fed = [each for each in quarter.measured if each.fed and not each.closed]
        people: dict[int, list[tuple[Measured, date]]] = {}
        for entry in self._late.pop(day, []):
            people.setdefault(chance.choice(PEOPLE_AT), []).append(entry)
        for each in quarter.measured:
            if each.fed or each.weekday != day.weekday() or chance.random() > each.diligence:
                continue
            if chance.random() < habits.late:
                entered = day + timedelta(days=chance.randint(*LATE_DAYS))
                self._late.setdefault(entered, []).append((each, day))
            else:
                people.setdefault(chance.choice(PEOPLE_AT), []).append((each, day))
        for hour in HOURS:
            for each in fed:
                yield hour, each, day
            for each, effective in people.get(hour, []):
                if not each.closed:
                    yield hour, each, effective

    def _check_in(
        self, quarter: Quarter, measured: Measured, day: date, hour: int, effective: date
    ) -> None:
        chance, habits = self.organisation.chance, self.organisation.habits
        measured.check_ins += 1
        share = quarter.share(effective)
        fact = CheckInRecorded(
            key_result=measured.name,
            number=measured.check_ins,
            measurement=measured.measurement(share, chance),
        )
        if measured.fed:
            fact.instant.seconds = instant_us(day, hour) // 1_000_000
        else:
            fact.confidence = max(0, min(10, round(10 * measured.pace + chance.gauss(0, 1))))
            if chance.random() < NOTED:
                fact.note.plain = f"Week {quarter.week(effective)}: as planned"
            luck = chance.random()
            name = f"{measured.name}/checkIns/{measured.check_ins}"
            if luck < habits.retracted:
                reason = "entered for another key result"
                self._mistakes.append(api.RetractCheckInRequest(name=name, reason=reason))
            elif luck < habits.retracted + habits.corrected and measured.kind != "steps":
                self._mistakes.append(_correction(name, fact.measurement))
        metadata = _metadata(measured.actor, effective)
        event = EncodedEvent(measured.objective, RECORDED, metadata, fact.SerializeToString())
        self._writer.add(event, instant_us(day, hour))

    def _friday(self, quarter: Quarter, day: date) -> None:
        """The week's mistakes are put right, and in the middle of the quarter plans change."""
        mistakes, self._mistakes = self._mistakes, []
        self._writer.decide(mistakes, FACILITATOR, instant_us(day, 23))
        week = quarter.week(day)
        if week in ADJUSTING_WEEKS:
            adjustments = list(self._adjustments(quarter, week))
            self._writer.decide(adjustments, FACILITATOR, instant_us(day, 23.5))

    def _adjustments(self, quarter: Quarter, week: int) -> Iterator[Message]:
        chance = self.organisation.chance
        likely = self.organisation.habits.adjusting / len(ADJUSTING_WEEKS)
        # The key results added now are not measured yet, and are not adjusted again.
        of_objective: dict[str, list[Measured]] = {}
        for each in quarter.measured:
            if not each.closed:
                of_objective.setdefault(each.objective, []).append(each)
        for team, objectives in quarter.objectives.items():
            if chance.random() >= likely:
                continue
            category, reason = chance.choice(REASONS)
            request = api.AdjustStrategyRequest(
                adjustment_id=f"{quarter.name}-w{week:02}-{team.partition('/')[2]}",
                cycle=quarter.cycle,
                title=f"Week {week}",
                reason=reason,
                category=category,
            )
            for objective in objectives:
                if standing := of_objective.get(objective):
                    self._adjust(quarter, request, chance.choice(standing))
            if request.changes:
                yield request

    def _adjust(
        self, quarter: Quarter, request: api.AdjustStrategyRequest, measured: Measured
    ) -> None:
        """Adds a change of one objective: another target, a key result more or one less."""
        chance = self.organisation.chance
        change = request.changes.add()
        luck = chance.random()
        if luck < 0.2:
            number = sum(each.objective == measured.objective for each in quarter.measured) + 50
            added, asked = self.organisation.key_result(measured.objective, number)
            quarter.measured.append(added)
            change.add_key_result.parent = measured.objective
            change.add_key_result.key_result_id = asked.key_result_id
            change.add_key_result.definition.CopyFrom(asked.definition)
        elif luck < 0.4 or measured.kind not in ("rise", "sum"):
            measured.closed = True
            change.drop_key_result.name = measured.name
        else:
            revised = change.revise_key_result
            revised.name = measured.name
            measured.target = round(measured.target * 1.1) + 1
            revised.definition.target = str(measured.target)
            revised.update_mask.paths.extend(["target", "target_change_percent"])

    def _grade(self, quarter: Quarter, day: date) -> None:
        chance, habits = self.organisation.chance, self.organisation.habits
        grades = []
        for objectives in quarter.objectives.values():
            for objective in objectives:
                if chance.random() < habits.graded:
                    grade = api.GradeObjectiveRequest(name=objective)
                    if chance.random() < 0.1:
                        grade.override_score = "0.7"
                        grade.reason = "the launch counts for more than its numbers"
                    grades.append(grade)
        self._writer.decide(grades, FACILITATOR, instant_us(day, 23.9))


def organisation_for(events: int, seed: int, habits: Habits, quarters_spanned: int) -> Organisation:
    """One that makes about so many events in so many quarters."""
    by_people, by_services = 10, 91 * 24
    each = by_people + habits.fed * by_services
    teams = max(2, ceil(events / quarters_spanned / each / KEY_RESULTS_A_TEAM))
    return Organisation(teams, habits, Random(seed))


def generate(
    database: Database,
    events: int,
    seed: int,
    *,
    habits: Habits | None = None,
    teams: int | None = None,
    first_year: int = FIRST_YEAR,
    on_events: Callable[[int], object] = lambda _: None,
) -> list[Quarter]:
    """Makes a ledger in an empty database; gives its quarters.

    Raises:
        LogError: the log cannot be opened.
        ValueError: it has events already, or the organisation is too small.
    """
    organisation = organisation_for(events, seed, habits or Habits(), QUARTERS)
    organisation.teams = teams or organisation.teams
    with closing(open_log(database)) as log:
        if log.head().position:
            raise ValueError(f"{database!s} has events already")
        return Generator(log, organisation, events, on_events, first_year).run()


def main(
    place: Annotated[str, typer.Argument(metavar="FILE|URL", help="A new file, or postgresql://…")],
    events: Annotated[str, typer.Option(help="How many, e.g. 10_000_000.")] = "1_000_000",
    seed: Annotated[int, typer.Option(help="Another one makes another ledger.")] = 1,
    teams: Annotated[int | None, typer.Option(help="What four quarters take if not given.")] = None,
    fed: Annotated[float, typer.Option(help="Share of key results reported on hourly.")] = 0.05,
) -> None:
    """Makes a realistic ledger: teams, plans, check-ins, corrections, adjustments and grades."""
    wanted = int(events)
    url = place if place.startswith(POSTGRES) else f"{SQLITE}{Path(place).resolve()}"
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress:
        task = progress.add_task("events", total=wanted)
        generate(
            Database(url),
            wanted,
            seed,
            habits=Habits(fed=fed),
            teams=teams,
            on_events=lambda position: progress.update(task, completed=position),
        )


def _correction(name: str, before: values.Measurement) -> Message:
    """A value that was entered wrongly: a little more was meant."""
    request = api.CorrectCheckInRequest(name=name, note="a digit was wrong")
    if before.value in ("0", "1"):
        request.measurement.value = "1" if before.value == "0" else "0"
    else:
        request.measurement.value = f"{before.value.partition('.')[0]}.5"
        if request.measurement == before:
            request.measurement.value = before.value.partition(".")[0]
    return request


@lru_cache(maxsize=4_096)
def _metadata(actor: str, effective: date) -> bytes:
    metadata = EventMetadata(effective_date=date_of(effective))
    metadata.actor.plain = actor
    return metadata.SerializeToString()


if __name__ == "__main__":
    typer.run(main)

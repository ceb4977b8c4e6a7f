"""Cycles: time boxes with a scoring policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache
from importlib.resources import files

from ledger import refusals
from ledger.context import Context
from ledger.policies import expanded
from ledger.refusals import invalid
from ledger.revision import Revision, difference, etag, in_order, merged, wanted
from ledger.values import blank, date_message, plain, recorded_day
from ledger.values import day as calendar_day
from okr.v1 import events_pb2 as facts
from okr.v1 import resources_pb2 as resources
from okr.v1.ledger_service_pb2 import CommitPlanRequest, CreateCycleRequest, UpdateCycleRequest
from okr.v1.values_pb2 import Cadence, CycleDefinition, CycleState, ScoringPolicy

LONGEST = timedelta(days=1100)
"""The longest time box: three years and a little."""

EARLIEST, LATEST = date(1971, 1, 1), date(9000, 1, 1)
"""The days between which cycles lie, so that every day and instant about them can be told."""

_FIXED_BY_THE_PLAN = ("first_day", "last_day", "time_zone")


@dataclass(frozen=True, slots=True)
class Cycle:
    """A cycle as its revisions make it; `plan_position` is 0 before plan commitment.

    `closing_position` is that of the latest closing and `seal` the number of the latest seal, 0
    before the first. `amendments` and `lessons` are how many there are of each.
    """

    name: str
    revisions: tuple[Revision, ...]
    definition: CycleDefinition
    state: CycleState.ValueType
    plan_position: int
    plan_date: date | None
    first_day: date
    last_day: date
    closing_position: int = 0
    seal: int = 0
    amendments: int = 0
    lessons: int = 0

    @property
    def committed(self) -> bool:
        """Whether the plan is committed, so that changes need a reason."""
        return self.state != CycleState.CYCLE_STATE_DRAFT

    @property
    def last_check_in_day(self) -> date:
        """The last day that a check-in may hold on: the cycle's last and its grace."""
        return self.last_day + timedelta(days=self.definition.grace_days)

    @property
    def etag(self) -> str:
        """Changes with every revision."""
        return etag(self.revisions)

    def today(self, context: Context) -> date:
        """Today in the cycle's time zone."""
        return context.today(self.definition.time_zone)

    def resource(self) -> resources.Cycle:
        """The cycle as the API shows it."""
        return resources.Cycle(
            name=self.name,
            definition=self.definition,
            state=self.state,
            etag=self.etag,
            plan_position=self.plan_position,
            plan_date=date_message(self.plan_date) if self.plan_date else None,
        )


def cycle_of(name: str, revisions: Sequence[Revision], on: date = date.max) -> Cycle | None:
    """The cycle that its revisions make on a day; None before it was drafted.

    They must be given in order of position.

    Raises:
        TypeError: a fact that is not about cycles.
    """
    definition: CycleDefinition | None = None
    for revision in in_order(revisions, on):
        match revision.fact:
            case facts.CycleDrafted() as fact:
                definition = fact.definition
            case facts.CycleRevised() as fact if definition is not None:
                definition = merged(definition, fact.changed, fact.after)
    if definition is None:
        return None
    cycle = Cycle(
        name,
        tuple(revisions),
        definition,
        CycleState.CYCLE_STATE_DRAFT,
        0,
        None,
        recorded_day(definition.first_day),
        recorded_day(definition.last_day),
    )
    # Each step was decided on the one before, so steps follow each other by position alone.
    for revision in revisions:
        if revision.effective <= on:
            cycle = _after(cycle, revision)
    return cycle


def _after(cycle: Cycle, revision: Revision) -> Cycle:
    """The cycle after one more step."""
    match revision.fact:
        case facts.CycleDrafted() | facts.CycleRevised():
            return cycle
        case facts.PlanCommitted():
            return replace(
                cycle,
                state=CycleState.CYCLE_STATE_ACTIVE,
                plan_position=revision.position,
                plan_date=revision.effective,
            )
        case facts.CycleClosing():
            return replace(
                cycle,
                state=CycleState.CYCLE_STATE_CLOSING,
                closing_position=revision.position,
            )
        case facts.CycleSealed() as fact:
            return replace(cycle, state=CycleState.CYCLE_STATE_SEALED, seal=fact.number)
        case facts.CycleReopened():
            return replace(cycle, state=CycleState.CYCLE_STATE_ACTIVE)
        case other:
            raise TypeError(f"{other.DESCRIPTOR.full_name} is not about a cycle")


def applied(cycle: Cycle | None, name: str, revision: Revision) -> Cycle | None:
    """The cycle after one more event of its stream; None before it was drafted.

    What is recorded about a cycle beside its plan is counted and not kept: a state must not grow
    with it.

    Raises:
        TypeError: a fact that is not about cycles.
    """
    if cycle is None:
        return cycle_of(name, (revision,))
    match revision.fact:
        case facts.LessonRecorded():
            return replace(cycle, lessons=cycle.lessons + 1)
        case facts.AmendmentRecorded():
            return replace(cycle, amendments=cycle.amendments + 1)
        case facts.CycleSealed() as fact:
            revision = revision._replace(fact=outline(fact))
    changed = cycle_of(name, (*cycle.revisions, revision))
    return changed and replace(changed, amendments=cycle.amendments, lessons=cycle.lessons)


def outline(fact: facts.CycleSealed) -> facts.CycleSealed:
    """A seal without the scores that it holds: what a cycle's state is made from."""
    return facts.CycleSealed(
        cycle=fact.cycle, number=fact.number, closing_position=fact.closing_position
    )


def under(cycle: Cycle, policy: ScoringPolicy) -> Cycle:
    """The cycle as it would be under another scoring policy."""
    definition = CycleDefinition()
    definition.CopyFrom(cycle.definition)
    definition.policy.CopyFrom(policy)
    return replace(cycle, definition=definition)


def create(name: str, request: CreateCycleRequest) -> facts.CycleDrafted:
    """Drafts a cycle with every default filled.

    Raises:
        FieldInvalid: the definition breaks a rule.
    """
    return facts.CycleDrafted(cycle=name, definition=settled(request.definition))


def revise(
    cycle: Cycle, request: UpdateCycleRequest, effective: date = date.max
) -> facts.CycleRevised:
    """Changes a cycle's definition as it is in force on the effective date.

    Days and time zone are fixed by plan commitment.

    Raises:
        FieldInvalid: the new definition breaks a rule.
        CycleState: the cycle is being closed or sealed, or its plan fixes the field.
        NothingToChange: every field is already as asked.
    """
    there = cycle_of(cycle.name, cycle.revisions, effective)
    current = there.definition if there else cycle.definition
    change = difference(current, settled(wanted(current, request.definition, request.update_mask)))
    if change is None:
        raise refusals.NothingToChange(cycle.name)
    if cycle.committed and change.touches(*_FIXED_BY_THE_PLAN):
        raise refusals.CycleState(cycle.name, state_name(cycle.state), "DRAFT to change its days")
    return facts.CycleRevised(
        cycle=cycle.name, changed=change.changed, before=change.before, after=change.after
    )


def commit_plan(cycle: Cycle, request: CommitPlanRequest) -> tuple[facts.PlanCommitted, date]:
    """Commits the plan, from the cycle's first day unless the request names a later one.

    Raises:
        CycleState: the plan is committed already.
        DayOutsideCycle: the effective date lies outside the cycle.
    """
    if cycle.committed:
        raise refusals.CycleState(cycle.name, state_name(cycle.state), "DRAFT")
    effective = cycle.first_day
    if request.HasField("effective_date"):
        effective = calendar_day(request.effective_date, "effective_date")
        within(cycle, effective, "effective_date")
    return facts.PlanCommitted(cycle=cycle.name), effective


def within(cycle: Cycle, day: date, field: str, *, grace: bool = False) -> None:
    """Refuses a day outside the cycle, to which `grace` adds its days of grace.

    Raises:
        DayOutsideCycle: it lies before the first or after the last day.
    """
    last = cycle.last_check_in_day if grace else cycle.last_day
    if not cycle.first_day <= day <= last:
        raise refusals.DayOutsideCycle(
            field, day.isoformat(), cycle.first_day.isoformat(), last.isoformat()
        )


def not_future(today: date, day: date, field: str) -> None:
    """Refuses a day after today.

    Raises:
        DayInFuture: it does.
    """
    if day > today:
        raise refusals.DayInFuture(field, day.isoformat(), today.isoformat())


def settled(given: CycleDefinition) -> CycleDefinition:
    """The definition with every default filled and every rule of it checked.

    Raises:
        FieldInvalid: it breaks a rule.
    """
    field = "definition"
    result = CycleDefinition()
    result.CopyFrom(given)
    result.title = plain(given.title)
    if blank(result.title):
        raise invalid(f"{field}.title", "string.min_len", "must not be empty")
    for name in ("first_day", "last_day"):
        if not given.HasField(name):
            raise invalid(f"{field}.{name}", "required", "must be given")
    first = calendar_day(given.first_day, f"{field}.first_day")
    last = calendar_day(given.last_day, f"{field}.last_day")
    for name, given_day in (("first_day", first), ("last_day", last)):
        if not EARLIEST <= given_day <= LATEST:
            raise invalid(f"{field}.{name}", "cycle.era", f"must lie in {EARLIEST} to {LATEST}")
    if last < first:
        raise invalid(f"{field}.last_day", "cycle.days", "must not lie before the first day")
    if last - first > LONGEST:
        raise invalid(f"{field}.last_day", "cycle.length", f"lies over {LONGEST.days} days away")
    result.time_zone = given.time_zone or "UTC"
    if result.time_zone not in _time_zones():
        raise invalid(f"{field}.time_zone", "time_zone.iana", "must be an IANA zone")
    result.cadence = given.cadence or Cadence.CADENCE_WEEKLY
    result.grace_days = given.grace_days
    result.policy.CopyFrom(expanded(given.policy, f"{field}.policy"))
    return result


@cache
def _time_zones() -> frozenset[str]:
    """The names of the IANA zones: the same on every machine, whatever else it can load."""
    return frozenset(files("tzdata").joinpath("zones").read_text(encoding="utf-8").split())


def state_name(state: CycleState.ValueType) -> str:
    """The state as people write it: DRAFT, ACTIVE, CLOSING, SEALED."""
    return CycleState.Name(state).removeprefix("CYCLE_STATE_")

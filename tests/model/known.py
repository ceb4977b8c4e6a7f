"""The raw events, and what is known at a position: everything is folded again for each question."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from google.protobuf.message import Message

from okr.v1 import audit_service_pb2 as audit
from okr.v1 import events_pb2 as facts
from okr.v1 import values_pb2 as values
from okr.v1.event_record_pb2 import Event, EventMetadata
from okr.v1.values_pb2 import AlignmentKind, CycleState, ObjectiveState
from tests.model.measure import day_of
from tests.support.whole import Caller

Definition = TypeVar("Definition", bound=Message)
PAGE = 1000


class Absent(Exception):
    """What is asked for is not known, or does not hold: NOT_FOUND."""


@dataclass(frozen=True)
class Fact:
    """A raw event with its two byte strings parsed."""

    event: Event
    metadata: EventMetadata
    payload: Any

    @cached_property
    def position(self) -> int:
        return self.event.header.position

    @cached_property
    def kind(self) -> str:
        """The name of the event's message: "CheckInRecorded"."""
        return self.event.header.event_type.removeprefix("okr.v1.")

    @cached_property
    def recorded_us(self) -> int:
        return self.event.header.recorded_time.ToMicroseconds()

    @cached_property
    def day(self) -> date:
        """The day from which it holds."""
        return day_of(self.metadata.effective_date)

    @cached_property
    def subject(self) -> str:
        """What it is about, "alignment" for the graph."""
        if self.event.header.stream == "alignment":
            return "alignment"
        names = ("key_result", "objective", "review", "adjustment", "team", "cycle")
        found: str = next(
            getattr(self.payload, name) for name in names if hasattr(self.payload, name)
        )
        return found


def raw_events(me: Caller) -> list[Fact]:
    """The whole ledger, from the very bytes."""
    found: list[Fact] = []
    while True:
        after = found[-1].position if found else 0
        page = me.ask(audit.ListEventsRequest(after_position=after, page_size=PAGE)).events
        if not page:
            return found
        for event in page:
            kind = getattr(facts, event.header.event_type.removeprefix("okr.v1."))
            metadata = EventMetadata.FromString(event.metadata)
            found.append(Fact(event, metadata, kind.FromString(event.payload)))


@dataclass(frozen=True)
class CheckIn:
    """A check-in as last corrected."""

    recorded: Fact
    content: Fact
    retracted: bool = False

    @property
    def name(self) -> str:
        return f"{self.recorded.payload.key_result}/checkIns/{self.recorded.payload.number}"

    @property
    def day(self) -> date:
        return self.content.day

    @property
    def order(self) -> tuple[date, int, int]:
        """By day, then by instant, one without an instant first, then by position."""
        instant = self.content.payload.instant
        ns = instant.ToNanoseconds() if self.content.payload.HasField("instant") else -1
        return (self.day, ns, self.recorded.position)


@dataclass(frozen=True)
class Cycle:
    """A cycle on a day."""

    name: str
    definition: values.CycleDefinition
    state: CycleState.ValueType = CycleState.CYCLE_STATE_DRAFT
    plan_position: int = 0
    plan_date: date | None = None
    seal: int = 0

    @property
    def first(self) -> date:
        return day_of(self.definition.first_day)

    @property
    def last(self) -> date:
        return day_of(self.definition.last_day)

    @property
    def last_check_in_day(self) -> date:
        return self.last + timedelta(self.definition.grace_days)


@dataclass(frozen=True)
class Team:
    """A team on a day."""

    name: str
    definition: values.TeamDefinition
    retired: bool = False


@dataclass(frozen=True)
class Objective:
    """An objective on a day, without its key results."""

    name: str
    cycle: str
    definition: values.ObjectiveDefinition
    closed: ObjectiveState.ValueType = ObjectiveState.OBJECTIVE_STATE_UNSPECIFIED
    computed: str | None = None
    override: str | None = None

    @property
    def final(self) -> str | None:
        return self.computed if self.override is None else self.override

    @property
    def abandoned(self) -> bool:
        return self.closed == ObjectiveState.OBJECTIVE_STATE_ABANDONED


@dataclass(frozen=True)
class KeyResult:
    """A key result on a day."""

    name: str
    definition: values.KeyResultDefinition
    dropped: bool = False
    continued_from: str = ""


@dataclass
class Known:
    """The events up to a position, those of each subject beside each other."""

    events: Sequence[Fact]
    by_subject: dict[str, list[Fact]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for fact in self.events:
            self.by_subject.setdefault(fact.subject, []).append(fact)

    @property
    def position(self) -> int:
        return self.events[-1].position if self.events else 0

    def upto(self, position: int) -> Known:
        """What was known before."""
        return Known([fact for fact in self.events if fact.position <= position])

    def of(self, subject: str, *kinds: str) -> list[Fact]:
        """The events about a subject, those of some kinds."""
        found = self.by_subject.get(subject, [])
        return [fact for fact in found if not kinds or fact.kind in kinds]

    def named(self, kind: str, field_name: str) -> list[str]:
        """The names that events of a kind gave, in order."""
        found = [getattr(f.payload, field_name) for f in self.events if f.kind == kind]
        return list(dict.fromkeys(found))

    # --- cycles and days ---

    def cycle(self, name: str, day: date = date.max) -> Cycle:
        """A cycle on a day; before its first day it is what it is on that one."""
        steps = self.of(name, *CYCLE_STEPS)
        latest = _defined(steps, date.max, values.CycleDefinition)
        if latest is None:
            raise Absent(name)
        day = max(day, day_of(latest.first_day))
        found = Cycle(name, _defined(steps, day, values.CycleDefinition) or latest)
        for step in steps:
            if step.day > day:
                continue
            match step.kind:
                case "PlanCommitted":
                    state = CycleState.CYCLE_STATE_ACTIVE
                    found = replace(
                        found, state=state, plan_position=step.position, plan_date=step.day
                    )
                case "CycleClosing":
                    found = replace(found, state=CycleState.CYCLE_STATE_CLOSING)
                case "CycleSealed":
                    state = CycleState.CYCLE_STATE_SEALED
                    found = replace(found, state=state, seal=step.payload.number)
                case "CycleReopened":
                    found = replace(found, state=CycleState.CYCLE_STATE_ACTIVE)
        return found

    def day_in(self, cycle: str, us: int) -> date:
        """The day of an instant that an answer about a cycle is about."""
        found = self.cycle(cycle)
        return min(max(self.today_in(cycle, us), found.first), found.last_check_in_day)

    def today_in(self, cycle: str, us: int) -> date:
        """The day of an instant in a cycle's time zone."""
        zone = ZoneInfo(self.cycle(cycle).definition.time_zone)
        return datetime.fromtimestamp(us // 1_000_000, UTC).astimezone(zone).date()

    # --- teams, objectives, key results ---

    def team(self, name: str, day: date) -> Team | None:
        steps = self.of(name)
        definition = _defined(steps, day, values.TeamDefinition)
        retired = any(step.kind == "TeamRetired" and step.day <= day for step in steps)
        return None if definition is None else Team(name, definition, retired)

    def teams(self, day: date) -> dict[str, Team]:
        """The teams by name."""
        names = sorted(self.named("TeamRegistered", "team"))
        return {name: team for name in names if (team := self.team(name, day)) is not None}

    def tree(self, teams: dict[str, Team], root: str) -> list[str]:
        """A team and all below it, parents first; all teams below none."""
        below = [name for name, team in teams.items() if team.definition.parent == root]
        found = [root] if root else []
        for name in below:
            found += self.tree(teams, name)
        return found

    def objective(self, name: str, day: date = date.max) -> Objective | None:
        steps = in_order(self.of(name), day)
        definition = _defined(steps, day, values.ObjectiveDefinition)
        if definition is None:
            return None
        found = Objective(name, steps[0].payload.cycle, definition)
        for step in steps:
            match step.kind:
                case "ObjectiveGraded" | "ObjectiveRegraded":
                    found = replace(
                        found,
                        closed=ObjectiveState.OBJECTIVE_STATE_GRADED,
                        computed=given(step.payload, "computed_score"),
                        override=given(step.payload, "override_score"),
                    )
                case "ObjectiveAbandoned":
                    found = replace(found, closed=ObjectiveState.OBJECTIVE_STATE_ABANDONED)
        return found

    def cycle_of(self, name: str) -> str:
        """The cycle of an objective or key result."""
        created = self.of(name.partition("/keyResults/")[0], "ObjectiveCreated")
        if not created:
            raise Absent(name)
        found: str = created[0].payload.cycle
        return found

    def objectives(self, cycle: str) -> list[str]:
        """A cycle's objectives by creation."""
        created = (f.payload for f in self.events if f.kind == "ObjectiveCreated")
        return [fact.objective for fact in created if fact.cycle == cycle]

    def key_results(self, objective: str) -> list[str]:
        """An objective's key results in order of addition."""
        added = ("KeyResultAdded", "KeyResultCarriedOver")
        names = [f.payload.key_result for f in self.events if f.kind in added]
        return [name for name in names if name.startswith(f"{objective}/")]

    def revisions(self, name: str) -> list[Fact]:
        """The events about a key result that are no check-ins, or about an objective itself."""
        return [fact for fact in self.of(name) if not fact.kind.startswith("CheckIn")]

    def key_result(self, name: str, day: date = date.max) -> KeyResult | None:
        steps = in_order(self.revisions(name), day)
        definition = _defined(steps, day, values.KeyResultDefinition)
        if definition is None:
            return None
        found = KeyResult(name, definition)
        for step in steps:
            match step.kind:
                case "KeyResultCarriedOver":
                    found = replace(found, continued_from=step.payload.continued_from)
                case "KeyResultDropped":
                    found = replace(found, dropped=True)
                case "KeyResultRestored":
                    found = replace(found, dropped=False)
        return found

    # --- check-ins ---

    def check_ins(self, key_result: str) -> list[CheckIn]:
        """Every check-in as last corrected, by day, instant and position."""
        found: dict[int, CheckIn] = {}
        for fact in self.of(key_result):
            match fact.kind:
                case "CheckInRecorded":
                    found[fact.payload.number] = CheckIn(fact, fact)
                case "CheckInCorrected":
                    number = fact.payload.number
                    found[number] = replace(found[number], content=fact)
                case "CheckInRetracted":
                    number = fact.payload.number
                    found[number] = replace(found[number], retracted=True)
        return sorted(found.values(), key=lambda each: each.order)

    def in_force(self, key_result: str, day: date) -> list[CheckIn]:
        """Those that hold on a day, the last one last."""
        return [c for c in self.check_ins(key_result) if not c.retracted and c.day <= day]

    # --- alignment ---

    def edges(self, day: date) -> list[facts.Aligned]:
        """The alignments in force on a day."""
        found: dict[tuple[str, str, int], facts.Aligned] = {}
        for step in in_order(self.of("alignment"), day):
            edge = step.payload
            if step.kind == "Aligned":
                found[edge.child, edge.parent, edge.kind] = edge
            else:
                found.pop((edge.child, edge.parent, edge.kind), None)
        return list(found.values())

    def contributions(self, parent: str, day: date) -> list[facts.Aligned]:
        """What contributes to an objective."""
        contributes = AlignmentKind.ALIGNMENT_KIND_CONTRIBUTES
        return [e for e in self.edges(day) if e.parent == parent and e.kind == contributes]


CYCLE_STEPS = (
    *("CycleDrafted", "CycleRevised", "PlanCommitted"),
    *("CycleClosing", "CycleSealed", "CycleReopened"),
)


def in_order(steps: Iterable[Fact], day: date) -> list[Fact]:
    """What holds on a day, by (effective day, position)."""
    return sorted(
        (step for step in steps if step.day <= day), key=lambda step: (step.day, step.position)
    )


def given(message: Any, field_name: str) -> str | None:
    """An optional field's text."""
    return getattr(message, field_name) if message.HasField(field_name) else None


def _defined(steps: Iterable[Fact], day: date, kind: type[Definition]) -> Definition | None:
    """The definition that holds on a day: each revision replaces the fields that it names."""
    found: Definition | None = None
    for step in in_order(steps, day):
        if hasattr(step.payload, "definition"):
            found = kind()
            found.CopyFrom(step.payload.definition)
        elif hasattr(step.payload, "after") and found is not None:
            for path in step.payload.changed.paths:
                found.ClearField(path)
            found.MergeFrom(step.payload.after)
    return found

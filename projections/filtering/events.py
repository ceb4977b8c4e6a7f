"""The facets of events that filters see: who, when, why, and what they are about."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Protocol

from ledger.call import shows
from ledger.cycles import Cycle
from ledger.event import Stored, fact_of, metadata_of
from ledger.objectives import stream_of
from ledger.values import ALWAYS, recorded_day
from okr.v1 import events_pb2 as facts
from okr.v1.event_record_pb2 import EventMetadata
from okr.v1.values_pb2 import Category
from projections.filtering.fields import (
    BOOLEAN,
    DAY,
    EVENT_TYPE,
    NAME,
    NAMES,
    NUMBER,
    TEXT,
    TIME,
    Field,
    enum,
)
from projections.touched import foreseen, touched

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from projections.owners import Owners


class Kept(Stored, Protocol):
    """A record of the log, or a row of a read model, that keeps an event."""

    @property
    def position(self) -> int: ...
    @property
    def recorded_us(self) -> int: ...
    @property
    def metadata(self) -> bytes: ...


class Facets:
    """An event's facets; each is parsed or looked up when it is first asked for.

    `stream` is the event's own: the objective's of a key result's revision.
    """

    def __init__(self, kept: Kept, owners: Owners, stream: str) -> None:
        self.kept = kept
        self.owners = owners
        self.stream = stream

    @cached_property
    def metadata(self) -> EventMetadata:
        """Its circumstances."""
        return metadata_of(self.kept)

    @cached_property
    def fact(self) -> Message:
        """What happened, as far as it is shown."""
        fact = fact_of(self.kept)
        shows(fact)
        return fact

    @property
    def effective(self) -> date | None:
        """The day from which it holds, as recorded; None for what holds from the beginning."""
        effective = recorded_day(self.metadata.effective_date)
        return None if effective == ALWAYS else effective

    @property
    def holds_from(self) -> date:
        """The same of an event in an objective's stream, whose cycle has a first day."""
        return self.effective or self.owners.cycle(self.stream).first_day

    @cached_property
    def subjects(self) -> frozenset[str]:
        """The resources that it is about."""
        return subjects_of(self.fact)

    @cached_property
    def changed(self) -> frozenset[str]:
        """The fields of a definition that it changed."""
        return changed_by(self.fact)

    @cached_property
    def cycle(self) -> Cycle | None:
        """The cycle that it belongs to, as known now; None for what belongs to none."""
        if self.stream.startswith("objectives/"):
            return self.owners.cycle(self.stream)
        if child := getattr(self.fact, "child", ""):
            return self.owners.cycle(stream_of(child))
        if name := getattr(self.fact, "cycle", ""):
            return self.owners.cycle_named(name)
        if self.stream.startswith("adjustments/"):
            return self.owners.cycle_of_adjustment(self.stream)
        return None

    @property
    def after_plan(self) -> bool:
        """Whether it came after the plan commitment of its cycle."""
        return self.cycle is not None and is_after_plan(self.cycle, self.kept.position)

    @property
    def teams(self) -> frozenset[str]:
        """The teams of its objective, in whose stream it is, just before and just after."""
        return self.owners.teams(self.stream, self.kept.position)

    @cached_property
    def touched(self) -> frozenset[str]:
        """The objectives, cycles and teams that it is about, however far."""
        own = [self.fact]
        if isinstance(self.fact, facts.AdjustmentApproved | facts.AdjustmentRejected):
            own += self.owners.facts_of_adjustment(self.stream, self.kept.position)
        return frozenset(name for fact in own for name in touched(fact)) - {""}

    @property
    def cycles_touched(self) -> frozenset[str]:
        """The cycles among them, and those of the objectives that are known."""
        of_objectives = (
            self.owners.cycle(name).name
            for name in self.touched
            # A proposal, and an adjustment's first event, name what may not be there yet.
            if name.startswith("objectives/") and self.owners.knows(name)
        )
        own = (name for name in self.touched if name.startswith("cycles/"))
        return frozenset((*own, *of_objectives))

    @property
    def teams_touched(self) -> frozenset[str]:
        """The teams among them, and those of the objectives just before and just after."""
        of_objectives = (
            self.owners.teams(name, self.kept.position)
            for name in self.touched
            if name.startswith("objectives/")
        )
        own = (name for name in self.touched if name.startswith("teams/"))
        return frozenset(own).union(*of_objectives)


def is_after_plan(cycle: Cycle, position: int) -> bool:
    """Whether a position lies after the plan commitment of a cycle."""
    return 0 < cycle.plan_position < position


def changed_by(fact: Message) -> frozenset[str]:
    """The fields of a definition that an event changed, or a proposal would change."""
    told: Any = fact
    if isinstance(fact, facts.AdjustmentProposed):
        return frozenset().union(*map(changed_by, foreseen(fact)))
    return frozenset(told.changed.paths) if hasattr(told, "changed") else frozenset()


def subjects_of(fact: Message) -> frozenset[str]:
    """The resources that an event is about: of an adjustment also what it changes."""
    told: Any = fact
    match fact:
        case facts.AdjustmentProposed():
            return frozenset({fact.adjustment}).union(*map(subjects_of, foreseen(fact)))
        case facts.StrategyAdjusted():
            return frozenset((fact.adjustment, *fact.subjects))
        case facts.Aligned() | facts.Unaligned():
            return frozenset((fact.child, fact.parent))
    own = ("key_result", "objective", "adjustment", "review", "subject", "cycle", "team", "person")
    return frozenset([next(name for field in own if (name := getattr(told, field, "")))])


CATEGORY: Final = enum(Category.DESCRIPTOR, "CATEGORY_")

REVISION_FIELDS: Final[Mapping[str, Field[Facets]]] = {
    "actor": Field(NAME, lambda event: event.metadata.actor.plain),
    "adjustment": Field(NAME, lambda event: event.metadata.adjustment),
    "after_plan_commitment": Field(BOOLEAN, lambda event: event.after_plan),
    "category": Field(CATEGORY, lambda event: event.metadata.category or None),
    "effective_date": Field(DAY, lambda event: event.holds_from),
    "event_type": Field(EVENT_TYPE, lambda event: event.kept.event_type),
    "field": Field(NAMES, lambda event: event.changed),
    "on_behalf_of": Field(NAME, lambda event: event.metadata.on_behalf_of.plain),
    "position": Field(NUMBER, lambda event: event.kept.position),
    "reason": Field(TEXT, lambda event: event.metadata.reason.plain),
    "recorded_time": Field(TIME, lambda event: event.kept.recorded_us),
    "subject": Field(NAMES, lambda event: event.subjects),
    "team": Field(NAMES, lambda event: event.teams),
}
"""What revisions may be filtered by; all of them belong to a cycle."""

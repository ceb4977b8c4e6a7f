"""Given-when-then for decisions: requests go in, events or a refusal come out.

`Scenario` keeps what a log would keep, the records, and the states that are folded from them. Every
request is first held against the rules of its declaration, as the service does, so that a test
cannot stand on a request that no caller could send.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any, Self, TypeVar
from zoneinfo import ZoneInfo

import protovalidate
from google.protobuf.message import Message

from ledger.context import EPOCH, Context
from ledger.cycles import Cycle
from ledger.decisions import decide
from ledger.event import Decision, NewEvent, Record
from ledger.fold import State, applied, initial
from ledger.key_results import KeyResult, key_result_of
from ledger.objectives import KEY_RESULTS, Objective, objective_of
from ledger.refusals import FieldInvalid, Refusal
from ledger.teams import Team
from ledger.values import date_message
from ledger.view import View
from okr.v1.event_record_pb2 import EventMetadata
from okr.v1.events_pb2 import CycleSealed

Event = TypeVar("Event", bound=Message)

ACTOR = "people/anna"
REQUEST = "7b0f2f5e-5a0c-4a53-9d53-2c1f8c1f0a11"


@dataclass
class Scenario:
    """A ledger in memory, on a day that the test chooses.

    `today` is a day (then it is noon UTC) or an instant with its offset, in ISO form.
    """

    today: str = "2026-08-12"
    states: dict[str, State] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)
    actor: str = ACTOR
    on_behalf_of: str = ""
    keys: dict[str, str] | None = None
    """Names of keys by whose they are; None where the ledger has none for texts."""
    decision: Decision | None = None
    refusal: Refusal | None = None

    def on(self, today: str) -> Self:
        """The days go by."""
        self.today = today
        return self

    def by(self, actor: str, on_behalf_of: str = "") -> Self:
        """Somebody else asks from now on."""
        self.actor, self.on_behalf_of = actor, on_behalf_of
        return self

    def given(self, *requests: Message) -> Self:
        """Requests that are decided and recorded, each of them accepted."""
        for request in requests:
            self.record(self.decide(request))
        return self

    def given_fact(self, stream: str, fact: Message, effective: str | None = None) -> Self:
        """An event that no request of this part makes."""
        metadata = EventMetadata()
        if effective:
            metadata.effective_date.CopyFrom(date_message(date.fromisoformat(effective)))
        self.record(Decision((NewEvent(stream, fact),), metadata))
        return self

    def given_seal(self, name: str = "cycles/q3", **scores: Any) -> Self:
        """That the cycle which is being closed was sealed, as the ledger does by itself."""
        position = self.cycle(name).closing_position
        scored = CycleSealed(cycle=name, closing_position=position, **scores)
        self.record(decide(self.view(), scored, self.context()))
        return self

    def when(self, request: Message) -> Self:
        """The request in question; what it was decided to mean is recorded too."""
        self.decision = self.refusal = None
        try:
            self.decision = self.decide(request)
        except Refusal as refusal:
            self.refusal = refusal
        else:
            self.record(self.decision)
        return self

    def then(self, *expected: Message) -> Self:
        """The request was decided to mean just these facts, in this order."""
        assert list(self.events) == list(expected)
        return self

    def then_it_is(self, kind: type[Event]) -> Event:
        """The only fact that the request was decided to mean."""
        (event,) = self.events
        assert isinstance(event, kind)
        return event

    def then_refused(self, refusal: type[Refusal], **facts: object) -> Self:
        """The request was refused for this reason, with at least these facts."""
        assert self.decision is None, f"accepted: {self.decision}"
        assert type(self.refusal) is refusal, repr(self.refusal)
        assert {name: getattr(self.refusal, name) for name in facts} == facts
        assert str(self.refusal)
        return self

    def then_invalid(self, *fields: str) -> Self:
        """The request was refused because these fields break a rule."""
        self.then_refused(FieldInvalid)
        assert isinstance(self.refusal, FieldInvalid)
        assert tuple(violation.field for violation in self.refusal.violations) == fields
        return self

    @property
    def events(self) -> Sequence[Message]:
        """What the last request was decided to mean."""
        assert self.decision is not None, f"refused: {self.refusal!r}"
        return [event.fact for event in self.decision.events]

    @property
    def metadata(self) -> EventMetadata:
        """The circumstances that the last request's events share."""
        assert self.decision is not None, f"refused: {self.refusal!r}"
        return self.decision.metadata

    @property
    def effective(self) -> str:
        """The day from which the last request's events hold; empty for the beginning."""
        day = self.metadata.effective_date
        return f"{day.year:04}-{day.month:02}-{day.day:02}" if day.year else ""

    def cycle(self, name: str) -> Cycle:
        """A cycle as it is now."""
        return self.view().cycle(name)

    def team(self, name: str) -> Team:
        """A team as it is now."""
        return self.view().team(name)

    def objective(self, name: str) -> Objective:
        """An objective as it is now."""
        return self.view().objective(name)

    def key_result(self, name: str) -> KeyResult:
        """A key result as it is now."""
        return self.view().key_result(name)

    def view(self) -> View:
        """What a decision sees."""
        return View(_Memory(self))

    def decide(self, request: Message) -> Decision:
        """What a request means now; nothing is recorded.

        Raises:
            Refusal: it is refused.
        """
        protovalidate.validate(request)
        return decide(self.view(), request, self.context())

    def context(self) -> Context:
        """The circumstances of a request."""
        return Context(
            self.now_us,
            self.actor,
            self.on_behalf_of,
            REQUEST,
            lambda: f"made-{len(self.records)}",
            lambda: len(self.records),
            lambda person: None if self.keys is None else self.keys.get(person, ""),
        )

    @property
    def now_us(self) -> int:
        """The clock, in µs since 1970 UTC."""
        now = datetime.fromisoformat(self.today)
        if now.tzinfo is None:
            now = datetime.combine(now.date(), time(12), UTC)
        return (now - EPOCH) // (EPOCH.resolution)

    def record(self, decision: Decision) -> None:
        """Appends the events of a decision, as bytes, and folds what was decided."""
        for event in decision.events:
            position = len(self.records) + 1
            version = 1 + sum(record.stream == event.stream for record in self.records)
            record = Record(
                position,
                event.stream,
                version,
                event.fact.DESCRIPTOR.full_name,
                self.now_us,
                decision.metadata.SerializeToString(deterministic=True),
                event.fact.SerializeToString(deterministic=True),
            )
            self.append(record, event.fact, decision.metadata)

    def append(self, record: Record, fact: Message, metadata: EventMetadata) -> None:
        """Takes an event as it is recorded."""
        before = self.states.get(record.stream) or initial(record.stream)
        self.states[record.stream] = applied(before, record.stream, fact, metadata, record.position)
        self.records.append(record)


@dataclass(frozen=True)
class _Memory:
    """A scenario's ledger as a decision sees it."""

    scenario: Scenario

    def state(self, stream: str) -> tuple[State | None, int]:
        found = self.scenario.states.get(stream) or initial(stream)
        return found, len(self.records(stream))

    def records(
        self, stream: str, after_version: int = 0, up_to_version: int | None = None
    ) -> list[Record]:
        own = [record for record in self.scenario.records if record.stream == stream]
        return own[after_version:up_to_version]


def local(zone: str, instant: str) -> str:
    """An instant in a time zone's wall-clock time, as an ISO time with its offset."""
    return datetime.fromisoformat(instant).replace(tzinfo=ZoneInfo(zone)).isoformat()


def definition_on(scenario: Scenario, name: str, day: str) -> Any:
    """The definition of a key result or objective in force on a day."""
    on = date.fromisoformat(day)
    if KEY_RESULTS in name:
        key_result = key_result_of(name, scenario.key_result(name).revisions, on)
        return key_result and key_result.definition
    objective = objective_of(name, scenario.objective(name).revisions, on)
    return objective and objective.definition

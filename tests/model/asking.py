"""Random questions: of each read, about a random subject, at a random pair of instants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Any, Final, NamedTuple

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from okr.v1 import audit_service_pb2 as audit
from okr.v1 import score_service_pb2 as scores
from okr.v1.values_pb2 import AsOf, ScoringPolicy
from tests.model.filters import EVERYTHING, Filter, random_filter
from tests.model.known import Fact, Known
from tests.model.shapes import KEY_RESULTS, Instants, date_message
from tests.support.random_quarter import any_policy

MOST: Final = 1000
"""The most items of a page: every list that is asked for in full fits on one."""
SHORT: Final = 5
LONG: Final = 200
"""The size of the only page that is asked for of a list that is dear, and of one that is long."""
ADDED: Final = ("KeyResultAdded", "KeyResultCarriedOver")
DAYS: Final = date(2025, 3, 1), date(2025, 10, 31)
"""Between these lies what is asked about something that knows no cycle."""


class Question(NamedTuple):
    """A request without instants, the cycle that its day is of, and from where on it is known.

    `filtered` is what the request's filter means.
    """

    request: Any
    cycle: str = ""
    since: int = 1
    filtered: Filter = EVERYTHING


@dataclass(frozen=True)
class Asked:
    """A pair of instants, as a request says it and as the model knows it."""

    as_of: AsOf
    at: Instants


class Asking:
    """Chance asks the same of the same facts and seed; `now` is the service's clock."""

    def __init__(self, facts: Sequence[Fact], chance: Random, now: Callable[[], int]) -> None:
        self.facts, self.chance, self._now = facts, chance, now
        self.everything = Known(facts)

    # --- instants ---

    def instants(self, question: Question) -> Asked:
        """A pair of instants; the day, if any, is one that may be asked about."""
        as_of, known, us = self._known(question.since)
        day = self._day_of(question.cycle, known)
        if day is not None:
            as_of.effective_at.CopyFrom(date_message(day))
        return Asked(as_of, Instants(known, us, day, question.filtered.passes))

    def day(self, first: date, last: date) -> date:
        """A day between two, both included."""
        return first + timedelta(self.chance.randint(0, (last - first).days))

    def _known(self, since: int) -> tuple[AsOf, Known, int]:
        """What is known at a position or a time from a position on, or now, and that time."""
        head = len(self.facts)
        position = self.chance.randint(since, head)
        us = self.facts[position - 1].recorded_us
        match self.chance.randrange(10):
            case 0:
                return AsOf(), self.everything, self._now()
            case 1 | 2 | 3:
                next_us = self.facts[position].recorded_us if position < head else self._now() + 1
                us = self.chance.randint(us, max(us, next_us - 1))
                time = Timestamp()
                time.FromMicroseconds(us)
                known = [fact for fact in self.facts if fact.recorded_us <= us]
                return AsOf(time=time), Known(known), us
        return AsOf(position=position), Known(self.facts[:position]), us

    def _day_of(self, cycle: str, known: Known) -> date | None:
        if not cycle:
            return self.day(*DAYS) if self.maybe(0.4) else None
        return None if self.maybe(0.3) or not known.of(cycle) else self.day_in(cycle, known)

    def day_in(self, cycle: str, known: Known) -> date:
        """A day of a cycle that has come by now, though maybe not by when this was known."""
        return self.day(known.cycle(cycle).first, known.day_in(cycle, self._now()))

    def present(self, cycle: str) -> date:
        """Today in a cycle."""
        return self.everything.day_in(cycle, self._now())

    # --- subjects ---

    def question(self, kind: type[Message]) -> Question:
        """A read of the kind."""
        return QUESTIONS[kind](self, kind)

    def fact(self, *kinds: str) -> Fact:
        """An event of one of these kinds."""
        return self.chance.choice([fact for fact in self.facts if fact.kind in kinds])

    def maybe(self, share: float) -> bool:
        """True so often."""
        return self.chance.random() < share

    def of(self, kind: Any, fact: Fact, cycle: str, /, **given: Any) -> Question:
        """A request about what an event made known, now and then before it did."""
        if "page_size" in kind.DESCRIPTOR.fields_by_name:
            given = {"page_size": MOST, **given}
        return Question(kind(**given), cycle, 1 if self.maybe(0.05) else fact.position)

    def in_plan(self, kind: Any, field: str, *events: str) -> Question:
        """About an objective or key result, in a field of the request."""
        fact = self.fact(*events)
        return self.of(kind, fact, self.everything.cycle_of(fact.subject), **{field: fact.subject})

    def in_cycle(self, kind: Any, **given: Any) -> Question:
        """About a cycle, or about a team in it where the request may say so."""
        fact = self.fact("CycleDrafted")
        if "team" in kind.DESCRIPTOR.fields_by_name and self.maybe(0.5):
            given["team"] = self.fact("TeamRegistered").subject
        return self.of(kind, fact, fact.subject, cycle=fact.subject, **given)

    def said(self, kind: Any, event: str) -> Question:
        """About all that was said of a cycle, or of one subject."""
        subjects = {f.payload.subject for f in self.facts if f.kind == event}
        known = sorted(s for s in subjects if not s.startswith("teams/"))
        return self.in_cycle(kind, subject=self.chance.choice(["", *known]))

    def numbered(self, kind: Any, event: str, collection: str) -> Question:
        """About what has a number within a cycle or key result."""
        fact = self.fact(event)
        name = f"{fact.subject}/{collection}/{fact.payload.number}"
        of = fact.subject
        cycle = of if of.startswith("cycles/") else self.everything.cycle_of(of)
        return self.of(kind, fact, cycle, name=name)

    def alignment(self, kind: Any) -> Question:
        fact = self.fact("Aligned")
        edge = fact.payload
        cycle = self.everything.cycle_of(edge.child)
        return self.of(kind, fact, cycle, child=edge.child, parent=edge.parent, kind=edge.kind)

    def belonging(self, kind: Any, *events: str) -> Question:
        """About an adjustment or a review."""
        fact = self.fact(*events)
        return self.of(kind, fact, fact.payload.cycle, name=fact.subject)

    def revision(self, kind: Any, *events: str) -> Question:
        """About a revision that there is, or hardly."""
        fact = self.fact(*events)
        number = self.chance.randint(1, len(self.everything.revisions(fact.subject)) + 1)
        name = f"{fact.subject}/revisions/{number}"
        return self.of(kind, fact, self.everything.cycle_of(fact.subject), name=name)

    def two_revisions(self, kind: Any, *events: str) -> Question:
        fact = self.fact(*events)
        count = len(self.everything.revisions(fact.subject))
        first, second = self.chance.randint(1, count), self.chance.randint(1, count)
        cycle = self.everything.cycle_of(fact.subject)
        return self.of(kind, fact, cycle, name=fact.subject, first=first, second=second)

    def revisions(self, kind: Any, *events: str) -> Question:
        """About all revisions of a subject, or of all key results or objectives beside it."""
        fact = self.fact(*events)
        cycle = self.everything.cycle_of(fact.subject)
        given: dict[str, Any] = {"parent": fact.subject, "page_size": SHORT}
        if self.maybe(0.4) and KEY_RESULTS in fact.subject:
            given["parent"] = f"{fact.subject.rpartition('/')[0]}/-"
        elif self.maybe(0.4) and KEY_RESULTS not in fact.subject:
            given |= {"parent": "objectives/-", "cycle": cycle}
        if self.maybe(0.4):
            given["team"] = self.fact("TeamRegistered").subject
        wanted = self.filtered(of_plans=True, fact=fact)
        given |= {"after_plan_commitment": self.maybe(0.3), "filter": wanted.text}
        return self.of(kind, fact, cycle, **given)._replace(filtered=wanted)

    def of_any_plan(self, kind: Any) -> Question:
        """About what has no cycle."""
        return Question(kind(page_size=MOST))

    def attention(self, kind: Any, **given: Any) -> Question:
        """About what an owner or a team answers for, in one cycle or in all that run."""
        owners = {fact.metadata.actor.plain for fact in self.facts}
        given |= self.sometimes(owner=self.chance.choice(sorted(owners)))
        if self.maybe(0.6):
            return self.in_cycle(kind, **given)
        given |= self.sometimes(team=self.fact("TeamRegistered").subject)
        return Question(kind(page_size=MOST, **given), "cycles/none")

    def sometimes(self, **given: Any) -> dict[str, Any]:
        """What is given, or nothing."""
        return given if self.maybe(0.3) else {}

    def events(self, kind: Any) -> Question:
        """About the events of a stream, of a kind, or all, after a position."""
        fact = self.chance.choice(self.facts)
        header = fact.event.header
        some: list[dict[str, Any]] = [
            {"stream": header.stream},
            {"event_types": [header.event_type]},
            {},
        ]
        given = self.chance.choice(some)
        after = self.chance.choice([0, self.chance.randint(0, fact.position)])
        wanted = self.filtered(of_plans=False, fact=fact)
        given |= {"newest_first": self.maybe(0.5), "filter": wanted.text}
        request = kind(after_position=after, page_size=LONG, **given)
        return Question(request, filtered=wanted)

    def filtered(self, *, of_plans: bool, fact: Fact) -> Filter:
        """A filter, or none."""
        if self.maybe(0.4):
            return EVERYTHING
        return random_filter(self.chance, fact, of_plans=of_plans)

    def scored(self) -> tuple[str, str, int]:
        """Anything that has a score, its cycle, and from where on it is known."""
        match self.chance.randrange(4):
            case 0:
                fact = self.fact("CycleDrafted")
                return fact.subject, fact.subject, fact.position
            case 1:
                fact = self.fact("CycleDrafted")
                return self.fact("TeamRegistered").subject, fact.subject, fact.position
            case 2:
                fact = self.fact("ObjectiveCreated")
            case _:
                fact = self.fact(*ADDED, "CheckInRecorded")
        return fact.subject, self.everything.cycle_of(fact.subject), fact.position


def filled(policy: ScoringPolicy) -> ScoringPolicy:
    """A policy with every knob that a request may leave out."""
    policy.version = 1
    for knob in ("status_rule", "status_rollup", "day_count", "band_rule"):
        setattr(policy, knob, 1)
    policy.at_risk_over, policy.on_track_from, policy.behind_from = "0.25", "0.9", "0.75"
    policy.yellow_from, policy.green_from = "0.4", "0.7"
    return policy


OF_KEY_RESULTS: Final = (*ADDED, "KeyResultRevised", "KeyResultDropped")
OF_OBJECTIVES: Final = ("ObjectiveCreated", "ObjectiveRevised", "ObjectiveGraded")
MADE: Final = ("AdjustmentProposed", "StrategyAdjusted")

QUESTIONS: Final[dict[type[Message], Callable[[Asking, Any], Question]]] = {
    scores.GetCycleRequest: lambda a, k: a.of(
        k, f := a.fact("CycleDrafted"), f.subject, name=f.subject
    ),
    scores.ListCyclesRequest: Asking.of_any_plan,
    scores.GetTeamRequest: lambda a, k: a.of(k, f := a.fact("TeamRegistered"), "", name=f.subject),
    scores.ListTeamsRequest: Asking.of_any_plan,
    scores.GetObjectiveRequest: lambda a, k: a.in_plan(k, "name", "ObjectiveCreated"),
    scores.ListObjectivesRequest: Asking.in_cycle,
    scores.GetKeyResultRequest: lambda a, k: a.in_plan(k, "name", *ADDED),
    scores.ListKeyResultsRequest: lambda a, k: a.in_plan(k, "parent", "ObjectiveCreated"),
    scores.GetCheckInRequest: lambda a, k: a.numbered(k, "CheckInRecorded", "checkIns"),
    scores.ListCheckInsRequest: lambda a, k: a.in_plan(k, "parent", *ADDED),
    scores.GetAlignmentRequest: Asking.alignment,
    scores.ListAlignmentsRequest: Asking.in_cycle,
    scores.GetScorecardRequest: Asking.in_cycle,
    scores.GetSealRequest: lambda a, k: a.numbered(k, "CycleSealed", "seals"),
    scores.ListSealsRequest: Asking.in_cycle,
    scores.GetAmendmentRequest: lambda a, k: a.numbered(k, "AmendmentRecorded", "amendments"),
    scores.ListAmendmentsRequest: lambda a, k: a.said(k, "AmendmentRecorded"),
    scores.GetReviewRequest: lambda a, k: a.belonging(k, "ReviewHeld"),
    scores.ListReviewsRequest: Asking.in_cycle,
    scores.GetLessonRequest: lambda a, k: a.numbered(k, "LessonRecorded", "lessons"),
    scores.ListLessonsRequest: lambda a, k: a.said(k, "LessonRecorded"),
    scores.ListDueCheckInsRequest: lambda a, k: a.attention(
        k, **a.sometimes(within_days=a.chance.randrange(32))
    ),
    scores.ListDeviationsRequest: lambda a, k: a.attention(
        k, **a.sometimes(kinds=a.chance.sample(range(1, 8), 2))
    ),
    scores.SimulatePolicyRequest: lambda a, k: a.in_cycle(k, policy=filled(any_policy(a.chance))),
    audit.GetKeyResultRevisionRequest: lambda a, k: a.revision(k, *OF_KEY_RESULTS),
    audit.ListKeyResultRevisionsRequest: lambda a, k: a.revisions(k, *OF_KEY_RESULTS),
    audit.CompareKeyResultRevisionsRequest: lambda a, k: a.two_revisions(k, *OF_KEY_RESULTS),
    audit.GetObjectiveRevisionRequest: lambda a, k: a.revision(k, *OF_OBJECTIVES),
    audit.ListObjectiveRevisionsRequest: lambda a, k: a.revisions(k, *OF_OBJECTIVES),
    audit.CompareObjectiveRevisionsRequest: lambda a, k: a.two_revisions(k, *OF_OBJECTIVES),
    audit.GetAdjustmentRequest: lambda a, k: a.belonging(k, *MADE),
    audit.ListAdjustmentsRequest: lambda a, k: a.in_cycle(k, page_size=SHORT),
    audit.GetEventRequest: lambda a, k: Question(k(name=a.chance.choice(a.facts).event.name)),
    audit.ListEventsRequest: Asking.events,
}
"""How each read is asked."""

"""What moved a score, held against the scores that the model has along the way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from typing import Any, Final

from okr.v1 import audit_service_pb2 as audit
from okr.v1.resources_pb2 import ScoreCause
from okr.v1.values_pb2 import AsOf
from tests.model.asking import MOST, Asking
from tests.model.known import Fact, Known
from tests.model.measure import day_of
from tests.model.numbers import Score, difference, number, shown, text, total
from tests.model.shapes import date_message
from tests.model.standing import Standing
from tests.support.whole import Caller

SCOPE: Final = (
    *("KeyResultAdded", "KeyResultCarriedOver", "KeyResultDropped", "KeyResultRestored"),
    *("ObjectiveCreated", "ObjectiveRevised", "ObjectiveAbandoned"),
    *("TeamRegistered", "TeamRevised", "CycleDrafted"),
)
EVENT_CAUSES: Final[dict[str, int]] = {
    **dict.fromkeys(SCOPE, ScoreCause.SCORE_CAUSE_SCOPE),
    "Aligned": ScoreCause.SCORE_CAUSE_ALIGNMENT,
    "Unaligned": ScoreCause.SCORE_CAUSE_ALIGNMENT,
    "CycleRevised": ScoreCause.SCORE_CAUSE_POLICY,
    "ObjectiveGraded": ScoreCause.SCORE_CAUSE_OVERRIDE,
    "ObjectiveRegraded": ScoreCause.SCORE_CAUSE_OVERRIDE,
}
"""The cause of what an event moves."""
TARGETS: Final = (
    *("target", "target_change_percent", "commit", "stretch", "lower_bound", "upper_bound"),
    *("milestones", "direction", "metric", "unit", "aggregation"),
)
FIELD_CAUSES: Final[dict[str, int]] = {
    "baseline": ScoreCause.SCORE_CAUSE_BASELINE,
    "weight": ScoreCause.SCORE_CAUSE_WEIGHT,
    **dict.fromkeys(TARGETS, ScoreCause.SCORE_CAUSE_TARGET),
}
"""The cause of what a changed field of a key result moves."""
STEPS: Final = 3
"""How many of the steps on each leg of a way are held against the model."""


@dataclass(frozen=True)
class Way:
    """The way from one pair of instants to another, of one subject's score."""

    facts: Sequence[Fact] = field(repr=False)
    subject: str
    cycle: str
    start: int
    first: date
    end: int
    last: date

    def asked(self, kind: Any, **rest: Any) -> Any:
        """A request about it."""
        return kind(
            subject=self.subject,
            cycle=self.cycle if self.subject.startswith("teams/") else "",
            since=AsOf(position=self.start, effective_at=date_message(self.first)),
            as_of=AsOf(position=self.end, effective_at=date_message(self.last)),
            **rest,
        )

    def score(self, position: int, day: date) -> Score:
        """What the model has there."""
        standing = Standing(Known(self.facts[:position]), day)
        found = standing.score(self.subject, self.cycle)
        return found.current if found else None

    def moved_by(self, position: int) -> str:
        """What one event does on the last day."""
        return difference(self.score(position - 1, self.last), self.score(position, self.last))

    def moved_on(self, day: date) -> str:
        """What one day does by what is known at the start."""
        before = self.score(self.start, day - timedelta(1))
        return difference(before, self.score(self.start, day))


def attributed(me: Caller, asking: Asking) -> None:
    """The parts are the difference of the model's scores, as a whole and step by step.

    Raises:
        AssertionError: they are not.
    """
    way = random_way(asking)
    told = me.ask(way.asked(audit.AttributeScoreRequest)).attribution
    changes = all_changes(me, way)
    before, after = way.score(way.start, way.first), way.score(way.end, way.last)
    whole = difference(before, after)
    found = {
        "before": optional(told, "score_before"),
        "after": optional(told, "score_after"),
        "difference": told.difference,
        "parts": summed(told.parts),
        "changes": summed(changes),
        "count": told.movement_count,
        "counted": sum(part.movement_count for part in told.parts),
        "causes": [part.cause for part in told.parts],
    }
    assert found == {
        "before": shown(before),
        "after": shown(after),
        **dict.fromkeys(("difference", "parts", "changes"), whole),
        **dict.fromkeys(("count", "counted"), len(changes)),
        "causes": sorted({change.cause for change in changes}),
    }, f"{way.asked(audit.AttributeScoreRequest)}"
    if len(changes) <= MOST:
        assert list(told.movements) == changes
    assert all(change.cause in causes(way, change) for change in changes), f"{changes}"
    for earlier, later in pairwise(changes):
        assert optional(earlier, "score_after") == optional(later, "score_before")
    step_by_step(way, asking, changes)


def all_changes(me: Caller, way: Way) -> list[Any]:
    """The whole list, page by page."""
    request = way.asked(audit.ListScoreChangesRequest, page_size=MOST)
    found = []
    while True:
        answer = me.ask(request)
        found += answer.changes
        if not answer.next_page_token:
            return found
        request.page_token = answer.next_page_token


def random_way(asking: Asking) -> Way:
    """From a pair of instants at which the subject is known to a later one."""
    subject, cycle, since = asking.scored()
    facts, head = asking.facts, len(asking.facts)
    if subject.startswith("teams/"):
        since = max(since, asking.everything.of(subject)[0].position)
    start, end = sorted(asking.chance.randint(since, head) for _ in range(2))
    then = Known(facts[:end])
    first, last = sorted(asking.day_in(cycle, then) for _ in range(2))
    return Way(facts, subject, cycle, start, first, end, last)


def step_by_step(way: Way, asking: Asking, changes: Sequence[Any]) -> None:
    """What some steps moved is what the model has before and after them; also where nothing did."""
    by_days = [change for change in changes if change.position <= way.start]
    by_events = [change for change in changes if change.position > way.start]
    positions = {change.position for change in by_events} | {asking.chance.randint(1, way.end)}
    for position in some(asking, positions):
        if position > way.start:
            moved = [change for change in by_events if change.position == position]
            assert summed(moved) == way.moved_by(position), f"events/{position} in {way}"
    days = {day_of(change.effective_at) for change in by_days} | {asking.day(way.first, way.last)}
    for day in some(asking, days):
        if day > way.first:
            moved = [change for change in by_days if day_of(change.effective_at) == day]
            assert summed(moved) == way.moved_on(day), f"{day} in {way}"


def some(asking: Asking, found: Iterable[Any]) -> list[Any]:
    """A few of them."""
    known = sorted(found)
    return asking.chance.sample(known, min(STEPS, len(known)))


def causes(way: Way, change: Any) -> set[int]:
    """The causes that a movement may have by the event behind it."""
    if not change.position:
        return {ScoreCause.SCORE_CAUSE_TIME}
    fact = way.facts[change.position - 1]
    if fact.kind == "KeyResultRevised":
        return {FIELD_CAUSES[path] for path in fact.payload.changed.paths if path in FIELD_CAUSES}
    if fact.kind.startswith("CheckIn"):
        # A day that comes is progress, whatever the event that holds from it.
        if fact.kind == "CheckInRecorded" or change.position <= way.start:
            return {ScoreCause.SCORE_CAUSE_PROGRESS}
        return {ScoreCause.SCORE_CAUSE_CORRECTION}
    return {EVENT_CAUSES[fact.kind]}


def summed(changes: Iterable[Any]) -> str:
    """The sum of their differences."""
    return text(total(number(change.difference) for change in changes))


def optional(message: Any, field: str) -> str | None:
    """An optional field's text."""
    return getattr(message, field) if message.HasField(field) else None

"""What moved a score between two pairs of instants."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from heapq import nlargest
from itertools import groupby
from typing import Final, Protocol

from sqlalchemy import Connection

from ledger.adjustment_resources import change_resource
from ledger.attribution import Moved, Walk
from ledger.cycles import Cycle
from ledger.refusals import NotFound, invalid
from ledger.scoring.attribution import Attribution, Cause, Movement
from ledger.scoring.exact import text
from ledger.span import CYCLES, TEAMS, Instants, is_key_result
from ledger.values import ALWAYS, date_message, timestamp
from okr.v1 import events_pb2 as facts
from okr.v1 import resources_pb2 as resources
from projections import answers, revisions
from projections.as_of import Known
from projections.audit.behind import Behind, about, behind
from projections.audit.span import span_of
from projections.catalogue import cycle_at, cycle_of_objective
from projections.errors import InstantsReversed
from projections.paging import Cursor, Listed, Slice, cut

_DAYS, _POSITIONS = 0, 1
"""The two legs of the way, in their order."""

MOST_MOVEMENTS: Final = 1000
"""How many movements an attribution names; its parts count them all."""


_PLAN_CHANGES = (
    facts.KeyResultAdded
    | facts.KeyResultCarriedOver
    | facts.KeyResultRevised
    | facts.KeyResultDropped
    | facts.KeyResultRestored
    | facts.ObjectiveCreated
    | facts.ObjectiveRevised
    | facts.ObjectiveAbandoned
    | facts.CycleRevised
    | facts.Aligned
    | facts.Unaligned
)


class Asked(Protocol):
    """What a request names; the cycle may be empty."""

    subject: str
    cycle: str


@dataclass(frozen=True, slots=True)
class _Question:
    """A subject, its cycle, and the two pairs of instants."""

    subject: str
    cycle: str
    start: Instants
    end: Instants

    def walk(self, connection: Connection) -> Walk:
        """The way from the start to the end."""
        span = span_of(connection, self.subject, self.cycle, self.start, self.end)
        return Walk(span, self.cycle, [self.subject])


def attributed(
    connection: Connection, request: Asked, known: Known, since: Known | None
) -> resources.ScoreAttribution:
    """What moved the subject's score since an earlier pair of instants, plan commitment if None.

    Raises:
        NotFound: the subject, or its cycle, is not known.
        FieldInvalid: the cycle of a team is missing, or another than the subject's is named.
        DayOutsideCycle, DayInFuture: a day asked for is not one of the cycle's.
        InstantsReversed: the earlier instants lie after the later ones.
    """
    asked = _question(connection, request, known, since)
    walk = asked.walk(connection)
    before = walk.scores[asked.subject]
    moved = list(walk)
    told = Attribution(before, walk.scores[asked.subject], tuple(m.movement for m in moved))
    return resources.ScoreAttribution(
        subject=asked.subject,
        cycle=asked.cycle,
        since_position=asked.start.position,
        since_effective_at=date_message(asked.start.day),
        known_position=asked.end.position,
        effective_at=date_message(asked.end.day),
        score_before=answers.number(told.before),
        score_after=answers.number(told.after),
        difference=text(told.difference),
        parts=_parts(told),
        movements=_shown(connection, _furthest(moved)),
        movement_count=len(moved),
    )


def parts_of_each(
    connection: Connection, request: Asked, subjects: Sequence[str], known: Known
) -> dict[str, list[resources.ScorePart]]:
    """What moved the score of each of a cycle's subjects since plan commitment, by cause.

    The request names the cycle, or a team that all subjects are of. As `attributed` of each of
    them, at the cost of one.
    """
    asked = _question(connection, request, known, None)
    span = span_of(connection, asked.subject, asked.cycle, asked.start, asked.end)
    walk = Walk(span, asked.cycle, subjects)
    before = dict(walk.scores)
    movements: dict[str, list[Movement]] = {subject: [] for subject in subjects}
    for moved in walk:
        movements[moved.subject].append(moved.movement)
    return {
        subject: _parts(Attribution(before[subject], walk.scores[subject], tuple(of_subject)))
        for subject, of_subject in movements.items()
    }


def _parts(told: Attribution) -> list[resources.ScorePart]:
    """The causes that have movements, in their order."""
    sums = told.by_cause()
    counts = Counter(movement.cause for movement in told.movements)
    return [
        resources.ScorePart(
            cause=_cause(cause), difference=text(sums[cause]), movement_count=counts[cause]
        )
        for cause in Cause
        if counts[cause]
    ]


def list_changes(
    connection: Connection, request: Asked, known: Known, since: Known | None, part: Slice
) -> Listed[resources.ScoreMovement]:
    """The movements of the subject's score in order; else as `attributed`."""
    asked = _question(connection, request, known, since)
    rest = _from(asked, part.after) if part.after else asked
    placed = _placed(rest, rest.walk(connection))
    listed = cut(((moved, at) for moved, at in placed if at > part.after), part.limit)
    return Listed(_shown(connection, listed.items), listed.next)


def _question(
    connection: Connection, request: Asked, known: Known, since: Known | None
) -> _Question:
    cycle, end = _subject_in(connection, request, known)
    if since is None:
        planned = cycle.plan_date if cycle.plan_position else None
        position = cycle.plan_position or cycle.revisions[0].position
        start = Instants(position, min(max(planned or cycle.first_day, cycle.first_day), end.day))
    else:
        start = Instants(since.position, since.day_of(cycle))
    if start.position > end.position:
        raise InstantsReversed("known_at", str(start.position), str(end.position))
    if start.day > end.day:
        raise InstantsReversed("effective_at", start.day.isoformat(), end.day.isoformat())
    return _Question(request.subject, cycle.name, start, end)


def _subject_in(connection: Connection, request: Asked, known: Known) -> tuple[Cycle, Instants]:
    """The cycle that the subject's score is of, and the instants that it is wanted at."""
    subject = request.subject
    if subject.startswith(TEAMS):
        if not request.cycle:
            raise invalid("cycle", "required", "must be given for a team")
        cycle, day = cycle_at(connection, request.cycle, known)
    elif subject.startswith(CYCLES):
        cycle, day = cycle_at(connection, subject, known)
    else:
        cycle, day = cycle_of_objective(connection, subject, known)
    if request.cycle not in ("", cycle.name):
        raise invalid("cycle", "subject.cycle", f"{subject} belongs to {cycle.name}")
    if (subject.startswith(TEAMS) or is_key_result(subject)) and not revisions.of(
        connection, subject, known.position
    ):
        raise NotFound(subject)
    return cycle, Instants(known.position, day)


def _placed(asked: _Question, walk: Walk) -> Iterator[tuple[Moved, Cursor]]:
    """The movements with the place of each: on which leg of the way, where there, which one there.

    The place on the leg of the days is the day, on that of the positions the position.
    """

    def place(moved: Moved) -> tuple[int, int]:
        if moved.step.position > asked.start.position:
            return _POSITIONS, moved.step.position
        return _DAYS, moved.step.day.toordinal()

    for (leg, where), group in groupby(walk, key=place):
        for number, moved in enumerate(group, 1):
            yield moved, (leg, where, number)


def _from(asked: _Question, place: Cursor) -> _Question:
    """The question from the last instants at or before a place whose scores are those of a read."""
    where = int(place[1])
    if place[0] == _POSITIONS:
        return replace(asked, start=Instants(where - 1, asked.end.day))
    return replace(asked, start=Instants(asked.start.position, date.fromordinal(where - 1)))


def _furthest(moved: Sequence[Moved]) -> list[Moved]:
    """Those that moved the score furthest, at most `MOST_MOVEMENTS`, in their order."""
    chosen = nlargest(
        MOST_MOVEMENTS, range(len(moved)), key=lambda at: abs(moved[at].movement.delta)
    )
    return [moved[at] for at in sorted(chosen)]


def _shown(connection: Connection, moved: Sequence[Moved]) -> list[resources.ScoreMovement]:
    events = behind(connection, (each.step.position for each in moved))
    return [_movement(each, events.get(each.step.position)) for each in moved]


def _movement(moved: Moved, event: Behind | None) -> resources.ScoreMovement:
    movement = moved.movement
    result = resources.ScoreMovement(
        cause=_cause(movement.cause),
        score_before=answers.number(movement.before),
        score_after=answers.number(movement.after),
        difference=text(movement.delta),
        effective_at=date_message(moved.step.day),
    )
    if event is not None:
        _tell(result, event)
    return result


def _tell(result: resources.ScoreMovement, event: Behind) -> None:
    """Who, when, why, and what the event says."""
    metadata, fact = event.circumstances, event.fact
    result.position = event.position
    result.event_type = event.event_type
    result.about = about(fact)
    result.recorded_time.CopyFrom(timestamp(event.recorded_us))
    if event.effective != ALWAYS:
        result.effective_date.CopyFrom(date_message(event.effective))
    result.actor = metadata.actor.plain
    result.on_behalf_of = metadata.on_behalf_of.plain
    result.reason = metadata.reason.plain
    result.category = metadata.category
    result.adjustment = metadata.adjustment
    if metadata.HasField("source_time"):
        result.source_time.CopyFrom(metadata.source_time)
    match fact:
        case facts.CheckInRecorded():
            result.measurement.CopyFrom(fact.measurement)
        case facts.CheckInCorrected():
            result.measurement.CopyFrom(fact.measurement)
            result.measurement_before.CopyFrom(fact.measurement_before)
        case _ if isinstance(fact, _PLAN_CHANGES):
            result.change.CopyFrom(change_resource(fact, event.position))


def _cause(cause: Cause) -> resources.ScoreCause.ValueType:
    return resources.ScoreCause.Value(f"SCORE_CAUSE_{cause.name}")

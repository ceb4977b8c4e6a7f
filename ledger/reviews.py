"""What people say about a cycle: reviews that were held, lessons that were learnt.

They change nothing in the cycle, so they are taken whatever its state.
"""

from __future__ import annotations

from typing import Any

from ledger.circumstances import decision_of
from ledger.closing import of_cycle, who_and_when
from ledger.context import Context
from ledger.cycles import not_future
from ledger.event import Decision, NewEvent, Recorded, fact_of
from ledger.refusals import invalid
from ledger.values import ALWAYS, blank, day, new_name, personal
from ledger.view import View
from okr.v1 import events_pb2 as facts
from okr.v1 import ledger_service_pb2 as api
from okr.v1 import resources_pb2 as resources
from okr.v1.event_record_pb2 import EventMetadata

LESSONS = "/lessons/"


def review(view: View, request: api.RecordReviewRequest, context: Context) -> Decision:
    """Records a review: who looked at what, and what they decided.

    Raises:
        NotFound: the cycle, the team or an adjustment does not exist.
        Exists: the id is taken.
        DayInFuture: it has not been held yet.
        FieldInvalid: the ledger has not reached the position seen, a participant is blank, or an
            adjustment is another cycle's.
    """
    cycle = view.cycle(request.cycle)
    name = new_name("reviews", request.review_id, context)
    view.vacant(name)
    if request.team:
        view.team(request.team)
    effective = today = cycle.today(context)
    if request.HasField("effective_date"):
        effective = day(request.effective_date, "effective_date")
        not_future(today, effective, "effective_date")
    reached = context.reached()
    if request.seen_position > reached:
        raise invalid("seen_position", "position.reached", f"the ledger has reached {reached} only")
    for i, participant in enumerate(request.participants):
        if blank(participant):
            raise invalid(f"participants[{i}]", "string.min_len", "must not be empty")
    for i, adjustment in enumerate(request.adjustments):
        if view.adjustment(adjustment).cycle != cycle.name:
            raise invalid(
                f"adjustments[{i}]", "adjustment.cycle", f"does not belong to {cycle.name}"
            )
    fact = facts.ReviewHeld(
        review=name,
        cycle=cycle.name,
        kind=request.kind,
        team=request.team,
        participants=[text for each in request.participants if (text := personal(each))],
        seen_position=request.seen_position or reached,
        adjustments=request.adjustments,
        notes=personal(request.notes),
    )
    return decision_of([NewEvent(name, fact)], request, context, effective)


def lesson(view: View, request: api.RecordLessonRequest, context: Context) -> Decision:
    """Records a lesson.

    Raises:
        NotFound: the cycle, the subject or the review does not exist.
        FieldInvalid: the lesson is blank, or the subject or review is another cycle's.
    """
    cycle = view.cycle(request.parent)
    of_cycle(view, cycle, request.subject)
    if request.review and view.review(request.review).cycle != cycle.name:
        raise invalid("review", "review.cycle", f"does not belong to {cycle.name}")
    if blank(request.lesson):
        raise invalid("lesson", "string.min_len", "must not be empty")
    fact = facts.LessonRecorded(
        cycle=cycle.name,
        number=cycle.lessons + 1,
        subject=request.subject,
        lesson=personal(request.lesson),
    )
    made = decision_of([NewEvent(cycle.name, fact)], request, context, ALWAYS)
    made.metadata.review = request.review
    return made


def review_resource(held: Recorded) -> resources.Review:
    """A review as the API shows it."""
    fact: Any = fact_of(held)
    return resources.Review(
        name=fact.review,
        cycle=fact.cycle,
        kind=fact.kind,
        team=fact.team,
        effective_date=EventMetadata.FromString(held.metadata).effective_date,
        seen_position=fact.seen_position,
        participants=[each.plain for each in fact.participants],
        notes=fact.notes.plain,
        adjustments=fact.adjustments,
        **who_and_when(held),
    )


def lesson_resource(learnt: Recorded) -> resources.Lesson:
    """A lesson as the API shows it."""
    fact: Any = fact_of(learnt)
    metadata = EventMetadata.FromString(learnt.metadata)
    return resources.Lesson(
        name=f"{fact.cycle}{LESSONS}{fact.number}",
        cycle=fact.cycle,
        number=fact.number,
        subject=fact.subject,
        category=metadata.category,
        lesson=fact.lesson.plain,
        review=metadata.review,
        **who_and_when(learnt),
    )
